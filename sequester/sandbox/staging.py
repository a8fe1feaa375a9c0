"""The guest's modules where a sandbox's user may read them, compiled for the interpreter that runs them."""

import contextlib
import hashlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.interpreter import Interpreter, reachable

GUEST_SOURCE = Path(__file__).parent / "guest"


def staged(python: Interpreter, uid: int) -> Path:
    """The guest's modules, compiled, where the sandbox's user may read them: in place, else in the system's cache."""
    if reachable(str(GUEST_SOURCE), uid) and _compiled(GUEST_SOURCE, python):
        return GUEST_SOURCE
    sources = sorted(path for path in GUEST_SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()[:16]
    try:
        return _kept(_cache_directory() / digest / "guest", python)
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without an account has no home
        if reachable(str(GUEST_SOURCE), uid):
            return GUEST_SOURCE  # compiled anew at each start, which takes 10 ms and harms nothing
        raise SandboxUnavailable(
            f"the sandbox's own modules cannot be put where its user may read them ({error}): name a directory that can"
            " be written by XDG_CACHE_HOME (as root: make /var/cache writable), or install Sequester where all may read"
        ) from None


def _kept(kept: Path, python: Interpreter) -> Path:
    """A copy of the modules at `kept`, made if it is not there. OSError where nothing may be written."""
    if not kept.is_dir():
        fresh = kept.parent.with_name(f"{kept.parent.name}.{secrets.token_hex(4)}")
        try:
            shutil.copytree(GUEST_SOURCE, fresh / "guest", ignore=shutil.ignore_patterns("__pycache__"))
            _open_to_all(fresh)
            with contextlib.suppress(OSError):
                fresh.rename(kept.parent)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    _compiled(kept, python)
    _open_to_all(kept)
    return kept


def _cache_directory() -> Path:
    """Root's is the system's, which other users may read; a user's own sandboxes are the user's."""
    if os.geteuid() == 0:
        return Path("/var/cache/sequester")
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # one that is not absolute is to be ignored, says its rule
    return (named if named.is_absolute() else Path.home() / ".cache") / "sequester"


def _open_to_all(directory: Path) -> None:
    for path in [directory.parent, directory, *directory.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # what another process compiles just now gets its name at the end
            path.chmod(0o755 if path.is_dir() else 0o644)


def _compiled(guest: Path, python: Interpreter) -> bool:
    """Compile the modules for the sandbox's interpreter, which could not keep what it compiles (10 ms a start).

    False where nothing may be written and they are not compiled.
    """

    def stale() -> bool:
        for source in guest.glob("*.py"):
            compiled = guest / "__pycache__" / f"{source.stem}.{python.cache_tag}.pyc"
            if not compiled.is_file() or compiled.stat().st_mtime < source.stat().st_mtime:
                return True
        return False

    if stale():
        command = [python.executable, "-I", "-m", "compileall", "-q", "-f", str(guest)]
        subprocess.run(command, capture_output=True, check=False)
    return not stale()
