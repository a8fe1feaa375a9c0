"""The real tools that the test lanes use: from PATH, else built once from pinned Go modules into the user's cache."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tools.pins import FAMILY_OF, Family

CACHE = Path(os.environ.get("SEQUESTER_TOOLS", Path.home() / ".cache" / "sequester" / "tools"))


def find(name: str) -> Path | None:
    """The executable `name`, else None.

    What is pinned here is taken from PATH only at the pinned version, else from the cache: an engine of another
    version than its SDK fails in odd ways much later.
    """
    family = FAMILY_OF.get(name)
    on_path = shutil.which(name)
    if family is None:
        return Path(on_path) if on_path else None
    if on_path and _version_of(on_path, family.says_version) == family.version:
        return Path(on_path)
    built = folder(family) / name
    return built if built.is_file() else None


def folder(family: Family) -> Path:
    """Where a family's executables are built to; another pin or another Go is another folder."""
    return CACHE / f"{family.name}-{family.version}-{family.digest}"


def available(need: str) -> bool:
    """Whether a test's need is met; `root` is a need too (namespaces, nftables)."""
    return os.geteuid() == 0 if need == "root" else find(need) is not None


def mend(need: str) -> str:
    """How to come by what is missing, in one line."""
    if need == "root":
        return "run as root"
    family = FAMILY_OF.get(need)
    if family is None:
        return f"install {need}"
    on_path = shutil.which(need)
    if on_path and family.says_version:
        found = _version_of(on_path, family.says_version) or "of unknown version"
        return f"{on_path} is {found}, not {family.version}: `make tools` builds that"
    return f"`make tools` builds {need} {family.version}"


@cache
def _version_of(executable: str, says_version: tuple[str, ...]) -> str | None:
    if not says_version:
        return None
    quiet = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        done = subprocess.run(
            [executable, *says_version], capture_output=True, text=True, timeout=20, check=False, env=quiet
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d+\.\d+(?:[-+][\w.]+)?", done.stdout + done.stderr)
    return found.group() if found else None
