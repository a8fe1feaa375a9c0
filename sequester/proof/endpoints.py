"""Claim E3: what each endpoint's policy lets through, for every caller and every resource, ours or not.

A request is a caller's account (ours, another) times a resource (ours, another's, none) times an action. For each
statement that allows something, the classes that would touch what is not ours are asked to be empty.
"""

from collections.abc import Iterator
from dataclasses import replace

from sequester.proof.certificate import Certificate, Obligation, digest
from sequester.proof.export import all_facts
from sequester.proof.facts import BadFactError
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.pattern import TooHardError, includes, intersects
from sequester.proof.iam.request import Region, allowed
from sequester.proof.model import Endpoint, Model
from sequester.proof.reviewed import EXCEPTIONS, NO_RESOURCE
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Hop, Proved, Request, Unknown, Verdict, Witness

# Stands for every account but ours: no document that one writes names it. (Documentation uses 123456789012 and such.)
FOREIGN = "999999999999"
_ASSUMED = (
    "AWS evaluates endpoint policies as documented",
    "aws:ResourceAccount binds where it is stated (first-deploy check: ec2:Describe*, GetAuthorizationToken)",
)
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


def endpoints(model: Model, _selector: Selector) -> Verdict:
    reasons = list(model.gaps_for("E3"))
    witnesses: list[Witness] = []
    holds: list[Obligation] = []
    for endpoint in model.endpoints:
        try:
            found, doubts, fine = _endpoint(model, endpoint)
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
        "E3", Certificate("E3", digest(all_facts(model, _selector)), (), tuple(holds), (*_ASSUMED, *model.assumptions))
    )


def _endpoint(model: Model, endpoint: Endpoint) -> tuple[list[Witness], list[str], list[Obligation]]:
    if endpoint.kind in ("GatewayLoadBalancer", "Resource", "ServiceNetwork") or not endpoint.service:
        what = endpoint.service_name or endpoint.kind
        return [], [f"{endpoint.name} leads to {what}: what answers there is not AWS's API, and in no plan"], []
    if endpoint.policy is None:
        return [_open_to_all(endpoint)], [], []
    document = statements(endpoint.policy, endpoint.name)
    prefix = f"{_ACTION_PREFIXES.get(endpoint.service, endpoint.service.partition('.')[0])}:*"
    witnesses: list[Witness] = []
    doubts: list[str] = []
    fine: list[Obligation] = []
    for one in document:
        if not one.allow:
            fine.append(Obligation(f"{endpoint.name}: {one.name}", "only denies"))
            continue
        others = [s for s in document if not s.allow]
        why = _exception(one, model.region)
        if why:
            fine.append(Obligation(f"{endpoint.name}: {one.name}", f"reviewed exception: {why}"))
            continue
        closed = True
        for request, region in _foreign(model, endpoint, one, prefix):
            answer = allowed([one, *others], region)
            if answer.truth is Truth.TRUE:
                witnesses.append(_witness(endpoint, one, request))
                closed = False
                break
            if answer.truth is Truth.UNKNOWN:
                doubts.append(f"{one.name}: whether {request.summary} is let through hangs on {', '.join(answer.keys)}")
                closed = False
                break
        if closed:
            fine.append(Obligation(f"{endpoint.name}: {one.name}", "only resources of this account, or none"))
    return witnesses, doubts, fine


class _Case(Request):
    """A request with a sentence about itself."""

    __slots__ = ()

    @property
    def summary(self) -> str:
        return f"{self.action} on {self.resource} by {self.principal}"


def _foreign(model: Model, endpoint: Endpoint, one: Statement, prefix: str) -> Iterator[tuple[_Case, Region]]:
    """The classes that must be empty: for each action and resource of the statement, other people's resources."""
    for action in one.actions:
        if not intersects(action, prefix) and endpoint.service:
            continue
        narrowed = action if intersects(prefix, action) and ":" in action else prefix
        no_resource = one.but_actions is None and includes(tuple(a.lower() for a in NO_RESOURCE), action)
        for resource in one.resources:
            if no_resource and resource == "*":
                yield from _cases(model, endpoint, narrowed, "*", (FOREIGN,), resource_account=None)
                continue
            for foreign in _foreign_forms(model, resource):
                accounts = (model.account, FOREIGN)
                yield from _cases(model, endpoint, narrowed, foreign, accounts, resource_account=_owner(foreign))


def _cases(
    model: Model,
    endpoint: Endpoint,
    action: str,
    resource: str,
    callers: tuple[str, ...],
    *,
    resource_account: str | None,
) -> Iterator[tuple[_Case, Region]]:
    for caller in callers:
        context = {
            "aws:principalaccount": Value(caller),
            "aws:principalarn": Value(f"arn:aws:*::{caller}:*"),
            "aws:resourceaccount": Value(resource_account),
            "aws:sourcevpce": Value(endpoint.id),
            "aws:sourcevpc": Value(endpoint.vpc),
            "aws:securetransport": Value("true"),
            "aws:principalisawsservice": Value("false"),
            "aws:viaawsservice": Value("false"),
        }
        who = "our credentials" if caller == model.account else "the attacker's own credentials"
        yield _Case(who, action, resource, endpoint.name), Region(action, resource, context)


def _foreign_forms(model: Model, resource: str) -> Iterator[str]:
    """ARNs of others that a resource pattern can match: of accounts it names or leaves open, and of S3 buckets."""
    fields = resource.split(":", 5)
    named = fields[4] if len(fields) > 4 else ""
    if named.isdigit() and named != model.account:
        yield resource
        return
    if resource.startswith("arn:aws:s3:::"):
        yield resource  # a bucket's ARN does not say whose it is
        return
    if named == model.account and not any(c in field for field in fields[:4] for c in "*?"):
        return  # written out up to the account: ours. (A wildcard before it might be read across colons.)
    form = f"arn:aws:*:*:{FOREIGN}:*"
    if intersects(resource, form):
        # An ARN pattern with an open account is that of the foreign account; anything looser is any foreign ARN.
        exact = len(fields) == 6 and any(c in named for c in "*?")
        yield ":".join((*fields[:4], FOREIGN, fields[5])) if exact else form
    elif intersects(resource, "arn:aws:*:*::*") and not intersects(resource, "arn:aws:*:*:?*:*"):
        yield resource  # a resource without an account is AWS's
    if resource == "*":
        yield "arn:aws:s3:::*"


def _owner(resource: str) -> str:
    account = resource.split(":", 5)[4] if resource.count(":") >= 5 else ""
    return account or FOREIGN


def _exception(one: Statement, region: str) -> str:
    """Why a statement is on the reviewed table, if all of it is within one line."""
    if one.but_actions is not None or one.but_resources is not None:
        return ""
    for actions, templates, why in EXCEPTIONS:
        resources = tuple(t.format(region=region) for t in templates)
        lower = tuple(a.lower() for a in actions)
        if all(includes(lower, a) for a in one.actions) and all(includes(resources, r) for r in one.resources):
            return why
    return ""


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


def _witness(endpoint: Endpoint, one: Statement, request: _Case) -> Witness:
    return Witness(
        f"through {endpoint.name}, {request.summary}",
        (
            Hop(endpoint.name, f"leads to {endpoint.service}"),
            Hop(one.name, f"allows {request.action} on {request.resource}"),
        ),
        f"narrow {one.name}: name resources of this account, and require aws:PrincipalAccount and aws:ResourceAccount",
        request=replace(request),
    )
