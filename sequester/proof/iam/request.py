"""Request-space emptiness: of all calls that an Allow may match, is one left that no Deny takes away?

Identity policies, permissions boundaries, session and organization policies are layers: each must allow, any may deny.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sequester.proof.iam.condition import Truth, Value, all_hold
from sequester.proof.iam.document import Statement
from sequester.proof.iam.pattern import TooHardError, includes, intersects
from sequester.proof.iam.words import Clauses, any_of, none_of, word

# Ways to stay clear of several denials that are tried before the claim is Unknown.
_MOST_TRIES = 4_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a pattern of principals' ARNs of one account; an `account` of None calls without credentials."""

    account: str | None
    arn: str


@dataclass(frozen=True, slots=True)
class Region:
    """A class of requests: an action and a resource pattern, and what is known of the condition keys.

    `caller` is needed where documents name principals; without one every statement speaks of the caller.
    """

    action: str
    resource: str
    context: Mapping[str, Value]
    caller: Caller | None = None
    shape: str = "*"
    """What the resource's text is besides, as in words.py: with it an account can be told part by part."""


def speaks_of(statement: Statement, caller: Caller | None) -> tuple[Truth, bool]:
    """Whether a statement means some of the callers, and whether it certainly means all of them.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if statement.but_principals is not None:
        return _all_but(statement.but_principals, caller)
    principals = statement.principals
    if principals is None or caller is None or "*" in principals:
        return Truth.TRUE, True
    if caller.account is None:
        return Truth.FALSE, False
    some = Truth.FALSE
    for name in principals:
        if name in _account_names(caller.account):
            return Truth.TRUE, True
        if name.startswith("arn:") and intersects(name, caller.arn):
            if name == caller.arn:
                return Truth.TRUE, True
            some = Truth.TRUE
        elif _is_session_of(name, caller):
            some = Truth.TRUE
        elif _says_not_whose(name):
            some = max(some, Truth.UNKNOWN, key=lambda t: t.value)
    return some, False


def _account_names(account: str) -> tuple[str, str]:
    return account, f"arn:aws:iam::{account}:root"


def _is_session_of(name: str, caller: Caller) -> bool:
    """``arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`` is one session of a role."""
    role = caller.arn.rpartition("/")[2]
    return ":role/" in caller.arn and name.startswith(f"arn:aws:sts::{caller.account}:assumed-role/{role}/")


def _says_not_whose(name: str) -> bool:
    """Canonical ids of S3, origin access identities and ids of principals do not say of which account they are."""
    return name.startswith(("CanonicalUser:", "AIDA", "AROA", "arn:aws:iam::cloudfront:"))


def _all_but(names: tuple[str, ...], caller: Caller | None) -> tuple[Truth, bool]:
    """NotPrincipal. Whether a role that is listed is spared hangs on more than its name: that is never certain.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
    """
    if "*" in names:
        return Truth.FALSE, False
    if caller is None:
        return Truth.UNKNOWN, False
    if caller.account is None:
        return Truth.TRUE, True
    if any(name in _account_names(caller.account) for name in names):
        return Truth.UNKNOWN, False
    listed = any(
        (name.startswith("arn:") and intersects(name, caller.arn)) or _is_session_of(name, caller) for name in names
    )
    unclear = listed or any(_says_not_whose(name) for name in names)
    return (Truth.UNKNOWN if caller.arn in names else Truth.TRUE), not unclear


def reaches(statement: Statement, region: Region) -> tuple[Truth, tuple[str, ...]]:
    """Whether a statement's actions, resources and conditions match some request of a region (upper bracket)."""
    spoken = speaks_of(statement, region.caller)[0]
    if spoken is Truth.FALSE or not any(intersects(a, region.action.lower()) for a in statement.actions):
        return Truth.FALSE, ()
    if statement.but_actions is not None and includes(statement.but_actions, region.action.lower()):
        return Truth.FALSE, ()
    if not any(intersects(r, region.resource) for r in (*statement.resources, *statement.loose)):
        return Truth.FALSE, ()
    if statement.but_resources is not None and includes(statement.but_resources, region.resource):
        return Truth.FALSE, ()
    truth, keys = all_hold(statement.conditions, region.context)
    if truth is Truth.TRUE and spoken is Truth.UNKNOWN:
        return spoken, ("who is meant by its principals",)
    return truth, keys


