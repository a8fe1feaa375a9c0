"""`sequester demo` and `sequester cost` as people call them: exit codes, one line for bad input, files written."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sequester.cli import SETTINGS_FILE, app


def test_the_demo_holds_and_writes_what_it_says(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "every step holds" in result.output
    resources = json.loads((tmp_path / "resources.json").read_text())
    assert any(resource["type"] == "aws:ec2/vpc:Vpc" for resource in resources)
    assert list(yaml.safe_load_all((tmp_path / "kubernetes.yaml").read_text()))
    assert (tmp_path / "network.svg").read_text().startswith("<svg")
    assert (tmp_path / "network.mmd").read_text().startswith("flowchart")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("config: [", "is no YAML"),
        ("name: sequester", "has no `config:`"),
        ("config: {}", "aws:region: is missing"),
        ("config: {aws:region: us-east-1, sequester:netwerk: {}}", "did you mean network?"),
    ],
)
@pytest.mark.parametrize("command", ["demo", "cost"])
def test_bad_settings_are_a_line_and_not_a_traceback(tmp_path: Path, content: str, said: str, command: str) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(content)
    result = CliRunner().invoke(app, [command, "--settings", str(path)])
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_the_cost_is_that_of_the_settings() -> None:
    result = CliRunner().invoke(app, ["cost", "--settings", str(SETTINGS_FILE), "--markdown"])
    assert result.exit_code == 0, result.output
    assert "| EKS control plane (standard support) | 1 |" in result.output
