"""A door with moto behind it and a real TLS server before it: what the door's tests share.

The composition root here differs from the deployed one in three values: names are answered by a table, 127.0.0.1 is not
refused, and port 443 of it is the test's own server. No setting of a deployed function could say so.
"""

import base64
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from lambda_proxy import budget
from lambda_proxy.connect import Internet
from lambda_proxy.handler import Clients, compose
from lambda_proxy.path import Door
from sequester.loopback import LOOPBACK, Upstream, leading_to

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

REGION = "us-east-1"
TABLE, AUDIT, CONFIG = "door", "door-audit", "door-config"
HOST = "api.example.test"
OTHER_HOST = "other.example.test"


def rule(host: str = HOST, **changes: object) -> dict[str, object]:
    """An allow rule as the configuration has it."""
    return {
        "host": host,
        "port": 443,
        "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        "paths": ["/v1/*", "/login"],
        "query": ["q", "page", "a", "b", "c", "d", "e", "f", "g", "h"],
        "content_types": [
            *("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"),
            *("application/octet-stream", "image/png", "text/html", "application/xml"),
        ],
        "max_request_bytes": 2 * 1024 * 1024,
        "max_response_bytes": 1024 * 1024,
        **changes,
    }


def configuration(**changes: object) -> dict[str, object]:
    """A tenant's configuration without the tenant's name."""
    return {
        "version": 1,
        "allow": [rule(), rule("*.wild.example.test"), rule(OTHER_HOST, paths=["/public/*"], methods=["GET"])],
        "budget": {
            "requests_per_minute": 1000,
            "bytes_out_per_day": 100_000_000,
            "bytes_in_per_day": 1_000_000_000,
            "unreadable_bytes_per_day": 1_000_000,
            "hosts": {},
        },
        "credentials": {},
        "canaries": None,
        **changes,
    }


@dataclass
class Lane:
    """One tenant's door; `clients` speak to moto."""

    tenant: str
    clients: Clients
    upstream: Upstream
    tls: ssl.SSLContext
    names: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 60.0  # a busy machine must not look like a slow upstream
    _door: Door | None = None

    _configured: bool = False

    @property
    def door(self) -> Door:
        """The instance in force; of the default configuration, if none was put."""
        if not self._configured:
            self.configure(configuration())
        if self._door is None:
            self._door = compose(self.environ, self.clients, self.internet())
        return self._door

    def configure(self, document: Mapping[str, object]) -> None:
        """Put a configuration, and take a new instance of the function."""
        raw = json.dumps({**document, "tenant": self.tenant})
        self.clients.s3.put_object(Bucket=CONFIG, Key=self.tenant, Body=raw.encode())
        self._configured = True
        self.restart()

    def restart(self) -> None:
        """The next fetch is a new instance's."""
        self._door = None

    @property
    def environ(self) -> dict[str, str]:
        return {
            "DOOR_TENANT": self.tenant,
            "DOOR_TABLE": TABLE,
            "DOOR_AUDIT_BUCKET": AUDIT,
            "DOOR_CONFIG_BUCKET": CONFIG,
            "DOOR_CONFIG_KEY": self.tenant,
        }

    def internet(self) -> Internet:
        return leading_to(self.upstream, self.tls, self.resolve, self.seconds)

    def resolve(self, host: str, port: int) -> list[str]:
        del port
        if host in self.names:
            return self.names[host]
        if host.endswith(".example.test"):
            return [LOOPBACK]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    def secret(self, name: str, value: str) -> str:
        return put_secret(self.clients, f"{self.tenant}/{name}", value)

    def fetch(self, url: object = f"https://{HOST}/v1/items", **request: object) -> dict[str, Any]:
        return self.door.answer({"method": "GET", "url": url, **request}).payload

    def post(self, body: bytes, content_type: str = "application/json", **request: object) -> dict[str, Any]:
        headers = {"content-type": content_type, **request.pop("headers", {})}  # type: ignore[dict-item]
        return self.fetch(
            **{"method": "POST", "headers": headers, "body_b64": base64.b64encode(body).decode(), **request}
        )

    def items(self) -> "Sequence[Mapping[str, AttributeValueTypeDef]]":
        """What the table keeps of the tenant: meters, the head, the window."""
        return self.clients.dynamodb.query(
            TableName=TABLE, KeyConditionExpression="tenant = :t", ExpressionAttributeValues={":t": {"S": self.tenant}}
        )["Items"]

    def records(self) -> list[dict[str, Any]]:
        """The audit records, in order."""
        listing = self.clients.s3.list_objects_v2(Bucket=AUDIT, Prefix=f"audit/{self.tenant}/")
        return [
            json.loads(self.clients.s3.get_object(Bucket=AUDIT, Key=entry.get("Key", ""))["Body"].read())
            for entry in listing.get("Contents", [])
        ]


def make_stores(clients: Clients) -> None:
    """The table and the buckets, as `infra/door.py` makes them."""
    clients.dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "tenant", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "tenant", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for bucket in (AUDIT, CONFIG):
        clients.s3.create_bucket(Bucket=bucket)
        clients.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def no_window_ends(patch: pytest.MonkeyPatch) -> None:
    """A minute, or midnight, that ends between two fetches would hand out the budget anew."""
    for window in ("_MINUTE_SECONDS", "_DAY_SECONDS"):
        patch.setattr(budget, window, 1 << 40)


def put_secret(clients: Clients, name: str, value: str) -> str:
    clients.secretsmanager.create_secret(Name=name, SecretString=value)
    return name


def session() -> botocore.session.Session:
    made = botocore.session.Session()
    made.set_credentials("test", "test")
    made.set_config_variable("region", REGION)
    return made
