"""Whether something that acts on alarms may end a sandbox's pods: its role, for the cluster, and what that may (E8)."""

from collections.abc import Iterator, Mapping, Sequence

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.export import namespaces
from sequester.proof.facts import items, mapping
from sequester.proof.model import AccessEntry, Function, GroupRef, Model, Peer, Place
from sequester.proof.responders import acting, named, told
from sequester.proof.reviewed import RESPONDER_KUBERNETES
from sequester.proof.selector import Selector
from sequester.proof.space import TCP, Prefix, intersection, services
from sequester.proof.verdict import Hop, Witness

Rules = Sequence[Mapping[str, object]]
# (API group, resource, verbs): what ending a pod takes, whoever does it.
_ENDS = (("", "pods", ("delete",)),)
_HTTPS = services(TCP, 443, 443)
_OF_THE_CLUSTER = frozenset({"nodes"})
# EKS's own access policies that let their principal delete pods.
# https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
_END_PODS = frozenset({"AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy"})


def ended(model: Model, selector: Selector) -> Iterator[Finding]:
    """For each namespace of a tenant: a function that acts has an entry that lets it end what runs there."""
    first = told(model)
    if not model.clusters or not first:
        return
    able = acting(model)
    lost = [arn for one in able for arn in named(model, one) if arn not in model.functions]
    lost += [one.role for one in able if one.role not in model.identities]
    entered = [(one, entry) for one in able for entry in model.entries if _is_for(model, one, entry)]
    for namespace in filter(selector.role_of_namespace, namespaces(model)):
        why = [(entry, _kept(model, one, entry, namespace)) for one, entry in entered]
        good = next((one.name for (one, _), (_, kept) in zip(entered, why, strict=True) if not kept), None)
        if good:
            yield Obligation(f"pods of {namespace}", f"{good} may end them")
            continue
        if lost:
            yield f"whether {lost[0]}, which is not among the facts, may end a pod of {namespace} is not known"
            continue
        hop = Hop(why[0][0].name, why[0][1]) if why else Hop(first[0].name, _nobody(able))
        yield Witness(
            f"nobody who is told of attempts may end a pod of {namespace}",
            (hop,),
            f"give a function that alarms call an access entry, with a role that deletes pods of {namespace}",
            absent=True,
        )


def _is_for(model: Model, one: Function, entry: AccessEntry) -> bool:
    return entry.principal == one.role and entry.cluster in model.clusters


def _nobody(able: Sequence[Function]) -> str:
    return f"neither its role nor a helper's has an access entry: {', '.join(one.role for one in able)}"


def _kept(model: Model, one: Function, entry: AccessEntry, namespace: str) -> str:
    """What keeps it from ending a pod there; the empty text if nothing does."""
    network = mapping(model.clusters[entry.cluster].get("vpcConfig"), f"{entry.cluster} vpcConfig")
    if str(network.get("endpointPublicAccess", True)).lower() == "false" and not one.in_vpc:
        return f"is for {one.name}, which stands outside of the VPC, where the API server answers nobody"
    if not _reaches(model, one, str(model.clusters[entry.cluster].get("resource"))):
        return f"is for {one.name}, whose security groups and the API server's let no TCP 443 pass between them"
    if any(name in _END_PODS and (not spaces or namespace in spaces) for name, spaces in entry.policies):
        return ""
    needs = RESPONDER_KUBERNETES.get(one.handler, _ENDS)
    for group, resource, verbs in needs:
        for verb in verbs:
            place = "" if resource in _OF_THE_CLUSTER else namespace
            if not _may(model, entry.groups, place, group, resource, verb):
                groups = ", ".join(entry.groups) or "no group"
                return f"is of {groups}, which may not {verb} {resource} {f'in {place}' if place else ''}".rstrip()
    return ""


def _reaches(model: Model, one: Function, cluster: str) -> bool:
    """Whether security groups let it connect to the API server; where either is in no VPC of ours, nobody asks them."""
    here = next((p for p in model.places.values() if (p.kind, p.name) == ("function", one.name)), None)
    there = next((p for p in model.places.values() if (p.kind, p.name) == ("control plane", cluster)), None)
    if not here or not there:
        return True
    return _passes(model, here, there, egress=True) and _passes(model, there, here, egress=False)


def _passes(model: Model, place: Place, other: Place, *, egress: bool) -> bool:
    """Whether a group of a place lets the connection out to, or in from, another place. One that is unknown may."""
    addresses = [c for key in other.subnets if key in model.subnets for c in model.subnets[key].cidrs]

    def names(peer: Peer) -> bool:
        if isinstance(peer, GroupRef):
            return peer.id in other.groups
        return isinstance(peer, Prefix) and any(
            peer.axis == c.axis and max(peer.low, c.low) < min(peer.end, c.end) for c in addresses
        )

    return any(
        key not in model.groups
        or any(
            r.egress is egress and intersection(r.services, _HTTPS) and names(r.peer) for r in model.groups[key].rules
        )
        for key in place.groups
    )


def _may(model: Model, groups: tuple[str, ...], namespace: str, group: str, resource: str, verb: str) -> bool:
    asked = {"apiGroups": group, "resources": resource, "verbs": verb}
    return any(
        all({wanted, "*"} & {str(v) for v in items(rule.get(key), key)} for key, wanted in asked.items())
        and not items(rule.get("resourceNames"), "resourceNames")
        for rules in _bound(model, groups, namespace)
        for rule in rules
    )


def _bound(model: Model, groups: tuple[str, ...], namespace: str) -> Iterator[Rules]:
    """The rules of every role that is bound to one of the groups, in the namespace or the whole cluster."""
    places = {"RoleBinding": namespace, "ClusterRoleBinding": ""}
    for one in model.manifests:
        meta, kind = mapping(one.get("metadata"), "metadata"), str(one.get("kind"))
        if kind not in places or str(meta.get("namespace") or "") != places[kind]:
            continue
        subjects = [mapping(raw, kind) for raw in items(one.get("subjects"), kind)]
        if any(s.get("kind") == "Group" and s.get("name") in groups for s in subjects):
            yield from _rules(model, mapping(one.get("roleRef"), kind), namespace)


def _rules(model: Model, reference: Mapping[str, object], namespace: str) -> Iterator[Rules]:
    kind = str(reference.get("kind") or "ClusterRole")
    for one in model.manifests:
        meta = mapping(one.get("metadata"), "metadata")
        place = namespace if kind == "Role" else ""
        here = one.get("kind") == kind and meta.get("name") == reference.get("name")
        if here and str(meta.get("namespace") or "") == place:
            yield [mapping(rule, kind) for rule in items(one.get("rules"), kind)]
