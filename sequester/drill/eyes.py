"""Who saw an attempt: its records through the deployed filters, the alarm that they set off, and what was done then."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from infra.names import Names
from infra.settings import Settings
from infra.settings.tripwires import Level
from infra.tripwire_table import TRIPWIRES, Sensor, Tripwire
from lambda_responder.inside import Api
from sequester.cloud import EmbeddedCloud
from sequester.drill.attempt import Sight
from sequester.drill.machine import Machine, sandbox_machine
from sequester.drill.outcome import NO_TRIPWIRE, Alarm, Response, Technique
from sequester.eyes import Event, Watch, samples
from sequester.eyes.chain import Answer, fired, respond
from sequester.eyes.records import SensorRecord

ROWS: Final[Mapping[str, Tripwire]] = {row.id: row for row in TRIPWIRES}
_NAMING: Final = (Sensor.SUPERVISOR, Sensor.DOOR)
"""Sensors whose records name a pod or a door to act on; others' may name nobody, and then evidence is all there is."""
LEVELS: Final[Sequence[Level]] = ("observe", "contain", "isolate")


@dataclass
class Eyes:
    """The tripwires of a stack that stands in an embedded cloud.

    kubernetes: a real API server, where there is one. tenant: whose sandbox the drill is held in; by default the first.
    """

    cloud: EmbeddedCloud
    settings: Settings
    kubernetes: Api | None = None
    tenant: str = ""
    _answers: dict[str, tuple[Answer, float]] = field(default_factory=dict[str, tuple[Answer, float]])

    def __post_init__(self) -> None:
        self.tenant = self.tenant or min(self.settings.tenants)

    @cached_property
    def watch(self) -> Watch:
        return Watch.read(self.cloud.client)

    @property
    def names(self) -> Names:
        return Names.of(self.settings)

    @cached_property
    def machine(self) -> Machine:
        """The node on which the drill's pods would run, in one of the stack's sandbox subnets."""
        named = {"Name": "tag:Name", "Values": [f"{self.names.name}-sandbox-*"]}
        subnet = self.cloud.client("ec2").describe_subnets(Filters=[named])["Subnets"][0]["SubnetId"]
        return sandbox_machine(self.cloud, self.names, SubnetId=subnet)

    def of_the_machine(
        self, records: Sequence[SensorRecord], made_up: str, own: Callable[[Machine], str]
    ) -> list[SensorRecord]:
        """Records of a target's node as records of the machine: what the target made up gives way to its `own`."""
        if not any(made_up in record.message for record in records):
            return [*records]
        return [replace(each, message=each.message.replace(made_up, own(self.machine))) for each in records]

    def look(self, technique: Technique, records: Sequence[SensorRecord]) -> Sight:
        """What the deployed tripwires make of these records."""
        counted = self._counted_by(records)
        if technique.tripwire == NO_TRIPWIRE:
            return Sight(seen_by=next(iter(counted), None))
        if technique.tripwire not in counted:
            other = f"; counted by {', '.join(counted)}" if counted else ""
            what = "no record that it counts" if records else "no record at all"
            return Sight(problems=(f"unseen: {technique.tripwire} has {what}{other}",))
        row = ROWS[technique.tripwire]
        found = next((one for one in fired(self.watch, self.names, [self.tenant], records) if one.row is row), None)
        if found is None:
            return Sight(row.id, problems=(f"no alarm: {row.id} counted it, and nothing went off",))
        allowed = None if row.worst_seconds is None else float(row.worst_seconds)
        alarm = Alarm(found.alarm, "ALARM", found.seconds, allowed)
        problems: list[str] = []
        if allowed is not None and found.seconds > allowed:
            problems.append(f"late: the alarm comes after {found.seconds:.0f} s, at most {allowed:.0f} s are stated")
        response = self._response(row, *self._answer(found.alarm, records))
        if not response.done:
            problems.append(f"no response: {response.error}")
        return Sight(row.id, alarm, response, tuple(problems))

    def counted(self, technique: Technique, records: Sequence[SensorRecord]) -> Sight:
        """Only whether the deployed filters count it: where alarms and responders are not at hand to be asked."""
        found = self._counted_by(records)
        if technique.tripwire == NO_TRIPWIRE or technique.tripwire in found:
            return Sight(technique.tripwire if technique.tripwire in found else next(iter(found), None))
        return Sight(problems=(f"unseen: {technique.tripwire} has no record that it counts",))

    def _counted_by(self, records: Sequence[SensorRecord]) -> list[str]:
        """The rows whose deployed filters count any of these, in the table's order."""
        metrics = {
            sample.name
            for record in records
            for each in self.watch.filters.get(record.log_group(self.names), [])
            for sample in samples([Event(record.at, record.message)], each)
        }
        return [
            row.id
            for row in TRIPWIRES
            if {row.alarm_name(self.names.name, tenant) for tenant in (None, self.tenant)} & metrics
        ]

    def _answer(self, alarm: str, records: Sequence[SensorRecord]) -> tuple[Answer, float]:
        """One answer an alarm: while it stays in ALARM, CloudWatch tells nobody again. And how long it took here."""
        if alarm not in self._answers:
            described, began = self.watch.described[alarm], time.monotonic()
            answer = respond(self.cloud, self.names, records, described, self.kubernetes)
            self._answers[alarm] = answer, time.monotonic() - began
        return self._answers[alarm]

    def _response(self, row: Tripwire, answer: Answer, seconds: float) -> Response:
        level = min(row.response, self.settings.tripwires.response, key=LEVELS.index)
        done = [act for act in answer.acts if act.outcome == "done"]
        action = ", ".join(act.act for act in done) or "evidence kept"
        subject = ", ".join(dict.fromkeys(act.subject for act in answer.acts)) or answer.alarm
        error = ""
        if not answer.functions:
            error = "the alarm's topic tells no responder"
        elif answer.unfinished:
            error = f"the responder did not finish: {answer.unfinished}"
        elif level != "observe" and not done and (row.sensor in _NAMING or answer.acts):
            error = f"nothing was done at level {level}" + "".join(f"; {act.act}: {act.outcome}" for act in answer.acts)
        elif not answer.evidence and not done:
            error = "no evidence was kept"
        if self.kubernetes is None and answer.requests:
            action += " (asked of the API server; here, noted)"
        return Response(action, subject, not error, round(seconds, 3), error)
