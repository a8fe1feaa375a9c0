"""A program in a directory runs under the built engine with the built language host, as `pulumi up` would run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tools
from tools.pins import FAMILY_OF

pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-python"), pytest.mark.xdist_group("engine")]

PROJECT = """
name: language-host
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {venv}}}}}
main: program
"""


def test_a_directory_program_is_run_by_todays_sdk(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT.format(venv=sys.prefix))
    (tmp_path / "program").mkdir()
    program = "import pulumi, importlib.metadata as m\npulumi.export('sdk', m.version('pulumi'))\n"
    (tmp_path / "program" / "__main__.py").write_text(program)
    hosts = [tools.find("pulumi"), tools.find("pulumi-language-python")]
    path = [f"{sys.prefix}/bin", *(str(host.parent) for host in hosts if host), os.environ["PATH"]]
    environment = os.environ | {
        "PATH": os.pathsep.join(path),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "embedded",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--stack", "dev", "--non-interactive"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init")
    pulumi("up", "--yes", "--skip-preview")
    assert pulumi("stack", "output", "sdk").strip() == FAMILY_OF["pulumi"].version
