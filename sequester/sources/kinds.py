"""Kinds of Kubernetes objects: those that the claims read, those that cannot matter, and what all others leave open."""

from collections.abc import Iterable, Iterator, Mapping, Set
from fnmatch import fnmatchcase

from sequester.proof.facts import items, mapping
from sequester.proof.labels import selects
from sequester.proof.model import Gap
from sequester.proof.selector import Selector

_PACKETS = frozenset({"E1", "E2", "E6"})
_ALL = frozenset({"E1", "E2", "E4", "E5", "E6"})

# What a claim reads: pods and what makes them, what admits them, what stops their packets, who may make them.
_READ = frozenset(
    """
    ClusterRole ClusterRoleBinding CronJob DaemonSet Deployment Job Namespace NetworkPolicy Pod ReplicaSet
    ReplicationController Role RoleBinding Service ServiceAccount StatefulSet ValidatingAdmissionPolicy
    ValidatingAdmissionPolicyBinding
    """.split()  # noqa: SIM905  (a list of words reads better than a column)
)
# Kinds that overrule network policies; only their denials are sure to be safe.
_ABOVE_POLICIES = frozenset({"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"})
# Kinds that give pods other interfaces, groups or rules.
_OTHER_NETWORKS: Mapping[str, str] = {
    "CiliumClusterwideNetworkPolicy": "may let pods' packets pass by another plugin's rules",
    "CiliumNetworkPolicy": "may let pods' packets pass by another plugin's rules",
    "ENIConfig": "gives pods interfaces in other subnets",
    "GlobalNetworkPolicy": "may let pods' packets pass by another plugin's rules",
    "NetworkAttachmentDefinition": "gives pods further interfaces",
    "ApplicationNetworkPolicy": "may let pods' packets pass by the names that they ask for",
    "SecurityGroupPolicy": "gives pods interfaces of their own with other security groups",
}
# Reviewed: data, quotas, names, schedules, storage and status. None makes a pod, admits one, or lets its packets pass.
# Endpoints and EndpointSlice choose where a service's packets go: the node's own rules and routes are proved for those.
_IRRELEVANT = frozenset(
    """
    APIService Binding CSIDriver CSINode CSIStorageCapacity CertificateSigningRequest ClusterTrustBundle ComponentStatus
    ConfigMap ControllerRevision CustomResourceDefinition Endpoints EndpointSlice Event FlowSchema
    HorizontalPodAutoscaler IPAddress Ingress IngressClass Lease LeaseCandidate LimitRange
    Node PersistentVolume PersistentVolumeClaim PodCertificateRequest PodDisruptionBudget PodTemplate
    PriorityClass PriorityLevelConfiguration ResourceQuota ResourceSlice DeviceClass ResourceClaim ResourceClaimTemplate
    RuntimeClass Secret ServiceCIDR StorageClass StorageVersion StorageVersionMigration ValidatingWebhookConfiguration
    VolumeAttachment VolumeAttributesClass
    """.split()  # noqa: SIM905
)

