"""The table of attempts on the Kubernetes API: what is tried, as whom, and which control refuses it.

A control is named as the server's answer shows it: `PSA`, `RBAC`, `node` (the node restriction), `quota`, `limits`,
`schema`, or `VAP:<rule>` for one rule of one of our admission policies (`infra/admission.py`).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.admission import SECCOMP_PROFILE
from infra.labels import POOL_LABEL, QUARANTINE_LABEL, SANDBOX_TAINT

REPOSITORIES = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sequester"
DIGEST = "sha256:" + "0" * 64
SANDBOX_IMAGE = f"{REPOSITORIES}/sandbox@{DIGEST}"
AGENT_IMAGE = f"{REPOSITORIES}/agent@{DIGEST}"

# Two tenants: what one tries on the other must fail in both directions.
TENANT, OTHER = "research", "finance"
SANDBOX, AGENT = f"{TENANT}-sandbox", f"{TENANT}-agent"
NODE, AGENT_NODE = "sandbox-1", "system-1"

_SECURE = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}

BENIGN_POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "benign", "namespace": SANDBOX, "labels": {"app": "sandbox"}},
    "spec": {
        "restartPolicy": "Never",
        "serviceAccountName": "sandbox",
        "automountServiceAccountToken": False,
        "nodeSelector": {POOL_LABEL: "sandbox"},
        "tolerations": [{"key": SANDBOX_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "Localhost", "localhostProfile": SECCOMP_PROFILE},
        },
        "containers": [
            {
                "name": "sandbox",
                "image": SANDBOX_IMAGE,
                "stdin": True,
                "stdinOnce": True,
                "env": [{"name": "MODE", "value": "once"}],
                "securityContext": {**_SECURE, "readOnlyRootFilesystem": True},
                "resources": {"limits": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "256Mi"}},
                "volumeMounts": [{"name": "work", "mountPath": "/work"}],
            }
        ],
        "volumes": [{"name": "work", "emptyDir": {"sizeLimit": "64Mi"}}],
    },
}

BENIGN_AGENT_POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "agent", "namespace": AGENT},
    "spec": {
        "serviceAccountName": "agent",
        "nodeSelector": {POOL_LABEL: "system"},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "agent", "image": AGENT_IMAGE, "securityContext": _SECURE}],
    },
}


def job(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A Job that makes this pod."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "attempt", "namespace": pod["metadata"]["namespace"]},
        "spec": {
            "activeDeadlineSeconds": 600,
            "backoffLimit": 0,
            "template": {"metadata": {"labels": pod["metadata"].get("labels", {})}, "spec": pod["spec"]},
        },
    }


def warm_pool(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A Deployment of waiting pods, as the platform makes it."""
    labels = {"app": "warm"}
    spec = {**pod["spec"], "restartPolicy": "Always"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "warm", "namespace": pod["metadata"]["namespace"]},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


DROP = object()


