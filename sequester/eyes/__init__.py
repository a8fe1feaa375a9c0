"""Evaluates the alarms that are deployed: CloudWatch Logs filter patterns on records, alarms on their metrics."""

from sequester.eyes.alarm import Alarm, Datapoint, State, composite_state, evaluate
from sequester.eyes.comparison import PatternError
from sequester.eyes.metric import Event, MetricFilter, Sample, samples
from sequester.eyes.pattern import FilterPattern
from sequester.eyes.watch import Watch

__all__ = [
    "Alarm",
    "Datapoint",
    "Event",
    "FilterPattern",
    "MetricFilter",
    "PatternError",
    "Sample",
    "State",
    "Watch",
    "composite_state",
    "evaluate",
    "samples",
]
