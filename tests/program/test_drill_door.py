"""The drill at the deployed door and endpoint policies: all stopped; without a rule, precisely its leak."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import removed_controls
from removed_controls import expected, leaked, tried

from sequester.drill import calls, doorway
from sequester.drill.eyes import Eyes
from sequester.drill.outcome import How
from sequester.drill.table import BY_ID
from sequester.drill.through_door import FETCHES
from sequester.standing import settings_of, standing

CONFIG: dict[str, object] = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:tenants": {"research": {"allow": [{"host": "api.github.com", "paths": ["/repos/*"]}]}},
}


@pytest.fixture(scope="module")
def eyes() -> Generator[Eyes]:
    with standing(CONFIG) as here:
        yield Eyes(here.cloud, settings_of(CONFIG))


def test_every_request_arrives_without_a_door_and_is_denied_by_the_rule_that_is_named(eyes: Eyes) -> None:
    found = doorway.hold([BY_ID[name] for name in FETCHES], (), eyes)
    assert leaked(found) == set()
    for attempt in found:
        assert attempt.stopped_by == BY_ID[attempt.technique].control, attempt
        assert attempt.baseline
        assert attempt.baseline.arrived, attempt
        sight = eyes.counted(BY_ID[attempt.technique], attempt.records)
        assert sight.problems == (), attempt


@pytest.mark.parametrize("key", removed_controls.of("door"))
def test_without_a_rule_precisely_what_it_stops_leaks(eyes: Eyes, key: str) -> None:
    rules = [control.removeprefix("door:") for control in key.split()]
    found = doorway.hold([BY_ID[name] for name in tried(key, FETCHES)], rules, eyes)
    assert leaked(found) == expected(key, found)


def test_every_call_passes_by_default_and_none_by_what_is_deployed(eyes: Eyes) -> None:
    found = calls.hold(list(calls.BY_ID), (), eyes)
    assert leaked(found) == set()
    for attempt in found:
        assert attempt.how is How.COMPUTED
        assert attempt.stopped_by == BY_ID[attempt.technique].control, attempt
        assert attempt.baseline
        assert attempt.baseline.arrived


@pytest.mark.parametrize("key", removed_controls.of("network"), ids=lambda key: key.replace(" ", "+"))
def test_without_what_a_policy_wants_precisely_that_passes(eyes: Eyes, key: str) -> None:
    found = calls.hold(list(calls.BY_ID), key.split(), eyes)
    assert leaked(found) == set(removed_controls.EXPECTED[key])
