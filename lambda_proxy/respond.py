"""Step 7: one HTTP/1.1 exchange, and how much of its answer comes back.

h11 holds the protocol, and what it is lenient about is refused here: two framings at once, bare line feeds, folded
headers, and anything after the end. The body is decoded as it arrives, into a bound;
its end and its decoding share one deadline.
"""

import re
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import h11

from .connect import Deadline
from .denial import DeniedError
from .parse import Request

MAX_REDIRECTS: Final = 5
_CHUNK_BYTES: Final = 64 * 1024
_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_INFORMATIONAL: Final = 4

OF_A_PART: Final = frozenset({"range", "if-range"})
"""Ask for a part of a resource: a credential that is echoed could be had in pieces, each too short to be found."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

FRAMING_HEADERS: Final = frozenset(
    {
        *("host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "te"),
        *("trailer", "upgrade", "expect", "http2-settings", "accept-encoding", "max-forwards", "alt-used"),
    }
)
"""The door's own: framing, connection, coding (RFC 9110, RFC 9112)."""

DROPPED_REQUEST_HEADERS: Final = FRAMING_HEADERS | frozenset(
    {
        # who the caller says it is, or speaks for
        *("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-original-url"),
        *("x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override", "x-original-host"),
        # credentials: the door owns them
        *("authorization", "proxy-authorization", "cookie", "cookie2", "x-api-key", "api-key", "x-auth-token"),
        *("x-access-token", "x-amz-security-token", "x-csrf-token", "private-token", "x-vault-token"),
    }
)
_DROPPED_PREFIXES: Final = ("x-forwarded-", "proxy-", "sec-", "x-amzn-", "x-envoy-")

KEPT_RESPONSE_HEADERS: Final = frozenset(
    {
        *("content-type", "content-language", "content-range", "accept-ranges", "date", "age", "expires"),
        *("cache-control", "etag", "last-modified", "vary", "link", "location", "retry-after", "warning"),
        *("ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset"),
        *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id", "x-total-count"),
    }
)

_LENIENT: Final = re.compile(rb"(?<!\r)\n|\n[ \t]")
"""A line that ends in a bare line feed, and one that is folded."""

