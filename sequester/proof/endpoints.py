"""Claim E3: what each endpoint's policy lets through, for every caller and every resource, ours or not.

A request is a caller's account (ours, another) times a resource (ours, another's, none) times an action. For each
statement that allows something, the classes that would touch what is not ours are asked to be empty.
"""

from collections.abc import Iterator

from sequester.proof.certificate import Certificate, Obligation, digest
from sequester.proof.export import all_facts
from sequester.proof.facts import BadFactError
from sequester.proof.grants import narrowed
from sequester.proof.iam.chosen import choices
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.pattern import TooHardError, includes, intersects
from sequester.proof.iam.request import Region, allowed
from sequester.proof.model import Endpoint, Model
from sequester.proof.reviewed import EXCEPTIONS, NO_RESOURCE, TAKE_POLICIES, UNSIGNED
from sequester.proof.selector import Selector
from sequester.proof.strangers import (
    FOREIGN,
    accounts,
    callers,
    context,
    foreign_forms,
    instance,
    our_forms,
    shape_of,
    through,
)
from sequester.proof.verdict import Escapes, Hop, Proved, Request, Unknown, Verdict, Witness

_ASSUMED = (
    "AWS evaluates endpoint policies as documented",
    "aws:ResourceAccount binds where it is stated (first-deploy check: ec2:Describe*, GetAuthorizationToken)",
)
_NO_RESOURCE = tuple(a.lower() for a in NO_RESOURCE)
_UNSIGNED = tuple(a.lower() for a in UNSIGNED)
# The prefix of actions that go through an endpoint, where it is not the service's own name.
_ACTION_PREFIXES = {
    "ecr.api": "ecr",
    "ecr.dkr": "ecr",
    "bedrock-runtime": "bedrock",
    "monitoring": "cloudwatch",
    "email-smtp": "ses",
    "execute-api": "execute-api",
    "git-codecommit": "codecommit",
    "s3express": "s3express",
    "eks-auth": "eks-auth",
}


def endpoints(model: Model, selector: Selector) -> Verdict:
    reasons = list(model.gaps_for("E3"))
    witnesses: list[Witness] = []
    holds: list[Obligation] = []
    for endpoint in model.endpoints:
        try:
            found, doubts, fine = _endpoint(model, selector, endpoint)
        except (BadFactError, TooHardError) as error:
            reasons.append(f"{endpoint.name}: {error}")
            continue
        witnesses += found
        reasons += doubts
        holds += fine
    if witnesses:
        return Escapes("E3", witnesses[0], tuple(witnesses[1:]))
    if not model.endpoints and not model.vpcs and not reasons:
        reasons.append("no VPC is in the facts, so whether it has endpoints is not known")
    if reasons:
        return Unknown("E3", tuple(dict.fromkeys(reasons)))
    if not model.endpoints:
        holds.append(Obligation("endpoints", "there is none"))
    return Proved(
        "E3", Certificate("E3", digest(all_facts(model, selector)), (), tuple(holds), (*_ASSUMED, *model.assumptions))
    )


def _endpoint(
    model: Model, selector: Selector, endpoint: Endpoint
) -> tuple[list[Witness], list[str], list[Obligation]]:
    if endpoint.kind in ("GatewayLoadBalancer", "Resource", "ServiceNetwork") or not endpoint.service:
        what = endpoint.service_name or endpoint.kind
        return [], [f"{endpoint.name} leads to {what}: what answers there is not AWS's API, and in no plan"], []
    if endpoint.service not in TAKE_POLICIES:
        return [], [f"{endpoint.name}: whether {endpoint.service} keeps to endpoint policies has not been reviewed"], []
    if endpoint.policy is None:
        return [_open_to_all(endpoint)], [], []
    document = statements(endpoint.policy, endpoint.name)
    others = [s for s in document if not s.allow]
    witnesses: list[Witness] = []
    doubts: list[str] = []
    fine: list[Obligation] = []
    for one in document:
        name = f"{endpoint.name}: {one.name}"
        if not one.allow:
            fine.append(Obligation(name, "only denies"))
            continue
        hit = next(_let_through(model, selector, endpoint, one, others), None)
        if hit is None:
            why = _exception(one, model.region)
            reviewed = (
                f"reviewed exception: {why[0]}" if why else "our callers only, and resources of this account, or none"
            )
            fine.append(Obligation(name, reviewed))
        elif isinstance(hit, str):
            doubts.append(hit)
        else:
            witnesses.append(_witness(endpoint, one, *hit))
    return witnesses, doubts, fine


def _let_through(
    model: Model, selector: Selector, endpoint: Endpoint, one: Statement, others: list[Statement]
) -> Iterator["tuple[_Case, Request] | str"]:
    """Calls that a statement lets through and must not; a text for one that hangs on something. Certain ones first."""
    doubts: list[str] = []
    policy = (one, *others)
    for case, region, sure, kinds in _cases(model, selector, endpoint, one, others):
        answer = narrowed(model, kinds, lambda guards, region=region: allowed(policy, region, guards))
        if answer.truth is Truth.TRUE and sure:
            account = region.caller.account if region.caller else None
            replayed = Request(
                case.principal, answer.action, answer.resource, endpoint.name, instance(account, region.context)
            )
            yield case, replayed
        elif answer.truth is not Truth.FALSE:
            keys = ", ".join(answer.keys) or "aws:ResourceAccount or the caller's account"
            doubts.append(f"{one.name}: whether {case.summary} is let through hangs on {keys}")
    yield from doubts


