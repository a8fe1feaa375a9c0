"""What one identity may do, with everything that narrows it: boundary, session policy, the organization's denials.

A narrowing whose text or force is not known takes nothing away; where the answer would be another with it, it is named.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from sequester.proof.iam.condition import Truth
from sequester.proof.iam.document import Condition, Statement, statements
from sequester.proof.iam.evaluation import EVERYTHING, Layer, denials
from sequester.proof.iam.pattern import includes
from sequester.proof.iam.request import Answer
from sequester.proof.model import Identity, Model
from sequester.proof.reviewed import KNOWN_MANAGED

# Services whose resources are under resource control policies. Others may have been added: fewer is safe.
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
_CONTROLLED = ("s3:*", "sts:*", "kms:*", "sqs:*", "secretsmanager:*")


def written(one: Identity) -> Layer:
    """Every statement that speaks for an identity; a policy whose text nobody has allows what it is known for."""
    own = tuple(s for name, raw in one.policies for s in statements(raw, name))
    return (*own, *(s for policy in one.unread for s in _unread(policy)))


def _unread(policy: str) -> tuple[Statement, ...]:
    name = policy.rpartition("/")[2]
    unknown = replace(EVERYTHING, name=policy, conditions=(Condition("Unread", f"the text of {policy}", ("",)),))
    known = KNOWN_MANAGED.get(name)
    return (replace(EVERYTHING, name=name, actions=(known.lower(),)), unknown) if known else (unknown,)


def bounded(one: Identity, session: Layer = ()) -> tuple[Layer, ...]:
    """The layers that must allow as well."""
    boundary = statements(one.boundary, f"the boundary of {one.name}") if one.boundary else ()
    return tuple(layer for layer in (boundary, session) if layer)


def except_for(actions: Iterable[str], resources: tuple[str, ...] = ("*",)) -> Layer:
    """A layer that takes some calls out of a question."""
    return (EVERYTHING, replace(EVERYTHING, allow=False, actions=tuple(actions), resources=resources))


def narrowed(model: Model, kinds: tuple[str, ...], ask: Callable[[tuple[Layer, ...]], Answer]) -> Answer:
    """The answer under the organization's policies of these kinds. What may be in force, or not, proves nothing."""
    if not model.ceilings or not kinds:
        return ask(())
    sure, doubtful = _ceilings(model, kinds, sure=True), _ceilings(model, kinds, sure=False)
    guards = tuple(layer for _, layer in sure)
    answer = ask(guards)
    if answer.truth is not Truth.TRUE or not doubtful:
        return answer
    if ask((*guards, *(layer for _, layer in doubtful))).truth is Truth.TRUE:
        return answer
    names = tuple(f"whether {name} is in force in account {model.account}" for name, _ in doubtful)
    return replace(answer, truth=Truth.UNKNOWN, keys=names)


def _ceilings(model: Model, kinds: tuple[str, ...], *, sure: bool) -> list[tuple[str, Layer]]:
    found: list[tuple[str, Layer]] = []
    for one in model.ceilings:
        if one.kind in kinds and one.sure is sure:
            try:
                said = denials(statements(one.document, one.name))
            except ValueError:
                continue  # not understood: it narrows nothing here
            found.append((one.name, tuple(filter(None, map(_controlled, said))) if one.kind == "resource" else said))
    return found


def _controlled(one: Statement) -> Statement | None:
    """A denial of a resource control policy, as far as it is of a service that has them."""
    if one.allow or all(includes(_CONTROLLED, a) for a in one.actions):
        return one
    actions = tuple(a for a in one.actions if includes(_CONTROLLED, a))
    if "*" in one.actions:
        actions = _CONTROLLED
    return replace(one, actions=actions) if actions else None
