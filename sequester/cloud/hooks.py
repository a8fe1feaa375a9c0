"""botocore handlers that answer for what moto lacks, on every client that is made while they are installed.

`before-parameter-build` remembers the parameters, botocore validates and serialises them, and `before-call` answers in
place of the network; `after-call` puts back into moto's answers what it drops.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.handlers import BUILTIN_HANDLERS
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from sequester.cloud.declared import Record, RecordError, Store
from sequester.cloud.shelves import OPERATIONS

_ASKED = "sequester_parameters"

OVERLAYS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("ec2", "DescribeFlowLogs"): ("FlowLogs", "FlowLogId"),
    ("ec2", "DescribeNetworkInterfaces"): ("NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "DescribeSubnets"): ("Subnets", "SubnetId"),
    ("ec2", "DescribeVpcs"): ("Vpcs", "VpcId"),
    ("ec2", "DescribeVpcEndpoints"): ("VpcEndpoints", "VpcEndpointId"),
    ("ec2", "CreateVpcEndpoint"): ("VpcEndpoint", "VpcEndpointId"),
    ("lambda", "GetFunction"): ("Configuration", "FunctionName"),
    ("lambda", "GetFunctionConfiguration"): ("", "FunctionName"),
    ("eks", "DescribeCluster"): ("cluster", "name"),
    ("eks", "DescribeNodegroup"): ("nodegroup", "nodegroupArn"),
    ("logs", "DescribeLogGroups"): ("logGroups", "logGroupName"),
    ("sqs", "GetQueueAttributes"): ("Attributes", "QueueArn"),
}
"""Answers of moto that lack members which we keep: where the things are in the answer, and what identifies one."""


class Installed:
    """The handlers over one store; while they are installed, every new boto3 session has them."""

    def __init__(self, account: str) -> None:
        self.store: Store | None = None
        self.account = account
        self._handlers = [
            ("before-parameter-build", self.remember),
            ("before-call", self.answer),
            ("after-call", self.mend),
        ]

    def install(self) -> None:
        """Add the handlers to botocore's own list, once a process: clients outlive a cloud."""
        for handler in self._handlers:
            if handler not in BUILTIN_HANDLERS:
                BUILTIN_HANDLERS.append(handler)  # pyright: ignore[reportArgumentType, reportUnknownMemberType]

    def remember(self, params: Record, model: OperationModel, context: dict[str, Any], **_: object) -> None:
        """Keep the parameters where `before-call` finds them."""
        if self.store is not None:
            context[_ASKED] = dict(params)

    def answer(self, model: OperationModel, context: dict[str, Any], **_: object) -> tuple[AWSResponse, Record] | None:
        """Answer an operation that moto lacks; None lets it go on to moto."""
        name = (model.service_model.service_name, model.name)
        if self.store is None or (name not in OPERATIONS and name != _DELETE_ALARMS):
            return None
        asked = cast(Record, context.get(_ASKED, {}))
        if name == _DELETE_ALARMS:
            return self._delete_composites(asked)
        scope = {"account": self.account, "region": str(context["client_region"])}
        try:
            records = self.store.operate(*name, asked, scope)
        except RecordError as error:
            refusal = {"Error": {"Code": error.code, "Message": str(error)}, "ResponseMetadata": _METADATA}
            return _response(400), refusal
        shelf, verb = OPERATIONS[name]
        shape = model.output_shape
        answered = _shaped(shape, shelf.record, verb, records) if shape else {}
        return _response(200), answered | {"ResponseMetadata": _METADATA}

    def mend(self, parsed: Record, model: OperationModel, context: dict[str, Any], **_: object) -> None:
        """Put what we keep into moto's answer."""
        name = (model.service_model.service_name, model.name)
        if self.store is None or "Error" in parsed:
            return
        if name == ("cloudwatch", "DescribeAlarms"):
            parsed["CompositeAlarms"] = self._composites(context.get(_ASKED, {}))
        if name in OVERLAYS:
            where, identity = OVERLAYS[name]
            things = parsed.get(where) if where else parsed
            for thing in cast(list[Record], things if isinstance(things, list) else [things or {}]):
                for member, value in self.store.kept(f"{name[0]}:{identity}", str(thing.get(identity))).items():
                    thing[member] = value
                    if value is None:  # moto makes one up
                        del thing[member]

    def _composites(self, asked: Record) -> list[Record]:
        if self.store is None or "CompositeAlarm" not in asked.get("AlarmTypes", ["CompositeAlarm"]):
            return []
        wanted = asked.get("AlarmNames")
        held = self.store.operate("cloudwatch", "ListCompositeAlarms", {}, {})
        return [alarm for alarm in held if not wanted or alarm["AlarmName"] in wanted]

    def _delete_composites(self, asked: Record) -> tuple[AWSResponse, Record] | None:
        composites = {str(alarm["AlarmName"]) for alarm in self._composites({})}
        named = set(cast(list[str], asked["AlarmNames"]))
        for name in sorted(named & composites):
            cast(Store, self.store).operate("cloudwatch", "DeleteCompositeAlarm", {"AlarmName": name}, {})
        return (_response(200), {"ResponseMetadata": _METADATA}) if named <= composites else None


_DELETE_ALARMS = ("cloudwatch", "DeleteAlarms")
_METADATA: Record = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}


def _response(status: int) -> AWSResponse:
    return AWSResponse("https://embedded.invalid/", status, HTTPHeaders(), None)


def _shaped(shape: StructureShape, record: str, verb: str, records: list[Record]) -> Record:
    """Records as the operation's answer: the list, the record's own member, or members at the top."""
    if verb == "list":
        named = next((n for n, m in shape.members.items() if isinstance(m, ListShape)), None)
        return {named: _value(shape.members[named], records, record)} if named else {}
    answer = cast(Record, _value(shape, records[0], record))
    for name, inner in shape.members.items():
        if isinstance(inner, StructureShape) and name not in answer:
            answer[name] = _value(inner, records[0], record)
    return answer


def _value(shape: Shape, value: object, record: str) -> object:
    match shape:
        case StructureShape():
            held = cast(Record, value)
            return {
                name: _value(inner, held[name], record)
                for name, inner in shape.members.items()
                if held.get(name) is not None
            }
        case ListShape():
            items = cast(list[object], value)
            if not isinstance(shape.member, StructureShape):
                items = [_last_key(record, item) for item in items]
            return [_value(shape.member, item, record) for item in items]
        case MapShape():
            return value
        case _ if shape.type_name == "timestamp" and isinstance(value, str):
            return datetime.fromisoformat(value)
        case _:
            return value


def _last_key(record: str, item: object) -> object:
    """A list of plain names (EKS lists add-ons so) holds what identifies each record within its parent."""
    if not isinstance(item, dict):
        return item
    shelf = next(shelf for shelf, _ in OPERATIONS.values() if shelf.record == record)
    return cast(Record, item)[shelf.key[-1]]
