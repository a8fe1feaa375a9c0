"""The checker of eyes (E8): each line that an attempt leaves is counted, and an alarm on that count tells somebody.

Which alarm tells of which attempt it finds by its own lines (check_records.py) and its own reading of patterns
(check_filters.py): a reason that names another is refused. Who answers alarms: check_responders.py.
"""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

from collections.abc import Iterator
from typing import Any

from sequester.proof import check_responders
from sequester.proof.check_calls import Call
from sequester.proof.check_filters import counts
from sequester.proof.check_reasons import Facts, Reason, Refusal, sandboxes_of
from sequester.proof.check_records import Left, left, of_door, of_supervisor
from sequester.proof.check_services import hung_on, lets, log_group_arn, may, runs, trusted

_HEARTBEATS = ("flow log", "Resolver log", "K8s audit")
_SERVICES = {"flow log": "vpc-flow-logs.amazonaws.com", "CloudTrail VPCE": "cloudtrail.amazonaws.com"}
_SECURE = {"aws:SecureTransport": "true"}
_TELLS = "cloudwatch.amazonaws.com"
_SILENCE = ["AWS/Logs", "IncomingLogEvents"]


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    watch = model["watch"]
    telling = _Telling(model)
    for sensor in watch["sensors"]:
        if sensor["complete"]:
            yield from (telling.reason(sensor["name"], sensor["sink"], one) for one in left(model, selector, sensor))
            if sensor["kind"] in _HEARTBEATS:
                yield Reason(f"{sensor['name']}: it stops", telling.of_silence(sensor["sink"]))
    for one in model["functions"].values():
        for each in of_door(one["name"]) if one["door"] else ():
            yield telling.reason(one["name"], one["log_group"], each)
    sandboxes = sandboxes_of(model, selector)
    sink = _containers(watch)
    for namespace in sandboxes:
        for each in of_supervisor(namespace):
            yield telling.reason(f"supervisor of {namespace}", sink, each)
    ships = [one["name"] for one in watch["shippers"] if one["complete"] and one["sink"] == sink]
    for name in ships[:1] if sandboxes else ():
        yield Reason(name, (f"ships what sandboxes' supervisors say to {sink}",))
    yield from check_responders.reasons(model, selector)
    for topic in {action for alarm in watch["alarms"] for action in alarm["actions"]} & {*watch["topics"]}:
        yield Reason(topic, ("CloudWatch may publish to it",))


def _containers(watch: Facts) -> str:
    return min((f["log_group"] for f in watch["filters"] if "namespace_name" in f["pattern"]), default="")


class _Telling:
    """Which alarms tell of a line in a log group: by the filters that count it, and by what they wait for."""

    def __init__(self, model: Facts) -> None:
        watch = model["watch"]
        self._filters: dict[str, list[Any]] = {}
        for one in watch["filters"]:
            self._filters.setdefault(one["log_group"], []).append(one)
        self._on: dict[tuple[str, ...], list[Any]] = {}
        for alarm in watch["alarms"]:
            if alarm["enabled"] and any(_answered(model, action, alarm["arn"]) for action in alarm["actions"]):
                for metric in alarm["metrics"]:
                    self._on.setdefault(tuple(metric), []).append(alarm)
        self._silent = [a for a in watch["alarms"] if a["enabled"] and list(map(list, a["metrics"])) == [_SILENCE]]

    def reason(self, name: str, sink: str, one: Left) -> Reason:
        told = {alarm["name"] for alarm in self._of(sink, one)}
        return Reason(f"{name}: {one.attempt}", tuple(f"{each} tells" for each in sorted(told)))

    def _of(self, sink: str, one: Left) -> Iterator[Any]:
        for each in self._filters.get(sink, ()):
            on = self._on.get(tuple(each["metric"]), ())
            if on and _is_one(each["value"]) and counts(each["pattern"], one.line):
                yield from (alarm for alarm in on if _wakes(alarm, each, one.most))

    def of_silence(self, sink: str) -> tuple[str, ...]:
        return tuple(
            f"{one['name']} tells"
            for one in self._silent
            if ["LogGroupName", sink] in list(map(list, one["dimensions"]))
            and one["comparison"].startswith("LessThan")
            and one["missing"] == "breaching"
            and one["period"] * one["datapoints"] <= 3600
        )


def _is_one(value: str) -> bool:
    return value.replace(".", "", 1).isdigit() and float(value) >= 1


