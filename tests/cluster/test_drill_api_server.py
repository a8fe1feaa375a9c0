"""The drill at a real API server: all refused by the control that is named; without one, precisely what it refuses."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import removed_controls
from removed_controls import expected, leaked, tried

from sequester.cloud import control_plane as planes
from sequester.drill import api_server
from sequester.drill.asks import ASKS
from sequester.drill.table import BY_ID

pytestmark = [pytest.mark.lane("cluster", *planes.EXECUTABLES), pytest.mark.xdist_group("tenants")]


def test_everything_passes_without_controls_and_is_refused_by_the_one_that_is_named() -> None:
    found = api_server.hold([BY_ID[name] for name in ASKS], (), "research")
    assert leaked(found) == set()
    for attempt in found:
        assert attempt.stopped_by == BY_ID[attempt.technique].control, attempt
        assert attempt.baseline
        assert attempt.baseline.arrived, attempt
        assert attempt.records or attempt.technique == "kubernetes-read-events", attempt


@pytest.mark.parametrize("key", removed_controls.of("kubernetes"))
def test_without_a_control_precisely_what_it_refuses_passes(key: str) -> None:
    found = api_server.hold([BY_ID[name] for name in tried(key, ASKS)], key.split(), "research")
    assert leaked(found) == expected(key, found)
