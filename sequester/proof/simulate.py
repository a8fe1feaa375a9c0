"""One packet, followed step by step: how a person would check a witness. It shares no code with reach.py.

Every decision is taken for the one address and the one service of the packet, in the order in which AWS takes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

from sequester.proof.facts import items, mapping
from sequester.proof.labels import selects
from sequester.proof.model import ListRef, Model, NaclRule, Peer, Place, Route, Subnet, Target
from sequester.proof.netpol import Block, Policy, policies
from sequester.proof.space import BITS, Prefix, prefix
from sequester.proof.verdict import Packet

_MOST_HOPS = 16
_MOST_PODS = 50_000
_STAYS = {"local", "gateway-endpoint", "blackhole"}
_OUTSIDE = {
    "transit gateway",
    "VPC peering connection",
    "virtual private gateway",
    "core network",
    "local gateway",
    "carrier gateway",
    "Oracle database network",
}


@dataclass(frozen=True, slots=True)
class Trace:
    arrived: bool
    steps: tuple[str, ...]


def simulate(model: Model, packet: Packet) -> Trace:
    """Whether the packet arrives where the witness says, and every step on the way."""
    kind, _, name = packet.origin.partition(":")
    steps: list[str] = []
    if kind == "pods":
        return Trace(_from_pod(model, packet, name, steps), tuple(steps))
    place = model.places[name]
    arrived = any(
        _from_place(model, packet, place, model.subnets[s], steps) for s in place.subnets if s in model.subnets
    )
    return Trace(arrived, tuple(steps))


def _from_pod(model: Model, packet: Packet, namespace: str, steps: list[str]) -> bool:
    role = {p.role for p in model.places.values()}
    nodes = [p for p in model.places.values() if p.is_node_group]
    wanted = "agent" if namespace.endswith("-agent") else "sandbox"
    hosts = [p for p in model.places.values() if p.role == wanted]
    hosts += [] if any(p.runs_pods for p in hosts) else nodes
    if packet.axis == "node":
        unguarded = [p.name for p in hosts if p.runs_pods and not p.guarded]
        steps.append(f"own node: {'delivered at ' + unguarded[0] if unguarded else 'dropped'}")
        return bool(unguarded)
    candidates = _labels_to_try(namespace, policies(model.manifests))
    labels = next((one for one in candidates if policy_lets(model, namespace, one, packet)), None)
    steps.append(
        f"network policy: {'denies every pod of ' + namespace if labels is None else f'lets pods with {labels}'}"
    )
    if labels is None:
        return False
    if not hosts:
        steps.append(f"no node is in the facts (roles: {sorted(role)})")
        return True
    if _is_local(packet) or _in_vpc(model, packet.axis, packet.address) or _is_service(model, packet):
        steps.append("delivered by the node, or inside the VPC")
        return True
    return any(
        _from_place(model, packet, host, model.subnets[s], steps)
        for host in hosts
        for s in host.subnets
        if s in model.subnets
    )


def _labels_to_try(namespace: str, every: tuple[Policy, ...]) -> Iterator[dict[str, str]]:
    """Pods with every mix of the labels that selectors speak of: absent, each value, and one that none speaks of."""
    spoken: dict[str, list[str]] = {}
    for one in every:
        if one.namespace != namespace:
            continue
        for key, value in mapping(one.selector.get("matchLabels"), "labels").items():
            spoken.setdefault(key, []).append(str(value))
        for raw in items(one.selector.get("matchExpressions"), "labels"):
            wanted = mapping(raw, "labels")
            values = spoken.setdefault(str(wanted.get("key")), [])
            values += map(str, items(wanted.get("values"), "labels"))
    choices = ((None, *dict.fromkeys(values), "z" + "".join(values)) for values in spoken.values())
    for mix in islice(product(*choices), _MOST_PODS):
        yield {key: value for key, value in zip(spoken, mix, strict=True) if value is not None}


def policy_lets(model: Model, namespace: str, labels: dict[str, str], packet: Packet) -> bool:
    """Whether the network policies of a namespace let a pod with these labels send a packet."""
    governing = [
        p
        for p in policies(model.manifests)
        if p.namespace == namespace and p.egress is not None and selects(p.selector, labels)
    ]
    if not governing:
        return True
    for one in governing:
        for rule in one.egress or ():
            if not any(low <= packet.service < end for low, end in rule.services):
                continue
            if rule.peers is None:
                return True
            for peer in rule.peers:
                if not isinstance(peer, Block):
                    return True
                inside = peer.cidr.axis == packet.axis and packet.address in peer.cidr
                if inside and not any(packet.address in hole for hole in peer.holes):
                    return True
    return False


def _is_local(packet: Packet) -> bool:
    if packet.axis == "4":
        return packet.address >> 16 == 0xA9FE
    return packet.axis == "6" and (packet.address >> 118 == 0xFE80 >> 6 or packet.address >> 96 == 0xFD00_0EC2)


def _is_service(model: Model, packet: Packet) -> bool:
    """The node translates addresses of the cluster's services itself."""
    stated = [
        mapping(c.get("kubernetesNetworkConfig"), "cluster").get("serviceIpv4Cidr") for c in model.clusters.values()
    ]
    return any(packet.axis == "4" and packet.address in prefix(str(one)) for one in stated if one)


