"""`--source live` on a real API server: objects as it stores them, the rights that it takes, what someone changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tools
from sequester.cloud import EmbeddedCloud
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane, running, wait_for
from sequester.proof.prove import prove
from sequester.proof.render import state
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict
from sequester.sources.live import api_server
from sequester.sources.program import resources_of
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of
from sequester.standing import blueprint

pytestmark = [pytest.mark.lane("cluster", *EXECUTABLES), pytest.mark.xdist_group("live-cluster")]

ACCOUNT, REGION = "123456789012", "us-east-1"
CONFIG = {
    "aws:region": REGION,
    "sequester:account": ACCOUNT,
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:cluster": {
        "log_shipper": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sequester/log-shipper@sha256:{'0' * 64}"
    },
    "sequester:tenants": {"research": {"allow": [{"host": "api.github.com", "paths": ["/repos/*"]}]}},
}
READER = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "prover"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prover"},
    "subjects": [{"kind": "ServiceAccount", "name": "prover", "namespace": "default"}],
}  # fmt: skip
ACCOUNT_OF_READER = {
    "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prover", "namespace": "default"},
}  # fmt: skip


@dataclass
class Deployed:
    plane: ControlPlane
    aws: tuple[Resource, ...]
    kubeconfig: Path

    def read(self) -> api_server.Cluster:
        return api_server.read(str(self.kubeconfig))

    def verdicts(self, *claims: str) -> dict[str, Verdict]:
        cluster = self.read()
        model = model_of(self.aws, account=ACCOUNT, region=REGION, manifests=cluster.objects, gaps=cluster.gaps)
        return prove(model, claims)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A cluster of its own: a proof is about all that is in it."""
    with EmbeddedCloud(region=REGION) as cloud:
        run = cloud.up(blueprint, config=CONFIG)
    aws = tuple(r for r in resources_of(run.resources) if not r.type.startswith("kubernetes:"))
    with running(tools.find) as plane:
        later = [m for m in run.kubernetes if "AdmissionPolicy" in str(m["kind"])]
        for one in [*(m for m in run.kubernetes if m not in later), ACCOUNT_OF_READER]:
            plane.admin.apply(one, manager="tests")
        reader = plane.service_account("default", "prover")
        for one in (api_server.rights(), READER, *later):
            plane.admin.apply(one, manager="tests")
        wait_for(lambda: reader.request("GET", "/api/v1/namespaces").status == 200 or None, "the reader's rights")
        path = tmp_path_factory.mktemp("kube") / "config"
        path.write_text(reader.kubeconfig())
        yield Deployed(plane, aws, path)


CLAIMS = ("E1", "E2", "E4", "E5", "E6")


def test_what_the_server_stores_is_proved_as_the_program_was(deployed: Deployed) -> None:
    verdicts = deployed.verdicts(*CLAIMS)
    assert {c: state(v) for c, v in verdicts.items()} == dict.fromkeys(CLAIMS, "proved"), verdicts


def test_no_secret_is_read(deployed: Deployed) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default"},
        "stringData": {"a": "b"},
    }
    deployed.plane.admin.apply(secret, manager="tests")
    assert {str(one["kind"]) for one in deployed.read().objects} & {"Secret", "ConfigMap"} <= {"ConfigMap"}


OPEN = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
    "metadata": {"name": "open", "namespace": "research-sandbox"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}  # fmt: skip
HOLDER = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "too-much"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}],
}  # fmt: skip


@pytest.mark.parametrize(("claim", "change"), [("E6", OPEN), ("E4", HOLDER)], ids=["a policy", "a binding"])
def test_what_someone_applied_is_found(deployed: Deployed, claim: str, change: dict[str, Any]) -> None:
    admin = deployed.plane.admin
    admin.apply(change, manager="tests")
    try:
        assert isinstance(deployed.verdicts(claim)[claim], Escapes)
    finally:
        admin.request("DELETE", admin.path(change))
    assert isinstance(deployed.verdicts(claim)[claim], Proved)