_RENDERED: Final = re.compile(r"html|svg|xml", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Response:
    """What an upstream answered: `body` decoded and at most the limit, `truncated` if there was more."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    location: str | None


def sent_headers(request: Request) -> dict[str, str]:
    """The caller's headers without what is the door's to say."""
    return {
        name: value
        for name, value in request.headers.items()
        if name not in DROPPED_REQUEST_HEADERS and not name.startswith(_DROPPED_PREFIXES)
    }


def exchange(
    connection: ssl.SSLSocket, request: Request, headers: Mapping[str, str], limit: int, deadline: Deadline
) -> Response:
    """Send the request with `headers` and read the answer's first `limit` decoded bytes.

    Raises DeniedError(response.*, connect.failed).
    """
    http = _Exchange(connection, deadline)
    try:
        http.send(request, headers)
        return _response(http, http.head(partial="range" in headers), limit)
    except h11.RemoteProtocolError as error:
        raise DeniedError("response.malformed") from error
    except h11.LocalProtocolError as error:
        raise DeniedError("request.header") from error
    except TimeoutError as error:
        raise DeniedError("response.timeout") from error
    except OSError as error:
        raise DeniedError("connect.failed") from error


class _Exchange:
    """One request and its answer on a connection: h11's reading, and what it would read leniently refused."""

    def __init__(self, connection: ssl.SSLSocket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._received = bytearray()
        self._in_head = True

    def send(self, request: Request, headers: Mapping[str, str]) -> None:
        fields = [("host", request.target.authority), ("connection", "close"), ("accept-encoding", "gzip, deflate")]
        fields += headers.items()
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            fields.append(("content-length", str(len(request.body))))
        target = request.target.request_target
        head = self._http.send(h11.Request(method=request.method, target=target, headers=fields))
        body = self._http.send(h11.Data(data=request.body)) if request.body else b""
        end = self._http.send(h11.EndOfMessage())
        self._connection.settimeout(self._deadline.left())
        self._connection.sendall(b"".join(part for part in (head, body, end) if part))

    def head(self, *, partial: bool) -> h11.Response:
        """The answer's head. `partial`: a part of the resource was asked for; nobody else is sent one."""
        for _ in range(_MAX_INFORMATIONAL + 1):
            event = self.receive()
            if isinstance(event, h11.Response):
                self._check_head(event, partial=partial)
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                break
        raise DeniedError("response.malformed")

    def _check_head(self, head: h11.Response, *, partial: bool) -> None:
        """What two readers would read in two ways (RFC 9112 2.2, 5.2, 6.1), and h11 reads in one."""
        self._in_head = False
        end = len(self._received) - len(self._http.trailing_data[0])
        names = {name for name, _ in head.headers}
        coded = b"transfer-encoding" in names
        if (
            _LENIENT.search(self._received, 0, end)
            or (coded and (b"content-length" in names or head.http_version == b"1.0"))
            or (head.status_code == 206 and not partial)
        ):
            raise DeniedError("response.malformed")
        self._received.clear()

    def check_end(self) -> None:
        """Whatever comes behind the answer's end is another answer to somebody."""
        if self._http.trailing_data[0]:
            raise DeniedError("response.malformed")

    def receive(self) -> object:
        """The next event of the answer; the deadline holds for every read, so that a slow drip ends."""
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._connection.settimeout(self._deadline.left())
            try:
                data = self._connection.recv(_CHUNK_BYTES)
            except ssl.SSLEOFError:
                # An end without close_notify: anyone on the way could have cut it. Only framing that needs no end is
                # whole.
                raise DeniedError("response.malformed") from None
            if self._in_head:
                self._received += data
            self._http.receive_data(data)


def _response(http: _Exchange, head: h11.Response, limit: int) -> Response:
    fields = _fields(head)
    decoder = _Decoder(fields.get("content-encoding", ""), limit)
    while not decoder.full:
        event = http.receive()
        if isinstance(event, h11.Data):
            decoder.feed(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            decoder.end()
            http.check_end()
            break
        else:
            raise DeniedError("response.malformed")
    body = bytes(decoder.body[:limit])
    return Response(
        status=head.status_code,
        headers=_kept(fields, body),
        body=body,
        truncated=len(decoder.body) > limit,
        location=fields.get("location") if head.status_code in REDIRECTS else None,
    )


def _fields(head: h11.Response) -> dict[str, str]:
    """Headers by lower-case name; one that must be alone and is not makes the answer ambiguous."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        if name in fields and name in {"location", "content-encoding", "content-type"}:
            raise DeniedError("response.malformed")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _kept(fields: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The headers that come back; what a browser might render as a document is marked so that it can do nothing."""
    kept = {name: value for name, value in fields.items() if name in KEPT_RESPONSE_HEADERS and value.isascii()}
    kept["x-content-type-options"] = "nosniff"
    kept.setdefault("content-type", "application/octet-stream")
    if _RENDERED.search(kept["content-type"]) or body[:512].lstrip().startswith(b"<"):
        kept["content-security-policy"] = "default-src 'none'; sandbox"
    return kept


class _Decoder:
    """A content coding undone as it arrives, up to one byte past the limit (which tells that there was more)."""

    def __init__(self, coding: str, limit: int) -> None:
        self.body = bytearray()
        self._limit = limit
        self._encoded = 0
        match coding.strip().lower():
            case "" | "identity":
                self._inflate = None
            case "gzip" | "x-gzip":
                self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
            case "deflate":
                self._inflate = zlib.decompressobj()
            case _:
                raise DeniedError("response.encoding")

    @property
    def full(self) -> bool:
        return len(self.body) > self._limit

    def feed(self, data: bytes) -> None:
        room = self._limit + 1 - len(self.body)
        if self._inflate is None:
            self.body += data[:room]
            return
        self._encoded += len(data)
        if self._encoded > 2 * self._limit + _CHUNK_BYTES or self._inflate.eof:
            raise DeniedError(
                "response.encoding"
            )  # a stream that takes much and gives nothing, or goes on after its end
        try:
            self.body += self._inflate.decompress(self._inflate.unconsumed_tail + data, room)
        except zlib.error as error:
            raise DeniedError("response.encoding") from error
        if self._inflate.unused_data:
            raise DeniedError("response.encoding")

    def end(self) -> None:
        """The body is over: a coding that is not over was cut."""
        if self._inflate is not None and not self.full and self._encoded and not self._inflate.eof:
            raise DeniedError("response.encoding")