class _Case(Request):
    """A request with a sentence about itself."""

    __slots__ = ()

    @property
    def summary(self) -> str:
        return f"{self.action} on {self.resource} by {self.principal}"


def _cases(
    model: Model, selector: Selector, endpoint: Endpoint, one: Statement, others: list[Statement]
) -> Iterator[tuple[_Case, Region, bool, tuple[str, ...]]]:
    """The classes that must be empty: anybody on other people's resources, and other people on ours."""
    ours = model.account
    known = accounts((ours, *selector.trusted_accounts), [one, *others])
    prefix = f"{_ACTION_PREFIXES.get(endpoint.service, endpoint.service.partition('.')[0])}:*"
    exception = _exception(one, model.region)
    strangers = list(callers(ours, known, [one, *others], selector.trusted_accounts))
    vpc = model.vpcs.get(endpoint.vpc)
    origin = through(endpoint.id, endpoint.vpc, ours, tuple(map(str, vpc.cidrs)) if vpc else ())
    for action in one.actions:
        if not intersects(action, prefix):
            continue
        narrowed = action if ":" in action else prefix
        plain = one.but_actions is None
        no_resource = plain and includes(_NO_RESOURCE, action)
        unsigned = plain and includes(_UNSIGNED, action)
        for resource in one.resources:
            targets = list(_targets(ours, known, resource, no_resource=no_resource, excepted=exception is not None))
            for target, owner, foreign, sure in targets:
                for stranger in strangers:
                    if stranger.who == "our credentials" and not foreign:
                        continue
                    if not foreign and (unsigned or (exception is not None and exception[1])):
                        continue
                    fields = target.split(":", 5)
                    shape = shape_of(fields[4] if len(fields) == 6 and fields[4].isdigit() else None)
                    said = context(stranger, origin, owner=owner)
                    owns = stranger.who != "our credentials"
                    kinds = () if owns and foreign else ("resource",) if owns else ("service",)
                    for chosen in choices([one, *others], said, owns=owns):
                        region = Region(narrowed, target, chosen, stranger.caller, shape)
                        case = _Case(stranger.who, narrowed, target, endpoint.name)
                        yield case, region, sure and stranger.sure, kinds


def _targets(
    ours: str, known: tuple[str, ...], resource: str, *, no_resource: bool, excepted: bool
) -> Iterator[tuple[str, Value, bool, bool]]:
    """(resource, its owner, whether our callers may not touch it, whether the owner is sure to be in the request)."""
    if no_resource and resource == "*":
        yield "*", Value(None), False, True
        return
    if excepted:  # reviewed: AWS's own resource, which our callers may use
        yield resource, Value(resource.split(":", 5)[4] or None), False, True
        return
    for account in known:
        for form in foreign_forms(ours, account, resource):
            yield form, Value(account), True, True
            # Some services do not say whose a resource is: then a condition that allows for its absence holds.
            yield form, Value(None), True, False
    for form in our_forms(ours, resource):
        yield form, Value(ours), False, True


def _exception(one: Statement, region: str) -> tuple[str, bool] | None:
    """Why a statement is on the reviewed table, if all of it is within one line, and whether anybody may call so."""
    if one.but_actions is not None or one.but_resources is not None:
        return None
    for actions, templates, why, anybody in EXCEPTIONS:
        resources = tuple(t.format(region=region) for t in templates)
        lower = tuple(a.lower() for a in actions)
        if all(includes(lower, a) for a in one.actions) and all(includes(resources, r) for r in one.resources):
            return why, anybody
    return None


def _open_to_all(endpoint: Endpoint) -> Witness:
    prefix = _ACTION_PREFIXES.get(endpoint.service, endpoint.service)
    request = Request(
        "the attacker's own credentials", f"{prefix}:*", f"any resource of account {FOREIGN}", endpoint.name
    )
    return Witness(
        f"{endpoint.name} has AWS's default policy: any caller, any action, any account",
        (Hop(endpoint.name, "policy: none stated, so AWS allows everything"),),
        f"give {endpoint.name} a policy that names actions, resources and aws:PrincipalAccount, aws:ResourceAccount",
        request=request,
    )


def _witness(endpoint: Endpoint, one: Statement, case: _Case, request: Request) -> Witness:
    return Witness(
        f"through {endpoint.name}, {case.summary}",
        (
            Hop(endpoint.name, f"leads to {endpoint.service}"),
            Hop(one.name, f"allows {case.action} on {case.resource}"),
        ),
        f"narrow {one.name}: name resources of this account, and require aws:PrincipalAccount and aws:ResourceAccount",
        request=request,
    )
