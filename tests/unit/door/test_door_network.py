"""Steps 6 and 7 against servers that misbehave: names, TLS, time, and what comes back."""

import base64
import datetime
import gzip
import itertools
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import trustme
from door_lane import HOST, OTHER_HOST, Lane, configuration, put_secret, rule

from lambda_proxy.handler import serve
from sequester.loopback import LOOPBACK, Upstream, http


def at(lane: Lane, upstream: Upstream) -> Lane:
    """The lane with another upstream."""
    lane.upstream = upstream
    lane.restart()
    return lane


def test_a_certificate_for_another_name_is_refused(lane: Lane, authority: trustme.CA) -> None:
    with Upstream(authority, ["other.example.test"]) as upstream:
        assert at(lane, upstream).fetch()["denied"]["rule"] == "connect.tls"
        assert upstream.received == []
        assert lane.fetch(f"https://{OTHER_HOST}/public/x")["status"] == 200


def test_a_certificate_of_an_unknown_authority_is_refused(lane: Lane) -> None:
    with Upstream(trustme.CA(), ["*.example.test"]) as upstream:
        assert at(lane, upstream).fetch()["denied"]["rule"] == "connect.tls"
        assert upstream.received == []


def test_an_expired_certificate_is_refused(lane: Lane, authority: trustme.CA) -> None:
    with Upstream(authority, [HOST]) as upstream:
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        expired = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, not_after=past).configure_cert(expired)
        upstream.tls = expired
        assert at(lane, upstream).fetch()["denied"]["rule"] == "connect.tls"
        assert upstream.received == []


def test_tls_before_1_2_is_refused(lane: Lane, authority: trustme.CA) -> None:
    with Upstream(authority, [HOST]) as upstream:
        upstream.tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            upstream.tls.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning):
            upstream.tls.maximum_version = ssl.TLSVersion.TLSv1_1
        assert at(lane, upstream).fetch()["denied"]["rule"] == "connect.tls"
        assert upstream.received == []


def test_tls_1_2_is_spoken(lane: Lane, authority: trustme.CA) -> None:
    with Upstream(authority, [HOST]) as upstream:
        upstream.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        assert at(lane, upstream).fetch()["status"] == 200


def test_a_port_that_is_closed(lane: Lane) -> None:
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    dial = lambda _, seconds: socket.create_connection((LOOPBACK, port), seconds)  # noqa: E731
    lane._door = replace(lane.door, internet=replace(lane.internet(), dial=dial))
    assert lane.fetch()["denied"]["rule"] == "connect.failed"


def test_a_name_is_resolved_once_and_the_answer_is_what_is_dialled(lane: Lane) -> None:
    """Rebinding: a second answer would be private, and is never asked for."""
    answers = itertools.chain([[LOOPBACK]], itertools.repeat(["10.0.0.1"]))
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        del port
        asked.append(host)
        return next(answers)

    lane._door = replace(lane.door, internet=replace(lane.internet(), resolve=resolve))
    assert lane.fetch()["status"] == 200
    assert asked == [HOST]
    assert lane.fetch()["denied"]["rule"] == "resolve.special"


def test_a_resolver_that_does_not_answer_is_left_behind(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_proxy.connect.RESOLVE_SECONDS", 0.1)
    over = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        del host, port
        over.wait(60)
        return [LOOPBACK]

    lane._door = replace(lane.door, internet=replace(lane.internet(), resolve=slow))
    answer = lane.fetch()
    over.set()
    assert answer["denied"]["rule"] == "resolve.failed"
    assert lane.upstream.connections == 0


def drip(head: bytes, piece: bytes, pause: float) -> Iterator[bytes]:
    yield head
    for _ in range(200):
        time.sleep(pause)
        yield piece


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: "], ids=["body", "head"]
)
def test_a_slow_drip_ends_at_the_deadline(lane: Lane, head: bytes) -> None:
    lane.seconds = 2.0
    lane.upstream.reply = drip(head, b"a", 0.05)
    assert lane.fetch()["denied"]["rule"] == "response.timeout"
    assert lane.records()[-1]["rule"] == "response.timeout"


