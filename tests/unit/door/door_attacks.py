"""Attacks on the door, as data: what is asked, which rule must deny it, and whether the upstream may see it at all.

Values that look like secrets are put together here at run time from the documented form of each.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from door_lane import HOST, OTHER_HOST, rule
from door_shapes import SHAPES
from door_writings import BINARY, CANARY_ONLY, ENCODINGS

from sequester.loopback import LOOPBACK, Reply, http

CANARY = "zq7Kp2mX" + "9vT4bR8sW1nD6hJ3"
CREDENTIAL = "cred" + "Xk3Lq9Zt7Vb2Nw8Rf5Ys1"
AWS_KEY = "AKIA" + "QZ4XWJ7N5TRB2VKD"
GITHUB = "ghp_" + "a1B2c3D4e5F6" * 3
PATH = f"https://{HOST}/v1/items"


@dataclass(frozen=True)
class Attack:
    """One request that must be denied by `rule`; `reached`: the upstream may see a request, but nothing comes back."""

    name: str
    rule: str
    request: Mapping[str, object] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)
    """To the configuration."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reply: Reply | None = None
    reached: bool = False
    seconds: float = 60.0


def get(url: str, **more: object) -> dict[str, object]:
    return {"method": "GET", "url": url, **more}


def post(body: bytes | str, content_type: str = "application/json", **headers: str) -> dict[str, object]:
    raw = body.encode() if isinstance(body, str) else body
    return {
        "method": "POST",
        "url": PATH,
        "headers": {"content-type": content_type, **headers},
        "body_b64": base64.b64encode(raw).decode(),
    }


