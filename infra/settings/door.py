"""What a tenant may fetch, how much of it, and how the door is run: the door's part of the settings.

`door_configuration` gives the JSON that the function reads; the function checks it again
by its own code, so that neither side trusts the other.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal
from urllib.parse import quote, unquote

from publicsuffixlist import PublicSuffixList
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_SUFFIXES = PublicSuffixList()
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_LAST_LABEL_IS_A_NUMBER = re.compile(r"\.(?:[0-9]+|0x[0-9a-f]*)\Z")
"""To some readers that is an address."""
_PLAIN_IN_PATH: Final = "/!$&'()*+,;=:@|[]"
_ODD_PATH = re.compile(r"/\.{1,2}(?:[/;]|%3B|\Z)|%(?:2F|5C|[01][0-9A-F]|7F|25[0-9A-Fa-f]{2})")
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\Z")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")
_FRAMING: Final = frozenset(
    {
        *("host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "te"),
        *("trailer", "upgrade", "expect", "http2-settings", "accept-encoding", "max-forwards", "alt-used"),
    }
)
_PREFIX = re.compile(r"(?:[\x21-\x7e][\x20-\x7e]*)?\Z")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}\Z")
_BYTES = re.compile(r"(\d+) ?(B|KiB|MiB|GiB)?\Z")
_UNITS: Final = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DEFAULT_REQUEST_BYTES: Final = 64 * 1024
_DEFAULT_RESPONSE_BYTES: Final = 1024 * 1024
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A synchronous Lambda payload is 6 MB, and base64 costs a third."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _size(value: object) -> object:
    """`64KiB`, `1MiB` or a plain number of bytes."""
    if not isinstance(value, str):
        return value
    match = _BYTES.match(value)
    if match is None:
        raise ValueError(f"{value!r} is no size: write a number of bytes, or one with KiB, MiB or GiB")
    return int(match[1]) * _UNITS[match[2]]


def _host(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        pass
    else:
        if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
            raise ValueError(f"{value!r} is no host: write an address without zone, and IPv4 as IPv4")
        return str(address)
    if not _HOST.match(value) or len(value) > 253 or _LAST_LABEL_IS_A_NUMBER.search(value):
        raise ValueError(f"{value!r} is no host: write a DNS name in lower case, without scheme, port or path")
    if value.startswith("*."):
        _check_suffixes(value[2:])
    return value


def _check_suffixes(domain: str) -> None:
    if _SUFFIXES.is_public(domain):
        raise ValueError(f"'*.{domain}' would cover a public suffix: name a registrable domain below {domain}")
    below = re.search(rf"^(?:\*\.)?(?P<suffix>[^\s/!]+\.{re.escape(domain)})$", _suffix_list(), re.MULTILINE)
    if below is not None:
        raise ValueError(
            f"'*.{domain}' would cover a public suffix: anyone may have a name below {below['suffix']}: name the hosts"
        )


@cache
def _suffix_list() -> str:
    return files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text(encoding="utf-8")


def _one_host(value: str) -> str:
    if value.startswith("*."):
        raise ValueError(f"{value!r} is no single host, for which alone this can hold: name one without *")
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or "**" in value or re.search(r"[\s?#\\]", value):
        raise ValueError(f"{value!r} is no path pattern: begin with /, and use one * for a segment or for the rest")
    if "//" in value or _ODD_PATH.search(value) or quote(unquote(value), safe=_PLAIN_IN_PATH) != value:
        raise ValueError(
            f"{value!r} matches no path: write it as a canonical URL has it, such as /caf%C3%A9, without .."
        )
    return value


def _content_type(value: str) -> str:
    if value and not _CONTENT_TYPE.match(value):
        raise ValueError(f"{value!r} is no content type: write type/subtype in lower case, without parameters")
    return value


def _header(value: str) -> str:
    if not _HEADER.match(value):
        raise ValueError(f"{value!r} is no header name: use letters, digits and dashes")
    if value.lower() in _FRAMING:
        raise ValueError(f"{value!r} carries no credential, but frames the request: name the header of the credential")
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.match(value):
        raise ValueError(f"{value!r} is no beginning of a header: write plain ASCII, without line ends")
    return value


def _secret(value: str) -> str:
    if not _SECRET_NAME.match(value):
        raise ValueError(f"{value!r} is no secret name: use letters, digits and /_+=.@-")
    return value


Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Host = Annotated[str, AfterValidator(_host)]
OneHost = Annotated[Host, AfterValidator(_one_host)]
ContentType = Annotated[str, AfterValidator(_content_type)]
Prefix = Annotated[str, AfterValidator(_prefix)]
PathPattern = Annotated[str, AfterValidator(_path)]
HeaderName = Annotated[str, AfterValidator(_header)]
SecretName = Annotated[str, AfterValidator(_secret)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AllowRule(_Frozen):
    """One row of the allowlist. What it does not name is denied: other methods, query keys, request bodies."""

    host: Host
    """A DNS name, `*.` and a registrable domain (every name below it), or an address."""
    port: int = Field(default=443, ge=1, le=65535)
    methods: tuple[Method, ...] = Field(default=("GET",), min_length=1)
    paths: tuple[PathPattern, ...] = Field(min_length=1)
    """`*` stands for one segment's characters, at the end for all of the rest."""
    query: tuple[str, ...] = ()
    """Keys that may occur; `*` for any."""
    content_types: tuple[ContentType, ...] = ()
    """Of request bodies; without one, no body is sent."""
    max_request: Annotated[Size, Field(le=MAX_BODY_BYTES)] = _DEFAULT_REQUEST_BYTES
    max_response: Annotated[Size, Field(le=MAX_BODY_BYTES)] = _DEFAULT_RESPONSE_BYTES