def edited(base: Mapping[str, Any], edits: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `base` with values set at dotted paths (`spec.containers.0.image`); DROP removes one."""
    made = copy.deepcopy(dict(base))
    for path, value in edits.items():
        at: Any = made
        *steps, last = path.split(".")
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if value is DROP:
            del at[last]
        elif isinstance(at, list):
            if int(last) == len(at):
                at.append(copy.deepcopy(value))
            else:
                at[int(last)] = copy.deepcopy(value)
        else:
            at[last] = copy.deepcopy(value)
    return made


@dataclass(frozen=True)
class PodAttempt:
    """A benign pod with an edit; `by` is the control that refuses the pod."""

    name: str
    edits: Mapping[str, Any]
    by: str


_C = "spec.containers.0"
_FIRST_CONTAINER = BENIGN_POD["spec"]["containers"][0]


def _init(**edits: Any) -> dict[str, Any]:
    """A second, initial container; `restartPolicy: Always` makes it a sidecar."""
    return {"spec.initContainers": [{**_FIRST_CONTAINER, "name": "first", "stdin": False, "stdinOnce": False} | edits]}


def _volume(**source: Any) -> dict[str, Any]:
    return {"spec.volumes.1": {"name": "extra", **source}}


POD_ATTEMPTS = (
    # host namespaces and the node's files
    PodAttempt("host-network", {"spec.hostNetwork": True}, "PSA"),
    PodAttempt("host-pid", {"spec.hostPID": True}, "PSA"),
    PodAttempt("host-ipc", {"spec.hostIPC": True}, "PSA"),
    PodAttempt("host-path", _volume(hostPath={"path": "/"}), "PSA"),
    PodAttempt("host-path-socket", _volume(hostPath={"path": "/run/containerd/containerd.sock"}), "PSA"),
    PodAttempt("host-port", {f"{_C}.ports": [{"containerPort": 80, "hostPort": 80}]}, "PSA"),
    PodAttempt("nfs-volume", _volume(nfs={"server": "192.0.2.1", "path": "/"}), "PSA"),
    PodAttempt("user-namespace", {"spec.hostUsers": False}, "VAP:no-user-namespace"),
    # privileges
    PodAttempt("privileged", {f"{_C}.securityContext.privileged": True,
                              f"{_C}.securityContext.allowPrivilegeEscalation": True}, "PSA"),
    PodAttempt("net-admin", {f"{_C}.securityContext.capabilities.add": ["NET_ADMIN"]}, "PSA"),
    PodAttempt("net-raw", {f"{_C}.securityContext.capabilities.add": ["NET_RAW"]}, "PSA"),
    PodAttempt("keeps-capabilities", {f"{_C}.securityContext.capabilities": DROP}, "PSA"),
    PodAttempt("privilege-escalation", {f"{_C}.securityContext.allowPrivilegeEscalation": True}, "PSA"),
    PodAttempt("root-user", {"spec.securityContext.runAsUser": 0}, "PSA"),
    PodAttempt("may-be-root", {"spec.securityContext.runAsNonRoot": False,
                               f"{_C}.securityContext.runAsNonRoot": False}, "PSA"),
    PodAttempt("proc-mount", {f"{_C}.securityContext.procMount": "Unmasked", "spec.hostUsers": False}, "PSA"),
    PodAttempt("seccomp-unconfined", {"spec.securityContext.seccompProfile": {"type": "Unconfined"}}, "PSA"),
    PodAttempt("seccomp-unconfined-container",
               {f"{_C}.securityContext.seccompProfile": {"type": "Unconfined"}}, "PSA"),
    PodAttempt("seccomp-runtime-default",
               {"spec.securityContext.seccompProfile": {"type": "RuntimeDefault"}}, "VAP:seccomp"),
    PodAttempt("seccomp-other-profile",
               {"spec.securityContext.seccompProfile.localhostProfile": "other.json"}, "VAP:seccomp"),
    PodAttempt("seccomp-container-override",
               {f"{_C}.securityContext.seccompProfile": {"type": "RuntimeDefault"}}, "VAP:seccomp-everywhere"),
    PodAttempt("apparmor-unconfined", {"spec.securityContext.appArmorProfile": {"type": "Unconfined"}}, "PSA"),
    PodAttempt("selinux-type", {"spec.securityContext.seLinuxOptions": {"type": "spc_t"}}, "PSA"),
    PodAttempt("unsafe-sysctl",
               {"spec.securityContext.sysctls": [{"name": "kernel.core_pattern", "value": "|/x"}]}, "PSA"),
    PodAttempt("safe-sysctl", {"spec.securityContext.sysctls":
               [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}, "VAP:no-sysctl"),
    PodAttempt("windows", {"spec.os": {"name": "windows"}, "spec.securityContext": {"runAsNonRoot": True},
               f"{_C}.securityContext": {}, f"{_C}.resources.limits.ephemeral-storage": DROP}, "VAP:linux"),
    PodAttempt("windows-host-process", {"spec.os": {"name": "windows"}, "spec.hostNetwork": True,
               "spec.securityContext": {"windowsOptions": {"hostProcess": True}}, f"{_C}.securityContext": {}}, "PSA"),
    # identity
    PodAttempt("token-mounted", {"spec.automountServiceAccountToken": True}, "VAP:no-token"),
    PodAttempt("token-by-default", {"spec.automountServiceAccountToken": DROP}, "VAP:no-token"),
    PodAttempt("projected-token", _volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
               "VAP:empty-volumes"),
    PodAttempt("default-account", {"spec.serviceAccountName": "default"}, "VAP:service-account"),
    PodAttempt("account-left-out", {"spec.serviceAccountName": DROP}, "VAP:service-account"),
    PodAttempt("pull-secret", {"spec.imagePullSecrets": [{"name": "registry"}]}, "VAP:no-pull-secret"),
    # what is mounted and told
    PodAttempt("secret-volume", _volume(secret={"secretName": "s"}), "VAP:empty-volumes"),
    PodAttempt("config-volume", _volume(configMap={"name": "c"}), "VAP:empty-volumes"),
    PodAttempt("claim-volume", _volume(persistentVolumeClaim={"claimName": "c"}), "VAP:empty-volumes"),
    PodAttempt("image-volume", _volume(image={"reference": SANDBOX_IMAGE}), "VAP:empty-volumes"),
    PodAttempt("downward-volume", _volume(downwardAPI={"items": []}), "VAP:empty-volumes"),
    PodAttempt("csi-volume", _volume(csi={"driver": "csi.example.com"}), "VAP:empty-volumes"),
    PodAttempt("unbounded-volume", _volume(emptyDir={}), "VAP:bounded-volumes"),
    PodAttempt("secret-environment", {f"{_C}.envFrom": [{"secretRef": {"name": "s"}}]}, "VAP:literal-environment"),
    PodAttempt("node-address", {f"{_C}.env.0":
               {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}}, "VAP:literal-environment"),
    PodAttempt("device", {"spec.resourceClaims": [{"name": "d", "resourceClaimName": "d"}]}, "VAP:no-devices"),
    # images
    PodAttempt("image-by-tag", {f"{_C}.image": f"{REPOSITORIES}/sandbox:latest"}, "VAP:image-repository"),
    PodAttempt("image-without-digest", {f"{_C}.image": f"{REPOSITORIES}/sandbox@md5:0"}, "VAP:image-digest"),
    PodAttempt("image-elsewhere", {f"{_C}.image": f"registry.example.com/sandbox@{DIGEST}"}, "VAP:image-repository"),
    PodAttempt("image-of-agent", {f"{_C}.image": AGENT_IMAGE}, "VAP:image-repository"),
    PodAttempt("image-of-neighbour",
               {f"{_C}.image": f"{REPOSITORIES}-other/sandbox@{DIGEST}"}, "VAP:image-repository"),
    # the same, hidden in other containers
    PodAttempt("init-image-elsewhere", _init(image=f"registry.example.com/x@{DIGEST}"), "VAP:image-repository"),
    PodAttempt("init-seccomp-override",
               _init(securityContext={**_SECURE, "seccompProfile": {"type": "RuntimeDefault"}}),
               "VAP:seccomp-everywhere"),
    PodAttempt("init-privileged", _init(securityContext={"privileged": True}), "PSA"),
    PodAttempt("init-environment", _init(envFrom=[{"configMapRef": {"name": "c"}}]), "VAP:literal-environment"),
    PodAttempt("sidecar-image-elsewhere",
               _init(image=f"registry.example.com/x@{DIGEST}", restartPolicy="Always"), "VAP:image-repository"),
    PodAttempt("sidecar-net-raw",
               _init(securityContext={**_SECURE, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}},
                     restartPolicy="Always"), "PSA"),
    PodAttempt("sidecar-probe", _init(restartPolicy="Always", livenessProbe={"tcpSocket": {"port": 1}}),
               "VAP:no-probes"),
    PodAttempt("ephemeral-at-birth", {"spec.ephemeralContainers": [{"name": "e", "image": SANDBOX_IMAGE}]}, "schema"),
    # what the kubelet does on a pod's behalf, from the node's network
    PodAttempt("probe-to-metadata",
               {f"{_C}.livenessProbe": {"httpGet": {"host": "169.254.169.254", "path": "/", "port": 80}}}, "PSA"),
    PodAttempt("probe", {f"{_C}.readinessProbe": {"tcpSocket": {"port": 1}}}, "VAP:no-probes"),
    PodAttempt("hook", {f"{_C}.lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}, "VAP:no-hooks"),
    # names
    PodAttempt("host-aliases", {"spec.hostAliases": [{"ip": "192.0.2.1", "hostnames": ["x"]}]}, "VAP:no-host-aliases"),
    PodAttempt("node-resolver", {"spec.dnsPolicy": "Default"}, "VAP:dns"),
    PodAttempt("own-resolver",
               {"spec.dnsPolicy": "None", "spec.dnsConfig": {"nameservers": ["192.0.2.53"]}}, "VAP:dns"),
    PodAttempt("search-domain", {"spec.dnsConfig": {"searches": ["example.com"]}}, "VAP:dns"),
    # where it runs
    PodAttempt("named-node", {"spec.nodeName": AGENT_NODE}, "VAP:no-node-name"),
    PodAttempt("system-pool", {"spec.nodeSelector": {POOL_LABEL: "system"}}, "VAP:node-pool"),
    PodAttempt("any-pool", {"spec.nodeSelector": DROP}, "VAP:node-pool"),
    PodAttempt("tolerates-all", {"spec.tolerations": [{"operator": "Exists"}]}, "VAP:tolerations"),
    PodAttempt("tolerates-other", {"spec.tolerations.1": {"key": "other", "operator": "Exists"}}, "VAP:tolerations"),
    PodAttempt("priority", {"spec.priorityClassName": "system-node-critical"}, "VAP:no-priority"),
    PodAttempt("other-runtime", {"spec.runtimeClassName": "other"}, "VAP:runtime-class"),
    # how much
    PodAttempt("more-than-one-sandbox", {f"{_C}.resources.limits.memory": "2Gi"}, "limits"),
    PodAttempt("no-such-field", {"spec.hostNetworkk": True}, "schema"),
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One API request that must be refused."""

    name: str
    who: str
    method: str
    path: str
    by: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


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
            "securityContext": _SECURE}]}}, _MERGE),
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
            _named("v1", "Binding", SANDBOX, target={"kind": "Node", "name": AGENT_NODE})),
    Request("evict-pod", "agent", "POST", f"{_VICTIM}/eviction", "RBAC",
            _named("policy/v1", "Eviction", SANDBOX)),
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
            _named("apiextensions.k8s.io/v1", "CustomResourceDefinition")),
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

