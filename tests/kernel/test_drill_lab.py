"""The drill in the lab: what broke out is stopped and seen by the network; without layers, precisely their leaks."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lab_facts import blueprint_facts

sys.path.insert(0, str(Path(__file__).parents[1]))

import removed_controls
from removed_controls import leaked

from sequester.drill.attempt import Attempt
from sequester.drill.broken_out import OUTBREAKS
from sequester.drill.lab import Lab
from sequester.drill.table import BY_ID

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("lab")]


def held(*removed: str) -> list[Attempt]:
    # Who counts the records is asked elsewhere.
    eyes: Any = SimpleNamespace(tenant="research", of_the_machine=lambda records, *_: records)
    return Lab(eyes, blueprint_facts(), removed).hold([BY_ID[row.id] for row in OUTBREAKS], lambda _: None)


def test_everything_arrives_without_layers_and_is_stopped_by_the_one_that_is_named() -> None:
    found = held()
    assert leaked(found) == set()
    for attempt in found:
        assert attempt.stopped_by == BY_ID[attempt.technique].control, attempt
        assert attempt.baseline
        assert attempt.baseline.arrived, attempt


@pytest.mark.parametrize("key", removed_controls.of("lab"), ids=lambda key: key.replace(" ", "+"))
def test_without_layers_precisely_what_they_stop_leaks(key: str) -> None:
    assert leaked(held(*key.split())) == set(removed_controls.EXPECTED[key])
