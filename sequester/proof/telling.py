"""Whether an alarm tells: its action is taken, a topic of ours carries it, a function runs, and may be called (E8)."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.let_in import hung_on, is_strange, key_refuses, lets
from sequester.proof.model import Alarm, Function, MetricFilter, Model
from sequester.proof.verdict import Hop, Witness

_LONGEST_PERIOD_SECONDS = 300
_MOST_DATAPOINTS = 3
_COUNTS_UP = frozenset({"GreaterThanOrEqualToThreshold", "GreaterThanThreshold"})
_SUMS = frozenset({"Sum", "SampleCount"})
_TELLS = "cloudwatch.amazonaws.com"
_INVOKE = "lambda:InvokeFunction"


def mute(model: Model, alarm: Alarm, most: int, counting: list[MetricFilter]) -> str:
    """Why an alarm does not tell of `most` records within one period; the empty text if it does."""
    if not alarm.enabled:
        return "has its actions disabled"
    if not heard(model, alarm):
        return f"tells nobody of this deployment ({', '.join(alarm.actions) or 'no action'})"
    if not any(_acts(model, alarm, action) for action in alarm.actions):
        return f"tells no function that acts: {_idle(model, alarm)}"
    if alarm.comparison not in _COUNTS_UP or alarm.statistic not in _SUMS:
        return f"compares otherwise ({alarm.statistic} {alarm.comparison})"
    least = alarm.threshold if alarm.threshold is not None else float("inf")
    if least > most or (least == most and alarm.comparison == "GreaterThanThreshold"):
        return f"waits for more than {most} ({alarm.comparison} {least:g})"
    if alarm.period > _LONGEST_PERIOD_SECONDS or alarm.datapoints > _MOST_DATAPOINTS:
        return f"looks at {alarm.datapoints} periods of {alarm.period} s"
    fed = [f for f in counting if f.metric in alarm.metrics]
    if not any({name for name, _ in alarm.dimensions} == {*f.dimensions} for f in fed):
        return "looks at other dimensions"
    if alarm.unit and alarm.unit not in {f.unit for f in fed}:
        return f"looks at records in {alarm.unit} only"
    return ""


def heard(model: Model, alarm: Alarm) -> bool:
    """Whether an action of it is a topic or a function of this deployment."""
    return any(action in model.watch.topics or called(model, action) for action in alarm.actions)


def called(model: Model, arn: str) -> Function | None:
    """The function that an ARN names, by itself or by a version or alias that there is."""
    name, _, qualifier = arn.partition(":function:")[2].partition(":")
    one = model.functions.get(arn.removesuffix(f":{qualifier}") if qualifier else arn)
    known = not qualifier or qualifier == "$LATEST" or qualifier.isdigit() or (one and qualifier in one.aliases)
    return one if name and known else None


def _acts(model: Model, alarm: Alarm, action: str) -> bool:
    """Whether a function runs when an alarm takes this action: told by the topic or by itself, let in, able to run."""
    if ":function:" in action:
        return runs(model, action, "lambda.alarms.cloudwatch.amazonaws.com", alarm.arn)
    return any(
        one.topic == action
        and one.protocol == "lambda"
        and not one.filtered
        and runs(model, one.endpoint, "sns.amazonaws.com", action)
        for one in model.watch.subscriptions
    )


def runs(model: Model, arn: str, service: str, source: str) -> bool:
    """Whether a service may make a function run for a source (by its ARN), and it may run at all."""
    one = called(model, arn)
    if one is None or one.concurrency == 0:
        return False
    qualifier = arn.removeprefix(one.arn)
    names = {f"{name}{qualifier}" for name in (one.arn, one.name, one.arn.rpartition(":function:")[2])}
    said = {"aws:sourceaccount": model.account, "aws:sourcearn": source}
    return lets(hung_on(model, *names), service, _INVOKE, arn, said)


def _idle(model: Model, alarm: Alarm) -> str:
    told = [one for one in model.watch.subscriptions if one.topic in alarm.actions]
    functions = [one.endpoint for one in told if one.protocol == "lambda"]
    if not functions:
        return f"{', '.join(one.protocol for one in told) or 'nobody'} is subscribed to its topic"
    if all(one.filtered for one in told if one.protocol == "lambda"):
        return f"its subscription tells {functions[0]} of some messages only: it has a filter policy"
    return f"{functions[0]} is not there, may not run, or does not let the topic in"


def topics(model: Model) -> Iterator[Finding]:
    """Alarms can publish: the topic's policy and its key let CloudWatch. A topic without a policy is its owner's."""
    for arn, key in model.watch.topics.items():
        of = [alarm for alarm in model.watch.alarms if arn in alarm.actions]
        if not of:
            continue
        said = [{"aws:sourceaccount": model.account, "aws:sourcearn": alarm.arn} for alarm in of]
        own = hung_on(model, arn)
        secure = [{**one, "aws:securetransport": "true", "aws:sourceowner": model.account} for one in said]
        published = not own or all(lets(own, _TELLS, "sns:Publish", arn, one) for one in secure)
        if is_strange(model, key):
            yield f"{arn} is under the key {key}, which is not in the facts"
            continue
        uses = ("kms:Decrypt", "kms:GenerateDataKey")
        refused = (key_refuses(model, key, _TELLS, uses, one) for one in said) if key else ()
        how = next(filter(None, refused), "") if published else "its policy does not let CloudWatch publish"
        if how:
            yield Witness(f"no alarm reaches {arn}", (Hop(arn, how),), f"let {_TELLS} use {arn} and its key")
        else:
            yield Obligation(arn, "CloudWatch may publish to it")