def _url_attacks() -> list[Attack]:
    rows: list[tuple[str, str, str]] = [
        ("user information", f"https://user@{HOST}/v1/items", "url.userinfo"),
        ("user and password", f"https://user:pw@{HOST}/v1/items", "url.userinfo"),
        ("empty user information", f"https://@{HOST}/v1/items", "url.userinfo"),
        ("allowed host as user", f"https://{HOST}@evil.example.test/v1/items", "url.userinfo"),
        ("two at signs", f"https://a@b@{HOST}/v1/items", "url.userinfo"),
        ("plain http", f"http://{HOST}/v1/items", "url.scheme"),
        ("ftp", f"ftp://{HOST}/v1/items", "url.scheme"),
        ("file", "file:///etc/passwd", "url.scheme"),
        ("gopher", f"gopher://{HOST}/_x", "url.scheme"),
        ("data", "data:text/plain,hello", "url.scheme"),
        ("javascript", "javascript:alert(1)", "url.scheme"),
        ("websocket", f"wss://{HOST}/v1/items", "url.scheme"),
        ("blob of https", f"blob:https://{HOST}/v1/items", "url.scheme"),
        ("no scheme", f"//{HOST}/v1/items", "url.malformed"),
        ("parameter after dots, encoded", f"https://{HOST}/v1/..%3Bx/items", "url.path"),
        ("parameter after a dot, encoded", f"https://{HOST}/v1/.%3b/items", "url.path"),
        ("relative", "/v1/items", "url.malformed"),
        ("empty", "", "url.malformed"),
        ("one slash", f"https:/{HOST}/v1/items", "url.malformed"),
        ("no slash", f"https:{HOST}/v1/items", "url.malformed"),
        ("three slashes", f"https:///{HOST}/v1/items", "url.malformed"),
        ("too long", f"https://{HOST}/v1/{'a' * 9000}", "url.malformed"),
        ("backslash for slash", f"https:\\\\{HOST}\\v1", "url.characters"),
        ("backslash before at", f"https://evil.example.test\\@{HOST}/v1/items", "url.characters"),
        ("tab in the host", "https://api.exam\tple.test/v1/items", "url.characters"),
        ("newline in the path", f"https://{HOST}/v1/\nitems", "url.characters"),
        ("CRLF and a header", f"https://{HOST}/v1/items\r\nX-Evil: 1", "url.characters"),
        ("NUL", f"https://{HOST}/v1/items\x00.png", "url.characters"),
        ("leading space", f" https://{HOST}/v1/items", "url.characters"),
        ("space in the path", f"https://{HOST}/v1/a b", "url.characters"),
        ("byte order mark", f"\ufeffhttps://{HOST}/v1/items", "url.characters"),
        ("next line (C1)", f"https://{HOST}/v1/\x85items", "url.characters"),
        ("line separator", f"https://{HOST}/v1/\u2028items", "url.characters"),
        ("empty port", f"https://{HOST}:/v1/items", "url.port"),
        ("port zero", f"https://{HOST}:0/v1/items", "url.port"),
        ("leading zeros", f"https://{HOST}:0443/v1/items", "url.port"),
        ("port with sign", f"https://{HOST}:+443/v1/items", "url.port"),
        ("port that is text", f"https://{HOST}:https/v1/items", "url.port"),
        ("two ports", f"https://{HOST}:443:444/v1/items", "url.malformed"),
        ("port above 65535", f"https://{HOST}:65536/v1/items", "url.malformed"),
        ("percent in the host", "https://api%2eexample.test/v1/items", "url.host"),
        ("encoded slash in the host", "https://evil.example.test%2f.api.example.test/", "url.host"),
        ("no host", "https:///v1/items", "url.malformed"),
        ("single label", "https://localhost/v1/items", "url.host"),
        ("two trailing dots", f"https://{HOST}../v1/items", "url.host"),
        ("empty label", "https://api..example.test/v1/items", "url.host"),
        ("label too long", f"https://{'a' * 64}.example.test/v1/items", "url.host"),
        ("host of digits at the end", "https://api.example.123/v1/items", "url.malformed"),
        ("label that begins with a dash", "https://-api.example.test/v1/items", "url.host"),
        ("address", "https://192.0.2.1/v1/items", "url.ip_literal"),
        ("loopback", "https://127.0.0.1/v1/items", "url.ip_literal"),
        ("decimal address", "https://2130706433/v1/items", "url.ip_literal"),
        ("hexadecimal address", "https://0x7f000001/v1/items", "url.ip_literal"),
        ("octal address", "https://0177.0.0.1/v1/items", "url.ip_literal"),
        ("short address", "https://127.1/v1/items", "url.ip_literal"),
        ("full-width address", "https://\uff11\uff12\uff17.0.0.1/v1/items", "url.ip_literal"),
        ("ideographic dots", "https://127\u30020\u30020\u30021/v1/items", "url.ip_literal"),
        ("IPv6 loopback", "https://[::1]/v1/items", "url.ip_literal"),
        ("mapped IPv4", "https://[::ffff:169.254.169.254]/v1/items", "url.ip_literal"),
        ("metadata address", "https://169.254.169.254/latest/meta-data/", "url.ip_literal"),
        ("IPv6 with a zone", "https://[fe80::1%25eth0]/v1/items", "url.host"),
        ("dot segments", f"https://{HOST}/v1/../admin", "url.path"),
        ("single dot", f"https://{HOST}/v1/./items", "url.path"),
        ("encoded dot segments", f"https://{HOST}/v1/%2e%2e/admin", "url.path"),
        ("half-encoded dots", f"https://{HOST}/v1/.%2E/admin", "url.path"),
        ("dots with a parameter", f"https://{HOST}/v1/..;/admin", "url.path"),
        ("dots with a parameter, encoded", f"https://{HOST}/v1/%2e%2e;x=1/admin", "url.path"),
        ("encoded slash", f"https://{HOST}/v1/..%2fadmin", "url.path"),
        ("encoded backslash", f"https://{HOST}/v1/..%5cadmin", "url.path"),
        ("double encoding", f"https://{HOST}/v1/%252e%252e/admin", "url.path"),
        ("triple encoding", f"https://{HOST}/v1/%25252e/admin", "url.path"),
        ("encoded NUL", f"https://{HOST}/v1/items%00.png", "url.path"),
        ("encoded CRLF in the path", f"https://{HOST}/v1/items%0d%0aX-Evil:1", "url.path"),
        ("empty segment", f"https://{HOST}/v1//items", "url.path"),
        ("path that begins with two slashes", f"https://{HOST}//v1/items", "url.path"),
        ("cut escape", f"https://{HOST}/v1/items%2", "url.path"),
        ("overlong UTF-8", f"https://{HOST}/v1/%c0%ae%c0%ae/admin", "url.path"),
        ("broken escape in the query", f"https://{HOST}/v1/items?q=%zz", "url.query"),
    ]
    return [Attack(f"url: {name}", rule_id, get(url)) for name, url, rule_id in rows]


