"""What a door's role may do: what a door needs, on this account's resources by name, apart from every other door (E4).

The list of needs is the reviewed one; a door that needs more is Unknown until somebody has looked at it.
"""

import re
from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.iam.condition import Truth, Value, all_hold
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.pattern import includes, intersects
from sequester.proof.model import Function, Identity, Model
from sequester.proof.reviewed import DANGEROUS, DOOR_NEEDS, KNOWN_MANAGED
from sequester.proof.verdict import Hop, Request, Witness

# Services with which a door's role could reach into the execution context.
_INSIDE = ("ec2:*", "eks:*", "ssm:*", "ssmmessages:*", "iam:*", "sts:assumerole", "ecs:*", "lambda:invokefunction")
# Calls that undo what was recorded.
_ERASING = (
    "s3:deleteobject*",
    "s3:bypassgovernanceretention",
    "s3:putobjectretention",
    "s3:putbucket*",
    "s3:put*lock*",
)
_NEEDS = tuple(a.lower() for a in DOOR_NEEDS)
_HARM = tuple(a.lower() for a, _ in DANGEROUS)
# Reads and writes whose resource says whose data it is.
_OWN_DATA = ("s3:*object", "secretsmanager:getsecretvalue", "dynamodb:*item")


def door_roles(model: Model) -> Iterator[Finding]:
    doors = [f for f in model.functions.values() if f.door]
    documents: dict[str, tuple[Statement, ...]] = {}
    for one in doors:
        if one.in_vpc:
            yield Witness(
                f"{one.name} has interfaces in a VPC",
                (Hop(one.name, "vpcConfig"),),
                f"take {one.name} out of the VPC",
                request=Request(one.name, "connect", "the VPC"),
            )
        role = model.identities.get(one.role)
        if role is None:
            yield f"{one.name}: its role {one.role} is not in the facts"
            continue
        documents[one.name] = tuple(s for name, raw in role.policies for s in statements(raw, name))
        yield from _judged(model, one, role, documents[one.name])
    yield from _apart(doors, documents)


def _judged(model: Model, one: Function, role: Identity, document: tuple[Statement, ...]) -> Iterator[Finding]:
    for policy in role.unread:
        name = policy.rpartition("/")[2]
        if name in KNOWN_MANAGED:
            yield _may(one, role, name, KNOWN_MANAGED[name], "which a door does not need")
            return
        yield f"{one.name}: the text of {policy} is not in the plan"
    for s in document:
        if not s.allow:
            continue
        for action in s.actions:
            inside = next((i for i in _INSIDE if intersects(action, i)), None)
            if inside or s.but_actions is not None:
                yield _may(one, role, s.name, action, "which reaches into the execution context", s.resources)
                return
            if any(intersects(action, e) for e in _ERASING):
                yield _may(one, role, s.name, action, "which can undo records", s.resources)
                return
            if not includes(_NEEDS, action):
                if "*" in action or includes(_HARM, action):
                    yield _may(one, role, s.name, action, "more than a door needs", s.resources)
                    return
                yield f"{s.name}: whether a door needs {action} has not been reviewed"
            strange = next((r for r in s.resources if not _named(model, r, conditional=bool(s.conditions))), None)
            if strange:
                why = f"on {strange}, which is not a named resource of this account"
                yield _may(one, role, s.name, action, why, (strange,))
                return
    yield Obligation(one.name, "its role may do what a door needs, on named resources of this account")


def _named(model: Model, resource: str, *, conditional: bool) -> bool:
    """A resource of ours that is written out; a key may be any of ours where a condition says which."""
    if resource.startswith("arn:aws:s3:::"):
        return resource[len("arn:aws:s3:::") :].partition("/")[0] in model.buckets
    fields = resource.split(":", 5)
    if len(fields) < 6 or fields[4] != model.account:
        return False
    # What follows the resource's type must name something: `secret:?*` is every secret, as `secret:*` is.
    name = re.split("[:/]", fields[5], maxsplit=1)[-1]
    return conditional or bool(set(name) - set("*?:/-"))


def _apart(doors: list[Function], documents: dict[str, tuple[Statement, ...]]) -> Iterator[Finding]:
    """No door reads or writes another door's objects, items or secrets, and no two have one role."""
    for one in doors:
        for other in doors:
            if other is not one and other.name in documents:
                hit = next(_reaches_over(one, other, documents), None)
                if isinstance(hit, Witness):
                    yield hit
                    return
                if hit:
                    yield hit


def _reaches_over(one: Function, other: Function, documents: dict[str, tuple[Statement, ...]]) -> Iterator[Finding]:
    """What one door may use of what the other's role is for: under conditions, with the other tenant's own key."""
    theirs = [r for s in documents[other.name] if s.allow and _is_data(s) for r in s.resources]
    for s in documents.get(one.name, ()):
        hit = next((r for r in s.resources if any(intersects(r, t) for t in theirs)), None)
        if not s.allow or not _is_data(s) or hit is None:
            continue
        truth = max((_holds_for(s, one, other, key) for key in (True, False)), key=lambda t: t.value)
        if truth is Truth.TRUE:
            yield Witness(
                f"{one.name} and {other.name} share {hit}",
                (Hop(s.name, f"{one.name} may use {hit}"), Hop(other.name, "so may its role")),
                f"give {one.name} objects, items and secrets of its own",
                request=Request(one.role, s.actions[0], hit),
            )
        elif truth is Truth.UNKNOWN:
            yield f"{s.name}: whether {one.name} reaches what is {other.name}'s hangs on a condition"


def _is_data(s: Statement) -> bool:
    return any(intersects(a, d) for a in s.actions for d in _OWN_DATA)


def _holds_for(s: Statement, one: Function, other: Function, key: bool) -> Truth:  # noqa: FBT001
    """Whether a statement's conditions hold for a call about the other tenant's partition, or one that names none."""
    known = {
        "aws:principalarn": Value(one.role),
        "aws:principalaccount": Value(one.role.split(":")[4] if one.role.count(":") > 4 else None),
        "dynamodb:leadingkeys": Value(other.variable("DOOR_TENANT") or "?*") if key else Value(None),
    }
    return all_hold(s.conditions, known)[0]


def _may(
    one: Function, role: Identity, policy: str, action: str, why: str, resources: tuple[str, ...] = ("*",)
) -> Witness:
    return Witness(
        f"{one.name}'s role may {action}, {why}",
        (Hop(role.name, "the door's role"), Hop(policy, f"allows {action}")),
        f"remove {action} from {policy}",
        request=Request(role.arn, action, next(iter(resources), "*").replace("*", "x").replace("?", "x")),
    )
