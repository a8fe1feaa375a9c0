"""How many processes there are besides the supervisor, and what they hold: storms, growth, and the limit itself."""

import posix as os
import time

from .events import EventLog

TYPE_CHECKING = False  # what type checkers know by this name; typing's own costs 5 ms

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_BYTES = os.sysconf("SC_PAGESIZE")
STORM_FRACTION = 0.8
TICK_SECONDS = 0.1
WATCH_SECONDS = 0.02  # where the supervisor itself enforces the memory limit


class Population:
    """Samples of the run's processes. `holds`: no cgroup holds them to `memory_bytes`, so this does."""

    def __init__(self, max_processes: int, memory_bytes: int, log: EventLog, *, holds: bool) -> None:
        self._max_processes = max_processes
        self._memory_bytes = memory_bytes
        self._log = log
        self._holds = holds
        self.tick_seconds = WATCH_SECONDS if holds else TICK_SECONDS
        self._sampled = time.monotonic()
        self._noted: set[str] = set()
        self.peak_processes = 0
        self.peak_memory_bytes = 0

    def exceeded(self) -> bool:
        """Look again if it is time: whether more memory is held than allowed, and no cgroup sees to it."""
        now = time.monotonic()
        if now - self._sampled < self.tick_seconds:
            return False
        self._sampled = now
        processes, memory = _resident()
        self.peak_processes = max(self.peak_processes, processes)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        if processes >= STORM_FRACTION * self._max_processes:
            self._note("process_storm", f"{processes} processes of {self._max_processes}")
        if memory >= STORM_FRACTION * self._memory_bytes:
            self._note("memory_growth", f"{memory} bytes of {self._memory_bytes}")
        limit = self._memory_bytes
        # The cheap sum counts shared pages once a process: only the exact one decides.
        return self._holds and memory > limit and _proportional_memory_bytes() > limit

    def _note(self, kind: str, detail: str) -> None:
        if kind not in self._noted:
            self._noted.add(kind)
            self._log.record({"kind": kind, "action": "observed", "detail": detail})


def _resident() -> tuple[int, int]:
    """(processes besides this one, their resident bytes), as cheaply as that can be had."""
    pages: list[int] = []
    _each("statm", lambda text: pages.append(int(text.split()[1])))
    return len(pages), sum(pages) * PAGE_BYTES


def _proportional_memory_bytes() -> int:
    """Resident bytes with shared pages counted once: exact, but dear."""
    sizes: list[int] = []

    def add(text: bytes) -> None:
        sizes.extend(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(b"Pss:"))

    _each("smaps_rollup", add)
    return sum(sizes)


def _each(name: str, take: "Callable[[bytes], None]") -> None:
    """`take` what /proc/<pid>/`name` holds, for every process but this one that is still there."""
    own = os.getpid()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == own:
            continue
        try:
            with open(f"/proc/{entry}/{name}", "rb") as file:  # noqa: PTH123
                take(file.read())
        except OSError:
            continue
