"""`sequester demo` and `sequester cost` as people call them: exit codes, one line for bad input, files written."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import tools
from sequester.cli import app
from sequester.demo.story import STEPS
from sequester.example import SETTINGS_FILE
from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.executor import IsolatedExecutor


def test_the_demo_holds_and_writes_what_it_says(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    said = result.output
    if tools.available("bwrap"):
        assert "every step holds" in said
        assert said.count("released research") == 2, "after the drill, and after the quarantine that is shown"
    titles = [said.index(f"{number}. {step.title}") for number, step in enumerate(STEPS, start=1)]
    assert titles == sorted(titles)
    assert "8 certificates, each accepted by the independent checker" in result.output
    assert "sequester-sandbox-https: lets tcp port 443 out" in result.output, "the way out is drawn"
    resources = json.loads((tmp_path / "resources.json").read_text())
    assert any(resource["type"] == "aws:ec2/vpc:Vpc" for resource in resources)
    assert list(yaml.safe_load_all((tmp_path / "kubernetes.yaml").read_text()))
    assert (tmp_path / "network.svg").read_text().startswith("<svg")
    assert (tmp_path / "network.mmd").read_text().startswith("flowchart")


def test_the_demo_is_told_in_order() -> None:
    told = [step.title.partition(":")[0].partition(",")[0] for step in STEPS]
    assert told == ["Up", "Up", "Up", "Prove", "Break it", "Run untrusted code", "Fetch", "Drill", "Tripwire", "Report"]


def test_a_step_that_this_machine_cannot_show_is_not_said_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> IsolatedExecutor:
        raise SandboxUnavailable("no sandbox here")

    monkeypatch.setattr(IsolatedExecutor, "local", missing)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert "not shown on this machine: no sandbox here" in result.output
    assert "every step holds" not in result.output
    assert "not shown: Run untrusted code" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("config: [", "is no YAML"),
        ("name: sequester", "has no `config:`"),
        ("config: {}", "aws:region: is missing"),
        ("config: {aws:region: us-east-1, sequester:netwerk: {}}", "did you mean network?"),
        ("config: &a {b: *a}", "is no YAML"),
        (f"config: {'[' * 5000}{']' * 5000}", "is no YAML"),
        ("config: {1: a}", "config.1: the key 1 is no text: quote it"),
        ("config: {sequester:tenants: {no: {}}}", "config.sequester:tenants.False: the key False is no text"),
        ("config: {sequester:door: 2026-01-01}", "is a date, which no setting is: quote it"),
        ("config: {sequester:tenants: [a, !!binary aGk=]}", "config.sequester:tenants[1]: b'hi' is a bytes"),
        ("config: {sequester:tenants: !!set {a}}", "is a set, which no setting is"),
    ],
)
@pytest.mark.parametrize("command", ["demo", "cost"])
def test_bad_settings_are_a_line_and_not_a_traceback(tmp_path: Path, content: str, said: str, command: str) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(content)
    result = CliRunner().invoke(app, [command, "--settings", str(path)])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_the_cost_is_that_of_the_settings() -> None:
    result = CliRunner().invoke(app, ["cost", "--settings", str(SETTINGS_FILE), "--markdown"])
    assert result.exit_code == 0, result.output
    assert "| EKS control plane (standard support) | 1 |" in result.output