def _allow_attacks() -> list[Attack]:
    return [
        Attack("query: key behind a semicolon", "allow.query", get(f"{PATH}?q=1;admin=true")),
        Attack("host: not listed", "allow.host", get("https://evil.example.test/v1/items")),
        Attack("host: suffix of a listed one", "allow.host", get("https://notapi.example.test/v1/items")),
        Attack("host: below a listed one", "allow.host", get(f"https://x.{HOST}/v1/items")),
        Attack("host: listed one below another", "allow.host", get(f"https://{HOST}.evil.test/v1/items")),
        Attack("host: wildcard's apex", "allow.host", get("https://wild.example.test/v1/items")),
        Attack("host: wildcard's suffix without a dot", "allow.host", get("https://xwild.example.test/v1/items")),
        Attack("host: homograph", "allow.host", get("https://\u0430pi.example.test/v1/items")),
        Attack("host: soft hyphen of another", "allow.host", get("https://ev\u00adil.example.test/v1/items")),
        Attack("host: punycode of another", "allow.host", get("https://xn--pi-7kc.example.test/v1/items")),
        Attack("host: nothing configured", "allow.host", get(PATH), changes={"allow": []}),
        Attack("port: other than listed", "allow.port", get(f"https://{HOST}:8443/v1/items")),
        Attack("port: ssh", "allow.port", get(f"https://{HOST}:22/v1/items")),
        Attack("method: not listed", "allow.method", {"method": "OPTIONS", "url": PATH}),
        Attack(
            "method: listed for another host",
            "allow.method",
            {"method": "DELETE", "url": f"https://{OTHER_HOST}/public/x"},
        ),
        Attack("path: not listed", "allow.path", get(f"https://{HOST}/admin")),
        Attack("path: prefix of a listed one", "allow.path", get(f"https://{HOST}/v1")),
        Attack("path: other case", "allow.path", get(f"https://{HOST}/V1/items")),
        Attack("path: listed for another host", "allow.path", get(f"https://{OTHER_HOST}/v1/items")),
        Attack("path: below an exact one", "allow.path", get(f"https://{HOST}/login/as/root")),
        Attack("path: parameter on an exact one", "allow.path", get(f"https://{HOST}/login;x=1")),
        Attack(
            "path: star spans one segment only",
            "allow.path",
            get(f"https://{HOST}/repos/a/b/issues"),
            changes={"allow": [rule(paths=["/repos/*/issues"])]},
        ),
        Attack("query: key not listed", "allow.query", get(f"{PATH}?callback=x")),
        Attack("query: key in another case", "allow.query", get(f"{PATH}?Q=x")),
        Attack("query: encoded key", "allow.query", get(f"{PATH}?%63allback=x")),
        Attack("query: second key", "allow.query", get(f"{PATH}?q=1&exfil=2")),
        Attack("query: semicolon is no separator", "allow.query", get(f"{PATH}?q;exfil=2")),
        Attack("body: type not listed", "allow.content_type", post("<a/>", "text/xml")),
        Attack("body: no type", "allow.content_type", {"method": "POST", "url": PATH, "body_b64": "aGVsbG8="}),
        Attack(
            "body: on GET without a type", "allow.content_type", {"method": "GET", "url": PATH, "body_b64": "aGVsbG8="}
        ),
        Attack(
            "size: body",
            "allow.request_size",
            post("x" * 3000, "text/plain"),
            changes={"allow": [rule(max_request_bytes=2000)]},
        ),
        Attack(
            "size: URL counts",
            "allow.request_size",
            get(f"{PATH}?q={'a' * 500}"),
            changes={"allow": [rule(max_request_bytes=300)]},
        ),
        Attack(
            "size: headers count",
            "allow.request_size",
            get(PATH, headers={"x-note": "ab" * 300}),
            changes={"allow": [rule(max_request_bytes=300)]},
        ),
    ]


