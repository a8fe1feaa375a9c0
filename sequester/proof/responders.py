"""Whether what alarms tell can act: the functions that it calls may run, and the rules that start it are on (E8)."""

from collections.abc import Iterable, Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.grants import written
from sequester.proof.iam.condition import Truth
from sequester.proof.iam.evaluation import Layer
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
        role = model.identities.get(one.role)
        document = written(role) if role else ()
        named = sorted(_named(document, one))
        off = next(_off(model, one, document, named), None)
        unseen = next((arn for arn in named if arn not in model.functions), None)
        if off:
            yield Witness(
                f"{one.name} is told of attempts, and cannot act as it is meant to",
                (Hop(one.name, off),),
                "let it run: enable the rule, let its role call, and reserve one call at least",
            )
        elif unseen:
            yield f"{one.name} is told of attempts and calls {unseen}, which is not among the facts"
        else:
            yield Obligation(one.name, "acts: no function that it calls, and no rule that starts it, is off")


def _off(model: Model, one: Function, document: Layer, named: Iterable[str]) -> Iterator[str]:
    for arn in named:
        if not _may_call(document, arn):
            yield f"is to call {arn}, and its role may not"
        elif arn in model.functions and model.functions[arn].concurrency == 0:
            yield f"calls {model.functions[arn].name}, whose reservedConcurrentExecutions is 0"
    for timer in model.watch.timers:
        if not timer.on and _is(one, timer.function):
            yield f"is started by {timer.name}, whose rule is disabled"


def _is(one: Function, arn: str) -> bool:
    return arn == one.arn or arn.startswith(f"{one.arn}:")


def _named(document: Layer, one: Function) -> set[str]:
    """ARNs of the functions that its role names to invoke: what may invoke any is not known to call each."""
    own = one.arn.rpartition(":")[0] + ":"
    resources = [(r.removeprefix(own), s) for s in document if s.allow for r in s.resources if r.startswith(own)]
    named = {(own + rest.partition(":")[0], s) for rest, s in resources}
    return {arn for arn, s in named if not set(arn) & set("*?$") and _may_call((s,), arn)} - {one.arn}


def _may_call(document: Layer, arn: str) -> bool:
    return allowed(document, Region("lambda:InvokeFunction", arn, {})).truth is not Truth.FALSE
