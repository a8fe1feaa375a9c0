"""Nodes come and go with the sandboxes: the cluster autoscaler, on system nodes, for our own two groups."""

from infra.labels import POOL_LABEL
from infra.manifests import Json, Manifest, manifest
from infra.rbac import Grant, cluster_role

ACCOUNT = "cluster-autoscaler"
_NAMESPACE = "kube-system"
_LABELS = {"app.kubernetes.io/name": ACCOUNT}
_READ = ("get", "list", "watch")

# What it simulates scheduling from, and how it ends a node. It reads everything that pods may ask for.
GRANTS = (
    Grant("", "pods", _READ, "what waits for a node"),
    Grant("", "nodes", (*_READ, "update"), "taint a node before it goes"),
    Grant("", "pods/eviction", ("create",), "empty a node before it goes"),
    Grant("", "namespaces", _READ, "scheduling simulation"),
    Grant("", "services", _READ, "scheduling simulation"),
    Grant("", "replicationcontrollers", _READ, "scheduling simulation"),
    Grant("", "persistentvolumeclaims", _READ, "scheduling simulation"),
    Grant("", "persistentvolumes", _READ, "scheduling simulation"),
    Grant("apps", "daemonsets", _READ, "scheduling simulation"),
    Grant("apps", "replicasets", _READ, "scheduling simulation"),
    Grant("apps", "statefulsets", _READ, "scheduling simulation"),
    Grant("batch", "jobs", _READ, "scheduling simulation"),
    Grant("policy", "poddisruptionbudgets", _READ, "scheduling simulation"),
    Grant("storage.k8s.io", "storageclasses", _READ, "scheduling simulation"),
    Grant("storage.k8s.io", "csinodes", _READ, "scheduling simulation"),
    Grant("storage.k8s.io", "csidrivers", _READ, "scheduling simulation"),
    Grant("storage.k8s.io", "csistoragecapacities", _READ, "scheduling simulation"),
    Grant("", "events", ("create", "patch"), "say what it did"),
    Grant("coordination.k8s.io", "leases", ("create", "get", "update"), "one leader"),
)


def autoscaler(image: str, cluster: str, region: str) -> list[Manifest]:
    """Its identity, rights and Deployment. image: pinned by digest, in our registry."""
    return [
        manifest("v1", "ServiceAccount", ACCOUNT, namespace=_NAMESPACE),
        *cluster_role(ACCOUNT, GRANTS, {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": _NAMESPACE}),
        manifest(
            "apps/v1",
            "Deployment",
            ACCOUNT,
            namespace=_NAMESPACE,
            labels=_LABELS,
            annotations={"pulumi.com/skipAwait": "true"},  # the pod starts when nodes join, not when this is applied
            spec={
                "replicas": 1,
                "selector": {"matchLabels": dict(_LABELS)},
                "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod(image, cluster, region)},
            },
        ),
    ]


def _pod(image: str, cluster: str, region: str) -> Json:
    tags = f"k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{cluster}"
    return {
        "serviceAccountName": ACCOUNT,
        "nodeSelector": {POOL_LABEL: "system"},
        "priorityClassName": "system-cluster-critical",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": ACCOUNT,
                "image": image,
                "command": ["./cluster-autoscaler"],
                "args": [
                    "--cloud-provider=aws",
                    f"--node-group-auto-discovery=asg:tag={tags}",
                    "--aws-use-static-instance-list=true",  # else it downloads a price list, which nothing here can
                    "--skip-nodes-with-system-pods=false",
                    "--balance-similar-node-groups",
                ],
                "env": [{"name": "AWS_REGION", "value": region}],
                "resources": {"requests": {"cpu": "100m", "memory": "300Mi"}, "limits": {"memory": "600Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
