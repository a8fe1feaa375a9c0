"""What a process of the tests holds, to be compared before and after."""

from contextlib import suppress
from pathlib import Path


def descriptors() -> set[tuple[str, str]]:
    """Those of this process, each with what it is of. What earlier tests left may go meanwhile: more is a leak."""
    found: set[tuple[str, str]] = set()
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            found.add((entry.name, str(entry.readlink())))
    return found
