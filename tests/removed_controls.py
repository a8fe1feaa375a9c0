"""For each control that can be taken away: precisely the techniques that then leak, in removed_controls.json.

A control that another one stands behind leaks less than it stops: an empty list says that the second layer holds.
Several controls, separated by a space, are taken away together.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sequester.drill.attempt import Attempt
from sequester.drill.broken_out import LAYERS
from sequester.drill.table import TECHNIQUES

EXPECTED: Mapping[str, Sequence[str]] = json.loads(Path(__file__).with_suffix(".json").read_text())


def of(part: str) -> list[str]:
    """The entries of one part: `lab`, or the table of their controls."""
    return [key for key in EXPECTED if _part(key) == part]


def _part(key: str) -> str:
    controls = key.split()
    if any(control in LAYERS for control in controls):
        return "lab"
    return {"admission": "kubernetes"}.get(table := controls[0].partition(":")[0], table)


def tried(key: str, of_part: Iterable[str]) -> list[str]:
    """What is tried without these controls: all of a part in continuous integration, else what leaks and others."""
    whole = list(of_part)
    if os.environ.get("SEQUESTER_LANES") == "all":
        return whole
    expected = set(EXPECTED[key])
    named = {technique.id for technique in TECHNIQUES if technique.control in key.split()}
    return [name for number, name in enumerate(whole) if name in expected | named or number % 8 == 0]


def leaked(attempts: Iterable[Attempt]) -> set[str]:
    """What got through, with a proof."""
    return {attempt.technique for attempt in attempts if attempt.reached}


def expected(key: str, attempts: Sequence[Attempt]) -> set[str]:
    """What must have, of what this kernel has."""
    return set(EXPECTED[key]) & {attempt.technique for attempt in attempts if not attempt.not_run or attempt.reached}
