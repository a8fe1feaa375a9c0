"""`sequester audit verify` without a deployed door: a chain made here, and every tampering with it found."""

from typer.testing import CliRunner

from sequester.cli import app
from sequester.tampering import TAMPERINGS


def test_every_tampering_is_found() -> None:
    result = CliRunner().invoke(app, ["audit", "verify"])
    assert result.exit_code == 0, result.output
    assert "nobody touched the chain" in result.output
    assert result.output.count(" yes ") == len(TAMPERINGS)
    assert " NO " not in result.output
