"""Where packets from a place can go: network ACL, routes (through every forwarder) and security groups, exactly.

Two steps keep this linear in the number of rules. *Ways* are the few ranges of addresses whose route leaves the VPC,
with the services that the ACLs on the path let through; they depend on the subnet alone. Then each security group rule
is held against the ways by bisection. No set of services is ever built for a whole group, so one group with 100,000
rules costs 100,000 look-ups.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from sequester.proof.model import Device, GroupRef, ListRef, Model, NaclRule, Place, Route, RouteTable, Subnet
from sequester.proof.routing import TARGETS, Exit, local_route, longest_prefix, may_win, route_text
from sequester.proof.space import (
    BITS,
    EVERY_SERVICE,
    NO_SERVICE,
    Prefix,
    Services,
    difference,
    intersection,
    spans,
    union,
    whole,
)
from sequester.proof.verdict import Hop

# NAT gateways translate IPv6 only within this range (RFC 6052).
_NAT64 = Prefix("6", 0x0064_FF9B << 96, 96)


@dataclass(frozen=True, slots=True)
class Way:
    """Packets to [low, end) with these services leave the VPC, once the sender's security groups let them."""

    axis: str
    low: int
    end: int
    services: Services
    hops: tuple[Hop, ...]
    inbound: bool
    """The other side can begin: there is a way back in."""
    certain: bool = True
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """A way that a security group rule opens for a place."""

    place: Place
    way: Way
    low: int
    end: int
    services: Services
    rule: str
    inbound: bool
    certain: bool


class GroupRule(NamedTuple):
    """A security group's rule, for one prefix of its peer.

    known: the rule and its peer are in the facts. members: the peer is a group's members, which have addresses of the
    VPC's own: no list that AWS keeps holds one.
    """

    name: str
    peer: Prefix
    services: Services
    known: bool
    members: bool


Path = tuple[str, str, str, bool, bool]
"""VPC, table, ACL, whether the sender has a public address, and IPv6."""


def touches(peer: Prefix, axis: str, low: int, end: int) -> bool:
    """Whether a rule's prefix may match there. On the axis of a list kept by AWS any public prefix may."""
    if peer.axis == axis:
        return peer.low < end and low < peer.end
    return axis not in BITS and peer.axis in BITS


@lru_cache(maxsize=1024)
def _whole_protocols(those: Services) -> Services:
    """The other side chooses its port, so a reply goes out if the path takes any service of the protocol."""
    protocols = {number for low, end in those for number in range(low >> 16, ((end - 1) >> 16) + 1)}
    return union(tuple((p << 16, (p + 1) << 16) for p in sorted(protocols)))


def acl_services(rules: Sequence[NaclRule], axis: str, low: int, end: int) -> Services:
    """What an ACL lets through to [low, end), which no rule's prefix may divide. `rules` ascend by number."""
    open_, undecided = NO_SERVICE, EVERY_SERVICE
    for rule in rules:
        if not touches(rule.peer, axis, low, end):
            continue
        # Where the addresses of a list that AWS keeps lie is not known: only a denial of everything counts.
        if axis not in BITS and rule.peer.length > 0 and not rule.allow:
            continue
        here = intersection(undecided, rule.services)
        if rule.allow:
            open_ = union(open_, here)
        if axis in BITS or rule.peer.length == 0:
            undecided = difference(undecided, here)
        if not undecided:
            break
    return open_


