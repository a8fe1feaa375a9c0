"""A drill that is interrupted leaves no process, no namespace and no file behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = [pytest.mark.lane("kernel", "root", "bwrap"), pytest.mark.xdist_group("sandbox")]

HOLD = """
from sequester.drill import sandboxed
from sequester.drill.table import PROGRAMS
sandboxed.hold(list(PROGRAMS), (), "research", lambda attempt: print(attempt.technique, flush=True))
"""


def _of(directory: Path) -> list[str]:
    """The processes that were started with this directory for temporary files."""
    wanted = f"TMPDIR={directory}".encode()
    found: list[str] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if wanted in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text())
            except OSError:
                continue
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for temporary files, with a short name: the sink has UNIX sockets in it."""
    with TemporaryDirectory(prefix="left-", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_nothing_is_left(place: Path, number: signal.Signals) -> None:
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(place)}
    )
    assert holding.stdout
    for _ in range(3):
        assert holding.stdout.readline().startswith("direct-")
    assert _of(place)
    holding.send_signal(number)
    holding.wait(60)
    until = time.monotonic() + 60
    while (_of(place) or list(place.iterdir())) and time.monotonic() < until:
        time.sleep(0.1)
    assert _of(place) == []
    assert list(place.iterdir()) == []
    holding.stdout.close()