def _request_attacks() -> list[Attack]:
    def header(name: str, value: str) -> dict[str, object]:
        return get(PATH, headers={name: value})

    return [
        Attack("request: a URL that is no text", "request.malformed", {"url": 7}),
        Attack("request: a list of headers", "request.malformed", get(PATH, headers=[["a", "b"]])),
        Attack("request: a header value that is no text", "request.malformed", get(PATH, headers={"a": 1})),
        Attack("request: max_bytes of zero", "request.malformed", get(PATH, max_bytes=0)),
        Attack("request: max_bytes beyond Lambda's", "request.malformed", get(PATH, max_bytes=10**9)),
        Attack("request: max_bytes that is true", "request.malformed", get(PATH, max_bytes=True)),
        Attack("request: identifier with a newline", "request.malformed", get(PATH, request_id="a\nb")),
        Attack("request: CONNECT", "request.method", {"method": "CONNECT", "url": PATH}),
        Attack("request: TRACE", "request.method", {"method": "TRACE", "url": PATH}),
        Attack("request: method in lower case", "request.method", {"method": "get", "url": PATH}),
        Attack(
            "request: method with a header in it", "request.method", {"method": "GET / HTTP/1.1\r\nX: 1", "url": PATH}
        ),
        Attack("header: CRLF in a value", "request.header", header("x-a", "b\r\nX-Evil: 1")),
        Attack("header: bare LF in a value", "request.header", header("x-a", "b\nX-Evil: 1")),
        Attack("header: NUL in a value", "request.header", header("x-a", "b\x00")),
        Attack("header: folded value", "request.header", header("x-a", "b\r\n c")),
        Attack("header: space before the colon", "request.header", header("transfer-encoding ", "chunked")),
        Attack("header: colon in a name", "request.header", header("x:y", "z")),
        Attack("header: CRLF in a name", "request.header", header("x\r\ny", "z")),
        Attack("header: empty name", "request.header", header("", "z")),
        Attack("header: the same twice, by case", "request.header", get(PATH, headers={"X-A": "1", "x-a": "2"})),
        Attack("header: non-ASCII value", "request.header", header("x-a", "caf\u00e9")),
        Attack("header: trailing space", "request.header", header("x-a", "b ")),
        Attack("header: too many", "request.header", get(PATH, headers={f"x-{n}": "1" for n in range(65)})),
        Attack("header: too long", "request.header", header("x-a", "b " * 9000 + "c")),
        Attack("body: not base64", "request.body", {"method": "POST", "url": PATH, "body_b64": "!!!"}),
        Attack(
            "body: base64 with line breaks", "request.body", {"method": "POST", "url": PATH, "body_b64": "aGVs\nbG8="}
        ),
        Attack("body: base64 with loose bits", "request.body", {"method": "POST", "url": PATH, "body_b64": "aGVsbG9="}),
        Attack("body: no padding", "request.body", {"method": "POST", "url": PATH, "body_b64": "aGVsbG8"}),
    ]


CANARIES = {"canaries": {"planted": CANARY}}