class Network:
    """The model, indexed. All answers are memoised: subnets that share a table and an ACL share their ways."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._ways: dict[Path, tuple[Way, ...]] = {}
        self._addresses: dict[str, tuple[Prefix, ...]] = {}
        self._between: dict[tuple[tuple[str, ...], bool, Prefix], Services] = {}
        self._members: dict[str, list[Place]] = {}
        for place in model.places.values():
            for group in place.groups:
                self._members.setdefault(group, []).append(place)
        self._acls = {
            (key, egress): sorted((r for r in acl.rules if r.egress is egress), key=lambda r: r.number)
            for key, acl in model.nacls.items()
            for egress in (True, False)
        }

    def acl(self, subnet: Subnet, *, egress: bool) -> Sequence[NaclRule]:
        return self._acls.get((subnet.acl, egress), ())

    def members(self, group: str) -> Sequence[Place]:
        return self._members.get(group, ())

    def addresses(self, place: Place) -> tuple[Prefix, ...]:
        """The addresses that a place may have: its fixed ones, else anything in its subnets."""
        return place.addresses or tuple(
            cidr for key in place.subnets if key in self.model.subnets for cidr in self.model.subnets[key].cidrs
        )

    def path_of(self, subnet: Subnet, *, public: bool) -> Path:
        """What the ways out of a subnet depend on."""
        return subnet.vpc, subnet.table, subnet.acl, public, any(cidr.axis == "6" for cidr in subnet.cidrs)

    def paths_of(self, place: Place) -> frozenset[Path]:
        found = [self.model.subnets[key] for key in place.subnets if key in self.model.subnets]
        return frozenset(self.path_of(subnet, public=place.public_in(subnet)) for subnet in found)

    def ways(self, subnet: Subnet, *, public: bool, seen: frozenset[str] = frozenset()) -> tuple[Way, ...]:
        """The ways out of a subnet, ascending by axis and address; forwarders already in `seen` lead nowhere."""
        key = self.path_of(subnet, public=public)
        if not seen and key in self._ways:
            return self._ways[key]
        found: list[Way] = []
        table = self.model.tables.get(subnet.table)
        for axis in self.model.axes:
            if axis == "6" and not key[-1]:
                continue
            for low, end, route in self.routes(table, subnet.vpc, axis) if table else ():
                for way in self._beyond(route, axis, low, end, public=public, seen=seen):
                    found.extend(self._through_acl(subnet, way))
            if table:
                found.extend(self._propagated(table, axis))
                found.extend(self._unlisted(table, axis, public=public, seen=seen))
        result = tuple(sorted(found, key=lambda way: (way.axis, way.low)))
        if not seen:
            self._ways[key] = result
        return result

    def routes(self, table: RouteTable, vpc: str, axis: str) -> Iterator[tuple[int, int, Route]]:
        """The table on one axis by longest prefix: ascending ranges, each with a route that may win there."""
        own = self.model.vpcs.get(vpc)
        entries: dict[Prefix, list[Route]] = {}
        # On the axis of a list that AWS keeps, a route for the list itself is narrower than any other.
        for route in [r for r in table.routes if r.destination == ListRef(axis)] or table.routes:
            for destination in self._destinations(route, axis):
                entries.setdefault(destination, []).append(route)
        for cidr in own.cidrs if own else ():
            if cidr.axis == axis:
                entries.setdefault(cidr, [local_route(own.name if own else vpc, cidr)])
        for low, end, routes in longest_prefix(axis, entries):
            for route in may_win(routes):
                yield low, end, route

    def _destinations(self, route: Route, axis: str) -> Iterable[Prefix]:
        match route.destination:
            case Prefix() as prefix:
                if prefix.axis == axis:
                    return (prefix,)
                # Any public route may carry a list's addresses.
                return (whole(axis),) if axis not in BITS and prefix.axis in BITS else ()
            case ListRef(id=key):
                if key == axis:
                    return (whole(axis),)
                known = self.model.lists.get(key)
                return tuple(p for p in (known.entries if known else None) or () if p.axis == axis)

    def _beyond(
        self, route: Route, axis: str, low: int, end: int, *, public: bool, seen: frozenset[str]
    ) -> Iterator[Way]:
        target = route.target
        hop = Hop(route.name, f"{route_text(route)} → {target.kind} {target.id}")
        match TARGETS.get(target.kind):
            case Exit.INSIDE | Exit.DROPS:
                return
            case Exit.PUBLIC:
                # Every IPv6 address is public; IPv4 through an internet gateway needs a public address of one's own.
                if axis == "6" or public:
                    yield Way(axis, low, end, EVERY_SERVICE, (hop,), inbound=True)
            case Exit.LEAVES:
                yield Way(axis, low, end, EVERY_SERVICE, (hop,), inbound=True)
            case Exit.ONE_WAY:
                if axis != "4":
                    yield Way(axis, low, end, EVERY_SERVICE, (hop,), inbound=False)
            case Exit.TRANSLATES:
                start, stop = (max(low, _NAT64.low), min(end, _NAT64.end)) if axis == "6" else (low, end)
                if start < stop:
                    yield Way(axis, start, stop, EVERY_SERVICE, (hop,), inbound=False)
            case Exit.FORWARDS:
                way = Way(axis, low, end, EVERY_SERVICE, (hop,), inbound=True)
                yield from self._onward(target.id, way, seen, public=public)
            case Exit.HANDED_OVER:
                doubt = (
                    f"{route.name} leads to {self._named(target.id)}: what is done with packets there is in no facts"
                )
                yield Way(axis, low, end, EVERY_SERVICE, (hop,), inbound=True, certain=False, doubt=doubt)
            case None:
                doubt = f"{route.name} leads to {target.kind} {target.id}, which the model does not know"
                yield Way(axis, low, end, EVERY_SERVICE, (hop,), inbound=True, certain=False, doubt=doubt)

    def _onward(self, key: str, way: Way, seen: frozenset[str], *, public: bool) -> Iterator[Way]:
        if key in seen:
            return
        device = self._forwarder(key)
        if device is None:
            doubt = f"{way.hops[-1].resource} leads to {key}, which is not in the facts"
            yield replace(way, certain=False, doubt=doubt)
            return
        if isinstance(device, Place) and not device.forwards:
            return  # the source/destination check drops what is not addressed to the interface
        nat = isinstance(device, Device) and device.kind == "NAT gateway"
        for subnet_key in device.subnets:
            subnet = self.model.subnets.get(subnet_key)
            if subnet is None:
                yield replace(
                    way, certain=False, doubt=f"{device.name} is in subnet {subnet_key}, which is not in the facts"
                )
                continue
            # Only NAT gives the packet another sender; a forwarder may, so either's public address will do.
            shown = device.public if nat else public or public_in(device, subnet)
            onward = self.ways(subnet, public=bool(shown), seen=seen | {key})
            if isinstance(device, Place):
                onward = tuple(self._through_groups(device, onward))
            for beyond in onward:
                axis, low, end = way.axis, max(way.low, beyond.low), min(way.end, beyond.end)
                if nat and way.axis == "6":
                    low, end = max(way.low, _NAT64.low), min(way.end, _NAT64.end)
                    if beyond.axis == "4":
                        low, end = max(low, _NAT64.low + beyond.low), min(end, _NAT64.low + beyond.end)
                    else:
                        continue
                elif beyond.axis != way.axis:
                    continue
                if low < end:
                    hops = (*way.hops, Hop(device.name, "forwards"), *beyond.hops)
                    inbound = beyond.inbound and not nat
                    yield Way(axis, low, end, beyond.services, hops, inbound, beyond.certain, beyond.doubt)

    def _forwarder(self, key: str) -> Device | Place | None:
        return self.model.devices.get(key) or self.model.places.get(key)

    def _named(self, key: str) -> str:
        device = self._forwarder(key)
        return device.name if device else key

    def _through_acl(self, subnet: Subnet, way: Way) -> Iterator[Way]:
        rules = self.acl(subnet, egress=True)
        for low, end in spans(way.axis, (rule.peer for rule in rules)):
            start, stop = max(low, way.low), min(end, way.end)
            if start < stop:
                passing = intersection(way.services, acl_services(rules, way.axis, start, stop))
                if passing:
                    yield replace(way, low=start, end=stop, services=passing)

    def _through_groups(self, place: Place, ways: Sequence[Way]) -> Iterator[Way]:
        for way in ways:
            for o in self._openings(place, (way,), egress=True):
                yield replace(way, low=o.low, end=o.end, services=o.services, certain=o.certain)

    def _propagated(self, table: RouteTable, axis: str) -> Iterator[Way]:
        for gateway in table.propagating:
            doubt = f"{table.name} takes routes that {gateway} propagates, which are in no plan"
            hop = Hop(table.name, f"propagates routes of {gateway}")
            yield Way(axis, 0, 1 << BITS.get(axis, 0), EVERY_SERVICE, (hop,), inbound=True, certain=False, doubt=doubt)

    def _unlisted(self, table: RouteTable, axis: str, *, public: bool, seen: frozenset[str]) -> Iterator[Way]:
        """Routes for prefix lists that are not in the facts: their entries may be anything."""
        for route in table.routes:
            key = route.destination.id if isinstance(route.destination, ListRef) else axis
            if key not in self.model.lists and key != axis:
                doubt = f"{route.name} is for prefix list {key}, whose entries are not in the facts"
                for way in self._beyond(route, axis, 0, whole(axis).end, public=public, seen=seen):
                    yield replace(way, certain=False, doubt=doubt)

    def openings(self, place: Place, *, egress: bool = True) -> Iterator[Opening]:
        """Everything that leaves the VPC from a place, or (`egress` false) can begin outside and be answered."""
        done: set[Path] = set()
        for key in place.subnets:
            subnet = self.model.subnets.get(key)
            if subnet is None:
                continue
            public = place.public_in(subnet)
            path = self.path_of(subnet, public=public)
            if path in done:
                continue
            done.add(path)
            ways = self.ways(subnet, public=public)
            if not egress:
                ways = tuple(self.answerable(subnet, ways))
            yield from self._openings(place, ways, egress=egress)

    def answerable(self, subnet: Subnet, ways: Sequence[Way]) -> Iterator[Way]:
        """Ways by which somebody outside can begin: `services` become the ones that may come in and be answered."""
        rules = self.acl(subnet, egress=False)
        for way in ways:
            if not way.inbound:
                continue
            answered = _whole_protocols(way.services)
            for low, end in spans(way.axis, (rule.peer for rule in rules)):
                start, stop = max(low, way.low), min(end, way.end)
                if start < stop:
                    entering = intersection(answered, acl_services(rules, way.axis, start, stop))
                    if entering:
                        yield replace(way, low=start, end=stop, services=entering)

    def _openings(self, place: Place, ways: Sequence[Way], *, egress: bool) -> Iterator[Opening]:
        if not ways:
            return
        by_axis: dict[str, tuple[list[int], list[Way]]] = {}
        for way in ways:
            starts, those = by_axis.setdefault(way.axis, ([], []))
            starts.append(way.low)
            those.append(way)
        # Ways of several devices may overlap: look back as far as the longest of them reaches.
        longest = {axis: max(way.end - way.low for way in those) for axis, (_, those) in by_axis.items()}
        for name, peer, served, known, members in self.group_rules(place, egress=egress):
            for axis, (starts, those) in by_axis.items():
                if peer.axis == axis:
                    first, last = bisect_right(starts, peer.low - longest[axis]), bisect_right(starts, peer.end - 1)
                elif not members and touches(peer, axis, 0, 1):
                    first, last = 0, len(those)
                else:
                    continue
                for way in those[max(first - 1, 0) : last]:
                    low, end = (
                        (max(peer.low, way.low), min(peer.end, way.end)) if peer.axis == axis else (way.low, way.end)
                    )
                    if low < end:
                        passing = intersection(served, way.services)
                        if passing:
                            yield Opening(place, way, low, end, passing, name, not egress, way.certain and known)

    def group_rules(self, place: Place, *, egress: bool) -> Iterator[GroupRule]:
        """The rules of all groups of a place, one for each prefix of a peer."""
        for key in place.groups:
            group = self.model.groups.get(key)
            if group is None:
                name = f"security group {key}, whose rules are not in the facts"
                for axis in self.model.axes:
                    yield GroupRule(name, whole(axis), EVERY_SERVICE, known=False, members=False)
                continue
            for rule in group.rules:
                if rule.egress is egress:
                    known = not isinstance(rule.peer, ListRef | GroupRef) or self._known(rule.peer)
                    name = rule.name if known else f"{rule.name} speaks of {rule.peer}, which is not in the facts"
                    for peer in self._peers(rule.peer):
                        members = known and isinstance(rule.peer, GroupRef)
                        yield GroupRule(name, peer, rule.services, known, members)

    def _known(self, peer: ListRef | GroupRef) -> bool:
        return peer.id in (self.model.lists if isinstance(peer, ListRef) else self.model.groups)

    def _peers(self, peer: Prefix | ListRef | GroupRef) -> Iterable[Prefix]:
        match peer:
            case Prefix():
                return (peer,)
            case ListRef(id=key):
                known = self.model.lists.get(key)
                if known is None:
                    return tuple(map(whole, self.model.axes))
                return (whole(key),) if known.entries is None else known.entries
            case GroupRef(id=key):
                if key not in self.model.groups:
                    return tuple(map(whole, self.model.axes))
                if key not in self._addresses:
                    every = (cidr for place in self.members(key) for cidr in self.addresses(place))
                    self._addresses[key] = tuple(dict.fromkeys(every))
                return self._addresses[key]

    def admits(self, sender: Place, receiver: Place) -> Services:
        """The services with which one place of the VPC may begin towards another, by both sets of groups.

        ACLs are left out: they do not filter inside of a subnet, and leaving them out can only admit too much.
        """
        out = NO_SERVICE
        for target in self.addresses(receiver):
            leaving = self._passing(sender, target, egress=True)
            for source in self.addresses(sender) if leaving else ():
                passing = intersection(leaving, self._passing(receiver, source, egress=False))
                if passing:
                    out = union(out, passing)
        return out

    def _passing(self, place: Place, other: Prefix, *, egress: bool) -> Services:
        key = (place.groups, egress, other)
        if key not in self._between:
            rules = self.group_rules(place, egress=egress)
            self._between[key] = union(*(rule.services for rule in rules if rule.peer.overlaps(other)))
        return self._between[key]


def public_in(device: Device | Place, subnet: Subnet) -> bool:
    return device.public_in(subnet) if isinstance(device, Place) else device.public
