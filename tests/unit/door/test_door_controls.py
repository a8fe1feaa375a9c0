"""Positive controls: take one control away, and the attack that it stopped arrives at the upstream."""

import base64
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from door_attacks import ATTACKS, CANARY, CREDENTIAL, Attack
from door_lane import HOST, OTHER_HOST, Lane, configuration, rule

import lambda_proxy.path
from lambda_proxy.denial import RULES
from lambda_proxy.parse import METHODS, Request, Target
from sequester.loopback import Upstream, http

BY_NAME = {attack.name: attack for attack in ATTACKS}
ANY_TYPE = ["", "text/plain", "text/xml", "application/json", "application/octet-stream", "image/png"]
WIDE = {"methods": sorted(METHODS), "paths": ["/*"], "query": ["*"], "content_types": ANY_TYPE}


def naive_request(event: dict[str, Any]) -> Request:
    """What a proxy without step 1 would do: believe the payload, and read the URL as urllib does."""
    parts = urlsplit(event["url"])
    host = parts.hostname or HOST
    target = Target(host, parts.port or 443, parts.path, parts.query, is_address=False)
    body = base64.b64decode(event.get("body_b64", ""))
    return Request(event.get("method", "GET"), target, event.get("headers", {}), body, 10**6, "")


def without_parsing(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_proxy.path, "parse_request", naive_request)
    widened(lane, monkeypatch)


def widened(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    rules = [rule(host, **WIDE) for host in ("*.example.test", HOST, OTHER_HOST, "127.0.0.1")]
    lane.configure(configuration(allow=[*rules, rule(HOST, **WIDE, port=8443)]))


def without_method_table(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_proxy.allow.METHODS", METHODS | {"TRACE"})
    monkeypatch.setattr("lambda_proxy.parse.METHODS", METHODS | {"TRACE"})
    lane.configure(configuration(allow=[rule(methods=["TRACE"])]))


def without_inspection(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_proxy.path, "inspect", lambda *_: 0)
    widened(lane, monkeypatch)


def with_plenty(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    lane.configure(configuration())


REMOVALS: list[tuple[str, Callable[[Lane, pytest.MonkeyPatch], None]]] = [
    ("request: TRACE", without_method_table),
    *(
        (name, without_parsing)
        for name in (
            "url: user information",
            "url: tab in the host",
            "url: plain http",
            "url: leading zeros",
            "url: label that begins with a dash",
            "url: encoded slash",
            "url: broken escape in the query",
            "url: too long",
            "request: identifier with a newline",
            "header: too many",
            "body: base64 with line breaks",
        )
    ),
    *(
        (name, widened)
        for name in (
            "url: loopback",
            "host: not listed",
            "port: other than listed",
            "method: not listed",
            "path: not listed",
            "query: key not listed",
            "body: type not listed",
            "size: body",
        )
    ),
    *(
        (name, without_inspection)
        for name in (
            "canary in a JSON body: base64",
            "canary split over headers",
            "secret in a text body: plain",
            "credential of the door",
            "body that is not its coding",
            "nested deeper than is read",
            "bomb within base64",
        )
    ),
    *(
        (name, with_plenty)
        for name in (
            "budget: no requests",
            "budget: no requests to the host",
            "budget: bytes out",
            "budget: bytes in are reserved",
            "budget: ciphertext",
        )
    ),
]


@pytest.mark.parametrize(("name", "remove"), REMOVALS, ids=lambda value: value if isinstance(value, str) else "")
def test_without_the_control_the_attack_arrives(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, name: str, remove: Callable[[Lane, pytest.MonkeyPatch], None]
) -> None:
    attack: Attack = BY_NAME[name]
    remove(lane, monkeypatch)
    answer = lane.fetch(**{"url": "", **attack.request})
    assert answer.get("status") == 200, answer
    assert len(lane.upstream.received) == 1


def test_without_the_address_table_a_name_leads_inside(lane: Lane, authority: trustme.CA) -> None:
    with Upstream(authority, ["*.example.test"], "127.0.0.2") as inside:
        lane.names[HOST] = ["127.0.0.2"]
        assert lane.fetch()["denied"]["rule"] == "resolve.special"
        assert inside.connections == 0
        internet = replace(
            lane.internet(),
            refuse=lambda _: False,
            dial=lambda to, seconds: socket.create_connection((to[0], inside.port), seconds),
        )
        lane._door = replace(lane.door, internet=internet)
        assert lane.fetch()["status"] == 200
        assert len(inside.received) == 1


def test_without_the_peer_check_a_detour_arrives(
    lane: Lane, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream(authority, ["*.example.test"], "127.0.0.2") as elsewhere:
        lane._door = replace(
            lane.door,
            internet=replace(
                lane.internet(), dial=lambda _, s: socket.create_connection(("127.0.0.2", elsewhere.port), s)
            ),
        )
        assert lane.fetch()["denied"]["rule"] == "connect.peer"
        assert elsewhere.received == []
        monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("127.0.0.1", 443))
        assert lane.fetch()["status"] == 200


def test_without_the_answer_search_a_credential_comes_back(lane: Lane) -> None:
    lane.upstream.reply = http(CREDENTIAL.encode())
    assert base64.b64decode(lane.fetch()["body_b64"]).decode() == CREDENTIAL


def test_every_rule_is_reached_by_some_test() -> None:
    """The rules that no row of the table names have tests of their own; each is listed with where."""
    elsewhere = {
        "request.asynchronous": "test_door_runtime",
        "door.halted": "test_door_budget",
        "door.config": "test_door_config",
        "door.credential": "test_door_faults",
        "door.failed": "test_door_runtime",
        "audit.unavailable": "test_door_audit, test_door_faults",
        "budget.unavailable": "test_door_faults",
        "inspect.unavailable": "test_door_faults",
        "connect.failed": "test_door_network",
        "connect.tls": "test_door_network",
        "connect.peer": "test_door_controls",
        "response.timeout": "test_door_network",
    }
    assert {attack.rule for attack in ATTACKS} | elsewhere.keys() == RULES.keys()
    assert CANARY != CREDENTIAL
