"""For each command that a page shows: it is run here by a test, or what it needs that is not here.

The first row that matches decides. A command that no row matches is a failure: add a row, or correct the page.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Here:
    """Run from a copy of the repository. exits: what may come of it; needs: tools of a lane; before: made ready by."""

    exits: tuple[int, ...] = (0,)
    needs: tuple[str, ...] = ()
    seconds: int = 240
    before: str = "true"


@dataclass(frozen=True)
class Elsewhere:
    """Not run by this test, and why."""

    why: str


_AWS: Final = Elsewhere("needs an AWS account")
_KEY: Final = "rm -rf out/key out/key.pub && mkdir -p out && sequester report key out/key"
_CLUSTER: Final = Elsewhere("needs a deployed cluster")

TABLE: Final[tuple[tuple[str, Here | Elsewhere], ...]] = (
    (r".*<[a-z-]+>.*|.*\.\.\.>?.*", Elsewhere("has a place for a value of one's own")),
    (r"make test.*", Elsewhere("it would run itself; continuous integration runs it")),
    (r"(\.venv/bin/)?python -m tools .*", Elsewhere("builds for minutes")),
    (
        r"make (setup|lint|tools|bench|format|door|setup door)",
        Elsewhere("continuous integration runs it, or it writes for minutes"),
    ),
    (r"make lock", Elsewhere("asks a package registry")),
    (r"make clean", Here()),
    (r"make docs", Here()),
    (r"make site", Here()),
    (r"make demo", Here(needs=("bwrap",))),
    (r"(cat|ls|head) .*", Here()),
    (
        r"pulumi (plugin install|package) .*",
        Elsewhere("tests/engine/test_components_*.py run it: the real engine's lane"),
    ),
    (r"pulumi .*", _AWS),
    (r"aws .*", _AWS),
    (r"kubectl .*", _CLUSTER),
    (r"docker .*", Elsewhere("needs a container engine")),
    (r"(\.venv/bin/)?sequester (prove|drill) .*(live|cluster).*", _AWS),
    (r"sequester prove --source state state\.json", Elsewhere("reads what `pulumi stack export` wrote, on AWS")),
    (r"(\.venv/bin/)?sequester mirror .*", Elsewhere("needs a registry")),
    (r"(\.venv/bin/)?sequester (fetch|audit verify) .*--(function|stack) .*", Elsewhere("asks a deployed door")),
    (r"(\.venv/bin/)?sequester release .*", Elsewhere("asks what is deployed")),
    (r"(\.venv/bin/)?sequester fetch .*", Here(exits=(0, 1))),
    (r"(\.venv/bin/)?sequester drill .*lab.*", Elsewhere("the lab's own tests run it, as root, in namespaces")),
    (r"(\.venv/bin/)?sequester drill.*", Here(needs=("bwrap",))),
    (r"(\.venv/bin/)?sequester report key out/key", Here(before="rm -f out/key out/key.pub; mkdir -p out")),
    (r"sequester report key out/key", Here(before="rm -rf out && mkdir out")),
    (r"sequester report --key out/key .*", Here(before=_KEY)),
    (r"sequester report verify .*", Here(before=f"{_KEY} && sequester report --key out/key --json out/report.json")),
    (r"sequester report --kms .*", _AWS),
    (r"(\.venv/bin/)?sequester prove.*", Here(exits=(0, 2))),
    (r"(\.venv/bin/)?sequester run .*", Here(needs=("bwrap",))),
    (r"(\.venv/bin/)?sequester .*", Here()),
    (r"(\.venv/bin/)?python -m tools\.[a-z_]+( .*)?", Here()),
    (r"(\.venv/bin/)?(python -m )?pytest .*", Elsewhere("it would run the tests within a test")),
)


def row(command: str) -> Here | Elsewhere | None:
    """What is said of a command; None if nothing is."""
    return next((said for pattern, said in TABLE if re.fullmatch(pattern, command)), None)
