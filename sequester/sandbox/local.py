"""Sandboxes on this machine: walls and one supervisor a run, cold or started ahead."""

import contextlib
import errno
import os
import secrets
import select
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sequester.sandbox import cgroup, tree
from sequester.sandbox.builders import Builder, builder
from sequester.sandbox.errors import InvalidRequest, SandboxUnavailable
from sequester.sandbox.interpreter import Interpreter, interpreter, reachable
from sequester.sandbox.result import Result
from sequester.sandbox.session import ERR, OUT, ChannelClosed, OnOutput, converse
from sequester.sandbox.staging import staged
from sequester.sandbox.task import Limits, Task

READ_BYTES = 1 << 18
EXIT_SECONDS = 5.0
RETRY_SECONDS = 1.0

# As root, each sandbox gets a user of its own that no account uses: what counts by user then counts by sandbox.
FIRST_UID, UIDS = 1_879_048_192, 1 << 27


@dataclass(frozen=True)
class Machine:
    """What sandboxes on this machine are made of."""

    builder: Builder
    guest: Path
    python: Interpreter
    binds: tuple[str, ...]
    cgroups: cgroup.Parents | None


class Sandbox:
    """One started supervisor, waiting for its one request: a session.Channel."""

    def __init__(self, machine: Machine, limits: Limits) -> None:
        self._cgroup: cgroup.Cgroup | None = None
        self._closed = False
        self._maker = os.getpid()
        self._teardown: Future[None] | None = None
        uid = FIRST_UID + secrets.randbelow(UIDS) if os.geteuid() == 0 else None
        try:
            if machine.cgroups:
                self._cgroup = cgroup.Cgroup(machine.cgroups, cgroup.new_name())
                self._cgroup.limit(limits)
            self._process = _launcher().submit(_launch, machine, limits, uid, self._cgroup).result()
        except OSError as error:
            self._discard_cgroup()
            mend = _MENDS.get(
                error.errno or 0, "have cgroups of this process's own, or none: then rlimits hold the run"
            )
            raise SandboxUnavailable(f"{error.filename or 'cgroup'}: {error.strerror}: {mend}") from None
        except BaseException:
            self._discard_cgroup()
            raise
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101 (PIPE was asked for)
        self._input = self._process.stdin
        self._poll = select.poll()
        self._streams = {self._process.stdout.fileno(): OUT, self._process.stderr.fileno(): ERR}
        for descriptor in self._streams:
            self._poll.register(descriptor, select.POLLIN)

    @property
    def pid(self) -> int:
        """Of what put the walls up, on this machine: the supervisor's parent."""
        return self._process.pid

    @property
    def enforcement(self) -> str:
        return f"cgroup v{self._cgroup.version}" if self._cgroup else "rlimits"

    @property
    def alive(self) -> bool:
        """Whether it may be used: by the process that made it only, as a fork of that has the same pipes."""
        return self._maker == os.getpid() and not self._closed and self._process.poll() is None

    def send(self, data: bytes) -> None:
        try:
            self._input.write(data)
            self._input.flush()
        except (BrokenPipeError, ValueError):
            raise ChannelClosed from None

    def receive(self, timeout_seconds: float) -> tuple[int, bytes] | None:
        if not self._streams:
            raise ChannelClosed
        for descriptor, _ in self._poll.poll(max(0, int(timeout_seconds * 1000))):
            piece = os.read(descriptor, READ_BYTES)
            if piece:
                return self._streams[descriptor], piece
            self._poll.unregister(descriptor)
            del self._streams[descriptor]
        if not self._streams:
            raise ChannelClosed
        return None

    def memory_exceeded(self, *, ended: bool) -> bool:
        return bool(self._cgroup and self._cgroup.memory_kills())

    def peak_memory_bytes(self) -> int | None:
        return self._cgroup.peak_memory_bytes() if self._cgroup else None

    def close(self) -> None:
        """Let it end. What is left of it goes away beside the caller; `gone` waits for that."""
        if self._closed or self._maker != os.getpid():
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._input.close()  # the supervisor leaves when it is acknowledged, and when its client is gone
        try:
            self._teardown = _reapers().submit(self._tear_down)
        except RuntimeError:  # the interpreter is ending, and takes no more work for threads
            self._tear_down()

    @property
    def leaving(self) -> bool:
        """Closed, but not gone yet or not to be got rid of."""
        return self._teardown is not None and (not self._teardown.done() or self._teardown.exception() is not None)

    def gone(self) -> None:
        """Wait until nothing is left of a closed sandbox; OSError when something stays."""
        if self._teardown:
            self._teardown.result()

    def _tear_down(self) -> None:
        if not self._ended(EXIT_SECONDS):
            self._process.send_signal(signal.SIGKILL)  # PID 1 dies with its parent, and all others with PID 1
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        self._discard_cgroup()

    def _ended(self, timeout_seconds: float) -> bool:
        # Popen.wait with a timeout sleeps and looks, which costs milliseconds.
        if self._process.returncode is not None:
            return True
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except OSError:  # no descriptor to be had: what was started must go all the same
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_seconds)
            return self._process.returncode is not None
        try:
            return bool(select.select([descriptor], [], [], timeout_seconds)[0])
        finally:
            os.close(descriptor)

    def _discard_cgroup(self) -> None:
        if self._cgroup:
            self._cgroup.remove()
            self._cgroup = None


