"""Tries the programs of the table in real local sandboxes, each with its baseline, and says what stopped each."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from infra.tripwire_table import Sensor
from sequester.drill.attempt import Attempt
from sequester.drill.outcome import Baseline
from sequester.drill.program import Bare, Layer, Program, program
from sequester.drill.table import PROGRAMS
from sequester.eyes.records import SensorRecord, shipped
from sequester.sandbox.guest import syscalls

PACKAGE: Final = Path(__file__).parents[2]
POD: Final = "drill"
STOP_SECONDS: Final = 10.0

Tell = Callable[[Attempt], None]

_BY_ERRNO: Final[Mapping[str, Layer]] = {
    **dict.fromkeys(("ENETUNREACH", "EADDRNOTAVAIL", "ECONNREFUSED", "EHOSTUNREACH", "ENODEV"), Layer.NETWORK),
    **dict.fromkeys(("ENOENT", "EROFS"), Layer.MOUNT),
    **dict.fromkeys(("EPERM", "EACCES"), Layer.RIGHTS),
    "ENOSYS": Layer.SECCOMP,
}


class DrillFailedError(RuntimeError):
    """The drill itself broke: nothing is decided. The message says where."""


def hold(names: Sequence[str], removed: Sequence[Layer], tenant: str, tell: Tell) -> list[Attempt]:
    """Each program of these ids behind the walls and without them. removed: walls that are taken away on purpose.

    `tell` hears of each as it is done; what is returned also knows what arrived late.
    """
    programs = _given(names, os.uname().machine)
    with _ground(programs, removed, only_baselines=False) as (lines, errors):
        return _read(lines, errors, programs, removed, tenant, tell)


def baselines(names: Sequence[str], machine: str) -> Mapping[str, tuple[Baseline, str]]:
    """Each program without any wall, in a network of its own here: what it did, and why that proves nothing, if so."""
    programs = _given(names, machine)
    found: dict[str, tuple[Baseline, str]] = {}
    with _ground(programs, (), only_baselines=True) as (lines, errors):
        for line in lines:
            said = json.loads(line)
            if "unable" in said:
                return dict.fromkeys(names, (Baseline(arrived=False, said=said["unable"]), said["unable"]))
            if "id" in said:
                found[said["id"]] = baseline_of(PROGRAMS[said["id"]], said["bare"])
        if found.keys() != programs.keys():
            raise DrillFailedError(f"the baselines ended early: {errors.read()[-500:].strip() or 'it said nothing'}")
    return found


def _given(names: Sequence[str], machine: str) -> Mapping[str, Mapping[str, Any]]:
    numbers = dict(syscalls.numbers(machine))
    return {
        name: {
            "source": program(PROGRAMS[name], numbers),
            "canary": secrets.token_hex(8),
            "bare": secrets.token_hex(8),
            "to_sink": PROGRAMS[name].bare is Bare.REACHES_SINK,
        }
        for name in names
    }


@contextmanager
def _ground(
    programs: Mapping[str, Mapping[str, Any]], removed: Sequence[Layer], *, only_baselines: bool
) -> Generator[tuple[IO[str], IO[str]]]:
    """The program `ground` at work: its lines, and what it says when it breaks."""
    job = {
        "package": str(PACKAGE),
        "uid": 0,
        "without": list(removed),
        "programs": programs,
        "only_baselines": only_baselines,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "sequester.drill.ground"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PACKAGE,
        start_new_session=True,
    ) as ground:
        try:
            assert ground.stdin and ground.stdout and ground.stderr  # noqa: S101 (PIPE was asked for)
            ground.stdin.write(json.dumps(job))
            ground.stdin.close()
            yield ground.stdout, ground.stderr
        finally:
            _stop(ground)


def _stop(ground: "subprocess.Popen[str]") -> None:
    """It ends by itself when all is said; else it is told to, and its sandboxes die with it."""
    if ground.poll() is None:
        ground.terminate()
    try:
        ground.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(ground.pid, signal.SIGKILL)
        ground.wait()


def _read(
    lines: IO[str],
    errors: IO[str],
    programs: Mapping[str, Mapping[str, Any]],
    removed: Sequence[Layer],
    tenant: str,
    tell: Tell,
) -> list[Attempt]:
    to: dict[str, Any] = {}
    found: dict[str, Attempt] = {}
    arrived: Mapping[str, str] | None = None
    for line in lines:
        said = json.loads(line)
        if "unable" in said:
            return [Attempt(name, not_run=said["unable"]) for name in programs]
        if "to" in said:
            to = said["to"]
        elif "arrived" in said:
            arrived = said["arrived"]
        else:
            row, given = PROGRAMS[said["id"]], programs[said["id"]]
            attempt = _attempt(row, said, {**to, "canary": given["canary"]}, removed, tenant)
            found[row.id] = attempt
            tell(attempt)
    if arrived is None or found.keys() != programs.keys():
        raise DrillFailedError(f"the sandboxes' part ended early: {errors.read()[-500:].strip() or 'it said nothing'}")
    return [_with_arrival(found[name], given["canary"], arrived) for name, given in programs.items()]


def _with_arrival(attempt: Attempt, canary: str, arrived: Mapping[str, str]) -> Attempt:
    where = arrived.get(canary)
    if not where:
        return attempt
    proof = f"canary {canary} arrived at the sink by {where}"
    return Attempt(attempt.technique, proof, None, (proof,), attempt.baseline, attempt.records, attempt.seconds)


def _attempt(
    row: Program, said: Mapping[str, Any], to: Mapping[str, Any], removed: Sequence[Layer], tenant: str
) -> Attempt:
    return attempt_of(row, said, baseline_of(row, said["bare"]), to, removed, tenant)


def attempt_of(
    row: Program,
    said: Mapping[str, Any],
    bare: tuple[Baseline, str],
    to: Mapping[str, Any],
    removed: Sequence[Layer],
    tenant: str,
) -> Attempt:
    """What a run in a sandbox says. said: its `value`, `events`, `stderr`, `failed`, and when it `started`."""
    value: Mapping[str, Any] = said["value"] or {}
    events: list[Mapping[str, Any]] = said["events"]
    baseline, not_run = bare
    seen = [event for event in events if row.matches(event, to) and event["action"] == "denied"]
    records = [
        SensorRecord(
            Sensor.SUPERVISOR,
            shipped({"sequester": 1, **event}, namespace=f"{tenant}-sandbox", pod=POD),
            _time(event["time"]),
        )
        for event in events
    ]
    error = str(value.get("error", ""))
    told = [f"{event['syscall']} {_target(event)}".rstrip() + f": {event['action']}" for event in seen[:1]]
    evidence = (*told, f"errno {error}" if error else said["failed"] or said["stderr"][-200:] or "it said nothing")
    if value.get("reached"):
        return Attempt(row.id, "it got what it wanted", None, ("it got what it wanted",), baseline, records)
    return Attempt(
        row.id,
        stopped_by=_stopped_by(row, error, removed, denied=bool(seen)) if value else None,
        evidence=evidence,
        baseline=baseline,
        records=records,
        seconds=max(0.0, _time(seen[0]["time"]) - said["started"]) if seen else None,
        not_run=not_run,
    )


def _stopped_by(row: Program, error: str, removed: Sequence[Layer], *, denied: bool) -> str | None:
    """Which wall says so: the filter by its event, others by the errno that is theirs; None where it is not clear."""
    if denied:
        return f"sandbox:{Layer.SECCOMP}"
    if error in row.error.split("|") and row.layer not in removed and (row.event is None or error == "ENOSYS"):
        return f"sandbox:{row.layer}"
    if error in ("EACCES", "EPERM") and row.family != "host" and Layer.LANDLOCK not in removed:
        return f"sandbox:{Layer.LANDLOCK}"
    layer = _BY_ERRNO.get(error)
    if error == "ENOMSG":  # the program's own word: the name was not resolved, or the supervisor lives on
        layer = {"dns": Layer.NETWORK, "host": Layer.PID}.get(row.family)
    return f"sandbox:{layer}" if layer and layer not in removed else None


_TAKES_ROOT: Final[Mapping[str, str]] = {
    "host-unmount": "EINVAL",
    "host-a-copy-of-the-tree": "EINVAL",
    "host-a-setuid-program": "ENOMSG",
}
"""What else than EPERM and EACCES says that an ordinary user may not.

