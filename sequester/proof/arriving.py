"""Whether the records of a sensor arrive where filters read them: log group, key, writers and their endpoint (E8)."""

from collections.abc import Iterator
from itertools import chain

from sequester.proof.decide import Finding
from sequester.proof.iam.condition import Truth
from sequester.proof.iam.document import statements
from sequester.proof.iam.request import Caller, Region, allowed, covers
from sequester.proof.let_in import is_strange, key_refuses, log_group_arn, may, trusts
from sequester.proof.model import LogGroup, Model, Sensor
from sequester.proof.verdict import Hop, Witness

_WRITES_AS = {
    "flow log": "vpc-flow-logs.amazonaws.com",
    "CloudTrail VPCE": "cloudtrail.amazonaws.com",
    "door audit": "lambda.amazonaws.com",
}
_WRITES = ("logs:CreateLogStream", "logs:PutLogEvents")
_USES = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
_DELIVERS = "Service:delivery.logs.amazonaws.com"


def lost(model: Model, sensor: Sensor) -> Finding | None:
    """The first thing that keeps its records away, if there is one."""
    group = model.watch.groups.get(sensor.sink)
    if group is None:
        return f"{sensor.name} writes to {sensor.sink}, which is not in the facts"
    return next(chain(_group(model, sensor, group), _writers(model, sensor), _endpoints(model, sensor)), None)


def _group(model: Model, sensor: Sensor, group: LogGroup) -> Iterator[Finding]:
    arn = log_group_arn(model, group.name)
    if group.klass not in ("", "STANDARD"):
        how = f"of class {group.klass}, which metric filters do not read"
        yield Witness(f"{sensor.name} is not counted", (Hop(group.name, how),), f"make {group.name} STANDARD")
    if group.masked:
        yield f"{group.masked} masks parts of what {sensor.name} writes to {group.name}: what filters see is not known"
    if is_strange(model, group.key):
        yield f"{group.name} is under the key {group.key}, which is not in the facts"
    elif group.key:
        said = {"kms:encryptioncontext:aws:logs:arn": arn, "aws:sourceaccount": model.account, "aws:sourcearn": arn}
        how = key_refuses(model, group.key, f"logs.{model.region}.amazonaws.com", _USES, said)
        if how:
            yield Witness(f"{sensor.name} cannot write", (Hop(group.name, how),), f"let logs use {group.key}")
    if sensor.kind == "Resolver log":
        write = Region("logs:PutLogEvents", f"{arn}:log-stream:x", {})
        for hung in model.resource_policies:
            for s in statements(hung.document, hung.name):
                # Where an Allow is missing AWS writes it when logging is set up; it takes no denial away.
                named = not s.allow and {"*", _DELIVERS} & {*(s.principals or ())}
                if named and any(a.startswith("logs:") for a in s.actions) and covers(s, write) is Truth.TRUE:
                    yield _cannot_write(sensor, hung.name, f"denies {_DELIVERS[8:]} to write to {group.name}")


def _writers(model: Model, sensor: Sensor) -> Iterator[Finding]:
    service = _WRITES_AS.get(sensor.kind, "")
    for arn in sensor.roles:
        one = model.identities.get(arn)
        said = {"aws:sourceaccount": model.account}
        if one is None:
            yield f"{sensor.name} writes with {arn}, which is not in the facts"
        elif service and not trusts(one, service, said):
            yield _cannot_write(sensor, one.name, f"does not trust {service}")
        else:
            for action in _WRITES:
                if not may(model, one, action, f"{log_group_arn(model, sensor.sink)}*"):
                    yield _cannot_write(sensor, one.name, f"may not put records into {sensor.sink} ({action})")


def _endpoints(model: Model, sensor: Sensor) -> Iterator[Finding]:
    """Of what nodes write: in each VPC with nodes there is an endpoint of CloudWatch Logs that lets them."""
    if not sensor.by_endpoint:
        return
    homes = {model.subnets[k].vpc for p in model.places.values() if p.role for k in p.subnets if k in model.subnets}
    for vpc in sorted(homes):
        there = [e for e in model.endpoints if e.vpc == vpc and e.service == "logs"]
        if not there:
            yield f"{sensor.name}: nodes of {vpc} write to {sensor.sink}, and no endpoint of logs is in the facts"
        records = f"{log_group_arn(model, sensor.sink)}*"
        for one in there:
            document = statements(one.policy, one.name) if one.policy else ()
            for arn in sensor.roles if document else ():
                write = Region("logs:PutLogEvents", records, {}, Caller(model.account, arn))
                if allowed(document, write).truth is Truth.FALSE:
                    yield _cannot_write(sensor, one.name, f"lets nobody put records into {sensor.sink}")


def _cannot_write(sensor: Sensor, who: str, how: str) -> Witness:
    return Witness(f"{sensor.name} cannot write", (Hop(who, how),), f"let {sensor.name} write to {sensor.sink}")
