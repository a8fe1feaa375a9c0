"""Kubernetes rights: nothing for what can be had in a sandbox, reading at most for what can be had on its node (E4).

Who root on a sandbox node can be: the node itself, and the service accounts of the pods that run on every node.
"""

from collections.abc import Iterator, Mapping

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.export import sandbox_namespaces
from sequester.proof.facts import items, mapping, text
from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.proof.verdict import Hop, Request, Witness

_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")
# Bindings that every cluster has for everybody: discovery and reviews of one's own rights.
_FOR_EVERYBODY = frozenset(
    {
        "system:basic-user", "system:discovery", "system:public-info-viewer",
        "system:service-account-issuer-discovery",
    }
)  # fmt: skip
# Groups of a node, and the roles that the API server itself has for them.
_NODES = ("system:nodes", "system:bootstrappers", "eks:nodes")
_FOR_NODES = frozenset({"system:node", "system:node-proxier", "system:node-bootstrapper", "eks:node-bootstrapper"})
# Accounts of the pods that EKS runs on every node.
_ON_EVERY_NODE = frozenset({"aws-node", "kube-proxy", "eks-pod-identity-agent"})
_READS = frozenset({"get", "list", "watch"})
# Well-known roles, by what they let do beyond reading.
_WELL_KNOWN = {"cluster-admin": "everything", "admin": "everything in a namespace", "edit": "pods and secrets"}

# What holds a tenant's pods. Of roles and bindings the API server lets nobody give more than they have.
_WALLS = frozenset({"*", "networkpolicies", "policyendpoints", "resourcequotas", "limitranges"})

Rules = tuple[Mapping[str, object], ...]


def rights(model: Model, selector: Selector) -> Iterator[Finding]:
    sandboxes = sandbox_namespaces(model, selector)
    roles = dict(_roles(model))
    daemons = on_every_node(model)
    for manifest in model.manifests:
        if manifest.get("kind") not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        meta = mapping(manifest.get("metadata"), "metadata")
        place = str(meta.get("namespace") or "")
        name = f"{manifest['kind']} {place}/{meta.get('name')}".replace(" /", " ")
        reference = mapping(manifest.get("roleRef"), name)
        role = text(reference.get("name"), f"{name} roleRef")
        kind = str(reference.get("kind") or "ClusterRole")
        rules = roles.get((kind, place if kind == "Role" else "", role))
        for raw in items(manifest.get("subjects"), name):
            subject = mapping(raw, name)
            yield from _subject(selector, sandboxes, daemons, name, place, role, kind, rules, subject)
    for (kind, _, role), rules in roles.items():
        # The API server binds these to everybody by itself: whoever redefines one widens everybody's rights.
        if kind == "ClusterRole" and role in _FOR_EVERYBODY and not _only_discovers(rules):
            yield _witness("everybody", "any token, or none", f"ClusterRole {role}", "system:authenticated", role)
    for namespace in sandboxes:
        yield Obligation(f"namespace {namespace}", "no role is bound to its service accounts")


def _subject(
    selector: Selector, sandboxes: list[str], daemons: frozenset[tuple[str, str]], name: str, place: str, role: str,
    kind: str, rules: Rules | None, subject: Mapping[str, object],
) -> Iterator[Finding]:  # fmt: skip
    who = str(subject.get("name"))
    # A service account without a namespace is of the binding's own.
    home = str(subject.get("namespace") or place)
    hit = next((n for n in sandboxes if _speaks_of(subject, who, home, n)), None)
    if hit:
        if not (role in _FOR_EVERYBODY and kind == "ClusterRole" and (rules is None or _only_discovers(rules))):
            yield _witness(f"service accounts of {hit}", f"a pod of {hit}, with any token", name, who, role)
    elif _on_node(subject, who, home, daemons):
        if role in _FOR_NODES and rules is None:
            return
        harm = _harm(role, rules)
        if harm is None:
            yield f"{name} gives {who}, whom root on a sandbox node can be, {role}, whose rules are not in the facts"
        elif harm:
            yield _witness("root on a sandbox node", f"{who} can be had there ({harm})", name, who, role)
    else:
        own = _stem(selector.agent_namespaces, home) if subject.get("kind") == "ServiceAccount" else None
        tenant = _stem((*selector.sandbox_namespaces, *selector.agent_namespaces), place)
        if own is not None and tenant != own:
            whose = f"of {place}" if place else "of the whole cluster"
            yield _witness(f"the agent of {own}", f"a pod of {home}, {whose}", name, who, role)
        elif own is not None and (wall := _wall(role, rules)):
            yield _witness(f"the agent of {own}", f"a pod of {home}, which may {wall}", name, who, role)


def _roles(model: Model) -> Iterator[tuple[tuple[str, str, str], Rules]]:
    for one in model.manifests:
        kind = str(one.get("kind"))
        if kind in ("Role", "ClusterRole"):
            meta = mapping(one.get("metadata"), kind)
            key = (kind, str(meta.get("namespace") or "") if kind == "Role" else "", str(meta.get("name")))
            rules = [mapping(r, f"{kind} {meta.get('name')}") for r in items(one.get("rules"), kind)]
            if one.get("aggregationRule"):
                rules.append({"verbs": ["*"], "resources": ["*"], "apiGroups": ["*"]})  # whatever is labelled so
            yield key, tuple(rules)


