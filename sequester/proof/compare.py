"""Verdicts against what was accepted (a baseline of named, dated exceptions) and against an earlier plan."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from sequester.proof.facts import BadFactError, items, mapping, text
from sequester.proof.model import CLAIMS
from sequester.proof.render import Excused, lines, state
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict

_KEYS = ("claim", "summary", "owner", "reason", "expires")


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
    except BadFactError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadFactError(f"baseline: not JSON: {error}") from error
    return tuple(_accepted(mapping(one, f"baseline[{i}]"), f"baseline[{i}]") for i, one in enumerate(listed))


def _accepted(raw: Mapping[str, object], where: str) -> Accepted:
    strange = next((key for key in raw if key not in _KEYS), None)
    if strange is not None:
        raise BadFactError(f"{where}.{strange}: is no key: use {', '.join(_KEYS)}")
    said = {key: text(raw.get(key), f"{where}.{key}") for key in _KEYS}
    if said["claim"] not in CLAIMS:
        raise BadFactError(f"{where}.claim: {said['claim']!r} is no claim: use {', '.join(CLAIMS)}")
    try:
        expires = date.fromisoformat(said["expires"])
    except ValueError as error:
        raise BadFactError(f"{where}.expires: {said['expires']!r} is no date such as 2030-01-31") from error
    return Accepted(said["claim"], said["summary"], said["owner"], said["reason"], expires)


def excuses(accepted: tuple[Accepted, ...], today: date) -> Excused:
    """What is excused today, with the words for it."""
    return {
        (one.claim, one.summary): f"accepted by {one.owner} until {one.expires}: {one.reason}"
        for one in accepted
        if one.expires >= today
    }


def stale(verdicts: Mapping[str, Verdict], accepted: tuple[Accepted, ...], today: date) -> list[str]:
    """A line for each exception that has ended, or that names no way out of a claim that was decided."""
    found: list[str] = []
    for one in accepted:
        verdict = verdicts.get(one.claim)
        ways = {w.summary for w in (verdict.witness, *verdict.more)} if isinstance(verdict, Escapes) else set[str]()
        if one.expires < today:
            found.append(
                f"baseline: {one.claim} {one.summary}: ended on {one.expires}: mend it, or ask {one.owner} again"
            )
        elif verdict is not None and one.summary not in ways:
            found.append(f"baseline: {one.claim} {one.summary}: is no way out any more: take it off the list")
    return found


def failing(verdicts: Mapping[str, Verdict], accepted: tuple[Accepted, ...], today: date) -> dict[str, Verdict]:
    """What still fails: Unknown always, and every way out that no exception in force names."""
    open_: dict[str, Verdict] = {}
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Proved):
            continue
        if isinstance(verdict, Escapes):
            names = excuses(accepted, today)
            left = [w for w in (verdict.witness, *verdict.more) if (claim, w.summary) not in names]
            if left:
                open_[claim] = replace(verdict, witness=left[0], more=tuple(left[1:]))
            continue
        open_[claim] = verdict
    return open_


def changes(before: Mapping[str, Verdict], after: Mapping[str, Verdict]) -> list[str]:
    """What a change does to the claims, a line each: what it opens first, then what it closes.

    A question that is open is no way out: that it was, or is now, is told apart.
    """
    opened: list[str] = []
    closed: list[str] = []
    for claim, now in after.items():
        was = before.get(claim)
        old, new = set(lines(was)) if was else set[str](), set(lines(now))
        opens = "leaves it open:" if isinstance(now, Unknown) else "opens"
        opened += [f"{claim}: this change {opens} {line}" for line in sorted(new - old)]
        closes = "was not decided before:" if isinstance(was, Unknown) else "this change closes"
        closed += [f"{claim}: {closes} {line}" for line in sorted(old - new)]
        if was and state(was) != state(now) and not (new - old) and not (old - new):
            opened.append(f"{claim}: {state(was)} → {state(now)}")
    return opened + closed or ["this change opens nothing and closes nothing"]
