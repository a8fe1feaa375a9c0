"""Attempts that are given: what is asked is only who saw them, and what was done."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deployed import NAMES, TENANTS, deployed  # pyright: ignore[reportMissingImports] what the eyes' tests deploy

from infra.settings import Settings, parse
from infra.tripwire_table import Sensor
from sequester.cloud import Edit
from sequester.drill.attempt import Attempt
from sequester.drill.eyes import Eyes
from sequester.drill.local import Local
from sequester.drill.outcome import Baseline, Drill, Outcome, Technique
from sequester.drill.run import drill
from sequester.drill.table import BY_ID
from sequester.eyes.records import SensorRecord, shipped

TECHNIQUE = BY_ID["direct-tcp-v4"]
SETTINGS: Settings = parse(
    {
        "account": NAMES.account,
        "region": NAMES.region,
        "network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
        "tenants": {name: {"allow": []} for name in TENANTS},
    }
)


def begun() -> float:
    """A second into ten minutes that CloudWatch counts as one: an alarm of that period comes as late as can be."""
    return time.time() // 600 * 600 + 1


def record(kind: str = "network", *, at: float | None = None, **more: object) -> SensorRecord:
    event = {"sequester": 1, "kind": kind, "action": "denied", "noise": False, "syscall": "connect", **more}
    return SensorRecord(Sensor.SUPERVISOR, shipped(event, namespace="research-sandbox", pod="drill"), at or time.time())


def stopped(records: Sequence[SensorRecord]) -> Attempt:
    arrived = Baseline(arrived=True, said="arrived by TCP 443")
    return Attempt(TECHNIQUE.id, "", TECHNIQUE.control, ("errno EPERM",), arrived, records, 0.01)


@dataclass(frozen=True)
class Given(Local):
    """A target on which everything has been tried: only who saw it is asked."""

    attempts: Sequence[Attempt] = ()

    def hold(self, techniques: Sequence[Technique], tell: Callable[[Attempt], None]) -> list[Attempt]:
        for attempt in self.attempts:
            tell(attempt)
        return list(self.attempts)


def held(eyes: Eyes, attempt: Attempt, technique: Technique = TECHNIQUE) -> tuple[Drill, Outcome]:
    found = drill(Given(eyes, attempts=(attempt,)), [technique], [], lambda *_: None)
    [outcome] = found.outcomes
    return found, outcome


@contextmanager
def watching(edit: Edit | None = None) -> Generator[Eyes]:
    with deployed(edit) as cloud:
        yield Eyes(cloud.cloud, SETTINGS)
