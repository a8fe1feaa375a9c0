"""`sequester demo`: the blueprint stood up and shown, step by step; each step says in a line what it showed."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from rich.console import Console

from sequester.cloud import Recorded
from sequester.demo.scene import NotShownError, Scene
from sequester.demo.story import STEPS
from sequester.readback.whole import observe_whole
from sequester.standing import EXPECTED, settings_of, stack_config, standing

__all__ = ["EXPECTED", "tell"]

STANDING = "standing the program up in the embedded cloud"


def tell(path: Path, out: Path, console: Console) -> int:
    """Tell the story with a stack's settings; 0 if every step holds, else 1 and a line for each failure."""
    began = time.monotonic()
    try:
        config = stack_config(path)
        settings = settings_of(config)
        with ExitStack() as stack:
            with console.status(STANDING) as status:
                made = count(1)

                def progress(resource: Recorded) -> None:
                    status.update(f"{STANDING}: {next(made)} made, {resource.name}")

                here = stack.enter_context(standing(config, progress=progress))
                status.update("reading it back")
                seen = observe_whole(here.cloud.client, settings)
            failures, missing = _play(Scene(settings, here, seen, out, console))
    except EXPECTED as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    for line in failures:
        console.print(f"✗ {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    took = time.monotonic() - began
    style = "bold red" if failures else "bold yellow" if missing else "bold green"
    console.print(f"{_ending(failures, missing)} ({took:.1f} s); see {out}/", style=style, markup=False)
    return 1 if failures else 0


def _ending(failures: Sequence[str], missing: Sequence[str]) -> str:
    if failures:
        return f"{len(failures)} failures"
    if missing:
        return f"every step that this machine can show holds; not shown: {', '.join(missing)}"
    return "every step holds"


def _play(scene: Scene) -> tuple[list[str], list[str]]:
    """Lines for what does not hold; titles of the steps that this machine cannot show."""
    failures: list[str] = []
    missing: list[str] = []
    for number, step in enumerate(STEPS, start=1):
        scene.console.rule(f"{number}. {step.title}", align="left")
        try:
            said = step.play(scene)
        except NotShownError as error:
            scene.console.print(f"not shown on this machine: {error}", style="yellow", markup=False, soft_wrap=True)
            missing.append(step.title)
            continue
        failures += said
        if not said:
            scene.console.print(f"✓ {step.showed}", style="green", highlight=False)
    return failures, missing
