"""`sequester prove` as people call it: exit codes for proved, not decided and wrong use."""

from pathlib import Path

from typer.testing import CliRunner

from sequester.cli import app


def test_a_claim_that_holds_is_proved() -> None:
    result = CliRunner().invoke(app, ["prove", "--claim", "E1", "--claim", "E3"])
    assert result.exit_code == 0, result.output
    assert "proved" in result.output


def test_what_is_not_there_is_unknown_and_fails() -> None:
    """The door is not composed into the stack yet: nobody may read that as proved."""
    result = CliRunner().invoke(app, ["prove", "--claim", "E7"])
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
