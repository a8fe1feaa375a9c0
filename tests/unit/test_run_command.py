"""`sequester run` as people call it: the code's own output and exit code, attempts beside it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sequester.cli import app

pytestmark = pytest.mark.lane("kernel", "bwrap")


def run(tmp_path: Path, source: str, *options: str) -> tuple[int, str, str]:
    path = tmp_path / "code.py"
    path.write_text(source)
    result = CliRunner().invoke(app, ["run", str(path), *options])
    return result.exit_code, result.stdout, result.stderr


def test_the_result_and_the_exit_code_are_the_codes_own(tmp_path: Path) -> None:
    assert run(tmp_path, "result = sum(data)", "--data", "[1, 2]")[:2] == (0, "3\n")
    assert run(tmp_path, "raise SystemExit(7)")[0] == 7


def test_attempts_are_shown_with_their_address(tmp_path: Path) -> None:
    source = "import socket\ntry:\n    socket.create_connection(('192.0.2.7', 443))\nexcept OSError: pass\n"
    code, _, notes = run(tmp_path, source)
    assert code == 0
    assert "192.0.2.7" in notes


def test_running_out_of_time_says_so(tmp_path: Path) -> None:
    code, _, notes = run(tmp_path, "while True: pass", "--timeout", "0.5")
    assert code == 124
    assert "TimedOut" in notes


def test_data_that_is_no_json_is_refused_in_a_line(tmp_path: Path) -> None:
    code, _, notes = run(tmp_path, "pass", "--data", "{")
    assert code == 2
    assert notes.startswith("--data: '{' is not JSON")


def test_the_example_of_the_readme_reaches_nothing() -> None:
    example = Path(__file__).parent.parent.parent / "examples" / "leaving.py"
    result = CliRunner().invoke(app, ["run", str(example)])
    assert result.exit_code == 0
    assert '{"sum": 45, "left by": []}' in result.stdout
    assert "192.0.2.1" in result.stderr
