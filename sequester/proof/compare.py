"""Verdicts against what was accepted (a baseline of named, dated exceptions) and against an earlier plan."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from sequester.proof.facts import BadFactError, items, mapping, text
from sequester.proof.render import lines, state
from sequester.proof.verdict import Escapes, Proved, Verdict


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted way out: which witness of which claim, by whom, why, and until when (that day included)."""

    claim: str
    summary: str
    owner: str
    reason: str
    expires: date


def baseline(raw: str) -> tuple[Accepted, ...]:
    """A JSON list of objects with claim, summary, owner, reason, expires. Raises BadFactError naming what is wrong."""
    try:
        listed = items(json.loads(raw), "baseline")
    except ValueError as error:
        raise BadFactError(f"baseline: not JSON: {error}") from error
    return tuple(_accepted(mapping(one, f"baseline[{i}]"), f"baseline[{i}]") for i, one in enumerate(listed))


def _accepted(raw: Mapping[str, object], where: str) -> Accepted:
    said = {key: text(raw.get(key), f"{where}.{key}") for key in ("claim", "summary", "owner", "reason", "expires")}
    try:
        expires = date.fromisoformat(said["expires"])
    except ValueError as error:
        raise BadFactError(f"{where}.expires: {said['expires']!r} is no date such as 2030-01-31") from error
    return Accepted(said["claim"], said["summary"], said["owner"], said["reason"], expires)


def failing(verdicts: Mapping[str, Verdict], accepted: tuple[Accepted, ...], today: date) -> dict[str, Verdict]:
    """What still fails: Unknown always, and every way out that no exception in force names."""
    open_: dict[str, Verdict] = {}
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Proved):
            continue
        if isinstance(verdict, Escapes):
            names = {one.summary for one in accepted if one.claim == claim and one.expires >= today}
            left = [w for w in (verdict.witness, *verdict.more) if w.summary not in names]
            if left:
                open_[claim] = replace(verdict, witness=left[0], more=tuple(left[1:]))
            continue
        open_[claim] = verdict
    return open_


def changes(before: Mapping[str, Verdict], after: Mapping[str, Verdict]) -> list[str]:
    """What a change does to the claims, a line each: what it opens first, then what it closes."""
    opened: list[str] = []
    closed: list[str] = []
    for claim, now in after.items():
        was = before.get(claim)
        old, new = set(lines(was)) if was else set[str](), set(lines(now))
        opened += [f"{claim}: this change opens {line}" for line in sorted(new - old)]
        closed += [f"{claim}: this change closes {line}" for line in sorted(old - new)]
        if was and state(was) != state(now) and not (new - old) and not (old - new):
            opened.append(f"{claim}: {state(was)} → {state(now)}")
    return opened + closed
