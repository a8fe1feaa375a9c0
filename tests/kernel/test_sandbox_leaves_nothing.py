"""After any run, and after a client that was killed: no process, mount, cgroup, descriptor or file is left."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

import pytest
from leftovers import descriptors

from sequester import IsolatedExecutor
from sequester.sandbox import cgroup
from sequester.sandbox.errors import InvalidRequest

pytestmark = [pytest.mark.lane("kernel", "bwrap"), pytest.mark.xdist_group("sandbox")]

ALL = os.environ.get("SEQUESTER_LANES") == "all"
RUNS, AT_ONCE, KILLED_CLIENTS = (500, 50, 30) if ALL else (60, 24, 5)


@pytest.fixture
def marked() -> Iterator[Path]:
    """A directory that every sandbox of the test shows: whatever process still does is one of its own."""
    directory = Path(gettempdir()) / f"sequester-mark-{os.getpid()}-{random.randrange(1 << 30)}"
    directory.mkdir()
    directory.chmod(0o755)
    yield directory
    directory.rmdir()


def inside(mark: Path) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if f" {mark} " in (entry / "mountinfo").read_text():
                    found.append(int(entry.name))
    return found


def cgroups_of(pid: int) -> list[Path]:
    where = cgroup.parents()
    return [entry for root in where.directories for entry in root.glob(f"sequester-{pid}-*")] if where else []


@pytest.fixture
def held(marked: Path) -> set[tuple[str, str]]:
    """The descriptors that this process has once it has run something."""
    with IsolatedExecutor.local(binds=[str(marked)]) as executor:
        executor.run_untrusted_code("pass")
    return descriptors()


def test_many_in_a_row(marked: Path, held: set[tuple[str, str]]) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    with IsolatedExecutor.local(binds=[str(marked)]) as executor:
        for number in range(RUNS):
            assert executor.run_untrusted_code("result = data", number).value == number
    assert inside(marked) == []
    assert descriptors() <= held
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert cgroups_of(os.getpid()) == []
    assert list(marked.iterdir()) == []


def test_many_at_once(marked: Path, held: set[tuple[str, str]]) -> None:
    with IsolatedExecutor.local(binds=[str(marked)]) as executor, ThreadPoolExecutor(AT_ONCE) as pool:
        code = "import time\ntime.sleep(0.2)\nresult = data"
        values = pool.map(lambda number: executor.run_untrusted_code(code, number).value, range(AT_ONCE))
        assert list(values) == list(range(AT_ONCE))
    assert inside(marked) == []
    assert descriptors() <= held
    assert cgroups_of(os.getpid()) == []


def test_a_closed_pool_leaves_nothing(marked: Path) -> None:
    with IsolatedExecutor.local(binds=[str(marked)], warm=3) as executor:
        executor.run_untrusted_code("pass")
    assert inside(marked) == []
    assert cgroups_of(os.getpid()) == []


CLIENT = """
import sys, time
from sequester import IsolatedExecutor
executor = IsolatedExecutor.local(binds=[sys.argv[1]], warm=1)
print("ready", flush=True)
while True:
    executor.run_untrusted_code("import os, time\\nos.fork(); os.fork()\\ntime.sleep(0.1)")
"""

# Orphans of a killed client become this program's children (PR_SET_CHILD_SUBREAPER): it waits until there is none.
KILLER = """
import ctypes, os, random, subprocess, sys, time
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
client, mark, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(times):
    process = subprocess.Popen([sys.executable, "-c", client, mark], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\\n"
    time.sleep(random.uniform(0, 0.4))
    process.kill()
    process.wait()
    print(process.pid, flush=True)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.005)
        except ChildProcessError:
            break
    else:
        sys.exit("something outlives its client")
"""


def test_a_killed_client_leaves_nothing(marked: Path) -> None:
    killer = subprocess.run(
        [sys.executable, "-c", KILLER, CLIENT, str(marked), str(KILLED_CLIENTS)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert killer.returncode == 0, killer.stderr
    killed = [int(line) for line in killer.stdout.split()]
    assert len(killed) == KILLED_CLIENTS
    assert inside(marked) == []
    with IsolatedExecutor.local():  # clears up after those that could not
        assert [left for pid in killed for left in cgroups_of(pid)] == []


def test_a_request_that_cannot_be_sent_leaves_nothing(marked: Path) -> None:
    with IsolatedExecutor.local(binds=[str(marked)]) as executor, pytest.raises(InvalidRequest, match="not JSON"):
        executor.run_untrusted_code("pass", {"x": float("nan")})
    assert inside(marked) == []
    assert cgroups_of(os.getpid()) == []
