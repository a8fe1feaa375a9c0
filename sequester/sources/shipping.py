"""From Kubernetes objects to facts of log shipping: who brings what sandboxes say on stderr off the node (claim E8)."""

import re
from collections.abc import Iterator, Mapping, Sequence

from sequester.proof.facts import items, mapping
from sequester.proof.model import Sensor
from sequester.sources.resource import Stack

_LOGS = ("/var/log", "/var/log/containers", "/var/log/pods")
_GROUP = re.compile(r"^\s*log_group_name\s+(\S+)\s*$", re.MULTILINE | re.IGNORECASE)


def shippers(stack: Stack, manifests: Sequence[Mapping[str, object]]) -> Iterator[Sensor]:
    """DaemonSets that read the nodes' container logs, each with the log group that its configuration names."""
    for one in manifests:
        name = str(mapping(one.get("metadata"), "metadata").get("name"))
        template = mapping(mapping(one.get("spec"), name).get("template"), name)
        pod = mapping(template.get("spec"), name)
        if one.get("kind") != "DaemonSet" or not _reads_logs(pod, name):
            continue
        group = _log_group(one, pod, manifests)
        missed = sorted(taint for taint in _taints(stack) if not _tolerates(pod, taint, name))
        gap = "it is not on nodes with the taint " + ", ".join(missed) if missed else _kept_off(stack, pod, name)
        if not group:
            gap = "its configuration names no log group"
        roles = _own_roles(stack, one, pod) or node_roles(stack)
        yield Sensor(name, "seccomp event", "", group, not gap, gap, (), roles, by_endpoint=True)


def node_roles(stack: Stack) -> tuple[str, ...]:
    """What runs on nodes, and has no role of its own, writes with theirs."""
    return tuple(sorted({one.maybe("nodeRoleArn") for one in stack.of("eks/nodeGroup:NodeGroup")} - {""}))


def _own_roles(stack: Stack, daemons: Mapping[str, object], pod: Mapping[str, object]) -> tuple[str, ...]:
    """By Pod Identity."""
    space = mapping(daemons.get("metadata"), "metadata").get("namespace")
    return tuple(
        one.maybe("targetRoleArn") or one.maybe("roleArn")
        for one in stack.of("eks/podIdentityAssociation:PodIdentityAssociation")
        if (one.maybe("namespace"), one.maybe("serviceAccount")) == (space, pod.get("serviceAccountName"))
    )


def _reads_logs(pod: Mapping[str, object], where: str) -> bool:
    paths = [mapping(mapping(v, where).get("hostPath"), where).get("path") for v in items(pod.get("volumes"), where)]
    return any(str(path).rstrip("/") in _LOGS for path in paths if path)


def _log_group(
    daemons: Mapping[str, object], pod: Mapping[str, object], manifests: Sequence[Mapping[str, object]]
) -> str:
    """What the ConfigMaps that the pod mounts say, in Fluent Bit's form; empty if they say none or several."""
    namespace = mapping(daemons.get("metadata"), "metadata").get("namespace")
    mounted = {
        mapping(mapping(volume, "volume").get("configMap"), "configMap").get("name")
        for volume in items(pod.get("volumes"), "volumes")
    } - {None}
    found: set[str] = set()
    for one in manifests:
        about = mapping(one.get("metadata"), "metadata")
        if one.get("kind") == "ConfigMap" and about.get("namespace") == namespace and about.get("name") in mounted:
            for text in mapping(one.get("data"), "data").values():
                found.update(_GROUP.findall(str(text)))
    return found.pop() if len(found) == 1 else ""


def _taints(stack: Stack) -> set[str]:
    """Keys of the taints that keep pods off nodes."""
    return {
        str(mapping(taint, one.name).get("key"))
        for one in stack.of("eks/nodeGroup:NodeGroup")
        for taint in items(one.get("taints"), one.name)
        if mapping(taint, one.name).get("effect") != "PREFER_NO_SCHEDULE"
    }


def _kept_off(stack: Stack, pod: Mapping[str, object], where: str) -> str:
    """Why it does not run on the nodes of each group; the empty text if it does."""
    wanted = mapping(pod.get("nodeSelector"), where)
    for group in stack.of("eks/nodeGroup:NodeGroup"):
        labels = {"kubernetes.io/os": "linux", **mapping(group.get("labels"), group.name)}
        strange = sorted(f"{key}: {value}" for key, value in wanted.items() if labels.get(key) != value)
        if strange:
            return f"its nodeSelector {', '.join(strange)} keeps it off {group.name}"
    affinity = mapping(mapping(pod.get("affinity"), where).get("nodeAffinity"), where)
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return "it asks for nodes by affinity, which is not modelled" if required else ""


def _tolerates(pod: Mapping[str, object], taint: str, where: str) -> bool:
    """By its key, or whatever it is; one that asks for a value is not taken for it."""
    tolerations = [mapping(one, where) for one in items(pod.get("tolerations"), where)]
    return any(one.get("operator") == "Exists" and one.get("key") in (None, taint) for one in tolerations)
