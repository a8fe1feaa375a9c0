"""The built wheel, installed where there is no checkout: its commands work, and say in a line what is not installed."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"pulumi_sequester", "sequester", "infra", "policies", "lambda_proxy", "lambda_responder"}
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel was installed, alone."""
    made, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=600)
    (wheel,) = made.glob("*.whl")
    options = ["--quiet", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True, timeout=600)
    return target


def sequester(
    installed: Path, folder: Path, words: Sequence[str], more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command, from the wheel. Our libraries come by their path: what makes this checkout importable does not."""
    libraries = sysconfig.get_path("purelib")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), libraries]), "COLUMNS": "100"}
    environment |= more or {}
    command = [sys.executable, "-S", "-m", "sequester", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_it_holds_our_packages_and_nothing_else(installed: Path) -> None:
    top = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} - {"bin"}
    assert top == PACKAGES
    assert (installed / "sequester" / "Pulumi.dev.yaml").read_bytes() == (ROOT / "Pulumi.dev.yaml").read_bytes()


def test_its_help_teaches(installed: Path, tmp_path: Path) -> None:
    done = sequester(installed, tmp_path, ["--help"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "One door between agent code and the internet" in done.stdout


def test_its_demo_tells_the_story(installed: Path, tmp_path: Path) -> None:
    done = sequester(installed, tmp_path, ["demo"])
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "out" / "report.html").read_text()
    assert "All 8 claims are proved" in report
    assert str(ROOT) not in done.stdout + report


def test_its_drill_is_held(installed: Path, tmp_path: Path) -> None:
    words = ["drill", "--only", "door-plain-http", "--json", "drill.json"]
    done = sequester(installed, tmp_path, words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 techniques stopped, 1 of them seen" in done.stdout


def test_its_drill_says_which_executables_are_missing(installed: Path, tmp_path: Path) -> None:
    """Without the checkout nobody builds them: PATH is where they are looked for."""
    bare = {"PATH": str(tmp_path)}
    done = sequester(installed, tmp_path, ["drill", "--only", "kubernetes-host-pid"], bare)
    assert done.returncode == 2, done.stdout + done.stderr
    said = "etcd, kube-apiserver, kube-controller-manager, kube-scheduler not found on PATH"
    assert said in done.stdout.replace("\n", " ")
    assert "Traceback" not in done.stdout + done.stderr


def test_what_is_not_installed_is_one_line(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pulumi.py").write_text("raise ModuleNotFoundError('No module named pulumi', name='pulumi')\n")
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(installed), sysconfig.get_path("purelib")])}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "sequester", "cost"],
        cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "this needs pulumi, which is not installed: pip install 'sequester[all]'\n"


def test_its_folder_is_a_plugin_as_the_cli_s_python_host_runs_it(installed: Path, tmp_path: Path) -> None:
    """`python <folder> <engine>`, in another folder, in an environment that has the wheel (pulumi/pulumi, RunPlugin).

    The host first installs the folder's requirements.txt into `venv` there: the checkout around it, with what it needs.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), sysconfig.get_path("purelib")])}
    command = [sys.executable, "-S", str(ROOT / "pulumi_sequester"), "127.0.0.1:1"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as plugin:
        try:
            assert plugin.stdout is not None
            port = plugin.stdout.readline()
            with grpc.insecure_channel(f"127.0.0.1:{int(port)}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                schema = json.loads(stub.GetSchema(provider_pb2.GetSchemaRequest(version=0), timeout=30).schema)
        finally:
            plugin.kill()
    assert {name.rpartition(":")[2] for name in schema["resources"]} == {
        "SealedNetwork", "SandboxTenants", "Door", "Tripwires",
    }  # fmt: skip
    [needed] = (ROOT / "pulumi_sequester" / "requirements.txt").read_text().split()
    assert needed == "..[infra]"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["infra"]


def test_the_plugin_says_in_a_line_what_is_not_installed(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pulumi.py").write_text("raise ModuleNotFoundError('No module named pulumi', name='pulumi')\n")
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(installed), sysconfig.get_path("purelib")])}
    done = subprocess.run(
        [sys.executable, "-S", str(installed / "bin" / "pulumi-resource-sequester"), "127.0.0.1:1"],
        cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "this needs pulumi, which is not installed: pip install 'sequester[infra]'\n"
