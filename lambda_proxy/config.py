"""The tenant's configuration: read from its bucket, checked whole, and the last good one kept for a while.

A configuration that does not check out is never used in part: the one before it stays in force until STALE_SECONDS
have passed without a good one, and then the door is closed.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from botocore.exceptions import ClientError

from .allow import Rule, check_host
from .budget import Allowance, Limits
from .denial import DeniedError
from .respond import FRAMING_HEADERS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FRESH_SECONDS: Final = 30.0
STALE_SECONDS: Final = 900.0
MAX_CONFIG_BYTES: Final = 1024 * 1024

_RULE_KEYS: Final = frozenset(
    {"host", "port", "methods", "paths", "query", "content_types", "max_request_bytes", "max_response_bytes"}
)
_DOCUMENT_KEYS: Final = frozenset({"version", "tenant", "allow", "budget", "credentials", "canaries"})
_CREDENTIAL_KEYS: Final = frozenset({"secret", "header", "prefix"})
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
_PREFIX: Final = re.compile(r"(?:[\x21-\x7e][\x20-\x7e]*)?\Z")
_LIMIT_KEYS: Final = ("requests_per_minute", "bytes_out_per_day", "bytes_in_per_day")


class ConfigError(ValueError):
    """A configuration that is not to be used; the message names the key and the mend."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret's value goes into `header` of requests for its host, after `prefix`."""

    secret: str
    header: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one tenant may do. `digest`: SHA-256 of the bytes it was read from, in hex; every audit record names it."""

    digest: str
    rules: tuple[Rule, ...]
    allowance: Allowance
    credentials: Mapping[str, Credential]
    canaries: str | None


def load(raw: bytes, tenant: str) -> Configuration:
    """The configuration in `raw` if it is whole, of version 1, and `tenant`'s. Raises ConfigError."""
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"the configuration has {len(raw)} bytes: at most {MAX_CONFIG_BYTES} are read")
    try:
        document = _mapping(json.loads(raw, object_pairs_hook=_once_each), "the configuration")
        _check_keys(document, _DOCUMENT_KEYS, "the configuration")
        _check_whose(document, tenant)
        credentials = _mapping(document.get("credentials", {}), "credentials")
        canaries = document.get("canaries")
        return Configuration(
            digest=hashlib.sha256(raw).hexdigest(),
            rules=tuple(_rule(entry, f"allow[{i}]") for i, entry in enumerate(_sequence(document, "allow"))),
            allowance=_allowance(_mapping(document.get("budget"), "budget")),
            credentials=MappingProxyType(
                {_one_host(host, "credentials"): _credential(host, entry) for host, entry in credentials.items()}
            ),
            canaries=None if canaries is None else _text(canaries, "canaries"),
        )
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(error)) from error


def _check_whose(document: Mapping[str, object], tenant: str) -> None:
    if document.get("version") != 1 or isinstance(document["version"], bool | float):
        raise ConfigError(f"version: {document.get('version')!r} is not 1: deploy code and configuration together")
    if document.get("tenant") != tenant:
        raise ConfigError(f"tenant: {document.get('tenant')!r} is not this door's tenant {tenant!r}")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object's keys and values; of a key that stands twice no reader would know which is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ConfigError(
            f"{next(key for key in keys if keys.count(key) > 1)}: stands twice in one object: name it once"
        )
    return found


def _check_keys(entry: Mapping[str, object], known: frozenset[str], where: str) -> None:
    """A key that is not known is a control that somebody believes in: `canary` for `canaries`, say."""
    if odd := sorted(entry.keys() - known):
        raise ConfigError(f"{where}: {', '.join(odd)}: no such key; there are {', '.join(sorted(known))}")


def _one_host(host: str, where: str) -> str:
    """What is kept by a host's name binds only for that very name."""
    check_host(host)
    if host.startswith("*."):
        raise ConfigError(f"{where}.{host}: name one host: this would hold for none")
    return host


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: write an object")
    return cast("dict[str, object]", value)


def _sequence(parent: Mapping[str, object], key: str) -> list[object]:
    value = parent.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"{key}: write a list")
    return cast("list[object]", value)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {value!r} is no text")
    return value


def _number(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"{where}: {value!r} is no whole number of at least 0")
    return value


