"""What the steps of the demo share: the cloud that stands, what was read back from it, and where to write."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from infra.settings import Settings
from sequester.readback import Observed
from sequester.standing import Standing


class NotShownError(Exception):
    """This machine lacks what a step needs; the message says what, and how to get it."""


@dataclass(frozen=True)
class Scene:
    """One telling."""

    settings: Settings
    standing: Standing
    observed: Observed
    out: Path
    console: Console