def test_a_server_that_never_answers_ends_at_the_deadline(lane: Lane) -> None:
    lane.seconds = 2.0
    over = threading.Event()

    def silent(_: bytes) -> Iterator[bytes]:
        over.wait(60)
        yield b""

    lane.upstream.reply = silent
    answer = lane.fetch()
    over.set()
    assert answer["denied"]["rule"] == "response.timeout"


def test_a_body_is_cut_at_the_caller_s_limit_and_says_so(lane: Lane) -> None:
    lane.upstream.reply = http(b"a" * 5000)
    answer = lane.fetch(max_bytes=1000)
    assert (len(base64.b64decode(answer["body_b64"])), answer["truncated"]) == (1000, True)
    answer = lane.fetch(max_bytes=5000)
    assert (len(base64.b64decode(answer["body_b64"])), answer["truncated"]) == (5000, False)


def test_a_body_is_cut_at_the_rule_s_limit(lane: Lane) -> None:
    lane.configure(configuration(allow=[rule(max_response_bytes=700)]))
    lane.upstream.reply = http(b"a" * 5000)
    assert len(base64.b64decode(lane.fetch()["body_b64"])) == 700


def test_a_bomb_is_cut_at_the_limit_as_it_is_decoded(lane: Lane) -> None:
    bomb = gzip.compress(bytes(100 * 1024 * 1024))
    lane.upstream.reply = http(bomb, headers={"Content-Encoding": "gzip"})
    answer = lane.fetch(max_bytes=10_000)
    assert (len(base64.b64decode(answer["body_b64"])), answer["truncated"]) == (10_000, True)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_content_codings_are_undone(lane: Lane, coding: str) -> None:
    encode = gzip.compress if coding == "gzip" else zlib.compress
    lane.upstream.reply = http(encode(b"hello " * 100), headers={"Content-Encoding": coding})
    assert base64.b64decode(lane.fetch()["body_b64"]) == b"hello " * 100


def test_chunks_and_a_body_that_ends_with_the_connection_arrive(lane: Lane) -> None:
    lane.upstream.reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert base64.b64decode(lane.fetch()["body_b64"]) == b"hello world"
    lane.upstream.reply = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
    assert base64.b64decode(lane.fetch()["body_b64"]) == b"until the end"


def test_what_a_browser_would_render_is_marked(lane: Lane) -> None:
    for kind, content in (("text/html", b"<p>"), ("image/svg+xml", b"<svg>"), ("text/plain", b" <script>alert(1)")):
        lane.upstream.reply = http(content, headers={"Content-Type": kind})
        headers = lane.fetch()["headers"]
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["x-content-type-options"] == "nosniff"
    lane.upstream.reply = http(b"{}", headers={"Content-Type": "application/json"})
    assert "content-security-policy" not in lane.fetch()["headers"]


def test_only_listed_headers_come_back(lane: Lane) -> None:
    lane.upstream.reply = http(
        b"",
        headers=[
            ("ETag", '"1"'),
            ("Set-Cookie", "a=b"),
            ("Alt-Svc", 'h3=":443"'),
            ("Server", "x"),
            ("Refresh", "0; url=https://evil.example.test/"),
            ("Content-Security-Policy", "default-src *"),
            ("Access-Control-Allow-Origin", "*"),
        ],
    )
    assert lane.fetch()["headers"].keys() == {"etag", "content-type", "x-content-type-options"}


DROPPED = {
    "Host": "evil.example.test",
    "Connection": "upgrade",
    "Upgrade": "h2c",
    "Transfer-Encoding": "chunked",
    "Content-Length": "99",
    "TE": "trailers",
    "Expect": "100-continue",
    "Keep-Alive": "1",
    "Trailer": "x",
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Host": "evil",
    "Forwarded": "for=1",
    "Via": "1.1 x",
    "X-Real-IP": "1",
    "Authorization": "hello",
    "Cookie": "a=b",
    "X-Api-Key": "k",
    "Proxy-Authorization": "x",
    "Sec-Fetch-Site": "none",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-URL": "/admin",
    "Accept-Encoding": "br",
}


