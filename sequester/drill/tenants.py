"""Two tenants on a real API server: who is who there, and which control an answer comes from."""

import functools
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from infra.admission import Policy, policies
from infra.labels import POOL_LABEL, SANDBOX_TAINT
from infra.manifests import Manifest
from infra.netpol import Reach
from infra.rbac import RESPONDER_GROUP
from infra.settings.cluster import ClusterSettings
from infra.settings.tenants import TenantSettings
from infra.workloads import Site, objects
from sequester.cloud.control_plane import ControlPlane
from sequester.cloud.kubernetes_api import Answer, KubernetesApi

REPOSITORIES = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sequester"
_MANAGER = "drill"

SITE = Site(
    region="us-east-1",
    cluster="sequester",
    repositories=REPOSITORIES,
    container_log_group="/sequester/sequester/containers",
    reach=Reach(
        api_service=IPv4Address("172.20.0.1"),
        control_plane=(IPv4Network("10.42.28.0/28"), IPv4Network("10.42.60.0/28")),
        resolver=IPv4Address("10.42.0.2"),
        agent_endpoints=(IPv4Address("10.42.24.24"), IPv4Address("10.42.56.24")),
        endpoint_subnets=(IPv4Network("10.42.24.0/24"), IPv4Network("10.42.56.0/24")),
    ),
)

# How the server words a refusal, and which control says so; the first that matches.
_WORDINGS: tuple[tuple[str, str], ...] = (
    (r"violates PodSecurity", "PSA"),
    (r"ValidatingAdmissionPolicy '[^']+' with binding .*? denied request: ([a-z0-9-]+):", r"VAP:\1"),
    (r"exceeded quota", "quota"),
    (r"m(?:axi|ini)mum \S+ usage per", "limits"),
    (r"^(?!.*cannot \w+ resource).*\bnode\b.*(?:not allowed|can only|not bound|cannot)", "node"),
    (r"cannot \S+ (?:resource|path)", "RBAC"),
)


def controls(answer: Answer) -> set[str]:
    """Every control that refuses, as far as the answer tells; empty if nothing does."""
    if answer.status < 400 or answer.status in (404, 409):
        return set()
    details: Any = answer.body.get("details", {})
    causes: list[Any] = details.get("causes", [])
    texts = [answer.message, *(str(cause.get("message", "")) for cause in causes)]
    for pattern, control in _WORDINGS:
        found = {match.expand(control) for text in texts for match in re.finditer(pattern, text)}
        if found:
            return found
    return {"schema"} if answer.status in (400, 422) else {f"HTTP {answer.status}: {answer.message}"}


Person = tuple[KubernetesApi, Mapping[str, str]]
"""A client, and the headers that say who asks."""


