"""What our own resources let strangers do, and what they pass on: a queue that anyone reads is a mailbox (E4)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.facts import BadFactError
from sequester.proof.grants import bounded, except_for, narrowed, written
from sequester.proof.iam.chosen import choices
from sequester.proof.iam.condition import Truth, Value, holds
from sequester.proof.iam.document import Condition, Statement, statements
from sequester.proof.iam.evaluation import Layer, Policies, decided
from sequester.proof.iam.pattern import TooHardError, intersects
from sequester.proof.iam.request import Answer, Caller, Region, allowed
from sequester.proof.model import Delivery, Model, ResourcePolicy
from sequester.proof.reviewed import DANGEROUS, HARMLESS
from sequester.proof.selector import Selector
from sequester.proof.strangers import FOREIGN, Stranger, accounts, callers, context, instance, origins
from sequester.proof.verdict import Hop, Request, Witness

_HARMLESS = tuple(a.lower() for a in HARMLESS)


def shared(model: Model, selector: Selector) -> Iterator[Finding]:
    """Policies on resources, each asked for every stranger."""
    for one in model.resource_policies:
        try:
            yield _asked(model, selector, one)
        except (BadFactError, TooHardError) as error:
            yield str(error)


def _asked(model: Model, selector: Selector, one: ResourcePolicy) -> Finding:
    document = statements(one.document, one.name)
    doubt = ""
    for stranger in callers(model.account, accounts((model.account, *selector.trusted_accounts), document), document):
        if stranger.who == "our credentials":
            continue
        answer, request = lets_in(model, document, stranger)
        if answer.truth is Truth.TRUE and stranger.sure:
            who = stranger.caller.account or "anybody, without credentials"
            return Witness(
                f"{one.name} lets {who} in",
                (Hop(one.name, f"hangs on {one.resource or one.name}"), Hop(answer.by, f"allows it to {who}")),
                f"name principals of this account in {answer.by}",
                request=request,
            )
        if answer.truth is not Truth.FALSE:
            doubt = doubt or f"{one.name}: whether it lets strangers in hangs on {', '.join(answer.keys) or 'whose'}"
    deputy = next((s for s in document if _lends(s)), None)
    if deputy and not doubt:
        doubt = f"{deputy.name}: an AWS service may read here for whoever asks it: require aws:SourceArn"
    return doubt or Obligation(one.name, "lets nobody in but principals of this account, and AWS's services")


def lets_in(
    model: Model, document: tuple[Statement, ...], stranger: Stranger, action: str = "*"
) -> tuple[Answer, Request]:
    """Whether a stranger may make some call (of `action`), from wherever he likes, with what he chooses to send."""
    ours = tuple(e.id for e in model.endpoints if e.vpc in model.vpcs)
    unknown = Answer(Truth.FALSE)
    for origin in origins(stranger.account, ours, tuple(model.vpcs)):
        known = context(stranger, origin, owner=Value(model.account))
        for chosen in choices(document, known, owns=True, inner=True):
            region = Region(action, "*", chosen, stranger.caller)
            answer = narrowed(model, ("resource",), lambda guards, region=region: allowed(document, region, guards))
            if answer.truth is Truth.TRUE:
                account = stranger.caller.account
                who = account or "anybody"
                return answer, Request(who, answer.action, answer.resource, "", instance(account, chosen))
            unknown = answer if answer.truth is Truth.UNKNOWN else unknown
    return unknown, Request("", "", "")


# Calls that bring data out of a resource. A service that makes them for its customers makes them for strangers, too.
_READS = ("s3:getobject*", "sqs:receivemessage", "secretsmanager:getsecretvalue", "secretsmanager:batchgetsecretvalue")
# Keys that say for whom a service calls. https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
_FOR_WHOM = ("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths")


def _lends(one: Statement) -> bool:
    """Whether a service may read for anybody: no condition says for whom, or one that holds without the key."""
    if not one.allow or not any(p.startswith("Service:") for p in one.principals or ()):
        return False
    binding = [c for c in one.conditions if c.key in _FOR_WHOM and not _holds_for_anybody(c)]
    return not binding and any(intersects(a, r) for a in one.actions for r in _READS)


def _holds_for_anybody(condition: Condition) -> bool:
    """Of a resource of an account that no policy names, or of no resource at all."""
    foreign = f"arn:aws:*:*:{FOREIGN}:*" if condition.key == "aws:sourcearn" else FOREIGN
    return any(holds(condition, {condition.key: Value(v)}) is not Truth.FALSE for v in (foreign, None))


def handed_out(model: Model, obtainable: Mapping[str, str]) -> Iterator[Finding]:
    """What policies on resources give to identities that are to be had in a sandbox, beside those's own policies."""
    for arn, why in obtainable.items():
        one = model.identities.get(arn)
        if one is None:
            continue  # told elsewhere
        ours = Value(model.account)
        known = {"aws:principalaccount": ours, "aws:principalarn": Value(arn), "kms:calleraccount": ours}
        region = Region("*", "*", known, Caller(model.account, arn))
        own = tuple(s for s in written(one) if not s.allow)
        for hung in model.resource_policies:
            document = statements(hung.document, hung.name)
            policies = Policies(identity=own, resource=document, limits=bounded(one))

            def ask(guards: tuple[Layer, ...], policies: Policies = policies, region: Region = region) -> Answer:
                narrower = replace(policies, guards=(*guards, except_for(_HARMLESS)))
                return decided(narrower, region, same_account=True)

            answer = narrowed(model, ("service", "resource"), ask)
            harm = any(
                intersects(a, d.lower())
                for s in document
                if s.name == answer.by
                for a in s.actions
                for d, _ in DANGEROUS
            )
            if answer.truth is Truth.TRUE and harm:
                yield Witness(
                    f"{hung.name} lets {one.name} {answer.action}",
                    (
                        Hop(one.name, why),
                        Hop(answer.by, f"hangs on {hung.resource or hung.name} and names it, or everybody"),
                    ),
                    f"take {one.name} out of {answer.by}, or name those who need it",
                    request=Request(arn, answer.action, answer.resource),
                )
            elif answer.truth is not Truth.FALSE:
                yield f"{answer.by}: {answer.action}, which it lets {one.name} do, is on neither reviewed table"


