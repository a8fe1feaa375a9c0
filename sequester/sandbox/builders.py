"""Who puts up the walls of a local sandbox: bubblewrap where it is installed, else unshare(1) and guest/walls.py."""

import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sequester.sandbox import tree
from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.interpreter import Interpreter

PROC_SYS = Path("/proc/sys")


class Builder(Protocol):
    """Makes the command line of a supervisor behind walls."""

    @property
    def name(self) -> str: ...

    def command(self, steps: Sequence[str], guest: Path, python: Interpreter) -> list[str]:
        """`steps` are tree.py's, `guest` is where this machine has the guest's modules."""
        ...


@dataclass(frozen=True)
class Bubblewrap:
    """bwrap(1)."""

    program: str
    name: str = "bubblewrap"

    def command(self, steps: Sequence[str], guest: Path, python: Interpreter) -> list[str]:
        return [self.program, *_BUBBLEWRAP, *steps, "--", *tree.program(python)]


_BUBBLEWRAP = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
    *("--cap-drop", "ALL", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
)


@dataclass(frozen=True)
class Unshare:
    """util-linux's setpriv(1) and unshare(1) for the namespaces, guest/walls.py for what happens in them."""

    setpriv: str
    unshare: str
    name: str = "unshare"

    def command(self, steps: Sequence[str], guest: Path, python: Interpreter) -> list[str]:
        return [
            *(self.setpriv, "--pdeathsig", "KILL"),
            *(self.unshare, "--user", "--map-root-user", "--mount", "--ipc", "--uts", "--net", "--cgroup"),
            *("--pid", "--fork", "--kill-child=KILL"),
            *(python.executable, "-I", "-S", "-c", tree.start(str(guest.parent), "walls")),
            *(*steps, "--", *tree.program(python)),
        ]


def builder() -> Builder:
    """What this machine has; SandboxUnavailable says what is missing and how to get it."""
    if program := shutil.which("bwrap"):
        if not Path(program).stat().st_mode & stat.S_ISUID:  # setuid, it needs no one's leave
            _check(_REFUSALS)
        return Bubblewrap(program)
    found = {name: shutil.which(name) for name in ("setpriv", "unshare")}
    setpriv, unshare = found.values()
    if setpriv and unshare:
        _check((*_REFUSALS, *_REFUSALS_BUT_TO_BUBBLEWRAP))
        return Unshare(setpriv, unshare)
    missing = ", ".join(name for name, path in found.items() if not path)
    raise SandboxUnavailable(
        f"no bwrap on PATH, nor {missing} to do without: install bubblewrap (apt install bubblewrap)"
    )


# (setting, the value with which no ordinary user makes namespaces, how to change it)
_REFUSALS = (
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
)
_REFUSALS_BUT_TO_BUBBLEWRAP = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "install bubblewrap, which its AppArmor profile lets"),
)


def _check(refusals: Sequence[tuple[str, str, str]]) -> None:
    """User namespaces are the layer that all others stand on."""
    for setting, refuses, mend in refusals:
        path = PROC_SYS / setting
        if path.is_file() and path.read_text().strip() == refuses:
            raise SandboxUnavailable(
                f"no user namespaces for ordinary users ({setting.replace('/', '.')} is {refuses}), hence no layer of a"
                f" sandbox: {mend}"
            )
