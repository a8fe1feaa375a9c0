"""`sequester run` as people call it: the code's own output and exit code, attempts beside it."""

import json
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


@pytest.mark.parametrize("data", ["[" * 100_000, "nul", "1 2"], ids=len)
def test_data_of_any_kind_that_is_no_json_is_refused_in_a_line(tmp_path: Path, data: str) -> None:
    code, _, notes = run(tmp_path, "pass", "--data", data)
    assert code == 2
    assert notes.startswith("--data: ")


@pytest.mark.parametrize(
    "source",
    ["result = 'é'".encode(), "# coding: latin-1\nresult = 'é'".encode("latin-1"), b"\xef\xbb\xbfresult = '\xc3\xa9'"],
    ids=["utf-8", "cookie", "mark"],
)
def test_source_is_read_as_python_reads_it(tmp_path: Path, source: bytes) -> None:
    path = tmp_path / "code.py"
    path.write_bytes(source)
    result = CliRunner().invoke(app, ["run", str(path)])
    assert (result.exit_code, json.loads(result.stdout)) == (0, "é")


@pytest.mark.parametrize(
    "source",
    [b"\x7fELF\x02\xff\xfe", "result = 'é'".encode("latin-1"), b"# coding: none-such\n1"],
    ids=["binary", "not UTF-8", "unknown coding"],
)
def test_a_file_that_is_no_source_is_refused_in_a_line(tmp_path: Path, source: bytes) -> None:
    path = tmp_path / "code.py"
    path.write_bytes(source)
    result = CliRunner().invoke(app, ["run", str(path)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}: no Python source (")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("source", [b"", b" \n"], ids=ascii)
def test_an_empty_file_is_refused_in_a_line(tmp_path: Path, source: bytes) -> None:
    path = tmp_path / "code.py"
    path.write_bytes(source)
    result = CliRunner().invoke(app, ["run", str(path)])
    assert (result.exit_code, result.stderr) == (125, "code is empty: give Python source\n")
