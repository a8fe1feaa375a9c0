"""Request-space emptiness: of all calls that an Allow may match, is one left that no Deny takes away?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sequester.proof.iam.condition import Truth, Value, all_hold
from sequester.proof.iam.document import Statement
from sequester.proof.iam.pattern import TooHardError, includes, intersects


@dataclass(frozen=True, slots=True)
class Region:
    """A class of requests: an action and a resource pattern, and what is known of the condition keys."""

    action: str
    resource: str
    context: Mapping[str, Value]


def reaches(statement: Statement, region: Region) -> tuple[Truth, tuple[str, ...]]:
    """Whether a statement's actions, resources and conditions match some request of a region (upper bracket)."""
    if not any(intersects(a, region.action.lower()) for a in statement.actions):
        return Truth.FALSE, ()
    if statement.but_actions is not None and includes(statement.but_actions, region.action.lower()):
        return Truth.FALSE, ()
    if not any(intersects(r, region.resource) for r in statement.resources):
        return Truth.FALSE, ()
    if statement.but_resources is not None and includes(statement.but_resources, region.resource):
        return Truth.FALSE, ()
    return all_hold(statement.conditions, region.context)


def covers(statement: Statement, region: Region) -> Truth:
    """Whether a statement matches every request of a region: TRUE, UNKNOWN if that hangs on a condition, else FALSE."""
    try:
        if not includes(statement.actions, region.action.lower()):
            return Truth.FALSE
        if statement.but_actions is not None and any(
            intersects(a, region.action.lower()) for a in statement.but_actions
        ):
            return Truth.FALSE
        if not includes(statement.resources, region.resource):
            return Truth.FALSE
    except TooHardError:
        return Truth.UNKNOWN
    if statement.but_resources is not None and any(intersects(r, region.resource) for r in statement.but_resources):
        return Truth.FALSE
    return all_hold(statement.conditions, region.context)[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """TRUE: a request of the region is let through by `by`. UNKNOWN: it hangs on `keys`."""

    truth: Truth
    by: str = ""
    keys: tuple[str, ...] = ()


def allowed(statements: Sequence[Statement], region: Region) -> Answer:
    """Whether some request of a region is allowed by one document (or several that add up)."""
    unknown: Answer | None = None
    for one in statements:
        if not one.allow:
            continue
        truth, keys = reaches(one, region)
        if truth is Truth.FALSE:
            continue
        denial = _denied((s for s in statements if not s.allow), region)
        if denial is Truth.TRUE:
            continue
        if truth is Truth.TRUE and denial is Truth.FALSE:
            return Answer(Truth.TRUE, one.name)
        unknown = unknown or Answer(Truth.UNKNOWN, one.name, keys or ("a denial that hangs on a condition",))
    return unknown or Answer(Truth.FALSE)


def _denied(denials: Iterable[Statement], region: Region) -> Truth:
    best = Truth.FALSE
    for one in denials:
        truth = covers(one, region)
        if truth is Truth.TRUE:
            return truth
        if truth is Truth.UNKNOWN:
            best = truth
    return best
