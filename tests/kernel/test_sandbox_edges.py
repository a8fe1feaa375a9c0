"""At the edges of what a caller may ask: narrow filters, small limits, large input, and executors that are shared."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest

from sequester import IsolatedExecutor
from sequester.sandbox import local, staging
from sequester.sandbox.errors import InvalidRequest, SandboxUnavailable, TimedOut
from sequester.sandbox.executor import Options
from sequester.sandbox.guest import frames
from sequester.sandbox.interpreter import interpreter
from sequester.sandbox.seccomp_table import TO_START_A_PROGRAM
from sequester.sandbox.task import Limits

NO_ACCOUNT = 54_321

pytestmark = [pytest.mark.lane("kernel", "bwrap"), pytest.mark.xdist_group("sandbox")]


@pytest.fixture(scope="module")
def executor() -> Iterator[IsolatedExecutor]:
    with IsolatedExecutor.local() as made:
        yield made


@pytest.mark.parametrize("profile", ["default", "strict"])
def test_python_starts_under_the_narrowest_filter(executor: IsolatedExecutor, profile: str) -> None:
    ran = executor.run_untrusted_code("print('there'); result = 1", profile=profile, allowed_syscalls=[])
    assert (ran.value, ran.stdout, ran.stderr, list(ran.attempts)) == (1, "there\n", "", [])


def test_what_the_narrowest_filter_refuses_is_the_code_s_own_failure(executor: IsolatedExecutor) -> None:
    ran = executor.run_untrusted_code("open('/etc/passwd')", allowed_syscalls=[])
    assert ran.exit == 1
    assert "PermissionError: [Errno 1] Operation not permitted: '/etc/passwd'" in ran.stderr
    assert "supervisor" not in ran.stderr
    assert "openat" in {attempt.syscall for attempt in ran.attempts}


@pytest.mark.parametrize("missing", sorted(TO_START_A_PROGRAM))
def test_a_filter_too_narrow_for_any_program_is_refused_by_what_it_lacks(
    executor: IsolatedExecutor, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = TO_START_A_PROGRAM - {missing}
    with pytest.raises(InvalidRequest, match=f"without {missing}: add"):
        executor.run(["true"], allowed_syscalls=allowed)
    monkeypatch.setattr("sequester.sandbox.seccomp.missing_to_start", lambda *_: [])
    assert executor.run(["true"], allowed_syscalls=allowed).exit != 0, "it starts without: no need to ask for it"


def test_a_filter_just_wide_enough_starts_a_program(executor: IsolatedExecutor) -> None:
    assert executor.run(["true"], allowed_syscalls=TO_START_A_PROGRAM).exit == 0


@pytest.mark.parametrize("narrowed", [{"profile": "strict"}, {"allowed_syscalls": ["openat"]}, {}], ids=str)
def test_a_filter_without_execve_starts_no_program(executor: IsolatedExecutor, narrowed: Options) -> None:
    """`execve` is only looked at where it may go on: a supervisor that lets all go on would take away the filter."""
    code = "import posix\ntry: posix.execv('/bin/true', ['true'])\nexcept PermissionError: result = 'refused'"
    ran = executor.run_untrusted_code(code, **narrowed)
    (attempt,) = [event for event in ran.events if event.syscall == "execve"]
    assert (attempt.kind, attempt.detail) == ("exec", "/bin/true")
    assert (ran.value, attempt.action) == (("refused", "denied") if narrowed else (None, "observed"))


@pytest.mark.parametrize("allowed", [{"socketpair"}, {"socketpair", "sendto"}], ids=len)
def test_a_filter_without_sendto_sends_nothing(executor: IsolatedExecutor, allowed: set[str]) -> None:
    code = """
import _socket
one, other = _socket.socketpair()
try: result = one.send(b"x", _socket.MSG_NOSIGNAL)
except PermissionError: result = "refused"
"""
    needed = {"openat", "newfstatat", "getdents64", "pread64", "mprotect", "getsockname", "fcntl"}
    ran = executor.run_untrusted_code(code, allowed_syscalls=allowed | needed)
    assert ran.value == (1 if "sendto" in allowed else "refused"), ran.stderr


def test_the_environment_that_was_asked_for_is_the_code_s_too(executor: IsolatedExecutor) -> None:
    code = """