class HostBudget(_Frozen):
    """What one tenant may spend, on all hosts or on one."""

    requests_per_minute: int = Field(default=60, gt=0)
    bytes_out_per_day: Size = 1024 * 1024
    """Everything the caller chose: URL, headers, body."""
    bytes_in_per_day: Size = 100 * 1024 * 1024


class Budget(HostBudget):
    """A tenant's budget; `hosts` narrows it per host."""

    unreadable_bytes_per_day: Size = 64 * 1024
    """High-entropy bytes that the inspection cannot read: encrypted or compressed in an unknown form."""
    hosts: Mapping[OneHost, HostBudget] = Field(default_factory=dict[str, HostBudget])


class Credential(_Frozen):
    """A secret that the door adds to requests for one host; the agent never sees it."""

    secret: SecretName
    """Name of the Secrets Manager secret, whose string is the value."""
    header: HeaderName = "Authorization"
    prefix: Prefix = ""
    """What stands before the value, such as `Bearer `."""


class DoorSettings(_Frozen):
    """How the door functions are run; the same for all tenants."""

    memory_mb: int = Field(default=512, ge=256, le=10240)
    timeout_seconds: int = Field(default=30, ge=5, le=120)
    reserved_concurrency: int = Field(default=5, ge=1, le=1000)
    """Per tenant: one tenant cannot use up another's."""
    log_retention_days: Literal[30, 60, 90, 180, 365, 731, 1827, 3653] = 365
    audit_retention_days: int = Field(default=365, ge=1, le=36500)
    audit_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    """COMPLIANCE cannot be shortened by anyone, root included: nor by you."""
    sign_head: bool = True
    """Sign the head of each audit chain by KMS: a chain cannot be cut short by who can only write to the table."""
    deletion_protection: bool = True
    """The table of budgets and heads cannot be deleted. Say false, `pulumi up`, and then `pulumi destroy` can."""
    signing_profile_arn: str | None = None
    """ARN of an AWS Signer profile version: code signing is then enforced."""
    artifact_bucket: str | None = None
    """Where the signed zip lies; needed with a signing profile."""
    artifact_key: str | None = None

    @model_validator(mode="after")
    def _signed_code_has_a_place(self) -> "DoorSettings":
        if self.signing_profile_arn and not (self.artifact_bucket and self.artifact_key):
            raise ValueError("signing_profile_arn wants artifact_bucket and artifact_key: where the signed zip lies")
        return self


def door_configuration(
    tenant: str,
    *,
    allow: tuple[AllowRule, ...],
    budget: Budget,
    credentials: Mapping[str, Credential],
    canaries: str | None,
) -> dict[str, object]:
    """The JSON that the function of one tenant reads. canaries: name of a secret that holds {id: canary}."""
    return {
        "version": 1,
        "tenant": tenant,
        "allow": [
            {
                "host": rule.host,
                "port": rule.port,
                "methods": sorted(rule.methods),
                "paths": list(rule.paths),
                "query": sorted(rule.query),
                "content_types": sorted(rule.content_types),
                "max_request_bytes": rule.max_request,
                "max_response_bytes": rule.max_response,
            }
            for rule in allow
        ],
        "budget": {
            **_limits(budget),
            "unreadable_bytes_per_day": budget.unreadable_bytes_per_day,
            "hosts": {host: _limits(limits) for host, limits in budget.hosts.items()},
        },
        "credentials": {host: credential.model_dump() for host, credential in credentials.items()},
        "canaries": canaries,
    }


def _limits(budget: HostBudget) -> dict[str, int]:
    return {
        "requests_per_minute": budget.requests_per_minute,
        "bytes_out_per_day": budget.bytes_out_per_day,
        "bytes_in_per_day": budget.bytes_in_per_day,
    }
