"""The Python that runs the supervisor and the code: what of the disk it needs to see, and where it finds modules."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from sequester.sandbox.errors import SandboxUnavailable

MINIMUM = (3, 10)
_ASK = (
    "import json, sys; print(json.dumps([list(sys.version_info[:2]), sys.prefix, sys.base_prefix, sys.path,"
    " sys._base_executable, sys.implementation.cache_tag]))"
)


@dataclass(frozen=True)
class Interpreter:
    """`executable` as the sandbox starts it; `binds` are directories outside /usr that it lives in."""

    executable: str
    binds: tuple[str, ...]
    path: tuple[str, ...]
    cache_tag: str
    """What its compiled files are called by, such as ``cpython-311``."""


@cache
def interpreter(executable: str = "") -> Interpreter:
    """Ask an interpreter about itself, once. SandboxUnavailable when it cannot be used."""
    program = executable or shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin") or ""
    if not program:
        raise SandboxUnavailable("no python3 in /usr/bin: install it, or name one with interpreter=")
    try:
        asked = subprocess.run([program, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxUnavailable(f"interpreter={program!r} does not run ({error}): name a working Python") from None
    try:
        version, prefix, base, path, real, tag = cast(
            tuple[list[int], str, str, list[str], str, str], json.loads(asked.stdout)
        )
    except ValueError:
        raise SandboxUnavailable(f"interpreter={program!r} is no Python: name a working one") from None
    if tuple(version) < MINIMUM:
        raise SandboxUnavailable(f"interpreter={program!r} is Python {version[0]}.{version[1]}: use 3.10 or later")
    directories = sorted({prefix, base} - {"/usr", "/usr/local"})
    binds = tuple(entry for entry in directories if not entry.startswith("/usr/"))
    visible = tuple(
        entry for entry in path if entry.startswith(("/usr/", *(f"{bind}/" for bind in binds))) and Path(entry).exists()
    )
    return Interpreter(real if not executable else str(Path(program)), binds, visible, tag)


def reachable(path: str, uid: int) -> bool:
    """Whether an ordinary user `uid`, in no special group, may read what is at `path`."""
    entry = Path(path)
    for part in [*reversed(entry.parents), entry]:
        try:
            status = part.stat()
        except OSError:
            return False  # nor may we
        wanted = 0o5 if part == entry else 0o1
        mode = status.st_mode >> 6 if status.st_uid == uid else status.st_mode
        if mode & wanted != wanted:
            return False
    return True