import os, subprocess
seen = subprocess.run(["env"], capture_output=True, text=True).stdout.split("\\n")
result = [os.environ["ASKED"], os.environ["HOME"], sorted(seen)]
"""
    for files in ({}, {"a": b""}):
        ran = executor.run_untrusted_code(code, environment={"ASKED": "für"}, files=files)
        asked, home, seen = cast("tuple[str, str, list[str]]", ran.value)
    assert (asked, home) == ("für", "/tmp")
    assert "ASKED=für" in seen
    by_program = executor.run(["env"], environment={"ASKED": "für"}).stdout.split("\n")
    assert seen == sorted(by_program)


def test_what_source_says_of_its_own_encoding_does_not_change_it(executor: IsolatedExecutor) -> None:
    assert executor.run_untrusted_code("# -*- coding: latin-1 -*-\nresult = 'é'").value == "é"


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, frames.MAX_FRAME_BYTES + 1])
def test_standard_input_of_any_size_arrives(executor: IsolatedExecutor, size: int) -> None:
    code = "import sys\nresult = 0\nwhile piece := sys.stdin.buffer.read(1 << 20): result += len(piece)"
    assert executor.run_untrusted_code(code, stdin=bytes(size), memory="1GiB").value == size


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_as_many_processes_as_were_given(processes: int) -> None:
    fork = """
import os, time
result = 1
try:
    while result < 20:
        if not os.fork():
            time.sleep(30)
        result += 1
except BlockingIOError:
    pass
"""
    with IsolatedExecutor.local(limits=Limits(processes=processes)) as executor:
        assert executor.run_untrusted_code(fork).value == processes


def test_a_caller_with_few_descriptors_is_served() -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "from sequester import IsolatedExecutor\n"
        "print(IsolatedExecutor.local().run_untrusted_code('result = 1').value)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


WITHOUT_DESCRIPTORS = """
import os, resource
from sequester import IsolatedExecutor
from sequester.sandbox import local
from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.task import Limits
with IsolatedExecutor.local() as once:
    once.run_untrusted_code("pass")
executor = IsolatedExecutor.local()
lowest = os.dup(0)
os.close(lowest)
sandbox = local.Sandbox(local.machine(), Limits())  # in its time there is enough: it must go when there is not
held = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, held[1]))
try:
    executor.run_untrusted_code("pass")
except SandboxUnavailable as error:
    print(error)
sandbox.close()
sandbox.gone()
print(os.path.exists(f"/proc/{sandbox.pid}"))
"""


def test_a_caller_without_descriptors_is_told_so() -> None:
    """In a process of its own: in this one, other runs that end give descriptors back meanwhile."""
    command = [sys.executable, "-c", WITHOUT_DESCRIPTORS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said, left = done.stdout.splitlines()
    assert "ulimit -n" in said
    assert left == "False"


def test_a_run_whose_supervisor_stands_still_timed_out(
    executor: IsolatedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sequester.sandbox.session.GRACE_SECONDS", 1.0)
    monkeypatch.setattr("sequester.sandbox.local.EXIT_SECONDS", 0.1)
    started: list[local.Sandbox] = []
    plain = local.converse
    monkeypatch.setattr(local, "converse", lambda sandbox, *rest: (started.append(sandbox), plain(sandbox, *rest))[1])

    def stop() -> None:
        while not started:
            time.sleep(0.01)
        outer = started[0].pid
        while not (inner := Path(f"/proc/{outer}/task/{outer}/children").read_text().split()):
            time.sleep(0.01)
        os.kill(int(inner[0]), signal.SIGSTOP)

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(TimedOut, match="3 s"):
        executor.run_untrusted_code("import time; time.sleep(60)", timeout=3)
    stopping.join()


def test_a_fork_of_the_caller_has_sandboxes_of_its_own() -> None:
    """Both have the pipes of those that were started ahead: used by both, one's result would be the other's."""
    with IsolatedExecutor.local(warm=2) as executor:
        while executor._backend.waiting() < 2:  # type: ignore[attr-defined]
            time.sleep(0.01)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.write(write, str(executor.run_untrusted_code("result = 'of the fork'").value).encode())
            for sandbox in executor._backend._waiting:  # type: ignore[attr-defined]
                sandbox.close()
            os._exit(0)
        assert os.read(read, 100) == b"of the fork"
        os.waitpid(child, 0)
        assert executor._backend.waiting() == 2  # type: ignore[attr-defined]
        assert [executor.run_untrusted_code(f"result = {n}").value for n in range(3)] == [0, 1, 2]


def test_closing_while_others_take() -> None:
    failed: list[BaseException] = []

    def take(executor: IsolatedExecutor) -> None:
        try:
            for _ in range(20):
                executor.run_untrusted_code("pass")
        except InvalidRequest:
            pass
        except BaseException as error:  # noqa: BLE001 (whatever else it is, it fails the test)
            failed.append(error)

    executor = IsolatedExecutor.local(warm=3)
    threads = [threading.Thread(target=take, args=(executor,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    executor.close()
    executor.close()
    for thread in threads:
        thread.join()
    assert failed == []


AS_A_USER_WITHOUT_HOME = """
import sys
sys.path.insert(0, sys.argv[1])
from sequester.sandbox.executor import IsolatedExecutor
print(IsolatedExecutor.local().run_untrusted_code("result = 1").value)
"""


@pytest.mark.parametrize("home", [{"HOME": "/nonexistent"}, {"XDG_CACHE_HOME": "/proc"}, {}], ids=str)
def test_an_ordinary_user_with_nowhere_to_write_is_served(home: dict[str, str]) -> None:
    """As installed by root, whose installer compiled nothing; the last user has no account, and so no home."""
    with TemporaryDirectory(prefix="sequester-") as directory:
        Path(directory).chmod(0o755)
        source = Path(local.__file__).parents[1]
        shutil.copytree(source, f"{directory}/sequester", ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["chmod", "-R", "a+rX", directory], check=True)
        done = subprocess.run(
            ["/usr/bin/python3", "-B", "-c", AS_A_USER_WITHOUT_HOME, directory],
            env={"PATH": "/usr/bin:/bin", **home},
            user=NO_ACCOUNT,
            group=NO_ACCOUNT,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_modules_that_no_user_can_be_given_are_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "reachable", lambda *_: False)
    monkeypatch.setattr(staging, "_cache_directory", lambda: Path("/proc/none"))
    with pytest.raises(SandboxUnavailable, match="XDG_CACHE_HOME"):
        staging.staged(interpreter(), 1000)


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/", "/sandbox", "/tmp", "usr"])
def test_a_bind_does_not_cover_what_is_the_sandbox_s_own(path: str) -> None:
    with pytest.raises(InvalidRequest, match="the sandbox's own"):
        IsolatedExecutor.local(binds=[path])


@pytest.mark.parametrize("program", ["/bin/true", "/bin/echo"])
def test_an_interpreter_that_is_none_is_said_so(program: str) -> None:
    with pytest.raises(SandboxUnavailable, match="is no Python"):
        IsolatedExecutor.local(interpreter=program)


TARGETS = """
import ctypes, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sockaddrs = [struct.pack("=H", 2) + struct.pack(">H", 1000 + n) + bytes([192, 0, 2, n]) + bytes(8) for n in (1, 2, 3)]
names = [ctypes.create_string_buffer(sockaddr, 16) for sockaddr in sockaddrs]
headers = b"".join(struct.pack("=QIIQQQQQQ", ctypes.addressof(n), 16, 0, 0, 0, 0, 0, 0, 0) for n in names)
libc.sendmmsg(udp.fileno(), headers, 3, 0)
libc.sendmmsg(udp.fileno(), headers, 2**31, 0)
libc.sendmmsg(udp.fileno(), ctypes.c_void_p(8), 3, 0)
"""


def test_every_address_of_a_call_is_in_the_events(executor: IsolatedExecutor) -> None:
    attempts = executor.run_untrusted_code(TARGETS).attempts
    sent = [attempt.target for attempt in attempts if attempt.syscall == "sendmmsg"]
    assert sent[:3] == ["192.0.2.1:1001", "192.0.2.2:1002", "192.0.2.3:1003"]
    assert len(sent) > 3, "the call with a count beyond all sense and that with no memory are seen too"


ADDRESSES = {
    "::ffff:192.0.2.1": "('::ffff:192.0.2.1', 443, 0, 0)",
    "fe80::1%3": "('fe80::1', 443, 0, 3)",
    "2001:db8::1": "('2001:db8::1', 443, 0, 0)",
}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("call", ["connect", "bind"])
def test_addresses_are_written_whole(executor: IsolatedExecutor, address: str, call: str) -> None:
    code = f"""