@dataclass
class Tenants:
    """The cluster under attack."""

    plane: ControlPlane
    manifests: list[Manifest] = field(default_factory=list[Manifest])
    people: dict[str, Person] = field(default_factory=dict[str, Person])

    def apply(self, items: Iterable[Mapping[str, Any]]) -> None:
        for item in items:
            self.plane.admin.apply(dict(item), manager=_MANAGER)

    def ask(
        self, who: str, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request as `who`. What would change something is a dry run: everything decides, nothing is stored."""
        api, own = self.people[who]
        extra = dict(headers or {})
        content_type = extra.pop("Content-Type", "application/json")
        dry = method != "GET" and not _CONNECT.search(path) and not path.endswith("/token")
        query = {"dryRun": "All"} | ({"fieldValidation": "Strict"} if body is not None else {})
        return api.request(
            method, path, body, query=query if dry else None, content_type=content_type, headers={**own, **extra}
        )

    def refused_by(
        self, who: str, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> set[str]:
        answer = self.ask(who, method, path, body, headers=headers)
        # What is let through to a kubelet fails there, since none answers: only 403 is a refusal.
        return set() if TO_KUBELET.search(path) and answer.status != 403 else controls(answer)

    def pod_refused_by(self, pod: Mapping[str, Any]) -> set[str]:
        """What stops this pod, made by the Job controller as it would make it."""
        namespace = pod["metadata"]["namespace"]
        return self.refused_by("job-controller", "POST", f"/api/v1/namespaces/{namespace}/pods", pod)


TO_KUBELET = re.compile(r"/pods/[^/]+/(?:exec|attach|portforward|proxy|log)\b|/nodes/[^/]+/proxy")
_SETTLE_SECONDS = 60.0
_CONNECT = re.compile(r"/pods/[^/]+/(?:exec|attach|portforward|proxy)\b|/nodes/[^/]+/proxy")


def settle(what: Callable[[], bool], named: str) -> None:
    """Wait until the API server has taken a change of policy into account; it looks once a second."""
    ends = time.monotonic() + _SETTLE_SECONDS
    while not what():
        if time.monotonic() > ends:
            raise TimeoutError(f"{named}: not so after {_SETTLE_SECONDS:g} s")
        time.sleep(0.05)


def build(
    plane: ControlPlane,
    tenants: tuple[str, str],
    victim: Mapping[str, Any],
    agent: Mapping[str, Any],
    idle_job: Mapping[str, Any],
    *,
    edit: Callable[[list[Manifest]], list[Manifest]] = list,
    before_admission: Callable[[Tenants], None] = lambda _: None,
) -> Tenants:
    """Both tenants, their people, a node of each pool, and a pod to attack in each namespace.

    edit: to what is applied, for a control that is to be missing. before_admission: called while no admission policy
    stands yet.
    """
    cluster = Tenants(plane)
    cluster.manifests = edit(objects(SITE, ClusterSettings(), {name: TenantSettings() for name in tenants}))
    admission = [item for item in cluster.manifests if "AdmissionPolicy" in str(item["kind"])]
    rest = [item for item in cluster.manifests if item not in admission]
    for kind, labels, taints in (
        ("sandbox", {POOL_LABEL: "sandbox"}, [{"key": SANDBOX_TAINT, "value": "true", "effect": "NoSchedule"}]),
        ("system", {POOL_LABEL: "system"}, []),
    ):
        cluster.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"{kind}-1", "labels": labels},
                        "spec": {"taints": taints}}])  # fmt: skip
    cluster.apply(rest)
    cluster.apply([_CNI_ACCOUNT, *_CNI_RIGHTS, _OTHER_RUNTIME])
    one, other = tenants
    as_admin = plane.admin
    cluster.people = {
        "admin": (as_admin, {}),
        "anonymous": (plane.anonymous(), {}),
        # Tokens before the policies: with them, only kubelets get any.
        "agent": (plane.service_account(f"{one}-agent", "agent"), {}),
        "other-agent": (plane.service_account(f"{other}-agent", "agent"), {}),
        "sandbox": (plane.service_account(f"{one}-sandbox", "sandbox"), {}),
        "cni": (plane.service_account("kube-system", "aws-node"), {}),
        "job-controller": (plane.service_account("kube-system", "job-controller"), {}),
        "node": (plane.node("sandbox-1"), {}),
        # An IAM role that an access entry maps to a group: the API server sees user and group, whoever told it.
        "responder": (
            as_admin,
            {"Impersonate-User": "responder", "Impersonate-Group": RESPONDER_GROUP},
        ),
    }
    for namespace in (f"{one}-sandbox", f"{other}-sandbox"):
        cluster.apply([placed(victim, namespace, "victim")])
    cluster.apply([placed(agent, f"{one}-agent", "agent"), placed(idle_job, f"{one}-sandbox", "victim")])
    before_admission(cluster)
    cluster.apply(admission)
    return cluster


@functools.cache
def every_policy() -> tuple[Policy, ...]:
    return tuple(policies(REPOSITORIES, gvisor=False))


def placed(pod: Mapping[str, Any], namespace: str, name: str) -> dict[str, Any]:
    return {**pod, "metadata": {**pod["metadata"], "namespace": namespace, "name": name}}


_OTHER_RUNTIME = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "other"},
    "handler": "runc",
}

# What the VPC CNI's own manifest grants aws-node, whose token lies on every node (amazon-vpc-cni-k8s, ClusterRole
# aws-node); nodes `update` was there until 1.18, so the policy must hold against it.
_CNI_ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "aws-node", "namespace": "kube-system"},
}
_CNI_RIGHTS = (
    {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "aws-node"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list", "watch", "get"]},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch", "get", "update", "patch"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "aws-node"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aws-node"},
        "subjects": [{"kind": "ServiceAccount", "name": "aws-node", "namespace": "kube-system"}],
    },
)  # fmt: skip
