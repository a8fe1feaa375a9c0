"""Quarantine's inner function against a real API server, with exactly the rights that the blueprint grants it.

The deployed audit alarms read what that server recorded meanwhile.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from deployed import TENANTS as DEPLOYED
from deployed import deployed
from quarantine import config
from sensor_records import CLUSTER

from infra.labels import AGENT_ACCOUNT, agent_namespace, sandbox_namespace
from infra.manifests import Manifest
from infra.rbac import RESPONDER_GROUP, cluster_roles, tenant_roles
from infra.tenancy import accounts, namespaces
from lambda_responder.config import Config
from lambda_responder.inside import Inside, KubernetesError, RefusedError, api
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane, wait_for

pytestmark = pytest.mark.lane("cluster", *EXECUTABLES)

TENANTS = ("watched", "bystander")
_AS = "watched-responder"


def pod(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "code", "image": "registry.example/x@sha256:" + "0" * 64,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }  # fmt: skip


def as_account(manifest: Manifest) -> dict[str, Any]:
    """The blueprint's binding of the group, for a service account of ours: its token is one that this server takes."""
    copy = json.loads(json.dumps(manifest))
    for subject in copy.get("subjects", []):
        if subject["name"] == RESPONDER_GROUP:
            subject.clear()
            subject.update(kind="ServiceAccount", name=_AS, namespace=agent_namespace("watched"))
    return copy


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    for tenant in TENANTS:
        for each in (*namespaces(tenant, "1.34"), *accounts(tenant), *tenant_roles(tenant)):
            control_plane.admin.apply(as_account(each), manager="eyes")
        for namespace in (agent_namespace(tenant), sandbox_namespace(tenant)):
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": namespace},
            }
            wait_for(lambda account=account: control_plane.admin.read(account), "the default service account")
    mine = {"name": _AS, "namespace": agent_namespace("watched")}
    control_plane.admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": mine}, manager="eyes")
    for each in cluster_roles():
        copy = as_account(each)
        copy["metadata"]["name"] += "-eyes"
        if "roleRef" in copy:
            copy["roleRef"]["name"] += "-eyes"
        control_plane.admin.apply(copy, manager="eyes")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ip-10-42-0-9.ec2.internal"}}
    control_plane.admin.apply(node, manager="eyes")
    return control_plane


@pytest.fixture(scope="module")
def settings() -> Config:
    return config(tenants={name: {"agent_role": name, "door_table": "t"} for name in TENANTS})


@pytest.fixture(scope="module")
def inside(plane: ControlPlane, settings: Config) -> Inside:
    token = plane.service_account(agent_namespace("watched"), _AS).token
    return Inside(settings, api(plane.server, plane.admin.ca_pem, lambda: token or ""))


@pytest.fixture
def victim(plane: ControlPlane) -> Iterator[dict[str, Any]]:
    manifest = pod(sandbox_namespace("watched"), "run-1")
    plane.admin.apply(manifest, manager="eyes")
    yield manifest


def test_a_pod_is_read_labelled_and_deleted(plane: ControlPlane, inside: Inside, victim: dict[str, Any]) -> None:
    where = {"namespace": "watched-sandbox", "pod": "run-1"}
    assert inside.handle({"op": "node_of", **where}) == {"there": True, "node": ""}
    assert inside.handle({"op": "node_of", **where, "pod": "none"}) == {"there": False, "node": ""}
    evidence = inside.handle({"op": "evidence", **where})
    assert evidence["pod"]["spec"]["containers"][0]["name"] == "code"  # type: ignore[index]
    assert inside.handle({"op": "delete_pod", "incident": "0123abcd", **where})
    wait_for(lambda: plane.admin.read(victim) is None or None, "the pod's end")
    assert inside.handle({"op": "delete_pod", "incident": "0123abcd", **where}), "again is no error"


def test_a_node_is_cordoned(plane: ControlPlane, inside: Inside) -> None:
    inside.handle({"op": "cordon", "node": "ip-10-42-0-9.ec2.internal"})
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ip-10-42-0-9.ec2.internal"}}
    found: Any = plane.admin.read(node)
    assert found["spec"]["unschedulable"] is True


@pytest.mark.parametrize(
    "event",
    [
        {"op": "delete_pod", "namespace": "kube-system", "pod": "x", "incident": "0"},
        {"op": "node_of", "namespace": "kube-system", "pod": "x"},
        {"op": "delete_pod", "namespace": "watched-sandbox", "pod": "../../../nodes/n", "incident": "0"},
        {"op": "delete_pod", "namespace": "watched-sandbox", "pod": "run-1", "incident": "x=y"},
        {"op": "cordon", "node": "a/../b"},
        {"op": "cordon", "node": 1},
        {"op": "apply"},
        {},
    ],
)
def test_what_is_crafted_is_refused_before_any_request(settings: Config, event: dict[str, object]) -> None:
    def no_request(*_: object, **__: object) -> tuple[int, object]:
        raise AssertionError("a request was made")

    with pytest.raises(RefusedError):
        Inside(settings, no_request).handle(event)


def test_its_rights_end_at_the_tenants(plane: ControlPlane, settings: Config) -> None:
    token = plane.service_account(agent_namespace("watched"), _AS).token
    call = api(plane.server, plane.admin.ca_pem, lambda: token or "")
    for method, path in (
        ("GET", "/api/v1/namespaces/kube-system/pods"),
        ("GET", "/api/v1/namespaces/watched-agent/secrets"),
        ("POST", "/api/v1/namespaces/watched-sandbox/pods"),
        ("DELETE", "/api/v1/nodes/ip-10-42-0-9.ec2.internal"),
        ("PATCH", "/apis/networking.k8s.io/v1/namespaces/watched-sandbox/networkpolicies/x"),
    ):
        assert call(method, path, {} if method != "GET" else None)[0] == 403, (method, path)


def test_an_answer_that_is_no_success_is_an_error(settings: Config) -> None:
    with pytest.raises(KubernetesError, match="answered 409"):
        Inside(settings, lambda *_, **__: (409, None)).handle({"op": "cordon", "node": "n"})


def test_the_deployed_alarms_read_this_servers_audit_log(plane: ControlPlane) -> None:
    agent = plane.service_account(agent_namespace("watched"), AGENT_ACCOUNT)
    agent.request("GET", f"/api/v1/namespaces/{agent_namespace('bystander')}/secrets")
    user = f"system:serviceaccount:watched-agent:{AGENT_ACCOUNT}"
    plane.audited(lambda event: event.user == user and event.code == 403)
    with deployed() as cloud:
        said = [json.dumps(event.record) for event in plane.audit(lambda event: event.user == user)]
        renamed = [
            line.replace("watched-", f"{DEPLOYED[0]}-").replace("bystander-", f"{DEPLOYED[1]}-") for line in said
        ]
        assert cloud.fired(CLUSTER, renamed) == {f"api-refused-{tenant}" for tenant in DEPLOYED}
