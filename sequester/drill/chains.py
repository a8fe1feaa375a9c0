"""Whole chains, on parts that all run: attempt → record → alarm → responder → quarantine that the network follows.

Each chain yields its links in the order of `LINKS` and ends at the first that is broken; what comes after is not
reached. The responder acts at level `isolate`, the most that a stack may do, whatever the settings say.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, cast

from infra.labels import agent_namespace
from infra.tripwire_table import Sensor
from lambda_responder.inside import QUARANTINE_LABEL
from sequester.cloud.control_plane import EXECUTABLES
from sequester.cloud.executables import missing
from sequester.cloud.kubernetes_api import ApiError
from sequester.drill.everything import POD, Everything, everything
from sequester.drill.eyes import ROWS
from sequester.drill.outcome import Chain, Link
from sequester.eyes.chain import Answer, Fired, fired, respond
from sequester.eyes.records import SensorRecord
from sequester.eyes.watch import Watch
from sequester.lab.namespaces import LabError

LINKS: Final = ("before", "stopped", "recorded", "alarm", "answered", "quarantined", "spared")
"""It worked; the attempt is stopped; a sensor wrote it down; the alarm is raised in its time; the responder acted; what
worked does not any more; it still does for who tried nothing."""

_ELSEWHERE: Final = "203.0.113.9"  # RFC 5737: reserved for documentation
_PROBE: Final = "https://api.example@exfil.example/{}"
_PROBES: Final = ROWS["door-probed"].threshold
_CLOSED: Final = "door.halted"
_ANSWERED_SECONDS, _SILENT_SECONDS = 20.0, 2.0
_ISOLATE: Final = {"response": "isolate"}

Held = tuple[bool, str]
Steps = Iterator[Held]


def _so(held: bool, said: str) -> Held:  # noqa: FBT001 (a fact, no option)
    """A sentence that is true where the link held."""
    return held, said if held else f"not so: {said}"


def _through(
    all_: Everything,
    row: str,
    records: Sequence[SensorRecord],
    needed: Mapping[str, str],
    *,
    history: bool = False,
) -> Steps:
    """The links from the record to the answer, by a row of the tripwires.

    needed: act → what its subject must hold. history: the responder has to know whose address it was.
    """
    sensor = ROWS[row].sensor
    mine = [record for record in records if record.sensor is sensor]
    yield bool(mine), f"{len(mine)} of the {sensor.value}" if mine else f"no record of the {sensor.value}"
    watch = Watch.read(all_.here.cloud.client)
    found = next((one for one in fired(watch, all_.names, all_.tenants, records) if one.row.id == row), None)
    yield _in_time(found) if found else (False, f"no alarm of {row} goes off")
    if found:  # else nobody asks for more
        known = [*all_.history(), *records] if history else records
        answer = respond(all_.here.cloud, all_.names, known, watch.described[found.alarm], all_.responder)
        yield _answered(answer, needed)


def _in_time(found: Fired) -> Held:
    most = found.row.worst_seconds
    said = f"{found.alarm} after {found.seconds:.0f} s at worst, at most {most} s are stated"
    return most is None or found.seconds <= most, said


def _answered(answer: Answer, needed: Mapping[str, str]) -> Held:
    if not answer.functions:
        return False, "the alarm's topic tells no responder"
    if answer.unfinished:
        return False, f"the responder did not finish: {answer.unfinished}"
    done = {act.act: act.subject for act in answer.acts if act.outcome == "done"}
    absent = [act for act, subject in needed.items() if subject not in done.get(act, "\0")]
    if absent:
        acts = ", ".join(f"{act.act} {act.outcome}" for act in answer.acts) or "nothing"
        return False, f"not done: {', '.join(absent)} (done: {acts})"
    return True, ", ".join(f"{act.replace('_', ' ')} ({subject})" for act, subject in done.items())


def pod(all_: Everything, tenant: str) -> Steps:
    """A pod's packet that its namespace's policies refuse ends with that pod cut off."""
    namespace, endpoint = agent_namespace(tenant), all_.world.place("endpoint:lambda").addresses[0]
    yield _so(all_.connects(namespace, endpoint, _ANSWERED_SECONDS), f"the pod {namespace}/{POD} reaches its endpoint")
    mark = all_.world.mark()
    yield _so(not all_.connects(namespace, _ELSEWHERE, _SILENT_SECONDS), f"its packet to {_ELSEWHERE} is refused")
    needed = {"delete_pod": f"{namespace}/{POD}"}
    yield from _through(all_, "policy-denied", all_.world.records(mark), needed, history=True)
    all_.follow_labels()
    labelled = QUARANTINE_LABEL in all_.labels(namespace)
    yield _so(
        labelled and not all_.connects(namespace, endpoint, _SILENT_SECONDS),
        "it is labelled, and its endpoint is cut off",
    )
    others = [agent_namespace(other) for other in all_.tenants if other != tenant]
    spared = all(all_.connects(other, endpoint, _ANSWERED_SECONDS) for other in others)
    yield _so(spared, f"still reach it: {', '.join(others) or 'there is no other tenant'}")


def node(all_: Everything) -> Steps:
    """A packet of code that broke out, which the node's groups refuse, ends with the node cut off."""
    endpoint, machine = all_.world.place("endpoint:ec2").addresses[0], all_.machine()
    yield _so(all_.connects("sandbox-node", endpoint, _ANSWERED_SECONDS), "the node reaches its endpoint")
    mark, fields = all_.world.mark(), all_.world.facts.flow_fields
    yield _so(not all_.connects("sandbox-node", _ELSEWHERE, _SILENT_SECONDS), f"its packet to {_ELSEWHERE} is refused")
    flows = [machine.named_in(one, fields) for one in all_.world.records(mark) if one.sensor is Sensor.FLOW]
    needed = {"cordon": "", "cut_off": "", "snapshot": "", "terminate": ""}
    yield from _through(all_, "packet-rejected", flows, needed)
    all_.follow_groups(machine)
    cut_off = not all_.connects("sandbox-node", endpoint, _SILENT_SECONDS)
    yield _so(cut_off, "its interface is in the quarantine group, and its endpoint is cut off")
    yield _so(all_.connects("system-node", endpoint, _ANSWERED_SECONDS), "the system node still reaches it")


