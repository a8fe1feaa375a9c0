"""Conditions, three-valued: true, false, or unknown where the key is the caller's or the plan's secret.

Rules for missing keys, `IfExists`, `ForAllValues`, `Null`, negated operators and policy variables are AWS's:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Mapping

from sequester.proof.iam.document import Condition
from sequester.proof.iam.operators import NEGATED, TESTS, Truth, Value

__all__ = ["Truth", "Value", "all_hold", "holds"]

_VARIABLE = re.compile(r"\$\{([^},]*)(?:,\s*'([^']*)')?\}")


def holds(condition: Condition, context: Mapping[str, Value]) -> Truth:
    """Whether a condition holds in a context; a key that the context does not speak of is unknown."""
    operator = condition.operator.lower()
    every, some = operator.startswith("forallvalues:"), operator.startswith("foranyvalue:")
    operator = operator.removeprefix("forallvalues:").removeprefix("foranyvalue:")
    if_exists = operator.endswith("ifexists")
    operator = operator.removesuffix("ifexists")
    negated = operator in NEGATED
    test = TESTS.get(NEGATED.get(operator, operator))
    known = context.get(condition.key)
    if known is None or (test is None and operator != "null"):
        return Truth.UNKNOWN
    if operator == "null":
        absent = known.text is None
        return Truth.TRUE if all((v.lower() == "true") == absent for v in condition.values) else Truth.FALSE
    if known.text is None:
        # An absent key: positive operators fail, negated ones hold, and so do IfExists and ForAllValues; of no value
        # at all ForAnyValue finds none.
        return Truth.TRUE if if_exists or every or (negated and not some) else Truth.FALSE
    filled = [_filled(v, context) for v in condition.values]
    result = test(known, tuple(f for f in filled if f is not None)) if test else Truth.UNKNOWN
    if result is not Truth.TRUE and _OPEN in filled:
        result = Truth.UNKNOWN
    return _not(result) if negated else result


_OPEN = "${}"
"""Stands for a value that holds a variable which nobody knows; no text of a request looks like it."""


def _filled(value: str, context: Mapping[str, Value]) -> str | None:
    """A value with its variables put in; None if one is not in the request, for then the value matches nothing."""
    out = value
    for found in _VARIABLE.finditer(value):
        key, default = found[1].strip().lower(), found[2]
        known = context.get(key)
        if known is None or (known.text is not None and any(c in known.text for c in "*?")):
            return _OPEN
        inside = known.text if known.text is not None else default
        if inside is None:
            return None
        out = out.replace(found[0], inside)
    return out


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


def _not(truth: Truth) -> Truth:
    return {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}.get(truth, truth)