def _rule(value: object, where: str) -> Rule:
    entry = _mapping(value, where)
    if entry.keys() != _RULE_KEYS:
        odd = sorted(entry.keys() ^ _RULE_KEYS)
        raise ConfigError(f"{where}: {', '.join(odd)}: each rule states exactly {', '.join(sorted(_RULE_KEYS))}")

    def texts(key: str) -> list[str]:
        return [_text(item, f"{where}.{key}") for item in _sequence(entry, key)]

    return Rule(
        host=_text(entry["host"], f"{where}.host"),
        port=_number(entry["port"], f"{where}.port"),
        methods=frozenset(texts("methods")),
        paths=tuple(texts("paths")),
        query=frozenset(texts("query")),
        content_types=frozenset(texts("content_types")),
        max_request_bytes=_number(entry["max_request_bytes"], f"{where}.max_request_bytes"),
        max_response_bytes=_number(entry["max_response_bytes"], f"{where}.max_response_bytes"),
    )


def _allowance(entry: Mapping[str, object]) -> Allowance:
    hosts = _mapping(entry.get("hosts", {}), "budget.hosts")
    _check_keys(entry, frozenset({*_LIMIT_KEYS, "unreadable_bytes_per_day", "hosts"}), "budget")
    return Allowance(
        total=_limits(entry, "budget"),
        unreadable_bytes_per_day=_number(entry.get("unreadable_bytes_per_day"), "budget.unreadable_bytes_per_day"),
        hosts=MappingProxyType(
            {
                _one_host(host, "budget.hosts"): _host_limits(_mapping(limits, f"budget.hosts.{host}"), host)
                for host, limits in hosts.items()
            }
        ),
    )


def _host_limits(entry: Mapping[str, object], host: str) -> Limits:
    _check_keys(entry, frozenset(_LIMIT_KEYS), f"budget.hosts.{host}")
    return _limits(entry, f"budget.hosts.{host}")


def _limits(entry: Mapping[str, object], where: str) -> Limits:
    requests, bytes_out, bytes_in = (_number(entry.get(key), f"{where}.{key}") for key in _LIMIT_KEYS)
    return Limits(requests_per_minute=requests, bytes_out_per_day=bytes_out, bytes_in_per_day=bytes_in)


def _credential(host: str, value: object) -> Credential:
    entry = _mapping(value, f"credentials.{host}")
    _check_keys(entry, _CREDENTIAL_KEYS, f"credentials.{host}")
    secret, header, prefix = (
        _text(entry.get(key), f"credentials.{host}.{key}") for key in ("secret", "header", "prefix")
    )
    if not _HEADER.match(header) or header.lower() in FRAMING_HEADERS:
        raise ConfigError(f"credentials.{host}.header: {header!r}: name a header that carries a credential")
    if not _PREFIX.match(prefix):
        raise ConfigError(f"credentials.{host}.prefix: {prefix!r}: write plain ASCII, without line ends")
    return Credential(secret=secret, header=header.lower(), prefix=prefix)


class ConfigurationSource:
    """The configuration in force: asked for on every request, read from S3 at most every FRESH_SECONDS."""

    def __init__(
        self, s3: "S3Client", bucket: str, key: str, tenant: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._s3, self._bucket, self._key, self._tenant, self._clock = s3, bucket, key, tenant, clock
        self._good: Configuration | None = None
        self._etag = ""
        self._asked_at = float("-inf")
        self._good_at = float("-inf")

    def current(self) -> Configuration:
        """Raises DeniedError(door.config) when none is known to be good, or none was for STALE_SECONDS."""
        now = self._clock()
        if now - self._asked_at >= FRESH_SECONDS:
            try:
                self._refresh()
            except Exception as error:  # noqa: BLE001 - whatever it is, the last good one stays in force
                print(json.dumps({"event": "configuration_refused", "tenant": self._tenant, "why": _why(error)}))
            else:
                self._good_at = self._asked_at = now
        if self._good is None or now - self._good_at >= STALE_SECONDS:
            raise DeniedError("door.config")
        return self._good

    def _refresh(self) -> None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, IfNoneMatch=self._etag or '"none"')
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 304:
                return
            raise
        self._good = load(answer["Body"].read(MAX_CONFIG_BYTES + 1), self._tenant)
        self._etag = answer["ETag"]


def _why(error: Exception) -> str:
    """For the platform team's log: a configuration holds no secret, an AWS error names the code."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return str(error) if isinstance(error, ConfigError) else type(error).__name__
