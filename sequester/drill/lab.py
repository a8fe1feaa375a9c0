"""The target `lab`: the deployment as namespaces, in which code that broke out tries the network; and all of `local`.

The baseline is the same lab without any of the layers that can be taken away.
"""

import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from infra.tripwire_table import Sensor
from sequester.drill.attempt import Attempt
from sequester.drill.broken_out import (
    AGENT,
    BY_ID,
    DISTANT_RESOLVER,
    INTERNET,
    INTERNET6,
    LAYERS,
    NODE,
    POD,
    Outbreak,
)
from sequester.drill.eyes import Eyes
from sequester.drill.local import Local
from sequester.drill.outcome import Baseline, Outcome, Target, Technique
from sequester.drill.program import program_of
from sequester.drill.run import outcome
from sequester.eyes.records import SensorRecord
from sequester.lab.facts import Facts
from sequester.lab.lab import lab
from sequester.lab.namespaces import LabError
from sequester.lab.world import World

ANSWER_SECONDS, NO_ANSWER_SECONDS = 5.0, 0.7
RUN_SECONDS = 30.0
_SAY_SO: Final = ("network:names-listed", "cluster:pod-names-listed")
"""Controls that stop by an answer, which must come: who left before it would leave before it is recorded."""
PORT: Final = 8080
_MARKS: Final[Mapping[Sensor, tuple[str, str]]] = {
    Sensor.POLICY_AGENT: ("PolicyVerdict: DENY", "kubernetes:network-policy"),
    Sensor.FLOW: (" REJECT ", "network:groups-exact"),
    Sensor.RESOLVER: ('"firewall_rule_action": "BLOCK"', "network:names-listed"),
}
"""A sensor → what its record says where it was stopped, and by which control."""


@dataclass(frozen=True)
class Lab:
    """eyes: of the stack that stands. facts: what it deployed. removed: controls that are taken away on purpose."""

    eyes: Eyes
    facts: Facts
    removed: Sequence[str] = ()

    @property
    def target(self) -> Target:
        return Target.LAB

    @property
    def local(self) -> Local:
        return Local(self.eyes, self.removed)

    def hold(self, techniques: Sequence[Technique], tell: Callable[[Attempt], None]) -> list[Attempt]:
        mine = [technique for technique in techniques if technique.id in BY_ID]
        rest = [technique for technique in techniques if technique.id not in BY_ID]
        found = self._break_out(mine, tell) if mine else []
        return found + (self.local.hold(rest, tell) if rest else [])

    def judge(self, technique: Technique, attempt: Attempt) -> Outcome:
        return outcome(Target.LAB, technique, attempt, self.local.sight(technique, attempt))

    def _break_out(self, techniques: Sequence[Technique], tell: Callable[[Attempt], None]) -> list[Attempt]:
        tenant = self.eyes.tenant
        try:
            with lab(self.facts, sorted(set(LAYERS.values()))) as bare:
                ground = _Ground(bare, tenant)
                baselines = {technique.id: ground.baseline(BY_ID[technique.id]) for technique in techniques}
            with lab(self.facts, [LAYERS[each] for each in self.removed if each in LAYERS]) as world:
                ground = _Ground(world, tenant)
                made_up = world.place("sandbox-node").instance
                found: list[Attempt] = []
                for technique in techniques:
                    attempt = ground.attempt(BY_ID[technique.id], baselines[technique.id], self.removed)
                    records = self.eyes.of_the_machine(attempt.records, made_up, lambda machine: machine.instance)
                    attempt = replace(attempt, records=records)
                    found.append(attempt)
                    tell(attempt)
                return found
        except LabError as error:
            return [Attempt(technique.id, not_run=str(error)) for technique in techniques]


class _Ground:
    """One lab, with something to find at the ports that techniques aim at."""

    def __init__(self, world: World, tenant: str) -> None:
        self._world = world
        self._places = {POD: f"{tenant}-sandbox", NODE: "sandbox-node", AGENT: f"{tenant}-agent"}
        addresses = {name: world.place(place).addresses[0] for name, place in self._named(tenant).items()}
        self.to: dict[str, Any] = {
            **addresses,
            "internet": INTERNET,
            "internet6": INTERNET6,
            "resolver_out": DISTANT_RESOLVER,
            "resolver": world.place("sandbox-node").resolver,
            "coredns": world.place(self._places[AGENT]).resolver,
            "port": PORT,
        }
        for place, address, port in (
            ("sandbox-node", "::", 10250),
            (self._places[AGENT], "::", PORT),
            ("system-node", "::", 22),
        ):
            space = world.spaces[world.place(place).space]
            world.servers.tcp(space, address, port, lambda connection, _: connection.sendall(b"here"))

    def _named(self, tenant: str) -> Mapping[str, str]:
        return {
            "agent": f"{tenant}-agent",
            "node": "sandbox-node",
            "system_node": "system-node",
            "control_plane": "control-plane",
            "lambda": "endpoint:lambda",
        }

    def baseline(self, row: Outbreak) -> Baseline:
        proof, said = self._run(row, ANSWER_SECONDS)
        return Baseline(bool(proof), proof or f"without any layer it ended with {said}")

    def attempt(self, row: Outbreak, baseline: Baseline, removed: Sequence[str]) -> Attempt:
        since, began = self._world.mark(), time.time()
        by_answer = not set(row.held_by) - {*removed, *_SAY_SO}
        proof, said = self._run(row, ANSWER_SECONDS if by_answer else NO_ANSWER_SECONDS)
        records = self._world.records(since)
        seen = [record for record in records if _stopped(record)]
        by = next((control for record in seen if (control := _stopped(record))), None)
        if by is None and row.unseen and row.held_by[0] not in removed:
            by = row.held_by[0]  # no sensor can say so: that it leaks without it, the drill's own tests hold
        told = [record.message[:200] for record in seen[:1]]
        return Attempt(
            row.id,
            reached=proof,
            stopped_by=by,
            evidence=(proof,) if proof else (f"ended with {said}", *told),
            baseline=baseline,
            records=[*records],
            seconds=max(0.0, seen[0].at - began) if seen else None,
        )

    def _run(self, row: Outbreak, seconds: float) -> tuple[str, str]:
        """With what proof it got through, empty if it did not, and what it said."""
        canary = secrets.token_hex(8)
        given = json.dumps({**self.to, "canary": canary, "wait": seconds})
        source = f"import json; data = json.loads({given!r})\n{program_of(row.body, {})}\nprint(json.dumps(result))"
        ran = self._world.run(self._places[row.place], [sys.executable, "-I", "-c", source], timeout=RUN_SECONDS)
        arrived = self._world.sink.saw(canary.encode())
        if arrived:
            first = arrived[0]
            return f"canary {canary} arrived on the internet by {first.kind} from {first.source}", ""
        try:
            said = json.loads(ran.out)
        except ValueError:
            return "", f"exit {ran.code}: {ran.err.strip()[-200:]}"
        if row.answered and said["reached"]:
            return f"{row.place} was answered by what it may not reach", ""
        return "", str(said["error"] or "silence")


def _stopped(record: SensorRecord) -> str | None:
    says, control = _MARKS.get(record.sensor, ("", None))
    return control if says and says in record.message else None