AGENT_POD_ATTEMPTS = (
    PodAttempt("agent-host-network", {"spec.hostNetwork": True}, "PSA"),
    PodAttempt("agent-on-sandbox-node", {"spec.nodeSelector": {POOL_LABEL: "sandbox"}}, "VAP:node-pool"),
    PodAttempt("agent-tolerates-sandbox-nodes",
               {"spec.tolerations": [{"key": SANDBOX_TAINT, "operator": "Exists"}]}, "VAP:tolerations"),
    PodAttempt("agent-image-elsewhere",
               {f"{_C}.image": f"registry.example.com/agent@{DIGEST}"}, "VAP:image-repository"),
    PodAttempt("agent-image-by-tag", {f"{_C}.image": f"{REPOSITORIES}/agent:v1"}, "VAP:image-repository"),
    PodAttempt("agent-image-without-digest", {f"{_C}.image": f"{REPOSITORIES}/agent@md5:0"}, "VAP:image-digest"),
    PodAttempt("agent-windows", {"spec.os": {"name": "windows"}, "spec.securityContext": {"runAsNonRoot": True},
               f"{_C}.securityContext": {}}, "VAP:linux"),
    PodAttempt("agent-other-account", {"spec.serviceAccountName": "default"}, "VAP:service-account"),
    PodAttempt("agent-own-resolver", {"spec.dnsConfig": {"nameservers": ["192.0.2.53"]}}, "VAP:dns"),
    PodAttempt("agent-hook", {f"{_C}.lifecycle": {"preStop": {"httpGet": {"host": "192.0.2.9", "port": 80}}}}, "PSA"),
    PodAttempt("agent-named-node", {"spec.nodeName": NODE}, "VAP:no-node-name"),
)  # fmt: skip
