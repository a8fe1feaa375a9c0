"""Whether what alarms tell can act: it may run long enough, may call what it names, and is started again (E8)."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.grants import written
from sequester.proof.iam.condition import Truth
from sequester.proof.iam.evaluation import Layer
from sequester.proof.iam.request import Region, allowed
from sequester.proof.let_in import log_group_arn, may, trusts
from sequester.proof.model import Function, Identity, Model, Timer
from sequester.proof.reviewed import RESPONDER_NEEDS, RESPONDER_READS, SWEPT
from sequester.proof.telling import called, runs
from sequester.proof.verdict import Hop, Witness

_INVOKE = "lambda:InvokeFunction"
_LONGEST_SWEEP_SECONDS = 300
# Three requests of ten seconds to an API server, and what loads AWS's SDK before.
_LEAST_SECONDS, _LEAST_MEBIBYTES = 30, 256
_HOUR, _DAY = 3600, 86400
_UNITS = {"minute": 60, "hour": _HOUR, "day": _DAY}


def told(model: Model) -> list[Function]:
    """The functions that alarms tell, themselves or by a topic, and that may run at all."""
    actions = {a for alarm in model.watch.alarms for a in alarm.actions}
    arns = actions | {s.endpoint for s in model.watch.subscriptions if s.protocol == "lambda" and s.topic in actions}
    found = {one.arn for arn in arns if (one := called(model, arn))}
    return [one for one in model.functions.values() if one.arn in found and one.concurrency != 0]


def acting(model: Model) -> list[Function]:
    """Those, and the functions that their roles name to invoke."""
    first = told(model)
    helpers = {arn for one in first for arn in named(model, one)}
    return [
        *first,
        *(model.functions[arn] for arn in sorted(helpers - {f.arn for f in first}) if arn in model.functions),
    ]


def responders(model: Model) -> Iterator[Finding]:
    """Of each: nothing keeps it from acting. That one of the first may not run at all is told elsewhere."""
    for one in acting(model):
        role = model.identities.get(one.role)
        if role is None:
            yield f"{one.name} acts with {one.role or 'no role'}, which is not in the facts"
            continue
        off = next(chain(_off(model, one), _refused(model, one, role)), None)
        unseen = next((arn for arn in named(model, one) if arn not in model.functions), None)
        if off:
            yield Witness(
                f"{one.name} is to act on attempts, and cannot act as it is meant to",
                (Hop(one.name, off),),
                "let it run: enable the rule, let its role call, and reserve one call at least",
            )
        elif unseen:
            yield f"{one.name} is told of attempts and calls {unseen}, which is not among the facts"
        elif one.timeout < _LEAST_SECONDS or one.memory < _LEAST_MEBIBYTES:
            least = f"{_LEAST_SECONDS} s with {_LEAST_MEBIBYTES} MiB"
            yield f"{one.name} may run for {one.timeout} s with {one.memory} MiB: to act on attempts takes {least}"
        else:
            yield Obligation(
                one.name, "acts: it has the time, the memory and the rights, and nothing that it calls is off"
            )


def swept(model: Model) -> Iterator[Finding]:
    """CloudWatch tells of a change only: while an alarm stands, a rule must have somebody look again."""
    first = told(model)
    if not first:
        return
    why = "no rule of EventBridge starts it"
    for one in first:
        for timer in model.watch.timers:
            if called(model, timer.function) == one:
                late = _late(model, one, timer)
                if not late:
                    yield Obligation("an alarm that stands", f"{timer.name} has {one.name} look again")
                    return
                why = late
    yield Witness(
        f"while an alarm stands, nobody looks again: {first[0].name} is told of changes only",
        (Hop(first[0].name, why),),
        f"start {first[0].name} by a rule at least every {_LONGEST_SWEEP_SECONDS} s, and let events.amazonaws.com in",
        absent=True,
    )


def _late(model: Model, one: Function, timer: Timer) -> str:
    every = seconds_between(timer.schedule)
    if not timer.on:
        return f"is started by {timer.name}, whose rule is disabled"
    if every is None or every > _LONGEST_SWEEP_SECONDS:
        return f"is started by {timer.name} {timer.schedule or 'on events'}: not every {_LONGEST_SWEEP_SECONDS} s"
    if not runs(model, timer.function, "events.amazonaws.com", timer.rule):
        return f"does not let {timer.rule} start it"
    wanted = SWEPT.get(one.handler)
    return f"is told {timer.said or 'nothing'} by {timer.name}, not {wanted}" if not _says(timer.said, wanted) else ""


def _says(said: str, wanted: str | None) -> bool:
    try:
        return wanted is None or json.loads(said) == json.loads(wanted)
    except ValueError:
        return False


def seconds_between(schedule: str) -> int | None:
    """The longest time between two starts; None where it is no schedule, or one of more than an hour by a table.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
    """
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if rate:
        return int(rate[1]) * _UNITS[rate[2]]
    cron = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", schedule)
    if not cron or any(field not in ("*", "?") for field in cron.groups()[1:]):
        return None
    minutes = sorted({minute for part in cron[1].split(",") for minute in _minutes(part)})
    if not minutes:
        return None
    return 60 * max(after - before for before, after in zip(minutes, (*minutes[1:], minutes[0] + 60), strict=True))


def _minutes(part: str) -> Iterable[int]:
    found = re.fullmatch(r"(\*|\d+)(?:-(\d+))?(?:/(\d+))?", part)
    if not found:
        return ()
    first = 0 if found[1] == "*" else int(found[1])
    last = int(found[2]) if found[2] else 59 if found[1] == "*" or found[3] else first
    return range(first, min(last, 59) + 1, max(int(found[3] or 1), 1))


def _off(model: Model, one: Function) -> Iterator[str]:
    for arn in named(model, one):
        if not _may_call(_document(model, one), arn):
            yield f"is to call {arn}, and its role may not"
        elif arn in model.functions and model.functions[arn].concurrency == 0:
            yield f"calls {model.functions[arn].name}, whose reservedConcurrentExecutions is 0"
    if one.concurrency == 0:
        yield "may not run: its reservedConcurrentExecutions is 0"


def _refused(model: Model, one: Function, role: Identity) -> Iterator[str]:
    """What its role must be able to do: be a function's, attach it to a VPC, and what its code is known to ask."""
    if not trusts(role, "lambda.amazonaws.com", {"aws:sourceaccount": model.account, "aws:sourcearn": one.arn}):
        yield f"has the role {role.name}, which does not trust lambda.amazonaws.com"
    if not any(s.allow for s in written(role)):
        yield f"has the role {role.name}, which allows nothing"
    if one.in_vpc and not may(model, role, "ec2:CreateNetworkInterface"):
        yield f"is in a VPC, and {role.name} may not attach it there (ec2:CreateNetworkInterface)"
    for action in RESPONDER_NEEDS.get(one.handler, ()):
        if not may(model, role, action):
            yield f"needs {action}, and {role.name} may not"
    action = RESPONDER_READS.get(one.handler)
    for group in sorted({f.log_group for f in model.watch.filters}) if action else ():
        if not may(model, role, action or "", f"{log_group_arn(model, group)}*"):
            yield f"needs {action} of {group}, and {role.name} may not"


def _document(model: Model, one: Function) -> Layer:
    role = model.identities.get(one.role)
    return written(role) if role else ()


def named(model: Model, one: Function) -> list[str]:
    """ARNs of the functions that its role names to invoke: what may invoke any is not known to call each."""
    own, document = one.arn.rpartition(":")[0] + ":", _document(model, one)
    resources = [(r.removeprefix(own), s) for s in document if s.allow for r in s.resources if r.startswith(own)]
    every = {(own + rest.partition(":")[0], s) for rest, s in resources}
    return sorted({arn for arn, s in every if not set(arn) & set("*?$") and _may_call((s,), arn)} - {one.arn})


def _may_call(document: Layer, arn: str) -> bool:
    return allowed(document, Region(_INVOKE, arn, {})).truth is not Truth.FALSE
