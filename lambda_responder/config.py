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
    flow_instance_field: int
    """Where the instance id stands in a flow log record, from 0."""
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
    for wire in wires.values():
        wire["patterns"] = tuple(wire["patterns"])
    return Config(
        **given, never_touch=frozenset(never_touch), wires={name: Wire(**wire) for name, wire in wires.items()}
    )
