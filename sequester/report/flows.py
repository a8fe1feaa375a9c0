"""Every connection that something in the deployment can begin: exact over groups, ACLs, routes and network policies.

For claim E1's certificate it is enough that nothing lies outside of what is declared. A reader wants to see what lies
inside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, cast

from sequester.proof.export import namespaces
from sequester.proof.iam.document import statements
from sequester.proof.model import Document, Model, NaclRule, Place
from sequester.proof.netpol import Allowed, Pods, Policy, by_namespace, egress_of, policies
from sequester.proof.packets import service_ranges
from sequester.proof.reach import Network, acl_services
from sequester.proof.selector import IMDS, POD_IDENTITY, Selector
from sequester.proof.space import (
    NO_SERVICE,
    Prefix,
    Services,
    cuts,
    intersection,
    prefix,
    show_address,
    show_services,
    union,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """`services` as a person reads them; `by`: what lets it through.

    leaves: the target is outside of the VPC; outside: the source is, too.
    """

    source: str
    target: str
    services: str
    by: str
    leaves: bool = False
    outside: bool = False


VIEWER: Final = (
    Flow("holders of a signed URL", "CloudFront, for the viewer", "tcp port 443",
         "a signature of the viewer's key", leaves=True, outside=True),
    Flow("CloudFront, for the viewer", "the viewer's bucket", "tcp port 443",
         "the bucket's policy: this distribution only, to read", leaves=True, outside=True),
)  # fmt: skip
"""What a viewer adds; what it shows can ask for nothing (its headers)."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A source from which nothing can be sent, and why."""

    source: str
    why: str


def flows(model: Model, selector: Selector, doors: Sequence[tuple[str, Sequence[str]]] = ()) -> list[Flow]:
    """All of them, in an order that does not depend on the run.

    doors: (function, what its tenant's allowlist names), which lies outside of the VPC.
    """
    found = [
        *_between_places(model),
        *_beside_filters(model),
        *_to_lists(model),
        *_from_pods(model, selector),
        *_by_doors(model, doors),
        *_by_functions(model),
    ]
    return sorted(set(found), key=lambda flow: (flow.leaves, flow.source, flow.target, flow.services, flow.by))


def quiet(model: Model, selector: Selector) -> list[Quiet]:
    """Namespaces whose pods may send nothing at all."""
    every = by_namespace(policies(model.manifests))
    return [
        Quiet(f"pods of {name}", "every policy that selects them allows no destination")
        for name in namespaces(model)
        if selector.role_of_namespace(name) and not egress_of(name, every)[0]
    ]


def named(place: Place) -> str:
    """`node group sequester-sandbox`, `endpoint lambda`."""
    return f"{place.kind} {place.name}"


def _between_places(model: Model) -> Iterator[Flow]:
    network = Network(model)
    for source in model.places.values():
        if source.kind == "endpoint":
            continue  # an endpoint answers, and begins nothing
        for target in model.places.values():
            services = _admitted(network, source, target)
            if services:
                yield Flow(named(source), named(target), show_services(services), "security groups and network ACLs")


def _admitted(network: Network, source: Place, target: Place) -> Services:
    """What both sets of groups and both ACLs let through, from some address of the source to some of the target."""
    passing = network.admits(source, target)
    if not passing:
        return NO_SERVICE
    subnets = network.model.subnets
    lets = NO_SERVICE
    for leaving in (subnets[key] for key in source.subnets if key in subnets):
        for entering in (subnets[key] for key in target.subnets if key in subnets):
            here = [a for a in network.addresses(source) if any(c.overlaps(a) for c in leaving.cidrs)]
            there = [a for a in network.addresses(target) if any(c.overlaps(a) for c in entering.cidrs)]
            if leaving.id == entering.id:
                lets = union(lets, passing)  # ACLs stand between subnets
                continue
            out = _through(network.acl(leaving, egress=True), there)
            into = _through(network.acl(entering, egress=False), here)
            lets = union(lets, intersection(out, into))
    return intersection(passing, lets)


def _through(rules: Sequence[NaclRule], addresses: Sequence[Prefix]) -> Services:
    found = NO_SERVICE
    for one in addresses:
        edges = [at for at in cuts(one.axis, (rule.peer for rule in rules)) if one.low < at < one.end]
        for low, end in pairwise((one.low, *edges, one.end)):
            found = union(found, acl_services(rules, one.axis, low, end))
    return found


def _beside_filters(model: Model) -> Iterator[Flow]:
    """What AWS answers on every node, whatever groups, ACLs and routes say (VPC user guide, "Security groups")."""
    for place in model.places.values():
        if place.kind == "node group":
            yield Flow(named(place), "the VPC's resolver", "tcp port 53, udp port 53",
                       "AWS applies no filter here; DNS Firewall says which names (E2)")  # fmt: skip
            yield Flow(named(place), "instance metadata and time, on the host", "tcp port 80, udp port 123",
                       "AWS applies no filter here; out of reach of pods (E6)")  # fmt: skip


