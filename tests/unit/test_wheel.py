"""The wheel works where nothing of the repository is: packages import from it, and what they read lies in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = (
    "pulumi_sequester/PulumiPlugin.yaml",
    "sequester/report/templates/report.html.j2",
    "sequester/report/templates/flows.svg.j2",
    "sequester/report/templates/report.css",
    "sequester/drill/schema.json",
    "lambda_proxy/schema.json",
    "lambda_proxy/handler.py",
    "lambda_responder/outside.py",
)
USES = """
import pathlib, sys
import infra, pulumi_sequester, sequester.report.page
from pulumi.provider.experimental.component import ComponentProvider
from pulumi_sequester import Door, SandboxTenants, SealedNetwork, Tripwires
from infra.userdata import sandbox_script
from sequester.report.evidence import controls
here = pathlib.Path(sys.argv[1])
for module in (infra, pulumi_sequester, sequester.report.page):
    assert pathlib.Path(module.__file__).is_relative_to(here), module.__file__
ComponentProvider([SealedNetwork, SandboxTenants, Door, Tripwires], "sequester")
print(len(controls()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as an installer does."""
    built, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site-packages")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as whole:
        whole.extractall(target)
    return target


@pytest.mark.parametrize("name", DATA)
def test_what_the_code_reads_is_in_it(installed: Path, name: str) -> None:
    assert (installed / name).is_file()


def test_it_holds_nothing_of_the_workshop(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    assert names & {"tests", "tools", "docs", "out", ".venv"} == set()


def run(installed: Path, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, str(installed)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_components_and_report_work_from_it(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, USES)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_another_package_of_the_same_name_is_said(installed: Path, tmp_path: Path) -> None:
    """A program's own `infra` would be loaded instead of ours: that is one line, not a wrong network."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").write_text("")
    done = run(installed, tmp_path, "import pulumi_sequester")
    assert done.returncode != 0
    assert "name that folder otherwise" in done.stderr.splitlines()[-1]
