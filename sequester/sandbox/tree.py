"""What a local sandbox sees of this machine, step by step, in the words of bwrap(1): guest/walls.py reads the same."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sequester.sandbox.interpreter import Interpreter
from sequester.sandbox.task import Limits

GUEST = "/run/sequester"
UID = GID = 1000
SHARED_MEMORY_BYTES = 16 << 20

OWN = frozenset(["/", "/proc", "/dev", "/dev/shm", "/sys", "/run", "/run/sequester", "/sandbox", "/tmp"])  # noqa: S108
"""What no bind of a caller's may cover: the supervisor looks after the run by its own /proc, for one."""

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "TMPDIR": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}

# The root directory of the sandbox. No home, no /sys, no sockets in /run; of /etc what programs look up.
_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC_LINKS = ("passwd", "group", "hosts", "nsswitch.conf")
_ETC_BINDS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/certs")


def steps(guest: Path, python: Interpreter, limits: Limits, binds: Sequence[str]) -> list[str]:
    """All of them, in order; `binds` are further directories to show read-only, at their own paths."""
    return [
        *("--uid", str(UID), "--gid", str(GID), "--hostname", "sandbox"),
        *_system(str(guest)),
        *_sized("/sandbox", limits.disk_bytes),
        *_sized("/tmp", limits.disk_bytes),  # noqa: S108
        *_sized("/dev/shm", SHARED_MEMORY_BYTES),  # noqa: S108
        *(word for path in (*python.binds, *binds) for word in ("--ro-bind", path, path)),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *("--chdir", "/sandbox"),
    ]


def start(where: str, module: str) -> str:
    """Python source that runs `module` of the guest package found at `where`, and nothing else from there."""
    return f"import sys; sys.path.insert(0, {where!r}); from guest import {module}; sys.path.pop(0); {module}.main()"


START = start(GUEST, "entry")


def program(python: Interpreter) -> list[str]:
    """The sandbox's PID 1."""
    return [python.executable, "-I", "-S", "-c", START]


@cache
def _system(guest: str) -> tuple[str, ...]:
    words = ["--ro-bind", "/usr", "/usr", "--ro-bind", guest, f"{GUEST}/guest", "--proc", "/proc", "--dev", "/dev"]
    for name in _ROOT_LINKS:
        entry = Path("/") / name
        if entry.is_symlink():
            words += ["--symlink", str(entry.readlink()), str(entry)]
        elif entry.is_dir():
            words += ["--ro-bind", str(entry), str(entry)]
    for name in _ETC_LINKS:
        words += ["--symlink", f"{GUEST}/guest/etc/{name}", f"/etc/{name}"]
    for path in _ETC_BINDS:
        if os.path.exists(path):  # noqa: PTH110
            words += ["--ro-bind", path, path]
    return tuple(words)


def _sized(path: str, size_bytes: int) -> tuple[str, ...]:
    return ("--size", str(size_bytes), "--tmpfs", path)
