"""Bombs, floods and forgeries: each ends the run or comes to nothing, by name, and the agent is not moved."""

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from sequester import IsolatedExecutor
from sequester.sandbox import builders, cgroup, local
from sequester.sandbox.errors import (
    InvalidRequest,
    InvalidResult,
    MemoryExceeded,
    OutputTooLarge,
    SandboxUnavailable,
    TimedOut,
)
from sequester.sandbox.guest.events import MAX_TEXT
from sequester.sandbox.report import attempts_table
from sequester.sandbox.task import Limits

pytestmark = [pytest.mark.lane("kernel", "bwrap"), pytest.mark.xdist_group("sandbox")]


@pytest.fixture(scope="module")
def executor() -> Iterator[IsolatedExecutor]:
    limits = Limits(timeout_seconds=20, memory_bytes=64 << 20, processes=24, disk_bytes=8 << 20)
    with IsolatedExecutor.local(limits=limits) as made:
        yield made


GROW = "kept = []\nwhile True: kept.append(bytearray(1 << 20))"
GROW_IN_FORKS = """
import os, time
for _ in range(12):
    if not os.fork():
        kept = bytearray(os.urandom(1)) * (20 << 20)
        time.sleep(20)
while not os.WIFSIGNALED(os.wait()[1]): pass
"""
GROW_SHARED = "import mmap\nm = mmap.mmap(-1, 256 << 20)\nfor i in range(0, 256 << 20, 4096): m[i] = 1"


@pytest.mark.parametrize("code", [GROW, GROW_IN_FORKS, GROW_SHARED], ids=["one", "forks", "shared"])
def test_memory(executor: IsolatedExecutor, code: str) -> None:
    with pytest.raises(MemoryExceeded, match="64 MiB") as caught:
        executor.run_untrusted_code(code)
    assert caught.value.result.value is None


def test_memory_within_the_limit_is_not_exceeded(executor: IsolatedExecutor) -> None:
    assert executor.run_untrusted_code("x = bytearray(30 << 20); result = len(x)").value == 30 << 20


def test_exit_137_is_not_a_memory_kill(executor: IsolatedExecutor) -> None:
    assert executor.run_untrusted_code("import os; os._exit(137)").exit == 137
    assert executor.run_untrusted_code("import os; os.kill(os.getpid(), 9)").signal == 9


def test_memory_without_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    local.machine.cache_clear()
    monkeypatch.setattr(cgroup, "parents", lambda: None)
    try:
        with IsolatedExecutor.local(limits=Limits(memory_bytes=64 << 20, timeout_seconds=20)) as executor:
            assert executor.run_untrusted_code("pass").usage.enforcement == "rlimits"
            for code in (GROW_IN_FORKS, "x = [bytearray(os.urandom(1)) * (8 << 20) for _ in range(12)]"):
                with pytest.raises(MemoryExceeded):
                    executor.run_untrusted_code("import os, time\n" + code + "\ntime.sleep(20)")
    finally:
        local.machine.cache_clear()


def test_memory_where_processes_are_moved_into_their_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with cgroup v2, where a thread cannot start them inside: PID 1 is in before it has anything to run."""
    if not cgroup.parents():
        return
    monkeypatch.setattr(cgroup.Cgroup, "born_inside", lambda _: contextlib.nullcontext(enter_result=False))
    with IsolatedExecutor.local(limits=Limits(memory_bytes=64 << 20, timeout_seconds=20)) as executor:
        for code in (GROW, GROW_IN_FORKS):
            with pytest.raises(MemoryExceeded):
                executor.run_untrusted_code(code)


def test_walls_that_cannot_be_put_up_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bubblewrap, one step fails: nothing runs, and the layer is said."""
    machine = local.machine()
    setpriv, unshare = shutil.which("setpriv"), shutil.which("unshare")
    assert setpriv
    assert unshare
    broken = [word if word != "/sandbox" else "/proc/no/such" for word in local.command(machine, Limits())]
    steps = broken[broken.index("--uid") : broken.index("--")]
    words = builders.Unshare(setpriv, unshare).command(steps, machine.guest, machine.python)
    monkeypatch.setattr(local, "command", lambda *_: words)
    with IsolatedExecutor.local() as executor, pytest.raises(SandboxUnavailable, match="sequester: mounts: "):
        executor.run_untrusted_code("pass")