# Written by AWS's own controllers, from policies and nodes that are read themselves: whom they are of is asked of the
# first, as the node's agent obeys whoever wrote it.
_OTHERS_REVIEWED = frozenset({"networking.k8s.aws/PolicyEndpoint", "vpcresources.k8s.aws/CNINode"})
# They change objects before validation judges them, so pods are no worse; but the policies that are read here may be.
_MUTATING = frozenset({"MutatingWebhookConfiguration", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"})
_MUTABLE = frozenset({"*", "*/*", "namespaces", "networkpolicies", "networkpolicies/*"})

KINDS = _READ | _ABOVE_POLICIES | _MUTATING | frozenset(_OTHER_NETWORKS)
"""What a live cluster is asked for by name."""
REVIEWED_GROUPS = frozenset(
    """
    apps batch autoscaling policy networking.k8s.io rbac.authorization.k8s.io admissionregistration.k8s.io
    apiextensions.k8s.io apiregistration.k8s.io certificates.k8s.io coordination.k8s.io discovery.k8s.io events.k8s.io
    flowcontrol.apiserver.k8s.io node.k8s.io resource.k8s.io scheduling.k8s.io storage.k8s.io storagemigration.k8s.io
    authentication.k8s.io authorization.k8s.io internal.apiserver.k8s.io metrics.k8s.io
    """.split()  # noqa: SIM905
) | {""}
"""Kubernetes' own groups, of which only `KINDS` are read. Every kind of any other group is read, to be named."""


def manifest_gaps(manifests: Iterable[Mapping[str, object]], chosen: Selector) -> Iterator[Gap]:
    """Objects whose effect the model does not follow: by name where one is known, by kind where nobody has looked."""
    reviewed = chosen.reviewed
    strange: dict[str, list[str]] = {}
    manifests = tuple(manifests)
    known = {_place(one) for one in manifests if one.get("kind") == "NetworkPolicy"}
    spaces = _spaces(manifests, chosen)
    for one in manifests:
        kind, version = str(one.get("kind")), str(one.get("apiVersion") or "")
        group = version.rpartition("/")[0]
        name = str(mapping(one.get("metadata"), kind).get("name"))
        if any(fnmatchcase(f"{version}/{kind}", pattern) for pattern in reviewed):
            continue
        if kind in _OTHER_NETWORKS:
            yield Gap(_ALL, f"{kind} {name} {_OTHER_NETWORKS[kind]}: it is not modelled")
        elif kind in _ABOVE_POLICIES:
            if _overrules(one, name, spaces):
                yield Gap(_PACKETS, f"{kind} {name} has a rule that does not deny: it may overrule network policies")
        elif kind in _MUTATING:
            if _changes_policies(one, name):
                yield Gap(_ALL, f"{kind} {name} may change namespaces or network policies when they are made")
        elif f"{group}/{kind}" == "networking.k8s.aws/PolicyEndpoint" and not _of_a_policy(one, known):
            yield Gap(
                _PACKETS, f"{kind} {name} is of no network policy in the facts: it lets pods' packets pass by itself"
            )
        elif (group not in REVIEWED_GROUPS or kind not in _READ | _IRRELEVANT) and (
            f"{group}/{kind}" not in _OTHERS_REVIEWED
        ):
            strange.setdefault(f"{kind} ({version or 'no apiVersion'})", []).append(name)
    for kind, names in strange.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield Gap(_ALL, f"{', '.join(names[:3])}{more}: objects of kind {kind} are neither modelled nor reviewed")


def _place(one: Mapping[str, object]) -> tuple[str, str]:
    meta = mapping(one.get("metadata"), "metadata")
    return str(meta.get("namespace") or "default"), str(meta.get("name"))


Spaces = Mapping[str, Mapping[str, str] | None]
"""The namespaces of sandboxes and agents, each with its labels; None where they are not in the facts."""


def _spaces(manifests: Iterable[Mapping[str, object]], chosen: Selector) -> Spaces:
    found: dict[str, dict[str, str] | None] = {}
    for one in manifests:
        meta = mapping(one.get("metadata"), "metadata")
        own = one.get("kind") == "Namespace"
        name = str(meta.get("name") if own else meta.get("namespace") or "default")
        if chosen.role_of_namespace(name):
            # The API server gives each namespace its name as a label.
            labels = {str(k): str(v) for k, v in mapping(meta.get("labels"), name).items()}
            found[name] = {**labels, "kubernetes.io/metadata.name": name} if own else found.get(name)
    return found


def _overrules(one: Mapping[str, object], name: str, spaces: Spaces) -> bool:
    """Whether a policy above network policies may let a sandbox's or an agent's pod send what those deny.

    Only the admin tier's allowing egress rules do. What it passes on is for network policies to decide; the baseline
    tier speaks for pods that none of them selects, and those may send everything as it is.
    https://network-policy-api.sigs.k8s.io/api-overview/
    """
    spec = mapping(one.get("spec"), name)
    if one.get("kind") == "BaselineAdminNetworkPolicy" or spec.get("tier") == "Baseline":
        return False
    actions = {str(mapping(rule, name).get("action")) for rule in items(spec.get("egress"), name)}
    return not actions <= {"Deny", "Pass"} and any(_subject(spec, name, labels) for labels in spaces.values())


def _subject(spec: Mapping[str, object], name: str, labels: Mapping[str, str] | None) -> bool:
    """Whether it may speak of pods in a namespace: of all where it names none; pods' labels are the submitter's."""
    subject = mapping(spec.get("subject"), name)
    inner = subject.get("namespaces")
    if subject.get("pods") is not None:
        inner = mapping(subject.get("pods"), name).get("namespaceSelector")
    return labels is None or selects(mapping(inner, name), labels)


def _of_a_policy(one: Mapping[str, object], known: Set[tuple[str, str]]) -> bool:
    """Whether the controller made it of a policy that is read: the only owner that it names."""
    namespace, name = _place(one)
    owners = items(mapping(one.get("metadata"), name).get("ownerReferences"), name)
    named = {(str(mapping(o, name).get("kind")), str(mapping(o, name).get("name"))) for o in owners}
    return len(named) == 1 and all(kind == "NetworkPolicy" and (namespace, of) in known for kind, of in named)


def _changes_policies(one: Mapping[str, object], name: str) -> bool:
    """By its rules; one without rules (a binding) changes nothing by itself."""
    spec = mapping(one.get("spec"), name)
    constraints = mapping(spec.get("matchConstraints"), name)
    hooks = [mapping(hook, name) for hook in items(one.get("webhooks"), name)]
    listed = [constraints.get("resourceRules"), *(hook.get("rules") for hook in hooks)]
    rules = [mapping(rule, name) for those in listed for rule in items(those, name)]
    return any(_MUTABLE & {str(resource) for resource in items(rule.get("resources"), name)} for rule in rules)
