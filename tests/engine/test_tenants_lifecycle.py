"""Tenants under the real engine on a real API server: stood up, unchanged, one added, one removed, all gone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from test_kubernetes_provider import Deployment

from infra.manifests import Manifest
from infra.settings import parse
from infra.workloads import Workloads, WorkloadsArgs, objects, site
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane

pytestmark = [pytest.mark.lane("engine", "pulumi", *EXECUTABLES), pytest.mark.xdist_group("engine")]

_BASE: dict[str, Any] = {
    "account": "123456789012",
    "region": "us-east-1",
    "network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
}


@pytest.fixture
def deployment(tmp_path: Path, control_plane: ControlPlane) -> Iterator[Deployment]:
    yield Deployment(tmp_path, control_plane)


def _program(deployment: Deployment, *tenants: str) -> Callable[[], None]:
    settings = parse(_BASE | {"tenants": {name: {} for name in tenants}})

    def program() -> None:
        cluster = pulumi.ComponentResource("test:index:Cluster", "cluster")
        kubeconfig = deployment.plane.admin.kubeconfig()
        Workloads(
            "sequester",
            WorkloadsArgs(site(settings), settings.cluster, settings.tenants, "apply", kubeconfig, cluster),
        )

    return program


def _manifests(*tenants: str) -> list[Manifest]:
    settings = parse(_BASE | {"tenants": {name: {} for name in tenants}})
    return objects(site(settings), settings.cluster, settings.tenants)


def _live(deployment: Deployment, items: list[Manifest]) -> list[bool]:
    return [deployment.plane.admin.read(dict(item)) is not None for item in items]


def test_tenants_come_and_go_and_only_their_own_objects_with_them(deployment: Deployment) -> None:
    one, two = _manifests("one"), _manifests("one", "two")
    added = [item for item in two if item not in one]

    deployment.up(_program(deployment, "one"))
    assert all(_live(deployment, one))
    assert not any(_live(deployment, added))

    assert set(deployment.up(_program(deployment, "one"))) == {"same"}

    grown = deployment.up(_program(deployment, "one", "two"))
    assert grown["create"] == len(added)
    assert set(grown) == {"create", "same"}
    assert all(_live(deployment, two))

    shrunk = deployment.up(_program(deployment, "one"))
    assert shrunk["delete"] == len(added)
    assert set(shrunk) == {"delete", "same"}
    assert all(_live(deployment, one))
    assert not any(_live(deployment, added))

    deployment.stack(_program(deployment, "one")).destroy()
    tenants_own = [item for item in one if "one-" in str(item["metadata"])]
    assert tenants_own
    # Deleted with the cluster, as the state has it: destroy did not ask the API server for each object.
    assert all(_live(deployment, tenants_own))
    for item in one:
        deployment.plane.admin.request("DELETE", deployment.plane.admin.path(dict(item)))
