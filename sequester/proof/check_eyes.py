"""The checker of eyes (E8): each sensor is complete, counted, and alarmed on to a topic of the deployment."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

from collections.abc import Iterator
from typing import Any

from sequester.proof.check_calls import Call, decision, texts
from sequester.proof.check_reasons import Facts, Reason, Refusal, namespaces_of, role_of, sandboxes_of, statements

# Kind of sensor → what it alone sees; where it matters, that it falls silent, too.
_FLOW = "node: packet denied by SG/NACL"
_ATTEMPTS = {
    "flow log": (f"{_FLOW} (tcp)", f"{_FLOW} (udp)", f"{_FLOW} (icmp)", f"{_FLOW} (IPv6)", "it stops"),
    "Resolver log": ("node: DNS to the VPC resolver", "node: DNS that no firewall rule matched", "it stops"),
    "NP agent log": ("pod: packet denied by NetworkPolicy",),
    "K8s audit": ("API: forbidden request with a node's identity", "API: a network policy is removed", "it stops"),
}
_OF_NAMESPACES = (
    "API: request of system:serviceaccount:{0}:{1} forbidden", "API: request to {0} rejected", "API: exec in {0}",
)  # fmt: skip
_OF_DOORS = (
    "denied fetch", "fetch that only an attack makes", "secret on its way out", "budget spent",
    "a request that cannot be recorded",
)  # fmt: skip
_OF_SUPERVISORS = (
    "connect or send denied by the filter", "another denied system call", "the supervisor attacked", "process storm",
    "memory spike",
)  # fmt: skip


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    watch = model["watch"]
    told = _Told(watch)
    for sensor in watch["sensors"]:
        for attempt in _attempts(model, selector, sensor) if sensor["complete"] else ():
            told_by = told.of_silence(sensor["sink"]) if attempt == "it stops" else told.of(sensor["sink"])
            yield Reason(f"{sensor['name']}: {attempt}", told_by)
    for one in model["functions"].values():
        for attempt in _OF_DOORS if one["door"] else ():
            yield Reason(f"{one['name']}: door {one['name']}: {attempt}", told.of(one["log_group"]))
    sandboxes = sandboxes_of(model, selector)
    sink = min((f["log_group"] for f in watch["filters"] if "namespace_name" in f["pattern"]), default="")
    for namespace in sandboxes:
        for attempt in _OF_SUPERVISORS:
            yield Reason(f"supervisor of {namespace}: pod of {namespace}: {attempt}", told.of(sink))
    ships = [one["name"] for one in watch["shippers"] if one["complete"] and one["sink"] == sink]
    for name in ships[:1] if sandboxes else ():
        yield Reason(name, (f"ships what sandboxes' supervisors say to {sink}",))
    for key in _responders(model):
        one = model["functions"][key]
        if one["concurrency"] != 0:
            yield Reason(one["name"], ("acts: no function that it calls, and no rule that starts it, is off",))
    for topic in {action for alarm in watch["alarms"] for action in alarm["actions"]} & {*watch["topics"]}:
        yield Reason(topic, ("CloudWatch may publish to it",))


def _responders(model: Facts) -> Iterator[str]:
    """The functions that alarms tell, themselves or by a topic."""
    actions = {action for alarm in model["watch"]["alarms"] for action in alarm["actions"]}
    those = (s for s in model["watch"]["subscriptions"] if s["protocol"] == "lambda" and s["topic"] in actions)
    told = actions | {s["endpoint"] for s in those}
    names = {":".join(arn.split(":")[:7]) for arn in told}
    yield from (key for key in model["functions"] if key in names)


def _written(model: Facts, key: str) -> list[Any]:
    """The statements of a function's role."""
    role = model["identities"].get(model["functions"][key]["role"])
    return [one for _, document in role["policies"] for one in statements(document)] if role else []


def _called(model: Facts, key: str) -> set[str]:
    """Functions beside this one that its role is given to invoke, by name."""
    given = [one for one in _written(model, key) if one["Effect"] == "Allow"]
    invoking = [one for one in given if "lambda:InvokeFunction" in texts(one.get("Action"))]
    arns = {":".join(r.split(":")[:7]) for one in invoking for r in texts(one.get("Resource"))}
    return {arn for arn in arns if arn.startswith(key.rpartition(":")[0]) and "*" not in arn} - {key}


def _attempts(model: Facts, selector: Facts, sensor: Any) -> Iterator[str]:
    yield from _ATTEMPTS.get(sensor["kind"], ())
    if sensor["kind"] == "CloudTrail VPCE":
        for source in sensor["scope"].split(","):
            yield f"endpoint of {source}: call denied by its policy"
    if sensor["kind"] == "K8s audit":
        for namespace in namespaces_of(model):
            role = role_of(selector, namespace)
            yield from (attempt.format(namespace, role) for attempt in _OF_NAMESPACES if role)


class _Told:
    """Which alarms there are on what is counted of a log group: each is a way to say that it tells."""

    def __init__(self, watch: Facts) -> None:
        self._of_metric: dict[tuple[str, ...], set[str]] = {}
        self._of_silence: dict[str, set[str]] = {}
        for alarm in watch["alarms"]:
            if alarm["enabled"]:
                for metric in map(tuple, alarm["metrics"]):
                    self._of_metric.setdefault(metric, set()).add(alarm["name"])
                    for key, value in alarm["dimensions"] if metric == ("AWS/Logs", "IncomingLogEvents") else ():
                        self._of_silence.setdefault(value if key == "LogGroupName" else "", set()).add(alarm["name"])
        self._counted: dict[str, set[tuple[str, ...]]] = {}
        for one in watch["filters"]:
            self._counted.setdefault(one["log_group"], set()).add(tuple(one["metric"]))

    def of(self, sink: str) -> tuple[str, ...]:
        metrics = self._counted.get(sink, ())
        return tuple(f"{name} tells" for metric in metrics for name in self._of_metric.get(metric, ()))

    def of_silence(self, sink: str) -> tuple[str, ...]:
        return tuple(f"{name} tells" for name in self._of_silence.get(sink, ()))


def refusals(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    watch = model["watch"]
    metrics = {tuple(f["metric"]) for f in watch["filters"]}
    told = {
        tuple(m)
        for a in watch["alarms"]
        if a["enabled"] and set(a["actions"]) & set(watch["topics"])
        for m in a["metrics"]
    }
    for sensor in watch["sensors"]:
        here = {tuple(f["metric"]) for f in watch["filters"] if f["log_group"] == sensor["sink"]}
        if not sensor["complete"] or not here & told:
            yield f"{sensor['name']} is not complete, or nobody is told of what it sees"
    for key in _responders(model):
        plain = [{"Statement": [one for one in _written(model, key) if not one.get("Condition")]}]
        for name in _called(model, key):
            if model["functions"].get(name, {"concurrency": 0})["concurrency"] == 0:
                yield f"{key} calls {name}, which is not there, or may not run"
            if decision(plain, Call("lambda:InvokeFunction", name, model["account"], "", {})) == "Deny":
                yield f"{key} is to call {name}, and may not"
        for timer in watch["timers"]:
            if not timer["on"] and (timer["function"] + ":").startswith(key + ":"):
                yield f"{key} is started by {timer['name']}, which is off"
    if not metrics:
        yield "nothing is counted"
