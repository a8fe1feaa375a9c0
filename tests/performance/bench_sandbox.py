"""Sandbox: start to result, beside other sandboxes

Peers are measured where they are installed: bubblewrap alone with the same walls and as the same ordinary user,
gVisor's runsc (Debian's), and @anthropic-ai/sandbox-runtime (its `srt`, by SEQUESTER_SRT, else on PATH; it wants
Debian's ripgrep and socat).
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import Row, interleaved

from sequester import IsolatedExecutor
from sequester.sandbox import local, tree
from sequester.sandbox.task import Limits, Task

RUNS = 40
PYTHON = "/usr/bin/python3"
PRINT = "print(1)"


def rows() -> Iterable[Row]:
    yield from _start_to_result()
    yield from _throughput()
    yield from _overhead()
    yield from _memory()


def _start_to_result() -> Iterable[Row]:
    with IsolatedExecutor.local() as cold, IsolatedExecutor.local(warm=4) as warm:
        subjects: dict[str, Callable[[], object]] = {
            "bare Python": lambda: _output([PYTHON, "-I", "-S", "-c", PRINT]),
            "bubblewrap alone": lambda: _output(_walls([PYTHON, "-I", "-S", "-c", PRINT]), _ordinary_user()),
            "Sequester, cold": lambda: cold.run_untrusted_code(PRINT),
            **_peers(),
        }
        taken = interleaved(subjects, RUNS)
        median = {name: statistics.median(seconds) for name, seconds in taken.items()}
        for name, seconds in median.items():
            aim = "≤ 5 ms over bubblewrap alone" if name == "Sequester, cold" else ""
            over = (seconds - median["bubblewrap alone"]) * 1000
            note = f"{over:+.1f} ms beside bubblewrap alone; least {min(taken[name]) * 1000:.1f} ms"
            ratio = f"{seconds / median['bare Python']:.1f}"
            yield Row(f"{name}: print(1)", f"{seconds * 1000:.1f} ms", "bare Python", ratio, aim, note)
        spaced: list[float] = []
        for _ in range(RUNS):
            time.sleep(0.1)  # the pool refills between requests, as it does between an agent's
            begin = time.perf_counter()
            warm.run_untrusted_code(PRINT)
            spaced.append(time.perf_counter() - begin)
        seconds = statistics.median(spaced)
        ratio = f"{seconds / median['bare Python']:.1f}"
        aim = "≤ 10 ms while the pool is not empty"
        yield Row("Sequester, warm: print(1)", f"{seconds * 1000:.1f} ms", "bare Python", ratio, aim, "one use each")


def _throughput() -> Iterable[Row]:
    with IsolatedExecutor.local() as executor:
        for parallel in (1, 8):
            count = 24 * (1 + (parallel > 1))
            begin = time.perf_counter()
            with ThreadPoolExecutor(parallel) as pool:
                list(pool.map(lambda _: executor.run_untrusted_code(PRINT), range(count)))
            rate = count / (time.perf_counter() - begin)
            yield Row(f"runs a second at parallelism {parallel}", f"{rate:.0f}/s", note=f"{os.cpu_count()} processors")


CPU = (
    "import time\nt = time.process_time()\nx = 0\nfor n in range(4_000_000): x += n * n\nprint(time.process_time() - t)"
)
CALLS = (
    "import os, time\nt = time.process_time()\nf = os.open('/dev/null', os.O_WRONLY)\n"
    "for n in range(300_000): os.write(f, b'x')\nprint(time.process_time() - t)"
)
FORKS = (
    "import os, time\nt = time.perf_counter()\nfor n in range(200):\n"
    "  p = os.posix_spawn('/bin/true', ['true'], {})\n  os.waitpid(p, 0)\nprint(time.perf_counter() - t)"
)


def _overhead() -> Iterable[Row]:
    """Time measured inside, so that starting is not in it."""
    aims = {"CPU-bound": "≤ 1%"}
    with IsolatedExecutor.local() as executor:
        for name, code in (("CPU-bound", CPU), ("300,000 writes", CALLS), ("200 programs started", FORKS)):
            ours: list[float] = []
            bare: list[float] = []
            for _ in range(9):
                bare.append(float(_output([PYTHON, "-I", "-S", "-c", code])))
                ours.append(float(executor.run_untrusted_code(code, memory="1GiB").stdout))
            mine, theirs = statistics.median(ours), statistics.median(bare)
            yield Row(
                f"{name} inside", f"{mine * 1000:.0f} ms", "bare Python", f"{mine / theirs:.3f}", aims.get(name, "")
            )


def _memory() -> Iterable[Row]:
    """Of a waiting sandbox: proportional set of bubblewrap and supervisor."""
    waiting = [local.Sandbox(local.machine(), Limits()) for _ in range(8)]
    try:
        for sandbox in waiting:
            _wait_until_idle(sandbox.pid)
        sizes = [sum(_proportional_bytes(pid) for pid in _family(sandbox.pid)) for sandbox in waiting]
    finally:
        for sandbox in waiting:
            sandbox.close()
    yield Row("memory of a waiting sandbox", f"{statistics.median(sizes) / 2**20:.1f} MiB", note="shared pages in part")
    task = Task(code=PRINT)
    begin = time.perf_counter()
    for _ in range(200):
        task.request({}, (), tree.ENVIRONMENT)
    yield Row("building a request", f"{(time.perf_counter() - begin) / 200 * 1e6:.0f} us")


def _output(words: list[str], user: int | None = None) -> str:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    ).stdout


def _ordinary_user() -> int | None:
    """Who sandboxes run as: as root, someone whom no account is."""
    return local.FIRST_UID if os.geteuid() == 0 else None


def _walls(command: list[str]) -> list[str]:
    found = local.machine()
    words = local.command(found, Limits())
    return [*words[: words.index("--") + 1], *command]


def _peers() -> dict[str, Callable[[], object]]:
    peers: dict[str, Callable[[], object]] = {}
    if runsc := shutil.which("runsc"):
        words = [runsc, "--rootless", "--network=none", "--ignore-cgroups", "do", PYTHON, "-I", "-S", "-c", PRINT]
        if _works(words):
            peers["gVisor runsc"] = lambda: _output(words)
    if srt := os.environ.get("SEQUESTER_SRT") or shutil.which("srt"):
        settings = Path(tempfile.gettempdir()) / f"sequester-srt-{os.getpid()}.json"
        settings.write_text(
            '{"network": {"allowedDomains": [], "deniedDomains": []},'
            ' "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}'
        )
        command = [srt, "--settings", str(settings), "-c", f"{PYTHON} -I -S -c '{PRINT}'"]
        if _works(command):
            peers["@anthropic-ai/sandbox-runtime"] = lambda: _output(command)
    return peers


def _works(words: list[str]) -> bool:
    try:
        return _output(words).strip().endswith("1")
    except (OSError, subprocess.CalledProcessError):
        return False


def _wait_until_idle(pid: int) -> None:
    """Until the supervisor is there and takes no more processor time."""
    before = -1.0
    while True:
        time.sleep(0.2)
        family = _family(pid)
        ticks = sum(sum(map(int, Path(f"/proc/{each}/stat").read_text().split()[13:15])) for each in family)
        python = any("python" in Path(f"/proc/{each}/comm").read_text() for each in family)
        if python and ticks == before:
            return
        before = ticks


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        for task in Path(f"/proc/{member}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _proportional_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
