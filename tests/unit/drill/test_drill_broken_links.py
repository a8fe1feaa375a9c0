"""One link of what is deployed is broken at a time: the drill names it. Each case is a cloud of its own."""

import pytest
from given import begun, held, record, stopped, watching

from sequester.cloud import Edit


def changed(name: str, **inputs: object) -> Edit:
    return Edit(change=lambda _, made, given: given | inputs if made == name else given)


def without(name: str, kind: str) -> Edit:
    return Edit(change=lambda type_, made, given: None if made == name and type_.endswith(kind) else given)


_ALARM = "sequester-network-call-research"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (without(f"{_ALARM}-1", "LogMetricFilter"), "unseen: network-call"),
        (changed(f"{_ALARM}-1", pattern='{ $.event.kind = "nothing" }'), "unseen: network-call"),
        (changed(_ALARM, threshold=50), "no alarm: network-call"),
        (changed(_ALARM, period=600), "late: the alarm comes after"),
        (changed(_ALARM, alarmActions=[]), "no response: the alarm's topic tells no responder"),
        (changed(_ALARM, actionsEnabled=False), "no response: the alarm's topic tells no responder"),
        (without("sequester-responder", "TopicSubscription"), "no response: the alarm's topic tells no responder"),
        (without("sequester-responder-alarms", "Permission"), "no response: the alarm's topic tells no responder"),
    ],
    ids=[
        "filter gone",
        "filter of something else",
        "alarm too deaf",
        "alarm delayed",
        "alarm tells nobody",
        "alarm silenced",
        "responder not subscribed",
        "responder may not be invoked",
    ],
)
def test_a_link_that_is_broken_is_named(edit: Edit, said: str) -> None:
    with watching(edit) as broken:
        found, outcome = held(broken, stopped([record(at=begun() if said.startswith("late") else None)]))
    assert any(problem.startswith(said) for problem in outcome.problems), outcome
    assert found.exit_code == 1
    if not said.startswith("unseen"):
        assert outcome.seen_by == "network-call"
