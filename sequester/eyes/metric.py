"""Metric filters on log events: the samples that they put into CloudWatch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequester.eyes.pattern import FilterPattern, value

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import MetricFilterTypeDef


@dataclass(frozen=True)
class Event:
    """A log event: seconds since the epoch, and its text."""

    time: float
    message: str


@dataclass(frozen=True)
class Sample:
    """One value of one metric at a time in seconds."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    time: float
    value: float


@dataclass(frozen=True)
class MetricFilter:
    """One metric filter; `value` is a number or a selector, `dimensions` maps a name to a selector."""

    pattern: FilterPattern
    namespace: str
    name: str
    value: str
    dimensions: Mapping[str, str]

    @classmethod
    def deployed(cls, described: "MetricFilterTypeDef") -> "MetricFilter":
        """From an element of the answer to DescribeMetricFilters."""
        [transformation] = described.get("metricTransformations", [])
        return cls(
            FilterPattern(described.get("filterPattern", "")),
            transformation["metricNamespace"],
            transformation["metricName"],
            transformation["metricValue"],
            transformation.get("dimensions", {}),
        )


def samples(events: Iterable[Event], metric_filter: MetricFilter) -> Iterator[Sample]:
    """A sample for each event that matches; none where its value or a dimension is not in the event."""
    for event in events:
        record = metric_filter.pattern.match(event.message)
        if record is None:
            continue
        text = value(record, metric_filter.value) if metric_filter.value.startswith("$") else metric_filter.value
        dimensions = {name: value(record, selector) for name, selector in metric_filter.dimensions.items()}
        try:
            number = float(text or "")
        except ValueError:
            continue
        present = frozenset((name, found) for name, found in dimensions.items() if found)
        if len(present) == len(dimensions):
            yield Sample(metric_filter.namespace, metric_filter.name, present, event.time, number)
