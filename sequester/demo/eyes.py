"""Step: what the untrusted code tried becomes records, alarms and acts, and ends in a release: all as deployed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from rich.table import Table

from infra.labels import sandbox_namespace
from infra.names import Names
from infra.sensors import Sensor
from sequester.demo.door import ask
from sequester.demo.quarantine import released
from sequester.demo.scene import NotShownError, Scene
from sequester.embedded_door import EmbeddedDoor, embedded_door
from sequester.eyes import Watch
from sequester.eyes.chain import Answer, Fired, fired, respond
from sequester.eyes.records import SensorRecord, shipped

_POD: Final = "demo"
_PROBES: Final = 3


def play(scene: Scene) -> Sequence[str]:
    """A failure for each attempt that no alarm saw, each act that was not done, and a door that stays closed."""
    tenant = min(scene.settings.tenants, default=None)
    if tenant is None or not scene.tried:
        raise NotShownError("no attempt was made: the step with untrusted code says why")
    cloud, names = scene.standing.cloud, Names.of(scene.settings)
    with embedded_door(cloud.client, names.door(tenant)) as door:
        tried = [*sandboxed(scene, tenant), *probed(door)]
        watch = Watch.read(cloud.client)
        alarms = fired(watch, names, sorted(scene.settings.tenants), tried)
        answers = [respond(cloud, names, tried, watch.described[alarm.alarm]) for alarm in alarms]
        scene.console.print(alarmed(tenant, alarms, answers))
        for path, methods in asked(answers).items():
            said = f"asked of the cluster's API server; here noted, not sent: {', '.join(methods)} {path}"
            scene.console.print(said, style="dim", markup=False, highlight=False)
        failures = quarantined(scene, door)
    return [*wrong(alarms, answers), *failures]


def quarantined(scene: Scene, door: EmbeddedDoor) -> list[str]:
    """The door is closed, until the release. A tenant that may fetch nothing has no door that could be seen open."""
    url, tenant = door.allowed, door.tenant
    closed = ask(door, url, {})[0] if url else "door.halted"
    failures = [] if closed == "door.halted" else [f"the door of {tenant} answers {closed} under quarantine"]
    failures += released(scene, tenant, "it was a demonstration")
    opened = ask(door, url, {})[0] if url else ""
    return failures + ([f"the door of {tenant} is still closed"] if opened == "door.halted" else [])


def probed(door: EmbeddedDoor) -> list[SensorRecord]:
    """Requests that only an attack makes, and what the door's function logs of them."""
    before = len(door.log)
    for number in range(_PROBES):
        ask(door, f"https://api.example@exfil.example/{number}", {})
    now = time.time()
    return [SensorRecord(Sensor.DOOR, line, now, door.tenant) for line in door.log[before:]]


def sandboxed(scene: Scene, tenant: str) -> list[SensorRecord]:
    """The supervisor's events of the run, as the log shipper would send them from the tenant's namespace."""
    now, where = time.time(), sandbox_namespace(tenant)
    events = ({"sequester": 1, **asdict(event)} for event in scene.tried)
    return [SensorRecord(Sensor.SUPERVISOR, shipped(each, namespace=where, pod=_POD), now) for each in events]


def asked(answers: Sequence[Answer]) -> Mapping[str, list[str]]:
    """What the responders asked of Kubernetes: path → methods."""
    found: dict[str, list[str]] = {}
    for answer in answers:
        for method, path in answer.requests:
            found.setdefault(path.partition("?")[0], []).append(method)
    return found


def alarmed(tenant: str, alarms: Sequence[Fired], answers: Sequence[Answer]) -> Table:
    """One row an alarm: after how long at worst, and what was done."""
    table = Table(title=f"Tripwires of {tenant} (filters and alarms as read back)", title_justify="left")
    for column in ("alarm", "after", "at most", "what was done", "evidence"):
        table.add_column(column, overflow="fold")
    for alarm, answer in zip(alarms, answers, strict=True):
        acts = "\n".join(f"{act.act.replace('_', ' ')}, {act.subject}: {act.outcome}" for act in answer.acts)
        after, most = f"{alarm.seconds:.0f} s", f"{alarm.row.worst_seconds} s"
        table.add_row(alarm.row.id, after, most, acts or "nothing to do", f"{len(answer.evidence)} kept")
    return table


def wrong(alarms: Sequence[Fired], answers: Sequence[Answer]) -> list[str]:
    """What did not go as it should."""
    ids = {alarm.row.id for alarm in alarms}
    unanswered = [answer.alarm for answer in answers if not answer.functions]
    return [
        *(f"no alarm went off for {row}" for row in sorted({"network-call", "door-probed"} - ids)),
        *(f"{name}: nobody answered" for name in unanswered),
        *(f"{answer.alarm}: {act}" for answer in answers for act in answer.acts if act.outcome != "done"),
        *(f"{answer.alarm}: not finished: {answer.unfinished}" for answer in answers if answer.unfinished),
    ]
