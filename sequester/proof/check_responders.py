"""The checker of what answers alarms (E8): functions that may act, a rule that starts them again, pods ended."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import json
from collections.abc import Iterator
from typing import Any

from sequester.proof.check_calls import Call, decision, texts
from sequester.proof.check_reasons import Facts, Reason, Refusal, namespaces_of, role_of
from sequester.proof.check_services import function_of, log_group_arn, may, runs, trusted, written

_SECONDS, _MEBIBYTES, _SWEEP_MINUTES = 30, 256, 5
_ACTS = "acts: it has the time, the memory and the rights, and nothing that it calls is off"
# Of the code that is ours: the calls without which nothing is found, kept or cut off.
_CALLS = {
    "lambda_responder.outside.handler": (
        "cloudwatch:DescribeAlarms", "dynamodb:UpdateItem", "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:TerminateInstances", "iam:AttachRolePolicy", "lambda:InvokeFunction", "logs:FilterLogEvents",
        "s3:PutObject",
    ),
}  # fmt: skip
_ENDS = (("pods", "delete"),)
_QUARANTINES = {
    "lambda_responder.inside.handler": (("pods", "get"), ("pods", "patch"), ("pods", "delete"), ("nodes", "patch")),
}
_POLICIES = ("AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy")


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    for key in _acting(model):
        yield Reason(model["functions"][key]["name"], (_ACTS,))
    if _told(model):
        yield Reason("an alarm that stands", tuple(_again(model)))
    if model["clusters"] and _told(model):
        for namespace in namespaces_of(model):
            if role_of(selector, namespace):
                yield Reason(f"pods of {namespace}", tuple(_enders(model, namespace)))


def refusals(model: Facts) -> Iterator[Refusal]:
    for key in _acting(model):
        one, role = model["functions"][key], model["functions"][key]["role"]
        if one["timeout"] < _SECONDS or one["memory"] < _MEBIBYTES:
            yield f"{key} has {one['timeout']} s and {one['memory']} MiB, which is too little to act"
        if not trusted(model, role, "lambda.amazonaws.com"):
            yield f"{key} has a role that is not in the facts, or no function's"
        wanted = (*_CALLS.get(one["handler"], ()), *(["ec2:CreateNetworkInterface"] if one["in_vpc"] else ()))
        for action in wanted:
            if not may(model, role, action):
                yield f"{key} may not call {action}"
        for group in {f["log_group"] for f in model["watch"]["filters"]} if "logs:FilterLogEvents" in wanted else ():
            if not may(model, role, "logs:FilterLogEvents", f"{log_group_arn(model, group)}:*"):
                yield f"{key} may not read {group}"
        plain = [{"Statement": [each for each in written(model, role) if not each.get("Condition")]}]
        for name in _called(model, key):
            if model["functions"].get(name, {"concurrency": 0})["concurrency"] == 0:
                yield f"{key} calls {name}, which is not there, or may not run"
            if decision(plain, Call("lambda:InvokeFunction", name, model["account"], "", {})) == "Deny":
                yield f"{key} is to call {name}, and may not"


def _told(model: Facts) -> list[str]:
    """The functions that alarms tell, themselves or by a topic, and that may run."""
    actions = {action for alarm in model["watch"]["alarms"] for action in alarm["actions"]}
    those = (s for s in model["watch"]["subscriptions"] if s["protocol"] == "lambda" and s["topic"] in actions)
    told = actions | {s["endpoint"] for s in those}
    names = {function_of(arn) for arn in told}
    return [key for key, one in model["functions"].items() if key in names and one["concurrency"] != 0]


def _acting(model: Facts) -> list[str]:
    first = _told(model)
    helpers = sorted({name for key in first for name in _called(model, key)} - {*first})
    return [*first, *(key for key in helpers if key in model["functions"])]


def _called(model: Facts, key: str) -> set[str]:
    """Functions beside this one that its role is given to invoke, by name."""
    given = [one for one in written(model, model["functions"][key]["role"]) if one["Effect"] == "Allow"]
    invoking = [one for one in given if "lambda:InvokeFunction" in texts(one.get("Action"))]
    arns = {function_of(r) for one in invoking for r in texts(one.get("Resource"))}
    return {arn for arn in arns if arn.startswith(key.rpartition(":")[0]) and "*" not in arn} - {key}


def _again(model: Facts) -> Iterator[str]:
    """What is said of each rule that has one of those look again in time."""
    first = _told(model)
    for timer in model["watch"]["timers"]:
        key = runs(model, timer["function"], "events.amazonaws.com", timer["rule"])
        if key in first and timer["on"] and _is_often(timer["schedule"]):
            ours = model["functions"][key]["handler"] in _CALLS
            if not ours or json.loads(timer["said"] or "{}").get("sweep") is True:
                yield f"{timer['name']} has {model['functions'][key]['name']} look again"


def _is_often(schedule: str) -> bool:
    """Whether every stretch of minutes of an hour has a start in it."""
    kind, _, inside = schedule.rstrip(")").partition("(")
    words = inside.split()
    if kind == "rate" and len(words) == 2:
        return words[1].startswith("minute") and int(words[0]) <= _SWEEP_MINUTES
    if kind != "cron" or len(words) != 6 or {*words[1:]} - {"*", "?"}:
        return False
    starts = [any(_starts(part, minute) for part in words[0].split(",")) for minute in range(60)]
    return all(any(starts[(minute + i) % 60] for i in range(_SWEEP_MINUTES)) for minute in range(60))


def _starts(part: str, minute: int) -> bool:
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    low = 0 if first == "*" else int(first)
    high = int(last) if last else 59 if first == "*" or step else low
    return low <= minute <= high and (minute - low) % int(step or 1) == 0


def _enders(model: Facts, namespace: str) -> Iterator[str]:
    """What is said of each function that may end a namespace's pods."""
    for key in _acting(model):
        one = model["functions"][key]
        for entry in model["entries"]:
            network = (model["clusters"].get(entry["cluster"]) or {}).get("vpcConfig")
            if entry["principal"] != one["role"] or network is None:
                continue
            inside = one["in_vpc"] or str(network.get("endpointPublicAccess", True)).lower() != "false"
            by_aws = any(name in _POLICIES and (not n or namespace in n) for name, n in entry["policies"])
            wanted = _QUARANTINES.get(one["handler"], _ENDS)
            given = all(_rbac(model, entry["groups"], namespace, *each) for each in wanted)
            inside = inside and _reaches(model, one["name"], network)
            if inside and (by_aws or given):
                yield f"{one['name']} may end them"


