"""Policies: what is said too broadly is refused, unless it says why."""

import json
from typing import Any

import pytest

from infra.iam import PolicyError, Statement, document, trust

DOOR = "arn:aws:lambda:us-east-1:123456789012:function:door"

TOO_BROAD: list[tuple[dict[str, Any], str]] = [
    ({"sid": "not valid"}, "statement id"),
    ({"actions": ()}, "names no action"),
    ({"actions": ("*",)}, "is no action"),
    ({"actions": ("InvokeFunction",)}, "service:Action"),
    ({"actions": ("lambda:invokeFunction",)}, "service:Action"),
    ({"actions": ("lambda:*",)}, "added later"),
    ({"actions": ("lambda:Get*",)}, "added later"),
    ({"resources": ("*",)}, "resource \\*"),
    ({"resources": ("door",)}, "is no ARN"),
    ({"resources": ("arn:aws:lambda:us-east-1:*:function:door",)}, "is no ARN"),
    ({"principals": "*"}, "allows anyone"),
]


@pytest.mark.parametrize(("change", "said"), TOO_BROAD, ids=[said for _, said in TOO_BROAD])
def test_what_is_too_broad_is_refused(change: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"sid": "Invoke", "actions": ("lambda:InvokeFunction",), "resources": (DOOR,)}
    Statement(**good)
    with pytest.raises(PolicyError, match=said):
        Statement(**(good | change))


def test_a_wildcard_with_a_reason_is_taken() -> None:
    assert Statement("All", ("ec2:DescribeTags",), ("*",), wildcard="EC2's reads take no resource").render() == {
        "Sid": "All",
        "Effect": "Allow",
        "Action": "ec2:DescribeTags",
        "Resource": "*",
    }


def test_a_deny_may_be_as_broad_as_it_likes() -> None:
    assert Statement("No", ("lambda:*",), ("*",), effect="Deny", principals="*").effect == "Deny"


def test_two_statements_of_one_id_are_refused() -> None:
    one = Statement("Invoke", ("lambda:InvokeFunction",), (DOOR,))
    with pytest.raises(PolicyError, match="two statements"):
        document(one, one)


def test_a_trust_policy_names_the_service_and_its_conditions() -> None:
    conditions = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    (statement,) = json.loads(trust("vpc-flow-logs.amazonaws.com", conditions))["Statement"]
    assert statement["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert statement["Condition"] == conditions
