"""Facts of observation: sensors that see attempts, the filters that count them, the alarms that tell, and whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sensor:
    """A source of records. `kind` is a column of the sensor matrix; `sink` is the log group that it writes to."""

    name: str
    kind: str
    scope: str
    """The VPC, cluster or function that it sees; of a trail, the event sources that it records, with commas."""
    sink: str
    complete: bool
    """It records every attempt of its kind: traffic type ALL, no narrowing selector."""
    gap: str = ""
    fields: tuple[str, ...] = ()
    """Of a flow log: the fields of a record, in order."""
    roles: tuple[str, ...] = ()
    """The roles with which it writes."""
    by_endpoint: bool = False
    """It writes from the VPC's nodes, so through an endpoint of CloudWatch Logs."""


@dataclass(frozen=True, slots=True)
class MetricFilter:
    name: str
    log_group: str
    pattern: str
    metric: tuple[str, str]
    """(namespace, metric name)."""
    value: str = "1"
    dimensions: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A metric alarm; `metrics` are (namespace, name). Periods in seconds."""

    name: str
    metrics: tuple[tuple[str, str], ...]
    threshold: float | None
    enabled: bool
    actions: tuple[str, ...]
    comparison: str = "GreaterThanOrEqualToThreshold"
    statistic: str = "Sum"
    period: int = 60
    periods: int = 1
    datapoints: int = 1
    missing: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    """The only unit of records that it looks at; the empty text for any."""
    arn: str = ""


@dataclass(frozen=True, slots=True)
class LogGroup:
    """`klass` is CloudWatch's class; `key` the ARN of the key that its records are under, if any."""

    name: str
    klass: str = "STANDARD"
    key: str = ""
    masked: str = ""
    """The data protection policy that may mask parts of its records, for filters as for readers."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whom a topic tells: `endpoint` is an ARN, an address or a URL, by `protocol`."""

    topic: str
    protocol: str
    endpoint: str
    filtered: bool = False
    """Whether it is told of some messages only."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A rule that makes a function (by its ARN) run, on a schedule or for an event; `on`: it does so now."""

    name: str
    function: str
    on: bool
    rule: str = ""
    """Its ARN."""
    schedule: str = ""
    """As EventBridge writes it, ``rate(1 minute)`` or ``cron(...)``; the empty text for a rule on events."""
    said: str = ""
    """What the function is told: JSON, or the empty text for EventBridge's own event."""


@dataclass(frozen=True)
class Watch:
    """Everything that observes a deployment."""

    sensors: tuple[Sensor, ...] = ()
    filters: tuple[MetricFilter, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    groups: Mapping[str, LogGroup] = field(default_factory=dict[str, LogGroup])
    topics: Mapping[str, str] = field(default_factory=dict[str, str])
    """Topic's ARN → the ARN of its key, or the empty text."""
    subscriptions: tuple[Subscription, ...] = ()
    shippers: tuple[Sensor, ...] = ()
    """What brings the containers' lines off the nodes."""
    timers: tuple[Timer, ...] = ()
    keys: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """ARN of each key in the facts → whether anybody can use it, whatever its policy says."""
