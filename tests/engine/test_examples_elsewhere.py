"""The examples as somebody's own programs: copied away, run by the language host, over the installed wheel alone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from real_engine import Engine
from test_components import EXAMPLES, Example

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-python"), pytest.mark.xdist_group("engine")]


class Elsewhere(NamedTuple):
    """The wheel, unpacked where no checkout is, and an interpreter that knows it and our libraries."""

    wheel: Path
    python: Path


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    made = tmp_path_factory.mktemp("elsewhere")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=600)
    [wheel] = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as whole:
        whole.extractall(made / "installed")
    python = made / "bin" / "python"
    python.parent.mkdir()
    known = os.pathsep.join([str(made / "installed"), sysconfig.get_path("purelib")])
    # -S: what makes the checkout importable in this environment is not read.
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{known}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    (python.parent / "python3").symlink_to(python)
    return Elsewhere(made / "installed", python)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.folder)
def test_an_example_is_a_program_of_its_own(
    engine: Engine, elsewhere: Elsewhere, tmp_path: Path, example: Example
) -> None:
    folder = tmp_path / "program"
    shutil.copytree(ROOT / "examples" / example.folder, folder)
    described = (folder / "Pulumi.yaml").read_text()
    (folder / "Pulumi.yaml").write_text(described.partition("runtime:")[0] + "runtime: python\n")
    with zipfile.ZipFile(folder / "door.zip", "w") as code:
        code.writestr("lambda_proxy/handler.py", "def handler(event, context): return {}\n")

    def pulumi(*words: str) -> str:
        return engine.run(*words, "--stack", "dev", folder=folder, python=elsewhere.python)

    pulumi("stack", "init")
    for key, value in {**example.config, "code": "door.zip"}.items():
        pulumi("config", "set", key.partition(":")[2] or key, value)
    made = pulumi("up", "--yes", "--skip-preview")
    assert "created" in made
    assert example.has in pulumi("stack", "export")
