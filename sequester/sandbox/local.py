"""Sandboxes on this machine: one bubblewrap and one supervisor a run, cold or started ahead."""

import contextlib
import hashlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sequester.sandbox import bubblewrap, cgroup
from sequester.sandbox.errors import InvalidRequest, SandboxUnavailable
from sequester.sandbox.interpreter import Interpreter, interpreter, reachable
from sequester.sandbox.result import Result
from sequester.sandbox.session import ERR, OUT, ChannelClosed, OnOutput, converse
from sequester.sandbox.task import Limits, Task

READ_BYTES = 1 << 18
EXIT_SECONDS = 5.0

# As root, each sandbox gets a user of its own that no account uses: what counts by user then counts by sandbox.
FIRST_UID, UIDS = 1_879_048_192, 1 << 27

GUEST_SOURCE = Path(__file__).parent / "guest"


@dataclass(frozen=True)
class Machine:
    """What sandboxes on this machine are made of."""

    bwrap: str
    guest: Path
    python: Interpreter
    binds: tuple[str, ...]
    cgroups: cgroup.Parents | None


class Sandbox:
    """One started supervisor, waiting for its one request: a session.Channel."""

    def __init__(self, machine: Machine, limits: Limits) -> None:
        self._cgroup: cgroup.Cgroup | None = None
        self._closed = False
        uid = FIRST_UID + secrets.randbelow(UIDS) if os.geteuid() == 0 else None
        try:
            if machine.cgroups:
                self._cgroup = cgroup.Cgroup(machine.cgroups, cgroup.new_name())
                self._cgroup.limit(limits)
            self._process = _launcher().submit(_launch, machine, limits, uid, self._cgroup).result()
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
        """Of bubblewrap, on this machine."""
        return self._process.pid

    @property
    def enforcement(self) -> str:
        return f"cgroup v{self._cgroup.version}" if self._cgroup else "rlimits"

    @property
    def alive(self) -> bool:
        return not self._closed and self._process.poll() is None

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
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._input.close()  # the supervisor leaves when it is acknowledged, and when its client is gone
        if not self._ended(EXIT_SECONDS):
            self._process.send_signal(signal.SIGKILL)  # PID 1 dies with bubblewrap, and all others with PID 1
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        self._discard_cgroup()

    def _ended(self, timeout_seconds: float) -> bool:
        # Popen.wait with a timeout sleeps and looks, which costs milliseconds.
        if self._process.returncode is not None:
            return True
        descriptor = os.pidfd_open(self._process.pid)
        try:
            return bool(select.select([descriptor], [], [], timeout_seconds)[0])
        finally:
            os.close(descriptor)

    def _discard_cgroup(self) -> None:
        if self._cgroup:
            self._cgroup.remove()
            self._cgroup = None


def _launch(
    machine: Machine, limits: Limits, uid: int | None, group: cgroup.Cgroup | None
) -> "subprocess.Popen[bytes]":
    """A supervisor that waits for its request, in its cgroup before it has anything to run."""

    def words(info: int | None) -> list[str]:
        return bubblewrap.arguments(machine.bwrap, machine.guest, machine.python, limits, machine.binds, info)

    if group is None:
        return start(words(None), uid)
    with group.born_inside() as born:
        if born:
            return start(words(None), uid)
    reading, writing = os.pipe()
    try:
        try:
            process = start(words(writing), uid, writing)
        finally:
            os.close(writing)
        said = b"".join(iter(lambda: os.read(reading, 4096), b""))
    finally:
        os.close(reading)
    if said:  # else bubblewrap ended: what it said comes with the streams
        with contextlib.suppress(ProcessLookupError):
            group.add(int(json.loads(said)["child-pid"]))
    return process


def start(words: Sequence[str], uid: int | None, info: int | None = None) -> "subprocess.Popen[bytes]":
    """Start bubblewrap as a user, with three pipes."""
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if info is None else (info,),
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            cwd="/",
            env={},
        )
    except OSError as error:
        raise SandboxUnavailable(f"{words[0]}: {error.strerror}: install bubblewrap (apt install bubblewrap)") from None


@cache
def _launcher_of(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "sequester-launcher")


