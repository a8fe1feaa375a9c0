"""Claim E1: which packets leave sandbox nodes, sandbox pods and agent pods, and what closes every other one."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sequester.proof.certificate import Certificate, Piece, Question, digest
from sequester.proof.export import namespaces, packet_facts
from sequester.proof.facts import BadFactError, mapping
from sequester.proof.model import Model, Place, Subnet
from sequester.proof.netpol import Allowed, egress_of, narrowed, policies
from sequester.proof.reach import Network, Opening, Way
from sequester.proof.selector import Destination, Selector
from sequester.proof.space import (
    EVERY_SERVICE,
    NO_SERVICE,
    Prefix,
    Services,
    difference,
    intersection,
    preferred,
    prefix,
    show_address,
    show_service,
    union,
    whole,
)
from sequester.proof.verdict import Escapes, Hop, Packet, Proved, Unknown, Verdict, Witness

# Addresses that the node or its hypervisor answers, whatever routes, ACLs and groups say.
LINK_LOCAL = (prefix("169.254.0.0/16"), prefix("fe80::/10"), prefix("fd00:ec2::/32"))
_ASSUMED = (
    "AWS and the VPC CNI do what their documentation says of routes, ACLs, security groups and network policies",
    "the addresses of a prefix list that AWS keeps belong to that service",
)
# A source must say something about the network before the network can be proved closed.
_NO_FACTS = "nothing was recognised as a sandbox: no compute in a sandbox subnet and no sandbox namespace"


def packets(model: Model, selector: Selector) -> Verdict:
    """Escapes if anything is let through that is not declared; Unknown if that hangs on something not in the facts."""
    network = Network(model)
    reasons = list(model.gaps_for("E1"))
    witnesses: list[Witness] = []
    questions: list[Question] = []
    nodes = [place for place in model.places.values() if place.role in ("sandbox", "agent")]
    for place in nodes:
        found, doubts = node_witnesses(network, place)
        witnesses += found
        reasons += doubts
        if not found and not doubts:
            questions += _node_questions(network, place)
    try:
        for namespace in namespaces(model):
            role = selector.role_of_namespace(namespace)
            if role:
                found, question = _pods(network, selector, namespace, role)
                witnesses += found
                questions += question
    except BadFactError as error:
        reasons.append(str(error))
    certain = [w for w in witnesses if not (w.absent and reasons)]
    if certain:
        return Escapes("E1", certain[0], tuple(certain[1:]))
    reasons += [w.summary for w in witnesses]
    if not questions and not reasons:
        reasons.append(_NO_FACTS)
    if reasons:
        return Unknown("E1", tuple(dict.fromkeys(reasons)))
    facts = packet_facts(model, selector, service_ranges(model))
    return Proved("E1", Certificate("E1", digest(facts), tuple(questions), (), (*_ASSUMED, *model.assumptions)))


def service_ranges(model: Model) -> tuple[Prefix, ...]:
    """The clusters' service ranges; EKS's own choices where a cluster states none."""
    found: set[Prefix] = set()
    for cluster in model.clusters.values():
        stated = mapping(cluster.get("kubernetesNetworkConfig"), "kubernetesNetworkConfig").get("serviceIpv4Cidr")
        found |= {prefix(str(stated))} if stated else {prefix("10.100.0.0/16"), prefix("172.20.0.0/16")}
    return tuple(sorted(found))


def node_witnesses(network: Network, place: Place) -> tuple[list[Witness], list[str]]:
    """Ways out of one place (the most certain first), and what keeps it from being decided."""
    doubts: list[str] = []
    for egress in (True, False):
        for opening in network.openings(place, egress=egress):
            if opening.certain:
                return [_node_witness(opening)], []
            doubts.append(f"{place.name}: {opening.way.doubt or opening.rule}")
    relays = list(_relays(network, place)) if not doubts else []
    return [], [*doubts[:3], *relays]


def _node_witness(opening: Opening) -> Witness:
    place, way = opening.place, opening.way
    if opening.inbound:
        service = preferred(opening.services)
        hops = (
            *way.hops[:1],
            Hop(opening.rule, f"lets {show_service(service)} in from outside; replies leave on the tracked flow"),
        )
        summary = f"{place.name} answers {show_service(service)} from {show_address(way.axis, opening.low)} outside"
    else:
        service = preferred(opening.services)
        hops = (Hop(opening.rule, f"lets {show_service(service)} out"), *way.hops)
        summary = f"{place.name} sends {show_service(service)} to {show_address(way.axis, _telling(opening))}"
    first = way.hops[0].resource if way.hops else opening.rule
    return Witness(
        summary,
        (Hop(place.name, f"a {place.role or 'place'} in the VPC"), *hops),
        f"remove {first}, or narrow {opening.rule}",
        packet=Packet(f"place:{place.id}", way.axis, _telling(opening), service, opening.inbound),
    )


def _telling(opening: Opening) -> int:
    """An address of the opening that reads well: a documentation address (RFC 5737, RFC 3849) where one is inside."""
    for text in ("203.0.113.1", "198.51.100.1", "2001:db8::1"):
        candidate = prefix(text)
        if candidate.axis == opening.way.axis and opening.low <= candidate.low < opening.end:
            return candidate.low
    return opening.low if opening.low else min(1, opening.end - 1)


def _relays(network: Network, place: Place) -> Iterator[str]:
    """Places that this one can speak to and that have a way out of their own: what they relay is in no plan."""
    if place.role != "sandbox":
        return
    for other in network.model.places.values():
        if other.id == place.id or other.role or other.kind == "endpoint":
            continue
        if next(network.openings(other), None) and network.admits(place, other):
            yield f"{place.name} can speak to {other.name}, which has a way out: whether it relays is in no plan"


def _node_questions(network: Network, place: Place) -> Iterator[Question]:
    for key in place.subnets:
        subnet = network.model.subnets.get(key)
        if subnet is not None:
            ways = network.ways(subnet, public=place.public_in(subnet))
            for axis_set, direction in ((ways, "out"), (tuple(network.answerable(subnet, ways)), "in")):
                yield Question(f"{direction}:{place.id}:{key}", tuple(_tile(network, subnet, axis_set)))


def _tile(network: Network, subnet: Subnet, ways: Sequence[Way]) -> Iterator[Piece]:
    """The whole space: closed by the path outside of the ways, and by the security groups on them."""
    table = network.model.tables.get(subnet.table)
    path = f"{table.name if table else subnet.table} and {subnet.acl}: no way leads out"
    for axis in network.model.axes:
        here = [way for way in ways if way.axis == axis]
        end = whole(axis).end
        at = sorted({0, end, *(way.low for way in here), *(way.end for way in here)})
        shape: list[tuple[int, int, Services]] = []
        for low, stop in pairwise(at):
            open_ = union(*(way.services for way in here if way.low <= low and stop <= way.end))
            if shape and shape[-1][2] == open_:
                shape[-1] = (shape[-1][0], stop, open_)
            else:
                shape.append((low, stop, open_))
        for low, stop, open_ in shape:
            for first, last in difference(EVERY_SERVICE, open_):
                yield Piece(axis, low, stop, first, last, "path", path)
            for first, last in open_:
                yield Piece(axis, low, stop, first, last, "group", "no security group rule")


def _pods(network: Network, selector: Selector, namespace: str, role: str) -> tuple[list[Witness], list[Question]]:
    model = network.model
    allowed, free = egress_of(namespace, policies(model.manifests))
    places = [p for p in model.places.values() if p.role == role]
    declared = _declared(model, selector) if role == "agent" else ()
    witnesses: list[Witness] = []
    if role == "sandbox":
        witnesses += [_unguarded(namespace, place) for place in places if not place.guarded][:1]
    for one in allowed:
        for low, end, served in _outside_of(one, declared):
            left = narrowed(one, low, end, served)
            hit = next(_carried(network, places, left), None) if left else None
            if left and hit:
                witnesses.append(_pod_witness(namespace, role, one, hit, free))
                break
    if witnesses:
        return witnesses, []
    return [], [Question(f"pods:{namespace}", tuple(_tile_pods(network.model.axes, allowed, declared)))]


def _declared(model: Model, selector: Selector) -> tuple[Destination, ...]:
    inside = [Destination(cidr, EVERY_SERVICE) for vpc in model.vpcs.values() for cidr in vpc.cidrs]
    inside += [Destination(cidr, EVERY_SERVICE) for cidr in service_ranges(model)]
    return (*inside, *selector.agent_destinations)


def _outside_of(one: Allowed, declared: Sequence[Destination]) -> Iterator[tuple[int, int, Services]]:
    """What a rule allows and the declaration does not, cut so that each part is one rectangle set."""
    if one.pods and declared:
        return  # pods have addresses of the VPC, which are declared
    at = {one.low, one.end}
    near = [d for d in declared if d.prefix.axis == one.axis and d.prefix.low < one.end and one.low < d.prefix.end]
    for d in near:
        at |= {max(d.prefix.low, one.low), min(d.prefix.end, one.end)}
    ordered = sorted(at)
    for low, end in pairwise(ordered):
        covered = union(*(d.services for d in near if d.prefix.low <= low and end <= d.prefix.end))
        left = difference(one.services, covered)
        if left:
            yield low, end, left


def _carried(
    network: Network, places: Sequence[Place], left: Allowed
) -> Iterator[tuple[int, Services, tuple[Hop, ...]]]:
    """Parts of what policies allow that a node really delivers: (an address, services, the hops from the node on)."""
    model = network.model
    local = [*LINK_LOCAL, *service_ranges(model)]
    if not places:
        # Nothing is known of the nodes: then nothing is known to stop it.
        yield _readable(left.axis, left.low, left.end), left.services, (Hop("the node", "is not in the facts"),)
        return
    for place in places:
        for cidr in (*local, *network.addresses(place)):
            if cidr.axis == left.axis and cidr.low < left.end and left.low < cidr.end:
                hop = Hop(place.name, "delivers it without leaving the node")
                yield max(cidr.low, left.low), left.services, (hop,)
        for key in place.subnets:
            subnet = model.subnets.get(key)
            vpc = model.vpcs.get(subnet.vpc) if subnet else None
            for name, peer, served, _ in network.group_rules(place, egress=True):
                for cidr in vpc.cidrs if vpc else ():
                    low, end = max(cidr.low, peer.low, left.low), min(cidr.end, peer.end, left.end)
                    both = intersection(served, left.services)
                    if cidr.axis == peer.axis == left.axis and low < end and both:
                        yield low, both, (Hop(name, "lets it out of the node"),)
        for opening in network.openings(place):
            low, end = max(opening.low, left.low), min(opening.end, left.end)
            both = intersection(opening.services, left.services)
            if opening.way.axis == left.axis and low < end and both:
                yield low, both, (Hop(opening.rule, "lets it out of the node"), *opening.way.hops)


def _readable(axis: str, low: int, end: int) -> int:
    for text in ("203.0.113.1", "2001:db8::1"):
        candidate = prefix(text)
        if candidate.axis == axis and low <= candidate.low < end:
            return candidate.low
    return low


def _pod_witness(
    namespace: str, role: str, one: Allowed, hit: tuple[int, Services, tuple[Hop, ...]], free: str | None
) -> Witness:
    address, served, hops = hit
    service = preferred(served)
    what = f"{show_service(service)} to {'a pod at ' if one.pods else ''}{show_address(one.axis, address)}"
    mend = (
        f"add a NetworkPolicy with podSelector {{}} and policyTypes [Egress] to {namespace}"
        if free
        else f"remove or narrow {one.rule}"
    )
    return Witness(
        f"a {role} pod of {namespace} sends {what}",
        (Hop(free or f"a pod of {namespace}", "sends"), Hop(one.rule, f"allows {what}"), *hops),
        mend,
        absent=free is not None,
        packet=Packet(f"pods:{namespace}", one.axis, address, service),
    )


def _unguarded(namespace: str, place: Place) -> Witness:
    return Witness(
        f"a pod of {namespace} reaches its own node ({place.name})",
        (
            Hop(f"a pod of {namespace}", "sends to the address of its node"),
            Hop("aws-network-policy-agent", "always allows the node's own address, and every ethertype but IPv4"),
            Hop(place.name, "has no rule in its user data, or IPv6 in pods, so that nothing drops it"),
        ),
        f"drop new connections from pod interfaces in {place.name}'s user data, and set DISABLE_POD_V6",
        packet=Packet(f"pods:{namespace}", "node", 0, 6 << 16 | 10250),
    )


def _tile_pods(axes: Sequence[str], allowed: Sequence[Allowed], declared: Sequence[Destination]) -> Iterator[Piece]:
    for axis in axes:
        here = [a for a in allowed if a.axis == axis]
        inside = [d for d in declared if d.prefix.axis == axis]
        end = whole(axis).end
        at = sorted(
            {
                0,
                end,
                *(x for a in here for x in (a.low, a.end)),
                *(x for d in inside for x in (d.prefix.low, d.prefix.end)),
            }
        )
        for low, stop in pairwise(at):
            sent = union(*(a.services for a in here if a.low <= low and stop <= a.end))
            fine = union(*(d.services for d in inside if d.prefix.low <= low and stop <= d.prefix.end))
            pods = union(*(a.services for a in here if a.pods and a.low <= low and stop <= a.end), NO_SERVICE)
            declared_here = intersection(sent, fine)
            for stage, part in (
                ("policy", difference(EVERY_SERVICE, sent)),
                ("declared", declared_here),
                ("pods", difference(intersection(sent, pods), declared_here)),
                ("node", difference(difference(sent, fine), pods)),
            ):
                for first, last in part:
                    yield Piece(axis, low, stop, first, last, stage, "")