def command(machine: Machine, limits: Limits) -> list[str]:
    """What starts a supervisor behind walls on this machine."""
    steps = tree.steps(machine.guest, machine.python, limits, machine.binds)
    return machine.builder.command(steps, machine.guest, machine.python)


def _launch(
    machine: Machine, limits: Limits, uid: int | None, group: cgroup.Cgroup | None
) -> "subprocess.Popen[bytes]":
    """A supervisor that waits for its request, in its cgroup before it has anything to run."""
    words = command(machine, limits)
    if group is None:
        return start(words, uid)
    with group.born_inside() as born:
        process = start(words, uid)
    if not born:
        group.add_family(process.pid)
    return process


def start(words: Sequence[str], uid: int | None) -> "subprocess.Popen[bytes]":
    """Start a sandbox as a user, with three pipes."""
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            cwd="/",
            env={},
        )
    except OSError as error:
        mend = _MENDS.get(error.errno or 0, "install bubblewrap (apt install bubblewrap)")
        raise SandboxUnavailable(f"{words[0]}: {error.strerror}: {mend}") from None


_MENDS = {
    errno.EMFILE: "this process may open no more files: raise its limit (ulimit -n), or run fewer at once",
    errno.ENFILE: "this machine may open no more files: raise fs.file-max",
    errno.EAGAIN: "this user may start no more processes: raise the limit (ulimit -u), or run fewer at once",
    errno.ENOMEM: "this machine has too little memory: run fewer at once",
}


@cache
def _launcher_of(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "sequester-launcher")


def _launcher() -> ThreadPoolExecutor:
    """The one thread that starts sandboxes: they die with the thread that started them (PR_SET_PDEATHSIG), so it must
    live as long as the process. One a process, so that a fork makes its own."""
    return _launcher_of(os.getpid())


REAPERS = 4