def _launcher() -> ThreadPoolExecutor:
    """The one thread that starts sandboxes: they die with the thread that started them (PR_SET_PDEATHSIG), so it must
    live as long as the process. One a process, so that a fork makes its own."""
    return _launcher_of(os.getpid())


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
        self._filler: threading.Thread | None = None
        if warm:
            self._filler = threading.Thread(target=self._fill, name="sequester-warm", daemon=True)
            self._filler.start()
            self._wanted.release(warm)

    def run(self, task: Task, on_output: OnOutput | None = None, stop: threading.Event | None = None) -> Result:
        if self._closed.is_set():
            raise InvalidRequest("the executor is closed: make a new one")
        sandbox = self._take(task.limits) or Sandbox(self._machine, task.limits)
        watch = sandbox.enforcement == "rlimits"
        parameters = {"watch_memory": "1"} if watch else {}
        if watch:
            # A hard stop beside the supervisor's measurement, for one process that grows faster than it looks.
            parameters["RLIMIT_DATA"] = str(2 * task.limits.memory_bytes)
        request = task.request(parameters, self._machine.python.path, bubblewrap.ENVIRONMENT)
        return converse(sandbox, task, request, on_output, stop)

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
            except (OSError, SandboxUnavailable):
                return  # a cold start will say why

    def waiting(self) -> int:
        """How many sandboxes are ready."""
        return len(self._waiting)

    def close(self) -> None:
        self._closed.set()
        if self._filler:
            self._wanted.release()
            self._filler.join()
        while self._waiting:
            self._waiting.popleft().close()


@cache
def machine(interpreter_path: str = "", binds: tuple[str, ...] = ()) -> Machine:
    """What this machine offers; SandboxUnavailable says what is missing and how to get it."""
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise SandboxUnavailable("no bwrap on PATH: install bubblewrap (apt install bubblewrap)")
    python = interpreter(interpreter_path)
    uid = FIRST_UID if os.geteuid() == 0 else os.geteuid()
    for path in (*python.binds, *binds):
        if not Path(path).exists():
            raise InvalidRequest(f"binds: {path!r} does not exist: give directories of this machine")
        if not reachable(path, uid):
            raise SandboxUnavailable(
                f"{path}: sandboxes run as an ordinary user, who may not read it: use /usr/bin/python3 or open its"
                " directories (chmod o+rx)"
            )
    return Machine(bwrap, _guest(python, uid), python, binds, cgroup.parents())


def _guest(python: Interpreter, uid: int) -> Path:
    """The guest's modules, compiled, where the sandbox's user may read them: in place, else in the system's cache."""
    if reachable(str(GUEST_SOURCE), uid) and _compiled(GUEST_SOURCE, python):
        return GUEST_SOURCE
    sources = sorted(path for path in GUEST_SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()[:16]
    kept = _cache_directory() / digest / "guest"
    if not kept.is_dir():
        fresh = kept.parent.with_name(f"{digest}.{secrets.token_hex(4)}")
        shutil.copytree(GUEST_SOURCE, fresh / "guest", ignore=shutil.ignore_patterns("__pycache__"))
        _open_to_all(fresh)
        with contextlib.suppress(OSError):
            fresh.rename(kept.parent)
        shutil.rmtree(fresh, ignore_errors=True)
    _compiled(kept, python)
    _open_to_all(kept)
    return kept


def _cache_directory() -> Path:
    """Root's is the system's, which other users may read; a user's own sandboxes are the user's."""
    if os.geteuid() == 0:
        return Path("/var/cache/sequester")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sequester"


def _open_to_all(directory: Path) -> None:
    for path in [directory.parent, directory, *directory.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _compiled(guest: Path, python: Interpreter) -> bool:
    """Compile the modules for the sandbox's interpreter, which could not keep what it compiles (10 ms a start).

    False where nothing may be written and they are not compiled.
    """

    def stale() -> bool:
        for source in guest.glob("*.py"):
            compiled = guest / "__pycache__" / f"{source.stem}.{python.cache_tag}.pyc"
            if not compiled.is_file() or compiled.stat().st_mtime < source.stat().st_mtime:
                return True
        return False

    if stale():
        command = [python.executable, "-I", "-m", "compileall", "-q", "-f", str(guest)]
        subprocess.run(command, capture_output=True, check=False)
    return not stale()
