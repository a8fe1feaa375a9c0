"""Memory and process limits of a whole run, by cgroup v2 or v1, where this process may make cgroups.

Linux: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sequester.sandbox.task import Limits

ROOT = Path("/sys/fs/cgroup")
REMOVE_SECONDS = 5.0
CHILD_SECONDS = 5.0


@dataclass(frozen=True)
class Files:
    """What a controller's settings are called."""

    memory: str
    swap: str
    swap_value: str
    processes: str
    kills: str
    peak: str


VERSIONS = {
    2: Files("memory.max", "memory.swap.max", "0", "pids.max", "memory.events", "memory.peak"),
    1: Files(
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "",
        "pids.max",
        "memory.oom_control",
        "memory.max_usage_in_bytes",
    ),
}


@dataclass(frozen=True)
class Parents:
    """Where new cgroups go: one directory with v2, one a controller with v1."""

    version: int
    memory: Path
    processes: Path

    @property
    def directories(self) -> tuple[Path, ...]:
        return (self.memory,) if self.version == 2 else (self.memory, self.processes)


@cache
def parents() -> Parents | None:
    """Where this process may make cgroups with both controllers; None where it may not."""
    own = dict(_own())
    for version in (2, 1):
        if version == 2:
            mounts = [mount for mount in (ROOT, ROOT / "unified") if (mount / "cgroup.controllers").is_file()]
            found = [Parents(2, mount / own.get("", ""), mount / own.get("", "")) for mount in mounts]
        else:
            memory, processes = ROOT / "memory" / own.get("memory", ""), ROOT / "pids" / own.get("pids", "")
            found = [Parents(1, memory, processes)]
        for candidate in found:
            if _works(candidate):
                return candidate
    return None


def _own() -> list[tuple[str, str]]:
    """(controller, path below its mount) of this process; the v2 controller is called ''."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    parts = [line.split(":", 2) for line in lines]
    return [(controller, path.lstrip("/")) for _, controllers, path in parts for controller in controllers.split(",")]


def _works(candidate: Parents) -> bool:
    files = VERSIONS[candidate.version]
    probe = new_name()  # as a sandbox's: another process that sweeps would take it away under any other
    try:
        for directory in candidate.directories:
            (directory / probe).mkdir()
        return (candidate.memory / probe / files.memory).exists() and (
            candidate.processes / probe / files.processes
        ).exists()
    except OSError:
        return False
    finally:
        for directory in candidate.directories:
            with contextlib.suppress(OSError):
                (directory / probe).rmdir()


def new_name() -> str:
    """Names its maker, so that the next one can clear up after a maker that was killed."""
    return f"sequester-{os.getpid()}-{secrets.token_hex(8)}"


def sweep(where: Parents) -> None:
    """Remove what makers that are gone left: empty cgroups, as their sandboxes went with them."""
    for directory in where.directories:
        for entry in directory.glob("sequester-*-*"):
            if not Path("/proc", entry.name.split("-")[1]).exists():
                with contextlib.suppress(OSError):
                    entry.rmdir()


class Cgroup:
    """The cgroup of one sandbox."""

    def __init__(self, where: Parents, name: str) -> None:
        self.version = where.version
        self._files = VERSIONS[where.version]
        self.memory = where.memory / name
        self._processes = where.processes / name
        self._directories = tuple(directory / name for directory in where.directories)
        try:
            for directory in self._directories:
                directory.mkdir()
        except OSError:
            self.remove()
            raise

    def limit(self, limits: Limits) -> None:
        """OSError when the kernel does not take a limit."""
        (self.memory / self._files.memory).write_text(str(limits.memory_bytes))
        swap = self.memory / self._files.swap
        if swap.exists():
            swap.write_text(self._files.swap_value or str(limits.memory_bytes))
        # The supervisor and what put up its walls are two more; the limit counts threads.
        (self._processes / self._files.processes).write_text(str(limits.processes + 2))

    def add_family(self, pid: int) -> None:
        """Move a process and its one child to be, PID 1 of a sandbox, which waits and has none of its own yet.

        It costs the kernel a grace period (10 ms and more) a process: see `born_inside`.
        """
        self._add(pid)
        until = time.monotonic() + CHILD_SECONDS
        with contextlib.suppress(OSError):  # it ended: what it said comes with the streams
            while not (children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
                if time.monotonic() > until:
                    return  # not one that starts: nothing will run in it
                time.sleep(0.001)
            self._add(int(children[0]))

    def _add(self, pid: int) -> None:
        for directory in self._directories:
            (directory / "cgroup.procs").write_text(str(pid))

    @contextlib.contextmanager
    def born_inside(self) -> Generator[bool]:
        """What the calling thread starts meanwhile starts in this cgroup; False where only `add_family` can do it.

        With v1 a thread may move itself, and that waits for no one; with v2 threads stay with their process.
        """
        if self.version != 1:
            yield False
            return
        home = [directory.parent / "tasks" for directory in self._directories]
        for directory in self._directories:
            (directory / "tasks").write_text("0")
        try:
            yield True
        finally:
            for tasks in home:
                tasks.write_text("0")

    def memory_kills(self) -> int:
        """How often the kernel killed in here because the limit was reached."""
        for line in (self.memory / self._files.kills).read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
        return 0

    def peak_memory_bytes(self) -> int | None:
        try:
            return int((self.memory / self._files.peak).read_text())
        except OSError:
            return None  # memory.peak came with Linux 5.19

    def remove(self) -> None:
        """Once its processes are gone; the kernel takes a moment to agree."""
        until = time.monotonic() + REMOVE_SECONDS
        for directory in self._directories:
            while directory.exists():
                try:
                    directory.rmdir()
                except OSError:
                    if time.monotonic() > until:
                        raise
                    self._kill_rest(directory)
                    time.sleep(0.002)

    @staticmethod
    def _kill_rest(directory: Path) -> None:
        """What was stopped from outside before it was bound to its parent's death would stay for good."""
        with contextlib.suppress(OSError):
            for pid in (directory / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
