"""The command says what is wrong with what it is asked in one line, and shows its table without trying anything."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sequester.cli import app
from sequester.drill.outcome import Family
from sequester.drill.table import TECHNIQUES

CLUSTER = ["--target", "cluster", "--sink", "192.0.2.7:1", "--tenant", "a"]
DIGEST = "@sha256:" + "0" * 64


def drill(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["drill", *arguments], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def test_the_list_has_every_technique_of_the_target() -> None:
    code, said = drill("--list", "--target", "lab")
    assert code == 0
    assert f"{len(TECHNIQUES)} techniques" in said
    assert "kubernetes-host-network" in said


def test_the_fast_list_has_every_family() -> None:
    code, said = drill("--list", "--fast")
    assert code == 0
    assert all(f" {family}-" in said for family in Family)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "direct-tpc"], "--only direct-tpc: no such technique"),
        (["--without", "sandbox:secomp"], "--without sandbox:secomp: no such control"),
        (["--without", "door:response.credential"], "cannot take this away at --target local; of door: door:allow."),
        (["--without", "network:names-listed"], "cannot take this away at --target local; --target lab can"),
        (["--without", "cluster:api-private"], "cannot take this away at --target local"),
        (["--only", "dns-over-tls", "--family", "host"], "no technique is left"),
        (["--target", "cluster"], "--target cluster: give --sink too"),
        (CLUSTER, "--target cluster: give --image too"),
        (
            [*CLUSTER, "--image", f"x{DIGEST}", "--without", "sandbox:seccomp"],
            "no control of a deployed cluster is taken away",
        ),
    ],
)
def test_what_is_asked_wrong_is_said_in_a_line(arguments: list[str], said: str) -> None:
    code, output = drill(*arguments)
    assert code == 64
    assert said in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["{}", "config: {sequester:network: 1}", "\x00"])
def test_settings_that_are_none_are_said_in_a_line(tmp_path: Path, text: str) -> None:
    settings = tmp_path / "Pulumi.x.yaml"
    settings.write_text(text)
    code, output = drill("--only", "dns-over-tls", "--settings", str(settings))
    assert code == 2
    assert "Traceback" not in output


def test_help_teaches() -> None:
    code, said = drill("--help")
    assert code == 0
    assert "Exit code 0" in said
    assert "sequester drill --without sandbox:seccomp" in said
