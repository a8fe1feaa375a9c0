"""After any run, and after a client that was killed: no process, mount, cgroup, descriptor or file is left."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

import pytest

from sequester import IsolatedExecutor
from sequester.sandbox import cgroup

pytestmark = [pytest.mark.lane("kernel", "bwrap"), pytest.mark.xdist_group("sandbox")]

RUNS = 500 if os.environ.get("SEQUESTER_LANES") == "all" else 100
KILLED_CLIENTS = 12


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


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def settled(mark: Path) -> bool:
    until = time.monotonic() + 30
    while inside(mark) and time.monotonic() < until:
        time.sleep(0.02)
    return not inside(mark)


def test_many_in_a_row(marked: Path) -> None:
    with IsolatedExecutor.local(binds=[str(marked)]) as executor:
        executor.run_untrusted_code("pass")
        held, mounts = descriptors(), Path("/proc/self/mountinfo").read_text()
        for number in range(RUNS):
            assert executor.run_untrusted_code("result = data", number).value == number
        assert descriptors() == held
    assert settled(marked)
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert cgroups_of(os.getpid()) == []
    assert list(marked.iterdir()) == []


def test_fifty_at_once(marked: Path) -> None:
    with IsolatedExecutor.local(binds=[str(marked)]) as executor, ThreadPoolExecutor(50) as pool:
        executor.run_untrusted_code("pass")
        held = descriptors()
        code = "import time\ntime.sleep(0.2)\nresult = data"
        values = pool.map(lambda number: executor.run_untrusted_code(code, number).value, range(50))
        assert list(values) == list(range(50))
        assert descriptors() == held
    assert settled(marked)
    assert cgroups_of(os.getpid()) == []


def test_a_closed_pool_leaves_nothing(marked: Path) -> None:
    with IsolatedExecutor.local(binds=[str(marked)], warm=3) as executor:
        executor.run_untrusted_code("pass")
    assert settled(marked)
    assert cgroups_of(os.getpid()) == []


CLIENT = """
import sys, time
from sequester import IsolatedExecutor
executor = IsolatedExecutor.local(binds=[sys.argv[1]], warm=1)
print("ready", flush=True)
while True:
    executor.run_untrusted_code("import os, time\\nos.fork(); os.fork()\\ntime.sleep(0.1)")
"""


def test_a_killed_client_leaves_nothing(marked: Path) -> None:
    killed: list[int] = []
    for _ in range(KILLED_CLIENTS):
        with subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(marked)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as client:
            assert client.stdout
            assert client.stdout.readline() == b"ready\n"
            time.sleep(random.uniform(0, 0.4))
            client.kill()
            killed.append(client.pid)
        assert settled(marked)
    with IsolatedExecutor.local():  # clears up after those that could not
        assert [left for pid in killed for left in cgroups_of(pid)] == []
