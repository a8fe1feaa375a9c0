"""CloudWatch alarms on samples: the state at a time, with period, M of N, and what missing data means.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sequester.eyes.metric import Sample

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

Datapoint = float | None
"""A period's statistic; None where no sample fell into it."""

# CloudWatch looks at a few more periods than it evaluates, to bridge gaps; its number is not published.
_SPARE_PERIODS = 2

_STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": lambda values: float(len(values)),
    "Sum": sum,
}
_BREACHES: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": lambda found, threshold: found >= threshold,
    "GreaterThanThreshold": lambda found, threshold: found > threshold,
    "LessThanOrEqualToThreshold": lambda found, threshold: found <= threshold,
    "LessThanThreshold": lambda found, threshold: found < threshold,
}


class State(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class Alarm:
    """A metric alarm: `needed` of the last `periods` periods of `period_seconds` breach."""

    name: str
    namespace: str
    metric: str
    dimensions: frozenset[tuple[str, str]]
    statistic: str
    period_seconds: int
    periods: int
    needed: int
    comparison: str
    threshold: float
    missing: str

    @classmethod
    def deployed(cls, described: "MetricAlarmTypeDef") -> "Alarm":
        """From an element of the answer to DescribeAlarms, with CloudWatch's defaults for what it leaves out."""
        periods = described.get("EvaluationPeriods", 1)
        return cls(
            described.get("AlarmName", ""),
            described.get("Namespace", ""),
            described.get("MetricName", ""),
            frozenset((each["Name"], each["Value"]) for each in described.get("Dimensions", [])),
            described.get("Statistic", ""),
            described.get("Period", 60),
            periods,
            described.get("DatapointsToAlarm") or periods,
            described.get("ComparisonOperator", ""),
            described.get("Threshold", 0.0),
            described.get("TreatMissingData") or "missing",
        )

    def datapoints(self, samples: Iterable[Sample], now: float) -> list[Datapoint]:
        """The last whole periods before `now`, oldest first, spare ones included; periods align with the epoch."""
        count = self.periods + _SPARE_PERIODS
        end = math.floor(now / self.period_seconds)
        inside: defaultdict[int, list[float]] = defaultdict(list)
        for each in samples:
            if (each.namespace, each.name, each.dimensions) == (self.namespace, self.metric, self.dimensions):
                inside[math.floor(each.time / self.period_seconds)].append(each.value)
        statistic = _STATISTICS[self.statistic]
        return [statistic(inside[at]) if inside[at] else None for at in range(end - count, end)]


def evaluate(alarm: Alarm, datapoints: Sequence[Datapoint], previous: State = State.INSUFFICIENT_DATA) -> State:
    """The state after `datapoints`, oldest first: as many real ones as are evaluated decide, else gaps are filled."""
    real = [_BREACHES[alarm.comparison](each, alarm.threshold) for each in datapoints if each is not None]
    recent = real[-alarm.periods :]
    gaps = alarm.periods - len(recent)
    if gaps and alarm.missing in ("breaching", "notBreaching"):
        recent += [alarm.missing == "breaching"] * gaps
        gaps = 0
    if sum(recent) >= alarm.needed:
        return State.ALARM
    if not gaps:
        return State.OK
    if alarm.missing == "ignore":
        return State.OK if recent and not all(recent) else previous
    # Treated as missing: what is there speaks, unless it is all breaching and only too few.
    if not recent:
        return State.INSUFFICIENT_DATA
    return State.ALARM if all(recent) else State.OK


def composite_state(rule: str, states: Mapping[str, State]) -> State:
    """A composite alarm whose rule is ``ALARM(a) OR ALARM("b")``, the only form that is deployed here.

    Raises:
        ValueError: the rule has another form, or names an alarm that does not exist.
    """
    names = [re.fullmatch(r'ALARM\("?([^()"]+)"?\)', part.strip()) for part in rule.split(" OR ")]
    if not all(names):
        raise ValueError(f"{rule!r}: only ALARM(name) OR ALARM(name) is evaluated")
    children = [name[1] for name in names if name]
    if unknown := [name for name in children if name not in states]:
        raise ValueError(f"{rule!r}: no alarm is called {', '.join(unknown)}")
    return State.ALARM if any(states[name] is State.ALARM for name in children) else State.OK
