"""The checker of endpoints (E3): calls by us, by a stranger and by nobody, for every statement."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import ipaddress
from collections.abc import Iterator
from typing import Any

from sequester.proof.check_calls import Call, decision, texts
from sequester.proof.check_reasons import FOREIGN, Facts, Reason, Refusal, ceilings, statements

_LAYERS = "-starport-layer-bucket/"


_OURS = "our callers only, and resources of this account, or none"
# What every resource of a statement says → the reviewed exception that it may be.
_EXCEPTIONS = {
    _LAYERS: "reviewed exception: reads of ECR's layer bucket, presigned by ECR",
    ":repository/": "reviewed exception: reads of EKS's add-on images",
    "::foundation-model/": "reviewed exception: calls of AWS's own models",
}


def reasons(model: Facts, _selector: Facts) -> Iterator[Reason]:
    for endpoint in model["endpoints"]:
        for i, one in enumerate(statements(endpoint["policy"]) if endpoint["policy"] else ()):
            name = f"{endpoint['name']}: {endpoint['name']}[{i}]"
            resources = texts(one.get("Resource"))
            reviewed = (why for mark, why in _EXCEPTIONS.items() if resources and all(mark in r for r in resources))
            holds = (_OURS, *reviewed) if one["Effect"] == "Allow" else ("only denies",)
            yield Reason(f"{name} {one['Sid']}" if one.get("Sid") else name, holds)
    if not model["endpoints"]:
        yield Reason("endpoints", ("there is none",))


def _instance(pattern: str, account: str) -> str:
    """A text that a pattern matches; an account that it leaves open is the one given."""
    fields = pattern.split(":", 5)
    if len(fields) == 6 and fields[2] != "s3":
        fields[4] = account if set(fields[4]) & set("*?") else fields[4]
        pattern = ":".join(fields)
    elif pattern == "*":
        return f"arn:aws:x:x:{account}:x"
    return pattern.replace("*", "x").replace("?", "x")


def refusals(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    """For each Allow: our callers on a foreign resource, and foreign callers or none on any."""
    for endpoint in model["endpoints"]:
        if not endpoint["policy"]:
            yield f"{endpoint['name']} has no policy"
            continue
        for one in statements(endpoint["policy"]):
            if one["Effect"] != "Allow":
                continue
            for action in _carried(endpoint["service"], texts(one.get("Action")) or ["*"]):
                for pattern in texts(one.get("Resource")) or ["*"]:
                    yield from _asked_of(model, endpoint, action.replace("*", "X"), pattern)


def _carried(service: str, actions: list[str]) -> Iterator[str]:
    """The actions that an endpoint carries: those of its own service (CloudWatch's endpoint has another name)."""
    for action in actions:
        prefix = action.partition(":")[0].lower()
        if action == "*" or "*" in prefix:
            yield f"{service.partition('.')[0]}:Anything"
        elif service.startswith(prefix) or service == "monitoring":
            yield action


def _asked_of(model: Facts, endpoint: Any, action: str, pattern: str) -> Iterator[Refusal]:
    ours = model["account"]
    cidrs = [c for c in (model["vpcs"].get(endpoint["vpc"]) or {}).get("cidrs", ()) if c["axis"] == "4"]
    inside = {"aws:VpcSourceIp": str(ipaddress.IPv4Address(cidrs[0]["low"] + 10))} if cidrs else {}
    if _LAYERS in pattern or action == "sts:AssumeRoleWithWebIdentity":
        return  # the reviewed exceptions: nobody signs these
    for owner in (ours, FOREIGN):
        resource = _instance(pattern, owner)
        named = resource.split(":")[4] if resource.count(":") > 4 else ""
        whose = named or owner
        for caller in (ours, FOREIGN, None):
            if caller == ours and (whose == ours or named not in ("", FOREIGN)):
                continue  # our callers may use what is ours, and AWS's own accounts by name (reviewed)
            context = {"aws:ResourceAccount": whose, "aws:SourceVpce": endpoint["id"], "aws:SourceVpc": endpoint["vpc"],
                       "aws:SecureTransport": "true", "aws:CurrentTime": "2026-06-01T00:00:00Z"} | inside  # fmt: skip
            if caller:
                context |= {"aws:PrincipalAccount": caller, "aws:PrincipalArn": f"arn:aws:iam::{caller}:role/x"}
            call = Call(action, resource, caller, f"arn:aws:iam::{caller}:role/x", context)
            takes_none = pattern == "*" and caller == ours
            kind = "service" if caller == ours else "resource" if whose == ours else ""
            levels = [[endpoint["policy"]], *ceilings(model, kind, action)]
            if not takes_none and all(decision(level, call) == "Allow" for level in levels):
                yield f"{endpoint['name']}: {action} on {resource} by {caller or 'nobody'} passes"
