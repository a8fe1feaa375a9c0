"""Runs the responder that is deployed in an embedded cloud: the archive's own configuration, the same code, by SNS's
word. Kubernetes is a real API server where there is one, else what would be asked of it is noted.
"""

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

import lambda_responder
from lambda_responder.aws_acts import Clients
from lambda_responder.config import CONFIG_FILE, Config, load
from lambda_responder.inside import Api, Inside
from lambda_responder.outside import Responder, compose
from sequester.cloud import EmbeddedCloud
from sequester.eyes.pattern import FilterPattern

_PACKAGE: Final = "lambda_responder"
_SOURCES: Final = Path(lambda_responder.__file__).parent
OUTSIDE_HANDLER: Final = f"{_PACKAGE}.outside.handler"


NODE: Final = "seen"
"""The node of every pod where there is no cluster, and so of the streams that its records are written to."""


class NotOursError(RuntimeError):
    """What is deployed is not the code of this checkout, so running that would show nothing."""


@dataclass
class Noted:
    """Stands where no API server is: every request is noted, and answered as if the object were there."""

    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def __call__(self, method: str, path: str, body: object = None, kind: str = "") -> tuple[int, object]:
        self.requests.append((method, path))
        return 200, {"spec": {"nodeName": NODE}}


class EvaluatingLogs:
    """CloudWatch Logs over moto, which takes filter patterns and does not evaluate them: ours does, as documented."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs

    def get_paginator(self, operation: str) -> "EvaluatingLogs":
        if operation != "filter_log_events":
            raise NotImplementedError(f"{operation}: the responder asks for filter_log_events only")
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        pattern = FilterPattern(asked.pop("filterPattern"))
        left: int = asked.pop("PaginationConfig")["MaxItems"]
        for page in self._logs.get_paginator("filter_log_events").paginate(**asked):
            matched = [event for event in page["events"] if pattern.match(event["message"]) is not None]
            yield {"events": matched[:left]}
            left -= len(matched)
            if left <= 0:
                return


Handle = Callable[[Mapping[str, object]], Mapping[str, object]]


class Invoking:
    """Lambda's Invoke of one function; whatever that raises is reported as Lambda does."""

    def __init__(self, name: str, handle: Handle) -> None:
        self._name, self._handle = name, handle

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803, boto3's own names
        if FunctionName != self._name:
            said = {"Error": {"Code": "ResourceNotFoundException", "Message": f"{FunctionName} is not {self._name}"}}
            raise ClientError(said, "Invoke")  # type: ignore[arg-type]
        try:
            answer: object = self._handle(json.loads(Payload))
        except Exception as error:  # noqa: BLE001, as Lambda reports whatever is raised
            said = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(said).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def assembled(config: Config, client: Any, kubernetes: Api, quarantine_group: str) -> Responder:
    """Both functions, wired as they are deployed. client: a service's name → its boto3 client."""
    clients = Clients(config.region, client)
    stand_ins = {
        "functions": Invoking(config.inside, Inside(config, kubernetes).handle),
        "logs": EvaluatingLogs(client("logs")),
    }
    clients.__dict__.update(stand_ins)  # where its cached properties keep what they made
    return compose(config, clients, quarantine_group)


def deployed_responder(cloud: EmbeddedCloud, function: str, kubernetes: Api) -> Responder:
    """The responder behind a deployed function's name.

    Raises:
        NotOursError: its archive does not hold this checkout's code, or it starts elsewhere.
    """
    about: Mapping[str, Any] = cloud.client("lambda").get_function_configuration(FunctionName=function)
    archive = cloud.archive(function)
    ours = {f"{_PACKAGE}/{path.name}": path.read_bytes() for path in _SOURCES.glob("*.py")}
    if about["Handler"] != OUTSIDE_HANDLER or any(archive.get(name) != code for name, code in ours.items()):
        raise NotOursError(f"{function}: is not the responder of this checkout: run the program again")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CONFIG_FILE).write_bytes(archive[f"{_PACKAGE}/{CONFIG_FILE}"])
        config = load(Path(folder))
    group = about["Environment"]["Variables"]["QUARANTINE_GROUP"]
    return assembled(config, cloud.client, kubernetes, group)