# Where what is sent comes to rest, or whose own deliveries are facts. Streams, API destinations and buses send it on.
_ENDS = ("lambda:", "logs:", "s3:", "sns:", "sqs:")
# A person who is told, by an address that is in the plan. What code can be told at a URL is a way out as any other is.
TO_PEOPLE = ("messages by email", "messages by email-json", "messages by sms")


def deliveries(model: Model, selector: Selector) -> Iterator[Finding]:
    """Where records and events are sent on to."""
    for one in model.deliveries:
        fields = one.to.split(":", 5)
        account = one.account or (fields[4] if len(fields) > 5 else "")
        if account and account != model.account and account not in selector.trusted_accounts:
            yield _sent_out(one, Hop(f"account {account}", "has them"))
        elif len(fields) < 6 and one.what in TO_PEOPLE:
            yield Obligation(one.name, f"sends {one.what} to {one.to}, whom the deployment names")
        elif len(fields) < 6:
            yield _sent_out(one, Hop(one.to, "is outside of the account"))
        elif not any(one.to.startswith(f"arn:aws:{end}") for end in _ENDS) or ":endpoint/" in one.to:
            yield f"{one.name} sends {one.what} to {one.to}: where that sends them on to is not in the facts"
        elif one.to.startswith("arn:aws:s3:::") and one.to[13:].partition("/")[0] not in model.buckets:
            yield f"{one.name} sends {one.what} to {one.to}: whose bucket that is, is not in the facts"
        else:
            yield Obligation(one.name, f"sends {one.what} to a resource of this account")


def _sent_out(one: Delivery, receiver: Hop) -> Witness:
    return Witness(
        f"{one.name} sends {one.what} to {receiver.resource}",
        (Hop(one.name, f"{one.what} → {one.to}"), receiver),
        f"remove {one.name}, or send to a resource of this account",
        request=Request(one.name, one.what, one.to),
    )
