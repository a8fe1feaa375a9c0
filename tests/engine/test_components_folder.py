"""The folder `pulumi_sequester` as a plugin, by its PulumiPlugin.yaml: nothing is installed; a path names it."""

import json
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
import yaml
from real_engine import Engine
from test_components_yaml import ACCOUNT, LINK, pulumi, types, with_code

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "pulumi_sequester"
pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-yaml"), pytest.mark.xdist_group("engine")]


@pytest.fixture
def hosted(engine: Engine) -> Engine:
    """The engine with a Python language host on its PATH."""
    (engine.folder / "bin").mkdir()
    host = engine.folder / "bin" / "pulumi-language-python"
    host.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("python_host.py")}" "$@"\n')
    host.chmod(0o755)
    return engine


def test_a_program_that_names_the_folder_lives_its_life(hosted: Engine, tmp_path: Path) -> None:
    """What docs/components.md says: `packages`, a name and the path."""
    folder = tmp_path / "program"
    folder.mkdir()
    given = with_code(tmp_path)
    door = {
        "type": "sequester:Door",
        "properties": {
            "account": ACCOUNT,
            "region": "us-east-1",
            "tenant": "research",
            "stack": "folder",
            "allow": [{"host": "api.github.com", "paths": ["/repos/*"], "max_response": "1MiB"}],
            "callerRoleArn": given["caller"],
            "endpoint": "vpce-0123456789abcdef0",
            "code": given["code"],
            "deletionProtection": False,
        },
    }
    (folder / "Pulumi.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "mine",
                "runtime": "yaml",
                "packages": {"sequester": str(FOLDER)},
                "resources": {"door": door},
                "outputs": {"function": "${door.function}"},
            }
        )
    )
    pulumi(hosted, folder, "stack", "init")
    pulumi(hosted, folder, "up", "--yes", "--skip-preview")
    outputs: dict[str, Any] = json.loads(pulumi(hosted, folder, "stack", "output", "--json"))
    assert outputs == {"function": "folder-door-research"}
    assert "sequester:index:Door" in types(hosted, folder)
    pulumi(hosted, folder, "destroy", "--yes", "--skip-preview")
    assert types(hosted, folder) == []


def test_the_cli_reads_its_schema_and_needs_the_file_for_it(hosted: Engine, tmp_path: Path) -> None:
    schema = json.loads(pulumi(hosted, tmp_path, "package", "get-schema", str(FOLDER), stack=False))
    assert {name.rpartition(":")[2] for name in schema["resources"]} == {
        "SealedNetwork", "SandboxTenants", "Door", "Tripwires",
    }  # fmt: skip
    without = tmp_path / "pulumi_sequester"
    copytree(FOLDER, without, ignore=ignore_patterns("PulumiPlugin.yaml", "__pycache__"))
    done = hosted.yaml(tmp_path, "package", "get-schema", str(without), stack=False)
    assert done.returncode != 0


def test_package_add_locks_the_folder(hosted: Engine, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mine\nruntime: yaml\n")
    done = hosted.yaml(tmp_path, "package", "add", str(FOLDER), stack=False)
    assert done.returncode == 0 or LINK in done.stdout + done.stderr, done.stdout + done.stderr
    [locked] = (tmp_path / "sdks").rglob("*.yaml")
    assert yaml.safe_load(locked.read_text())["name"] == "sequester"