def _to_lists(model: Model) -> Iterator[Flow]:
    """By a gateway endpoint, to the prefix list of its service."""
    network = Network(model)
    for place in model.places.values():
        for key, one in model.lists.items():
            if one.entries is not None:
                continue
            rules = [rule.services for rule in network.group_rules(place, egress=True) if rule.peer.axis == key]
            subnets = [model.subnets[s] for s in place.subnets if s in model.subnets]
            routed = [
                route
                for subnet in subnets
                for _, _, route in network.routes(model.tables[subnet.table], subnet.vpc, key)
                if subnet.table in model.tables
            ]
            lets = union(*(acl_services(network.acl(s, egress=True), key, 0, 1) for s in subnets))
            services = intersection(union(*rules), lets)
            if services and routed:
                by = "security group, network ACL and route; the endpoint's policy says what (E3)"
                to = f"{one.name}, by its gateway endpoint"
                yield Flow(named(place), to, show_services(services), by, leaves=True)


def _from_pods(model: Model, selector: Selector) -> Iterator[Flow]:
    every = by_namespace(policies(model.manifests))
    known = _destinations(model)
    for name in namespaces(model):
        if not selector.role_of_namespace(name):
            continue
        selected = _selected(every.get(name, ()))
        for one in egress_of(name, every)[0]:
            if not (one.pods and one.axis == "6"):  # pods by selectors: said once
                to = selected[one.rule] if one.pods else _target(one, known)
                yield Flow(f"pods of {name}", to, show_services(one.services), f"policy {one.rule}")


def _selected(those: Sequence[Policy]) -> dict[str, str]:
    """By rule: the pods that its selectors name."""
    return {
        rule.name: ", or ".join(_labelled(peer) for peer in rule.peers or () if isinstance(peer, Pods))
        for policy in those
        for rule in policy.egress or ()
    }


def _labelled(peer: Pods) -> str:
    """`pods k8s-app=kube-dns of kube-system`; selectors by expressions are not put into words."""
    pods = "pods" if not peer.pods else f"pods {_labels(peer.pods) or 'that the policy selects'}"
    if peer.namespaces is None:
        return pods
    spaces = _labels(peer.namespaces).removeprefix("kubernetes.io/metadata.name=")
    return f"{pods} of {spaces or ('the namespaces that the policy selects' if peer.namespaces else 'every namespace')}"


def _labels(selector: Mapping[str, object]) -> str:
    """Empty if there is more than labels, or no label."""
    if set(selector) != {"matchLabels"}:
        return ""
    labels = cast("Mapping[str, object]", selector["matchLabels"])
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _destinations(model: Model) -> list[tuple[Prefix, str]]:
    """What an address in a policy stands for, the narrowest first."""
    known = [(address, named(place)) for place in model.places.values() for address in place.addresses]
    known.append((POD_IDENTITY.prefix, "Pod Identity on the node"))
    known += [(one, "instance metadata") for one in IMDS]
    for cidr in service_ranges(model):
        if cidr.axis == "4":
            known.append((Prefix("4", cidr.low + 1, 32), "the API server's service"))
        known.append((cidr, "a service of the cluster"))
    for place in model.places.values():
        cidrs = [c for key in place.subnets if key in model.subnets for c in model.subnets[key].cidrs]
        known += [(cidr, f"the subnets of {named(place)}") for cidr in cidrs if place.kind != "endpoint"]
    return known


def _target(one: Allowed, known: Sequence[tuple[Prefix, str]]) -> str:
    whole = (one.low, one.end)
    for cidr, name in known:
        if cidr.axis == one.axis and (cidr.low, cidr.end) == whole:
            return name
    for cidr, name in known:
        if cidr.axis == one.axis and cidr.low <= one.low and one.end <= cidr.end:
            return f"{name} ({_range(one)})"
    return _range(one)


def _range(one: Allowed) -> str:
    if (one.low, one.end) in (((p := prefix("0.0.0.0/0")).low, p.end), ((q := prefix("::/0")).low, q.end)):
        return "any address"
    first, last = show_address(one.axis, one.low), show_address(one.axis, one.end - 1)
    return first if first == last else f"{first} to {last}"


def _by_doors(model: Model, doors: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Flow]:
    there = {function.name for function in model.functions.values() if function.door}
    for door, hosts in doors:
        if door in there:
            for host in hosts:
                by = "the tenant's allowlist; each request on record"
                yield Flow(f"door {door}", host, "tcp port 443", by, leaves=True, outside=True)


def _by_functions(model: Model) -> Iterator[Flow]:
    """Other functions that are not in a VPC: the responder. Nothing but their code and role bounds what they call."""
    for function in model.functions.values():
        if not (function.door or function.in_vpc):
            role = model.identities.get(function.role)
            policies = role.policies if role else ()
            allowed = sorted({a.partition(":")[0] for where, one in policies for a in _allowed(one, where)})
            by = "its code alone: no network filter is here; its role says which calls succeed (E4)"
            to = f"AWS's APIs: {', '.join(allowed)}"
            yield Flow(f"function {function.name}", to, "tcp port 443", by, leaves=True, outside=True)


def _allowed(policy: Document, where: str) -> Iterator[str]:
    """Actions, as `s3:getobject`."""
    for statement in statements(policy, where):
        yield from statement.actions if statement.allow else ()
