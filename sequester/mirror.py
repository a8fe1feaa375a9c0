"""`sequester mirror`: copies the images that a sealed cluster pulls into its private registry, by digest.

Nothing inside can reach a public registry, and ECR's pull-through cache needs a way out for its first pull. So whoever
has internet copies them beforehand with skopeo or crane; digests stay the same, and are checked.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from infra.names import Names
from infra.registry import repositories
from infra.settings import Settings

Tool = Literal["skopeo", "crane"]
_IMAGE: Final = re.compile(
    r"(?P<repository>[a-z0-9.-]+(?::\d+)?/[a-z0-9._/-]+)(?::[\w.-]+)?@(?P<digest>sha256:[0-9a-f]{64})\Z"
)


class MirrorError(ValueError):
    """What cannot be mirrored, and what to do about it, in one line."""


@dataclass(frozen=True)
class Copy:
    """One image: where it comes from, and where it goes. Both are pinned to the same digest."""

    source: str
    target: str

    @property
    def digest(self) -> str:
        """What both must have."""
        return self.source.partition("@")[2]

    def command(self, tool: Tool) -> tuple[str, ...]:
        """How a tool copies it, with all its platforms; the tag is what keeps ECR's lifecycle rule from it."""
        tagged = f"{self.target.partition('@')[0]}:{self.digest.removeprefix('sha256:')[:12]}"
        if tool == "crane":
            return ("crane", "copy", self.source, tagged)
        return ("skopeo", "copy", "--all", "--preserve-digests", f"docker://{self.source}", f"docker://{tagged}")

    def check(self, tool: Tool) -> tuple[str, ...]:
        """How a tool says that the target has the digest: it fails where it has not."""
        if tool == "crane":
            return ("crane", "manifest", self.target)
        return ("skopeo", "inspect", "--raw", f"docker://{self.target}")


def wanted(settings: Settings) -> dict[str, str]:
    """What the settings pull from the private registry: repository → pinned image, of those that are mirrored."""
    cluster = settings.cluster
    named = {"log-shipper": cluster.log_shipper, "cluster-autoscaler": cluster.autoscaling}
    return {name: image for name, image in named.items() if image}


def plan(settings: Settings, sources: Mapping[str, str]) -> list[Copy]:
    """What to copy. sources: repository → public image with its digest, such as `<host>/fluent-bit@sha256:...`.

    Raises MirrorError for a source without digest, one whose digest is not the one in the settings, one that no
    repository of the stack holds, or a setting that no source is given for.
    """
    names = Names.of(settings)
    known, pulled = set(repositories(settings.cluster)), wanted(settings)
    for name in sorted(sources.keys() - known):
        raise MirrorError(f"{name}: no repository of the stack is called so: use one of {', '.join(sorted(known))}")
    for name in sorted(pulled.keys() - sources.keys()):
        raise MirrorError(f"{name}: the settings pull it, but no source is given: add {name}=<image>@sha256:...")
    copies: list[Copy] = []
    for name, source in sources.items():
        match = _IMAGE.match(source)
        if match is None:
            raise MirrorError(f"{name}: {source!r} is not pinned: write <registry>/<repository>@sha256:<64 hex digits>")
        target = f"{names.registry}/{names.repositories}/{name}@{match['digest']}"
        if name in pulled and pulled[name] != target:
            raise MirrorError(
                f"{name}: the settings pull {pulled[name]}, which this would not give: set it to {target}"
            )
        copies.append(Copy(f"{match['repository']}@{match['digest']}", target))
    return copies


def script(copies: Iterable[Copy], tool: Tool) -> str:
    """A shell script that copies what is missing and checks it; for a machine that has internet and push rights."""
    lines = ["#!/bin/sh", "set -eu"]
    for copy in copies:
        check = f"{shlex.join(copy.check(tool))} >/dev/null"
        lines += [f"{check} 2>&1 || {{", f"  {shlex.join(copy.command(tool))}", f"  {check}", "}"]
    return "\n".join([*lines, ""])


def run(copies: Iterable[Copy], tool: Tool, *, seconds: int = 900) -> list[Copy]:
    """Copy what is missing, and check it; returns what was copied. A tag that is there cannot be pushed again.

    Raises MirrorError with the tool's own last line.
    """
    if shutil.which(tool) is None:
        raise MirrorError(f"{tool}: is not installed: install it, or print the script and run it elsewhere")
    made: list[Copy] = []
    for copy in copies:
        if _call(copy.check(tool), seconds).returncode == 0:
            continue
        for command in (copy.command(tool), copy.check(tool)):
            done = _call(command, seconds)
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise MirrorError(f"{copy.source}: {shlex.join(command)} failed with {done.returncode}: {said}")
        made.append(copy)
    return made


def _call(command: tuple[str, ...], seconds: int) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no end after {seconds} s")