def _in_vpc(model: Model, axis: str, address: int) -> bool:
    return any(cidr.axis == axis and address in cidr for vpc in model.vpcs.values() for cidr in vpc.cidrs)


def _from_place(model: Model, packet: Packet, place: Place, subnet: Subnet, steps: list[str]) -> bool:
    """Security group, then ACL, then routes; for an inbound witness the first packet's way in is judged as well."""
    if packet.inbound:
        if not _group_lets(model, place, packet.axis, packet.address, packet.service, egress=False):
            steps.append(f"{place.name}: no security group rule lets it in")
            return False
        if not _acl_lets(model, subnet, packet.axis, packet.address, packet.service, egress=False):
            steps.append(f"{subnet.name}: the ACL keeps it out")
            return False
        protocol = packet.service >> 16
        # The other side may use any port, so any reply port that gets out will do: one at each boundary of the ACLs and
        # of the groups, which a device that forwards the reply has as well.
        every = (*model.nacls.values(), *model.groups.values())
        edges = {e for one in every for r in one.rules for low, end in r.services for e in (low, end - 1)}
        replies = [protocol << 16, protocol << 16 | 0xFFFF, *(edge for edge in edges if edge >> 16 == protocol)]
        public = place.public_in(subnet)
        return any(
            _leaves(model, packet.axis, packet.address, s, subnet, steps, public=public, answering=True)
            for s in replies
        )
    if not _group_lets(model, place, packet.axis, packet.address, packet.service, egress=True):
        steps.append(f"{place.name}: no security group rule lets it out")
        return False
    public = place.public_in(subnet)
    return _leaves(model, packet.axis, packet.address, packet.service, subnet, steps, public=public)


def _leaves(
    model: Model, axis: str, address: int, service: int, subnet: Subnet, steps: list[str], *, public: bool,
    answering: bool = False,
) -> bool:  # fmt: skip
    """Follow routes from subnet to subnet until the packet is outside or stopped.

    answering: somebody began by the way on which this goes back, which no NAT and no egress-only gateway allows.
    """
    at, visited = [(subnet, public, axis, address)], 0
    while at and visited < _MOST_HOPS:
        here, has_public, on, to = at.pop()
        visited += 1
        if not _acl_lets(model, here, on, to, service, egress=True):
            steps.append(f"{here.name}: the ACL drops it")
            continue
        routes = _routes(model, here, on, to)
        if not routes:
            steps.append(f"{here.name}: no route")
        for route in routes:
            kind = route.target.kind
            steps.append(f"{here.name}: {route.name} → {kind} {route.target.id}")
            if kind in _OUTSIDE or (kind == "internet gateway" and (has_public or on == "6")):
                return True
            if kind == "egress-only internet gateway" and on != "4" and not answering:
                return True
            if kind == "regional NAT gateway" and not answering and (on != "6" or to >> 32 == 0x64FF9B << 64):
                return True
            forwarder = model.places.get(route.target.id)
            if forwarder is not None and not _group_lets(model, forwarder, on, to, service, egress=True):
                steps.append(f"{forwarder.name}: no security group rule lets it on")
                continue
            at += _onward(model, route.target.id, on, to, public=has_public, answering=answering)
    return False