@pytest.mark.parametrize("name", DROPPED)
def test_a_header_that_is_the_door_s_to_say_is_dropped(lane: Lane, name: str) -> None:
    assert lane.fetch(headers={name: DROPPED[name], "X-Kept": "yes"})["status"] == 200
    head = lane.upstream.received[0].decode().lower()
    assert "x-kept: yes" in head
    assert f"\r\n{name.lower()}: {DROPPED[name].lower()}\r\n" not in head
    assert head.count("\r\nhost: ") == 1


def test_the_environment_s_proxies_are_not_used(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "SSLKEYLOGFILE"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    lane.restart()
    assert lane.fetch()["status"] == 200
    assert len(lane.upstream.received) == 1


@dataclass
class Context:
    """What Lambda hands over with an invocation."""

    client_context: object | None


class TestBrokeredCredentials:
    SECRET = "brokered" + "Zx81Kq27Lm34Np56"

    @pytest.fixture
    def brokered(self, lane: Lane) -> Lane:
        name = put_secret(lane.clients, f"{lane.tenant}/token", self.SECRET)
        credential = {"secret": name, "header": "Authorization", "prefix": "Bearer "}
        lane.configure(configuration(credentials={HOST: credential}))
        return lane

    def test_the_door_adds_it_for_its_host_only(self, brokered: Lane) -> None:
        assert brokered.fetch(headers={"Authorization": "mine"})["status"] == 200
        assert brokered.fetch(f"https://{OTHER_HOST}/public/x")["status"] == 200
        first, second = brokered.upstream.received
        assert f"authorization: Bearer {self.SECRET}".encode() in first
        assert b"mine" not in first
        assert b"authorization" not in second.lower()

    def test_a_redirect_to_another_host_does_not_carry_it(self, brokered: Lane) -> None:
        replies = iter([http(b"", "302 Found", {"Location": f"https://{OTHER_HOST}/public/x"}), http()])
        brokered.upstream.reply = lambda _: next(replies)
        assert brokered.fetch(headers={"x-note": "mine", "accept": "text/plain"})["status"] == 200
        _, second = brokered.upstream.received
        assert self.SECRET.encode() not in second
        assert b"x-note" not in second
        assert b"accept: text/plain" in second

    def test_it_is_in_no_record_and_no_log(self, brokered: Lane, capsys: pytest.CaptureFixture[str]) -> None:
        serve(brokered.door, {"url": f"https://{HOST}/v1/x"}, Context({}))
        assert self.SECRET not in str(brokered.records())
        assert self.SECRET not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "method", "then", "body_kept"),
    [
        ("301 Moved Permanently", "POST", "GET", False),
        ("302 Found", "POST", "GET", False),
        ("303 See Other", "PUT", "GET", False),
        ("303 See Other", "HEAD", "HEAD", False),
        ("307 Temporary Redirect", "POST", "POST", True),
        ("308 Permanent Redirect", "PUT", "PUT", True),
        ("302 Found", "PUT", "PUT", True),
    ],
)
def test_redirects_change_the_method_as_the_standard_says(
    lane: Lane, status: str, method: str, then: str, *, body_kept: bool
) -> None:
    replies = iter([http(b"", status, {"Location": "/v1/next"}), http(b"" if then == "HEAD" else b"ok")])
    lane.upstream.reply = lambda _: next(replies)
    request = {"method": method, "url": f"https://{HOST}/v1/x"}
    answer = lane.fetch(**request) if method == "HEAD" else lane.post(b"{}", **request)
    assert answer["status"] == 200
    _, second = lane.upstream.received
    assert second.startswith(f"{then} /v1/next ".encode())
    assert second.endswith(b"\r\n\r\n{}") == body_kept
    assert [record["kind"] for record in lane.records()] == ["intent", "outcome"] * 2
