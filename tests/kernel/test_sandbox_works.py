"""What honest code does inside: Python's own tests, concurrency, data libraries, other languages, every way to call."""

import asyncio
import importlib.util
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequester import IsolatedExecutor
from sequester.sandbox.errors import InvalidRequest, SandboxUnavailable
from sequester.sandbox.task import Limits

pytestmark = [pytest.mark.lane("kernel", "bwrap"), pytest.mark.xdist_group("sandbox")]


@pytest.fixture(scope="module")
def executor() -> Iterator[IsolatedExecutor]:
    with IsolatedExecutor.local(limits=Limits(timeout_seconds=240, memory_bytes=1 << 30)) as made:
        yield made


CPYTHON_TESTS = [
    "json",
    "re",
    "itertools",
    "decimal",
    "sqlite3",
    "collections",
    "fractions",
    "heapq",
    "struct",
    "textwrap",
    "base64",
]
TIMED = b"def test_search_anchor_at_beginning"
"""It wants to be done in a tenth of a second: on a busy machine inside may be, and outside not."""


@pytest.fixture(scope="module")
def cpython_tests() -> dict[str, bytes]:
    """CPython's own tests, by path, as this interpreter has them; without the one that measures time."""
    found = importlib.util.find_spec("test")
    assert found and found.origin, "this Python came without its tests: use one that has them"
    root = Path(found.origin).parent
    wanted = [root / "__init__.py", *(root / "support").rglob("*.py")]
    for name in CPYTHON_TESTS:
        alone = root / f"test_{name}.py"
        wanted += [alone] if alone.exists() else (root / f"test_{name}").rglob("*.py")
    wanted += [root / extra for extra in ("list_tests.py", "seq_tests.py", "re_tests.py") if (root / extra).exists()]
    found = {f"test/{path.relative_to(root)}": path.read_bytes() for path in wanted}
    found["test/test_re.py"] = found["test/test_re.py"].replace(TIMED, b"def left_out")
    return found


def _outcome(report: str) -> tuple[list[str], list[str]]:
    """How many tests ran (nothing where the interpreter itself crashed), and those that failed."""
    lines = report.splitlines()
    ran = [line.split(" in ")[0] for line in lines if line.startswith("Ran ")]
    return ran, sorted(line for line in lines if line.startswith(("FAIL:", "ERROR:")))


