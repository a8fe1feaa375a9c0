"""What trying a technique found, before anybody asks who saw it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sequester.drill.outcome import Alarm, Baseline, How, Response
from sequester.eyes.records import SensorRecord


@dataclass(frozen=True)
class Attempt:
    """One technique, tried on one target.

    reached: with what proof it got through (the canary, and where it arrived), empty if it was stopped. not_run: why it
    was not tried, or why trying it proves nothing here. records: what the sensors wrote about it. seconds: from its
    start to the first record, measured.
    """

    technique: str
    reached: str = ""
    stopped_by: str | None = None
    evidence: tuple[str, ...] = ()
    baseline: Baseline | None = None
    records: Sequence[SensorRecord] = ()
    seconds: float | None = None
    not_run: str = ""
    how: How = How.TRIED


@dataclass(frozen=True)
class Sight:
    """What became of an attempt's records. problems: what is not as the technique expects."""

    seen_by: str | None = None
    alarm: Alarm | None = None
    response: Response | None = None
    problems: tuple[str, ...] = ()
