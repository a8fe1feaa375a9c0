"""What the steps of the demo share: the cloud that stands, what was read back from it, and where to write."""

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from infra.settings import Settings
from sequester.drill.outcome import Drill
from sequester.readback.whole import Whole
from sequester.sandbox.result import Attempt
from sequester.standing import Standing


class NotShownError(Exception):
    """This machine lacks what a step needs; the message says what, and how to get it."""


@dataclass(frozen=True)
class Scene:
    """One telling."""

    settings: Settings
    standing: Standing
    seen: Whole
    """What was read back when all had been made: steps between open the network, and quarantine, on purpose."""
    out: Path
    console: Console
    tried: list[Attempt] = field(default_factory=list[Attempt])
    """What the untrusted code tried, as its supervisor reported it: empty until it has run."""
    held: list[Drill] = field(default_factory=list[Drill])
    """The drill, once it was held."""