FORK_BOMB = """
import os, time
made = 0
try:
    while made < 500:
        if not os.fork():
            time.sleep(20)
            os._exit(0)
        made += 1
except OSError as error:
    time.sleep(2)  # the supervisor looks ten times a second, if it can
    result = [made, error.errno]
"""
THREAD_BOMB = """
import threading, time
stop = threading.Event()
made = 0
try:
    while made < 500:
        threading.Thread(target=stop.wait, daemon=True).start()
        made += 1
except RuntimeError:
    result = [made, 11]
stop.set()
"""


@pytest.mark.parametrize("code", [FORK_BOMB, THREAD_BOMB], ids=["fork", "thread"])
def test_process_bomb(executor: IsolatedExecutor, code: str) -> None:
    result = executor.run_untrusted_code(code)
    assert result.value is not None, result.stderr
    made, error = result.value  # type: ignore[misc]
    assert made < 24  # type: ignore[operator]
    assert error == 11
    if code is FORK_BOMB:
        assert [event.detail for event in result.events if event.kind == "process_storm"]


@pytest.mark.parametrize("where", ["/sandbox", "/tmp", "/dev/shm"])
def test_disk_bomb(executor: IsolatedExecutor, where: str) -> None:
    code = f"""
import os
written = 0
try:
    for number in range(64):
        with open("{where}/f%d" % number, "wb") as file:
            written += file.write(bytes(1 << 20))
except OSError as error:
    result = [written >> 20, error.errno]
for name in os.listdir("{where}"): os.unlink("{where}/" + name)
"""
    written, error = executor.run_untrusted_code(code).value  # type: ignore[misc]
    assert written <= 16  # type: ignore[operator]
    assert error == 28


@pytest.mark.parametrize(
    "code",
    [
        "while True: print('x' * 65536)",
        "import sys\nwhile True: sys.stderr.write('x' * 65536)",
        "result = 'x' * (2 << 20)",
        "open('big', 'wb').write(bytes(2 << 20))",
        "import os\nos.truncate(open('sparse', 'wb').name, 7 << 20)",
        "for n in range(300): open('f%d' % n, 'w').close()",
        "import os\nwhile True: os.write(3, b'1' * 65536)",
    ],
    ids=["stdout", "stderr", "value", "file", "sparse file", "many files", "result pipe"],
)
def test_output_flood(executor: IsolatedExecutor, code: str) -> None:
    with pytest.raises(OutputTooLarge) as caught:
        executor.run_untrusted_code(code, max_output="1MiB")
    kept = caught.value.result
    assert len(kept.stdout) + len(kept.stderr) + sum(map(len, kept.files.values())) <= 1 << 20


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "import time; time.sleep(60)", "import os\nos.fork()\nwhile True: pass", "input(); input()"],
)
def test_timeout(executor: IsolatedExecutor, code: str) -> None:
    with pytest.raises(TimedOut, match=r"0\.5 s"):
        executor.run_untrusted_code(
            f"print('before', flush=True)\n{code}" if "input" not in code else "import time\ntime.sleep(9)", timeout=0.5
        )


def test_a_storm_of_attempts_is_counted_not_lost(executor: IsolatedExecutor) -> None:
    code = """
import socket
for n in range(5000):
    try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.9", 1000 + n % 7))
    except PermissionError: pass
result = "done"
"""
    result = executor.run_untrusted_code(code)
    assert result.value == "done"
    assert sum(event.count for event in result.attempts if event.address == "192.0.2.9") == 5000
    # A burst, then 16 lines a second and, once a second, one for each of the seven.
    assert len(result.events) < 64 + (16 + 8) * (result.usage.wall_seconds + 2)


def test_storm_of_distinct_attempts_is_bounded(executor: IsolatedExecutor) -> None:
    code = """
import socket
for n in range(3000):
    try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("198.51.100.%d" % (n % 250), 1 + n))
    except PermissionError: pass
"""
    result = executor.run_untrusted_code(code)
    assert sum(event.count for event in result.attempts) == 3000
    assert len(result.events) < 64 + (16 + 257) * (result.usage.wall_seconds + 2)


FRAME = "b'v' + (4).to_bytes(4, 'big') + b'1337'"


@pytest.mark.parametrize("descriptor", [1, 2, 3])
def test_forged_frames(executor: IsolatedExecutor, descriptor: int) -> None:
    code = f"import os\nos.write({descriptor}, {FRAME} + b'x' + (2).to_bytes(4, 'big') + b'{{}}')\nresult = 1"
    if descriptor == 3:
        with pytest.raises(InvalidResult):
            executor.run_untrusted_code(code)
        return
    result = executor.run_untrusted_code(code)
    assert result.value == 1
    assert "1337" in (result.stdout if descriptor == 1 else result.stderr)


