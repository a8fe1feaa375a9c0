"""Whether what alarms tell can act: the functions that it calls may run, and the rules that start it are on (E8)."""

from collections.abc import Iterator, Sequence

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.iam.condition import Truth
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.request import Region, allowed
from sequester.proof.model import Function, Model
from sequester.proof.verdict import Hop, Witness


def responders(model: Model) -> Iterator[Finding]:
    """The functions that alarms tell, themselves or by a topic. That one may not run at all is told elsewhere."""
    actions = {a for alarm in model.watch.alarms for a in alarm.actions}
    told = actions | {s.endpoint for s in model.watch.subscriptions if s.protocol == "lambda" and s.topic in actions}
    for one in model.functions.values():
        if one.concurrency == 0 or not any(_is(one, arn) for arn in told):
            continue
        off = next(_off(model, one), None)
        unseen = sorted(_named(model, one) - {*model.functions})
        if off:
            yield Witness(
                f"{one.name} is told of attempts, and cannot act as it is meant to",
                (Hop(one.name, off),),
                "let it run: enable the rule, let its role call, and reserve one call at least",
            )
        elif unseen:
            yield f"{one.name} is told of attempts and calls {unseen[0]}, which is not among the facts"
        else:
            yield Obligation(one.name, "acts: no function that it calls, and no rule that starts it, is off")


def _off(model: Model, one: Function) -> Iterator[str]:
    for arn in sorted(_named(model, one)):
        if not _may_call(_written(model, one), arn):
            yield f"is to call {arn}, and its role may not"
        elif arn in model.functions and model.functions[arn].concurrency == 0:
            yield f"calls {model.functions[arn].name}, whose reservedConcurrentExecutions is 0"
    for timer in model.watch.timers:
        if not timer.on and _is(one, timer.function):
            yield f"is started by {timer.name}, whose rule is disabled"


def _is(one: Function, arn: str) -> bool:
    return arn == one.arn or arn.startswith(f"{one.arn}:")


def _named(model: Model, one: Function) -> set[str]:
    """ARNs of the functions that its role names to invoke: what may invoke any is not known to call each."""
    own = one.arn.rpartition(":")[0] + ":"
    statements = [s for s in _written(model, one) if s.allow]
    named = {(own + r.removeprefix(own).partition(":")[0], s) for s in statements for r in s.resources if own in r}
    return {arn for arn, s in named if not set(arn) & set("*?$") and _may_call([s], arn)} - {one.arn}


def _may_call(document: Sequence[Statement], arn: str) -> bool:
    return allowed(document, Region("lambda:InvokeFunction", arn, {})).truth is not Truth.FALSE


def _written(model: Model, one: Function) -> list[Statement]:
    role = model.identities.get(one.role)
    return [s for name, raw in role.policies for s in statements(raw, name)] if role else []
