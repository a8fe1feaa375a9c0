"""One concrete API call against policy documents, as AWS documents its evaluation: the checker's own, plain reading.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and, for conditions,
reference_policies_elements_condition_operators.html and reference_policies_multi-value-conditions.html. Everything is a
text or a list of texts; what is not understood raises ValueError.
"""

# Documents are parsed JSON, whose parts have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `account` is the caller's (None: unsigned); a key that `context` lacks is not in the request."""

    action: str
    resource: str
    account: str | None = None
    arn: str = ""
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, "str | tuple[str, ...]"])


def matches(pattern: str, text: str) -> bool:
    """`*` is any text, `?` one character."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


def decision(documents: Iterable[Mapping[str, Any]], call: Call) -> str:
    """``Deny`` (explicit), ``Allow``, or ``""`` (nothing speaks of it, which denies as well)."""
    found = ""
    for document in documents:
        for statement in _listed(document):
            if _applies(statement, call):
                if statement["Effect"] == "Deny":
                    return "Deny"
                found = "Allow"
    return found


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that is written about a caller and a resource: documents, as they stand in the facts."""

    identity: Sequence[Mapping[str, Any]] = ()
    resource: Sequence[Mapping[str, Any]] = ()
    limits: Sequence[Mapping[str, Any]] = ()
    """Permissions boundary and session policies: each must allow what the identity's policies grant."""
    guards: Sequence[Sequence[Mapping[str, Any]]] = ()
    """Levels of the organization, and the endpoint: of each, one document must allow."""


def permitted(written: Written, call: Call, owner: str | None) -> bool:
    """AWS's order of evaluation for one call on a resource of the account `owner`."""
    guards = [document for level in written.guards for document in level]
    whole = (*written.identity, *written.resource, *written.limits, *guards)
    if any(decision([document], call) == "Deny" for document in whole):
        return False
    if not all(decision(level, call) == "Allow" for level in written.guards):
        return False
    granted = decision(written.resource, call) == "Allow"
    if call.account is None:
        return granted
    own = decision(written.identity, call) == "Allow" and all(decision([d], call) == "Allow" for d in written.limits)
    if owner != call.account:
        return own and granted
    return own or any(
        statement["Effect"] == "Allow" and _names(statement.get("Principal"), call) and _applies(statement, call)
        for document in written.resource
        for statement in _listed(document)
    )


def _names(principal: Any, call: Call) -> bool:
    """Everybody, or the caller itself: not its account, which leaves it to the caller's own policies."""
    names = texts(principal) if not isinstance(principal, Mapping) else texts(cast("Any", principal).get("AWS"))
    return "*" in names or call.arn in names


def _listed(document: Mapping[str, Any]) -> list[Any]:
    raw = document["Statement"]
    return list(raw) if isinstance(raw, list | tuple) else [raw]


def texts(value: Any) -> list[str]:
    """A text, or each of a list, as policies write them."""
    if isinstance(value, list | tuple):
        return [_text(one) for one in cast("list[Any]", value)]
    return [] if value is None else [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _applies(statement: Mapping[str, Any], call: Call) -> bool:
    action = call.action.lower()
    if "Action" in statement and not any(matches(a.lower(), action) for a in texts(statement["Action"])):
        return False
    if "NotAction" in statement and any(matches(a.lower(), action) for a in texts(statement["NotAction"])):
        return False
    known = {key.lower(): value for key, value in call.context.items()}
    for key, wanted in (("Resource", True), ("NotResource", False)):
        if key in statement:
            patterns = [filled for one in texts(statement[key]) if (filled := _filled(one, known)) is not None]
            if any(matches(p, call.resource) for p in patterns) is not wanted:
                return False
    if "NotPrincipal" in statement and _speaks_of(statement["NotPrincipal"], call):
        return False
    if "Principal" in statement and not _speaks_of(statement["Principal"], call):
        return False
    return all(
        _holds(operator, key, texts(values), known)
        for operator, keys in (statement.get("Condition") or {}).items()
        for key, values in keys.items()
    )


def _filled(pattern: str, known: Mapping[str, Any]) -> str | None:
    """A pattern with its variables put in; None if one of them is not in the request."""
    out = pattern
    for name in re.findall(r"\$\{([^}]*)\}", pattern):
        value = name if name in ("*", "?", "$") else known.get(name.lower())
        if not isinstance(value, str):
            return None
        out = out.replace("${" + name + "}", value)
    return out


def _speaks_of(principal: Any, call: Call) -> bool:
    names = texts(principal) if not isinstance(principal, Mapping) else texts(cast("Any", principal).get("AWS"))
    return any(
        name == "*"
        or (call.account is not None and name in (call.account, f"arn:aws:iam::{call.account}:root", call.arn))
        for name in names
    )


def _holds(operator: str, key: str, wanted: list[str], known: Mapping[str, Any]) -> bool:
    """One operator on one key: the values of a list are alternatives, of a negated operator exclusions."""
    name = operator.lower()
    every, some = name.startswith("forallvalues:"), name.startswith("foranyvalue:")
    name = name.rpartition(":")[2] if every or some else name
    if_exists, name = name.endswith("ifexists"), name.removesuffix("ifexists")
    raw = known.get(key.lower())
    if name == "null":
        return all((value == "true") is (raw is None) for value in wanted)
    negated = name in _NEGATED
    test = _TESTS.get(_NEGATED.get(name, name))
    if test is None:
        raise ValueError(f"condition operator {operator} is not evaluated")
    if raw is None:
        return if_exists or every or (negated and not some)
    values = texts(raw)
    filled = [one for w in wanted if (one := _filled(w, known)) is not None]

    def one_holds(value: str) -> bool:
        hit = any(test(pattern, value) for pattern in filled)
        return not hit if negated else hit

    return any(map(one_holds, values)) if some or (not every and len(values) != 1) else all(map(one_holds, values))


def _arn(pattern: str, value: str) -> bool:
    """Each of the six parts by itself."""
    parts, there = pattern.split(":", 5), value.split(":", 5)
    return len(parts) == len(there) == 6 and all(map(matches, parts, there))


def _in_block(pattern: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(pattern, strict=False)


def _moment(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    said = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()


def _ordered(kind: str, read: Callable[[str], float]) -> dict[str, Callable[[str, str], bool]]:
    return {
        f"{kind}equals": lambda pattern, value: read(value) == read(pattern),
        f"{kind}lessthan": lambda pattern, value: read(value) < read(pattern),
        f"{kind}lessthanequals": lambda pattern, value: read(value) <= read(pattern),
        f"{kind}greaterthan": lambda pattern, value: read(value) > read(pattern),
        f"{kind}greaterthanequals": lambda pattern, value: read(value) >= read(pattern),
    }


_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnlike",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda pattern, value: pattern == value,
    "stringequalsignorecase": lambda pattern, value: pattern.lower() == value.lower(),
    "binaryequals": lambda pattern, value: pattern == value,
    "bool": lambda pattern, value: pattern.lower() == value.lower(),
    "stringlike": matches,
    "arnequals": _arn,
    "arnlike": _arn,
    "ipaddress": _in_block,
    **_ordered("numeric", float),
    **_ordered("date", _moment),
}
