"""The real tools that the test lanes use: from PATH, else built once from pinned Go modules into the user's cache."""

import os
import shutil
from pathlib import Path

CACHE = Path(os.environ.get("SEQUESTER_TOOLS", Path.home() / ".cache" / "sequester" / "tools"))


def find(name: str) -> Path | None:
    """The executable `name`: on PATH, else the one built into the cache, else None."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    built = CACHE / "bin" / name
    return built if built.is_file() else None


def available(need: str) -> bool:
    """Whether a test's need is met; `root` is a need too (namespaces, nftables)."""
    return os.geteuid() == 0 if need == "root" else find(need) is not None


def mend(need: str) -> str:
    """How to come by what is missing, in one line."""
    return "run as root" if need == "root" else f"install {need}, or `make tools` where it can be built"
