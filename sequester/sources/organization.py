"""From resources to facts of the organization: service and resource control policies, and whether they hold for us.

They only narrow, so whatever cannot be read or attributed is left out, or marked as not sure: no proof rests on it.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
"""

from collections.abc import Iterator

from sequester.proof.facts import BadFactError
from sequester.proof.model import Ceiling
from sequester.sources.access import document
from sequester.sources.resource import Resource, Stack

_KINDS = {"SERVICE_CONTROL_POLICY": "service", "RESOURCE_CONTROL_POLICY": "resource"}
_ACCOUNT, _UNIT = "organizations/account:Account", "organizations/organizationalUnit:OrganizationalUnit"


def ceilings(stack: Stack) -> tuple[Ceiling, ...]:
    """Policies attached to our account, or to something above it that the facts tell of."""
    return tuple(_ceilings(stack))


def assumed(stack: Stack) -> tuple[str, ...]:
    """What a proof takes for granted that rests on them."""
    sure = [one.name for one in ceilings(stack) if one.sure]
    return (f"AWS Organizations enforces {', '.join(sure)} on account {stack.account}",) if sure else ()


def _ceilings(stack: Stack) -> Iterator[Ceiling]:
    written = {one.id: one for one in stack.of("organizations/policy:Policy")}
    for attachment in stack.of("organizations/policyAttachment:PolicyAttachment"):
        try:
            policy = written.get(attachment.maybe("policyId"))
            type_ = (policy.maybe("type") or "SERVICE_CONTROL_POLICY") if policy else ""
            sure = _sure(stack, type_, attachment.maybe("targetId"))
            if policy and type_ in _KINDS and sure is not None:
                yield Ceiling(policy.name, _KINDS[type_], document(policy.get("content"), policy.name), sure)
        except BadFactError:
            continue  # it cannot be read, so it narrows nothing here


def _sure(stack: Stack, type_: str, target: str) -> bool | None:
    """Whether what is attached to a target holds for our account; None if it certainly does not.

    The organization's management account is under none of its policies, whatever they are attached to: our account must
    be known as another one.
    """
    account, above = stack.account, _above(stack)
    if target.isdigit() and target != account:
        return None
    organization = next(stack.of("organizations/organization:Organization"), None)
    master = organization.maybe("masterAccountId") if organization else ""
    if master == account:
        return None
    if organization and type_ not in organization.several("enabledPolicyTypes"):
        return False
    member = bool(master) or any(one.id == account for one in stack.of(_ACCOUNT))
    return member and target in above


def _above(stack: Stack) -> set[str]:
    """Our account, its unit, the unit of that, up to the root, as far as the facts tell."""
    parents = {one.id: one.maybe("parentId") for one in _nodes(stack)}
    found: set[str] = set()
    at = stack.account
    while at and at not in found:
        found.add(at)
        at = parents.get(at, "")
    return found


def _nodes(stack: Stack) -> Iterator[Resource]:
    yield from stack.of(_ACCOUNT, _UNIT)
