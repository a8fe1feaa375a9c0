"""`sequester demo`: the blueprint stood up and shown, step by step; each step says in a line what it showed."""

import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from rich.console import Console

from infra.settings import SettingsError
from sequester.cloud import CreateFailedError, Recorded, RefusedError, UnmappedPropertyError, UnmappedTypeError
from sequester.demo.scene import NotShownError, Scene
from sequester.demo.story import STEPS
from sequester.readback import Layout, NotFoundError, observe
from sequester.standing import NoSettingsError, settings_of, stack_config, standing

EXPECTED = (
    SettingsError,
    NoSettingsError,
    CreateFailedError,
    RefusedError,
    UnmappedPropertyError,
    UnmappedTypeError,
    NotFoundError,
)
"""What can be wrong with the settings or the program: said in a line, never as a traceback."""


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
                observed = observe(here.cloud.client, Layout.of(settings))
            failures = _play(Scene(settings, here, observed, out, console))
    except EXPECTED as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    for line in failures:
        console.print(f"✗ {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    took = time.monotonic() - began
    console.print(
        f"{'every step holds' if not failures else f'{len(failures)} failures'} ({took:.1f} s); see {out}/",
        style="bold green" if not failures else "bold red",
    )
    return 1 if failures else 0


def _play(scene: Scene) -> list[str]:
    failures: list[str] = []
    for number, step in enumerate(STEPS, start=1):
        scene.console.rule(f"{number}. {step.title}", align="left")
        try:
            said = step.play(scene)
        except NotShownError as error:
            scene.console.print(f"not shown on this machine: {error}", style="yellow", markup=False, soft_wrap=True)
            continue
        failures += said
        if not said:
            scene.console.print(f"✓ {step.showed}", style="green", highlight=False)
    return failures
