"""What the kubernetes provider replaces, and what it waits for: tables, each row with its opposite."""

import copy
from typing import Any

import pytest

from sequester.cloud import kubernetes_provider_waits as waits
from sequester.cloud.kubernetes_provider_diff import IMMUTABLE, Change, Difference, differences
from sequester.cloud.wire import UNKNOWN


def obj(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n", "namespace": "ns"}, **fields}


def changed(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    new: Any = copy.deepcopy(base)
    *steps, last = path.split(".")
    at = new
    for step in steps:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    if value is None:
        del at[last]
    else:
        at[int(last) if last.isdigit() else last] = value
    return new


JOB = obj("batch/v1", "Job", spec={"parallelism": 1, "template": {"spec": {"containers": [{"image": "a"}]}}})
POD = obj("v1", "Pod", spec={"containers": [{"name": "c", "image": "a", "command": ["x"]}], "hostNetwork": False})
POLICY = obj("networking.k8s.io/v1", "NetworkPolicy", spec={"egress": [{"ports": [{"port": 443}]}]})
CONFIG = obj("v1", "ConfigMap", data={"a": "1"})
BINDING = obj("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"name": "r"}, subjects=[])
DEPLOYMENT = obj("apps/v1", "Deployment", spec={"replicas": 1, "selector": {"matchLabels": {"a": "b"}}})


@pytest.mark.parametrize(
    ("old", "path", "value", "expected"),
    [
        (POLICY, "metadata.name", "m", Difference("metadata.name", Change.UPDATE, replaces=True)),
        (POLICY, "metadata.namespace", "m", Difference("metadata.namespace", Change.UPDATE, replaces=True)),
        (POLICY, "metadata.namespace", None, Difference("metadata.namespace", Change.DELETE, replaces=True)),
        (POLICY, "kind", "Ingress", Difference("kind", Change.UPDATE, replaces=True)),
        (POLICY, "metadata.labels", {"a": "b"}, Difference("metadata.labels", Change.ADD, replaces=False)),
        (POLICY, "spec.egress.0.ports.0.port", 53, Difference("spec.egress[0].ports[0].port", Change.UPDATE, False)),
        (POLICY, "spec.egress.0.ports", [], Difference("spec.egress[0].ports[0]", Change.DELETE, replaces=False)),
        (POLICY, "spec.egress", UNKNOWN, Difference("spec.egress", Change.UPDATE, replaces=False)),
        (
            JOB,
            "spec.template.spec.containers.0.image",
            "b",
            Difference("spec.template.spec.containers[0].image", Change.UPDATE, True),
        ),
        (JOB, "spec.template", UNKNOWN, Difference("spec.template", Change.UPDATE, replaces=True)),
        (JOB, "spec.parallelism", 2, Difference("spec.parallelism", Change.UPDATE, replaces=False)),
        (POD, "spec.containers.0.image", "b", Difference("spec.containers[0].image", Change.UPDATE, replaces=False)),
        (POD, "spec.containers.0.command", ["y"], Difference("spec.containers[0].command[0]", Change.UPDATE, True)),
        (POD, "spec.hostNetwork", True, Difference("spec.hostNetwork", Change.UPDATE, replaces=True)),
        (POD, "metadata.annotations", {"x": "y"}, Difference("metadata.annotations", Change.ADD, replaces=False)),
        (CONFIG, "data.a", "2", Difference("data.a", Change.UPDATE, replaces=True)),
        (CONFIG, "data.b.c/d", "2", Difference("data.b", Change.ADD, replaces=True)),
        (BINDING, "roleRef.name", "s", Difference("roleRef.name", Change.UPDATE, replaces=True)),
        (BINDING, "subjects", [{"name": "x"}], Difference("subjects[0]", Change.ADD, replaces=False)),
        (
            DEPLOYMENT,
            "spec.selector.matchLabels.a",
            "c",
            Difference("spec.selector.matchLabels.a", Change.UPDATE, True),
        ),
        (DEPLOYMENT, "spec.replicas", 2, Difference("spec.replicas", Change.UPDATE, replaces=False)),
    ],
)
def test_a_change_is_named_and_replaces_only_where_it_must(
    old: dict[str, Any], path: str, value: object, expected: Difference
) -> None:
    assert differences(old, changed(old, path, value)) == [expected]
    assert differences(old, copy.deepcopy(old)) == []


def test_a_key_that_is_no_name_is_quoted() -> None:
    new = changed(POLICY, "metadata.labels", {"app.kubernetes.io/x": "1"})
    newer = changed(POLICY, "metadata.labels", {"app.kubernetes.io/x": "2"})
    assert [d.path for d in differences(new, newer)] == ['metadata.labels["app.kubernetes.io/x"]']


def test_one_and_true_are_not_the_same() -> None:
    assert differences(obj("v1", "X", a=1), obj("v1", "X", a=True)) != []


def test_a_name_that_begins_like_an_immutable_one_is_none() -> None:
    assert differences(CONFIG, changed(CONFIG, "database", 1)) == [Difference("database", Change.ADD, replaces=False)]
    assert ("", "ConfigMap") in IMMUTABLE


def conditions(**kinds: bool) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": str(status), "message": "why"} for kind, status in kinds.items()]}


ROLLED_OUT = {"observedGeneration": 2, "updatedReplicas": 2}
READY_OR_NOT: list[tuple[str, str, dict[str, Any], str]] = [
    ("v1", "Namespace", {"phase": "Active"}, ""),
    ("v1", "Namespace", {"phase": "Terminating"}, "its phase is Terminating, not Active"),
    ("v1", "ConfigMap", {}, ""),
    ("v1", "Pod", conditions(Ready=True), ""),
    ("v1", "Pod", {"phase": "Succeeded"}, ""),
    ("v1", "Pod", {}, "it is not Ready yet"),
    ("batch/v1", "Job", conditions(Complete=True), ""),
    ("batch/v1", "Job", {}, "it is not Complete yet"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", conditions(Established=True), ""),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, "it is not Established yet"),
    ("apps/v1", "Deployment", ROLLED_OUT | conditions(Available=True), ""),
    ("apps/v1", "Deployment", ROLLED_OUT | conditions(Available=False), "it is not Available yet: why"),
    ("apps/v1", "Deployment", ROLLED_OUT | {"updatedReplicas": 1}, "1 of 2 replicas are of this version"),
    ("apps/v1", "Deployment", {"observedGeneration": 1}, "the controller has not seen this version yet"),
    ("apps/v1", "DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberReady": 3}, ""),
    ("apps/v1", "DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 3}, "0 of 3 pods are ready"),
    ("apps/v1", "StatefulSet", {"observedGeneration": 2, "readyReplicas": 2}, ""),
    ("apps/v1", "StatefulSet", {"observedGeneration": 2, "readyReplicas": 1}, "1 of 2 pods are ready"),
]


def live(api_version: str, kind: str, status: dict[str, Any]) -> dict[str, Any]:
    made = obj(api_version, kind, spec={"replicas": 2}, status=status)
    made["metadata"]["generation"] = 2
    return made


@pytest.mark.parametrize(("api_version", "kind", "status", "missing"), READY_OR_NOT)
def test_an_object_is_ready_or_says_what_it_waits_for(
    api_version: str, kind: str, status: dict[str, Any], missing: str
) -> None:
    assert waits.waits_for(live(api_version, kind, status)) == missing


@pytest.mark.parametrize(
    ("api_version", "kind", "status"),
    [
        ("v1", "Pod", {"phase": "Failed"}),
        ("batch/v1", "Job", conditions(Failed=True)),
        ("apps/v1", "Deployment", conditions(Progressing=False)),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", conditions(NamesAccepted=False)),
    ],
)
def test_what_failed_for_good_is_not_waited_for(api_version: str, kind: str, status: dict[str, Any]) -> None:
    with pytest.raises(waits.NeverReadyError):
        waits.waits_for(live(api_version, kind, status))
