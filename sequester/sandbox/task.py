"""What to run, within which limits: checked once, then the same frames for every backend."""

import json
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import cast

from sequester.sandbox import seccomp
from sequester.sandbox.errors import InvalidRequest
from sequester.sandbox.guest import frames
from sequester.sandbox.result import MAX_PATH_BYTES, Json, check_path

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]i?B|B)?", re.ASCII)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
MIN_MEMORY_BYTES = 32 << 20  # what an interpreter needs to say that it has not enough
MAX_TIMEOUT_SECONDS = 24 * 3600.0
MAX_BYTES = 1 << 50
"""More is none: the kernel reads larger numbers as small ones."""
MAX_COUNT = 1 << 22
"""Of processes and open files: what Linux has at most of either."""
_PAGE_BYTES = 4096
_STDIN_PIECE_BYTES = 1 << 20


def size_bytes(name: str, value: int | str) -> int:
    """``"256MiB"``, ``"1.5 GB"`` or a number of bytes, as bytes; InvalidRequest names the argument otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = float(match[1]) * _UNITS[match[2] or "B"] if match else 0
    if not 1 <= size <= MAX_BYTES:
        raise InvalidRequest(f"{name}={str(value)[:40]!r}: give bytes, or text such as '256MiB'")
    return int(size)


def utf_8(name: str, value: object) -> bytes:
    """The text as it crosses the boundary; InvalidRequest for what is no text, or half of a surrogate pair."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name}: {type(value).__name__} is no text: give a str")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name}: text with half of a surrogate pair: give whole characters, or bytes") from None


@dataclass(frozen=True)
class Limits:
    """Of one run. Sizes in bytes."""

    timeout_seconds: float = 60.0
    memory_bytes: int = 512 << 20
    processes: int = 128
    """Processes and threads."""
    disk_bytes: int = 64 << 20
    """Of the working directory, and of /tmp, each."""
    max_output_bytes: int = 16 << 20
    """Standard output, standard error, value and files together."""
    max_files: int = 256
    open_files: int = 1024

    def __post_init__(self) -> None:
        seconds = cast(object, self.timeout_seconds)
        if not _is_number(seconds, int | float) or not 0 < self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            raise InvalidRequest(f"timeout={_shown(seconds)}: give seconds, up to {MAX_TIMEOUT_SECONDS:.0f}")
        for field_name, (argument, least, most, mend) in _RANGES.items():
            value = getattr(self, field_name)
            if not _is_number(value, int):
                raise InvalidRequest(f"{argument}={value!r}: give a whole number")
            if not least <= value <= most:
                raise InvalidRequest(f"{argument}={_shown(value)}: give {mend}")

    def rlimits(self) -> dict[str, int]:
        """What every process is held to (setrlimit(2)), besides what holds the run as a whole."""
        return {
            "RLIMIT_CORE": 1,  # at 0 a core_pattern that is a pipe still starts the host's handler
            "RLIMIT_CPU": math.ceil(self.timeout_seconds) + 1,
            "RLIMIT_FSIZE": self.disk_bytes,
            "RLIMIT_MEMLOCK": 64 << 10,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_NPROC": self.processes + 1,
            "RLIMIT_RTPRIO": 0,
            "RLIMIT_NICE": 0,
            "RLIMIT_SIGPENDING": 1024,
        }


def _shown(value: object) -> str:
    """Python refuses to write very large numbers."""
    return repr(value)[:40] if not isinstance(value, int) or abs(value) <= MAX_BYTES else "a number of that size"


