"""What watches a stack, read back from its cloud: metric filters by log group, alarms by name, and whom they tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sequester.eyes.alarm import Alarm
from sequester.eyes.metric import MetricFilter


@dataclass(frozen=True)
class Watch:
    """`filters` by log group, `alarms` by name, `described`: DescribeAlarms' own words, by name."""

    filters: Mapping[str, list[MetricFilter]]
    alarms: Mapping[str, Alarm]
    described: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, client: Callable[[str], Any]) -> "Watch":
        """client: a service's name → its boto3 client."""
        filters: dict[str, list[MetricFilter]] = {}
        for page in client("logs").get_paginator("describe_metric_filters").paginate():
            for each in page["metricFilters"]:
                filters.setdefault(each["logGroupName"], []).append(MetricFilter.deployed(each))
        described: dict[str, Mapping[str, Any]] = {
            each["AlarmName"]: each
            for page in client("cloudwatch").get_paginator("describe_alarms").paginate()
            for each in page["MetricAlarms"]
        }
        alarms = {name: Alarm.deployed(each) for name, each in described.items()}  # type: ignore[arg-type]
        return cls(filters, alarms, described)
