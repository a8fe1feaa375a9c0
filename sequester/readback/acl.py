"""What network ACLs decide, packet by packet, beside what the design lets each tier send and receive (claim E1)."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
from typing import Final, NamedTuple

from infra.settings.addresses import Tier
from sequester.readback.seen import AclSeen, Layout, Observed

_OUT: Final = True
_IN: Final = False
_TCP: Final = "6"
_UDP: Final = "17"
_ICMP: Final = "1"
_EVERY_PROTOCOL: Final = "-1"
_ANSWERS: Final = range(1024, 65536)
_API: Final = range(443, 444)
_KUBELET: Final = range(10250, 10251)
_EVERY_PORT: Final = range(65536)
# Reserved for documentation (RFC 5737, RFC 3849): they stand for the internet.
_OUTSIDE: Final = (IPv4Address("203.0.113.10"), IPv6Address("2001:db8::10"))
_PROBED_PORTS: Final = {_TCP: (22, 53, 443, 10250, 40000), _UDP: (53, 443, 40000), _ICMP: (0,)}

Address = IPv4Address | IPv6Address


class Packet(NamedTuple):
    """The side of a packet that an ACL sees: the other end's address, and the destination's port."""

    egress: bool
    peer: Address
    protocol: str
    port: int

    def __str__(self) -> str:
        name = {_TCP: "TCP", _UDP: "UDP", _ICMP: "ICMP"}[self.protocol]
        return f"{name} {self.port} {'to' if self.egress else 'from'} {self.peer}"


class Permit(NamedTuple):
    """What the design lets pass. protocol None: every."""

    egress: bool
    peers: Sequence[IPv4Network]
    ports: range
    protocol: str | None = _TCP
    but: Sequence[IPv4Network] = ()

    def covers(self, packet: Packet) -> bool:
        """Whether it lets this packet pass."""
        return (
            self.egress == packet.egress
            and any(packet.peer in network for network in self.peers)
            and not any(packet.peer in network for network in self.but)
            and self.protocol in (None, packet.protocol)
            and packet.port in self.ports
        )


def passes(acl: AclSeen, packet: Packet) -> bool:
    """The first line that matches decides; none: denied (Amazon VPC user guide, "Network ACL rules")."""
    for entry in acl.entries:
        of_protocol = entry.protocol == _EVERY_PROTOCOL or (
            entry.protocol == packet.protocol
            and (packet.protocol == _ICMP or entry.first_port <= packet.port <= entry.last_port)
        )
        if entry.egress == packet.egress and of_protocol and packet.peer in ip_network(entry.cidr):
            return entry.allow
    return False


def mistakes(observed: Observed) -> Iterable[tuple[str, str]]:
    """(subnet or ACL, what is wrong): each probe that an ACL decides otherwise than the design."""
    for subnet in observed.subnets:
        acl = next((a for a in observed.acls if subnet.id in a.subnets), None)
        if subnet.tier is None:
            yield subnet.id, f"{subnet.cidr} is no subnet of the plan"
        elif acl is None:
            yield subnet.id, f"{subnet.tier}: has no network ACL"
        else:
            permits = permitted(subnet.tier, observed.layout)
            for packet in probes(observed.layout):
                wanted = any(permit.covers(packet) for permit in permits)
                if passes(acl, packet) != wanted:
                    yield acl.id, f"{subnet.tier}: {packet} {'is needed and denied' if wanted else 'passes'}"


def permitted(tier: Tier, layout: Layout) -> tuple[Permit, ...]:
    """What the design lets a tier send and receive; answers too, since an ACL keeps no state."""
    plan = layout.plan
    control = plan.ranges[Tier.CONTROL]
    nodes = (*plan.ranges[Tier.SANDBOX], *plan.ranges[Tier.SYSTEM])
    if tier == Tier.ENDPOINT:
        return (Permit(_IN, nodes, _API), Permit(_OUT, nodes, _ANSWERS))
    if tier == Tier.CONTROL:
        clients = (*nodes, *layout.operators)
        return (
            Permit(_IN, clients, _API),
            Permit(_OUT, clients, _ANSWERS),
            Permit(_OUT, nodes, _KUBELET),
            Permit(_IN, nodes, _ANSWERS),
        )
    reached = (*control, *plan.endpoint_blocks(tier))
    s3 = layout.s3_ranges or (IPv4Network("0.0.0.0/0"),)
    node = (
        Permit(_OUT, reached, _API),
        Permit(_IN, reached, _ANSWERS),
        Permit(_IN, control, _KUBELET),
        Permit(_OUT, control, _ANSWERS),
        Permit(_OUT, s3, _API, but=(plan.cidr,)),
        Permit(_IN, s3, _ANSWERS, but=(plan.cidr,)),
    )
    if tier == Tier.SANDBOX:
        return node
    own = plan.ranges[Tier.SYSTEM]
    return (*node, Permit(_OUT, own, _EVERY_PORT, protocol=None), Permit(_IN, own, _EVERY_PORT, protocol=None))


def probes(layout: Layout) -> Iterable[Packet]:
    """Packets of several kinds to and from an address of each kind that there is."""
    plan = layout.plan
    peers: list[Address] = [cidr[5] for tier in Tier for cidr in plan.cidrs(tier)]
    # What sandbox nodes may call, and what only system nodes may.
    peers += [cidr[host] for cidr in plan.cidrs(Tier.ENDPOINT) for host in (16, 24)]
    peers += [cidr[1] for cidr in layout.operators]
    for peer in (*peers, *_OUTSIDE):
        for protocol, ports in _PROBED_PORTS.items():
            for port in ports:
                yield Packet(_OUT, peer, protocol, port)
                yield Packet(_IN, peer, protocol, port)
