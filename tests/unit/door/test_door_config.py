"""The configuration in force: the last good one for a while, then none; none at all is a closed door."""

import json

import pytest
from door_lane import CONFIG, HOST, Lane, configuration, put_secret, rule

from lambda_proxy.config import FRESH_SECONDS, STALE_SECONDS, ConfigError, ConfigurationSource, load
from lambda_proxy.credentials import FRESH_SECONDS as SECRET_FRESH_SECONDS
from lambda_proxy.credentials import SecretSource
from lambda_proxy.denial import DeniedError


@pytest.fixture
def source(lane: Lane) -> tuple[ConfigurationSource, list[float]]:
    now = [0.0]
    return ConfigurationSource(lane.clients.s3, CONFIG, lane.tenant, lane.tenant, lambda: now[0]), now


def put(lane: Lane, document: object) -> None:
    lane.clients.s3.put_object(Bucket=CONFIG, Key=lane.tenant, Body=json.dumps(document).encode())


def good(lane: Lane, host: str) -> dict[str, object]:
    return {**configuration(allow=[rule(host)]), "tenant": lane.tenant}


def test_no_configuration_no_way_out(lane: Lane) -> None:
    lane._configured = True  # nothing was ever put
    assert lane.fetch()["denied"]["rule"] == "door.config"
    assert lane.upstream.connections == 0


def test_a_new_configuration_is_taken_up(lane: Lane, source: tuple[ConfigurationSource, list[float]]) -> None:
    configurations, now = source
    put(lane, good(lane, "one.example.test"))
    assert configurations.current().rules[0].host == "one.example.test"
    put(lane, good(lane, "two.example.test"))
    assert configurations.current().rules[0].host == "one.example.test"
    now[0] += FRESH_SECONDS
    assert configurations.current().rules[0].host == "two.example.test"


def test_a_bad_one_leaves_the_last_good_one_until_it_is_stale(
    lane: Lane, source: tuple[ConfigurationSource, list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    configurations, now = source
    put(lane, good(lane, "one.example.test"))
    configurations.current()
    put(lane, good(lane, "*.co.uk"))
    now[0] += FRESH_SECONDS
    assert configurations.current().rules[0].host == "one.example.test"
    assert "public suffix" in capsys.readouterr().out
    now[0] = STALE_SECONDS
    with pytest.raises(DeniedError, match=r"door\.config"):
        configurations.current()
    put(lane, good(lane, "three.example.test"))
    assert configurations.current().rules[0].host == "three.example.test"


LIMITS = {"requests_per_minute": 1, "bytes_out_per_day": 1, "bytes_in_per_day": 1}
GIVEN = {"secret": "research/api", "header": "Authorization", "prefix": "Bearer "}
MISTAKES: list[tuple[str, dict[str, object], str]] = [
    ("a misspelt list of canaries", {"canary": "research/canaries"}, "canary"),
    ("a misspelt budget for a host", {"budget": {**LIMITS, "unreadable_bytes_per_day": 1, "host": {}}}, "host"),
    (
        "a limit that is none",
        {"budget": {**LIMITS, "unreadable_bytes_per_day": 1, "hosts": {HOST: {**LIMITS, "bytes": 1}}}},
        "bytes",
    ),
    (
        "a budget for many hosts, which would hold for none",
        {"budget": {**LIMITS, "unreadable_bytes_per_day": 1, "hosts": {"*.example.test": LIMITS}}},
        "one host",
    ),
    ("a credential for many hosts", {"credentials": {"*.example.test": GIVEN}}, "one host"),
    ("a credential for a host that no URL has", {"credentials": {"API.example.test": GIVEN}}, "lower case"),
    (
        "a credential as the length of the body",
        {"credentials": {HOST: {**GIVEN, "header": "Content-Length"}}},
        "header",
    ),
    ("a header in a header's name", {"credentials": {HOST: {**GIVEN, "header": "X-A: b\r\nX-B"}}}, "header"),
    ("a header in a prefix", {"credentials": {HOST: {**GIVEN, "prefix": "a\r\nX-B: "}}}, "line ends"),
    ("a key of a credential that is none", {"credentials": {HOST: {**GIVEN, "hosts": []}}}, "no such key"),
]


@pytest.mark.parametrize(("change", "said"), [pytest.param(c, s, id=name) for name, c, s in MISTAKES])
def test_what_would_not_hold_is_refused_at_load(change: dict[str, object], said: str) -> None:
    document = {**configuration(), "tenant": "t"}
    assert load(json.dumps(document).encode(), "t").rules
    with pytest.raises(ConfigError, match=said):
        load(json.dumps({**document, **change}).encode(), "t")


def test_a_key_that_stands_twice_is_refused() -> None:
    raw = json.dumps({**configuration(), "tenant": "t"})
    with pytest.raises(ConfigError, match="twice"):
        load((raw[:-1] + ', "allow": []}').encode(), "t")


@pytest.mark.parametrize("value", ['["a", "b"]', '{"a": 1}', "plain", '{"a": "short"}', '{"a": {}}', "[" * 50_000])
def test_canaries_that_are_none_close_the_door(lane: Lane, value: str) -> None:
    lane.configure(configuration(canaries=lane.secret("canaries", value)))
    assert lane.fetch()["denied"]["rule"] == "door.credential"
    assert lane.records()[-1]["rule"] == "door.credential"
    assert lane.upstream.connections == 0


@pytest.mark.parametrize("value", ["two-lines-Zx12Cv34Bn56\nX-Injected: 1", "n\u00f6n-ascii-Zx12Cv34Bn56Mq78"])
def test_a_credential_that_no_header_carries_closes_the_door(lane: Lane, value: str) -> None:
    lane.configure(configuration(credentials={HOST: {**GIVEN, "secret": lane.secret("key", value)}}))
    assert lane.fetch()["denied"]["rule"] == "door.credential"
    assert lane.upstream.connections == 0


def test_another_tenant_s_configuration_is_refused(lane: Lane) -> None:
    lane.configure(configuration())
    put(lane, {**configuration(), "tenant": "another"})
    assert lane.fetch()["denied"]["rule"] == "door.config"


def test_a_secret_is_read_again_and_written_anew_only_if_it_changed(
    lane: Lane, source: tuple[ConfigurationSource, list[float]]
) -> None:
    configurations, now = source
    name = put_secret(lane.clients, f"{lane.tenant}/canaries", json.dumps({"planted": "first-Zx12Cv34Bn56Mq78"}))
    put(lane, {**good(lane, "one.example.test"), "canaries": name})
    secrets = SecretSource(lambda: lane.clients.secretsmanager, lambda: now[0])
    first = secrets.keyring(configurations.current()).known
    now[0] += SECRET_FRESH_SECONDS
    assert secrets.keyring(configurations.current()).known is first
    lane.clients.secretsmanager.put_secret_value(
        SecretId=name, SecretString=json.dumps({"planted": "second-Zx12Cv34Bn56Mq78"})
    )
    now[0] += SECRET_FRESH_SECONDS
    known = secrets.keyring(configurations.current()).known
    assert [value.plain for value in known.canaries.values] == [b"second-zx12cv34bn56mq78"]