def _onward(
    model: Model, target: str, on: str, to: int, *, public: bool, answering: bool
) -> Iterator[tuple[Subnet, bool, str, int]]:
    for subnet, shown, forwards, is_nat in _next(model, target):
        if not forwards or (answering and is_nat):
            continue
        if is_nat and on == "6":
            if to >> 32 == 0x64FF9B << 64:
                yield subnet, shown, "4", to & 0xFFFF_FFFF
        else:
            yield subnet, shown if is_nat else public or shown, on, to


def _next(model: Model, target: str) -> Iterator[tuple[Subnet, bool, bool, bool]]:
    device = model.devices.get(target)
    if device is not None:
        for key in device.subnets:
            if key in model.subnets:
                yield model.subnets[key], device.public, True, device.kind == "NAT gateway"
    place = model.places.get(target)
    if place is not None:
        for key in place.subnets:
            if key in model.subnets:
                yield model.subnets[key], place.public_in(model.subnets[key]), place.forwards, False


def _routes(model: Model, subnet: Subnet, axis: str, address: int) -> list[Route]:
    """The narrowest; of those that are as narrow, each that leads out may be the one that AWS takes."""
    if axis == "6" and not any(c.axis == "6" for c in subnet.cidrs):
        return []
    matching = [
        (cidr.length, Route("local", cidr, Target("local", "local")))
        for cidr in model.vpcs[subnet.vpc].cidrs
        if cidr.axis == axis and address in cidr
    ]
    table = model.tables.get(subnet.table)
    for route in table.routes if table else ():
        matching += [(length, route) for length in _match_lengths(model, route.destination, axis, address)]
    longest = max((length for length, _ in matching), default=0)
    narrowest = [route for length, route in matching if length == longest]
    return [route for route in narrowest if route.target.kind not in _STAYS] or narrowest[:1]


def _match_lengths(model: Model, destination: Prefix | ListRef, axis: str, address: int) -> Iterator[int]:
    if isinstance(destination, Prefix):
        if destination.axis == axis and address in destination:
            yield destination.length
        elif axis not in BITS:
            yield 0
        return
    if destination.id == axis:
        yield 1 << 10
    known = model.lists.get(destination.id)
    for entry in (known.entries if known else None) or ():
        if entry.axis == axis and address in entry:
            yield entry.length


def _acl_lets(model: Model, subnet: Subnet, axis: str, address: int, service: int, *, egress: bool) -> bool:
    acl = model.nacls.get(subnet.acl)
    rules: list[NaclRule] = sorted(
        (r for r in (acl.rules if acl else ()) if r.egress is egress), key=lambda r: r.number
    )
    for rule in rules:
        hit = (
            address in rule.peer
            if rule.peer.axis == axis
            else (axis not in BITS and (rule.allow or not rule.peer.length))
        )
        if hit and any(low <= service < end for low, end in rule.services):
            return rule.allow
    return False


def _group_lets(model: Model, place: Place, axis: str, address: int, service: int, *, egress: bool) -> bool:
    for key in place.groups:
        group = model.groups.get(key)
        if group is None:
            return True
        for rule in group.rules:
            served = rule.egress is egress and any(low <= service < end for low, end in rule.services)
            if served and _peer_has(model, rule.peer, axis, address):
                return True
    return False


def _peer_has(model: Model, peer: Peer, axis: str, address: int) -> bool:
    if isinstance(peer, Prefix):
        return (peer.axis == axis and address in peer) or (axis not in BITS and peer.axis in BITS)
    if isinstance(peer, ListRef):
        known = model.lists.get(peer.id)
        if peer.id == axis or known is None:
            return True
        return any(e.axis == axis and address in e for e in known.entries or ())
    for place in model.places.values():
        if peer.id in place.groups:
            cidrs = place.addresses or [c for s in place.subnets if s in model.subnets for c in model.subnets[s].cidrs]
            if any(c.axis == axis and address in c for c in cidrs):
                return True
    return peer.id not in model.groups
