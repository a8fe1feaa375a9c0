"""The working directory: the files that are put there, and those that a run leaves.

What comes back: regular files only, opened without following a link, within limits.
"""

import posix as os
import stat

from .request import WORK

MAX_DEPTH = 32
MAX_PATH_BYTES = 1024
MAX_SKIPPED = 1000
"""How many entries that are no results are looked at; more is a flood."""

Found = tuple[list[tuple[str, bytes]], list[tuple[str, str]], bool]


def place(files: list[tuple[str, int, bytes]]) -> dict[str, tuple[int, int]]:
    """Write (path, permissions, content) below WORK; (size, mtime in ns) by path, as `collect` wants them."""
    from os import makedirs
    from os import path as paths

    given: dict[str, tuple[int, int]] = {}
    for path, mode, content in files:
        whole = f"{WORK}/{path}"
        makedirs(paths.dirname(whole), exist_ok=True)  # noqa: PTH103, PTH120 (pathlib costs 5 ms)
        descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        given[path] = (status.st_size, status.st_mtime_ns)
    return given


def collect(root: str, given: dict[str, tuple[int, int]], max_files: int, max_bytes: int) -> Found:
    """(files, skipped, whether a limit was passed): files are (path below root, content), skipped (path, why).

    `given` holds (size, mtime in ns) of what was put there before the run: unchanged files are not sent back.
    """
    files: list[tuple[str, bytes]] = []
    skipped: list[tuple[str, str]] = []
    left = max_bytes
    entries = max_files + len(given) + MAX_SKIPPED
    pending = [("", 0)]
    while pending:
        below, depth = pending.pop()
        try:
            names = _names(f"{root}/{below}", entries)
        except OSError as error:
            skipped.append((below or ".", str(error.strerror)))
            continue
        entries -= len(names)
        if entries < 0:
            return files, skipped, True
        for name in names:
            path = f"{below}/{name}" if below else name
            # The sandbox is dead by now: no one swaps a directory for a link between these two steps.
            why, is_directory = _look(f"{root}/{path}", path, depth)
            if is_directory:
                pending.append((path, depth + 1))
                continue
            if why:
                skipped.append((path if path.isprintable() else ascii(path), why))
                continue
            try:
                descriptor = os.open(f"{root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                skipped.append((path, str(error.strerror)))
                continue
            try:
                status = os.fstat(descriptor)
                if given.get(path) == (status.st_size, status.st_mtime_ns):
                    continue
                if status.st_size > left or len(files) >= max_files:
                    return files, skipped, True
                content = b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))  # noqa: B023 (used before the next)
            finally:
                os.close(descriptor)
            left -= len(content)
            files.append((path, content))
    return files, skipped, False


def _names(directory: str, limit: int) -> list[str]:
    """What is in a directory, in order; of more than `limit` entries, one over the limit."""
    names: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > limit:
                break
    return sorted(names)


def _look(whole: str, path: str, depth: int) -> tuple[str, bool]:
    """(why it is no result or "", whether it is a directory to look into)."""
    if not path.isprintable():
        return "a name with control characters or not UTF-8", False
    if len(path.encode()) > MAX_PATH_BYTES:
        return "a path of more than 1024 bytes", False
    try:
        mode = os.lstat(whole).st_mode
    except OSError as error:
        return str(error.strerror), False
    if stat.S_ISDIR(mode):
        return ("", True) if depth < MAX_DEPTH else ("nested too deeply", False)
    return ("" if stat.S_ISREG(mode) else f"not a regular file ({stat.filemode(mode)})"), False
