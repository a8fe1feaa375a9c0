"""What a run gives back. All of it but `usage` and the attempts' facts was written by untrusted code."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import cast

from sequester.sandbox.errors import InvalidRequest

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

MAX_JSON_DEPTH = 100
MAX_JSON_CONTAINERS = 500_000
MAX_PATH_BYTES, MAX_NAME_BYTES = 1024, 255


@dataclass(frozen=True)
class Attempt:
    """One event of the supervisor (guest/events.py); `exe`, `name` and `detail` are the sandbox's own words."""

    kind: str
    action: str
    time: str
    count: int = 1
    syscall: str | None = None
    pid: int | None = None
    exe: str | None = None
    family: str | None = None
    type: str | None = None
    address: str | None = None
    port: int | None = None
    name: str | None = None
    detail: str | None = None
    noise: bool = False

    @property
    def target(self) -> str:
        """Where it wanted to go, in one line: ``192.0.2.1:443``, ``example.com``, ``AF_VSOCK``."""
        if self.name:
            return self.name
        if self.address is None:
            return " ".join(filter(None, (self.family, self.detail)))
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True)
class Usage:
    """What the run took, and what held it to its limits."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    peak_processes: int = 0
    enforcement: str = "none"
    """``cgroup v2``, ``cgroup v1``, ``rlimits`` or ``kubernetes``."""
    landlock: int = 0
    """The Landlock ABI version that was enforced; 0: this kernel has none."""


@dataclass(frozen=True)
class Result:
    """A run that came to its own end (or, inside a RunFailed, as far as it came)."""

    exit: int | None
    """Exit status; None when a signal ended it."""
    signal: int | None = None
    value: Json = None
    stdout: str = ""
    stderr: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Regular files left in the working directory, by path below it; those given and unchanged are left out."""
    attempts: Sequence[Attempt] = ()
    """What was refused, noise of libc's own left out."""
    events: Sequence[Attempt] = ()
    """Everything the supervisor reported: attempts, noise, programs started, storms."""
    usage: Usage = field(default_factory=Usage)
    run: str = ""

    @property
    def ok(self) -> bool:
        return self.exit == 0

    def save(self, directory: Path) -> list[Path]:
        """Write `files` below `directory` (made if missing), never through a link or out of it; their paths."""
        root = directory.resolve()
        root.mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        for name, content in self.files.items():
            check_path(name)
            target = root / name
            if not target.parent.resolve().is_relative_to(root):
                raise InvalidRequest(f"file {name!r}: {target.parent} leads out: save into an empty directory")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:  # exclusive: nor does it follow a link that is there
                file.write(content)
            written.append(target)
        return written


def check_path(name: str) -> str:
    """`name` if it is a plain relative path of printable characters, else InvalidRequest."""
    parts = name.split("/")
    if not name or PurePosixPath(name).is_absolute() or any(part in ("", ".", "..") for part in parts):
        raise InvalidRequest(f"file {name!r}: give a relative path without '.', '..' or empty parts")
    if (
        not name.isprintable()
        or len(name.encode()) > MAX_PATH_BYTES
        or any(len(part.encode()) > MAX_NAME_BYTES for part in parts)
    ):
        raise InvalidRequest(f"file {name[:80]!r}: give printable characters, at most 255 bytes a part and 1024 in all")
    return name


def decode_json(raw: bytes) -> Json:
    """Strict JSON (RFC 8259: UTF-8, no NaN or infinity, no duplicate keys, no lone surrogates); ValueError otherwise.

    At most MAX_JSON_DEPTH deep and MAX_JSON_CONTAINERS lists and objects, each of which takes 20 times its text.
    """

    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key occurs twice")
        return found

    def no_constant(name: str) -> Json:
        raise ValueError(f"{name} is not JSON")

    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text[:40]} is out of range")
        return number

    _check_structure(raw)
    try:
        value = cast(
            Json,
            json.loads(raw.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant, parse_float=finite),
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_JSON_DEPTH}") from None
    if b"\\u" in raw:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


# One that does not end goes to the end: to look for its end again from each quote in it would take hours.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)


def _check_structure(raw: bytes) -> None:
    """Depth and number of containers, before anything is built of them."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_JSON_DEPTH:
        return
    bare = _STRING.sub(b"", raw)
    if bare.count(b"[") + bare.count(b"{") > MAX_JSON_CONTAINERS:
        raise ValueError(f"more than {MAX_JSON_CONTAINERS} lists and objects")
    depth = 0
    for bracket in re.findall(rb"[][{}]", bare):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"nested deeper than {MAX_JSON_DEPTH}")
