"""Changes of walls and rights on a real API server: its own audit events set the alarms off, its controllers' none."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from deployed import Deployed, deployed
from sensor_records import CLUSTER

import tools
from sequester.cloud.control_plane import EXECUTABLES, AuditEvent, ControlPlane, running, wait_for

pytestmark = [pytest.mark.lane("cluster", *EXECUTABLES), pytest.mark.xdist_group("walls")]  # one needs another's kind

SPACE = "walls-agent"
RBAC, HOOKS = "rbac.authorization.k8s.io/v1", "admissionregistration.k8s.io/v1"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x", "namespace": SPACE}}


def named(api_version: str, kind: str, space: str | None = None, **rest: Any) -> dict[str, Any]:
    metadata = {"name": "walls", **({"namespace": space} if space else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
HOOK = {
    "name": "hook.walls.example", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
    "clientConfig": {"url": "https://192.0.2.1/x"},
    "rules": [{"apiGroups": ["walls.example"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["none"]}],
}  # fmt: skip
MATCH = {"resourceRules": [{**HOOK["rules"][0]}]}  # type: ignore[index]
ENDPOINTS = {
    "group": "networking.k8s.aws", "scope": "Namespaced",
    "names": {"plural": "policyendpoints", "singular": "policyendpoint", "kind": "PolicyEndpoint"},
    "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
}  # fmt: skip
KIND = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "policyendpoints.networking.k8s.aws",
                 "annotations": {"api-approved.kubernetes.io": "unapproved, tests only"}},
    "spec": ENDPOINTS,
}  # fmt: skip
SERVICE = {
    "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.walls.example"},
    "spec": {"group": "walls.example", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
             "service": {"name": "none", "namespace": SPACE}, "insecureSkipTLSVerify": True},
}  # fmt: skip

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "network policy": (named("networking.k8s.io/v1", "NetworkPolicy", SPACE, spec={"podSelector": {}}), "policy"),
    "kind of policy endpoints": (KIND, "policy"),
    "policy endpoint": (named("networking.k8s.aws/v1alpha1", "PolicyEndpoint", SPACE), "policy"),
    "admission policy": (named(HOOKS, "ValidatingAdmissionPolicy", spec={
        "matchConstraints": MATCH, "validations": [{"expression": "true"}]}), "policy"),
    "its binding": (named(HOOKS, "ValidatingAdmissionPolicyBinding", spec={
        "policyName": "walls", "validationActions": ["Deny"]}), "policy"),
    "validating webhook": (named(HOOKS, "ValidatingWebhookConfiguration", webhooks=[HOOK]), "policy"),
    "mutating webhook": (named(HOOKS, "MutatingWebhookConfiguration", webhooks=[HOOK]), "policy"),
    "system's configuration": (named("v1", "ConfigMap", "kube-system", data={"Corefile": ".:53 {}"}), "policy"),
    "role": (named(RBAC, "Role", SPACE, rules=[]), "rights"),
    "cluster role": (named(RBAC, "ClusterRole", rules=[]), "rights"),
    "role binding": (named(RBAC, "RoleBinding", SPACE, roleRef=ROLE), "rights"),
    "cluster role binding": (named(RBAC, "ClusterRoleBinding", roleRef=ROLE), "rights"),
    "API service": (SERVICE, "rights"),
}  # fmt: skip


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    control_plane.admin.apply(NAMESPACE, manager="eyes")
    control_plane.admin.apply(ACCOUNT, manager="eyes")
    control_plane.admin.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "walls"}}, manager="eyes")
    return control_plane


@pytest.fixture(scope="module")
def cloud() -> Iterator[Deployed]:
    with deployed() as found:
        yield found


def since(plane: ControlPlane, seen: int, by: str = "admin") -> list[str]:
    """What the server has written of a user's requests since its audit log was `seen` events long, once it has any."""

    def told() -> list[AuditEvent] | None:
        return [event for event in plane.audit()[seen:] if event.user == by and event.code] or None

    return [json.dumps(event.record) for event in wait_for(told, "audit events")]


@pytest.mark.parametrize(("manifest", "row"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_as_it_is_made_and_as_it_is_undone(
    plane: ControlPlane, cloud: Deployed, manifest: dict[str, Any], row: str
) -> None:
    admin, seen = plane.admin, len(plane.audit())
    wait_for(lambda: _applied(plane, manifest), "the kind is served")
    assert cloud.fired(CLUSTER, since(plane, seen)) == {f"{row}-changed"}
    if manifest is KIND:
        return  # the next needs it
    seen = len(plane.audit())
    admin.request("DELETE", admin.path(manifest)).or_raise()
    assert cloud.fired(CLUSTER, since(plane, seen)) == {f"{row}-changed"}


def _applied(plane: ControlPlane, manifest: dict[str, Any]) -> bool | None:
    try:
        plane.admin.apply(manifest, manager="eyes")
    except Exception:  # noqa: BLE001, a new kind is served a moment later
        return None
    return True


MERGE = "application/merge-patch+json"
REQUESTS: dict[str, tuple[str, str, Any, dict[str, str], str]] = {
    "labels of a namespace": (
        "PATCH", f"/api/v1/namespaces/{SPACE}", {"metadata": {"labels": {"x": "y"}}}, {}, "policy"
    ),
    "labels of a node": (
        "PATCH", "/api/v1/nodes/walls", {"metadata": {"labels": {"x": "y"}}}, {}, "rights"
    ),
    "taints of a node": (
        "PATCH", "/api/v1/nodes/walls", {"spec": {"taints": []}}, {}, "rights"
    ),
    "another's name": ("GET", f"/api/v1/namespaces/{SPACE}/pods", None, {"Impersonate-User": "bob"}, "rights"),
    "an account's token": (
        "POST", f"/api/v1/namespaces/{SPACE}/serviceaccounts/x/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}, {}, "rights",
    ),
}  # fmt: skip


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_seen(
    plane: ControlPlane, cloud: Deployed, asked: tuple[str, str, Any, dict[str, str], str]
) -> None:
    method, path, body, headers, row = asked
    seen = len(plane.audit())
    kind = MERGE if method == "PATCH" else "application/json"
    plane.admin.request(method, path, body, headers=headers, content_type=kind)
    assert cloud.fired(CLUSTER, since(plane, seen)) == {f"{row}-changed"}


def test_a_read_is_no_change(plane: ControlPlane, cloud: Deployed) -> None:
    seen = len(plane.audit())
    plane.admin.request("GET", f"/apis/{RBAC}/clusterroles")
    assert cloud.fired(CLUSTER, since(plane, seen)) == set()


def test_what_the_server_and_its_controllers_do_by_themselves_is_silent(cloud: Deployed) -> None:
    """From the beginning of a server of its own, whose controllers have nothing of other tests to clear away."""
    with running(tools.find) as fresh:
        wait_for(lambda: len(_by_the_cluster(fresh)) > 50 or None, "the controllers' work")
        assert {name for name in cloud.fired(CLUSTER, _by_the_cluster(fresh)) if "-changed" in name} == set()


def _by_the_cluster(plane: ControlPlane) -> list[str]:
    """Audit events of the server and its controllers: they made its roles, published services, issued their tokens."""
    own = [event for event in plane.audit() if event.user.startswith("system:")]
    return [json.dumps(event.record) for event in own if "kube-system" in event.user or event.user.count(":") == 1]
