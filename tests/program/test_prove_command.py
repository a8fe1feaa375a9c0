"""`sequester prove` as people call it: exit codes for proved, not decided and wrong use."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sequester.cli import app


def test_a_claim_that_holds_is_proved() -> None:
    result = CliRunner().invoke(app, ["prove", "--claim", "E1", "--claim", "E3", "--claim", "E7"])
    assert result.exit_code == 0, result.output
    assert "proved" in result.output


def test_what_is_not_there_is_unknown_and_fails(tmp_path: Path) -> None:
    """Manifests alone hold no door: nobody may read that as proved."""
    (tmp_path / "pod.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: research-sandbox}\n")
    result = CliRunner().invoke(app, ["prove", "--source", "manifests", str(tmp_path / "pod.yaml"), "--claim", "E7"])
    assert result.exit_code == 2, result.output


def test_a_claim_that_is_none_is_wrong_use() -> None:
    result = CliRunner().invoke(app, ["prove", "--claim", "E9"])
    assert result.exit_code == 64
    assert "E9: is no claim" in result.output


def test_facts_that_cannot_be_read_are_never_proved(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{")
    for where in (str(path), "/nowhere.json"):
        result = CliRunner().invoke(app, ["prove", "--source", "state", where])
        assert result.exit_code in (2, 64), result.output
        assert "Traceback" not in result.output


def test_settings_that_cannot_be_used_are_said_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.wrong.yaml"
    path.write_text("config:\n  sequester:network: {cidr: 10.0.0.0/33, azs: [us-east-1a, us-east-1b]}\n")
    result = CliRunner().invoke(app, ["prove", str(path), "--claim", "E1"])
    assert result.exit_code == 64
    assert "sequester:network.cidr: '10.0.0.0/33' is no CIDR" in result.output
    assert isinstance(result.exception, SystemExit), "and no traceback"


def test_a_file_with_a_byte_order_mark_is_read_and_one_of_utf_16_is_named(tmp_path: Path) -> None:
    """As PowerShell's `>` writes them."""
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: research-sandbox}\n"
    path = tmp_path / "marked.yaml"
    for encoding, said in (("utf-8-sig", "no policy selects"), ("utf-16", "is no UTF-8")):
        path.write_bytes(text.encode(encoding))
        asked = ["prove", "--source", "manifests", str(path), "--claim", "E1", "--format", "markdown"]
        result = CliRunner().invoke(app, asked)
        assert result.exit_code != 0
        assert said in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("prove", "--no-such-option"),
        ("prove", "--format", "pdf"),
        ("report", "--drill", "nowhere.json"),
        ("report", "verfy"),
        ("report", "verify", "nowhere.html"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_no_verdict(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 64
    assert arguments[-1].removeprefix("--") in result.output
