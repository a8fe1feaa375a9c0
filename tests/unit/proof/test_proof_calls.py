"""API calls: the prover's classes of requests against one request at a time, evaluated as AWS documents it."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequester.proof.check_calls import Call, decision
from sequester.proof.iam.condition import Truth, Value, holds
from sequester.proof.iam.document import Condition, statements
from sequester.proof.iam.request import Caller, Region, allowed

OURS, OTHER = "123456789012", "210987654321"
KEY = "aws:PrincipalTag/team"

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
# reference_policies_multi-value-conditions.html: operator, values, the key's value (None: not in the request), answer.
CONDITIONS: list[tuple[str, list[str], str | None, bool]] = [
    ("StringEquals", ["red"], "red", True),
    ("StringEquals", ["red", "blue"], "blue", True),
    ("StringEquals", ["red"], "Red", False),
    ("StringEquals", ["red"], None, False),
    ("StringEquals", ["r*"], "red", False),
    ("StringEqualsIgnoreCase", ["RED"], "red", True),
    ("StringLike", ["r*"], "red", True),
    ("StringLike", ["r?"], "red", False),
    ("StringLike", ["*"], None, False),
    ("StringNotEquals", ["red"], "blue", True),
    ("StringNotEquals", ["red", "blue"], "blue", False),
    ("StringNotEquals", ["red"], None, True),
    ("StringNotLike", ["r*"], "red", False),
    ("StringNotLike", ["r*"], None, True),
    ("StringEqualsIfExists", ["red"], None, True),
    ("StringEqualsIfExists", ["red"], "blue", False),
    ("StringNotEqualsIfExists", ["red"], None, True),
    ("StringNotEqualsIfExists", ["red"], "red", False),
    ("ForAllValues:StringEquals", ["red"], None, True),
    ("ForAllValues:StringEquals", ["red"], "blue", False),
    ("ForAnyValue:StringEquals", ["red"], None, False),
    ("ForAnyValue:StringEquals", ["red"], "red", True),
    ("ForAnyValue:StringNotEquals", ["red"], None, False),
    ("ForAllValues:StringNotEquals", ["red"], None, True),
    ("Bool", ["true"], "true", True),
    ("Bool", ["false"], "true", False),
    ("Bool", ["true"], None, False),
    ("BoolIfExists", ["true"], None, True),
    ("Null", ["true"], None, True),
    ("Null", ["true"], "red", False),
    ("Null", ["false"], "red", True),
    ("Null", ["false"], None, False),
    ("ArnLike", ["arn:aws:iam::*:role/x"], f"arn:aws:iam::{OURS}:role/x", True),
    ("ArnEquals", ["arn:aws:iam::*:role/x"], f"arn:aws:iam::{OURS}:role/y", False),
    ("ArnNotEquals", ["arn:aws:iam::*:role/x"], f"arn:aws:iam::{OURS}:role/y", True),
    ("ArnNotLike", ["arn:aws:iam::*:role/x"], None, True),
    # The parts of an ARN are compared one by one: a `*` does not reach over a colon.
    ("ArnLike", ["arn:aws:sns:*:*:*"], f"arn:aws:sns:us-east-1:{OURS}:a:b", True),
    ("ArnLike", ["arn:aws:sns:*:2*:*"], f"arn:aws:sns:us-east-1:{OURS}:2:b", False),
    ("IpAddress", ["203.0.113.0/24"], "203.0.113.7", True),
    ("IpAddress", ["203.0.113.7"], "203.0.113.7", True),
    ("IpAddress", ["203.0.113.0/24", "2001:db8::/32"], "2001:db8::1", True),
    ("IpAddress", ["203.0.113.0/24"], "198.51.100.7", False),
    ("IpAddress", ["203.0.113.0/24"], None, False),
    ("NotIpAddress", ["203.0.113.0/24"], "198.51.100.7", True),
    ("NotIpAddress", ["203.0.113.0/24"], None, True),
    ("IpAddressIfExists", ["203.0.113.0/24"], None, True),
    ("NumericLessThan", ["300"], "10", True),
    ("NumericLessThan", ["300"], "300", False),
    ("NumericLessThanEquals", ["300"], "300.0", True),
    ("NumericLessThan", ["300"], None, False),
    ("NumericNotEquals", ["300"], "10", True),
    ("NumericGreaterThanIfExists", ["300"], None, True),
    ("DateLessThan", ["2026-01-01T00:00:00Z"], "2025-12-31T23:59:59Z", True),
    ("DateGreaterThanEquals", ["2026-01-01"], "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", ["1767225600"], "2026-01-01T00:00:01Z", True),
    ("DateNotEquals", ["2026-01-01T00:00:00Z"], "2026-01-01T02:00:00+02:00", False),
    ("BinaryEquals", ["cmVk"], "cmVk", True),
]

# What is known of a value, but not all: what can be said then. (Operator, values, what is known, answer.)
KNOWN_IN_PART: list[tuple[str, list[str], Value, Truth]] = [
    ("IpAddress", ["10.0.0.0/8"], Value("*", ranges=("10.42.0.0/16",)), Truth.TRUE),
    ("IpAddress", ["10.42.0.0/17", "10.42.128.0/17"], Value("*", ranges=("10.42.0.0/16",)), Truth.TRUE),
    ("IpAddress", ["0.0.0.0/1", "128.0.0.0/1"], Value("*", ranges=("203.0.113.0/24", "2001:db8::/32")), Truth.UNKNOWN),
    ("IpAddress", ["10.42.0.0/24"], Value("*", ranges=("10.42.0.0/16",)), Truth.UNKNOWN),
    ("IpAddress", ["10.43.0.0/16"], Value("*", ranges=("10.42.0.0/16",)), Truth.FALSE),
    ("NotIpAddress", ["10.43.0.0/16"], Value("*", ranges=("10.42.0.0/16",)), Truth.TRUE),
    ("IpAddress", ["no address"], Value("*", ranges=("10.42.0.0/16",)), Truth.UNKNOWN),
    ("DateGreaterThan", ["2020-01-01"], Value("*", since="2026-01-01"), Truth.TRUE),
    ("DateLessThan", ["2020-01-01"], Value("*", since="2026-01-01"), Truth.FALSE),
    ("DateLessThan", ["2030-01-01"], Value("*", since="2026-01-01"), Truth.UNKNOWN),
    ("DateEquals", ["2030-01-01"], Value("*", since="2026-01-01"), Truth.UNKNOWN),
    ("DateLessThan", ["soon"], Value("*", since="2026-01-01"), Truth.UNKNOWN),
    ("StringEquals", ["${aws:username}"], Value("red"), Truth.UNKNOWN),
    ("StringLike", ["${aws:username}", "r*"], Value("red"), Truth.TRUE),
    ("ArnLike", ["*"], Value("arn:aws:iam::*:role/*"), Truth.UNKNOWN),
    ("ArnLike", ["arn:aws:iam::*:*"], Value("arn:aws:iam::*:role/*"), Truth.TRUE),
    ("StringEqual", ["red"], Value("red"), Truth.UNKNOWN),
    ("StringEqual", ["red"], Value(None), Truth.UNKNOWN),
]


@pytest.mark.parametrize(("operator", "values", "known", "answer"), KNOWN_IN_PART)
def test_what_is_known_in_part_is_decided_if_it_can_be(
    operator: str, values: list[str], known: Value, answer: Truth
) -> None:
    assert holds(Condition(operator, "k", tuple(values)), {"k": known}) is answer


@pytest.mark.parametrize(("operator", "values", "value", "answer"), CONDITIONS)
def test_conditions_as_documented(operator: str, values: list[str], value: str | None, answer: bool) -> None:
    """By the prover, and by the plain evaluator."""
    truth = holds(Condition(operator, KEY.lower(), tuple(values)), {KEY.lower(): Value(value)})
    assert truth is (Truth.TRUE if answer else Truth.FALSE)
    document = {
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {KEY: values}}}]
    }
    known = {} if value is None else {KEY: value}
    assert (decision([document], Call("s3:GetObject", "x", OURS, "", known)) == "Allow") is answer


@pytest.mark.parametrize(
    ("operator", "values", "there", "answer"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a"], ("a", "b"), False),
        ("ForAnyValue:StringEquals", ["a"], ("a", "b"), True),
        ("ForAnyValue:StringEquals", ["c"], ("a", "b"), False),
        ("ForAllValues:StringNotEquals", ["c"], ("a", "b"), True),
        ("ForAnyValue:StringNotEquals", ["a"], ("a", "b"), True),
    ],
)
def test_keys_of_several_values(operator: str, values: list[str], there: tuple[str, ...], answer: bool) -> None:
    document = {
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"k": values}}}
    }
    assert (decision([document], Call("a:b", "x", OURS, "", {"k": there})) == "Allow") is answer


def test_variables_are_put_in() -> None:
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:x:${aws:username}/*"}}
    assert decision([document], Call("a:b", "arn:x:ann/1", OURS, "", {"aws:username": "ann"})) == "Allow"
    assert decision([document], Call("a:b", "arn:x:bob/1", OURS, "", {"aws:username": "ann"})) == ""
    assert decision([document], Call("a:b", "arn:x:ann/1", OURS)) == ""


def test_an_explicit_denial_wins_in_any_order() -> None:
    yes, no = ({"Effect": e, "Action": "s3:*", "Resource": "*"} for e in ("Allow", "Deny"))
    for order in ([yes, no], [no, yes]):
        assert decision([{"Statement": order}], Call("s3:GetObject", "x", OURS)) == "Deny"


_ACTIONS = ["s3:Get", "s3:Put", "sts:Get"]
_RESOURCES = ["arn:a", "arn:b", "arn:ab"]
_ACTION_PATTERNS = st.sampled_from([*_ACTIONS, "*", "s3:*", "*:Get", "s3:?et", "S3:GET"])
_RESOURCE_PATTERNS = st.sampled_from([*_RESOURCES, "*", "arn:?", "arn:a*", "arn:*b"])
_KEYS = ["aws:PrincipalAccount", "aws:ResourceAccount"]
_OPERATORS = st.sampled_from(
    [
        "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists",
        "StringNotEqualsIfExists", "ForAllValues:StringEquals", "ForAnyValue:StringEquals", "Null", "StringLikeIfExists",
        "ForAnyValue:StringNotEquals", "ForAllValues:StringNotLike",
    ]
)  # fmt: skip


@st.composite
def _conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    out: dict[str, dict[str, list[str]]] = {}
    for _ in range(draw(st.integers(0, 2))):
        operator = draw(_OPERATORS)
        values = ["true", "false"] if operator == "Null" else [OURS, OTHER, "1*", "*2", "?" * 12]
        out.setdefault(operator, {})[draw(st.sampled_from(_KEYS))] = draw(
            st.lists(st.sampled_from(values), min_size=1, max_size=1 if operator == "Null" else 2)
        )
    return out


@st.composite
def _statement(draw: st.DrawFn) -> dict[str, Any]:
    some_actions, some_resources = (
        st.lists(_ACTION_PATTERNS, min_size=1, max_size=2),
        st.lists(_RESOURCE_PATTERNS, min_size=1, max_size=2),
    )
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some_actions),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(some_resources),
        "Principal": draw(
            st.sampled_from(["*", {"AWS": OURS}, {"AWS": f"arn:aws:iam::{OTHER}:root"}, {"AWS": [OURS, OTHER]}])
        ),
        "Condition": draw(_conditions()),
    }


_DOCUMENTS = st.lists(_statement(), min_size=1, max_size=4).map(lambda those: {"Statement": those})
_VALUES = (OURS, OTHER, None)


def _region(action: str, resource: str, caller: str | None, owner: str | None) -> Region:
    arn = f"arn:aws:iam::{caller}:role/x" if caller else ""
    known = {"aws:principalaccount": Value(caller), "aws:resourceaccount": Value(owner)}
    return Region(action, resource, known, Caller(caller, arn))


def _call(action: str, resource: str, caller: str | None, owner: str | None) -> Call:
    known = {k: v for k, v in (("aws:PrincipalAccount", caller), ("aws:ResourceAccount", owner)) if v}
    return Call(action, resource, caller, f"arn:aws:iam::{caller}:role/x" if caller else "", known)


@given(_DOCUMENTS)
@settings(max_examples=250, deadline=None)
def test_single_requests_are_decided_alike(document: dict[str, Any]) -> None:
    """Every request of a small space: what is known of it leaves the prover no doubt, and both say the same."""
    read = statements(document, "d")
    for action, resource, caller, owner in itertools.product(_ACTIONS, _RESOURCES, _VALUES, _VALUES):
        answer = allowed(read, _region(action, resource, caller, owner))
        wanted = decision([document], _call(action, resource, caller, owner)) == "Allow"
        assert answer.truth is (Truth.TRUE if wanted else Truth.FALSE), (action, resource, caller, owner, answer)


@given(_DOCUMENTS, _ACTION_PATTERNS, _RESOURCE_PATTERNS)
@settings(max_examples=150, deadline=None)
def test_no_request_of_a_class_is_missed(document: dict[str, Any], actions: str, resources: str) -> None:
    """A class that the prover calls empty has no request in it that gets through."""
    from sequester.proof.check_calls import matches

    read = statements(document, "d")
    for caller, owner in itertools.product(_VALUES, _VALUES):
        if allowed(read, _region(actions, resources, caller, owner)).truth is Truth.FALSE:
            for action, resource in itertools.product(_ACTIONS, _RESOURCES):
                if matches(actions.lower(), action.lower()) and matches(resources, resource):
                    assert decision([document], _call(action, resource, caller, owner)) != "Allow"
