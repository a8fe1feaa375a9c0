"""One run over a channel: the request out, frames and events in, a result or a typed error at the end."""

import json
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, cast

from sequester.sandbox.errors import (
    InvalidResult,
    MemoryExceeded,
    OutputTooLarge,
    RunFailed,
    SandboxLost,
    SandboxUnavailable,
    TimedOut,
)
from sequester.sandbox.guest import frames
from sequester.sandbox.result import Attempt, Json, Result, Usage, check_path, decode_json
from sequester.sandbox.task import Task

GRACE_SECONDS = 10.0
"""How much later than the supervisor the client ends an overdue run by itself."""

STOP_SECONDS = 0.1
"""How soon a cancelled run is killed."""

MAX_EVENT_BYTES = 64 << 10
OUT, ERR = 1, 2

OnOutput = Callable[[str, bytes], None]
"""Called with ``"stdout"`` or ``"stderr"`` and each piece as it arrives: bytes from untrusted code."""


class ChannelClosed(Exception):  # noqa: N818
    """The sandbox's side ended."""


class Channel(Protocol):
    """Bytes to and from one supervisor."""

    def send(self, data: bytes) -> None:
        """All of `data`; ChannelClosed when the sandbox is gone."""
        ...

    def receive(self, timeout_seconds: float) -> tuple[int, bytes] | None:
        """(OUT or ERR, a piece); None when nothing came in time; ChannelClosed at the end of both streams."""
        ...

    def close(self) -> None:
        """End the sandbox, whatever its state, and leave nothing of it. Twice is once."""
        ...

    @property
    def enforcement(self) -> str: ...

    def memory_exceeded(self, *, ended: bool) -> bool:
        """Whether the kernel killed for the memory limit, by its own count. `ended`: the supervisor could say."""
        ...

    def peak_memory_bytes(self) -> int | None:
        """The kernel's own measure, where it keeps one."""
        ...


@dataclass
class _Gathered:
    buffer: frames.FrameBuffer = field(default_factory=frames.FrameBuffer)
    event_buffer: bytearray = field(default_factory=bytearray)
    output: dict[bytes, bytearray] = field(
        default_factory=lambda: {frames.STDOUT: bytearray(), frames.STDERR: bytearray()}
    )
    value: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    events: list[Attempt] = field(default_factory=list[Attempt])
    foreign: list[str] = field(default_factory=list[str])
    ending: dict[str, Json] | None = None
    overdue: bool = False