@cache
def _reapers_of(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(REAPERS, "sequester-reaper")


def _reapers() -> ThreadPoolExecutor:
    """Wait for what ended: mounts and processes take milliseconds to go, and a result need not wait for them."""
    return _reapers_of(os.getpid())


class LocalBackend:
    """Runs tasks in sandboxes on this machine; `warm` of them wait, started ahead, each for one use."""

    def __init__(self, *, interpreter_path: str, binds: Sequence[str], warm: int, limits: Limits) -> None:
        self._machine = machine(interpreter_path, tuple(binds))
        if self._machine.cgroups:
            cgroup.sweep(self._machine.cgroups)
        self._limits = limits
        self._closed = threading.Event()
        self._wanted = threading.Semaphore(0)
        self._waiting: deque[Sandbox] = deque()
        self._leaving: list[Sandbox] = []
        self._lock = threading.Lock()
        self._filler: threading.Thread | None = None
        if warm:
            self._filler = threading.Thread(target=self._fill, name="sequester-warm", daemon=True)
            self._filler.start()
            self._wanted.release(warm)

    def run(self, task: Task, on_output: OnOutput | None = None, stop: threading.Event | None = None) -> Result:
        if self._closed.is_set():
            raise InvalidRequest("the executor is closed: make a new one")
        # Built first: a task that cannot be sent must not leave a sandbox that waits for it.
        request = task.request(self._parameters(task), self._machine.python.path, tree.ENVIRONMENT)
        sandbox = self._take(task.limits) or Sandbox(self._machine, task.limits)
        try:
            return converse(sandbox, task, request, on_output, stop)
        finally:
            with self._lock:
                self._leaving = [*(other for other in self._leaving if other.leaving), sandbox]

    def _parameters(self, task: Task) -> dict[str, str]:
        """Where no cgroup holds the run to its memory, the supervisor does; beside it a hard stop for one process that
        grows faster than the supervisor looks."""
        if self._machine.cgroups:
            return {}
        return {"watch_memory": "1", "RLIMIT_DATA": str(2 * task.limits.memory_bytes)}

    def _take(self, limits: Limits) -> Sandbox | None:
        """A sandbox started ahead, if one waits and was started with the same mounts and limits."""
        if replace(limits, timeout_seconds=1) != replace(self._limits, timeout_seconds=1):
            return None
        while True:
            try:
                sandbox = self._waiting.popleft()
            except IndexError:
                return None
            self._wanted.release()
            if sandbox.alive:
                return sandbox
            sandbox.close()

    def _fill(self) -> None:
        while True:
            self._wanted.acquire()
            if self._closed.is_set():
                return
            try:
                self._waiting.append(Sandbox(self._machine, self._limits))
            except (OSError, SandboxUnavailable):  # a cold start will say why
                self._closed.wait(RETRY_SECONDS)
                self._wanted.release()

    def waiting(self) -> int:
        """How many sandboxes are ready."""
        return len(self._waiting)

    def close(self) -> None:
        self._closed.set()
        if self._filler:
            self._wanted.release()
            self._filler.join()
        ending: list[Sandbox] = []
        with contextlib.suppress(IndexError):  # one by one: runs in other threads take from it too
            while True:
                ending.append(self._waiting.popleft())
        for sandbox in ending:
            sandbox.close()
        with self._lock:
            ending += self._leaving
        for sandbox in ending:
            sandbox.gone()


@cache
def machine(interpreter_path: str = "", binds: tuple[str, ...] = ()) -> Machine:
    """What this machine offers; SandboxUnavailable says what is missing and how to get it."""
    walls = builder()
    python = interpreter(interpreter_path)
    uid = FIRST_UID if os.geteuid() == 0 else os.geteuid()
    for path in binds:
        if not Path(path).is_absolute() or os.path.normpath(path) in tree.OWN:
            raise InvalidRequest(f"binds: {path!r}: give absolute paths, none of which is the sandbox's own")
    for path in (*python.binds, *binds):
        try:
            Path(path).stat()
        except FileNotFoundError:
            raise InvalidRequest(f"binds: {path!r} does not exist: give directories of this machine") from None
        except OSError:
            pass  # `reachable` says so
        if not reachable(path, uid):
            raise SandboxUnavailable(
                f"{path}: sandboxes run as an ordinary user, who may not read it: use /usr/bin/python3 or open its"
                " directories (chmod o+rx)"
            )
    return Machine(walls, staged(python, uid), python, binds, cgroup.parents())
