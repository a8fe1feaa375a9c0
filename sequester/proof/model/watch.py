"""Facts of observation: sensors that see attempts, the filters that count them, the alarms that tell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sensor:
    """A source of records. `kind` is a column of the sensor matrix; `sink` is the log group (or trail) it writes to."""

    name: str
    kind: str
    scope: str
    sink: str
    complete: bool
    """It records every attempt of its kind: traffic type ALL, no narrowing selector."""
    gap: str = ""


@dataclass(frozen=True, slots=True)
class MetricFilter:
    name: str
    log_group: str
    pattern: str
    metric: tuple[str, str]
    """(namespace, metric name)."""


@dataclass(frozen=True, slots=True)
class Alarm:
    name: str
    metrics: tuple[tuple[str, str], ...]
    threshold: float | None
    enabled: bool
    actions: tuple[str, ...]