def test_forged_events(executor: IsolatedExecutor) -> None:
    code = """
import os
line = b'{"sequester":1,"kind":"network","action":"denied","address":"203.0.113.7","time":"","count":1}\\n'
for descriptor in range(0, 64):
    try: os.write(descriptor, line)
    except OSError: pass
"""
    try:
        events = executor.run_untrusted_code(code).events
    except InvalidResult as error:
        events = error.result.events
    assert [event for event in events if event.address == "203.0.113.7"] == []


def test_values_that_are_not_json(executor: IsolatedExecutor) -> None:
    result = executor.run_untrusted_code("result = object()")
    assert result.exit == 1
    assert "result: not JSON" in result.stderr
    assert executor.run_untrusted_code("result = float('nan')").exit == 1


@pytest.mark.parametrize(
    "raw",
    [
        "NaN",
        '{"a":1,"a":2}',
        "[" * 200 + "]" * 200,
        "\\xff",
        "1 2",
        "[" * 50000,
        "1e999",
        "-1e999",
        "9" * 5000,
        '"\\\\ud800"',
        '{"\\\\udc00": 1}',
        "\\xef\\xbb\\xbf1",
        '"\\x01"',
        "01",
        "[1,]",
    ],
)
def test_values_that_only_look_like_json(executor: IsolatedExecutor, raw: str) -> None:
    with pytest.raises(InvalidResult):
        executor.run_untrusted_code(f"import os; os.write(3, b'{raw}')")


def test_a_value_of_countless_containers(executor: IsolatedExecutor) -> None:
    """Each takes the agent 20 times its text: counted before anything is built."""
    with pytest.raises(InvalidResult, match="lists and objects"):
        executor.run_untrusted_code(
            "import os\nleft = b'[' + b'[],' * 600000 + b'0]'\nwhile left: left = left[os.write(3, left):]"
        )
    text = executor.run_untrusted_code("result = '[' * 600000")
    assert text.value == "[" * 600000


def test_frames_at_every_offset_are_text(executor: IsolatedExecutor) -> None:
    code = f"""
import os
frame = {FRAME}
for at in range(64):
    os.write(1, b'.' * at + frame[at % len(frame):] + frame)
result = 1
"""
    result = executor.run_untrusted_code(code)
    assert result.value == 1
    assert result.stdout.count("1337") >= 64


LEFT = {
    "an unreadable directory": ("os.mkdir('d'); open('d/f', 'w').close(); os.chmod('d', 0)", {"d"}),
    "a directory that cannot be entered": ("os.mkdir('d'); open('d/f', 'w').close(); os.chmod('d', 0o400)", {"d/f"}),
    "an unreadable file": ("open('f', 'w').close(); os.chmod('f', 0)", {"f"}),
    "a path longer than any": (
        "n = 'n' * 250\nfor _ in range(30): os.mkdir(n); os.chdir(n)\nopen('deep', 'w').close(); os.chdir('/sandbox')",
        {"/".join(["n" * 250] * 5)},
    ),
    "directories without end": (
        "for _ in range(60): os.mkdir('d'); os.chdir('d')\nos.chdir('/sandbox')",
        {"/".join(["d"] * 33)},
    ),
    "a name that turns text around": ("open('a\u202eb', 'w').close()", {"'a\\u202eb'"}),
    "a name of two lines": ("open('a\\nb', 'w').close()", {"'a\\nb'"}),
    "a name that is no text": ("open(b'\\xff\\xfe', 'w').close()", {"'\\udcff\\udcfe'"}),
}


@pytest.mark.parametrize("name", LEFT)
def test_odd_things_left_are_named_and_the_rest_comes(executor: IsolatedExecutor, name: str) -> None:
    code, skipped = LEFT[name]
    result = executor.run_untrusted_code(f"import os\nopen('good', 'w').write('x')\n{code}\nresult = 1")
    assert result.value == 1, result.stderr
    assert dict(result.files) == {"good": b"x"}
    named = {event.detail.rpartition(": ")[0] for event in result.events if event.kind == "result" and event.detail}
    assert {name[:400] for name in named} == {name[:400] for name in skipped}


