"""The configuration in force: the last good one for a while, then none; none at all is a closed door."""

import json

import pytest
from door_lane import CONFIG, Lane, configuration, rule

from lambda_proxy.config import FRESH_SECONDS, STALE_SECONDS, ConfigurationSource
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


def test_another_tenant_s_configuration_is_refused(lane: Lane) -> None:
    lane.configure(configuration())
    put(lane, {**configuration(), "tenant": "another"})
    assert lane.fetch()["denied"]["rule"] == "door.config"
