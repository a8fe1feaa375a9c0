"""The supervisor's events: one JSON object a line on standard error, in a fixed schema, at a bounded rate.

Every event has every key, null where it does not apply (docs/sandbox.md is made from KEYS). A storm costs
BURST lines and then one line a second for each distinct attempt, with its count.
"""

import time
from _json import encode_basestring_ascii as _quote  # the json package costs 5 ms to import

TYPE_CHECKING = False  # what type checkers know by this name; typing's own costs 5 ms

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION = 1

KEYS = {
    "sequester": "schema version, 1",
    "time": "UTC, RFC 3339 with microseconds",
    "run": "the run's id",
    "sequence": "1, 2, 3... within the run",
    "kind": "network, trace, namespace, kernel, memory, device, blind, supervisor, resource, foreign_abi,"
    " unlisted, exec, process_storm, memory_growth, result, end",
    "action": "denied; observed (exec, storms, growth); skipped (result files)",
    "syscall": "name; i386:<name> or x32:<name> for another system call table",
    "pid": "inside the sandbox",
    "exe": "what the process runs: untrusted, as it may be any file",
    "family": "AF_INET, AF_INET6, AF_UNIX...",
    "type": "SOCK_STREAM, SOCK_DGRAM, SOCK_RAW...",
    "address": "where it wanted to go: IP address, socket path (@ for abstract)",
    "port": "number",
    "name": "the name in a DNS query",
    "detail": "what else tells attempts apart: target pid, option, path of an exec (untrusted)",
    "noise": "true when libc itself does this at start (name service cache, interface list)",
    "count": "how often since the last line about the same attempt",
}

BURST_EVENTS = 64
REFILL_EVENTS_PER_SECOND = 16
FLUSH_SECONDS = 1.0
MAX_DISTINCT = 256
MAX_TEXT = 512
"""Characters of each text in an event: six times as long when escaped, a line is still one in a container's log."""

Fields = dict[str, str | int | float | bool | None]


def encode(fields: Fields) -> bytes:
    """A flat JSON object, ASCII only, so that no terminal or log reader is moved by what it quotes."""
    parts: list[str] = []
    for key, value in fields.items():
        if value is None:
            text = "null"
        elif value is True or value is False:
            text = "true" if value else "false"
        elif isinstance(value, str):
            text = _quote(value)
        else:
            text = repr(value)
        parts.append(f"{_quote(key)}:{text}")
    return ("{" + ",".join(parts) + "}").encode("ascii")


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339."""
    whole = time.gmtime(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", whole) + f".{int(seconds % 1 * 1_000_000):06d}Z"


class EventLog:
    """Attempts in, lines out through `write`, which must not block."""

    def __init__(self, run: str, write: "Callable[[bytes], None]") -> None:
        self._run = run
        self._write = write
        self._sequence = 0
        self._tokens = float(BURST_EVENTS)
        self._refilled = self._flushed = time.monotonic()
        self._held: dict[tuple[object, ...], tuple[Fields, int]] = {}

    @property
    def lines(self) -> int:
        """How many lines were written: the client waits for as many."""
        return self._sequence

    def record(self, fields: Fields) -> None:
        """One attempt: written at once while the rate allows, else counted."""
        fields = {name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in fields.items()}
        now = time.monotonic()
        self._tokens = min(BURST_EVENTS, self._tokens + (now - self._refilled) * REFILL_EVENTS_PER_SECOND)
        self._refilled = now
        key = tuple(fields.get(name) for name in ("kind", "syscall", "family", "address", "port", "name", "detail"))
        if key not in self._held and self._tokens >= 1:
            self._tokens -= 1
            self._emit(fields, 1)
            return
        if key not in self._held and len(self._held) >= MAX_DISTINCT:
            fields = {"kind": fields["kind"], "action": fields["action"], "detail": "further distinct attempts"}
            key = (fields["kind"], "further")
        first, count = self._held.get(key, (fields, 0))
        self._held[key] = (first, count + 1)
        if now - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was counted."""
        self._flushed = time.monotonic()
        held, self._held = self._held, {}
        for fields, count in held.values():
            self._emit(fields, count)

    @property
    def due(self) -> bool:
        return bool(self._held) and time.monotonic() - self._flushed >= FLUSH_SECONDS

    def _emit(self, fields: Fields, count: int) -> None:
        self._sequence += 1
        whole: Fields = dict.fromkeys(KEYS)
        whole.update(sequester=SCHEMA_VERSION, noise=False)
        whole.update(fields)
        whole.update(time=timestamp(time.time()), run=self._run, sequence=self._sequence, count=count)
        self._write(encode(whole) + b"\n")
