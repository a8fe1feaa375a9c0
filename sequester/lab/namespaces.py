"""Network namespaces without a name: they, their links and their rules are gone when this process is, however it ends.

A namespace is held by a file descriptor, so nothing is left in /run/netns, not even after SIGKILL. A thread moves into
one for a moment (setns(2) is per thread); sockets and processes that it makes there stay there.
"""

import ctypes
import os
import subprocess
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x4000_0000
_OWN = "/proc/thread-self/ns/net"
_COMMAND_SECONDS = 60


class LabError(RuntimeError):
    """The lab cannot be built; the message says what failed, and what to do."""


class Namespace:
    """A new network namespace. Needs root."""

    def __init__(self, name: str) -> None:
        self.name = name
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _LIBC.unshare(_CLONE_NEWNET):
                raise LabError(f"no network namespace for {name}: {os.strerror(ctypes.get_errno())}: run as root")
            self._fd = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
            _enter(home)
        finally:
            os.close(home)
        self.inode = os.fstat(self._fd).st_ino

    @property
    def path(self) -> str:
        """By which a child process of ours names it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextmanager
    def inside(self) -> Generator[None]:
        """This thread, in the namespace. Nothing of the machine's own network is touched in between."""
        if self._fd < 0:
            raise LabError(f"the namespace {self.name} is closed")
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._fd)
            try:
                yield
            finally:
                _enter(home)
        finally:
            os.close(home)

    def ip(self, commands: Iterable[str]) -> None:
        """Lines of `ip -batch`."""
        self._feed(["ip", "-batch", "-"], "\n".join(commands))

    def ip6(self, commands: Sequence[str]) -> None:
        if commands:
            self._feed(["ip", "-6", "-batch", "-"], "\n".join(commands))

    def nft(self, ruleset: str) -> None:
        if ruleset:
            self._feed(["nft", "-f", "-"], ruleset)

    def sysctl(self, settings: Iterable[tuple[str, str]]) -> None:
        """Settings below /proc/sys/net, which is that of the namespace of whoever opens it."""
        with self.inside():
            for key, value in settings:
                with suppress(FileNotFoundError):  # a kernel without IPv6
                    Path("/proc/sys/net", key).write_text(value)

    def processes(self) -> list[int]:
        """Who still runs in it, besides this process."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if (entry / "ns/net").stat().st_ino == self.inode:
                        found.append(int(entry.name))
        return found

    def _feed(self, command: list[str], text: str) -> None:
        with self.inside():
            done = subprocess.run(
                command, input=text + "\n", text=True, capture_output=True, timeout=_COMMAND_SECONDS, check=False
            )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise LabError(f"{self.name}: {' '.join(command)}: {said}\n{_numbered(text)}")


def _enter(fd: int) -> None:
    if _LIBC.setns(fd, _CLONE_NEWNET):
        raise LabError(f"cannot change namespace: {os.strerror(ctypes.get_errno())}: run as root")


def _numbered(text: str) -> str:
    return "\n".join(f"{n:4} {line}" for n, line in enumerate(text.splitlines(), 1))
