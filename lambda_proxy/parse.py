"""Step 1: the request and its URL, with one reading or none.

The URL is read by a WHATWG parser (https://url.spec.whatwg.org) and written anew from what was read. Whatever
another reader could take for something else (user information, control characters, backslashes, odd ports, dot
segments, encoded slashes, double encodings) is refused, not repaired: what is allowed is what is sent.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import unquote_to_bytes

import ada_url

from .denial import DeniedError

MAX_URL_BYTES: Final = 8 * 1024
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A synchronous Lambda payload is 6 MB, and base64 costs a third."""
MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 16 * 1024
DEFAULT_MAX_BYTES: Final = 1_000_000

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\ufeff\u2028\u2029]")
_ORIGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>/*)(?P<authority>[^/?#]*)")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PORT = re.compile(r":(?P<port>[^:\]]*)\Z")
_PLAIN_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_HIDDEN_IN_PATH = re.compile(r"%(?:2f|5c|[01][0-9a-f]|7f)|%25[0-9a-f]{2}", re.IGNORECASE)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SEPARATORS = re.compile("[&;]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
_FIELD_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?\Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `path` and `query` are the very characters of the request line."""

    host: str
    port: int
    path: str
    query: str
    is_address: bool

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def request_target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        return f"https://{self.authority}{self.request_target}"

    def query_pairs(self) -> list[tuple[bytes, bytes]]:
        """Keys and values, decoded as a form (`+` is a space); the only separator is `&`."""
        pairs: list[tuple[bytes, bytes]] = []
        for piece in self.query.split("&"):
            if piece:
                key, _, value = piece.partition("=")
                pairs.append((_form_decode(key), _form_decode(value)))
        return pairs

    def query_values(self) -> list[bytes]:
        """As one who takes `;` for a separator too finds them."""
        return [_form_decode(piece.partition("=")[2]) for piece in _SEPARATORS.split(self.query)]

    def query_keys(self) -> frozenset[str]:
        """Every key that some reader finds: older ones take `;` for a separator too (HTML 4.01 B.2.2)."""
        pieces = _SEPARATORS.split(self.query) if self.query else ()
        return frozenset(_form_decode(piece.partition("=")[0]).decode("utf-8", "replace") for piece in pieces if piece)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the caller wrote it: `headers` with lower-case names, `body` in clear."""

    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes
    max_bytes: int
    request_id: str


def parse_request(event: object) -> Request:
    """The request in an invocation's payload; keys that it does not document (a tenant's name, say) are ignored.

    Raises DeniedError(request.* or url.*).
    """
    if not isinstance(event, dict):
        raise DeniedError("request.malformed")
    payload = cast("dict[str, object]", event)
    method = payload.get("method", "GET")
    url = payload.get("url")
    request_id = payload.get("request_id", "")
    max_bytes = payload.get("max_bytes", DEFAULT_MAX_BYTES)
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(request_id, str):
        raise DeniedError("request.malformed")
    if request_id and not _REQUEST_ID.match(request_id):
        raise DeniedError("request.malformed")
    if not isinstance(max_bytes, int) or isinstance(max_bytes, bool) or not 1 <= max_bytes <= MAX_BODY_BYTES:
        raise DeniedError("request.malformed")
    if method not in METHODS:
        raise DeniedError("request.method")
    return Request(
        method=method,
        target=parse_url(url),
        headers=_headers(payload.get("headers", {})),
        body=_body(payload.get("body_b64", "")),
        max_bytes=max_bytes,
        request_id=request_id,
    )


def parse_url(text: str) -> Target:
    """The only reading of an absolute https URL; its fragment is dropped, since it is never sent.

    Raises DeniedError(url.*).
    """
    if len(text) > MAX_URL_BYTES:
        raise DeniedError("url.malformed")
    if _FORBIDDEN.search(text):
        raise DeniedError("url.characters")
    origin = _ORIGIN.match(text)
    if origin is None:
        raise DeniedError("url.malformed")
    if origin["scheme"].lower() != "https":
        raise DeniedError("url.scheme")
    if origin["slashes"] != "//":
        raise DeniedError("url.malformed")
    _plain_authority(origin["authority"])
    try:
        url = ada_url.URL(text)
    except (ValueError, UnicodeError) as error:
        raise DeniedError("url.malformed") from error
    if url.username or url.password:
        raise DeniedError("url.userinfo")
    rest = text[origin.end() :].partition("#")[0]
    raw_path, _, _ = rest.partition("?")
    if _BAD_ESCAPE.search(raw_path) or _dotted(raw_path):
        raise DeniedError("url.path")
    is_address = url.host_type is not ada_url.HostType.DEFAULT
    if is_address and _PORT.sub("", origin["authority"]).lower() != url.hostname:
        raise DeniedError(
            "url.ip_literal"
        )  # 0x7f.1, 017700000001, [0::1]: an address to one reader, another to the next
    return Target(
        host=url.hostname.strip("[]") if is_address else _host(url.hostname),
        port=int(url.port) if url.port else 443,
        path=_path(url.pathname),
        query=_query(url.search.removeprefix("?")),
        is_address=is_address,
    )


def join_url(base: Target, reference: str) -> Target:
    """Where a redirect leads. Raises DeniedError(redirect.malformed, url.*)."""
    if not reference.isascii() or _FORBIDDEN.search(reference):
        raise DeniedError("redirect.malformed")
    if reference.startswith("//"):
        return parse_url(f"https:{reference}")
    if _ABSOLUTE.match(reference):
        return parse_url(reference)
    try:
        return parse_url(ada_url.join_url(base.url, reference))
    except ValueError as error:
        raise DeniedError("redirect.malformed") from error


def _plain_authority(authority: str) -> None:
    """Refuse what parsers are known to disagree on between `//` and the path."""
    if "@" in authority:
        raise DeniedError("url.userinfo")
    if not authority or "%" in authority:
        raise DeniedError("url.host")
    port = _PORT.search(authority)
    if port is not None and not _PLAIN_PORT.match(port["port"]):
        raise DeniedError("url.port")


def _host(hostname: str) -> str:
    host = hostname.removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(map(_LABEL.match, labels)):
        raise DeniedError("url.host")
    # A last label of digits would be an address to some resolvers.
    if labels[-1].isdigit():
        raise DeniedError("url.host")
    return host


def _dotted(path: str) -> bool:
    """Whether any segment is `.` or `..` in some writing, parameters (`..;x`, `..%3Bx`) included."""
    plain = re.sub("%3b", ";", re.sub("%2e", ".", path, flags=re.IGNORECASE), flags=re.IGNORECASE)
    return any(segment.partition(";")[0] in {".", ".."} for segment in plain.split("/"))


def _path(pathname: str) -> str:
    if _HIDDEN_IN_PATH.search(pathname) or "//" in pathname:
        raise DeniedError("url.path")
    canonical = _ESCAPE.sub(_canonical_escape, pathname)
    if _dotted(canonical):
        raise DeniedError("url.path")
    try:
        unquote_to_bytes(canonical).decode()
    except UnicodeDecodeError as error:
        raise DeniedError("url.path") from error
    return canonical


def _canonical_escape(escape: re.Match[str]) -> str:
    """RFC 3986 6.2.2: unreserved characters are written plainly, other escapes in upper case."""
    character = chr(int(escape[0][1:], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _query(search: str) -> str:
    if _BAD_ESCAPE.search(search):
        raise DeniedError("url.query")
    return search


def _form_decode(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " "))


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise DeniedError("request.malformed")
    headers: dict[str, str] = {}
    size = 0
    for name, text in cast("dict[object, object]", value).items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise DeniedError("request.malformed")
        lowered = name.lower()
        if not _TOKEN.match(name) or not _FIELD_VALUE.match(text) or lowered in headers:
            raise DeniedError("request.header")
        headers[lowered] = text
        size += len(name) + len(text) + 4
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise DeniedError("request.header")
    return headers


def _body(value: object) -> bytes:
    if not isinstance(value, str):
        raise DeniedError("request.malformed")
    if len(value) > MAX_BODY_BYTES * 4 // 3 + 4:
        raise DeniedError("request.body")
    try:
        body = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DeniedError("request.body") from error
    if base64.b64encode(body).decode() != value:  # other spellings of the same bytes
        raise DeniedError("request.body")
    return body
