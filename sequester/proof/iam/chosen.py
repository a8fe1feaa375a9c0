"""Condition keys whose value the caller chooses: a condition on one of them binds nobody who knows the policy.

For each such key that documents speak of, every value that they can tell apart is tried.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from sequester.proof.iam.document import Condition, Statement
from sequester.proof.iam.operators import Value
from sequester.proof.iam.pattern import TooHardError
from sequester.proof.iam.words import word

# Sent along with the call by whoever makes it.
_BY_ANYBODY = ("aws:useragent", "aws:referer", "aws:securetransport", "sts:rolesessionname")
# Written on identities of an account by whoever owns it.
_BY_OWNERS = ("aws:principaltag/", "aws:userid", "aws:username", "aws:requesttag/")
# Values of a request are tried up to this number; past it the keys stay unknown.
_MOST = 256
_MOST_PATTERNS = 5


def choices(
    statements: Iterable[Statement], known: Mapping[str, Value], *, owns: bool, inner: bool = False
) -> Iterator[Mapping[str, Value]]:
    """The context with every choice of the caller. `owns`: of another account's identities; `inner`: of its VPC too."""
    prefixes = (*_BY_ANYBODY, *(_BY_OWNERS if owns else ()), *(("aws:vpcsourceip",) if inner else ()))
    spoken: dict[str, list[Condition]] = {}
    for one in statements:
        for condition in one.conditions:
            if condition.key.startswith(prefixes):
                spoken.setdefault(condition.key, []).append(condition)
    options = {key: list(dict.fromkeys(_values(key, those))) for key, those in spoken.items()}
    options = {key: values for key, values in options.items() if values}
    total = 1
    for values in options.values():
        total *= len(values)
    if total > _MOST:
        options = {}
    for combination in product(*options.values()):
        yield {**known, **dict(zip(options, combination, strict=True))}


def _values(key: str, conditions: list[Condition]) -> Iterator[Value]:
    """Values that the conditions tell apart; none if they are too many to try."""
    if key == "aws:securetransport":
        yield from (Value("true"), Value("false"))
        return
    patterns = tuple(dict.fromkeys(v for c in conditions for v in c.values))
    if len(patterns) > _MOST_PATTERNS or any("${" in p for p in patterns):
        return
    if all("ipaddress" in c.operator.lower() or c.operator.lower() == "null" for c in conditions):
        yield from _addresses(patterns)
        return
    yield Value(None)
    for wanted in product((True, False), repeat=len(patterns)):
        try:
            text = word((*(((p, yes),) for p, yes in zip(patterns, wanted, strict=True)), (("?*", True),)))
        except TooHardError:
            continue
        if text is not None:
            yield Value(text)
            # What StringEquals compares is the text itself.
    yield from (Value(p) for p in patterns if p)


def _addresses(patterns: tuple[str, ...]) -> Iterator[Value]:
    for one in (*patterns, "192.0.2.1", "2001:db8::1"):
        try:
            yield Value(str(ipaddress.ip_network(one, strict=False)[0]))
        except ValueError:
            continue