def covers(statement: Statement, region: Region) -> Truth:
    """Whether a statement matches every request of a region: TRUE, UNKNOWN if that hangs on a condition, else FALSE."""
    if not speaks_of(statement, region.caller)[1]:
        return Truth.FALSE
    try:
        if not includes(statement.actions, region.action.lower()) or not includes(statement.resources, region.resource):
            return Truth.FALSE
    except TooHardError:
        return Truth.UNKNOWN
    but_resources = (*(statement.but_resources or ()), *statement.but_loose)
    if any(intersects(a, region.action.lower()) for a in statement.but_actions or ()):
        return Truth.FALSE
    if any(intersects(r, region.resource) for r in but_resources):
        return Truth.FALSE
    return all_hold(statement.conditions, region.context)[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """TRUE: a request of the region is let through by `by`. UNKNOWN: it hangs on `keys`."""

    truth: Truth
    by: str = ""
    keys: tuple[str, ...] = ()
    action: str = ""
    resource: str = ""
    """One request that is let through (or may be)."""


def allowed(statements: Sequence[Statement], region: Region, within: Sequence[Sequence[Statement]] = ()) -> Answer:
    """Whether some request of a region is allowed by one document (or several that add up).

    Each of `within` is a further layer that must allow the same request; what any layer denies is denied.
    """
    layers = (statements, *within)
    choices = [[(s, *reached) for s in layer if s.allow and (reached := reaches(s, region))[0] is not Truth.FALSE]
               for layer in layers]  # fmt: skip
    if not all(choices):
        return Answer(Truth.FALSE)
    denials = list(_denials(layers, region))
    unknown: Answer | None = None
    for combined in product(*choices):
        allows = tuple(s for s, _, _ in combined)
        # A denial of some callers by name leaves the others, if the Allow means them too.
        everybody = all(speaks_of(s, region.caller)[1] for s in allows)
        against = [d for d, _, _ in denials if not (everybody and _names_some(d, region.caller))]
        keys = tuple(dict.fromkeys(key for _, _, those in combined for key in those))
        try:
            if all(truth is Truth.TRUE for _, truth, _ in combined):
                left = _left(allows, against, region, certain=True)
                if left:
                    return Answer(Truth.TRUE, allows[0].name, (), *left)
            left = None if unknown else _left(allows, [d for d, sure, _ in denials if sure], region, certain=False)
        except TooHardError:
            left, keys = ("", ""), (*keys, "patterns that are too tangled")
        if left:
            keys = keys or tuple(dict.fromkeys(key for _, _, those in denials for key in those))
            unknown = Answer(Truth.UNKNOWN, allows[0].name, keys or ("a variable in a resource",), *left)
    return unknown or Answer(Truth.FALSE)


def _denials(
    layers: Sequence[Sequence[Statement]], region: Region
) -> Iterator[tuple[Statement, bool, tuple[str, ...]]]:
    """Denials that may take a request of the region away, whether they certainly do, and what that hangs on."""
    for layer in layers:
        for one in layer:
            if one.allow:
                continue
            truth, keys = reaches(one, region)
            if truth is not Truth.FALSE:
                yield one, truth is Truth.TRUE and speaks_of(one, region.caller)[1], keys


def _names_some(denial: Statement, caller: Caller | None) -> bool:
    return denial.principals is not None and not speaks_of(denial, caller)[1]


def _left(
    allows: tuple[Statement, ...], denials: list[Statement], region: Region, *, certain: bool
) -> tuple[str, str] | None:
    """A request that every Allow matches and no Deny. If `certain`, variables are read against it, else for it."""
    actions: Clauses = (((region.action.lower(), True),),)
    resources: Clauses = (((region.resource, True),), ((region.shape, True),), (("?*", True),))
    for one in allows:
        out = (*(one.but_resources or ()), *(one.but_loose if certain else ()))
        actions += (any_of(one.actions), *none_of(one.but_actions or ()))
        resources += (any_of(one.resources), *none_of(out))
    tries = 0

    def clear_of(rest: list[Statement], actions: Clauses, resources: Clauses) -> tuple[str, str] | None:
        nonlocal tries
        tries += 1
        if tries > _MOST_TRIES:
            raise TooHardError(f"what {len(denials)} denials leave takes too many tries")
        action = word(actions)
        resource = None if action is None else word(resources)
        if action is None or resource is None:
            return None
        if not rest:
            return action, resource
        one = rest[0]
        denied = (*one.resources, *(one.loose if certain else ()))
        spared = (*(one.but_resources or ()), *(() if certain else one.but_loose))
        return clear_of(rest[1:], actions + none_of(one.actions, one.but_actions or ()), resources) or clear_of(
            rest[1:], actions, resources + none_of(denied, spared)
        )

    return clear_of(denials, actions, resources)