def _is_number(value: object, kind: UnionType | type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


_RANGES: Mapping[str, tuple[str, int, int, str]] = {
    "memory_bytes": ("memory", MIN_MEMORY_BYTES, MAX_BYTES, f"at least {MIN_MEMORY_BYTES >> 20}MiB, at most 1 PiB"),
    "processes": ("processes", 1, MAX_COUNT, f"1 to {MAX_COUNT}"),
    "disk_bytes": ("disk_bytes", 1, MAX_BYTES, "at least 1, at most 1 PiB"),
    "max_output_bytes": ("max_output", 1, MAX_BYTES, "at least 1, at most 1 PiB"),
    "max_files": ("max_files", 0, MAX_COUNT, f"0 to {MAX_COUNT}"),
    "open_files": ("open_files", 16, MAX_COUNT, f"16 (an interpreter opens that many) to {MAX_COUNT}"),
}
"""For each limit: what callers know it by, the least and the most, and what to give."""


def new_run_id() -> str:
    """Unique, sortable by nothing, fit for a Kubernetes name."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Task:
    """Python source, or a command with its files."""

    code: str | None = None
    command: Sequence[str] = ()
    data: Json = None
    has_data: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    profile: str = "default"
    allowed_syscalls: frozenset[str] | None = None
    limits: Limits = field(default_factory=Limits)
    run: str = field(default_factory=new_run_id)

    def __post_init__(self) -> None:
        if (self.code is None) == (not self.command):
            raise InvalidRequest("give either code or a command")
        if self.code is not None and not utf_8("code", self.code).strip():
            raise InvalidRequest("code is empty: give Python source")
        words = [utf_8("command", word) for word in self.command]
        if any(b"\0" in word for word in words) or not all(words):
            raise InvalidRequest(f"command={list(self.command)!r}: words must not be empty or hold a null character")
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", self.run):
            raise InvalidRequest(f"run={self.run!r}: give up to 40 of a-z, 0-9 and '-' (it names Kubernetes objects)")
        for name in self.files:
            utf_8(f"file {name!r}", name)
            check_path(name)
            if above := _file_above(name, self.files):
                raise InvalidRequest(f"file {name!r}: {above!r} is a file too, and no directory: rename either")
        for name, value in self.environment.items():
            utf_8("environment", name)
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or b"\0" in utf_8(f"environment {name!r}", value):
                raise InvalidRequest(f"environment {name!r}: give a name such as A_B1, no null characters")
        for name in self.allowed_syscalls or ():
            utf_8(f"allowed_syscalls: {name!r}", name)
        self._check_room()
        if self.profile not in ("default", "strict"):
            raise InvalidRequest(f"profile={self.profile!r}: give 'default' or 'strict'")
        if self.profile == "strict" and self.command:
            raise InvalidRequest("profile='strict' starts no program: give Python code, or use profile='default'")
        try:
            seccomp.program(self.profile, self.allowed_syscalls)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        if self.command and self.allowed_syscalls is not None:
            missing = seccomp.missing_to_start(self.allowed_syscalls)
            if missing:
                raise InvalidRequest(
                    f"allowed_syscalls: no program starts without {', '.join(missing)}: add them, or give Python code,"
                    " which is there already"
                )

    def _check_room(self) -> None:
        """What is given must fit into the working directory, which has whole pages."""
        pages = sum(-(-len(content) // _PAGE_BYTES) for content in self.files.values())
        if pages * _PAGE_BYTES > self.limits.disk_bytes:
            raise InvalidRequest(
                f"files: {len(self.files)} files take {pages * _PAGE_BYTES} bytes on disk: give fewer, or"
                f" Limits(disk_bytes=) of more than {self.limits.disk_bytes}"
            )

    def request(
        self,
        parameters: Mapping[str, str],
        path: Sequence[str],
        environment: Mapping[str, str],
        machine: str = "",
    ) -> bytes:
        """The whole request. `parameters`, `path` and `environment` are the backend's own, `machine` runs it."""
        limits = self.limits
        named = {
            "run": self.run,
            "profile": self.profile,
            "timeout_seconds": repr(float(limits.timeout_seconds)),
            "max_output_bytes": str(limits.max_output_bytes),
            "max_files": str(limits.max_files),
            "max_processes": str(limits.processes),
            "memory_bytes": str(limits.memory_bytes),
            **{name: str(value) for name, value in limits.rlimits().items()},
            **parameters,
        }
        parts = [frames.frame(frames.PARAMETER, f"{name}={value}".encode()) for name, value in named.items()]
        parts += [frames.frame(frames.PARAMETER, f"path={entry}".encode()) for entry in path]
        parts.append(_kinds())
        proceeding = " ".join(sorted(seccomp.proceeding(self.profile, self.allowed_syscalls)))
        parts.append(frames.frame(frames.PARAMETER, f"proceeding={proceeding}".encode()))
        parts.append(frames.frame(frames.FILTER, seccomp.program(self.profile, self.allowed_syscalls, machine)))
        if self.code is not None:
            parts.append(frames.frame(frames.CODE, _sendable("code", self.code.encode())))
        if self.has_data:
            parts.append(frames.frame(frames.DATA, _sendable("data", _encode_data(self.data))))
        parts += [frames.frame(frames.ARGUMENT, word.encode()) for word in self.command]
        merged = {**environment, **self.environment}
        parts += [frames.frame(frames.ENVIRONMENT, f"{name}={value}".encode()) for name, value in merged.items()]
        parts += [
            frames.file_frame(frames.FILE, name, _sendable(f"file {name!r}", content), 0o700)
            for name, content in self.files.items()
        ]
        parts.append(frames.frame(frames.GO))
        pieces = range(0, len(self.stdin), _STDIN_PIECE_BYTES)
        parts += [frames.frame(frames.STDIN, self.stdin[at : at + _STDIN_PIECE_BYTES]) for at in pieces]
        parts.append(frames.frame(frames.STDIN))
        return b"".join(parts)


def _sendable(name: str, content: bytes) -> bytes:
    """`content` if one frame holds it, with a file's name beside it."""
    most = frames.MAX_FRAME_BYTES - MAX_PATH_BYTES - 4
    if len(content) > most:
        raise InvalidRequest(f"{name}: {len(content)} bytes: give at most {most}, or stdin=, which has no limit")
    return content


def _file_above(name: str, files: Mapping[str, bytes]) -> str | None:
    parts = name.split("/")
    above = ("/".join(parts[:length]) for length in range(1, len(parts)))
    return next((path for path in above if path in files), None)


def _encode_data(data: Json) -> bytes:
    try:
        return json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"data: not JSON ({error}): give text, numbers, lists and string-keyed dicts") from None


@cache
def _kinds() -> bytes:
    """The class of each call that is reported, as parameters."""
    by_kind: dict[str, set[str]] = {}
    for row in seccomp.DEFAULT:
        if row.kind:
            by_kind.setdefault(row.kind, set()).update(row.calls.split())
    lines = [f"kind={kind}:{' '.join(sorted(calls))}" for kind, calls in by_kind.items()]
    return b"".join(frames.frame(frames.PARAMETER, line.encode()) for line in lines)
