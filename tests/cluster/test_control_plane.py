"""The control plane of the tests is a real one: it admits, refuses, binds and records as EKS's does."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from sequester.cloud import control_plane as planes
from sequester.cloud.control_plane import ControlPlane, ControlPlaneError, wait_for
from sequester.cloud.kubernetes_api import ApiError, Json, KubeconfigError, KubernetesApi

pytestmark = pytest.mark.lane("cluster", *planes.EXECUTABLES)

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
BENIGN: Json = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "code",
            "image": "registry.example/sandbox@sha256:" + "0" * 64,
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> str:
    name = "plane-restricted"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    control_plane.admin.apply(manifest, manager="test")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
    wait_for(lambda: control_plane.admin.read(account), "the default service account")
    return name


def pod(namespace: str, name: str, **spec: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": BENIGN | spec,
    }


def test_a_benign_pod_is_admitted(control_plane: ControlPlane, namespace: str) -> None:
    made = control_plane.admin.apply(pod(namespace, "benign"), manager="test", dry_run=True)
    assert made["status"]["phase"] == "Pending"  # type: ignore[index]


def test_a_pod_in_the_nodes_network_is_refused_by_pod_security(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(ApiError, match=r'violates PodSecurity "restricted:latest": host namespaces') as refused:
        control_plane.admin.apply(pod(namespace, "host", hostNetwork=True), manager="test")
    assert refused.value.status == 403


def test_without_pod_security_the_same_pod_is_admitted(control_plane: ControlPlane) -> None:
    made = control_plane.admin.apply(pod("default", "host", hostNetwork=True), manager="test", dry_run=True)
    assert made["spec"]["hostNetwork"] is True  # type: ignore[index]


@pytest.mark.parametrize(
    ("cidr", "said"), [("10.0.0.0/33", "must be a valid CIDR"), ("10.42.0.0/16", None)], ids=["bad", "good"]
)
def test_a_network_policy_is_validated(
    control_plane: ControlPlane, namespace: str, cidr: str, said: str | None
) -> None:
    policy: Json = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "egress", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]},
    }
    if said is None:
        assert control_plane.admin.apply(policy, manager="test")["spec"] == policy["spec"]
        return
    with pytest.raises(ApiError, match=said):
        control_plane.admin.apply(policy, manager="test")


def test_a_misspelt_field_is_refused_not_dropped(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(ApiError, match=r"hostNetwrok: field not declared in schema"):
        control_plane.admin.apply(pod(namespace, "typo", hostNetwrok=True), manager="test")


def test_an_admission_policy_is_evaluated(control_plane: ControlPlane, namespace: str) -> None:
    admission = {"apiVersion": "admissionregistration.k8s.io/v1"}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    control_plane.admin.apply(
        admission
        | {
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "plane-no-evil"},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "object.metadata.name != 'evil'", "message": "no evil"}],
            },
        },
        manager="test",
    )
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    control_plane.admin.apply(
        admission
        | {
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "plane-no-evil"},
            "spec": {
                "policyName": "plane-no-evil",
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": selector},
            },
        },
        manager="test",
    )

    def refused() -> str | None:  # the server takes up a new policy within a second or so
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        answer = control_plane.admin.request("POST", path, {"metadata": {"name": "evil"}}, query={"dryRun": "All"})
        return answer.message if answer.status >= 400 else None

    assert "no evil" in wait_for(refused, "the policy's verdict")
    good = {"metadata": {"name": "good"}}
    assert control_plane.admin.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", good).status == 201


IDENTITIES: dict[str, Callable[[ControlPlane, str], KubernetesApi]] = {
    "a service account": lambda plane, namespace: plane.service_account(namespace, "default"),
    "a node": lambda plane, _: plane.node("node-a"),
    "nobody": lambda plane, _: plane.anonymous(),
}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_each_identity_has_its_own_rights_only(control_plane: ControlPlane, namespace: str, identity: str) -> None:
    answer = IDENTITIES[identity](control_plane, namespace).request("GET", "/api/v1/secrets")
    assert answer.status == 403
    assert control_plane.admin.request("GET", "/api/v1/secrets").status == 200


def test_a_refusal_is_in_the_audit_log_with_what_tripwires_read(control_plane: ControlPlane, namespace: str) -> None:
    agent = control_plane.service_account(namespace, "default")
    agent.request("GET", "/api/v1/namespaces/kube-system/secrets/audited")
    event = control_plane.audited(lambda e: e.name == "audited")
    assert event.user == f"system:serviceaccount:{namespace}:default"
    assert (event.verb, event.resource, event.namespace, event.code) == ("get", "secrets", "kube-system", 403)
    assert event.annotations["authorization.k8s.io/decision"] == "forbid"
    assert event.record["stage"] == "ResponseComplete"
    assert event.record["sourceIPs"] == ["127.0.0.1"]


def test_secrets_and_tokens_are_recorded_without_their_content(control_plane: ControlPlane, namespace: str) -> None:
    content = "bm90LWEtc2VjcmV0"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    control_plane.admin.apply(secret | {"data": {"k": content}}, manager="test")
    token = control_plane.service_account(namespace, "default").token
    control_plane.audited(lambda e: (e.resource, e.name) == ("secrets", "s"))
    control_plane.audited(lambda e: (e.resource, e.namespace) == ("serviceaccounts/token", namespace))
    log = (control_plane.folder / "audit.log").read_text()
    assert content not in log
    assert token is not None and token not in log


def test_a_controller_acts_with_rights_of_its_own(control_plane: ControlPlane) -> None:
    user = "system:serviceaccount:kube-system:service-account-controller"
    assert control_plane.audited(lambda e: e.user == user).code < 400


def test_a_missing_executable_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ControlPlaneError, match=r"^etcd: not found; `make tools` builds them$"),
        planes.running(lambda name: None if name == "etcd" else tools.find(name)),
    ):
        pass


def test_a_component_that_gives_up_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "kube-scheduler"
    broken.write_text("#!/bin/sh\necho cannot schedule >&2; exit 3\n")
    broken.chmod(0o755)
    with (
        pytest.raises(ControlPlaneError, match="kube-scheduler left with 3:\ncannot schedule"),
        planes.running(lambda name: broken if name == "kube-scheduler" else tools.find(name)),
    ):
        pass


def test_a_kubeconfig_is_read_back(control_plane: ControlPlane) -> None:
    again = KubernetesApi.from_kubeconfig(control_plane.admin.kubeconfig())
    assert again.request("GET", "/api/v1/namespaces").status == 200


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: "{", "is no YAML"),
        (lambda text: text.replace('"current-context"', '"current"'), "lacks or misspells 'current-context'"),
        (lambda text: text.replace('"token"', '"exec"'), "user it has no token"),
        (lambda text: "just words", "kubeconfig: "),
    ],
    ids=["syntax", "context", "credential", "shape"],
)
def test_a_bad_kubeconfig_gets_one_line(control_plane: ControlPlane, edit: Callable[[str], str], said: str) -> None:
    with pytest.raises(KubeconfigError, match=said) as refused:
        KubernetesApi.from_kubeconfig(edit(control_plane.admin.kubeconfig()))
    assert "\n" not in str(refused.value)


def test_a_port_is_kept_until_a_component_shares_it() -> None:
    """As with the components' flags; without the holder, whoever asks for any port could be given it in between."""
    with planes._held_port() as port, socket.socket() as foreign, socket.socket() as component:
        with pytest.raises(OSError, match="in use"):
            foreign.bind(("127.0.0.1", port))
        component.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        component.bind(("127.0.0.1", port))
        component.listen()
        socket.create_connection(("127.0.0.1", port)).close()
        component.accept()[0].close()
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", port))