def _exfiltration() -> list[Attack]:
    canary, aws, credential = CANARY.encode(), AWS_KEY.encode(), CREDENTIAL.encode()
    attacks = [
        Attack(f"canary in a JSON body: {name}", "inspect.canary", post(json.dumps({"note": encode(canary).decode()})))
        for name, encode in {**ENCODINGS, **CANARY_ONLY}.items()
    ]
    attacks += [
        Attack(f"canary in a binary body: {name}", "inspect.canary", post(encode(canary), "application/octet-stream"))
        for name, encode in BINARY.items()
    ]
    attacks += [
        Attack(f"secret in a text body: {name}", "inspect.secret", post(b"see " + encode(aws) + b" .", "text/plain"))
        for name, encode in ENCODINGS.items()
    ]
    attacks += [
        Attack(f"secret in a binary body: {name}", "inspect.secret", post(encode(b" " + aws + b" "), "image/png"))
        for name, encode in BINARY.items()
    ]
    attacks += [
        Attack(f"credential in a text body: {name}", "inspect.credential", post(encode(credential), "text/plain"))
        for name, encode in list(ENCODINGS.items())[:12]
    ]
    attacks += [
        Attack(f"canary as {name}", "inspect.canary", post(write(CANARY), kind))
        for name, (kind, write) in SHAPES.items()
    ]
    half = len(CANARY) // 2
    a, b = CANARY[:half], CANARY[half:]
    json_gzip = gzip.compress(json.dumps({"note": CANARY}).encode())
    form = "application/x-www-form-urlencoded"
    multipart = (
        f'--B\r\nContent-Disposition: form-data; name="f"\r\n\r\n{a}\r\n--B\r\n'
        f'Content-Disposition: form-data; name="g"\r\n\r\n{b}\r\n--B--\r\n'
    )
    wrapped = base64.encodebytes(CANARY.encode()).decode()
    attachment = f"--B\r\nContent-Transfer-Encoding: base64\r\n\r\n{wrapped}\r\n--B--\r\n"
    attacks += [
        Attack("canary in the path", "inspect.canary", get(f"https://{HOST}/v1/{CANARY}")),
        Attack("canary in the path, in segments", "inspect.canary", get(f"https://{HOST}/v1/{'/'.join(CANARY)}")),
        Attack("canary in the query", "inspect.canary", get(f"{PATH}?q={CANARY}")),
        Attack(
            "canary in the query, percent-encoded",
            "inspect.canary",
            get(f"{PATH}?q=" + "".join(f"%{ord(c):02x}" for c in CANARY)),
        ),
        Attack("canary in the query, base64", "inspect.canary", get(f"{PATH}?q={quote(base64.b64encode(canary))}")),
        Attack("canary split over parameters", "inspect.canary", get(f"{PATH}?a={a}&b={b}")),
        Attack(
            "canary split over eight parameters",
            "inspect.canary",
            get(f"{PATH}?" + "&".join(f"{key}={CANARY[i * 3 : i * 3 + 3]}" for i, key in enumerate("abcdefgh"))),
        ),
        Attack(
            "base64 split over parameters",
            "inspect.canary",
            get(f"{PATH}?a={base64.b64encode(canary).decode()[:15]}&b={quote(base64.b64encode(canary).decode()[15:])}"),
        ),
        Attack(
            "canary split at semicolons",
            "inspect.canary",
            get(f"{PATH}?a=" + ";b=".join(CANARY[at : at + 2] for at in range(0, len(CANARY), 2))),
            changes={"allow": [rule(query=["*"])]},
        ),
        Attack("canary as a host label", "inspect.canary", get(f"https://{CANARY.lower()}.wild.example.test/v1/x")),
        Attack("canary as host labels", "inspect.canary", get(f"https://{a}.{b}.wild.example.test/v1/x".lower())),
        Attack("canary in a header", "inspect.canary", get(PATH, headers={"x-note": CANARY})),
        Attack("canary as a header name", "inspect.canary", get(PATH, headers={f"x-{CANARY}": "1"})),
        Attack("canary in header names", "inspect.canary", get(PATH, headers={a: "1", b: "2"})),
        Attack("canary split over headers", "inspect.canary", get(PATH, headers={"x-a": a, "x-b": b})),
        Attack("canary in the user agent, hex", "inspect.canary", get(PATH, headers={"user-agent": canary.hex()})),
        Attack("canary in a form", "inspect.canary", post(f"a={CANARY}", form)),
        Attack("canary split over a form", "inspect.canary", post(f"a={a}&b={b}", form)),
        Attack("canary as form names", "inspect.canary", post(f"{a}=1&{b}=2", form)),
        Attack("canary split over JSON values", "inspect.canary", post(json.dumps({"a": a, "b": [b]}))),
        Attack(
            "canary split over JSON, letter by letter", "inspect.canary", post(json.dumps([{"k": c} for c in CANARY]))
        ),
        Attack("canary as JSON keys", "inspect.canary", post(json.dumps({a: {b: 1}}))),
        Attack("canary split over multipart", "inspect.canary", post(multipart, "multipart/form-data; boundary=B")),
        Attack("canary in a base64 attachment", "inspect.canary", post(attachment, "multipart/form-data; boundary=B")),
        Attack("canary under a wrong type", "inspect.canary", post(f"a={a}{b}", "image/png")),
        Attack("canary under Content-Encoding gzip", "inspect.canary", post(json_gzip, **{"content-encoding": "gzip"})),
        Attack("canary gzipped without saying so", "inspect.canary", post(json_gzip)),
        Attack("canary in XML", "inspect.canary", post(f"<a b='{CANARY}'/>", "application/xml")),
        Attack("canary in an HTML comment", "inspect.canary", post(f"<!-- {CANARY} -->", "text/html")),
        Attack("body that is not its coding", "inspect.undecodable", post("plain", **{"content-encoding": "gzip"})),
        Attack("body in an unknown coding", "inspect.undecodable", post("plain", **{"content-encoding": "br"})),
        Attack(
            "body in two codings",
            "inspect.undecodable",
            post(gzip.compress(json_gzip), **{"content-encoding": "gzip, gzip"}),
        ),
        Attack("gzip with a tail", "inspect.undecodable", post(json_gzip + b"tail", **{"content-encoding": "gzip"})),
        Attack("cut gzip body", "inspect.undecodable", post(json_gzip[:-4], **{"content-encoding": "gzip"})),
        Attack(
            "bomb on the way out",
            "inspect.undecodable",
            post(gzip.compress(bytes(32 * 1024 * 1024)), **{"content-encoding": "gzip"}),
        ),
        Attack("nested deeper than is read", "inspect.limit", post(_nested(canary, 12), "text/plain")),
        Attack(
            "bomb within base64",
            "inspect.limit",
            post(base64.b64encode(gzip.compress(bytes(64 * 1024 * 1024))), "text/plain"),
        ),
        Attack("GitHub token in a query", "inspect.secret", get(f"{PATH}?q={GITHUB}")),
        Attack("GitHub token in a header", "inspect.secret", get(PATH, headers={"x-note": GITHUB})),
        Attack("private key", "inspect.secret", post("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE", "text/plain")),
        Attack(
            "URL with a password",
            "inspect.secret",
            post(json.dumps({"db": "postgres://app:" + "hunter22@db.example.test/x"})),
        ),
        Attack("credential of the door", "inspect.credential", get(f"{PATH}?q={CREDENTIAL}")),
    ]
    return attacks