def test_the_working_directory_itself_is_shut(executor: IsolatedExecutor) -> None:
    result = executor.run_untrusted_code("import os\nopen('f', 'w').close(); os.chmod('/sandbox', 0); result = 1")
    assert (result.value, dict(result.files)) == (1, {})


def test_a_million_names_are_not_read(executor: IsolatedExecutor) -> None:
    """As many as fit in a second; links, so that no limit on files counts them."""
    code = "import os\nfor n in range(4000): os.symlink('x', 'l%d' % n)"
    with pytest.raises(OutputTooLarge):
        executor.run_untrusted_code(code)


def test_events_are_short_whatever_they_quote(executor: IsolatedExecutor) -> None:
    """A container runtime cuts log lines at 16 KiB: none may be longer (containerd, pkg/cri/io)."""
    code = "import os\ntry: os.execv('/' + '\\x01' * 4000, ['x'])\nexcept OSError: result = 1"
    result = executor.run_untrusted_code(code)
    (seen,) = [event for event in result.events if event.kind == "exec"]
    assert seen.detail
    assert len(seen.detail) <= MAX_TEXT


@pytest.mark.parametrize("threads", [1, 6])
def test_a_storm_does_not_outlast_the_time(executor: IsolatedExecutor, threads: int) -> None:
    code = f"""
import socket, threading
def storm():
    while True:
        try: socket.socket(socket.AF_UNIX)
        except PermissionError: pass
for _ in range({threads} - 1): threading.Thread(target=storm, daemon=True).start()
storm()
"""
    with pytest.raises(TimedOut) as caught:
        executor.run_untrusted_code(code, timeout=2)
    assert sum(event.count for event in caught.value.result.attempts) > 100


def test_every_family_and_type_by_number(executor: IsolatedExecutor) -> None:
    """What the table of techniques names singly, all of them: 46 families, 16 types, by socket and by socketpair."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
made, pairs = [], []
for family in range(46):
    for kind in range(16):
        fd = libc.socket(family, kind, 0)
        if fd >= 0: made.append([family, kind]); os.close(fd)
        ends = (ctypes.c_int * 2)()
        if libc.socketpair(family, kind, 0, ends): continue
        pairs.append([family, kind]); os.close(ends[0]); os.close(ends[1])
result = [made, pairs]
"""
    result = executor.run_untrusted_code(code)
    assert result.value is not None, result.stderr
    made, pairs = result.value  # type: ignore[misc]
    assert made == [[2, 1], [2, 2], [10, 1], [10, 2]]
    assert {family for family, _ in pairs} == {1}  # type: ignore[union-attr, misc]
    assert sum(event.count for event in result.events if event.action == "denied") == 2 * 46 * 16 - 4 - 16


def test_no_core_reaches_a_handler_of_the_host(executor: IsolatedExecutor) -> None:
    """At 1 the kernel starts no handler that core_pattern names; at 0 it would, and so it may not be lowered."""
    code = """
import resource
held = resource.getrlimit(resource.RLIMIT_CORE)
try: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (OSError, ValueError): result = list(held)
"""
    assert executor.run_untrusted_code(code).value == [1, 1]


def test_links_are_not_followed_into_results(executor: IsolatedExecutor, tmp_path: Path) -> None:
    code = """
import os
os.symlink("/etc/passwd", "link")
os.symlink("/", "root")
os.makedirs("real")
os.symlink("../..", "real/up")
open("plain", "w").write("mine")
os.link("plain", "hard")
os.mkfifo("fifo")
open("bad\\x1bname", "w").write("x")
"""
    result = executor.run_untrusted_code(code)
    assert dict(result.files) == {"plain": b"mine", "hard": b"mine"}
    skipped = {event.detail.split(":")[0] for event in result.events if event.kind == "result" and event.detail}
    assert {"link", "root", "real/up", "fifo", "'bad\\x1bname'"} <= skipped
    assert sorted(path.name for path in result.save(tmp_path)) == ["hard", "plain"]


def test_saving_leads_nowhere_else(executor: IsolatedExecutor, tmp_path: Path) -> None:
    result = executor.run_untrusted_code("import os; os.mkdir('d'); open('d/f', 'w').write('x')")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "d").symlink_to(outside)
    with pytest.raises(InvalidRequest, match="leads out"):
        result.save(tmp_path / "into")
    assert list(outside.iterdir()) == []


