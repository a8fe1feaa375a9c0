"""Alarm states follow AWS's page on alarms and missing data, and whole periods that align with the epoch."""

from dataclasses import replace

import pytest

from sequester.eyes import Alarm, Sample, State, composite_state, evaluate

OK, ALARM, NONE = State.OK, State.ALARM, State.INSUFFICIENT_DATA
THREE = Alarm(
    "a", "n", "m", frozenset(), "Sum", 60, 3, 3, "GreaterThanOrEqualToThreshold", 1.0, "missing"
)  # fmt: skip


def points(text: str) -> list[float | None]:
    """As the page writes them: X breaches, 0 does not, - is missing."""
    return [{"X": 1.0, "0": 0.0, "-": None}[each] for each in text.split()]


@pytest.mark.parametrize(
    ("text", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", OK, OK, OK, OK),
        ("0 - - - -", OK, OK, OK, OK),
        ("- - - - -", NONE, NONE, ALARM, OK),
        ("0 X X - X", ALARM, ALARM, ALARM, ALARM),
        ("- - X - -", ALARM, NONE, ALARM, OK),
    ],
)
def test_three_of_three(text: str, missing: State, ignore: State, breaching: State, not_breaching: State) -> None:
    found = [
        evaluate(replace(THREE, missing=how), points(text))
        for how in ("missing", "ignore", "breaching", "notBreaching")
    ]
    assert found == [missing, ignore, breaching, not_breaching]


@pytest.mark.parametrize(
    ("text", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", ALARM, ALARM, ALARM, ALARM),
        ("0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
        ("0 - X - -", OK, OK, ALARM, OK),
        ("- - - - 0", OK, OK, ALARM, OK),
        ("- - - X -", ALARM, NONE, ALARM, OK),
    ],
)
def test_two_of_three(text: str, missing: State, ignore: State, breaching: State, not_breaching: State) -> None:
    two = replace(THREE, needed=2)
    found = [
        evaluate(replace(two, missing=how), points(text)) for how in ("missing", "ignore", "breaching", "notBreaching")
    ]
    assert found == [missing, ignore, breaching, not_breaching]


def test_a_sample_counts_in_its_own_period_metric_and_dimensions() -> None:
    alarm = replace(THREE, periods=1, needed=1, dimensions=frozenset({("t", "a")}), missing="notBreaching")
    here = Sample("n", "m", alarm.dimensions, 125.0, 1.0)
    others = [replace(here, name="x"), replace(here, dimensions=frozenset()), replace(here, namespace="x")]
    assert alarm.datapoints([here, *others], now=180) == [None, None, 1.0]
    assert alarm.datapoints([here], now=179) == [None, None, None]  # its period is not over
    assert evaluate(alarm, alarm.datapoints([here], 180)) is ALARM
    assert evaluate(alarm, alarm.datapoints(others, 180)) is OK


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 6.0), ("Maximum", 4.0), ("Minimum", 2.0), ("Average", 3.0), ("SampleCount", 2.0)],
)
def test_statistics(statistic: str, expected: float) -> None:
    alarm = replace(THREE, statistic=statistic, periods=1)
    taken = [Sample("n", "m", frozenset(), 60.0 + at, number) for at, number in ((0, 2.0), (59, 4.0))]
    assert alarm.datapoints(taken, 120)[-1] == expected


def test_a_composite_is_in_alarm_when_a_child_is() -> None:
    rule = 'ALARM("a") OR ALARM(b)'
    assert composite_state(rule, {"a": OK, "b": ALARM}) is ALARM
    assert composite_state(rule, {"a": OK, "b": NONE}) is OK
    with pytest.raises(ValueError, match="no alarm is called b"):
        composite_state(rule, {"a": OK})
    with pytest.raises(ValueError, match="only ALARM"):
        composite_state("NOT ALARM(a)", {"a": OK})
