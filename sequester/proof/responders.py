"""Whether what alarms tell can act: the functions that it calls may run, and the rules that start it are on (E8)."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.iam.condition import Truth
from sequester.proof.iam.document import statements
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
        if off:
            yield Witness(
                f"{one.name} is told of attempts, and cannot act as it is meant to",
                (Hop(one.name, off),),
                "let it run: enable the rule, and reserve one call at least",
            )
        else:
            yield Obligation(one.name, "acts: no function that it calls, and no rule that starts it, is off")


def _off(model: Model, one: Function) -> Iterator[str]:
    for other in model.functions.values():
        if other.concurrency == 0 and _calls(model, one, other):
            yield f"calls {other.name}, whose reservedConcurrentExecutions is 0"
    for timer in model.watch.timers:
        if not timer.on and _is(one, timer.function):
            yield f"is started by {timer.name}, whose rule is disabled"


def _is(one: Function, arn: str) -> bool:
    return arn == one.arn or arn.startswith(f"{one.arn}:")


def _calls(model: Model, one: Function, other: Function) -> bool:
    """Whether a function's role names another one to invoke: what may invoke any is not known to call each."""
    role = model.identities.get(one.role)
    document = [s for name, raw in role.policies for s in statements(raw, name)] if role else []
    named = any(_is(other, resource) for s in document for resource in s.resources)
    return named and allowed(document, Region("lambda:InvokeFunction", other.arn, {})).truth is not Truth.FALSE
