"""What to run and within which limits, as frames bring it."""

import struct

from . import frames

WORK, SCRATCH, SHARED = "/sandbox", "/tmp", "/dev/shm"  # noqa: S108 (mounts of the sandbox's own)


class BadRequestError(Exception):
    """The agent's request lacks what must not be guessed, or says something unknown."""


class Request:
    """Filled by frames, complete at GO. (A dataclass would cost 6 ms of import.)"""

    def __init__(self) -> None:
        self.run = ""
        self.profile = "default"
        self.timeout_seconds = 0.0
        self.max_output_bytes = 0
        self.max_files = 0
        self.max_processes = 0
        self.memory_bytes = 0
        self.watch_memory = False
        self.limits: dict[str, int] = {}
        self.path: list[str] = []
        self.kinds: dict[str, str] = {}
        self.proceeding: frozenset[str] = frozenset()
        self.writable: tuple[str, ...] = (WORK, SCRATCH, SHARED)
        self.program = b""
        self.code = b""
        self.data: bytes | None = None
        self.arguments: list[bytes] = []
        self.environment: dict[str, str] = {}
        self.files: list[tuple[str, int, bytes]] = []

    def take(self, kind: bytes, payload: bytes) -> None:
        """One frame before GO; BadRequestError names what is not understood."""
        if kind == frames.PARAMETER:
            name, _, value = payload.decode().partition("=")
            self._parameter(name, value)
        elif kind == frames.FILTER:
            self.program = payload
        elif kind == frames.CODE:
            self.code = payload
        elif kind == frames.DATA:
            self.data = payload
        elif kind == frames.ARGUMENT:
            self.arguments.append(payload)
        elif kind == frames.ENVIRONMENT:
            name, _, value = payload.decode().partition("=")
            self.environment[name] = value
        elif kind == frames.FILE:
            self._file(payload)
        else:
            raise BadRequestError(f"frame {kind!r} before GO")

    def check(self) -> None:
        """BadRequestError unless every wall is described: a missing filter or limit never means none."""
        required = ("run", "program", "timeout_seconds", "max_output_bytes", "max_processes", "memory_bytes")
        missing = [name for name in required if not getattr(self, name)]
        if missing:
            raise BadRequestError(f"missing: {', '.join(missing)}")
        if bool(self.code) == bool(self.arguments):
            raise BadRequestError("either code or a command")

    def _parameter(self, name: str, value: str) -> None:
        if name in ("run", "profile"):
            setattr(self, name, value)
        elif name in ("max_output_bytes", "max_files", "max_processes", "memory_bytes"):
            setattr(self, name, int(value))
        elif name == "timeout_seconds":
            self.timeout_seconds = float(value)
        elif name == "watch_memory":
            self.watch_memory = value == "1"
        elif name == "path":
            self.path.append(value)
        elif name == "proceeding":
            self.proceeding = frozenset(value.split())
        elif name == "kind":
            kind, _, calls = value.partition(":")
            self.kinds.update(dict.fromkeys(calls.split(), kind))
        elif name.startswith("RLIMIT_"):
            self.limits[name] = int(value)
        else:
            raise BadRequestError(f"parameter {name!r}")

    def _file(self, payload: bytes) -> None:
        (length,) = struct.unpack_from(">H", payload)
        (mode,) = struct.unpack_from(">H", payload, 2 + length)
        path = payload[2 : 2 + length].decode()
        if path.startswith("/") or ".." in path.split("/"):
            raise BadRequestError(f"file {path!r}: a path below the working directory")
        self.files.append((path, mode, payload[4 + length :]))
