"""The components from programs in YAML, by the plugin that the package installs: each example lives its life."""

import json
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from real_engine import Engine

from sequester.cloud import kubernetes_provider, plugin
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(sys.executable).with_name("pulumi-resource-sequester")
VERSION = "0.1.0"
ACCOUNT = "123456789012"
LINK = "method Link not implemented"
"""What the newest YAML host that we can have (1.25) lacks of `pulumi package add`: a line in Pulumi.yaml."""
pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-yaml"), pytest.mark.xdist_group("engine")]


def pulumi(engine: Engine, folder: Path, *words: str, stack: bool = True) -> str:
    done = engine.yaml(folder, *words, stack=stack)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def installed(engine: Engine) -> Engine:
    """The engine after the one command of docs/components.md that installs the plugin."""
    pulumi(engine, ROOT, "plugin", "install", "resource", "sequester", VERSION, "--file", str(SCRIPT), stack=False)
    return engine


def program(engine: Engine, target: Path, name: str, config: Mapping[str, str]) -> Path:
    """An example, copied away from the repository, with a stack and its settings."""
    copytree(ROOT / "examples" / name, target)
    pulumi(engine, target, "stack", "init")
    for key, value in config.items():
        pulumi(engine, target, "config", "set", key, value, *(("--secret",) if key == "kubeconfig" else ()))
    return target


def with_code(folder: Path) -> dict[str, str]:
    with zipfile.ZipFile(folder / "door.zip", "w") as code:
        code.writestr("lambda_proxy/handler.py", "def handler(event, context): return {}\n")
    return {
        "account": ACCOUNT,
        "caller": f"arn:aws:iam::{ACCOUNT}:role/reader",
        "code": str(folder / "door.zip"),
        "protect": "false",
    }


def types(engine: Engine, folder: Path) -> list[str]:
    deployment: dict[str, Any] = json.loads(pulumi(engine, folder, "stack", "export"))["deployment"]
    return [one["type"] for one in deployment.get("resources", [])]


def test_a_network_its_door_and_its_tripwires_live_in_one_stack(installed: Engine, tmp_path: Path) -> None:
    folder = program(installed, tmp_path / "program", "yaml", with_code(tmp_path))
    assert "Previewing update" in pulumi(installed, folder, "up", "--yes")
    outputs: dict[str, Any] = json.loads(pulumi(installed, folder, "stack", "output", "--json"))
    assert outputs["function"] == "agents-door-research"
    assert outputs["topic"] == f"arn:aws:sns:us-east-1:{ACCOUNT}:agents-alarms"
    assert len(outputs["sandboxSubnets"]) == 2
    made = types(installed, folder)
    assert {"sequester:index:SealedNetwork", "sequester:index:Door", "sequester:index:Tripwires"} <= set(made)
    again = pulumi(installed, folder, "preview")
    assert " unchanged" in again
    assert not re.search(r"\d to (create|update|replace|delete)", again), again
    pulumi(installed, folder, "destroy", "--yes", "--skip-preview")
    assert types(installed, folder) == []


@pytest.fixture
def cluster(installed: Engine, control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine with the embedded Kubernetes provider, which speaks to a real API server."""
    plugin.install(installed.folder / "home", "kubernetes", kubernetes_provider.VERSION, kubernetes_provider.__name__)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(control_plane.admin.kubeconfig())
    monkeypatch.setenv(kubernetes_provider.KUBECONFIG_VARIABLE, str(kubeconfig))
    return installed


@pytest.mark.lane("cluster", *EXECUTABLES)
def test_tenants_live_on_a_cluster_that_is_there(cluster: Engine, control_plane: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = control_plane.admin.kubeconfig()
    config = {"account": ACCOUNT, "kubeconfig": kubeconfig}
    folder = program(cluster, tmp_path / "program", "yaml-tenants", config)
    pulumi(cluster, folder, "up", "--yes", "--skip-preview")
    outputs: dict[str, Any] = json.loads(pulumi(cluster, folder, "stack", "output", "--json"))
    assert outputs["sandboxNamespaces"] == {"research": "research-sandbox", "support": "support-sandbox"}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny-all", "namespace": "research-sandbox"},
    }
    assert control_plane.admin.read(policy) is not None
    state = pulumi(cluster, folder, "stack", "export")
    assert all(line not in state for line in kubeconfig.split() if len(line) > 40), "the kubeconfig is no secret"
    pulumi(cluster, folder, "destroy", "--yes", "--skip-preview")
    assert control_plane.admin.read(policy) is None


def test_a_mistake_is_a_line_without_a_traceback(installed: Engine, tmp_path: Path) -> None:
    folder = program(installed, tmp_path / "program", "yaml", with_code(tmp_path))
    described = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    network = described["resources"]["network"]
    network["properties"] |= {"cidr": "10.60.0.0/29"}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(described | {"resources": {"network": network}, "outputs": {}}))
    done = installed.yaml(folder, "preview")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "'network' has a problem: cidr: 10.60.0.0/29 is too small for 4 tiers in 6 zones: use /20" in said
    assert "has a problem: Unexpected" not in said
    assert 'pulumi_sequester/network.py", line' not in said


def test_package_add_locks_the_package(installed: Engine, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mine\nruntime: yaml\n")
    done = installed.yaml(tmp_path, "package", "add", f"sequester@{VERSION}", stack=False)
    assert done.returncode == 0 or LINK in done.stdout + done.stderr, done.stdout + done.stderr
    locked = yaml.safe_load((tmp_path / "sdks" / "sequester" / f"sequester-{VERSION}.yaml").read_text())
    assert locked == {"packageDeclarationVersion": 1, "name": "sequester", "version": VERSION}
