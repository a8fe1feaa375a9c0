"""The drill's programs in real sandboxes: all are stopped by the wall that is named; without it, what it stops."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import removed_controls
from removed_controls import expected, leaked, tried

from sequester.drill import sandboxed
from sequester.drill.program import Layer
from sequester.drill.table import BY_ID, PROGRAMS

pytestmark = [pytest.mark.lane("kernel", "root", "bwrap"), pytest.mark.xdist_group("sandbox")]


def test_every_program_works_without_walls_and_is_stopped_by_the_wall_that_is_named() -> None:
    heard: list[str] = []
    found = sandboxed.hold(list(PROGRAMS), (), "research", lambda attempt: heard.append(attempt.technique))
    assert heard == list(PROGRAMS)
    assert leaked(found) == set()
    for attempt in found:
        assert attempt.stopped_by == BY_ID[attempt.technique].control, attempt
        assert attempt.not_run or (attempt.baseline and attempt.baseline.arrived), attempt
        # What the filter refuses is an event, of which a tripwire may make nothing: libc asks for the same.
        seen = PROGRAMS[attempt.technique].event is not None
        assert (attempt.seconds is not None) == seen, attempt


@pytest.mark.parametrize("key", removed_controls.of("sandbox"), ids=lambda key: key.replace(" ", "+"))
def test_without_a_wall_precisely_what_it_stops_leaks(key: str) -> None:
    layers = [Layer(control.removeprefix("sandbox:")) for control in key.split()]
    found = sandboxed.hold(tried(key, PROGRAMS), layers, "research", lambda _: None)
    assert leaked(found) == expected(key, found)
    gone = {f"sandbox:{layer}" for layer in layers}
    assert not gone & {attempt.stopped_by for attempt in found}