def test_a_namespace_that_lost_its_label_is_found(deployed: Deployed) -> None:
    admin, path = deployed.plane.admin, "/api/v1/namespaces/research-sandbox"
    label = "pod-security.kubernetes.io/enforce"

    def relabel(level: str) -> None:
        body = {"metadata": {"labels": {label: level}}}
        admin.request("PATCH", path, body, content_type="application/merge-patch+json").or_raise()

    relabel("privileged")
    try:
        assert isinstance(deployed.verdicts("E5")["E5"], Escapes)
    finally:
        relabel("restricted")


def test_a_kind_that_nobody_reviewed_is_named(deployed: Deployed) -> None:
    admin = deployed.plane.admin
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tunnels.net.example"},
        "spec": {
            "group": "net.example", "scope": "Namespaced", "names": {"plural": "tunnels", "kind": "Tunnel"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }  # fmt: skip
    tunnel = {"apiVersion": "net.example/v1", "kind": "Tunnel", "metadata": {"name": "out", "namespace": "default"}}
    admin.apply(definition, manager="tests")
    try:
        wait_for(lambda: "tunnels" in str(admin.request("GET", "/apis/net.example/v1").body) or None, "the new kind")
        admin.apply(tunnel, manager="tests")
        verdict = deployed.verdicts("E1")["E1"]
    finally:
        admin.request("DELETE", admin.path(definition))
        wait_for(lambda: admin.read(definition) is None or None, "the kind to go, with what there was of it")
    assert isinstance(verdict, Unknown)
    assert any("Tunnel" in reason for reason in verdict.reasons)


def test_a_kind_of_a_version_that_is_not_preferred_is_named(deployed: Deployed) -> None:
    """Two kinds of one group, each in a version of its own: the server prefers one of the versions."""
    admin = deployed.plane.admin
    kinds, schema = {"v1": "Road", "v1alpha1": "Bridge"}, {"openAPIV3Schema": {"type": "object"}}
    definitions = [
        {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{kind.lower()}s.ways.example"},
            "spec": {
                "group": "ways.example", "scope": "Namespaced", "names": {"plural": f"{kind.lower()}s", "kind": kind},
                "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
            },
        }
        for version, kind in kinds.items()
    ]  # fmt: skip
    bridge = {
        "apiVersion": "ways.example/v1alpha1",
        "kind": "Bridge",
        "metadata": {"name": "out", "namespace": "default"},
    }
    try:
        for one in definitions:
            admin.apply(one, manager="tests")
        for version, kind in kinds.items():
            path = f"/apis/ways.example/{version}"
            wait_for(lambda p=path, k=kind: k in str(admin.request("GET", p).body) or None, "the new kind")
        admin.apply(bridge, manager="tests")
        verdict = deployed.verdicts("E1")["E1"]
    finally:
        for one in definitions:
            admin.request("DELETE", admin.path(one))
    assert isinstance(verdict, Unknown)
    assert any("Bridge" in reason for reason in verdict.reasons)


def test_what_an_identity_may_not_list_is_named(deployed: Deployed, tmp_path: Path) -> None:
    """Without rights nothing is proved, and each kind that was refused is named."""
    path = tmp_path / "config"
    path.write_text(deployed.plane.anonymous().kubeconfig().replace("null", '"not-a-token"'))
    verdicts = prove(
        model_of(deployed.aws, account=ACCOUNT, region=REGION, gaps=api_server.read(str(path)).gaps), CLAIMS
    )
    assert not [c for c, v in verdicts.items() if isinstance(v, Proved)]


@pytest.mark.parametrize("content", ["", "nonsense", "{}", "clusters: 3", "\x00"])
def test_a_kubeconfig_that_is_none_is_a_gap(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    assert api_server.read(str(path)).gaps
    assert api_server.read(str(tmp_path / "nowhere")).gaps
