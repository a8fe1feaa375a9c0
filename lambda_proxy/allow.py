"""Step 2: the allowlist. What no rule names is denied; a tenant without rules may fetch nothing."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from publicsuffixlist import PublicSuffixList

from .denial import DeniedError
from .parse import METHODS, Request, Target, parse_url

DEFAULT_MAX_REQUEST_BYTES: Final = 64 * 1024
DEFAULT_MAX_RESPONSE_BYTES: Final = 1024 * 1024

_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\Z")
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
        check_host(self.host)
        if not self.methods or not self.methods <= METHODS:
            raise ValueError(f"methods of {self.host}: name some of {', '.join(sorted(METHODS))}")
        if not self.paths or not all(path.startswith("/") and "**" not in path for path in self.paths):
            raise ValueError(f"paths of {self.host}: name patterns that begin with / (and hold no **)")
        for path in self.paths:
            _check_path(path, self.host)
        for kind in self.content_types:
            if kind and not _CONTENT_TYPE.match(kind):  # empty: a body of which no type is said
                raise ValueError(
                    f"content_types of {self.host}: {kind!r}: write type/subtype in lower case, and no more"
                )
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


def check_host(host: str) -> None:
    """Refuse what names no host, or more than one owner's. Raises ValueError with the mend."""
    if not _is_address(host):
        if not _HOST.match(host) or len(host) > 253:
            raise ValueError(f"host {host!r}: write a DNS name in lower case, or *. and a registrable domain")
        if host.startswith("*."):
            _check_suffixes(host[2:])
    name = host.removeprefix("*.")
    read = _read(f"https://[{name}]/" if ":" in name else f"https://{name}/")
    if read is None or read.host != name:  # no request's host would ever be equal to it
        raise ValueError(f"host {host!r}: write a name or an address as a URL's host is written, in its shortest form")


def _check_suffixes(domain: str) -> None:
    if _SUFFIXES.is_public(domain):
        raise ValueError(f"host '*.{domain}': {domain} is a public suffix: name a registrable domain below it")
    below = public_suffix_below(domain)
    if below is not None:
        raise ValueError(
            f"host '*.{domain}': anyone may have a name below {below}, which this covers: name the hosts themselves"
        )


def public_suffix_below(domain: str) -> str | None:
    """A public suffix below the domain: `amazonaws.com` is somebody's own, `s3.amazonaws.com` is everybody's."""
    found = re.search(rf"^(?:\*\.)?(?P<suffix>[^\s/!]+\.{re.escape(domain)})$", _suffix_list(), re.MULTILINE)
    return found["suffix"] if found else None


@cache
def _suffix_list() -> str:
    return files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text(encoding="utf-8")


def _check_path(path: str, host: str) -> None:
    """A pattern that is no canonical path matches nothing, though whoever wrote it meant something by it."""
    read = _read(f"https://host.example{path}")
    if read is None or read.path != path or read.query or "#" in path:
        raise ValueError(f"paths of {host}: {path!r}: write the path as a canonical URL has it, without query")


def _read(url: str) -> Target | None:
    try:
        return parse_url(url)
    except DeniedError:
        return None


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
    keys = target.query_keys()
    furthest = -1
    for rule in rules:
        if not rule.names(target.host):
            continue
        checks = (
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
    if furthest < 0:
        raise DeniedError("url.ip_literal" if target.is_address else "allow.host")
    raise DeniedError(_CHECKS[furthest])


_CHECKS: Final = (
    "allow.port",
    "allow.method",
    "allow.path",
    "allow.query",
    "allow.content_type",
    "allow.request_size",
)