def converse(
    channel: Channel,
    task: Task,
    request: bytes,
    on_output: OnOutput | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Run `task` over `channel`, which is closed at the end; `stop` kills it. RunFailed and SandboxUnavailable."""
    gathered = _Gathered()
    try:
        gathered.overdue = not _exchange(channel, task, request, gathered, on_output, stop)
        return _conclude(channel, task, gathered)
    finally:
        channel.close()


def _exchange(
    channel: Channel,
    task: Task,
    request: bytes,
    gathered: _Gathered,
    on_output: OnOutput | None,
    stop: threading.Event | None,
) -> bool:
    """False when the run's time was over and its supervisor did not say so."""
    with suppress(ChannelClosed):  # what it said before it left is still to be read
        channel.send(request)
    deadline = time.monotonic() + task.limits.timeout_seconds + GRACE_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        if stop and stop.is_set():
            return True
        try:
            arrived = channel.receive(min(left, STOP_SECONDS) if stop else left)
        except ChannelClosed:
            return True
        if arrived is None:
            continue
        source, piece = arrived
        if source == OUT:
            _take_frames(gathered, piece, on_output)
        else:
            _take_events(gathered, piece)
        if gathered.ending is not None and len(gathered.events) >= cast(int, gathered.ending["events"]):
            with suppress(ChannelClosed):
                channel.send(frames.frame(frames.ACKNOWLEDGED))
            return True
    return False


def _take_frames(gathered: _Gathered, piece: bytes, on_output: OnOutput | None) -> None:
    try:
        arrived = gathered.buffer.feed(piece)
    except frames.MalformedFrameError as error:
        raise SandboxUnavailable(f"the sandbox does not speak frames ({error}): is its image ours?") from None
    for kind, payload in arrived:
        if kind in gathered.output:
            gathered.output[kind] += payload
            if on_output:
                on_output("stdout" if kind == frames.STDOUT else "stderr", payload)
        elif kind == frames.VALUE:
            gathered.value = payload
        elif kind == frames.RESULT_FILE:
            (length,) = struct.unpack_from(">H", payload)
            gathered.files[_path(payload[2 : 2 + length])] = payload[2 + length :]
        elif kind == frames.EXIT:
            gathered.ending = cast(dict[str, Json], json.loads(payload))


def _path(raw: bytes) -> str:
    try:
        return check_path(raw.decode())
    except ValueError as error:
        raise SandboxUnavailable(
            f"the sandbox sends what its supervisor never would ({error}): is its image ours?"
        ) from None


_ATTEMPT_FIELDS = frozenset(entry.name for entry in fields(Attempt))


def _take_events(gathered: _Gathered, piece: bytes) -> None:
    gathered.event_buffer += piece
    while (end := gathered.event_buffer.find(b"\n")) >= 0:
        line = bytes(gathered.event_buffer[:end])
        del gathered.event_buffer[: end + 1]
        event = parse_event(line)
        if event is None:
            gathered.foreign.append(line.decode(errors="replace"))
        else:
            gathered.events.append(event)
    if len(gathered.event_buffer) > MAX_EVENT_BYTES:
        raise SandboxUnavailable("the sandbox's event stream is not lines: is its image Sequester's?")


def parse_event(line: bytes) -> Attempt | None:
    """A line of the supervisor's as an Attempt; None for any other text (bubblewrap's own complaints)."""
    if not line.startswith(b'{"sequester":'):
        return None
    found = cast(dict[str, Json], json.loads(line))
    return Attempt(**cast(dict[str, Any], {key: value for key, value in found.items() if key in _ATTEMPT_FIELDS}))


def _conclude(channel: Channel, task: Task, gathered: _Gathered) -> Result:
    ending = gathered.ending or {}
    if gathered.event_buffer:
        gathered.foreign.append(gathered.event_buffer.decode(errors="replace"))
    if ending.get("reason") == "refused" or (not ending and not gathered.events and gathered.foreign):
        said = ending.get("detail") or " ".join(gathered.foreign)
        raise SandboxUnavailable(f"the sandbox did not start: {said}")
    exceeded = channel.memory_exceeded(ended=bool(ending))
    result = _result(channel, task, gathered, ending)
    limits = task.limits
    reason = ending.get("reason")
    if exceeded or reason == "memory":
        raise MemoryExceeded(f"more than {limits.memory_bytes >> 20} MiB: raise memory=, or use less", result)
    if reason == "timeout" or (gathered.overdue and not reason):
        raise TimedOut(f"still running after {limits.timeout_seconds:g} s: raise timeout=, or do less", result)
    if reason == "output":
        raise OutputTooLarge(
            f"more than {limits.max_output_bytes} bytes of output or {limits.max_files} files:"
            " raise max_output= or max_files=, or write less",
            result,
        )
    if reason != "exited":
        said = f" ({' '.join(gathered.foreign)})" if gathered.foreign else ""
        raise SandboxLost(f"the sandbox went away before the run's end{said}: run it again", result)
    if gathered.value:
        result = _with_value(result, gathered.value)
    return result


def _result(channel: Channel, task: Task, gathered: _Gathered, ending: dict[str, Json]) -> Result:
    number = {key: value for key, value in ending.items() if isinstance(value, int | float)}
    status, signal = ending.get("exit"), ending.get("signal")
    measured = channel.peak_memory_bytes()
    sampled = int(max(number.get("peak_memory_bytes", 0), number.get("peak_process_bytes", 0)))
    return Result(
        exit=status if isinstance(status, int) else None,
        signal=signal if isinstance(signal, int) else None,
        stdout=gathered.output[frames.STDOUT].decode(errors="replace"),
        stderr=gathered.output[frames.STDERR].decode(errors="replace"),
        files=gathered.files,
        attempts=[event for event in gathered.events if event.action == "denied" and not event.noise],
        events=gathered.events,
        usage=Usage(
            wall_seconds=float(number.get("wall_seconds", 0)),
            cpu_seconds=float(number.get("cpu_seconds", 0)),
            peak_memory_bytes=sampled if measured is None else measured,
            peak_processes=int(number.get("peak_processes", 0)),
            enforcement=channel.enforcement,
            landlock=int(number.get("landlock", 0)),
        ),
        run=task.run,
    )


def _with_value(result: Result, raw: bytes) -> Result:
    try:
        return replace(result, value=decode_json(raw))
    except ValueError as error:
        raise InvalidResult(f"result: not strict JSON ({error}): let the code assign `result` once", result) from None


__all__ = ["Channel", "ChannelClosed", "OnOutput", "RunFailed", "converse", "parse_event"]
