"""The checker of doors (E7): invocations from everywhere, and what a door keeps."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import json
from collections.abc import Iterator
from typing import Any

from sequester.proof.check_calls import Call, decision
from sequester.proof.check_reasons import Facts, Reason, Refusal


def reasons(model: Facts, _selector: Facts) -> Iterator[Reason]:
    for one in model["functions"].values():
        if not one["door"]:
            continue
        name = one["arn"].rpartition(":function:")[2]
        for target in (name, *(f"{name}:{alias}" for alias in one["aliases"])):
            yield Reason(target, ("its resource policy denies every call but one agent's through our endpoint",))
        told = dict(one["environment"])
        settings = json.loads(dict(model["buckets"][told["DOOR_CONFIG_BUCKET"]]["objects"])[told["DOOR_CONFIG_KEY"]])
        allow, records = len(settings.get("allow") or ()), told["DOOR_AUDIT_BUCKET"]
        hosts = f"its settings allow {allow} rules, each for hosts below a name of somebody's own"
        yield Reason(one["name"], (hosts,))
        yield Reason(one["name"], (f"its records in {records} are written once, versioned and locked",))
    for arn in {arn for one in _associations(model) for key in ("role", "targetRole") if (arn := one.get(key))}:
        yield Reason(model["identities"][arn]["name"], ("may invoke one door at most, and change none",))


def _associations(model: Facts) -> Iterator[Any]:
    for cluster in model["clusters"].values():
        yield from cluster.get("podIdentities") or ()


def refusals(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    ours = model["account"]
    vpces = [e["id"] for e in model["endpoints"] if e["service"] == "lambda"]
    agents = [p["role"] for p in _associations(model)]
    for one in model["functions"].values():
        if not one["door"]:
            continue
        if one["concurrency"] is None or one["in_vpc"] or one["url"]:
            yield f"{one['name']} takes calls without bound, by URL, or is in a VPC"
        if one["stale"] or one["routed"]:
            yield f"{one['name']} has an alias of another version"
        for binding in model["bindings"]:
            if one["arn"].rpartition(":")[2] in binding["function"].split(":"):
                yield f"{one['name']} runs by {binding['kind']}"
        records = model["buckets"].get(dict(one["environment"]).get("DOOR_AUDIT_BUCKET"))
        if not records or not records["versioned"] or not records["locked"]:
            yield f"{one['name']} keeps no locked records"
        for target in (one["arn"], *(f"{one['arn']}:{alias}" for alias in one["aliases"])):
            name = target.rpartition(":function:")[2]
            hung = [p["document"] for p in model["resource_policies"] if p["resource"] in (target, name)]
            passing: list[str] = []
            for vpce in (None, "vpce-0somebody-elses", *vpces):
                for arn in (*agents, f"arn:aws:iam::{ours}:role/somebody-else"):
                    context = {"aws:PrincipalAccount": ours, "aws:PrincipalArn": arn}
                    context |= {"aws:SourceVpce": vpce} if vpce else {}
                    if decision(hung, Call("lambda:InvokeFunction", target, ours, arn, context)) != "Deny":
                        passing.append(arn if vpce in vpces else f"{arn} from elsewhere")
            if len(set(passing)) > 1 or any(p not in agents for p in passing):
                yield f"{name} does not deny {', '.join(sorted(set(passing))[:3])}"
