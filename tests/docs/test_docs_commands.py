"""Every command of the README and of docs/ is executed as pasted, or the table says what it needs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_table import TABLE, Elsewhere, Here, row
from docs_pages import PAGES, ROOT, commands

import tools

COMMANDS = sorted({command.text for command in commands()})
_EXECUTED = sorted({text.removeprefix(".venv/bin/") for text in COMMANDS if isinstance(row(text), Here)})


def test_the_table_speaks_of_every_command() -> None:
    unknown = [f"{command.page}: {command.text}" for command in commands() if row(command.text) is None]
    assert unknown == [], "add a row to tests/docs/command_table.py"
    assert len(COMMANDS) > 20


def test_a_command_that_nobody_knows_is_found() -> None:
    assert row("rm -rf elsewhere") is None
    assert isinstance(row("aws s3 ls"), Elsewhere)


_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})(?P<language>[^\n]*)\n(?P<body>.*?)^[ \t]*(?P=fence)", re.M | re.S)
_SHELL = re.compile(r"^\s*(\$ |(\.venv/bin/)?(make|sequester|pulumi|aws|kubectl|docker|python3?|pip|git) )", re.M)


def escaping(page: str) -> list[str]:
    """Blocks that show commands and are no `console` block, so that nothing would run them."""
    blocks = [
        found["body"]
        for found in _FENCE.finditer(page)
        if (found["language"].strip() in ("sh", "bash", "shell", "zsh"))
        or (found["language"].strip() in ("", "text") and _SHELL.search(found["body"]))
    ]
    plain = _FENCE.sub("", page)
    return blocks + [line for line in re.findall(r"^ {4,}.*$", plain, re.M) if _SHELL.match(line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_command_escapes(page: Path) -> None:
    assert escaping(page.read_text()) == [], "write a block of commands as ```console"


def test_a_command_that_escapes_is_found() -> None:
    for page in ("```sh\nls\n```\n", "```\n$ ls\n```\n", "~~~\nmake x\n~~~\n", "Do:\n\n    make demo\n"):
        assert len(escaping(page)) == 1, page
    assert escaping("```\nVPC ── door\n```\n") == []


def test_rows_say_why_a_command_is_not_run() -> None:
    assert all(said.why for _, said in TABLE if isinstance(said, Elsewhere))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The repository's files as they are now, so that nothing here is changed."""
    here = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, here / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode & 0o777)
    yield here


def _environment(here: Path) -> None:
    """This environment under `.venv`, newer than what Make would make it from."""
    venv = here / ".venv" / "bin"
    if not venv.exists():  # also after `make clean`
        venv.mkdir(parents=True)
        for tool in Path(sys.executable).parent.iterdir():
            (venv / tool.name).write_text(f'#!/bin/sh\nexec "{tool}" "$@"\n')
            (venv / tool.name).chmod(0o755)
        (here / ".venv" / ".installed").touch()


@pytest.mark.parametrize("text", _EXECUTED)
def test_a_command_works_as_pasted(copy: Path, text: str) -> None:
    said = row(text)
    assert isinstance(said, Here)
    if missing := [need for need in said.needs if not tools.available(need)]:
        pytest.skip(f"needs {', '.join(missing)}")
    _environment(copy)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{said.before} >/dev/null\n{text}"],
        cwd=copy, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=said.seconds, check=False,
    )  # fmt: skip
    assert done.returncode in said.exits, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
