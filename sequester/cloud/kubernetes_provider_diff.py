"""What changed between two sets of inputs of a Kubernetes object, and whether the server can change it in place."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import cast

from sequester.cloud.wire import Plain, Props, Unknown

_ALWAYS = (r"apiVersion", r"kind", r"metadata\.name", r"metadata\.namespace")
_MUTABLE_IN_PODS = r"containers\[\d+\]\.image|initContainers\[\d+\]\.image|activeDeadlineSeconds|tolerations"

# (API group, kind) to the paths that the API server refuses to change; ConfigMap and Secret as pulumi-kubernetes
# treats them by default, whose users expect a replacement when the data changes.
IMMUTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "ConfigMap"): (r"data", r"binaryData", r"immutable"),
    ("", "PersistentVolumeClaim"): (r"spec\.(?!resources).*",),
    ("", "Pod"): (rf"spec\.(?!{_MUTABLE_IN_PODS}).*",),
    ("", "ResourceQuota"): (r"spec\.scopes",),
    ("", "Secret"): (r"data", r"stringData", r"type", r"immutable"),
    ("", "Service"): (r"spec\.clusterIP",),
    ("apps", "DaemonSet"): (r"spec\.selector",),
    ("apps", "Deployment"): (r"spec\.selector",),
    ("apps", "StatefulSet"): (
        r"spec\.selector",
        r"spec\.podManagementPolicy",
        r"spec\.serviceName",
        r"spec\.volumeClaimTemplates",
    ),
    ("batch", "Job"): (r"spec\.completions", r"spec\.completionMode", r"spec\.selector", r"spec\.template"),
    ("node.k8s.io", "RuntimeClass"): (r"handler",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (r"roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): (r"roleRef",),
    ("scheduling.k8s.io", "PriorityClass"): (r"value", r"preemptionPolicy"),
    ("storage.k8s.io", "StorageClass"): (r"parameters", r"provisioner", r"reclaimPolicy", r"volumeBindingMode"),
}


class Change(Enum):
    """What happened to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Difference:
    """One property that changed; `path` is `spec.egress[0].ports`, `replaces` if it cannot be changed in place."""

    path: str
    change: Change
    replaces: bool


def differences(old: Props, new: Props) -> list[Difference]:
    """Each changed leaf, or the nearest value around it that both sides do not have. An unknown counts as changed."""
    group = str(old.get("apiVersion", "")).rpartition("/")[0]
    paths = (*_ALWAYS, *IMMUTABLE.get((group, str(old.get("kind"))), ()))
    immutable = re.compile(rf"(?:{'|'.join(paths)})(?:$|[.\[])")
    return [Difference(path, change, immutable.match(path) is not None) for path, change in _compare("", old, new)]


def _compare(path: str, old: Plain, new: Plain) -> list[tuple[str, Change]]:
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return [(path, Change.UPDATE)]
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast(Props, old), cast(Props, new)
        found: list[tuple[str, Change]] = []
        for key in sorted(before.keys() | after.keys()):
            inner = _join(path, key)
            if before.get(key) is None and after.get(key) is not None:
                found.append((inner, Change.ADD))
            elif before.get(key) is not None and after.get(key) is None:
                found.append((inner, Change.DELETE))
            else:
                found += _compare(inner, before.get(key), after.get(key))
        return found
    if isinstance(old, list) and isinstance(new, list):
        left, right = cast(list[Plain], old), cast(list[Plain], new)
        found = [
            item for i, (a, b) in enumerate(zip(left, right, strict=False)) for item in _compare(f"{path}[{i}]", a, b)
        ]
        found += [(f"{path}[{i}]", Change.ADD) for i in range(len(left), len(right))]
        found += [(f"{path}[{i}]", Change.DELETE) for i in range(len(right), len(left))]
        return found
    same = old == new and isinstance(old, bool) == isinstance(new, bool)
    return [] if same else [(path, Change.UPDATE)]


def _join(path: str, key: str) -> str:
    if re.fullmatch(r"[A-Za-z_$][\w$]*", key):
        return f"{path}.{key}" if path else key
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{quoted}"]'
