"""What the deployment tells the functions: a file in their archive, because environment variables hold 4 KB."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Level = Literal["observe", "contain", "isolate"]
LEVELS: Final[tuple[Level, ...]] = ("observe", "contain", "isolate")
CONFIG_FILE: Final = "responder.json"


@dataclass(frozen=True)
class Wire:
    """One alarm: where its sensor writes, what its filters count, and the most that is done about it."""

    sensor: str
    log_group: str
    streams: str
    """How the names of the sensor's own streams begin: a node may write others into the same group."""
    patterns: tuple[str, ...]
    response: Level
    tenant: str | None
    window_seconds: int


@dataclass(frozen=True)
class Config:
    """See `infra.response`, which writes it."""

    stack: str
    account: str
    region: str
    cluster: str
    topic: str
    bucket: str
    table: str
    inside: str
    audit_log_group: str
    sandbox_node_group: str
    deny_policy: str
    """ARN of the managed policy that denies everything: the only one that the responder may attach."""
    audit_streams: str
    """How the names of the streams begin that EKS alone writes, with the Kubernetes audit."""
    flow_fields: tuple[str, ...]
    """The fields of a flow log record, in order."""
    level: Level
    dry_run: bool
    actions_per_hour: int
    never_touch: frozenset[str]
    tenants: Mapping[str, Mapping[str, str]]
    """Tenant → `agent_role` (name) and `door_table`."""
    wires: Mapping[str, Wire]
    """Alarm name → wire."""


def load(directory: Path = Path(__file__).parent) -> Config:
    """The deployed configuration. Raises OSError, ValueError, KeyError or TypeError: who does not know must not act."""
    given: dict[str, Any] = json.loads((directory / CONFIG_FILE).read_text())
    wires: dict[str, dict[str, Any]] = given.pop("wires")
    never_touch: list[str] = given.pop("never_touch")
    flow_fields: list[str] = given.pop("flow_fields")
    for wire in wires.values():
        wire["patterns"] = tuple(wire["patterns"])
    return Config(
        **given,
        never_touch=frozenset(never_touch),
        flow_fields=tuple(flow_fields),
        wires={name: Wire(**wire) for name, wire in wires.items()},
    )
