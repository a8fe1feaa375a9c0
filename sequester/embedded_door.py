"""A tenant's deployed door, run here: its environment, configuration and stores as the embedded cloud holds them.

What the program deployed is read back and not repeated: the function's environment from Lambda, through it the
configuration from its bucket, and the table, the audit bucket and the signing key that the program made. The code is
`lambda_proxy`. One thing differs from AWS: the internet is a TLS server on loopback.
"""

import base64
import json
import secrets
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import trustme

from lambda_proxy.allow import Rule
from lambda_proxy.config import Configuration, load
from lambda_proxy.connect import Internet, Resolve
from lambda_proxy.handler import Clients, compose, serve
from lambda_proxy.path import Door as Function
from sequester.audit import AuditStore
from sequester.deployed_door import Client, chosen, environment
from sequester.loopback import Upstream, every_name, http, leading_to, trusting
from sequester.standing import doors_standing, settings_of, stack_config

_CANARY: Final = "planted"


@dataclass(frozen=True)
class _Sessions:
    """Gives the door the cloud's own clients: they refuse to work when the cloud is closed."""

    client: Client

    def create_client(self, service_name: str, **_: object) -> object:
        return self.client(service_name)


@dataclass(frozen=True)
class _Context:
    client_context: object | None


@dataclass
class EmbeddedDoor:
    """One instance of a tenant's function. `Door(invoke=door.invoke)` asks it, as it would a deployed one."""

    tenant: str
    environ: Mapping[str, str]
    configuration: Configuration
    upstream: Upstream
    canaries: Mapping[str, str]
    """Planted values by id, as the tenant's secret holds them."""
    client: Client
    function: Function
    log: list[str] = field(default_factory=list[str])
    """What the function wrote to its log, a line each."""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, payload: bytes, client_context: bytes | None = None) -> bytes:
        """The function's answer, one at a time, as an instance of a function gives it."""
        context = _Context(json.loads(client_context) if client_context is not None else None)
        with self._one_at_a_time:
            return json.dumps(serve(self.function, json.loads(payload), context, self.log.append)).encode()

    @property
    def allowed(self) -> str | None:
        """A URL that its rules allow to get, if they allow any."""
        return next((url for rule in self.configuration.rules if (url := _example(rule))), None)

    @property
    def store(self) -> AuditStore:
        """Where its chain lies."""
        return audit_store(self.client, self.environ)


def audit_store(client: Client, environ: Mapping[str, str]) -> AuditStore:
    """The store of chains that a door's environment names."""
    key = environ.get("DOOR_SIGNING_KEY") or None
    return AuditStore(
        s3=client("s3"),
        dynamodb=client("dynamodb"),
        bucket=environ["DOOR_AUDIT_BUCKET"],
        table=environ["DOOR_TABLE"],
        kms=client("kms") if key else None,
        signing_key=key,
    )


def echo(request: bytes) -> bytes:
    """An upstream that says what it was asked, so that nobody takes it for the real one."""
    line, _, rest = request.partition(b"\r\n")
    method, target, _ = line.decode("latin-1").split(" ", 2)
    host = next((h[5:].strip() for h in rest.split(b"\r\n") if h.lower().startswith(b"host:")), b"").decode("latin-1")
    said = {"upstream": "a server on loopback, not the internet", "method": method, "host": host, "path": target}
    return http(json.dumps(said).encode() + b"\n", headers={"Content-Type": "application/json"})


@contextmanager
def embedded_door(client: Client, function: str, *, resolve: Resolve = every_name) -> Generator[EmbeddedDoor]:
    """The door that the program deployed as `function`, for as long as its cloud is open.

    resolve: what names lead to; by default each leads to the upstream, whose answers `door.upstream.reply` scripts.
    Secrets that the configuration names and nobody has put are made up.
    """
    environ = environment(client, function)
    tenant = environ["DOOR_TENANT"]
    raw = client("s3").get_object(Bucket=environ["DOOR_CONFIG_BUCKET"], Key=environ["DOOR_CONFIG_KEY"])["Body"].read()
    configuration = load(raw, tenant)
    canaries = _secrets(client("secretsmanager"), configuration)
    authority = trustme.CA()
    with Upstream(authority) as upstream:
        upstream.reply = echo
        internet: Internet = leading_to(upstream, trusting(authority), resolve)
        composed = compose(environ, Clients(_Sessions(client)), internet)
        yield EmbeddedDoor(tenant, environ, configuration, upstream, canaries, client, composed)


@contextmanager
def tenants_door(settings: Path, tenant: str | None) -> Generator[EmbeddedDoor]:
    """The door of one tenant of a settings file, in a cloud of its own. Raises NotDeployedError, SettingsError."""
    from infra.names import Names

    config = stack_config(settings)
    found = settings_of(config)
    name = chosen(found.tenants, tenant)
    with doors_standing(config) as here, embedded_door(here.cloud.client, Names.of(found).door(name)) as door:
        yield door


def _secrets(store: Any, configuration: Configuration) -> Mapping[str, str]:
    """Put what is not there yet; the canaries that then are."""
    for credential in configuration.credentials.values():
        _put(store, credential.secret, secrets.token_urlsafe(32))
    if configuration.canaries is None:
        return {}
    return json.loads(_put(store, configuration.canaries, json.dumps({_CANARY: canary()})))


def canary() -> str:
    """A value that nothing else holds: letters and digits, so that no separator is needed to find it again."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()


def _put(store: Any, name: str, value: str) -> str:
    try:
        return cast("str", store.get_secret_value(SecretId=name)["SecretString"])
    except store.exceptions.ResourceNotFoundException:
        store.create_secret(Name=name, SecretString=value)
        return value


def _example(rule: Rule) -> str | None:
    if "GET" not in rule.methods:
        return None
    host = f"www{rule.host[1:]}" if rule.host.startswith("*.") else rule.host
    port = "" if rule.port == 443 else f":{rule.port}"
    return f"https://{host}{port}{rule.paths[0].replace('*', 'example')}"
