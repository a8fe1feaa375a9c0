"""Step 2: the allowlist. What no rule names is denied; a tenant without rules may fetch nothing."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from publicsuffixlist import PublicSuffixList

from .denial import DeniedError
from .parse import METHODS, Request

DEFAULT_MAX_REQUEST_BYTES: Final = 64 * 1024
DEFAULT_MAX_RESPONSE_BYTES: Final = 1024 * 1024

_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_SUFFIXES = PublicSuffixList()


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be asked of one host, or of every name below one registrable domain (`*.example.com`).

    paths: patterns in which `*` stands for the characters of one segment, and at the end for all of the rest.
    query: the keys that may occur; `*` for any. content_types: of request bodies; without one, no body is sent.
    """

    host: str
    methods: frozenset[str]
    paths: tuple[str, ...]
    port: int = 443
    query: frozenset[str] = frozenset()
    content_types: frozenset[str] = frozenset()
    max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    _paths: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could allow more than it seems to; raises ValueError with the mend."""
        _check_host(self.host)
        if not self.methods or not self.methods <= METHODS:
            raise ValueError(f"methods of {self.host}: name some of {', '.join(sorted(METHODS))}")
        if not self.paths or not all(path.startswith("/") and "**" not in path for path in self.paths):
            raise ValueError(f"paths of {self.host}: name patterns that begin with / (and hold no **)")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port of {self.host}: {self.port} is not in 1-65535")
        if self.max_request_bytes < 0 or self.max_response_bytes <= 0:
            raise ValueError(f"sizes of {self.host}: a limit in bytes must be positive")
        object.__setattr__(self, "_paths", tuple(map(path_pattern, self.paths)))

    def names(self, host: str) -> bool:
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host

    def allows_path(self, path: str) -> bool:
        return any(pattern.match(path) for pattern in self._paths)


def path_pattern(path: str) -> re.Pattern[str]:
    """`/repos/*/issues` spans one segment at `*`; `/repos/*` everything below `/repos/`."""
    body, rest = (path[:-1], ".*") if path.endswith("*") else (path, "")
    return re.compile("[^/]+".join(map(re.escape, body.split("*"))) + rest + r"\Z", re.DOTALL)


def _check_host(host: str) -> None:
    if _is_address(host):
        return
    if not _HOST.match(host) or len(host) > 253:
        raise ValueError(f"host {host!r}: write a DNS name in lower case, or *. and a registrable domain")
    if host.startswith("*.") and _SUFFIXES.is_public(host[2:]):
        raise ValueError(f"host {host!r}: {host[2:]} is a public suffix: name a registrable domain below it")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def request_bytes(request: Request, sent_headers: Mapping[str, str]) -> int:
    """Everything that the caller chose: method, URL, headers, body. Framing that the door adds is not counted."""
    headers = sum(len(name) + len(value) + 4 for name, value in sent_headers.items())
    return len(request.method) + len(request.target.url) + headers + len(request.body)


def decide(rules: Sequence[Rule], request: Request, size: int) -> Rule:
    """The first rule that allows the request, of `size` bytes (request_bytes).

    Raises DeniedError for the check that came furthest: a wrong path on an allowed host is `allow.path`.
    """
    target = request.target
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    keys = {key.decode("utf-8", "replace") for key, _ in target.query_pairs()}
    furthest = -1
    for rule in rules:
        checks = (
            rule.names(target.host),
            rule.port == target.port,
            request.method in rule.methods,
            rule.allows_path(target.path),
            "*" in rule.query or keys <= rule.query,
            not request.body or content_type in rule.content_types,
            size <= rule.max_request_bytes,
        )
        if all(checks):
            return rule
        furthest = max(furthest, checks.index(False))
    if furthest <= 0:
        raise DeniedError("url.ip_literal" if target.is_address else "allow.host")
    raise DeniedError(_CHECKS[furthest])


_CHECKS: Final = (
    "allow.host",
    "allow.port",
    "allow.method",
    "allow.path",
    "allow.query",
    "allow.content_type",
    "allow.request_size",
)
