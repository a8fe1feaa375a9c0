"""Condition operators on one value: what the value is known to be, against what a policy says, three-valued.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import pairwise

from sequester.proof.iam.pattern import TooHardError, includes, intersects


class Truth(Enum):
    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of a key: `text` is a pattern that its value matches, and the value is none of `excluded`.

    A `text` of None means that the key is absent from the request.
    """

    text: str | None
    excluded: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    """If given, the value is an address of one of these blocks, and any of them may be it."""
    since: str = ""
    """If given, the value is a time at or after this one (ISO 8601)."""


Test = Callable[[Value, tuple[str, ...]], Truth]


def _said(*, true: bool) -> Truth:
    return Truth.TRUE if true else Truth.FALSE


def _strings(*, wild: bool, fold: bool) -> Test:
    def test(known: Value, patterns: tuple[str, ...]) -> Truth:
        # A value that the key certainly has not helps nobody to match.
        patterns = tuple(p for p in patterns if p not in known.excluded)
        value = known.text or ""
        if fold:
            value, patterns = value.lower(), tuple(p.lower() for p in patterns)
        if _exact(value) and not wild:
            return _said(true=value in patterns)
        if not wild:
            # Equality takes `*` literally, and no account, id or ARN has one.
            patterns = tuple(p for p in patterns if _exact(p))
        try:
            if patterns and includes(patterns, value):
                return Truth.TRUE
        except TooHardError:
            return Truth.UNKNOWN
        return Truth.UNKNOWN if any(intersects(p, value) for p in patterns) else Truth.FALSE

    return test


def _exact(value: str) -> bool:
    return not any(c in value for c in "*?")


def _arns(known: Value, patterns: tuple[str, ...]) -> Truth:
    """Each of the six parts is compared by itself; what has fewer is no ARN, and nobody knows what it does."""
    value = (known.text or "").split(":", 5)
    parts = [p.split(":", 5) for p in patterns if p not in known.excluded]
    if len(value) < 6:
        return Truth.UNKNOWN
    fitting = [p for p in parts if len(p) == 6 and all(intersects(a, b) for a, b in zip(p, value, strict=True))]
    if any(all(includes((a,), b) for a, b in zip(p, value, strict=True)) for p in fitting):
        return Truth.TRUE
    return Truth.UNKNOWN if fitting or any(len(p) < 6 for p in parts) else Truth.FALSE


def _addresses(known: Value, patterns: tuple[str, ...]) -> Truth:
    try:
        blocks = [ipaddress.ip_network(p, strict=False) for p in patterns]
        mine = [ipaddress.ip_network(r, strict=False) for r in known.ranges or (known.text or "",)]
    except ValueError:
        return Truth.UNKNOWN
    if all(_within(one, blocks) for one in mine):
        return Truth.TRUE
    apart = not any(one.version == b.version and one.overlaps(b) for one in mine for b in blocks)
    return Truth.FALSE if apart else Truth.UNKNOWN


_Block = ipaddress.IPv4Network | ipaddress.IPv6Network


def _within(one: _Block, blocks: list[_Block]) -> bool:
    """Whether blocks together hold all of one (halves of everything are everything)."""
    ends = sorted((int(b[0]), int(b[-1])) for b in blocks if b.version == one.version)
    reached = int(one[0])
    for low, last in ends:
        if low <= reached <= last:
            reached = last + 1
    return reached > int(one[-1])


def _numbers(order: Callable[[float, float], bool]) -> Test:
    def test(known: Value, patterns: tuple[str, ...]) -> Truth:
        if known.since:
            return _dates(order)(known, patterns)
        try:
            return _said(true=any(order(float(known.text or ""), float(p)) for p in patterns))
        except ValueError:
            return Truth.UNKNOWN

    return test


def _dates(order: Callable[[float, float], bool]) -> Test:
    """Of a time that is only known to be late: what holds from then on is true, what never again does is false."""

    def test(known: Value, patterns: tuple[str, ...]) -> Truth:
        try:
            limits = [_seconds(p) for p in patterns]
            if not known.since:
                return _said(true=any(order(_seconds(known.text or ""), limit) for limit in limits))
            first = _seconds(known.since)
        except ValueError:
            return Truth.UNKNOWN
        # Orders change at their limits alone: ask at the first moment, at each limit after it, and around them.
        moments = sorted({first, *(limit for limit in limits if limit > first)})
        between = [(a + b) / 2 for a, b in pairwise(moments)]
        answers = {any(order(m, limit) for limit in limits) for m in (*moments, *between, moments[-1] + 1)}
        return _said(true=answers.pop()) if len(answers) == 1 else Truth.UNKNOWN

    return test


def _seconds(text: str) -> float:
    if text.replace(".", "", 1).isdigit():
        return float(text)
    said = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()


_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "equals": lambda value, limit: value == limit,
    "lessthan": lambda value, limit: value < limit,
    "lessthanequals": lambda value, limit: value <= limit,
    "greaterthan": lambda value, limit: value > limit,
    "greaterthanequals": lambda value, limit: value >= limit,
}
TESTS: Mapping[str, Test] = {
    "stringequals": _strings(wild=False, fold=False),
    "stringlike": _strings(wild=True, fold=False),
    "stringequalsignorecase": _strings(wild=False, fold=True),
    "binaryequals": _strings(wild=False, fold=False),
    "bool": _strings(wild=False, fold=True),
    "arnequals": _arns,
    "arnlike": _arns,
    "ipaddress": _addresses,
    **{f"numeric{name}": _numbers(order) for name, order in _ORDERS.items()},
    **{f"date{name}": _dates(order) for name, order in _ORDERS.items()},
}
NEGATED: Mapping[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotlike": "stringlike",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}
