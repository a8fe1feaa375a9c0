"""Who is told of an attempt, and how far quarantine may go by itself."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from infra.settings.values import prefixed

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_BUS = re.compile(r"arn:aws:events:[a-z0-9-]+:\d{12}:event-bus/[\w./-]+\Z")


def _email(value: str) -> str:
    if not _EMAIL.match(value):
        raise ValueError(f"{value!r} is no e-mail address: write it as security@example.com")
    return value


def _bus(value: str) -> str:
    if not _BUS.match(value):
        raise ValueError(f"{value!r} is no event bus: write arn:aws:events:<region>:<account>:event-bus/<name>")
    return value


Level = Literal["observe", "contain", "isolate"]


class TripwireSettings(BaseModel):
    """`sequester:tripwires`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notify: tuple[Annotated[str, AfterValidator(_email)], ...] = ()
    """Addresses that are sent every alarm; each has to confirm once."""
    event_bus: Annotated[str, AfterValidator(_bus)] | None = None
    """Alarms go to this EventBridge bus, too: from there to a webhook, a chat or a ticket system of yours."""
    guardduty: bool = False
    """Findings of GuardDuty's EKS runtime monitoring, which the account must have, are sent like alarms."""
    response: Level = "contain"
    """The most that happens without a person: observe keeps evidence; contain ends the pod and, where an agent or its
    door is concerned, closes the door; isolate also cuts off, snapshots and terminates the node."""
    actions_per_hour: int = Field(default=20, ge=1, le=1000)
    """Above it, people are paged and nothing more is stopped: an alarm must not become an outage."""
    dry_run: bool = False
    """Say what would be done; do nothing but keep evidence."""
    never_touch: tuple[Annotated[str, prefixed("i")], ...] = ()
    """Instances that are left alone, whatever is seen on them. System nodes always are."""