def _wakes(alarm: Any, counted: Any, most: int) -> bool:
    """Whether so many counts within a period set an alarm off, within a few minutes."""
    if alarm["threshold"] is None or alarm["statistic"] not in ("Sum", "SampleCount"):
        return False
    enough = {
        "GreaterThanOrEqualToThreshold": most >= alarm["threshold"],
        "GreaterThanThreshold": most > alarm["threshold"],
    }.get(alarm["comparison"], False)
    soon = alarm["period"] <= 300 and alarm["datapoints"] <= 3
    same = {key for key, _ in alarm["dimensions"]} == {*counted["dimensions"]}
    return enough and soon and same and alarm["unit"] in ("", counted["unit"])


def _answered(model: Facts, action: str, alarm: str) -> bool:
    """Whether a function runs when an alarm takes an action."""
    if action not in model["watch"]["topics"]:
        return bool(runs(model, action, "lambda.alarms.cloudwatch.amazonaws.com", alarm))
    return any(
        one["topic"] == action
        and one["protocol"] == "lambda"
        and not one["filtered"]
        and runs(model, one["endpoint"], "sns.amazonaws.com", action)
        for one in model["watch"]["subscriptions"]
    )


def refusals(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    watch = model["watch"]
    if not watch["filters"]:
        yield "nothing is counted"
    for sensor in (*watch["sensors"], *watch["shippers"]):
        yield from _arrives(model, sensor) if sensor["complete"] else ()
    for one in model["functions"].values():
        if one["door"] and one["drops"]:
            yield f"{one['name']} drops lines below {one['drops']}"
        own = {"name": one["name"], "kind": "door audit", "sink": one["log_group"], "roles": [one["role"]]}
        yield from _arrives(model, own) if one["door"] else ()
    seen = {(one["kind"], one["scope"]) for one in watch["sensors"] if one["complete"]}
    for vpc in {model["subnets"][s]["vpc"] for p in model["places"].values() if p["role"] for s in p["subnets"]}:
        if not {("flow log", vpc), ("Resolver log", vpc)} <= seen:
            yield f"{vpc} has nodes, and no flow log or no log of its resolver"
    for kind in ("flow log", "Resolver log", "K8s audit", "NP agent log", "CloudTrail VPCE"):
        if not any(one["kind"] == kind and one["complete"] for one in watch["sensors"]):
            yield f"there is no {kind} that is complete"
    told = {action for alarm in watch["alarms"] for action in alarm["actions"]}
    for topic in {*watch["topics"]} & told:
        context = {"aws:SourceAccount": model["account"], "aws:SourceOwner": model["account"], **_SECURE}
        for alarm in watch["alarms"] if hung_on(model, topic) else ():
            call = Call("sns:Publish", topic, None, "", {**context, "aws:SourceArn": alarm["arn"]})
            if topic in alarm["actions"] and not lets(hung_on(model, topic), _TELLS, call):
                yield f"{topic} does not let CloudWatch publish for {alarm['name']}"
        key = watch["topics"][topic]
        if key and not _uses(model, key, _TELLS, "kms:GenerateDataKey", _teller(watch, topic)):
            yield f"{topic} is under {key}, which CloudWatch cannot use"
    yield from check_responders.refusals(model)


def _teller(watch: Facts, topic: str) -> str:
    return next((alarm["arn"] for alarm in watch["alarms"] if topic in alarm["actions"]), "")


def _arrives(model: Facts, sensor: Any) -> Iterator[Refusal]:
    """Its records: into a log group of the right class, under a key that works, by roles that may write."""
    sink = sensor["sink"]
    group = model["watch"]["groups"].get(sink)
    if not group or group["klass"] not in ("", "STANDARD") or group["masked"]:
        yield f"{sensor['name']}: {sink} is not in the facts, or not one that filters read as it is written"
        return
    arn = log_group_arn(model, sink)
    service = f"logs.{model['region']}.amazonaws.com"
    if group["key"] and not _uses(model, group["key"], service, "kms:GenerateDataKey", arn):
        yield f"{sensor['name']}: {sink} is under {group['key']}, which CloudWatch Logs cannot use"
    for role in sensor["roles"]:
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not may(model, role, action, f"{arn}:*"):
                yield f"{sensor['name']}: {role} may not write to {sink}"
        if sensor["kind"] in _SERVICES and not trusted(model, role, _SERVICES[sensor["kind"]]):
            yield f"{sensor['name']}: {role} does not trust {_SERVICES[sensor['kind']]}"


def _uses(model: Facts, key: str, service: str, action: str, source: str) -> bool:
    context = {"aws:SourceAccount": model["account"], "aws:SourceArn": source}
    call = Call(action, key, None, "", {**context, "kms:EncryptionContext:aws:logs:arn": source})
    return model["watch"]["keys"].get(key, False) and lets(hung_on(model, key), service, call)
