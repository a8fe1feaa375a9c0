"""All kinds of policies together: the prover's classes of requests against AWS's documented order, call by call.

Identity, boundary, session, service and resource control, resource and endpoint policies are drawn at random, for
callers of the resource's account, of another, and for nobody.
"""

import itertools
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from sequester.proof.check_calls import Call, Written, matches, permitted
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import statements
from sequester.proof.iam.evaluation import Policies, decided
from sequester.proof.iam.pattern import TooHardError
from sequester.proof.iam.request import Caller, Region
from sequester.proof.iam.words import any_of, none_of, word

OURS, OTHER = "123456789012", "210987654321"
ROLE = f"arn:aws:iam::{OURS}:role/x"
ACTIONS = ["s3:get", "s3:put", "sts:get"]
RESOURCES = [f"arn:aws:s3:::{name}" for name in ("a", "b", "ab")]
_ACTION_PATTERNS = [*ACTIONS, "*", "*", "*", "s3:*", "*:get", "s3:?et"]
_RESOURCE_PATTERNS = [*RESOURCES, "*", "*", "*", "arn:aws:s3:::?", "arn:aws:s3:::a*"]
_PRINCIPALS: list[Any] = [
    "*",
    "*",
    {"AWS": OURS},
    {"AWS": f"arn:aws:iam::{OTHER}:root"},
    {"AWS": [OURS, OTHER]},
    {"AWS": ROLE},
]
_CONDITIONS: list[tuple[str, str, Any]] = [
    ("StringEquals", "aws:PrincipalAccount", OURS),
    ("StringNotEquals", "aws:PrincipalAccount", OURS),
    ("StringEqualsIfExists", "aws:ResourceAccount", OURS),
    ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}"),
    ("StringLike", "aws:username", ["a*", "b"]),
    ("StringNotLike", "aws:username", "a"),
    ("ForAllValues:StringEquals", "aws:username", "b"),
    ("ForAnyValue:StringNotEquals", "aws:username", "b"),
    ("Null", "aws:username", "true"),
    ("Null", "aws:SourceIp", "false"),
    ("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "2001:db8::/32"]),
    ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
    ("IpAddressIfExists", "aws:SourceIp", "192.0.2.0/24"),
    ("Bool", "aws:SecureTransport", "true"),
    ("BoolIfExists", "aws:SecureTransport", False),
    ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OURS}:role/*"),
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/x"),
    ("NumericLessThan", "aws:MultiFactorAuthAge", "300"),
    ("NumericGreaterThanEqualsIfExists", "aws:MultiFactorAuthAge", "300"),
    ("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z"),
    ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z"),
]  # fmt: skip
_VALUES: dict[str, list[str | None]] = {
    "aws:username": ["a", "b", "c", None],
    "aws:SourceIp": ["10.1.2.3", "192.0.2.7", "2001:db8::7", None],
    "aws:SecureTransport": ["true", "false", None],
    "aws:MultiFactorAuthAge": ["10", "300", None],
    "aws:CurrentTime": ["2025-06-01T12:00:00Z", "2026-06-01T12:00:00+02:00"],
}


def _statement(draw: random.Random, *, principals: bool, effect: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {"Effect": effect or draw.choice(["Allow"] * 6 + ["Deny"])}
    wide = out["Effect"] == "Allow"
    out[draw.choice(["Action"] * 5 + ["NotAction"])] = [
        draw.choice(_ACTION_PATTERNS if wide else _ACTION_PATTERNS[:3]) for _ in range(draw.choice([1, 2]))
    ]
    out[draw.choice(["Resource"] * 5 + ["NotResource"])] = [
        draw.choice(_RESOURCE_PATTERNS) if draw.random() < 0.95 else "arn:aws:s3:::${aws:username}"
        for _ in range(draw.choice([1, 2]))
    ]
    if principals:
        out[draw.choice(["Principal"] * 20 + ["NotPrincipal"])] = draw.choice(_PRINCIPALS)
    if draw.random() < 0.3:
        operator, key, value = draw.choice(_CONDITIONS)
        out["Condition"] = {operator: {key: value}}
    return out


def _document(draw: random.Random, *, principals: bool = False) -> dict[str, Any]:
    return {"Statement": [_statement(draw, principals=principals) for _ in range(draw.choice([1, 2, 3]))]}


def _written(draw: random.Random) -> Written:
    """Every kind but the first two is there in about half of the cases; a level of an organization has one or two."""
    guards = [[_document(draw) for _ in range(draw.choice([1, 2]))] for _ in range(draw.choice([0, 0, 1, 2]))]
    if draw.random() < 0.4:
        guards.append([_document(draw, principals=True)])  # of the endpoint, or of resource control
    return Written(
        identity=[_document(draw)],
        resource=[_document(draw, principals=True)] if draw.random() < 0.6 else [],
        limits=[_document(draw) for _ in range(draw.choice([0, 1, 1, 2]))],
        guards=guards,
    )


def _of(written: Written, call: Call) -> Written:
    """Whoever calls without credentials has no policies of his own."""
    return written if call.account else replace(written, identity=[], limits=[])


def _read(written: Written) -> Policies:
    def layer(documents: Any) -> Any:
        return tuple(s for i, d in enumerate(documents) for s in statements(d, f"d{i}"))

    return Policies(
        layer(written.identity),
        layer(written.resource),
        tuple(layer([d]) for d in written.limits),
        tuple(layer(level) for level in written.guards),
    )


def _request(draw: random.Random) -> tuple[Call, str]:
    account = draw.choice([OURS, OURS, OTHER, None])
    arn = f"arn:aws:iam::{account}:role/{draw.choice(['x', 'y'])}" if account else ""
    owner = draw.choice([OURS, OURS, OTHER])
    known = {key: value for key, values in _VALUES.items() if (value := draw.choice(values)) is not None}
    known["aws:ResourceAccount"] = owner
    if account:
        known |= {"aws:PrincipalAccount": account, "aws:PrincipalArn": arn}
    return Call(draw.choice(ACTIONS), draw.choice(RESOURCES), account, arn, known), owner


def _region(call: Call, action: str, resource: str) -> Region:
    keys = ("aws:PrincipalAccount", "aws:PrincipalArn", "aws:ResourceAccount", *_VALUES)
    known = {k.lower(): Value(v if isinstance(v := call.context.get(k), str) else None) for k in keys}
    return Region(action, resource, known, Caller(call.account, call.arn))


def _is_plain(written: Written) -> bool:
    """Without what AWS leaves open: whom NotPrincipal spares, and how far a boundary binds a role that is named."""
    said = str(written)
    return (
        "NotPrincipal" not in said
        and not ("role/x'" in str(written.resource) and written.limits)
        and "${aws:u" not in said
    )


@pytest.mark.parametrize("seed", range(4))
def test_single_calls_are_decided_alike(seed: int) -> None:
    """1,500 calls a seed. The prover lets through whatever AWS does, and, but for what is left open, nothing else."""
    draw = random.Random(seed)
    seen: Counter[tuple[bool, bool]] = Counter()
    for _ in range(300):
        drawn = _written(draw)
        for _ in range(5):
            call, owner = _request(draw)
            written = _of(drawn, call)
            read = _read(written)
            region = _region(call, call.action, call.resource)
            answer = decided(read, region, same_account=owner == call.account)
            wanted = permitted(written, call, owner)
            told = (written, call, owner, answer)
            if wanted:
                assert answer.truth is not Truth.FALSE, told
            if _is_plain(written):
                assert answer.truth is (Truth.TRUE if wanted else Truth.FALSE), told
            seen[wanted, _is_plain(written)] += 1
    assert min(seen.values()) >= 30, seen


@pytest.mark.parametrize("seed", range(4))
def test_no_call_of_a_class_is_missed_and_every_witness_passes(seed: int) -> None:
    """A class that is called empty lets no call through; the call that is named for one that is not does get through."""
    draw = random.Random(1000 + seed)
    seen: Counter[Truth] = Counter()
    for _ in range(500):
        call, owner = _request(draw)
        written = _of(_written(draw), call)
        read = _read(written)
        actions, resources = draw.choice(_ACTION_PATTERNS), draw.choice(["*", "arn:aws:s3:::?", "arn:aws:s3:::a*"])
        answer = decided(read, _region(call, actions, resources), same_account=owner == call.account)
        seen[answer.truth] += 1
        if answer.truth is Truth.TRUE and "${" not in str(written):
            there = Call(answer.action, answer.resource, call.account, call.arn, call.context)
            assert permitted(written, there, owner) or not _is_plain(written), (written, there, owner, answer)
        if answer.truth is Truth.FALSE:
            for action, resource in itertools.product(ACTIONS, RESOURCES):
                if matches(actions, action) and matches(resources, resource):
                    one = Call(action, resource, call.account, call.arn, call.context)
                    assert not permitted(written, one, owner), (written, one, owner)
    assert seen[Truth.TRUE] >= 50, seen
    assert seen[Truth.FALSE] >= 50, seen


_TEXTS = ["".join(letters) for size in range(6) for letters in itertools.product("ab", repeat=size)]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_of_patterns_is_exact(seed: int) -> None:
    """A word that patterns leave is one of theirs, and where there is none no short text is one."""
    draw = random.Random(seed)

    def pattern() -> str:
        return "".join(draw.choice("ab*?") for _ in range(draw.randint(1, 4)))

    empty = 0
    for _ in range(1500):
        inside = tuple(pattern() for _ in range(draw.randint(1, 2)))
        outside = tuple(pattern() for _ in range(draw.randint(0, 3)))
        spared = tuple(pattern() for _ in range(draw.randint(0, 1)))
        found = word((any_of(inside), *none_of(outside, spared)))

        def left(text: str, those: Any = (inside, outside, spared)) -> bool:
            into, out, but = those
            hit = any(matches(p, text) for p in out) and not any(matches(p, text) for p in but)
            return any(matches(p, text) for p in into) and not hit

        if found is None:
            empty += 1
            assert not any(map(left, _TEXTS)), (inside, outside, spared)
        else:
            assert left(found), (inside, outside, spared, found)
    assert empty >= 50


def test_patterns_without_bounds_are_too_hard_and_not_proved() -> None:
    """Runs of `?` after `*` would need as many states as there are subsets."""
    hard = f"*a{'?' * 18}"
    with pytest.raises(TooHardError):
        word((any_of((hard,)), *none_of((f"*{hard}",))))
