"""Properties: the parser and the decoder end, never raise anything but a denial, and never let an encoding through."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.settings.door import AllowRule, Budget, Credential, door_configuration
from lambda_proxy.allow import Rule, decide, path_pattern
from lambda_proxy.compression import deflated
from lambda_proxy.config import ConfigError, load
from lambda_proxy.decoding import readings
from lambda_proxy.denial import DeniedError
from lambda_proxy.parse import Request, parse_request, parse_url
from lambda_proxy.patterns import PatternSet
from lambda_proxy.pieces import _of_plain_json, _of_tokens, _once
from lambda_proxy.secret_rules import SECRET_RULES
from lambda_proxy.writings import View

PIECES = st.sampled_from(
    [
        *("https://", "HTTPS:", "api.example.test", "/", "//", "..", ".", "%2e", "%2f", "%25", "%41", "%", "@", ":"),
        *("443", "?", "#", "\\", "[::1]", "127.1", "a=b", "&", ";", "\t", "\x00", "é", "。", "xn--", "*", "~", "/v1/"),
    ]
)
URLS = st.one_of(
    st.text(max_size=80),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=8).map(lambda p: "https://api.example.test/" + "".join(p)),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["method", "url", "headers", "body_b64", "max_bytes", "request_id", "tenant"])


@settings(max_examples=400, deadline=None)
@given(URLS)
def test_a_url_has_one_reading_or_none(text: str) -> None:
    try:
        target = parse_url(text)
    except DeniedError:
        return
    assert parse_url(target.url) == target, "what is sent is read again as what was allowed"
    assert target.request_target.isascii()
    assert not set(target.request_target) & set(" \t\r\n\\#")
    assert "/../" not in target.path + "/"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, JSON) | JSON)
def test_any_payload_is_a_request_or_a_denial(payload: object) -> None:
    try:
        assert isinstance(parse_request(payload), Request)
    except DeniedError as denied:
        assert denied.rule.split(".")[0] in {"request", "url"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_the_decoder_ends_and_keeps_its_bounds(data: bytes) -> None:
    try:
        found = [reading[View.RAW] for reading in readings(data)]
    except DeniedError as denied:
        assert denied.rule == "inspect.limit"
    else:
        assert found[0] == data


ENCODERS: list[Callable[[bytes], bytes]] = [
    base64.b64encode,
    base64.urlsafe_b64encode,
    base64.b32encode,
    lambda data: data.hex().encode(),
    lambda data: b"".join(b"%%%02x" % byte for byte in data),
    lambda data: base64.b64encode(gzip.compress(data)),
    lambda data: json.dumps({"x": data.decode("latin-1")}).encode(),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ENCODERS), max_size=3), st.binary(max_size=40), st.binary(max_size=40))
def test_what_is_encoded_is_read(encoders: list[Callable[[bytes], bytes]], before: bytes, after: bytes) -> None:
    needle = b"the needle in the haystack"
    data = needle
    for encode in encoders:
        data = encode(data)
    surrounded = before.translate(None, BASE64) + b" " + data + b" " + after.translate(None, BASE64)
    try:
        assert any(needle in reading[View.RAW] for reading in readings(surrounded))
    except DeniedError as denied:
        assert denied.rule == "inspect.limit"


BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_%\\"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(JSON, min_size=1, max_size=3),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from([b'"', b'" ', b'\\"', b""]),
)
@example(['"\x80\x80\x80'], None, False, b'"')
def test_json_cut_at_its_quotes_is_what_its_tokens_are(
    values: list[object], indent: int | None, plain: bool, quote: bytes
) -> None:
    text = b"\n".join(json.dumps(value, indent=indent, ensure_ascii=plain).encode() for value in values)
    for written in (text, text.replace(b'"', quote, 1)):
        cut = _of_plain_json(written)
        assert cut is None or cut[:2] == _of_tokens(written)[:2]
    assert _of_plain_json(text) is not None or b"NaN" in text or b"Infinity" in text


def test_names_that_repeat_are_kept_to_the_length_of_a_value() -> None:
    names = b"title" + b"body" + b"labels"
    assert len(_once(names * 20_000)) < len(names) * 20_000
    assert _once(names * 20_000).startswith(names * 4_000)
    changed = names * 10_000 + b"canary" + names * 10_000
    assert _once(changed) == changed


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=400).map(str.encode), st.integers(0, 9), st.sampled_from([0, zlib.Z_FIXED]))
def test_what_is_deflated_passes_for_it(text: bytes, level: int, strategy: int) -> None:
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    data = deflate.compress(b"the needle in the haystack" + text) + deflate.flush()
    for whole in (data, data[: len(data) - 3]):
        assert any(b"the needle" in reading for reading in deflated(whole, 10_000)) or whole[:64].isascii()


def test_an_engine_that_gives_up_is_a_denial_not_a_pass() -> None:
    patterns = PatternSet([b"secret"])
    assert patterns.matches(b"a secret") == [0]

    class Exhausted:
        def Match(self, _: bytes) -> list[int]:  # noqa: N802 - the library's name
            return []

    patterns._set = Exhausted()  # type: ignore[assignment]
    with pytest.raises(DeniedError, match=r"inspect\.limit"):
        patterns.matches(b"a secret")


def test_every_secret_rule_compiles_and_text_matches_none() -> None:
    patterns = PatternSet([pattern for _, pattern in SECRET_RULES])
    assert len({name for name, _ in SECRET_RULES}) == len(SECRET_RULES) >= 80
    assert (
        patterns.matches(b"The quick brown fox, 0123456789abcdef, commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12")
        == []
    )


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/repos/*", "/repos/a/b", True),
        ("/repos/*", "/repos/", True),
        ("/repos/*", "/repos", False),
        ("/repos/*/issues", "/repos/a/issues", True),
        ("/repos/*/issues", "/repos/a/b/issues", False),
        ("/repos/*/issues", "/repos//issues", False),
        ("/a.b", "/axb", False),
        ("/a", "/a\n", False),
        ("/v1/*.json", "/v1/x.json", True),
        ("/v1/*.json", "/v1/x/y.json", False),
    ],
)
def test_path_patterns(pattern: str, path: str, *, matches: bool) -> None:
    assert bool(path_pattern(pattern).match(path)) is matches


@pytest.mark.parametrize(
    "host",
    [
        "*.com",
        "*.co.uk",
        "*.github.io",
        "*.amazonaws.com",  # s3.amazonaws.com is everybody's
        "*.windows.net",
        "0x7f.1",
        "fe80::1%eth0",
        "com",
        "*",
        "*.*.example.com",
        "Example.com",
        "a b.com",
        "exa_mple",
        "https://x.com",
        "x.com:1",
    ],
)
def test_a_host_that_covers_too_much_is_refused_on_both_sides(host: str) -> None:
    with pytest.raises(ValueError, match="host"):
        Rule(host=host, methods=frozenset({"GET"}), paths=("/*",))
    with pytest.raises(ValueError, match="host"):
        AllowRule(host=host, paths=("/*",))


ODD_PATHS = [
    *("/a b", "/a?b=1", "/a#x", "/%7euser", "/%7Euser", "/%2e%2e/x", "/../x", "/..;x", "/..%3Bx/y", "/a//b", "/\u00e4"),
    *("/a/%2f", "/a/%2F", "/a\\b", "/A%c3%a4", "/a/%zz", "/a\n", "/.", "/%2541", "/%00", "/%80", "/a%5Cb", "/a^"),
]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_pattern_that_matches_no_path_is_refused_on_both_sides(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Rule(host="x.com", methods=frozenset({"GET"}), paths=(path,))
    with pytest.raises(ValueError, match="path"):
        AllowRule(host="x.com", paths=(path,))


@pytest.mark.parametrize("kind", ["Text/plain", "text/*", "text/plain; charset=utf-8", "text", "*"])
def test_a_type_that_no_body_has_is_refused_on_both_sides(kind: str) -> None:
    with pytest.raises(ValueError, match="content"):
        Rule(host="x.com", methods=frozenset({"GET"}), paths=("/",), content_types=frozenset({kind}))
    with pytest.raises(ValueError, match="content"):
        AllowRule(host="x.com", paths=("/",), content_types=(kind,))


@settings(max_examples=300, deadline=None)
@given(st.text("/.*~%2eE5Ff;:@|[]'!$&()+,=-_aZ\u00e9 ?#\\^{}", max_size=12))
def test_a_pattern_that_the_settings_take_is_one_that_the_door_takes(rest: str) -> None:
    try:
        paths = AllowRule(host="x.com", paths=(f"/{rest}",)).paths
    except ValueError:
        return
    Rule(host="x.com", methods=frozenset({"GET"}), paths=paths)  # else the door would close at the next `up`


HOSTS = st.sampled_from(["api.github.com", "192.0.2.1", "2001:DB8:0::1", "a.b.example.co.uk"])
PATHS = st.lists(st.sampled_from(["/", "/*", "/v1/*/x", "/a-b/c.d", "/caf%C3%A9"]), min_size=1, max_size=3).map(tuple)


@settings(max_examples=60, deadline=None)
@given(HOSTS, PATHS, st.integers(1, 65535), st.sampled_from(["1MiB", "10KiB", 4096]))
def test_settings_render_to_what_the_door_loads(host: str, paths: tuple[str, ...], port: int, size: object) -> None:
    rule = AllowRule(host=host, paths=paths, port=port, max_response=size, query=("q",))  # type: ignore[arg-type]
    credential = Credential(secret="research/github", prefix="Bearer ")
    document = door_configuration(
        "t", allow=(rule,), budget=Budget(), credentials={rule.host: credential}, canaries=None
    )
    loaded = load(json.dumps(document).encode(), "t")
    (got,) = loaded.rules
    assert (got.host, got.port, got.paths, got.max_response_bytes) == (rule.host, port, paths, rule.max_response)
    assert loaded.credentials[rule.host].header == "authorization"


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{}", b"[]", b"null", b"\xff", b'{"version": 2, "tenant": "t"}', b'{"version": 1, "tenant": "other"}'),
        b"[" * 100_000,
        b'{"version": 1, "tenant": "t", "allow": [{"host": "x.com"}], "budget": {}}',
    ],
    ids=range(9),
)
def test_a_configuration_that_is_not_whole_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        load(raw, "t")


def test_no_rules_no_way() -> None:
    request = parse_request({"url": "https://api.example.test/"})
    with pytest.raises(DeniedError, match=r"allow\.host"):
        decide((), request, 1)
