"""All policies that speak of one caller and one resource, put together as AWS does: what grants, what only narrows.

Identity and resource policies grant: either is enough within one account, both are needed across accounts. Permissions
boundaries and session policies narrow what identity policies grant; organization policies and endpoint policies narrow
everything. A denial in any of them wins.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sequester.proof.iam.document import Statement
from sequester.proof.iam.operators import Truth
from sequester.proof.iam.request import Answer, Caller, Region, allowed

Layer = tuple[Statement, ...]
EVERYTHING = Statement("everything", True, ("*",), None, ("*",), None, None, ())  # noqa: FBT003  (the field says it)


@dataclass(frozen=True, slots=True)
class Policies:
    """`limits`: boundary and session policies, for what `identity` grants. `guards`: for every call, whoever grants."""

    identity: Layer = ()
    resource: Layer = ()
    limits: tuple[Layer, ...] = ()
    guards: tuple[Layer, ...] = ()


def denials(statements: Iterable[Statement]) -> Layer:
    """A layer that only takes away."""
    return (EVERYTHING, *(s for s in statements if not s.allow))


def decided(policies: Policies, region: Region, *, same_account: bool) -> Answer:
    """Whether some call of a region is let through.

    Within an account a resource's policy that names the caller itself, or everybody, needs no word in the caller's own
    policies, and its boundary may not bind it: of those only the denials count. One that names the account leaves it to
    the caller's policies.
    """
    caller = region.caller
    own_denials = denials((*policies.identity, *(s for layer in policies.limits for s in layer)))
    if caller is not None and caller.account is None:
        return allowed(policies.resource, region, policies.guards)
    if not same_account:
        return allowed(policies.identity, region, (*policies.limits, *policies.guards, policies.resource))
    granted = allowed(policies.identity, region, (*policies.limits, *policies.guards, denials(policies.resource)))
    if granted.truth is Truth.TRUE:
        return granted
    direct = tuple(_directly(s, caller) if s.allow else s for s in policies.resource)
    by_resource = allowed(direct, region, (*policies.guards, own_denials))
    return max(granted, by_resource, key=lambda a: a.truth.value)


def _directly(statement: Statement, caller: Caller | None) -> Statement:
    """A statement without the account as a whole among its principals."""
    if statement.principals is None or caller is None:
        return statement
    whole = (caller.account, f"arn:aws:iam::{caller.account}:root")
    return replace(statement, principals=tuple(p for p in statement.principals if p not in whole))
