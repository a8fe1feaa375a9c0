"""Random networks that AWS would take, from a seed: small, and dense in what decides packets differently."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sequester.lab.addresses import host
from sequester.proof.model import (
    Device,
    GroupRef,
    ListRef,
    Model,
    Nacl,
    NaclRule,
    Peer,
    Place,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Target,
    Vpc,
)
from sequester.proof.space import (
    EVERY_SERVICE,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    Prefix,
    Services,
    icmp,
    prefix,
    services,
    union,
    whole,
)

GRE = 47
SERVICES: tuple[Services, ...] = (
    EVERY_SERVICE,
    EVERY_SERVICE,
    services(TCP),
    services(TCP, 443, 443),
    services(TCP, 1000, 2000),
    services(TCP, 0, 1023),
    services(TCP, 1024, 65535),
    services(UDP),
    services(UDP, 53, 53),
    services(UDP, 1024, 65535),
    services(SCTP, 5000, 5001),
    services(GRE),
    icmp(ICMP, 8, 0),
    icmp(ICMP, 3, -1),
    icmp(ICMP, -1, -1),
    icmp(ICMPV6, 128, 0),
    icmp(ICMPV6, -1, -1),
    union(services(TCP, 80, 80), services(UDP, 123, 123), services(GRE)),
    ((UDP << 16 | 65000, 48 << 16 | 7),),  # from one protocol's ports into another's
)
PROBED = tuple(
    sorted(
        {edge for those in SERVICES for low, end in those for edge in (low - 1, low, end - 1, end)}
        | {TCP << 16 | 443, UDP << 16 | 53, ICMP << 16 | 8 << 8, ICMPV6 << 16 | 128 << 8, GRE << 16, SCTP << 16 | 5000}
    )
)
OUTSIDE = tuple(
    map(
        prefix,
        (
            *("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "198.51.100.0/24", "203.0.113.0/24"),
            *("203.0.113.128/25", "203.0.113.7/32", "192.0.2.0/24", "10.0.0.0/8"),
            *("::/0", "::/0", "2000::/3", "2001:db8:f00::/40", "2001:db8:f00:1::/64", "2001:db8:f00:1::7/128"),
        ),
    )
)
_LEADS = (
    *("internet gateway", "internet gateway", "NAT gateway", "NAT gateway", "network interface", "blackhole"),
    *("egress-only internet gateway", "transit gateway", "VPC peering connection", "virtual private gateway"),
)


_OUTWARD = "rtb-out"
"""The table of most subnets in which something forwards: it leads out."""


@dataclass(frozen=True)
class Network:
    model: Model
    exact_devices: bool
    """What forwards lets everything in, so the prover, which does not ask that, must be exact there too."""


def network(seed: int) -> Network:
    r = random.Random(seed)
    return _Maker(r).network()


class _Maker:
    def __init__(self, r: random.Random) -> None:
        self.r = r
        self.vpcs: dict[str, Vpc] = {}
        self.subnets: dict[str, Subnet] = {}
        self.exact = r.random() < 0.7

    def network(self) -> Network:
        r = self.r
        acls = {f"acl-{i}": self._acl(f"acl-{i}") for i in range(r.randint(1, 3))}
        if self.exact:
            acls["acl-in"] = Nacl("acl-in", "acl-in", (*self._all_in(), *self._acl("acl-in", egress=True).rules))
        tables = [f"rtb-{i}" for i in range(r.randint(2, 3))]
        for n in range(r.choice((1, 1, 2))):
            self._vpc(n, tables, list(acls))
        lists = {
            f"pl-{i}": PrefixList(f"pl-{i}", f"pl-{i}", tuple(r.sample(OUTSIDE[4:], r.randint(0, 3)))) for i in range(2)
        }
        group_keys = [f"sg-{i}" for i in range(r.randint(1, 3))]
        groups = {key: self._group(key, group_keys, list(lists)) for key in group_keys}
        places = {f"i-{i}": self._place(f"i-{i}", group_keys) for i in range(r.randint(2, 4))}
        if self.exact:
            groups["sg-in"] = SecurityGroup(
                "sg-in",
                "sg-in",
                tuple(SecurityRule("in", egress=False, peer=whole(a), services=EVERY_SERVICE) for a in ("4", "6")),
            )
        devices = {
            f"nat-{i}": Device(f"nat-{i}", f"nat-{i}", "NAT gateway", (self._device_subnet(),), r.random() < 0.7)
            for i in range(r.randint(0, 2))
        }
        made = {key: RouteTable(key, key, "", self._routes(key, lists, list(places), list(devices))) for key in tables}
        gateways = [Target(kind, kind.replace(" ", "-")) for kind in _LEADS if "gateway" in kind and "NAT" not in kind]
        outward = [Route(f"out-{a}", whole(a), r.choice(gateways)) for a in ("4", "6")]
        made[_OUTWARD] = RouteTable(_OUTWARD, _OUTWARD, "", tuple(outward))
        model = Model(
            "123456789012", "us-east-1", vpcs=self.vpcs, subnets=self.subnets, tables=made, nacls=acls,
            groups=groups, lists=lists, places=places, devices=devices,
        )  # fmt: skip
        return Network(model, self.exact)

    def _all_in(self) -> tuple[NaclRule, ...]:
        return tuple(
            NaclRule(f"in-{axis}", 1, egress=False, allow=True, peer=whole(axis), services=EVERY_SERVICE)
            for axis in ("4", "6")
        )

    def _vpc(self, n: int, tables: Sequence[str], acls: Sequence[str]) -> None:
        r, key = self.r, f"vpc-{n}"
        cidrs = [prefix(f"10.{n}.0.0/16"), prefix(f"2001:db8:{n + 1}::/56")]
        if r.random() < 0.3:
            cidrs.append(prefix(f"100.64.{n}.0/24"))
        self.vpcs[key] = Vpc(key, key, tuple(cidrs))
        for i in range(r.randint(1, 3)):
            own = [prefix(f"10.{n}.{i}.0/24")]
            if r.random() < 0.7:
                own.append(prefix(f"2001:db8:{n + 1}:{i}::/64"))
            name = f"subnet-{n}-{i}"
            table = r.choice(tables)
            self.subnets[name] = Subnet(name, name, key, tuple(own), table, r.choice(acls), r.random() < 0.3)

    def _device_subnet(self) -> str:
        """Where a device forwards: in an exact network its subnet lets everything in."""
        key = self.r.choice(list(self.subnets))
        if self.exact:
            self.subnets[key] = replace(self.subnets[key], acl="acl-in")
        if self.r.random() < 0.8:
            self.subnets[key] = replace(self.subnets[key], table=_OUTWARD)
        return key

    def _peer(self, groups: Sequence[str] = (), lists: Sequence[str] = ()) -> Peer:
        r = self.r
        if groups and r.random() < 0.15:
            return GroupRef(r.choice(groups))
        if lists and r.random() < 0.2:
            return ListRef(r.choice(lists))
        return r.choice(OUTSIDE)

    def _acl(self, key: str, *, egress: bool | None = None) -> Nacl:
        r = self.r
        rules: list[NaclRule] = []
        for out in (True, False) if egress is None else (egress,):
            if r.random() < 0.55:
                rules += [
                    NaclRule(f"{key}-all-{a}", 300, egress=out, allow=True, peer=whole(a), services=EVERY_SERVICE)
                    for a in ("4", "6")
                ]
            for number in r.sample(range(1, 600), r.randint(1, 6)):
                peer = r.choice(OUTSIDE)
                allow = r.random() < 0.6
                rules.append(NaclRule(f"{key}-{number}", number, out, allow, peer, r.choice(SERVICES)))
        return Nacl(key, key, tuple(rules))

    def _group(self, key: str, groups: Sequence[str], lists: Sequence[str]) -> SecurityGroup:
        rules = [
            SecurityRule(f"{key}-any-{egress}", egress, self._peer(), EVERY_SERVICE)
            for egress in (True, False)
            if self.r.random() < 0.55
        ]
        rules += [
            SecurityRule(f"{key}-{i}", self.r.random() < 0.7, self._peer(groups, lists), self.r.choice(SERVICES))
            for i in range(self.r.randint(1, 6))
        ]
        return SecurityGroup(key, key, tuple(rules))

    def _place(self, key: str, groups: Sequence[str]) -> Place:
        r = self.r
        forwards = r.random() < 0.3
        own = tuple(r.sample(groups, r.randint(1, len(groups))))
        vpc = r.choice(list(self.vpcs))
        there = [s.id for s in self.subnets.values() if s.vpc == vpc]
        subnets = tuple(r.sample(there, r.randint(1, min(2, len(there)))))
        if forwards:
            subnets, own = (self._device_subnet(),), (*own, "sg-in") if self.exact else own
        # Fixed, so that a rule that names a group means the same single addresses to all who read it.
        fixed = tuple(
            host(cidr.axis, cidr.low + 16 + int(key.partition("-")[2]))
            for s in subnets
            for cidr in self.subnets[s].cidrs
        )
        return Place(
            key, key, "instance", subnets, own, r.choice((True, False, None)), forwards=forwards, addresses=fixed
        )

    def _routes(
        self, table: str, lists: Mapping[str, PrefixList], places: Sequence[str], devices: Sequence[str]
    ) -> tuple[Route, ...]:
        r = self.r
        found: list[Route] = []
        taken: set[Prefix] = set()
        for n in range(r.randint(1, 6)):
            listed = r.random() < 0.15
            destination = ListRef(r.choice(list(lists))) if listed else r.choice((*OUTSIDE, prefix("10.0.128.0/17")))
            entries = lists[destination.id].entries or () if isinstance(destination, ListRef) else (destination,)
            kind = r.choice(_LEADS)
            key = {"NAT gateway": devices, "network interface": places}.get(kind, (kind.replace(" ", "-"),))
            # AWS refuses two routes for one block, and does not say which of two lists wins.
            if key and entries and not taken & set(entries):
                taken |= set(entries)
                found.append(Route(f"{table}-{n}", destination, Target(kind, r.choice(list(key)))))
        return tuple(found)