def test_terminal_codes_do_not_reach_the_reader(executor: IsolatedExecutor) -> None:
    code = r"""
import os, shutil, socket, subprocess
shutil.copy("/usr/bin/python3", "evil\x1b]0;pwned\x07")
subprocess.run(["./evil\x1b]0;pwned\x07", "-c", "import socket; socket.socket(1,1)"])
"""
    result = executor.run_untrusted_code(code)
    screen = io.StringIO()
    Console(file=screen, width=200, force_terminal=True).print(attempts_table(result.events))
    assert "pwned" in screen.getvalue()
    assert "\x1b]0;" not in screen.getvalue()
    assert "\x07" not in screen.getvalue()


SLEEP = ["sleep", f"30.{os.getpid()}"]  # nobody else's on this machine


@pytest.mark.parametrize(
    "code",
    [
        "if not os.fork():\n  os.setsid()\n  if not os.fork():\n    time.sleep(30)\n  os._exit(0)",
        f"subprocess.Popen({SLEEP!r}, start_new_session=True)",
        "signal.signal(15, signal.SIG_IGN)\nif not os.fork(): time.sleep(30)",
    ],
    ids=["double fork", "new session", "ignores signals"],
)
def test_nothing_outlives_the_run(executor: IsolatedExecutor, code: str) -> None:
    result = executor.run_untrusted_code(f"import os, time, subprocess, signal\n{code}\nresult = 'left'", timeout=15)
    assert result.value == "left"
    assert result.usage.wall_seconds < 15
    assert not subprocess.run(["pgrep", "-fx", " ".join(SLEEP)], capture_output=True, check=False).stdout


@pytest.mark.parametrize(
    "signal", ["SIGKILL", "SIGTERM", "SIGINT", "SIGSTOP", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGPIPE"]
)
def test_signals_do_not_move_the_supervisor(executor: IsolatedExecutor, signal: str) -> None:
    code = f"""
import os, signal, time
for target in (1, -1):
    try: os.kill(target, signal.{signal}) if target == 1 else None
    except OSError: pass
result = "alive"
"""
    assert executor.run_untrusted_code(code).value == "alive"


def test_the_address_may_change_while_it_is_read(executor: IsolatedExecutor) -> None:
    """A thread flips the sockaddr between two addresses: whichever the supervisor saw, none is connected to."""
    code = """
import ctypes, socket, struct, threading
libc = ctypes.CDLL(None, use_errno=True)
address = ctypes.create_string_buffer(struct.pack("=HH4s8x", 2, socket.htons(9), socket.inet_aton("192.0.2.1")))
stop = False
def flip():
    while not stop:
        for last in (b"\\x01", b"\\x02"): address[7] = last
thread = threading.Thread(target=flip); thread.start()
refused = 0
for _ in range(300):
    s = socket.socket()
    refused += libc.connect(s.fileno(), address, 16) == -1 and ctypes.get_errno() == 1
    s.close()
stop = True; thread.join()
result = refused
"""
    result = executor.run_untrusted_code(code)
    assert result.value == 300
    assert sum(event.count for event in result.attempts) == 300
    assert {event.address for event in result.attempts} <= {"192.0.2.1", "192.0.2.2"}


def test_an_unreadable_address_is_still_an_event(executor: IsolatedExecutor) -> None:
    code = "import ctypes, socket\nctypes.CDLL(None).connect(socket.socket().fileno(), ctypes.c_void_p(16), 16)"
    (attempt,) = executor.run_untrusted_code(code).attempts
    assert (attempt.syscall, attempt.detail) == ("connect", "address not readable")


def test_root_is_not_root_inside(executor: IsolatedExecutor) -> None:
    result = executor.run_untrusted_code("import os; result = [os.getuid(), open('/proc/self/status').read()]")
    uid, status = result.value  # type: ignore[misc]
    assert uid == 1000
    fields = dict(line.split(":", 1) for line in str(status).splitlines())
    assert {fields[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Seccomp"].strip() == "2"


@pytest.mark.lane("kernel", "root", "bwrap")
def test_as_root_each_sandbox_has_a_user_of_its_own() -> None:
    started = [local.Sandbox(local.machine(), Limits()) for _ in range(2)]
    try:
        users = [Path(f"/proc/{sandbox.pid}/status").read_text().split("Uid:")[1].split()[:4] for sandbox in started]
    finally:
        for sandbox in started:
            sandbox.close()
    assert len({*users[0], *users[1], "0"}) == 3
