"""Takes walls of the local sandbox away, in a process that does nothing but the drill: what they stopped must leak.

Only what this module replaces is missing; every other wall is the sandbox's own. Standard library alone.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sequester.drill.program import Layer
from sequester.sandbox import builders, local, seccomp, tree

_NO_LANDLOCK = "kernel.restrict_files = lambda _: 0; "
_READABLE = "real = kernel.prctl; kernel.prctl = lambda o, v: None if (o, v) == (4, 0) else real(o, v); "


class NotRemovableError(ValueError):
    """The wall cannot be taken away alone; the message says why."""


NOT_REMOVABLE: Mapping[Layer, str] = {
    Layer.NO_NEW_PRIVILEGES: "bubblewrap sets it always",
    Layer.RIGHTS: "nothing here runs as the machine's root",
    Layer.PID: "the supervisor ends a run by killing all that it can reach: it must be PID 1 of its own namespace",
    Layer.ENVIRONMENT: "the supervisor gives the code only what the request names",
}


def remove(layers: Sequence[Layer], work: Path) -> None:
    """Take these walls away in this process, for good. work: a directory that the sandbox's user may write.

    Raises NotRemovableError.
    """
    for layer in layers:
        if layer in NOT_REMOVABLE:
            raise NotRemovableError(f"sandbox:{layer} cannot be taken away: {NOT_REMOVABLE[layer]}")
    edits = "".join(edit for layer, edit in _STARTS.items() if layer in layers)
    if Layer.MOUNT in layers:
        # The whole tree of the host instead; the guest's modules and a place to work are then where the host has them.
        tree.START = _start(
            str(local.machine().guest.parent), f"files.WORK = launch.WORK = supervisor.WORK = {str(work)!r}; {edits}"
        )
    elif edits:
        tree.START = _start(tree.GUEST, edits)
    if Layer.SECCOMP in layers:
        seccomp.program = _allow_all
    words = [edit for layer, edit in _WORDS.items() if layer in layers]
    for builder in (builders.Bubblewrap, builders.Unshare):
        builder.command = _edited(builder.command, words)  # type: ignore[method-assign]


def _start(where: str, edits: str) -> str:
    modules = f"import sys; sys.path.insert(0, {where!r}); from guest import entry, files, kernel, launch, supervisor; "
    return f"{modules}{edits}entry.main()"


def _allow_all(*_: object, **__: object) -> bytes:
    return struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)


def _without(*dropped: str) -> Callable[[list[str]], list[str]]:
    return lambda words: [word for word in words if word not in dropped]


def _host_tree(words: list[str]) -> list[str]:
    """Everything that lays the tree out, replaced by the host's own; bubblewrap only."""
    at = words.index("--uid")
    command = words[words.index("--", at) :]
    return [*words[:at], "--hostname", "sandbox", "--dev-bind", "/", "/", "--proc", "/proc", *command]


def _own_name(words: list[str]) -> list[str]:
    at = words.index("--hostname")
    return [word for word in [*words[:at], *words[at + 2 :]] if word not in ("--unshare-uts", "--uts")]


def _edited(plain: Callable[..., list[str]], edits: Sequence[Callable[[list[str]], list[str]]]) -> Callable[..., Any]:
    def arguments(*args: Any, **kwargs: Any) -> list[str]:
        words = plain(*args, **kwargs)
        for edit in edits:
            words = edit(words)
        return words

    return arguments


_STARTS: Mapping[Layer, str] = {Layer.LANDLOCK: _NO_LANDLOCK, Layer.UNREADABLE: _READABLE}
_WORDS: Mapping[Layer, Callable[[list[str]], list[str]]] = {
    Layer.MOUNT: _host_tree,
    Layer.NETWORK: _without("--unshare-net", "--net"),
    Layer.UTS: _own_name,
}