def on_every_node(model: Model) -> frozenset[tuple[str, str]]:
    """(namespace, service account) of pods that run on sandbox nodes: root there has their tokens."""
    return frozenset((*_accounts_there(model), *(("kube-system", name) for name in _ON_EVERY_NODE)))


_TEMPLATED = ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet")
# Taints that Kubernetes or a cloud puts on nodes for a while, or on the nodes of the control plane: no sandbox's own.
_USUAL_TAINTS = (
    "node.kubernetes.io/",
    "node-role.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "CriticalAddonsOnly",
)


def _accounts_there(model: Model) -> Iterator[tuple[str, str]]:
    """(namespace, service account) of every DaemonSet, and of all else that tolerates what may be a sandbox's taint."""
    for one in model.manifests:
        if one.get("kind") not in _TEMPLATED:
            continue
        meta, spec = mapping(one.get("metadata"), "metadata"), mapping(one.get("spec"), "spec")
        if one["kind"] == "CronJob":
            spec = mapping(mapping(spec.get("jobTemplate"), "jobTemplate").get("spec"), "jobTemplate.spec")
        pod = spec if one["kind"] == "Pod" else mapping(mapping(spec.get("template"), "template").get("spec"), "spec")
        if one["kind"] == "DaemonSet" or any(map(_may_be_a_sandboxs, items(pod.get("tolerations"), "tolerations"))):
            yield str(meta.get("namespace") or "default"), str(pod.get("serviceAccountName") or "default")


def _may_be_a_sandboxs(raw: object) -> bool:
    return not str(mapping(raw, "tolerations").get("key") or "").startswith(_USUAL_TAINTS)


def _speaks_of(subject: Mapping[str, object], who: str, home: str, namespace: str) -> bool:
    if subject.get("kind") == "ServiceAccount":
        return home == namespace
    if subject.get("kind") == "Group":
        return who in _EVERYBODY or who == f"system:serviceaccounts:{namespace}"
    return who.startswith(f"system:serviceaccount:{namespace}:") or who == "system:anonymous"


def _on_node(subject: Mapping[str, object], who: str, home: str, daemons: frozenset[tuple[str, str]]) -> bool:
    if subject.get("kind") == "ServiceAccount":
        return (home, who) in daemons
    if subject.get("kind") == "Group":
        return who in _NODES
    return who.startswith("system:node:")


def _harm(role: str, rules: Rules | None) -> str | None:
    """What a role lets do beyond reading what is no secret; the empty text for nothing, None if it is not known."""
    if rules is None:
        return _WELL_KNOWN.get(role) or ("" if role == "view" else None)
    for rule in rules:
        verbs = {str(v) for v in items(rule.get("verbs"), role)}
        resources = {str(r) for r in items(rule.get("resources"), role)}
        if resources and not verbs <= _READS:
            return f"{', '.join(sorted(verbs - _READS))} on {', '.join(sorted(resources))}"
        if resources & {"*", "secrets", "pods/exec", "pods/attach", "nodes/proxy"}:
            return f"reads {', '.join(sorted(resources))}"
    return ""


def _wall(role: str, rules: Rules | None) -> str:
    """What an agent could change of the walls around its tenant's own pods; the empty text for nothing."""
    if rules is None:
        return "change network policies" if role in _WELL_KNOWN else ""
    for rule in rules:
        verbs = {str(v) for v in items(rule.get("verbs"), role)} - _READS
        resources = {str(r) for r in items(rule.get("resources"), role)} & _WALLS
        if verbs and resources:
            return f"{', '.join(sorted(verbs))} {', '.join(sorted(resources))}"
    return ""


def _only_discovers(rules: Rules) -> bool:
    """Reads of addresses that are no resource, and reviews of one's own rights."""
    for rule in rules:
        resources = {str(r) for r in items(rule.get("resources"), "rules")}
        if not resources <= {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}:
            return False
        if not resources and not {str(v) for v in items(rule.get("verbs"), "rules")} <= _READS:
            return False
    return True


def _stem(patterns: tuple[str, ...], namespace: str) -> str | None:
    """The tenant's part of a namespace: what `*` stands for; None where no pattern of one star matches."""
    for pattern in patterns:
        before, star, after = pattern.partition("*")
        if star and "*" not in after and namespace.startswith(before) and namespace.endswith(after) and namespace:
            return namespace[len(before) : len(namespace) - len(after)]
    return None


def _witness(whose: str, how: str, binding: str, who: str, role: str) -> Witness:
    return Witness(
        f"{whose} has the rights of {role}",
        (Hop(whose, how), Hop(binding, f"binds {who} to {role}")),
        f"remove {who} from {binding}",
        request=Request(who, f"the verbs of {role}", "the Kubernetes API"),
    )