@pytest.mark.parametrize("name", CPYTHON_TESTS)
def test_cpython_agrees(executor: IsolatedExecutor, cpython_tests: dict[str, bytes], name: str, tmp_path: Path) -> None:
    """CPython's tests end inside as they do outside, test by test (the system's release may differ from the tests')."""
    command = ["python3", "-m", "unittest", "-q", f"test.test_{name}"]
    inside = executor.run(command, files=cpython_tests, max_files=2000)
    for path, content in cpython_tests.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    outside = subprocess.run(
        ["/usr/bin/python3", *command[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert (inside.exit if inside.signal is None else -inside.signal) == outside.returncode
    assert _outcome(inside.stderr) == _outcome(outside.stderr)
    assert _outcome(inside.stderr)[0] != ["Ran 0 tests"]


WORKLOADS = {
    "asyncio": """
import asyncio
import importlib.util
async def one(n):
    await asyncio.sleep(0)
    return n * n
async def main():
    child = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    squares = await asyncio.gather(*map(one, range(5)))
    threaded = await asyncio.to_thread(sum, [1, 2])
    return [squares, said.decode(), threaded]
result = asyncio.run(main())
""",
    "multiprocessing": """
import multiprocessing
with multiprocessing.Pool(3) as pool:
    doubled = pool.map(abs, range(-9, 0))
ours, theirs = multiprocessing.Pipe()
child = multiprocessing.Process(target=lambda: theirs.send({"x": 1}))
child.start()
result = [doubled, ours.recv()]
child.join()
queue = multiprocessing.Queue(); queue.put(7); result.append(queue.get())
""",
    "subprocess": """
import subprocess
result = subprocess.run("echo $((6*7)) | tr 4 5", shell=True, capture_output=True, text=True).stdout
""",
    "threads": """
import concurrent.futures, queue, threading
q = queue.Queue()
threads = [threading.Thread(target=q.put, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    result = [sorted(q.queue), list(pool.map(str, range(3)))]
""",
    "processes by futures": """
import concurrent.futures
with concurrent.futures.ProcessPoolExecutor(2) as pool:
    result = list(pool.map(abs, [-1, -2]))
""",
    "files": """
import os, pathlib, shutil, tempfile, zipfile
with tempfile.TemporaryDirectory() as name:
    path = pathlib.Path(name, "a"); path.write_text("x"); shutil.copy2(path, name + "/b")
    with zipfile.ZipFile(name + "/z.zip", "w") as z: z.write(path, "a")
    shutil.move(name + "/b", "moved")
result = sorted(os.listdir("."))
""",
    "sqlite": """
import sqlite3
db = sqlite3.connect("x.db"); db.execute("create table t (a)")
db.executemany("insert into t values (?)", [(1,), (2,)]); db.commit()
result = db.execute("select sum(a) from t").fetchone()
""",
    "signals and time": """
import signal, time
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)
result = seen
""",
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_workload(executor: IsolatedExecutor, name: str) -> None:
    expected = {
        "asyncio": [[0, 1, 4, 9, 16], "hi\n", 3],
        "multiprocessing": [[9, 8, 7, 6, 5, 4, 3, 2, 1], {"x": 1}, 7],
        "subprocess": "52\n",
        "threads": [[0, 1, 2, 3, 4, 5, 6, 7], ["0", "1", "2"]],
        "processes by futures": [1, 2],
        "files": ["moved"],
        "sqlite": [3],
        "signals and time": [1],
    }
    result = executor.run_untrusted_code(WORKLOADS[name])
    assert result.value == expected[name], result.stderr
    assert list(result.attempts) == []


def _packages(*names: str) -> list[str]:
    """Where this environment's packages are, if the sandbox's Python can load them."""
    if sys.version_info[:2] != (3, 11) and sys.platform == "linux":
        return []
    root = Path(sysconfig.get_path("purelib"))
    return [str(root)] if all((root / name).is_dir() for name in names) else []


@pytest.fixture(scope="module")
def with_packages() -> Iterator[IsolatedExecutor]:
    binds = _packages("numpy", "pandas")
    limits = Limits(timeout_seconds=240, memory_bytes=1 << 30)
    try:
        made = IsolatedExecutor.local(binds=binds, limits=limits)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


def test_numpy_and_pandas(with_packages: IsolatedExecutor) -> None:
    code = f"""
import sys; sys.path[:0] = {_packages("numpy", "pandas")!r}
import numpy, pandas
frame = pandas.DataFrame({{"a": numpy.arange(5.0), "b": list("xyxyx")}})
ones = numpy.ones((300, 300))
result = [float(numpy.linalg.norm(ones @ ones)), frame.groupby("b").a.sum().to_dict()]
"""
    result = with_packages.run_untrusted_code(code)
    assert result.value == [90000.0, {"x": 6.0, "y": 4.0}], result.stderr
    assert list(result.attempts) == []


@pytest.mark.lane("kernel", "bwrap", "node")
def test_node(executor: IsolatedExecutor) -> None:
    script = """
const { execSync } = require('child_process');
const { Worker, isMainThread } = require('worker_threads');
console.log([1, 2, 3].map(x => x * x).join(), execSync('echo sub').toString().trim());
require('net').connect(443, '192.0.2.1').on('error', e => console.log(e.code));
"""
    result = executor.run(["node", "main.js"], files={"main.js": script})
    assert result.stdout == "1,4,9 sub\nEPERM\n", result.stderr
    assert [attempt.target for attempt in result.attempts] == ["192.0.2.1:443"]


@pytest.mark.lane("kernel", "bwrap", "gcc")
def test_gcc(executor: IsolatedExecutor) -> None:
    source = '#include <stdio.h>\nint main(void) { printf("%d\\n", 6 * 7); return 3; }\n'
    result = executor.run(["sh", "-c", "gcc -O1 -o /tmp/x x.c && /tmp/x"], files={"x.c": source})
    assert (result.stdout, result.exit) == ("42\n", 3), result.stderr


def test_a_program_by_shebang_and_by_the_loader_is_behind_the_same_filter(executor: IsolatedExecutor) -> None:
    tries = (
        "import socket\ntry: socket.create_connection(('192.0.2.1', 443))\nexcept PermissionError: print('refused')\n"
    )
    loader = next(path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if Path(path).exists())
    for command in (["./main.py"], [loader, "/usr/bin/python3", "main.py"]):
        result = executor.run(command, files={"main.py": f"#!/usr/bin/python3\n{tries}"})
        assert result.stdout == "refused\n", result.stderr
        assert [attempt.target for attempt in result.attempts] == ["192.0.2.1:443"]


def test_program_with_files_stdin_and_environment(executor: IsolatedExecutor) -> None:
    code = "import os, sys\nopen('out/x.txt', 'w').write(sys.stdin.read() + open('in/a').read() + os.environ['WHO'])\n"
    result = executor.run(
        ["python3", "main.py"],
        files={"main.py": code, "in/a": b"A", "out/.keep": b""},
        stdin="in ",
        environment={"WHO": "me"},
    )
    assert result.ok, result.stderr
    assert dict(result.files) == {"out/x.txt": b"in Ame"}


def test_large_input_and_output(executor: IsolatedExecutor) -> None:
    result = executor.run(["cat"], stdin=b"0123456789abcde\n" * (1 << 18), max_output="8MiB")
    assert len(result.stdout) == 4 << 20


def test_streaming(executor: IsolatedExecutor) -> None:
    seen: list[tuple[str, bytes]] = []
    executor.run_untrusted_code(
        "import sys, time\nprint('one', flush=True); time.sleep(0.05); print('two', file=sys.stderr, flush=True)",
        on_output=lambda stream, piece: seen.append((stream, piece)),
    )
    assert seen == [("stdout", b"one\n"), ("stderr", b"two\n")]


def test_missing_program_and_exit_statuses(executor: IsolatedExecutor) -> None:
    assert executor.run(["no-such-program"]).exit == 127
    assert executor.run(["/etc/passwd"]).exit == 126
    assert executor.run_untrusted_code("import sys; sys.exit(7)").exit == 7
    assert executor.run_untrusted_code("exit('bye')").stderr == "bye\n"
    assert executor.run_untrusted_code("1/0").exit == 1


def test_strict_computes_and_nothing_else(executor: IsolatedExecutor) -> None:
    good = executor.run_untrusted_code(
        "import json, statistics\nresult = statistics.mean(data)", [1, 2, 6], profile="strict"
    )
    assert good.value == 3
    for code in (
        "open('x', 'w')",
        "import os; os.fork()",
        "import socket; socket.socket()",
        "import os; os.listdir('/')",
    ):
        refused = executor.run_untrusted_code(code, profile="strict")
        assert refused.exit == 1
        assert refused.attempts


def test_narrowed_by_the_caller(executor: IsolatedExecutor) -> None:
    from sequester.sandbox import seccomp

    everything = {call for row in seccomp.DEFAULT for call in row.calls.split()}
    code = "import os\ntry: os.mkdir('x')\nexcept PermissionError: result = 'refused'\nelse: result = 'made'"
    assert executor.run_untrusted_code(code).value == "made"
    narrowed = executor.run_untrusted_code(code, allowed_syscalls=everything - {"mkdir", "mkdirat"})
    assert narrowed.value == "refused"
    assert {attempt.syscall for attempt in narrowed.attempts} <= {"mkdir", "mkdirat"}


def test_asynchronously(executor: IsolatedExecutor) -> None:
    async def both() -> list[object]:
        runs = [executor.run_untrusted_code_async("result = data", n) for n in range(3)]
        return [result.value for result in await asyncio.gather(*runs)]

    assert asyncio.run(both()) == [0, 1, 2]


def test_cancelled_runs_are_killed(executor: IsolatedExecutor) -> None:
    command = ["sleep", f"3571.{os.getpid()}"]  # nobody else's on this machine

    def is_there() -> bool:
        return subprocess.run(["pgrep", "-fx", " ".join(command)], capture_output=True, check=False).returncode == 0

    async def cancelled() -> None:
        run = asyncio.create_task(executor.run_async(command))
        while not is_there():
            await asyncio.sleep(0.02)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancelled())
    until = time.monotonic() + 60
    while is_there() and time.monotonic() < until:  # its supervisor ends it when it sees that its client is gone
        time.sleep(0.02)
    assert not is_there()


def test_warm_sandboxes_serve_once() -> None:
    with IsolatedExecutor.local(warm=2) as executor:
        for _ in range(5):
            result = executor.run_untrusted_code(
                "import os\nresult = os.path.exists('/tmp/seen')\nopen('/tmp/seen', 'w')"
            )
            assert result.value is False


def test_examples_of_bad_input(executor: IsolatedExecutor) -> None:
    for options, said in (
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"memory": "lots"}, "memory='lots'"),
        ({"memory": 1024}, "at least 32MiB"),
        ({"files": {"../x": b""}}, "'../x'"),
        ({"files": {"/x": b""}}, "'/x'"),
        ({"environment": {"a b": ""}}, "'a b'"),
        ({"profile": "none"}, "profile='none'"),
        ({"allowed_syscalls": ["opne"]}, "opne"),
        ({"run": "No Good"}, "run='No Good'"),
    ):
        with pytest.raises(InvalidRequest, match=said) as caught:
            executor.run_untrusted_code("pass", **options)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    with pytest.raises(InvalidRequest, match="list of words"):
        executor.run("ls -l")
    with pytest.raises(InvalidRequest, match="data: not JSON"):
        executor.run_untrusted_code("pass", {"x": float("nan")})
    with pytest.raises(InvalidRequest, match="door="):
        executor.fetch_external_data("https://example.com/")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from sequester.sandbox import local

    local.machine.cache_clear()
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap"):
        IsolatedExecutor.local()
    monkeypatch.undo()
    with pytest.raises(SandboxUnavailable, match="/no/python"):
        IsolatedExecutor.local(interpreter="/no/python")
    local.machine.cache_clear()


def test_closed(executor: IsolatedExecutor) -> None:
    with IsolatedExecutor.local() as once:
        pass
    with pytest.raises(InvalidRequest, match="closed"):
        once.run_untrusted_code("pass")