What its namespace inherited is locked together (mount_namespaces(7)), and there is no root in it to become.
"""


def baseline_of(row: Program, bare: Mapping[str, Any]) -> tuple[Baseline, str]:
    """What it did without the walls, and why that proves nothing on this machine, if so."""
    arrived = bool(bare["arrived"]) if row.bare is Bare.REACHES_SINK else bool(bare["reached"])
    said = f"arrived by {bare['arrived']}" if bare["arrived"] else "got what it wanted" if arrived else ""
    baseline = Baseline(arrived, said or f"ended with {bare['error'] or 'no answer'}")
    if arrived:
        return baseline, ""
    if row.bare is Bare.KERNEL_LACKS:
        return baseline, f"this kernel has none: without the sandbox it ends with {bare['error']}, too"
    if os.geteuid() and bare["error"] in ("EPERM", "EACCES", _TAKES_ROOT.get(row.id)):
        return baseline, f"only root could do it, sandbox or not ({bare['error']}): run the drill as root"
    return baseline, ""


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _target(event: Mapping[str, Any]) -> str:
    if event.get("name"):
        return str(event["name"])
    if event.get("address"):
        return f"{event['address']}" + (f" port {event['port']}" if event.get("port") is not None else "")
    return " ".join(str(event[key]) for key in ("family", "detail") if event.get(key))
