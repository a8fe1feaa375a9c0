"""A door with moto behind it and a real TLS server before it: what the door's tests share.

The composition root here differs from the deployed one in three values: names are answered by a table, 127.0.0.1 is not
refused, and port 443 of it is the test's own server. No setting of a deployed function could say so.
"""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import trustme

from lambda_proxy.addresses import is_special
from lambda_proxy.connect import Internet, public_tls
from lambda_proxy.handler import Clients, compose
from lambda_proxy.path import Door

REGION = "us-east-1"
TABLE, AUDIT, CONFIG = "door", "door-audit", "door-config"
LOOPBACK = "127.0.0.1"
HOST = "api.example.test"
OTHER_HOST = "other.example.test"

Reply = bytes | Iterable[bytes] | Callable[[bytes], bytes | Iterable[bytes]]


def http(
    body: bytes = b"ok", status: str = "200 OK", headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
) -> bytes:
    """A well-formed answer."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Upstream:
    """A TLS server on loopback that keeps what reaches it and answers by script; `with` starts and stops it."""

    def __init__(self, authority: trustme.CA, names: Sequence[str], address: str = LOOPBACK) -> None:
        self.reply: Reply = http()
        self.connections = 0
        self.received: list[bytes] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self.tls)
        self._listener = socket.create_server((address, 0))
        self.port = int(self._listener.getsockname()[1])
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "Upstream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.close()
        self._thread.join(5)

    def reset(self) -> None:
        self.reply, self.connections, self.received = http(), 0, []

    def _accept(self) -> None:
        self._listener.settimeout(0.2)
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            with self.tls.wrap_socket(plain, server_side=True) as connection:
                request = self._read(connection)
                self.received.append(request)
                reply = self.reply(request) if callable(self.reply) else self.reply
                for piece in [reply] if isinstance(reply, bytes) else reply:
                    connection.sendall(piece)
                    if self._closing.is_set():
                        return
                connection.unwrap()
        except (OSError, ValueError):
            plain.close()

    @staticmethod
    def _read(connection: ssl.SSLSocket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return data
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
        return head + b"\r\n\r\n" + body


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
    seconds: float = 5.0
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
        return Internet(
            resolve=self.resolve, refuse=loopback_is_public, tls=self.tls, dial=self.dial, seconds=self.seconds
        )

    def resolve(self, host: str, port: int) -> list[str]:
        del port
        if host in self.names:
            return self.names[host]
        if host.endswith(".example.test"):
            return [LOOPBACK]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    def dial(self, address: tuple[str, int], seconds: float) -> socket.socket:
        assert address[0] == LOOPBACK, f"the door dialled {address}"
        return socket.create_connection((LOOPBACK, self.upstream.port), seconds)

    def secret(self, name: str, value: str) -> str:
        return put_secret(self.clients, f"{self.tenant}/{name}", value)

    def fetch(self, url: object = f"https://{HOST}/v1/items", **request: object) -> dict[str, Any]:
        return self.door.answer({"method": "GET", "url": url, **request}).payload

    def post(self, body: bytes, content_type: str = "application/json", **request: object) -> dict[str, Any]:
        headers = {"content-type": content_type, **request.pop("headers", {})}  # type: ignore[dict-item]
        return self.fetch(
            **{"method": "POST", "headers": headers, "body_b64": base64.b64encode(body).decode(), **request}
        )

    def records(self) -> list[dict[str, Any]]:
        """The audit records, in order."""
        listing = self.clients.s3.list_objects_v2(Bucket=AUDIT, Prefix=f"audit/{self.tenant}/")
        return [
            json.loads(self.clients.s3.get_object(Bucket=AUDIT, Key=entry.get("Key", ""))["Body"].read())
            for entry in listing.get("Contents", [])
        ]


def loopback_is_public(address: str) -> bool:
    return address != LOOPBACK and is_special(address)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The door's own TLS settings, and one root more."""
    tls = public_tls()
    authority.configure_trust(tls)
    return tls


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


def put_secret(clients: Clients, name: str, value: str) -> str:
    clients.secretsmanager.create_secret(Name=name, SecretString=value)
    return name


def session() -> botocore.session.Session:
    made = botocore.session.Session()
    made.set_credentials("test", "test")
    made.set_config_variable("region", REGION)
    return made
