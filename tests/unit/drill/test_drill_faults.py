"""Where a link of the chain is broken, the drill says which: unseen, late, no response; never that all is well."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from given import SETTINGS, held, record, stopped, watching

from sequester.drill.eyes import Eyes
from sequester.drill.outcome import Baseline, How, Result, Target
from sequester.eyes.records import SensorRecord


@pytest.fixture(scope="module")
def eyes() -> Iterator[Eyes]:
    with watching() as made:
        yield made


def test_with_every_link_it_is_seen_in_time_and_answered(eyes: Eyes) -> None:
    found, outcome = held(eyes, stopped([record()]))
    assert outcome.problems == ()
    assert outcome.passed
    assert found.exit_code == 0
    assert outcome.seen_by == "network-call"
    assert outcome.alarm
    assert outcome.alarm.name == "sequester-network-call-research"
    assert outcome.alarm.seconds
    assert outcome.alarm.allowed_seconds
    assert 0 < outcome.alarm.seconds <= outcome.alarm.allowed_seconds
    assert outcome.response
    assert outcome.response.done
    assert "delete_pod" in outcome.response.action
    assert outcome.response.target == "pod research-sandbox/drill"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "no record at all"),
        ([record(noise=True)], "no record that it counts"),
        ([record("trace")], "counted by kernel-call"),
    ],
    ids=["sensor killed", "only noise", "another class"],
)
def test_a_sensor_that_says_nothing_of_it(eyes: Eyes, records: list[SensorRecord], said: str) -> None:
    found, outcome = held(eyes, stopped(records))
    assert outcome.result is Result.STOPPED
    assert not outcome.passed
    [problem] = outcome.problems
    assert problem.startswith("unseen: network-call")
    assert said in problem
    assert found.exit_code == 1


def test_a_responder_that_is_down(eyes: Eyes) -> None:
    def down(method: str, path: str, body: object = None, kind: str = "") -> tuple[int, object]:
        raise OSError("the API server does not answer")

    _, outcome = held(Eyes(eyes.cloud, SETTINGS, down), stopped([record()]))
    assert outcome.response
    assert not outcome.response.done
    assert any(problem.startswith("no response:") for problem in outcome.problems)


def test_a_responder_that_is_refused(eyes: Eyes) -> None:
    def refuse(method: str, path: str, body: object = None, kind: str = "") -> tuple[int, object]:
        return 403, {"message": "forbidden"}

    _, outcome = held(Eyes(eyes.cloud, SETTINGS, refuse), stopped([record()]))
    assert outcome.response
    assert not outcome.response.done
    assert any(problem.startswith("no response:") for problem in outcome.problems)


def test_stopped_by_another_control_is_said(eyes: Eyes) -> None:
    found, outcome = held(eyes, replace(stopped([record()]), stopped_by="sandbox:network"))
    assert outcome.problems == ("stopped by sandbox:network, not by sandbox:seccomp",)
    assert found.exit_code == 1


def test_a_leak_is_one_whatever_its_baseline_did(eyes: Eyes) -> None:
    leaked = replace(stopped([]), reached="canary 1 arrived at the sink", baseline=None, stopped_by=None)
    found, outcome = held(eyes, leaked)
    assert outcome.result is Result.LEAK
    assert found.exit_code == 1


@pytest.mark.parametrize("baseline", [None, Baseline(arrived=False, said="ENETUNREACH")])
def test_without_a_baseline_that_arrives_nothing_is_proved(eyes: Eyes, baseline: Baseline | None) -> None:
    found, outcome = held(eyes, replace(stopped([record()]), baseline=baseline))
    assert outcome.result is Result.BASELINE_FAILED
    assert not outcome.passed
    assert found.exit_code == 2


def test_what_was_not_run_says_why(eyes: Eyes) -> None:
    found, outcome = held(eyes, replace(stopped([]), not_run="no bwrap on PATH"))
    assert (outcome.result, outcome.reason) == (Result.NOT_RUN, "no bwrap on PATH")
    assert found.exit_code == 2


def test_what_was_computed_is_not_said_to_be_tried(eyes: Eyes) -> None:
    _, outcome = held(eyes, replace(stopped([record()]), how=How.COMPUTED))
    assert outcome.how is How.COMPUTED
    assert outcome.target is Target.LOCAL