import socket
try: socket.socket(socket.AF_INET6).{call}({ADDRESSES[address]})
except PermissionError: result = "refused"
"""
    ran = executor.run_untrusted_code(code)
    (attempt,) = [attempt for attempt in ran.attempts if attempt.syscall == call]
    assert (ran.value, attempt.address, attempt.port, attempt.family) == ("refused", address, 443, "AF_INET6")


def test_an_abstract_name_is_written_to_its_end(executor: IsolatedExecutor) -> None:
    code = """
import socket
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
try: one.sendto(b"x", b"\\0first\\0second")
except PermissionError: result = "refused"
"""
    ran = executor.run_untrusted_code(code)
    (attempt,) = [attempt for attempt in ran.attempts if attempt.syscall == "sendto"]
    assert (ran.value, attempt.address) == ("refused", "@first@second")


SHORT = """
import ctypes, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
tcp = socket.socket()
whole = struct.pack("=H", 2) + struct.pack(">H", 443) + bytes([192, 0, 2, 7]) + bytes(8)
result = []
for length in (0, 1, 2, 4, 7, 8, 16, 128, 2**31 - 1, -1, -2**31):
    result.append([libc.connect(tcp.fileno(), whole, length), ctypes.get_errno()])
"""


def test_lengths_that_fit_no_address_are_refused_and_seen(executor: IsolatedExecutor) -> None:
    ran = executor.run_untrusted_code(SHORT)
    assert ran.value == [[-1, 1]] * 11
    seen = [attempt for attempt in ran.attempts if attempt.syscall == "connect" and not attempt.noise]
    assert sum(attempt.count for attempt in seen) == 11
    assert sum(attempt.count for attempt in seen if attempt.target == "192.0.2.7:443") == 4
