"""PID 1 of a sandbox: takes one request, runs it behind every wall, reports each attempt, sends results, ends.

Frames on standard output, events on standard error, requests on standard input (frames.py, events.py). It makes itself
unreadable first; its child is of the same uid, and is kept from its limits, priority and signals by the filter, by
Landlock and by being PID 1.
"""

import os
import select
import sys
import time

from . import child, frames, kernel
from .events import EventLog, Fields, encode
from .request import WORK, BadRequestError, Request
from .signals import signal
from .streams import Outbox, drain, read_some

TICK_MILLISECONDS = 100
WATCH_MILLISECONDS = 20  # where the supervisor itself enforces the memory limit
ACKNOWLEDGE_SECONDS = 10.0
FLUSH_SECONDS = 10.0
NOTIFICATIONS_A_TURN = 64
STORM_FRACTION = 0.8
PAGE_BYTES = os.sysconf("SC_PAGESIZE")

EXITED, TIMED_OUT, OUTPUT, MEMORY, KILLED, LOST, REFUSED = (
    "exited",
    "timeout",
    "output",
    "memory",
    "killed",
    "lost",
    "refused",
)


def main() -> None:
    """Serve one run on the standard descriptors."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    # PID 1 takes from inside its namespace only signals that it handles: handle none.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.set_blocking(0, False)
    Supervisor().serve()
    os._exit(0)  # nothing is left to be done, and an interpreter's end takes 2 ms


class Supervisor:
    """One run from request to acknowledgement."""

    def __init__(self) -> None:
        self.request = Request()
        self.buffer = frames.FrameBuffer()
        self.out, self.err = Outbox(1), Outbox(2)
        self.poll = select.poll()
        self.poll.register(0, select.POLLIN)
        self.log = EventLog("", self.err.put)
        self.child = 0
        self.ended = -1
        self.status: int | None = None
        self.reason = ""
        self.listener = -1
        self.landlock = 0
        self.sources: dict[int, bytes] = {}
        self.stdin: Outbox | None = None
        self.stdin_ended = False
        self.sent_bytes = 0
        self.value = b""
        self.given: dict[str, tuple[int, int]] = {}
        self.peak_processes = 0
        self.peak_memory_bytes = 0
        self.started = 0.0
        self.sampled = 0.0
        self.noted: set[str] = set()

    def serve(self) -> None:
        later = self._wait_for_request()
        if later is None:
            return
        self.log = EventLog(self.request.run, self.err.put)
        try:
            self.request.check()
            self._place_files()
            self._start()
        except (BadRequestError, OSError) as error:
            self.reason = REFUSED
            self._kill_all()
            self._finish({"detail": f"{type(error).__name__}: {error}"})
            return
        for kind, payload in later:
            self._control(kind, payload)
        for module in ("resource", f"{__package__}.collect"):
            __import__(module)  # what the end needs, loaded while the child begins
        while not self.reason:
            self._turn()
        self._kill_all()
        self._drain_pipes()
        self._finish({})

    def _wait_for_request(self) -> list[tuple[bytes, bytes]] | None:
        """Frames after GO; None when the client left before."""
        while True:
            self.poll.poll()
            data = read_some(0)
            if data == b"":
                return None
            arrived = self.buffer.feed(data or b"")
            for index, (kind, payload) in enumerate(arrived):
                if kind == frames.GO:
                    return arrived[index + 1 :]
                self.request.take(kind, payload)

    def _place_files(self) -> None:
        for path, mode, content in self.request.files:
            whole = f"{WORK}/{path}"
            os.makedirs(os.path.dirname(whole), exist_ok=True)  # noqa: PTH103, PTH120 (pathlib costs 5 ms)
            descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(descriptor, view) :]
                status = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            self.given[path] = (status.st_size, status.st_mtime_ns)

    def _start(self) -> None:
        """Fork the child behind its walls and take the listener; OSError when a wall did not take."""
        stdin, stdout, stderr, result, announce, start = (os.pipe() for _ in range(6))
        self.started = time.monotonic()
        self.sampled = self.started
        self.child = os.fork()
        if not self.child:
            ends = (stdin[0], stdout[1], stderr[1], result[1], announce[1], start[0])
            _become_child(self.request, ends)
        for end in (stdin[0], stdout[1], stderr[1], result[1], announce[1], start[0]):
            os.close(end)
        said = os.read(announce[0], 64).split()
        os.close(announce[0])
        if len(said) == 2:
            self.listener = kernel.take_descriptor(self.child, int(said[0]))
            self.landlock = int(said[1])
            os.write(start[1], b".")
        os.close(start[1])
        for descriptor, kind in ((stdout[0], frames.STDOUT), (stderr[0], frames.STDERR), (result[0], frames.VALUE)):
            os.set_blocking(descriptor, False)
            self.sources[descriptor] = kind
            self.poll.register(descriptor, select.POLLIN)
        self.stdin = Outbox(stdin[1])
        self.ended = os.pidfd_open(self.child)
        self.poll.register(self.ended, select.POLLIN)
        if self.listener >= 0:
            self.poll.register(self.listener, select.POLLIN)
        elif not said:
            reason = b"".join(iter(lambda: os.read(stderr[0], 4096), b"")) if _ended(self.child) else b""
            raise OSError(0, reason.decode(errors="replace").strip() or "the child ended before its walls stood")

    def _turn(self) -> None:
        tick = WATCH_MILLISECONDS if self.request.watch_memory else TICK_MILLISECONDS
        left = self.started + self.request.timeout_seconds - time.monotonic()
        if left <= 0:
            self.reason = TIMED_OUT
            return
        self._want_writable()
        for descriptor, happened in self.poll.poll(min(tick, int(left * 1000) + 1)):
            if descriptor == 0:
                self._read_control()
            elif descriptor == self.listener:
                self._answer_notifications(happened)
            elif descriptor in self.sources:
                self._forward(descriptor)
            elif self.stdin and descriptor == self.stdin.descriptor:
                self._feed_stdin()
            elif descriptor != self.ended:
                (self.out if descriptor == 1 else self.err).flush()
        self._reap()
        if time.monotonic() - self.sampled >= tick / 1000:
            self._sample()
        if self.log.due:
            self.log.flush()
        if self.out.broken and not self.reason:
            self.reason = LOST

    def _want_writable(self) -> None:
        for outbox in (self.out, self.err):
            _register(self.poll, outbox.descriptor, select.POLLOUT if outbox.waiting else 0)
        if self.stdin and not self.stdin.broken:
            _register(self.poll, self.stdin.descriptor, select.POLLOUT if self.stdin.waiting else 0)
        for descriptor in self.sources:
            _register(self.poll, descriptor, 0 if self.out.full else select.POLLIN)

    def _read_control(self) -> None:
        data = read_some(0)
        if data == b"":
            self.reason = LOST
            return
        try:
            for kind, payload in self.buffer.feed(data or b""):
                self._control(kind, payload)
        except frames.MalformedFrameError:
            self.reason = LOST

    def _control(self, kind: bytes, payload: bytes) -> None:
        if kind == frames.KILL:
            self.reason = KILLED
        elif kind == frames.STDIN and self.stdin:
            if payload:
                self.stdin.put(payload)
            else:
                self.stdin_ended = True
            self._feed_stdin()

    def _feed_stdin(self) -> None:
        if not self.stdin or self.stdin.descriptor < 0:
            return
        self.stdin.flush()
        if self.stdin.broken or (self.stdin_ended and not self.stdin.waiting):
            _register(self.poll, self.stdin.descriptor, 0)
            self.stdin.close()

    def _answer_notifications(self, happened: int) -> None:
        from . import notify

        if not happened & select.POLLIN:
            self.poll.unregister(self.listener)  # the last filtered process is gone
            return
        for _ in range(NOTIFICATIONS_A_TURN):
            caught = notify.receive(self.listener)
            if caught is not None:
                event, error, proceed = notify.judge(self.listener, caught, self.request.kinds)
                notify.answer(self.listener, caught, error, proceed=proceed)
                if event is not None:
                    self.log.record(event)
            if not _readable(self.listener):
                return

    def _forward(self, descriptor: int) -> None:
        data = read_some(descriptor)
        if data:
            self._send(self.sources[descriptor], data)
        elif data == b"":
            self.poll.unregister(descriptor)
            del self.sources[descriptor]
            os.close(descriptor)

    def _send(self, kind: bytes, data: bytes) -> None:
        left = self.request.max_output_bytes - self.sent_bytes
        if len(data) > left:
            self.reason = OUTPUT
            data = data[:left]
        self.sent_bytes += len(data)
        if kind == frames.VALUE:
            self.value += data
        elif data:
            self.out.put(frames.frame(kind, data))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid, status = 0, 0
                if self.status is None and not self.reason:
                    self.reason = EXITED
            if not pid:
                return
            if pid == self.child:
                self.status = status
                self.reason = self.reason or EXITED

    def _sample(self) -> None:
        """Storms and growth; and the memory limit itself where no cgroup holds it."""
        self.sampled = time.monotonic()
        limit = self.request.memory_bytes
        processes, memory = _population()
        self.peak_processes = max(self.peak_processes, processes)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        if processes >= STORM_FRACTION * self.request.max_processes:
            self._note("process_storm", f"{processes} processes of {self.request.max_processes}")
        if memory >= STORM_FRACTION * limit:
            self._note("memory_growth", f"{memory} bytes of {limit}")
            if self.request.watch_memory and memory > limit and _proportional_memory() > limit:
                self.reason = MEMORY

    def _note(self, kind: str, detail: str) -> None:
        if kind not in self.noted:
            self.noted.add(kind)
            self.log.record({"kind": kind, "action": "observed", "detail": detail})

    def _kill_all(self) -> None:
        while True:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                return
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            if pid == self.child and self.status is None:
                self.status = status

    def _drain_pipes(self) -> None:
        for descriptor, kind in self.sources.items():
            drain(descriptor, lambda data, kind=kind: self._send(kind, data))

    def _finish(self, more: Fields) -> None:
        if self.reason != REFUSED:
            self._send_files()
        if self.value and self.reason == EXITED:
            self.out.put(frames.frame(frames.VALUE, self.value))
        self.log.flush()
        self.log.record({"kind": "end", "action": "observed", "detail": self.reason})
        self.log.flush()
        self.out.put(frames.frame(frames.EXIT, encode({**self._ending(), **more})))
        self._flush_and_wait()

    def _send_files(self) -> None:
        from .collect import collect

        left = self.request.max_output_bytes - self.sent_bytes
        found, skipped, over = collect(WORK, self.given, self.request.max_files, left)
        if over and self.reason == EXITED:
            self.reason = OUTPUT
        for path, content in found:
            self.out.put(frames.file_frame(frames.RESULT_FILE, path, content))
        for path, why in skipped:
            self.log.record({"kind": "result", "action": "skipped", "detail": f"{path}: {why}"})

    def _ending(self) -> Fields:
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        status = self.status or 0
        return {
            "reason": self.reason,
            "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "wall_seconds": round(time.monotonic() - self.started, 6) if self.started else 0.0,
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 6),
            "peak_process_bytes": used.ru_maxrss * 1024,
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_processes": self.peak_processes,
            "landlock": self.landlock,
            "events": self.log.lines,
        }

    def _flush_and_wait(self) -> None:
        """Leave once the client has all, or has gone, or takes too long."""
        until = time.monotonic() + FLUSH_SECONDS
        poll = select.poll()
        poll.register(0, select.POLLIN)
        acknowledged = False
        while not acknowledged and not self.out.broken and time.monotonic() < until:
            for outbox in (self.out, self.err):
                _register(poll, outbox.descriptor, select.POLLOUT if outbox.waiting and not outbox.broken else 0)
            for descriptor, _ in poll.poll(int((until - time.monotonic()) * 1000) + 1):
                if descriptor:
                    (self.out if descriptor == 1 else self.err).flush()
                    continue
                data = read_some(0)
                acknowledged = data == b"" or any(
                    kind == frames.ACKNOWLEDGED for kind, _ in self.buffer.feed(data or b"")
                )


def _become_child(request: Request, ends: tuple[int, ...]) -> None:
    """In the fork: never returns."""
    try:
        os.setsid()
        high = [os.dup2(end, 64 + index, inheritable=True) for index, end in enumerate(ends)]
        for index, end in enumerate(high):
            os.dup2(end, index, inheritable=index < 3)
        os.closerange(len(ends), 1 << 20)
        os.chdir(WORK)
        child.enter(request)
    except BaseException as error:  # noqa: BLE001 (nothing may run past a wall that does not stand)
        os.write(2, f"{type(error).__name__}: {error}".encode())
        os._exit(70)
    if request.arguments:
        os._exit(child.run_program(request))
    child.finish(child.run_code(request))


def _register(poll: "select.poll", descriptor: int, wanted: int) -> None:
    if descriptor < 0:
        return
    if wanted:
        poll.register(descriptor, wanted)
        return
    try:
        poll.unregister(descriptor)
    except KeyError:
        return


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(happened & select.POLLIN for _, happened in poll.poll(0))


def _ended(pid: int) -> bool:
    return os.waitpid(pid, 0)[0] == pid


def _population() -> tuple[int, int]:
    """(processes besides this one, their resident bytes), as cheaply as that can be had."""
    processes = memory = 0
    own = os.getpid()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit() or int(name) == own:
            continue
        try:
            with open(f"/proc/{name}/statm", "rb") as statm:  # noqa: PTH123
                memory += int(statm.read().split()[1]) * PAGE_BYTES
        except OSError:
            continue
        processes += 1
    return processes, memory


def _proportional_memory() -> int:
    """Resident bytes with shared pages counted once: exact, but dear."""
    total = 0
    own = os.getpid()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit() or int(name) == own:
            continue
        try:
            with open(f"/proc/{name}/smaps_rollup", "rb") as rollup:  # noqa: PTH123
                total += sum(int(line.split()[1]) << 10 for line in rollup if line.startswith(b"Pss:"))
        except OSError:
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
