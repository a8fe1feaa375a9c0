"""Requests to the Kubernetes API that must be refused, as data: who asks for what, and which control refuses it.

Controls are named as in `sequester.drill.pods`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.labels import POOL_LABEL, QUARANTINE_LABEL
from sequester.drill.pods import (
    AGENT,
    AGENT_NODE,
    BENIGN_AGENT_POD,
    BENIGN_POD,
    DROP,
    NODE,
    OTHER,
    SANDBOX,
    SANDBOX_IMAGE,
    SECURE,
    edited,
    job,
    warm_pool,
)


@dataclass(frozen=True)
class Request:
    """One API request that must be refused."""

    name: str
    who: str
    method: str
    path: str
    by: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def _named(api_version: str, kind: str, namespace: str | None = None, **body: Any) -> dict[str, Any]:
    metadata = {"name": "attempt"} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


_V1, _NET = "/api/v1", "/apis/networking.k8s.io/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_IN_SANDBOX, _IN_AGENT = f"{_V1}/namespaces/{SANDBOX}", f"{_V1}/namespaces/{AGENT}"
_VICTIM = f"{_IN_SANDBOX}/pods/victim"
_IN_OTHER = f"{_V1}/namespaces/{OTHER}-sandbox"
_BATCH = f"/apis/batch/v1/namespaces/{SANDBOX}"
_STRANGER = {"kind": "ServiceAccount", "name": "agent", "namespace": AGENT}
_ADMIN_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_MERGE = {"Content-Type": "application/merge-patch+json"}
_OF_VICTIM = {"metadata.name": "victim"}
_NAMES = {"plural": "relays", "singular": "relay", "kind": "Relay"}
_RESOURCE = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "relays.attempt.example"},
    "spec": {"group": "attempt.example", "scope": "Namespaced", "names": _NAMES, "versions": [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
}  # fmt: skip
_SERVICE = {"selector": {"app": "sandbox"}, "ports": [{"port": 80}]}

REQUESTS = (
    # into a running sandbox by other doors than attach
    Request("exec", "agent", "POST", f"{_VICTIM}/exec?command=id&stdout=true", "RBAC"),
    Request("exec-as-admin", "admin", "POST", f"{_VICTIM}/exec?command=id&stdout=true", "VAP:side-door"),
    Request("portforward", "agent", "POST", f"{_VICTIM}/portforward?ports=80", "RBAC"),
    Request("portforward-as-admin", "admin", "POST", f"{_VICTIM}/portforward?ports=80", "VAP:side-door"),
    Request("pod-proxy", "agent", "GET", f"{_VICTIM}/proxy/", "RBAC"),
    Request("pod-proxy-as-admin", "admin", "GET", f"{_VICTIM}/proxy/", "VAP:side-door"),
    Request("node-proxy", "agent", "GET", f"{_V1}/nodes/{NODE}/proxy/pods", "RBAC"),
    Request("attach-to-other-tenant", "agent", "POST", f"{_IN_OTHER}/pods/victim/attach?stdin=true", "RBAC"),
    Request("attach-to-agent", "agent", "POST", f"{_IN_AGENT}/pods/agent/attach?stdin=true", "RBAC"),
    Request("attach-as-admin", "admin", "POST", f"{_VICTIM}/attach?stdin=true", "VAP:own-agent"),
    Request("ephemeral-container", "agent", "PATCH", f"{_VICTIM}/ephemeralcontainers", "RBAC",
            {"spec": {"ephemeralContainers": [{"name": "e", "image": SANDBOX_IMAGE}]}}, _MERGE),
    Request("ephemeral-container-as-admin", "admin", "PATCH", f"{_VICTIM}/ephemeralcontainers",
            "VAP:side-door", {"spec": {"ephemeralContainers": [{"name": "e", "image": SANDBOX_IMAGE,
            "securityContext": SECURE}]}}, _MERGE),
    Request("exec-in-agent-as-admin", "admin", "POST", f"{_IN_AGENT}/pods/agent/exec?command=id&stdout=true",
            "VAP:side-door"),
    # pods other than by a Job
    Request("create-pod", "agent", "POST", f"{_IN_SANDBOX}/pods", "RBAC", BENIGN_POD),
    Request("create-pod-in-own-namespace", "agent", "POST", f"{_IN_AGENT}/pods", "RBAC", BENIGN_AGENT_POD),
    Request("patch-pod", "agent", "PATCH", _VICTIM, "RBAC",
            {"metadata": {"labels": {QUARANTINE_LABEL: None}}}, _MERGE),
    Request("patch-job", "agent", "PATCH", f"{_BATCH}/jobs/victim", "RBAC", {"spec": {"parallelism": 9}}, _MERGE),
    Request("delete-all-pods", "agent", "DELETE", f"{_IN_SANDBOX}/pods", "RBAC"),
    Request("bind-pod", "agent", "POST", f"{_VICTIM}/binding", "RBAC",
            edited(_named("v1", "Binding", SANDBOX, target={"kind": "Node", "name": AGENT_NODE}), _OF_VICTIM)),
    Request("evict-pod", "agent", "POST", f"{_VICTIM}/eviction", "RBAC",
            edited(_named("policy/v1", "Eviction", SANDBOX), _OF_VICTIM)),
    Request("endless-job", "agent", "POST", f"{_BATCH}/jobs", "VAP:job-deadline",
            edited(job(BENIGN_POD), {"spec.activeDeadlineSeconds": DROP})),
    Request("job-in-other-tenant", "agent", "POST", f"/apis/batch/v1/namespaces/{OTHER}-sandbox/jobs", "RBAC",
            edited(job(BENIGN_POD), {"metadata.namespace": f"{OTHER}-sandbox"})),
    Request("job-in-kube-system", "agent", "POST", "/apis/batch/v1/namespaces/kube-system/jobs", "RBAC",
            edited(job(BENIGN_POD), {"metadata.namespace": "kube-system"})),
    Request("cron-job", "agent", "POST", f"{_BATCH}/cronjobs", "RBAC",
            _named("batch/v1", "CronJob", SANDBOX, spec={"schedule": "* * * * *", "jobTemplate":
            {"spec": job(BENIGN_POD)["spec"]}})),
    Request("cron-job-as-admin", "admin", "POST", f"{_BATCH}/cronjobs", "VAP:kind",
            _named("batch/v1", "CronJob", SANDBOX, spec={"schedule": "* * * * *", "jobTemplate":
            {"spec": edited(job(BENIGN_POD), {"spec.template.spec.restartPolicy": "Never"})["spec"]}})),
    Request("daemon-set-as-admin", "admin", "POST", f"/apis/apps/v1/namespaces/{SANDBOX}/daemonsets", "VAP:kind",
            _named("apps/v1", "DaemonSet", SANDBOX, spec={"selector": {"matchLabels": {"app": "sandbox"}},
            "template": {"metadata": {"labels": {"app": "sandbox"}},
                         "spec": {**BENIGN_POD["spec"], "restartPolicy": "Always"}}})),
    # names and ways in
    Request("external-name", "agent", "POST", f"{_IN_SANDBOX}/services", "RBAC",
            _named("v1", "Service", SANDBOX, spec={"type": "ExternalName", "externalName": "example.com"})),
    Request("external-name-as-admin", "admin", "POST", f"{_IN_SANDBOX}/services", "VAP:kind",
            _named("v1", "Service", SANDBOX, spec={"type": "ExternalName", "externalName": "example.com"})),
    Request("external-name-for-agents", "admin", "POST", f"{_IN_AGENT}/services", "VAP:cluster-service",
            _named("v1", "Service", AGENT, spec={"type": "ExternalName", "externalName": "example.com"})),
    Request("load-balancer", "admin", "POST", f"{_IN_AGENT}/services", "VAP:cluster-service",
            _named("v1", "Service", AGENT, spec={**_SERVICE, "type": "LoadBalancer"})),
    Request("node-port", "admin", "POST", f"{_IN_AGENT}/services", "VAP:cluster-service",
            _named("v1", "Service", AGENT, spec={**_SERVICE, "type": "NodePort"})),
    Request("external-ips", "admin", "POST", f"{_IN_AGENT}/services", "VAP:no-external-ips",
            _named("v1", "Service", AGENT, spec={**_SERVICE, "externalIPs": ["192.0.2.7"]})),
    Request("ingress", "admin", "POST", f"{_NET}/namespaces/{AGENT}/ingresses", "VAP:no-ingress",
            _named("networking.k8s.io/v1", "Ingress", AGENT, spec={"defaultBackend":
            {"service": {"name": "x", "port": {"number": 80}}}})),
    Request("endpoints-as-admin", "admin", "POST", f"{_IN_SANDBOX}/endpoints", "VAP:kind",
            _named("v1", "Endpoints", SANDBOX)),
    Request("secret-as-admin", "admin", "POST", f"{_IN_SANDBOX}/secrets", "VAP:kind", _named("v1", "Secret", SANDBOX)),
    # the policies themselves
    Request("delete-network-policy", "agent", "DELETE",
            f"{_NET}/namespaces/{SANDBOX}/networkpolicies/deny-all", "RBAC"),
    Request("add-network-policy", "agent", "POST", f"{_NET}/namespaces/{SANDBOX}/networkpolicies", "RBAC",
            _named("networking.k8s.io/v1", "NetworkPolicy", SANDBOX, spec={"podSelector": {}, "egress": [{}]})),
    Request("widen-own-network-policy", "agent", "PATCH", f"{_NET}/namespaces/{AGENT}/networkpolicies/agent-egress",
            "RBAC", {"spec": {"egress": [{}]}}, _MERGE),
    Request("unlabel-namespace", "agent", "PATCH", f"{_V1}/namespaces/{SANDBOX}", "RBAC",
            {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, _MERGE),
    Request("create-namespace", "agent", "POST", f"{_V1}/namespaces", "RBAC", _named("v1", "Namespace")),
    Request("raise-quota", "agent", "PATCH", f"{_IN_SANDBOX}/resourcequotas/sandboxes", "RBAC",
            {"spec": {"hard": {"pods": "999"}}}, _MERGE),
    Request("delete-admission-policy", "agent", "DELETE",
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/sequester-sandbox-pods", "RBAC"),
    Request("add-webhook", "agent", "POST",
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "RBAC",
            _named("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")),
    Request("add-runtime-class", "agent", "POST", "/apis/node.k8s.io/v1/runtimeclasses", "RBAC",
            _named("node.k8s.io/v1", "RuntimeClass", handler="runc")),
    Request("add-crd", "agent", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "RBAC",
            _RESOURCE),
    # rights and identities
    Request("widen-own-role", "agent", "PATCH", f"{_RBAC}/namespaces/{SANDBOX}/roles/agent", "RBAC",
            {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}, _MERGE),
    Request("add-role", "agent", "POST", f"{_RBAC}/namespaces/{SANDBOX}/roles", "RBAC",
            _named("rbac.authorization.k8s.io/v1", "Role", SANDBOX, rules=[])),
    Request("add-role-binding", "agent", "POST", f"{_RBAC}/namespaces/{AGENT}/rolebindings", "RBAC",
            _named("rbac.authorization.k8s.io/v1", "RoleBinding", AGENT, roleRef=_ADMIN_ROLE, subjects=[_STRANGER])),
    Request("add-cluster-role-binding", "agent", "POST", f"{_RBAC}/clusterrolebindings", "RBAC",
            _named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", roleRef=_ADMIN_ROLE, subjects=[_STRANGER])),
    Request("own-token", "agent", "POST", f"{_IN_AGENT}/serviceaccounts/agent/token", "RBAC",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    Request("agent-token-as-admin", "admin", "POST", f"{_IN_AGENT}/serviceaccounts/agent/token", "VAP:kubelet-tokens",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    Request("sandbox-token-as-admin", "admin", "POST", f"{_IN_SANDBOX}/serviceaccounts/sandbox/token", "VAP:no-tokens",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    Request("foreign-token", "agent", "POST", f"{_V1}/namespaces/kube-system/serviceaccounts/x/token", "RBAC",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    Request("impersonate-admin", "agent", "GET", f"{_V1}/secrets", "RBAC",
            headers={"Impersonate-User": "admin", "Impersonate-Group": "system:masters"}),
    Request("certificate-request", "agent", "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", "RBAC",
            _named("certificates.k8s.io/v1", "CertificateSigningRequest")),
    Request("read-secrets", "agent", "GET", f"{_IN_AGENT}/secrets", "RBAC"),
    Request("read-sandbox-config", "agent", "GET", f"{_IN_SANDBOX}/configmaps", "RBAC"),
    Request("change-lease", "agent", "PUT", f"/apis/coordination.k8s.io/v1/namespaces/{SANDBOX}/leases/attempt", "RBAC",
            _named("coordination.k8s.io/v1", "Lease", SANDBOX)),
    # other tenants, and the cluster
    Request("read-other-pods", "agent", "GET", f"{_IN_OTHER}/pods", "RBAC"),
    Request("read-other-logs", "agent", "GET", f"{_IN_OTHER}/pods/victim/log", "RBAC"),
    Request("delete-other-pod", "agent", "DELETE", f"{_IN_OTHER}/pods/victim", "RBAC"),
    Request("read-all-pods", "agent", "GET", f"{_V1}/pods", "RBAC"),
    Request("list-namespaces", "agent", "GET", f"{_V1}/namespaces", "RBAC"),
    Request("list-nodes", "agent", "GET", f"{_V1}/nodes", "RBAC"),
    Request("read-events", "agent", "GET", f"{_IN_SANDBOX}/events", "RBAC"),
    # the sandbox's own identity, should a token ever leak
    Request("sandbox-reads-pods", "sandbox", "GET", f"{_IN_SANDBOX}/pods", "RBAC"),
    Request("sandbox-makes-job", "sandbox", "POST", f"{_BATCH}/jobs", "RBAC", job(BENIGN_POD)),
    Request("sandbox-attaches", "sandbox", "POST", f"{_VICTIM}/attach?stdin=true", "RBAC"),
    Request("sandbox-reads-policies", "sandbox", "GET", f"{_NET}/networkpolicies", "RBAC"),
    Request("anonymous-reads-pods", "anonymous", "GET", f"{_IN_SANDBOX}/pods", "RBAC"),
    # root on a sandbox node, with the kubelet's credentials or those of the CNI's pod on it
    Request("node-reads-agent-secret", "node", "GET", f"{_IN_AGENT}/secrets/s", "RBAC"),
    Request("node-token-of-agent", "node", "POST", f"{_IN_AGENT}/serviceaccounts/agent/token", "RBAC|node",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef":
            {"apiVersion": "v1", "kind": "Pod", "name": "agent", "uid": "0"}}}),
    Request("node-drops-taint", "node", "PATCH", f"{_V1}/nodes/{NODE}", "node", {"spec": {"taints": []}}, _MERGE),
    Request("node-changes-pool", "node", "PATCH", f"{_V1}/nodes/{NODE}", "VAP:node-pool-for-life",
            {"metadata": {"labels": {POOL_LABEL: "system"}}}, _MERGE),
    Request("node-changes-other-node", "node", "PATCH", f"{_V1}/nodes/{AGENT_NODE}", "RBAC|node",
            {"metadata": {"labels": {"x": "y"}}}, _MERGE),
    Request("node-makes-pod", "node", "POST", f"{_IN_SANDBOX}/pods", "node", BENIGN_POD),
    Request("cni-drops-taint", "cni", "PATCH", f"{_V1}/nodes/{NODE}", "VAP:taint-for-life",
            {"spec": {"taints": []}}, _MERGE),
    Request("cni-changes-pool", "cni", "PATCH", f"{_V1}/nodes/{NODE}", "VAP:node-pool-for-life",
            {"metadata": {"labels": {POOL_LABEL: "system"}}}, _MERGE),
    # quarantine's function, should its credentials leak
    Request("responder-relabels", "responder", "PATCH", _VICTIM, "VAP:responder-label",
            {"metadata": {"labels": {"app": "other"}}}, _MERGE),
    Request("responder-annotates", "responder", "PATCH", _VICTIM, "VAP:responder-spec",
            {"metadata": {"annotations": {"x": "y"}}}, _MERGE),
    Request("responder-makes-job", "responder", "POST", f"{_BATCH}/jobs", "RBAC", job(BENIGN_POD)),
    Request("responder-drops-taint", "responder", "PATCH", f"{_V1}/nodes/{NODE}", "VAP:taint-for-life",
            {"spec": {"taints": []}}, _MERGE),
)  # fmt: skip

# What agents, the platform and the responder do every day: a check that always denies is caught by these.
ALLOWED = (
    Request("job", "agent", "POST", f"{_BATCH}/jobs", "", job(BENIGN_POD)),
    Request("list-jobs", "agent", "GET", f"{_BATCH}/jobs", ""),
    Request("delete-job", "agent", "DELETE", f"{_BATCH}/jobs/victim", ""),
    Request("get-pod", "agent", "GET", _VICTIM, ""),
    Request("delete-pod", "agent", "DELETE", _VICTIM, ""),
    Request("attach", "agent", "POST", f"{_VICTIM}/attach?stdin=true", ""),
    Request("read-log", "agent", "GET", f"{_VICTIM}/log", ""),
    Request("claim", "agent", "POST", f"/apis/coordination.k8s.io/v1/namespaces/{SANDBOX}/leases", "",
            _named("coordination.k8s.io/v1", "Lease", SANDBOX)),
    Request("warm-pool", "admin", "POST", f"/apis/apps/v1/namespaces/{SANDBOX}/deployments", "", warm_pool(BENIGN_POD)),
    Request("agent-pod", "admin", "POST", f"{_IN_AGENT}/pods", "",
            edited(BENIGN_AGENT_POD, {"metadata.name": "another"})),
    Request("cluster-service", "admin", "POST", f"{_IN_AGENT}/services", "",
            _named("v1", "Service", AGENT, spec={"selector": {"app": "agent"}, "ports": [{"port": 80}]})),
    Request("quarantine-pod", "responder", "PATCH", _VICTIM, "",
            {"metadata": {"labels": {QUARANTINE_LABEL: "true"}}}, _MERGE),
    Request("cordon-node", "responder", "PATCH", f"{_V1}/nodes/{NODE}", "", {"spec": {"unschedulable": True}}, _MERGE),
    Request("node-reports", "node", "PATCH", f"{_V1}/nodes/{NODE}", "",
            {"metadata": {"annotations": {"x": "y"}}}, _MERGE),
)  # fmt: skip
