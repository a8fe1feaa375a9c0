"""Claim E1: which packets leave sandbox nodes, sandbox pods and agent pods. What closes every other one: tiles.py."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise

from sequester.proof.certificate import Certificate, Question, digest
from sequester.proof.enforcement import guards_hold, unenforced
from sequester.proof.export import namespaces, packet_facts, sandbox_namespaces
from sequester.proof.facts import BadFactError, mapping
from sequester.proof.model import Model, Place
from sequester.proof.netpol import Allowed, Policy, by_namespace, egress_of, narrowed, policies
from sequester.proof.reach import Network, Opening
from sequester.proof.relays import Relays
from sequester.proof.selector import Destination, Selector
from sequester.proof.space import (
    EVERY_SERVICE,
    Prefix,
    Services,
    difference,
    intersection,
    preferred,
    prefix,
    show_address,
    show_service,
    union,
)
from sequester.proof.tiles import Tiles, tile_pods
from sequester.proof.verdict import Escapes, Hop, Packet, Proved, Unknown, Verdict, Witness

# Addresses that the node or its hypervisor answers, whatever routes, ACLs and groups say.
LINK_LOCAL = (prefix("169.254.0.0/16"), prefix("fe80::/10"), prefix("fd00:ec2::/32"))
_ASSUMED = (
    "AWS and the VPC CNI do what their documentation says of routes, ACLs, security groups and network policies",
    "the addresses of a prefix list that AWS keeps belong to that service",
)
_DOCUMENTED = [(p.axis, p.low) for p in map(prefix, ("203.0.113.1", "198.51.100.1", "2001:db8::1"))]
# Where a VPC's and a cluster's own addresses are chosen from: RFC 1918, RFC 6598, RFC 4193.
_PRIVATE = tuple(map(prefix, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
# After the first certain opening so many more are looked at for one that reads better.
_MOST_LOOKED_AT = 64
# A source must say something about the network before the network can be proved closed.


def packets(model: Model, selector: Selector) -> Verdict:
    """Escapes if anything is let through that is not declared; Unknown if that hangs on something not in the facts."""
    network = Network(model)
    relays = Relays(network)
    reasons = [*model.gaps_for("E1"), *(place.opaque for place in model.places.values() if place.opaque)]
    witnesses: list[Witness] = []
    questions: list[Question] = []
    nodes = [place for place in model.places.values() if place.role in ("sandbox", "agent")]
    shut: set[object] = set()
    tiles = Tiles(network)
    for place in nodes:
        # Of places with the same groups on the same paths one is decided, if nothing leaves it.
        kind = (place.groups, network.paths_of(place))
        found, doubts = node_witnesses(network, place) if kind not in shut else ([], [])
        if not found and not doubts:
            shut.add(kind)
            doubts = list(relays.of(place))
        witnesses += found
        reasons += doubts
        if not found and not doubts:
            questions += tiles.of_node(place)
    try:
        every = by_namespace(policies(model.manifests))
        reasons += guards_hold(model)
        for finding in _enforced(model, selector):
            (witnesses if isinstance(finding, Witness) else reasons).append(finding)  # pyright: ignore[reportArgumentType]
        for namespace in namespaces(model):
            role = selector.role_of_namespace(namespace)
            if role:
                found, question = _pods(network, selector, namespace, role, every)
                witnesses += [one for one in found if not _perhaps_inside(model, role, one)]
                reasons += [
                    f"{one.summary}: whether that is inside of the VPC is not in the facts"
                    for one in found
                    if _perhaps_inside(model, role, one)
                ]
                questions += question
    except BadFactError as error:
        reasons.append(str(error))
    certain = [w for w in witnesses if not (w.absent and reasons)]
    if certain:
        return Escapes("E1", certain[0], tuple(certain[1:]))
    reasons += [w.summary for w in witnesses]
    if not questions and not reasons:
        reasons.append(_nothing(selector))
    if reasons:
        return Unknown("E1", tuple(dict.fromkeys(reasons)))
    facts = packet_facts(model, selector, service_ranges(model))
    return Proved("E1", Certificate("E1", digest(facts), tuple(questions), (), (*_ASSUMED, *model.assumptions)))


def _nothing(selector: Selector) -> str:
    subnets, spaces = (", ".join(those) or "none" for those in (selector.sandbox_subnets, selector.sandbox_namespaces))
    return (
        f"nothing was recognised as a sandbox: there is no compute in a subnet of sandbox_subnets ({subnets}), "
        f"nor a namespace of sandbox_namespaces ({spaces}): name yours in a selector"
    )


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
        openings = network.openings(place, egress=egress)
        for opening in openings:
            if opening.certain:
                near = chain([opening], (o for o in islice(openings, _MOST_LOOKED_AT) if o.certain))
                return [_node_witness(next((o for o in near if _documented(o) is not None), opening))], []
            doubts.append(f"{place.name}: {opening.way.doubt or opening.rule}")
    return [], doubts[:3]


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


def _documented(opening: Opening) -> int | None:
    """A documentation address (RFC 5737, RFC 3849) inside of the opening, if there is one: it reads well."""
    return next((a for axis, a in _DOCUMENTED if axis == opening.way.axis and opening.low <= a < opening.end), None)


def _telling(opening: Opening) -> int:
    found = _documented(opening)
    if found is not None:
        return found
    return opening.low if opening.low else min(1, opening.end - 1)


def _enforced(model: Model, selector: Selector) -> Iterator[Witness | str]:
    """Policies stop nothing where nobody enforces them; then pods send whatever their node lets pass."""
    if spaces := sandbox_namespaces(model, selector):
        found = unenforced(model, f"pods of {spaces[0]} send to the whole VPC")
        yield from (one for one in found if isinstance(one, Witness | str))


def _perhaps_inside(model: Model, role: str, witness: Witness) -> bool:
    """An agent may reach the VPC and the service range. Without facts of either, a private address may be in them."""
    packet = witness.packet
    if role != "agent" or packet is None or (model.vpcs and model.clusters):
        return False
    return any(p.axis == packet.axis and p.low <= packet.address < p.end for p in _PRIVATE)


def _pods(
    network: Network, selector: Selector, namespace: str, role: str, every: Mapping[str, Sequence[Policy]]
) -> tuple[list[Witness], list[Question]]:
    model = network.model
    allowed, free = egress_of(namespace, every)
    places = hosts(model, role)
    declared = _declared(model, selector) if role == "agent" else ()
    witnesses: list[Witness] = []
    if role == "sandbox":
        bare = [place for place in places if place.runs_pods and not place.guarded and not place.opaque]
        witnesses += [_unguarded(namespace, place) for place in bare][:1]
    for one in allowed:
        for low, end, served in _outside_of(one, declared):
            left = narrowed(one, low, end, served)
            hit = next(_carried(network, places, left), None) if left else None
            if left and hit:
                witnesses.append(_pod_witness(namespace, role, one, hit, free))
                break
    if witnesses:
        return witnesses, []
    return [], [Question(f"pods:{namespace}", tuple(tile_pods(network.model.axes, allowed, declared)))]


def hosts(model: Model, role: str) -> list[Place]:
    """Where pods of a role may run, and what their nodes may send by: any node, where none is known to be for them."""
    own = [p for p in model.places.values() if p.role == role]
    if any(p.runs_pods for p in own):
        return own
    return [*own, *(p for p in model.places.values() if p.is_node_group)]


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
            for name, peer, served, *_ in network.group_rules(place, egress=True):
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
    return next((a for on, a in _DOCUMENTED if on == axis and low <= a < end), low)


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
        f"{'an' if role == 'agent' else 'a'} {role} pod of {namespace} sends {what}",
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