def _reaches(model: Facts, name: str, network: Any) -> bool:
    """Whether a group of the function names one of the API server's, or addresses, for TCP 443."""
    place = next((p for p in model["places"].values() if p["kind"] == "function" and p["name"] == name), None)
    if not place or not model["groups"].keys() >= {*place["groups"]}:
        return True
    there, https = network.get("securityGroupIds") or (), 6 << 16 | 443
    out = [rule for key in place["groups"] for rule in model["groups"][key]["rules"] if rule["egress"]]
    ours = [rule["peer"] for rule in out if any(first <= https < last for first, last in rule["services"])]
    return any("low" in peer or peer["id"] in there for peer in ours)


def _rbac(model: Facts, groups: Any, namespace: str, what: str, verb: str) -> bool:
    """Whether a binding in the namespace, or of the whole cluster, gives one of the groups the verb; on nodes, this."""
    for one in model["manifests"]:
        home = one["metadata"].get("namespace") or ""
        bound = {s.get("name") for s in one.get("subjects") or () if s.get("kind") == "Group"} & {*groups}
        if not bound or (one["kind"], home) not in (("RoleBinding", namespace), ("ClusterRoleBinding", "")):
            continue
        if what == "nodes" and home:
            continue
        wanted = one["roleRef"]
        for role in model["manifests"]:
            place = role["metadata"].get("namespace") or "" if role.get("kind") == "Role" else namespace
            here = (role.get("kind"), role["metadata"].get("name"), place)
            if here == (wanted["kind"], wanted["name"], namespace) and any(
                _gives(rule, what, verb) for rule in role.get("rules") or ()
            ):
                return True
    return False


def _gives(rule: Any, what: str, verb: str) -> bool:
    asked = (("apiGroups", ""), ("resources", what), ("verbs", verb))
    return not rule.get("resourceNames") and all({one, "*"} & {*(rule.get(key) or ())} for key, one in asked)
