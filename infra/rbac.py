"""Who may call what on the Kubernetes API: the agent runs code in its own sandbox namespace, and nothing else (E4)."""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.labels import AGENT_ACCOUNT, agent_namespace, sandbox_namespace
from infra.manifests import Json, Manifest, manifest

# The group that quarantine's function is mapped to by its access entry.
RESPONDER_GROUP = "sequester:responder"


@dataclass(frozen=True)
class Grant:
    """One line of a role, and why it is there; docs/who-may-do-what.md is generated from these."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str

    def rule(self) -> Json:
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}


# `list` beside `watch`: a watch lists first, so it tells no more. No exec, no patch, no create on pods.
AGENT_GRANTS = (
    Grant("batch", "jobs", ("create", "get", "list", "watch", "delete"), "one Job runs one piece of code"),
    Grant("", "pods", ("get", "list", "watch", "delete"), "find the Job's pod; throw a used one away"),
    Grant("", "pods/attach", ("get", "create"), "code and data go in, results come out; 1.36 wants both verbs"),
    Grant("", "pods/log", ("get",), "read what a crashed sandbox said"),
    Grant("coordination.k8s.io", "leases", ("create", "get", "delete"), "claim a warm pod: creating a Lease is atomic"),
)

# Both namespaces of every tenant. Admission lets this group change one label of a pod and nothing else.
RESPONDER_GRANTS = (
    Grant("", "pods", ("get", "list", "watch", "patch", "delete"), "label a pod into quarantine, or end it"),
    Grant("", "events", ("list",), "keep evidence before acting"),
)
RESPONDER_CLUSTER_GRANTS = (Grant("", "nodes", ("get", "patch"), "cordon a node; admission keeps its pool and taint"),)


def tenant_roles(tenant: str) -> list[Manifest]:
    """The agent's role in its sandbox namespace, and the responder's in both. The agent has none in its own."""
    agent, sandbox = agent_namespace(tenant), sandbox_namespace(tenant)
    account: Json = {"kind": "ServiceAccount", "name": AGENT_ACCOUNT, "namespace": agent}
    return [
        *_role("agent", sandbox, AGENT_GRANTS, account),
        *_role("responder", sandbox, RESPONDER_GRANTS, _group(RESPONDER_GROUP)),
        *_role("responder", agent, RESPONDER_GRANTS, _group(RESPONDER_GROUP)),
    ]


def cluster_roles() -> list[Manifest]:
    """What the responder may do beyond the tenants' namespaces."""
    return cluster_role("sequester-responder", RESPONDER_CLUSTER_GRANTS, _group(RESPONDER_GROUP))


def cluster_role(name: str, grants: Iterable[Grant], subject: Json) -> list[Manifest]:
    """A role over the whole cluster, and its binding."""
    return [
        manifest("rbac.authorization.k8s.io/v1", "ClusterRole", name, rules=_rules(grants)),
        manifest(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            name,
            roleRef=_reference("ClusterRole", name),
            subjects=[subject],
        ),
    ]


def _role(name: str, namespace: str, grants: Iterable[Grant], subject: Json) -> list[Manifest]:
    return [
        manifest(
            "rbac.authorization.k8s.io/v1", "Role", name, namespace=namespace, rules=_rules(grants)
        ),
        manifest(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            name,
            namespace=namespace,
            roleRef=_reference("Role", name),
            subjects=[subject],
        ),
    ]  # fmt: skip


def _rules(grants: Iterable[Grant]) -> list[Json]:
    return [grant.rule() for grant in grants]


def _reference(kind: str, name: str) -> Json:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _group(name: str) -> Json:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}
