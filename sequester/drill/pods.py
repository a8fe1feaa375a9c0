"""Pods that must not be admitted to a tenant's namespaces, as data: a benign one with an edit, and what refuses it.

A control is named as the server's answer shows it: `PSA`, `RBAC`, `node` (the node restriction), `quota`, `limits`,
`schema`, or `VAP:<rule>` for one rule of one of our admission policies (`infra/admission.py`).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from infra.admission import SECCOMP_PROFILE
from infra.labels import POOL_LABEL, SANDBOX_TAINT

REPOSITORIES = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sequester"
DIGEST = "sha256:" + "0" * 64
SANDBOX_IMAGE = f"{REPOSITORIES}/sandbox@{DIGEST}"
AGENT_IMAGE = f"{REPOSITORIES}/agent@{DIGEST}"

# Two tenants: what one tries on the other must fail in both directions.
TENANT, OTHER = "research", "finance"
SANDBOX, AGENT = f"{TENANT}-sandbox", f"{TENANT}-agent"
NODE, AGENT_NODE = "sandbox-1", "system-1"

SECURE = {
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
                "securityContext": {**SECURE, "readOnlyRootFilesystem": True},
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
        "containers": [{"name": "agent", "image": AGENT_IMAGE, "securityContext": SECURE}],
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
            at = cast("list[Any]", at)[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        _set(at, last, value)
    return made


def _set(at: Any, last: str, value: Any) -> None:
    if value is DROP:
        del at[last]
    elif not isinstance(at, list):
        at[last] = copy.deepcopy(value)
    else:
        items = cast("list[Any]", at)
        if int(last) == len(items):
            items.append(copy.deepcopy(value))
        else:
            items[int(last)] = copy.deepcopy(value)


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
               _init(securityContext={**SECURE, "seccompProfile": {"type": "RuntimeDefault"}}),
               "VAP:seccomp-everywhere"),
    PodAttempt("init-privileged", _init(securityContext={"privileged": True}), "PSA"),
    PodAttempt("init-environment", _init(envFrom=[{"configMapRef": {"name": "c"}}]), "VAP:literal-environment"),
    PodAttempt("sidecar-image-elsewhere",
               _init(image=f"registry.example.com/x@{DIGEST}", restartPolicy="Always"), "VAP:image-repository"),
    PodAttempt("sidecar-net-raw",
               _init(securityContext={**SECURE, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}},
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
