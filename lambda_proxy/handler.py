"""Where the function starts: the door of the tenant that the deployment names, put together once for each instance.

Nothing in an invocation's payload chooses a tenant, an address policy or an endpoint; neither does any variable of
the environment that is not listed in `compose`.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol, cast

import botocore.session
from botocore.config import Config

from .audit import Chain, Store
from .budget import Budget
from .canaries import Window
from .config import ConfigurationSource
from .connect import Internet
from .credentials import SecretSource
from .denial import DeniedError
from .path import Answer, Door

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

METRICS_NAMESPACE: Final = "Sequester/Door"

_CLIENT_CONFIG: Final = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    proxies={},  # none, whatever the environment says; and no other endpoint (the stubs do not know the option yet)
    ignore_configured_endpoint_urls=True,  # pyright: ignore[reportCallIssue]
)


class Session(Protocol):
    """What is used of `botocore.session.Session`."""

    def create_client(self, service_name: str, *, config: Config, endpoint_url: str | None) -> object: ...


@dataclass(frozen=True)
class Clients:
    """AWS clients, each made when it is first used: making one costs 5 to 60 ms."""

    session: Session
    config: Config = _CLIENT_CONFIG
    endpoint_url: str | None = None
    """Only ever given by a test's own composition root."""

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def s3(self) -> "S3Client":
        return cast("S3Client", self._client("s3"))

    @cached_property
    def kms(self) -> "KMSClient":
        return cast("KMSClient", self._client("kms"))

    @cached_property
    def secretsmanager(self) -> "SecretsManagerClient":
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    def _client(self, service: str) -> object:
        return self.session.create_client(service, config=self.config, endpoint_url=self.endpoint_url)


class LambdaContext(Protocol):
    """What is used of https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    @property
    def client_context(self) -> object | None: ...


def compose(environ: Mapping[str, str], clients: Clients, internet: Internet) -> Door:
    """The door that `environ` describes. Raises KeyError for a variable that is missing."""
    tenant, table = environ["DOOR_TENANT"], environ["DOOR_TABLE"]
    store = Store(
        s3=clients.s3,
        dynamodb=clients.dynamodb,
        bucket=environ["DOOR_AUDIT_BUCKET"],
        table=table,
        kms=lambda: clients.kms,
        signing_key=environ.get("DOOR_SIGNING_KEY") or None,
    )
    return Door(
        tenant=tenant,
        configurations=ConfigurationSource(
            clients.s3, environ["DOOR_CONFIG_BUCKET"], environ["DOOR_CONFIG_KEY"], tenant
        ),
        budget=Budget(clients.dynamodb, table, tenant),
        secrets=SecretSource(lambda: clients.secretsmanager),
        window=Window(clients.dynamodb, table, tenant),
        chain=Chain(store, tenant),
        internet=internet,
    )


Write = Callable[[str], None]
"""Takes a line of the function's log."""


def _write(line: str) -> None:
    print(line, flush=True)


def serve(door: Door, event: object, context: LambdaContext, write: Write = _write) -> dict[str, object]:
    """Answer one invocation and log one line about it; whatever goes wrong, the answer is a denial."""
    if context.client_context is None:
        # Lambda passes a client context to synchronous invocations only: nobody waits for this answer.
        return _failed(door.tenant, "request.asynchronous", write)
    try:
        answer = door.answer(event)
    except Exception as error:  # noqa: BLE001 - the last line: an unforeseen failure is a denial, and names no data
        write(json.dumps({"event": "failure", "tenant": door.tenant, "error": type(error).__name__}))
        return _failed(door.tenant, "door.failed", write)
    _log(answer, write)
    return answer.payload


def _failed(tenant: str, rule: str, write: Write) -> dict[str, object]:
    payload: dict[str, object] = {"denied": {"rule": rule, "reason": DeniedError(rule).reason}, "audit": None}
    _log(Answer(payload, {"event": "fetch", "tenant": tenant, "verdict": "denied", "rule": rule}), write)
    return payload


def _log(answer: Answer, write: Write) -> None:
    """One JSON line in CloudWatch's embedded metric format: a log for the tripwires, and the dashboard's metrics."""
    log = answer.log
    metrics = {
        "Allowed": int(log["verdict"] == "allowed"),
        "Denied": int(log["verdict"] == "denied"),
        "BytesOut": log.get("bytes_out", 0),
        "BytesIn": log.get("bytes_in", 0),
        "Milliseconds": log.get("milliseconds", 0),
    }
    embedded = {
        "Timestamp": int(time.time() * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": METRICS_NAMESPACE,
                "Dimensions": [["tenant"]],
                "Metrics": [{"Name": name} for name in metrics],
            }
        ],
    }
    write(json.dumps({"_aws": embedded, **log, **metrics}))


_door: Door | None = None


def handler(event: object, context: LambdaContext) -> dict[str, object]:
    """AWS Lambda's entry point."""
    global _door
    if _door is None:
        _door = compose(os.environ, Clients(botocore.session.get_session()), Internet.public())
    return serve(_door, event, context)