def _nested(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = base64.b64encode(data)
    return data


def _operations() -> list[Attack]:
    def budget(**changes: object) -> dict[str, object]:
        limits = {"requests_per_minute": 1000, "bytes_out_per_day": 10**8, "bytes_in_per_day": 10**9}
        return {"budget": {**limits, "unreadable_bytes_per_day": 10**6, "hosts": {}, **changes}}

    host = {HOST: {"requests_per_minute": 0, "bytes_out_per_day": 10**6, "bytes_in_per_day": 10**9}}
    ciphertext = zlib.compress(bytes(range(256)) * 8)[2:] + bytes((i * 167 + 13) % 256 for i in range(4096))
    return [
        Attack("budget: no requests", "budget.requests", get(PATH), changes=budget(requests_per_minute=0)),
        Attack("budget: no requests to the host", "budget.requests", get(PATH), changes=budget(hosts=host)),
        Attack(
            "budget: bytes out",
            "budget.bytes_out",
            post("x" * 900, "text/plain"),
            changes=budget(bytes_out_per_day=500),
        ),
        Attack(
            "budget: bytes out by the URL alone",
            "budget.bytes_out",
            get(f"{PATH}?q={'a' * 600}"),
            changes=budget(bytes_out_per_day=500),
        ),
        Attack(
            "budget: bytes in are reserved",
            "budget.bytes_in",
            get(PATH, max_bytes=5000),
            changes=budget(bytes_in_per_day=4000),
        ),
        Attack(
            "budget: ciphertext behind zeros",
            "budget.entropy",
            post(bytes(8192) + ciphertext * 8, "application/octet-stream"),
            changes=budget(unreadable_bytes_per_day=1000),
        ),
        Attack(
            "budget: ciphertext behind text",
            "budget.entropy",
            post(b"read me first\n" * 600 + ciphertext * 8, "text/plain"),
            changes=budget(unreadable_bytes_per_day=1000),
        ),
        Attack(
            "budget: ciphertext in hex",
            "budget.entropy",
            post(ciphertext.hex(), "text/plain"),
            changes=budget(unreadable_bytes_per_day=1000),
        ),
        Attack(
            "budget: ciphertext",
            "budget.entropy",
            post(ciphertext, "application/octet-stream"),
            changes=budget(unreadable_bytes_per_day=1000),
        ),
    ]


def _network() -> list[Attack]:
    inside = {
        "private": "10.0.0.1",
        "private B": "172.16.5.4",
        "private C": "192.168.1.1",
        "carrier NAT": "100.64.0.1",
        "link-local": "169.254.1.1",
        "metadata": "169.254.169.254",
        "Pod Identity": "169.254.170.23",
        "Azure's host": "168.63.129.16",
        "this network": "0.0.0.0",
        "multicast": "224.0.0.1",
        "broadcast": "255.255.255.255",
        "benchmark": "198.18.0.1",
        "documentation": "203.0.113.9",
        "reserved": "240.0.0.1",
        "loopback 2": "127.0.0.2",
        "IPv6 loopback": "::1",
        "unspecified": "::",
        "mapped": "::ffff:10.0.0.1",
        "compatible": "::10.0.0.1",
        "NAT64": "64:ff9b::a00:1",
        "local NAT64": "64:ff9b:1::a00:1",
        "6to4": "2002:a00:1::",
        "Teredo": "2001:0:1::1",
        "unique local": "fd00:ec2::254",
        "IPv6 link-local": "fe80::1",
        "site-local": "fec0::1",
        "translated": "::ffff:0:a00:1",
        "IPv6 documentation": "2001:db8::1",
        "IPv6 multicast": "ff02::1",
        "discard": "100::1",
        "segment routing": "5f00::1",
        "IPv6 with a zone": "fe80::1%eth0",
        "not an address": "nonsense",
    }
    attacks = [
        Attack(f"resolves to {name}", "resolve.special", get(PATH), names={HOST: [address]})
        for name, address in inside.items()
    ]
    return [
        *attacks,
        Attack("mixed answers: public and private", "resolve.special", get(PATH), names={HOST: [LOOPBACK, "10.0.0.1"]}),
        Attack("mixed answers: private AAAA", "resolve.special", get(PATH), names={HOST: [LOOPBACK, "fd00::1"]}),
        Attack("no answer", "resolve.failed", get(PATH), names={HOST: []}),
        Attack(
            "name does not exist",
            "resolve.failed",
            get("https://x.absent.test/v1/x"),
            changes={"allow": [rule("x.absent.test")]},
        ),
        Attack(
            "address in a rule, and private",
            "resolve.special",
            get("https://10.0.0.1/v1/x"),
            changes={"allow": [rule("10.0.0.1")]},
        ),
    ]


def _redirect(location: str, status: str = "302 Found") -> bytes:
    return http(b"", status, {"Location": location})


def _answers() -> list[Attack]:
    bomb = gzip.compress(bytes(1000))
    head = b"HTTP/1.1 200 OK\r\n"
    rows: list[tuple[str, str, Reply]] = [
        ("redirect to a host not listed", "allow.host", _redirect("https://evil.example.test/v1/x")),
        ("redirect to http", "url.scheme", _redirect(f"http://{HOST}/v1/x")),
        ("redirect to a path not listed", "allow.path", _redirect("/admin")),
        ("redirect up to a path not listed", "allow.path", _redirect("/v1/../admin")),
        ("redirect to an address", "url.ip_literal", _redirect("https://169.254.169.254/latest/")),
        ("redirect without a scheme", "allow.host", _redirect("//evil.example.test/v1/x")),
        ("redirect with user information", "url.userinfo", _redirect(f"https://a@{HOST}/v1/x")),
        ("redirect with a backslash", "redirect.malformed", _redirect("/\\evil.example.test/")),
        ("redirect to a file", "url.scheme", _redirect("file:///etc/passwd")),
        ("redirect without end", "redirect.limit", _redirect("/v1/again")),
        (
            "redirect twice at once",
            "response.malformed",
            http(b"", "302 Found", [("Location", "/v1/a"), ("Location", "/v1/b")]),
        ),
        ("307 with the query not listed", "allow.query", _redirect("/v1/x?exfil=1", "307 Temporary Redirect")),
        (
            "308 to another method's host",
            "allow.path",
            _redirect(f"https://{OTHER_HOST}/v1/x", "308 Permanent Redirect"),
        ),
        ("redirect that carries a canary", "inspect.canary", _redirect(f"/v1/x?q={CANARY}")),
        ("redirect to ourselves by non-ASCII", "redirect.malformed", _redirect("/v1/\u00e9")),
        ("not HTTP", "response.malformed", b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
        ("nothing", "response.malformed", b""),
        ("cut head", "response.malformed", head + b"Content-Le"),
        ("two lengths", "response.malformed", head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
        ("length that is text", "response.malformed", head + b"Content-Length: 0x2\r\n\r\nab"),
        ("negative length", "response.malformed", head + b"Content-Length: -2\r\n\r\nab"),
        ("unknown transfer coding", "response.malformed", head + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("bad chunk size", "response.malformed", head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"),
        ("cut chunks", "response.malformed", head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        ("cut body", "response.malformed", head + b"Content-Length: 20\r\n\r\nshort"),
        ("header without a colon", "response.malformed", head + b"Nonsense\r\n\r\n"),
        ("space before a colon", "response.malformed", head + b"Content-Length : 2\r\n\r\nab"),
        ("NUL in a header", "response.malformed", head + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n"),
        ("endless head", "response.malformed", head + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n"),
        ("switching protocols", "response.malformed", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        ("hints without end", "response.malformed", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20),
        ("unknown content coding", "response.encoding", http(b"x", headers={"Content-Encoding": "br"})),
        (
            "two content codings",
            "response.encoding",
            http(gzip.compress(bomb), headers={"Content-Encoding": "gzip, gzip"}),
        ),
        ("broken gzip", "response.encoding", http(b"not gzip", headers={"Content-Encoding": "gzip"})),
        ("cut gzip", "response.encoding", http(bomb[:-6], headers={"Content-Encoding": "gzip"})),
        ("gzip with a tail", "response.encoding", http(bomb + b"more", headers={"Content-Encoding": "gzip"})),
        ("credential in the body", "response.credential", http(f"you sent {CREDENTIAL}".encode())),
        ("credential in base64", "response.credential", http(base64.b64encode(f"Bearer {CREDENTIAL}".encode()))),
        ("credential in hex", "response.credential", http(CREDENTIAL.encode().hex().encode())),
        ("credential backwards", "response.credential", http(CREDENTIAL[::-1].encode())),
        ("credential in a kept header", "response.credential", http(b"", headers={"ETag": f'"{CREDENTIAL}"'})),
        (
            "credential in gzip",
            "response.credential",
            http(gzip.compress(CREDENTIAL.encode()), headers={"Content-Encoding": "gzip"}),
        ),
    ]
    return [
        *(Attack(f"answer: {name}", rule_id, get(PATH), reply=reply, reached=True) for name, rule_id, reply in rows),
        Attack(
            "answer: credential cut off at the limit",
            "response.credential",
            get(PATH, max_bytes=len(CREDENTIAL) - 4),
            reply=http(CREDENTIAL.encode()),
            reached=True,
        ),
    ]


ATTACKS: Sequence[Attack] = (
    *_url_attacks(),
    *_allow_attacks(),
    *_request_attacks(),
    *_exfiltration(),
    *_operations(),
    *_network(),
    *_answers(),
)
