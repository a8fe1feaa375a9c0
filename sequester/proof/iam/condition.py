"""Conditions, three-valued: true, false, or unknown where the key is the caller's or the plan's secret.

Rules for missing keys, `IfExists`, `ForAllValues`, `Null` and negated operators are AWS's:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sequester.proof.iam.document import Condition
from sequester.proof.iam.pattern import TooHardError, includes, intersects


class Truth(Enum):
    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of a key: `text` is a pattern that its value matches; None means the key is absent."""

    text: str | None


_STRINGS = {
    "stringequals": (False, False),
    "stringlike": (True, False),
    "stringequalsignorecase": (False, True),
    "arnequals": (True, False),
    "arnlike": (True, False),
    "bool": (False, True),
}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotlike": "stringlike",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def holds(condition: Condition, context: Mapping[str, Value]) -> Truth:
    """Whether a condition holds in a context; a key that the context does not speak of is unknown."""
    operator = condition.operator.lower()
    every = operator.startswith("forallvalues:")
    operator = operator.removeprefix("forallvalues:").removeprefix("foranyvalue:")
    if_exists = operator.endswith("ifexists")
    operator = operator.removesuffix("ifexists")
    known = context.get(condition.key)
    if known is None:
        return Truth.UNKNOWN
    if operator == "null":
        absent = known.text is None
        return Truth.TRUE if all((v.lower() == "true") == absent for v in condition.values) else Truth.FALSE
    negated = operator in _NEGATED
    if known.text is None:
        # An absent key: positive operators fail, negated ones hold, and so do IfExists and ForAllValues.
        return Truth.TRUE if if_exists or every or negated else Truth.FALSE
    operator = _NEGATED.get(operator, operator)
    if operator not in _STRINGS:
        return Truth.UNKNOWN
    result = _matches(known.text, condition.values, *_STRINGS[operator])
    return _not(result) if negated else result


def all_hold(conditions: tuple[Condition, ...], context: Mapping[str, Value]) -> tuple[Truth, tuple[str, ...]]:
    """The conjunction, and the keys on which it hangs where it is unknown."""
    open_: list[str] = []
    for condition in conditions:
        truth = holds(condition, context)
        if truth is Truth.FALSE:
            return Truth.FALSE, ()
        if truth is Truth.UNKNOWN:
            open_.append(condition.key)
    return (Truth.UNKNOWN, tuple(open_)) if open_ else (Truth.TRUE, ())


def _matches(value: str, patterns: tuple[str, ...], wild: bool, fold: bool) -> Truth:  # noqa: FBT001
    if any("${" in p for p in patterns):
        return Truth.UNKNOWN
    if fold:
        value, patterns = value.lower(), tuple(p.lower() for p in patterns)
    exact = not any(c in value for c in "*?")
    if exact and not wild:
        return Truth.TRUE if value in patterns else Truth.FALSE
    if not wild and any(c in p for p in patterns for c in "*?"):
        # Equality takes `*` literally, and no account, id or ARN has one.
        patterns = tuple(p for p in patterns if not any(c in p for c in "*?"))
    try:
        if patterns and includes(patterns, value):
            return Truth.TRUE
    except TooHardError:
        return Truth.UNKNOWN
    return Truth.UNKNOWN if any(intersects(p, value) for p in patterns) else Truth.FALSE


def _not(truth: Truth) -> Truth:
    return {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}.get(truth, truth)
