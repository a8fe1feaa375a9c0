"""The files that a run leaves: regular files only, opened without following a link, within limits."""

import os
import stat
from _collections_abc import Iterator

MAX_DEPTH = 32

Found = tuple[list[tuple[str, bytes]], list[tuple[str, str]], bool]


def collect(root: str, given: dict[str, tuple[int, int]], max_files: int, max_bytes: int) -> Found:
    """(files, skipped, whether a limit was passed): files are (path below root, content), skipped (path, why).

    `given` holds (size, mtime in ns) of what was put there before the run: unchanged files are not sent back.
    """
    files: list[tuple[str, bytes]] = []
    skipped: list[tuple[str, str]] = []
    left = max_bytes
    for path, descriptor in _regular_files(root, skipped):
        status = os.fstat(descriptor)
        if given.get(path) == (status.st_size, status.st_mtime_ns):
            continue
        if status.st_size > left or len(files) >= max_files:
            return files, skipped, True
        content = b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))  # noqa: B023 (used before the next)
        left -= len(content)
        files.append((path, content))
    return files, skipped, False


def _regular_files(root: str, skipped: list[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    """(path, open descriptor) of each, the descriptor valid until the next; other things go to `skipped`."""
    pending = [("", 0)]
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while pending:
        below, depth = pending.pop()
        # The sandbox is dead by now: no one swaps a directory for a link between these two steps.
        for name in sorted(os.listdir(os.path.join(root, below))):  # noqa: PTH118, PTH208 (pathlib costs 5 ms)
            path = f"{below}/{name}" if below else name
            whole = f"{root}/{path}"
            mode = os.lstat(whole).st_mode
            if not path.isprintable():
                skipped.append((ascii(path), "a name with control characters or not UTF-8"))
            elif stat.S_ISDIR(mode) and depth < MAX_DEPTH:
                pending.append((path, depth + 1))
            elif not stat.S_ISREG(mode):
                skipped.append((path, f"not a regular file ({stat.filemode(mode)})"))
            else:
                try:
                    descriptor = os.open(whole, flags)
                except OSError as error:
                    skipped.append((path, str(error.strerror)))
                    continue
                try:
                    yield path, descriptor
                finally:
                    os.close(descriptor)
