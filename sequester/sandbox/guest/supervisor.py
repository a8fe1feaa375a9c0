"""Watches one run: reports each attempt, forwards its streams, holds it to its limits, sends results, ends.

Frames on standard output, events on standard error, requests on standard input (frames.py, events.py).
"""

import posix as os
import select
import time

from . import frames, kernel
from .events import EventLog, Fields, encode
from .files import collect
from .launch import Started
from .population import Population
from .request import WORK, Request
from .signals import signal
from .streams import Outbox, drain, read_some, readable, register

ACKNOWLEDGE_SECONDS = 10.0
NOTIFICATIONS_A_TURN = 64
MAX_SKIPPED_PATH = 400

EXITED, TIMED_OUT, OUTPUT, MEMORY, KILLED, LOST, REFUSED = (
    "exited",
    "timeout",
    "output",
    "memory",
    "killed",
    "lost",
    "refused",
)


def refuse(request: Request, buffer: frames.FrameBuffer, why: str) -> None:
    """Say that nothing was run, and why."""
    supervisor = Supervisor(request, buffer, None, {})
    supervisor.reason = REFUSED
    supervisor.end({"detail": why})


class Supervisor:
    """One run from its child's first step to the client's acknowledgement."""

    def __init__(
        self,
        request: Request,
        buffer: frames.FrameBuffer,
        started: "Started | None",
        given: dict[str, tuple[int, int]],
    ) -> None:
        os.set_blocking(0, False)
        self.request = request
        self.buffer = buffer
        self.given = given
        self.out, self.err = Outbox(1), Outbox(2)
        self.log = EventLog(request.run, self.err.put)
        self.population = Population(request.max_processes, request.memory_bytes, self.log, holds=request.watch_memory)
        self.started = time.monotonic()
        self.status: int | None = None
        self.reason = ""
        self.sent_bytes = 0
        self.value = b""
        self.stdin_ended = False
        self.child = started.pid if started else 0
        self.ended = started.ended if started else -1
        self.listener = started.listener if started else -1
        self.landlock = started.landlock if started else 0
        self.stdin = Outbox(started.stdin) if started else None
        self.sources = (
            {started.stdout: frames.STDOUT, started.stderr: frames.STDERR, started.result: frames.VALUE}
            if started
            else {}
        )
        self.poll = select.poll()
        for descriptor in self.sources:
            os.set_blocking(descriptor, False)
        for descriptor in (0, *self.sources, self.ended, self.listener):
            register(self.poll, descriptor, select.POLLIN)

    def serve(self, arrived: list[tuple[bytes, bytes]]) -> None:
        """Watch until the run is over, then send what it left. `arrived` are the frames that came with the request."""
        for kind, payload in arrived:
            self._control(kind, payload)
        while not self.reason:
            self._turn()
        self.end({})

    def end(self, more: Fields) -> None:
        """Kill what still runs, send what there is, and leave once the client has it."""
        self._kill_all()
        self._drain_pipes()
        self._finish(more)

    def _turn(self) -> None:
        left = self.started + self.request.timeout_seconds - time.monotonic()
        if left <= 0:
            self.reason = TIMED_OUT
            return
        self._want_writable()
        for descriptor, happened in self.poll.poll(int(min(self.population.tick_seconds, left) * 1000) + 1):
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
        if self.population.exceeded():
            self.reason = MEMORY
        if self.log.due:
            self.log.flush()
        if self.out.broken and not self.reason:
            self.reason = LOST

    def _want_writable(self) -> None:
        for outbox in (self.out, self.err):
            register(self.poll, outbox.descriptor, select.POLLOUT if outbox.waiting else 0)
        if self.stdin and not self.stdin.broken:
            register(self.poll, self.stdin.descriptor, select.POLLOUT if self.stdin.waiting else 0)
        for descriptor in self.sources:
            register(self.poll, descriptor, 0 if self.out.full else select.POLLIN)

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
            register(self.poll, self.stdin.descriptor, 0)
            self.stdin.close()

    def _answer_notifications(self, happened: int) -> None:
        if not happened & select.POLLIN:
            self.poll.unregister(self.listener)  # the last filtered process is gone
            return
        from . import notify  # so that code which tries nothing does not pay for it

        for _ in range(NOTIFICATIONS_A_TURN):
            caught = notify.receive(self.listener)
            if caught is not None:
                event, error, proceed = notify.judge(self.listener, caught, self.request)
                notify.answer(self.listener, caught, error, proceed=proceed)
                if event is not None:
                    for fields in (event, *({**event, **more} for more in caught.more)):
                        self.log.record(fields)
            if not readable(self.listener):
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
        left = self.request.max_output_bytes - self.sent_bytes
        found, skipped, over = collect(WORK, self.given, self.request.max_files, left)
        if over and self.reason == EXITED:
            self.reason = OUTPUT
        for path, content in found:
            self.out.put(frames.file_frame(frames.RESULT_FILE, path, content))
        for path, why in skipped:
            self.log.record({"kind": "result", "action": "skipped", "detail": f"{path[:MAX_SKIPPED_PATH]}: {why}"})

    def _ending(self) -> Fields:
        cpu_seconds, peak_process_bytes = kernel.children_usage()
        status = self.status or 0
        return {
            "reason": self.reason,
            "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "wall_seconds": round(time.monotonic() - self.started, 6),
            "cpu_seconds": round(cpu_seconds, 6),
            "peak_process_bytes": peak_process_bytes,
            "peak_memory_bytes": self.population.peak_memory_bytes,
            "peak_processes": self.population.peak_processes,
            "landlock": self.landlock,
            "events": self.log.lines,
        }

    def _flush_and_wait(self) -> None:
        """Leave once the client has all, or has gone, or takes too long."""
        until = time.monotonic() + ACKNOWLEDGE_SECONDS
        poll = select.poll()
        poll.register(0, select.POLLIN)
        acknowledged = False
        while not acknowledged and not self.out.broken and time.monotonic() < until:
            for outbox in (self.out, self.err):
                register(poll, outbox.descriptor, select.POLLOUT if outbox.waiting and not outbox.broken else 0)
            for descriptor, _ in poll.poll(int((until - time.monotonic()) * 1000) + 1):
                if descriptor:
                    (self.out if descriptor == 1 else self.err).flush()
                    continue
                data = read_some(0)
                acknowledged = data == b"" or any(
                    kind == frames.ACKNOWLEDGED for kind, _ in self.buffer.feed(data or b"")
                )
