"""Holds a drill: what each part tried is judged by what stopped it, by its baseline and by who saw it."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from sequester.drill.attempt import Attempt, Sight
from sequester.drill.outcome import Drill, Outcome, Result, Target, Technique

Tell = Callable[[Technique, Outcome], None]


class Ground(Protocol):
    """A target that is ready: it tries techniques, and knows who sees."""

    @property
    def target(self) -> Target: ...

    def hold(self, techniques: Sequence[Technique], tell: Callable[[Attempt], None]) -> list[Attempt]:
        """Try each; `tell` hears early, what is returned is what counts."""
        ...

    def judge(self, technique: Technique, attempt: Attempt) -> Outcome:
        """What became of it, seen and answered."""
        ...


def drill(ground: Ground, techniques: Sequence[Technique], removed: Sequence[str], tell: Tell) -> Drill:
    """One run; `tell` hears of each outcome as it is known."""
    started, began = datetime.now(UTC), time.monotonic()
    by_id = {technique.id: technique for technique in techniques}
    early: dict[str, tuple[Attempt, Outcome]] = {}

    def heard(attempt: Attempt) -> None:
        technique = by_id[attempt.technique]
        outcome = ground.judge(technique, attempt)
        early[technique.id] = (attempt, outcome)
        tell(technique, outcome)

    found = {attempt.technique: attempt for attempt in ground.hold(techniques, heard)}
    outcomes: list[Outcome] = []
    for technique in techniques:
        attempt = found[technique.id]
        before, outcome = early.get(technique.id, (None, None))
        if outcome is None or before != attempt:
            outcome = ground.judge(technique, attempt)
            tell(technique, outcome)
        outcomes.append(outcome)
    return Drill(
        target=ground.target,
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(time.monotonic() - began, 3),
        versions=versions(),
        techniques=tuple(techniques),
        outcomes=tuple(outcomes),
        removed=tuple(removed),
    )


def outcome(target: Target, technique: Technique, attempt: Attempt, sight: Sight) -> Outcome:
    """What became of a technique: by which control, past which baseline, seen by whom."""
    result, reason = _result(attempt)
    problems = list(sight.problems)
    if result is Result.STOPPED and attempt.stopped_by != technique.control:
        problems.insert(0, f"stopped by {attempt.stopped_by or 'nothing that is known'}, not by {technique.control}")
    return Outcome(
        technique=technique.id,
        target=target,
        result=result,
        reason=reason,
        how=attempt.how,
        stopped_by=attempt.stopped_by if result is Result.STOPPED else None,
        seen_by=sight.seen_by,
        seconds_to_seen=attempt.seconds if sight.seen_by else None,
        alarm=sight.alarm,
        response=sight.response,
        evidence=attempt.evidence,
        baseline=attempt.baseline,
        problems=tuple(problems) if result in (Result.STOPPED, Result.LEAK) else (),
    )


def _result(attempt: Attempt) -> tuple[Result, str]:
    if attempt.reached:
        return Result.LEAK, ""
    if attempt.not_run:
        return Result.NOT_RUN, attempt.not_run
    if attempt.baseline is None or not attempt.baseline.arrived:
        said = attempt.baseline.said if attempt.baseline else "it was not tried"
        return Result.BASELINE_FAILED, f"without the controls it does not work either ({said}): it proves nothing"
    return Result.STOPPED, ""


def versions() -> dict[str, str]:
    """What was drilled, and on what."""
    return {
        "sequester": importlib.metadata.version("sequester"),
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
    }
