"""The table names only what exists, and everything that exists has its place."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from infra.tripwire_table import TRIPWIRES, Sensor
from sequester.drill.broken_out import BY_ID as BY_ID_OF_OUTBREAK
from sequester.drill.control import controls, removable
from sequester.drill.doorway import REMOVABLE as DOORS_RULES
from sequester.drill.outcome import NO_TRIPWIRE, Family, Target, Technique
from sequester.drill.program import program
from sequester.drill.table import BY_ID, FAST, PROGRAMS, TECHNIQUES, UnknownTechniqueError, chosen
from sequester.drill.through_door import FETCHES

sys.path.insert(0, str(Path(__file__).parents[2]))

import removed_controls

SEEING = {row.id for row in TRIPWIRES if row.sensor is not Sensor.NONE}


def test_there_are_at_least_eighty_each_with_an_id_of_its_own() -> None:
    assert len(TECHNIQUES) >= 80
    assert [name for name, count in Counter(technique.id for technique in TECHNIQUES).items() if count > 1] == []


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.id)
def test_what_stops_and_sees_it_exists(technique: Technique) -> None:
    assert technique.control in controls()
    assert technique.tripwire in {NO_TRIPWIRE, *SEEING}
    assert technique.does
    assert technique.targets
    assert technique.id.startswith(f"{technique.family}-")
    assert technique.id == technique.id.lower()


@pytest.mark.parametrize("family", list(Family))
def test_every_family_has_techniques_and_some_fast_ones(family: Family) -> None:
    mine = {technique.id for technique in TECHNIQUES if technique.family is family}
    assert len(mine) >= 10
    assert mine & FAST


def test_the_fast_ones_exist() -> None:
    assert {technique.id for technique in TECHNIQUES} >= FAST


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_python_that_uses_its_canary_or_asks_for_what_carries_it(name: str) -> None:
    source = program(PROGRAMS[name], {})
    compile(source, name, "exec")


def test_narrowing() -> None:
    assert {technique.family for technique in chosen([Family.DNS], [], target=Target.LOCAL)} == {Family.DNS}
    assert [technique.id for technique in chosen([], ["host-bpf"], target=Target.LOCAL)] == ["host-bpf"]
    assert chosen([Family.DNS], ["host-bpf"], target=Target.LOCAL) == []
    with pytest.raises(UnknownTechniqueError, match="host-pbf"):
        chosen([], ["host-pbf"], target=Target.LOCAL)


EVERYTHING_HANGS_ON = "network:endpoint-policy"  # without any policy an endpoint has AWS's default


@pytest.mark.parametrize("key", removed_controls.EXPECTED)
def test_what_leaks_without_a_control_is_what_names_it(key: str) -> None:
    gone = key.split()
    assert set(gone) <= removable(Target.LAB)
    for name in removed_controls.EXPECTED[key]:
        held = set(BY_ID_OF_OUTBREAK[name].held_by) if name in BY_ID_OF_OUTBREAK else {BY_ID[name].control}
        assert held <= set(gone) or key == EVERYTHING_HANGS_ON, name


@pytest.mark.parametrize("key", removed_controls.of("lab"))
def test_what_is_held_by_nothing_else_leaks(key: str) -> None:
    expected = {row.id for row in BY_ID_OF_OUTBREAK.values() if set(row.held_by) <= set(key.split())}
    assert set(removed_controls.EXPECTED[key]) == expected


WRITTEN_BY_NO_LIBRARY = {
    "door-forged-header",
    "door-forged-host",
    "door-line-break-in-the-path",
    "door-method-with-a-header-in-it",
    "door-space-before-the-colon",
}
"""Requests that h11 refuses to write, whatever rule of the door's is gone."""


def test_whatever_a_rule_of_the_door_denies_leaks_in_some_row_without_it() -> None:
    leaking = {name for key in removed_controls.of("door") for name in removed_controls.EXPECTED[key]}
    could = {name for name, row in FETCHES.items() if row.rule in DOORS_RULES}
    assert could - leaking == WRITTEN_BY_NO_LIBRARY


@pytest.mark.parametrize("target", Target)
def test_only_controls_are_taken_away(target: Target) -> None:
    assert removable(target) <= controls().keys()


def test_controls_of_every_table_are_taken_away() -> None:
    assert len(removed_controls.EXPECTED) >= 12
    assert {key.partition(":")[0] for key in removed_controls.EXPECTED} >= {
        "sandbox",
        "door",
        "admission",
        "kubernetes",
        "network",
        "cluster",
    }
