"""The walls of a local sandbox as bubblewrap's arguments (bwrap(1))."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sequester.sandbox.interpreter import Interpreter
from sequester.sandbox.task import Limits

GUEST = "/run/sequester"
UID = GID = 1000
SHARED_MEMORY_BYTES = 16 << 20
START = (
    "import sys; sys.path.insert(0, '/run/sequester'); from guest import supervisor; sys.path.pop(0); supervisor.main()"
)

# The root directory of the sandbox. No home, no /sys, no sockets in /run; of /etc what programs look up.
_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC_LINKS = ("passwd", "group", "hosts", "nsswitch.conf")
_ETC_BINDS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/certs")


def arguments(
    program: str, guest: Path, python: Interpreter, limits: Limits, binds: Sequence[str], info: int | None
) -> list[str]:
    """The whole command line; `binds` are further directories to show read-only, at their own paths."""
    words = [
        program,
        *_namespaces(),
        *_tree(str(guest)),
        *_sized("/sandbox", limits.disk_bytes),
        *_sized("/tmp", limits.disk_bytes),  # noqa: S108
        *_sized("/dev/shm", SHARED_MEMORY_BYTES),  # noqa: S108
        *(word for path in (*python.binds, *binds) for word in ("--ro-bind", path, path)),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
    ]
    if info is not None:
        words += ["--info-fd", str(info)]
    return [*words, "--", python.executable, "-I", "-S", "-c", START]


@cache
def _namespaces() -> tuple[str, ...]:
    return (
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--uid", str(UID), "--gid", str(GID), "--hostname", "sandbox", "--cap-drop", "ALL"),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *("--chdir", "/sandbox"),
    )


ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "TMPDIR": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}


@cache
def _tree(guest: str) -> tuple[str, ...]:
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