def door(all_: Everything, tenant: str) -> Steps:
    """Requests that only an attack makes end with that tenant's door closed."""
    own = all_.door(tenant)
    url = own.allowed
    before = all_.fetch(tenant, url) if url else "its allowlist has nothing to get"
    yield before == "200", f"an agent's pod fetches what it may: {before}"
    began = all_.world.mark()
    answers = {all_.fetch(tenant, _PROBE.format(number)) for number in range(_PROBES)}
    yield _so(answers == {"url.userinfo"}, f"it refuses: {', '.join(sorted(answers))}")
    records = [SensorRecord(Sensor.DOOR, line, began, tenant) for line in own.log[-_PROBES:]]
    yield from _through(all_, "door-probed", records, {"close_door": tenant})
    after = all_.fetch(tenant, url or "")
    yield _so(after == _CLOSED, f"the same fetch now: {after}")
    others = {name: found for name in all_.tenants if name != tenant and (found := all_.door(name).allowed)}
    spared = all(all_.fetch(name, found) == "200" for name, found in others.items())
    yield _so(spared, f"still fetch what they may: {', '.join(others) or 'there is no other tenant'}")


TITLES: Final[Mapping[str, str]] = {
    "door": "a request that only an attack makes → the tenant's door is closed",
    "pod": "a pod's packet → the pod is cut off and deleted",
    "node": "a node's packet → the node is cut off and terminated",
}


def chains(config: Mapping[str, object], progress: Callable[[str], None]) -> tuple[Chain, ...]:
    """Every chain, on a stack of its own; what cannot be stood up is said and not passed."""
    if absent := missing(EXECUTABLES):
        return not_run(absent)
    given = cast("Mapping[str, object]", config.get("sequester:tripwires") or {})
    try:
        with everything({**with_bystander(config), "sequester:tripwires": {**given, **_ISOLATE}}, progress) as all_:
            return held(all_, progress)
    except LabError as error:
        return not_run(str(error))


def with_bystander(config: Mapping[str, object]) -> Mapping[str, object]:
    """A second tenant where there is one alone: that others are spared is shown by one that is there."""
    tenants = cast("Mapping[str, Mapping[str, object]]", config.get("sequester:tenants") or {})
    if len(tenants) != 1:
        return config
    ((name, only),) = tenants.items()
    alike = {key: value for key, value in only.items() if key == "allow"}
    return {**config, "sequester:tenants": {name: only, "another" if name == "bystander" else "bystander": alike}}


def not_run(reason: str) -> tuple[Chain, ...]:
    return tuple(Chain(id_, title, not_run=reason) for id_, title in TITLES.items())


def held(all_: Everything, progress: Callable[[str], None]) -> tuple[Chain, ...]:
    """The chains on what stands: the door's by the last tenant, the pod's by the first, which closes its door, too."""
    fetching = [tenant for tenant in all_.tenants if all_.door(tenant).allowed]
    play = {
        "door": partial(door, all_, fetching[-1]) if fetching else None,
        "pod": partial(pod, all_, all_.tenants[0]),
        "node": partial(node, all_),
    }
    found: list[Chain] = []
    for id_, title in TITLES.items():
        progress(f"the whole chain: {title}")
        steps = play[id_]
        nothing = "no tenant's allowlist has anything to get: add a rule to `sequester:tenants`"
        found.append(Chain(id_, title, tuple(links(steps))) if steps else Chain(id_, title, not_run=nothing))
    return tuple(found)


def links(play: Callable[[], Steps]) -> Iterator[Link]:
    """What each step found; after the first that is broken, nothing more is tried."""
    steps, broken = play(), False
    for name in LINKS:
        if broken:
            yield Link(name, "not-reached", "")
            continue
        try:
            holds, said = next(steps)
        except (LabError, ApiError) as error:
            holds, said = False, str(error)
        broken = not holds
        yield Link(name, "broken" if broken else "held", said)
