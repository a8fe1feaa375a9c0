"""Where the control plane's executables are: the checkout's pinned ones, or what an installed wheel finds on PATH."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

try:
    import tools as _tools
except ModuleNotFoundError:  # an installed wheel: the builder of pinned executables is the repository's alone
    _tools = None


def find(name: str) -> Path | None:
    """The executable `name`, else None. In a checkout, only the pinned version of what is pinned there."""
    if _tools is not None:
        return _tools.find(name)
    found = shutil.which(name)
    return Path(found) if found else None


def missing(names: Sequence[str]) -> str:
    """Which of these are not to be found, and the mend, in a line; empty if none is missing."""
    absent = [name for name in names if find(name) is None]
    if not absent:
        return ""
    said = f"{', '.join(absent)} not found"
    if _tools is not None:
        return f"{said}: `make tools` builds them, once"
    return f"{said} on PATH ({os.environ.get('PATH', '')}): install them there, or hold the drill in a checkout"
