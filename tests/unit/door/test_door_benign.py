"""Ordinary requests pass, with canaries and credentials looked for, and arrive as they were asked."""

import base64
import json

import pytest
from door_benign import BENIGN, Benign
from door_lane import HOST, Lane, configuration, put_secret, rule
from door_long import LONG, MEGABYTE

from lambda_proxy.handler import Clients
from lambda_proxy.parse import METHODS
from sequester.loopback import http


@pytest.fixture(scope="module")
def secrets(clients: Clients) -> tuple[str, str]:
    return (
        put_secret(
            clients, "benign/canaries", json.dumps({"hex": "0badc0de" * 4, "text": "benign-lane-" + "Tz19Kd83Wm20"})
        ),
        put_secret(clients, "benign/credential", "benign-credential-" + "Rk57Np31"),
    )


@pytest.mark.parametrize("benign", BENIGN, ids=lambda benign: benign.name)
def test_an_ordinary_request_passes(lane: Lane, benign: Benign, secrets: tuple[str, str]) -> None:
    _passes(lane, benign, secrets)


@pytest.mark.parametrize("name", LONG)
def test_a_megabyte_of_it_passes(lane: Lane, name: str, secrets: tuple[str, str]) -> None:
    kind, write = LONG[name]
    body = write().encode()[:MEGABYTE]
    assert len(body) > MEGABYTE * 0.9
    _passes(lane, Benign(name, "POST", "/notes", {"content-type": kind}, body), secrets)


def _passes(lane: Lane, benign: Benign, secrets: tuple[str, str]) -> None:
    types = ["application/json", "text/plain", "text/csv", "text/markdown", "application/xml", "text/html", "image/png"]
    types += ["application/x-www-form-urlencoded", "multipart/form-data"]
    wide = rule(methods=sorted(METHODS), paths=["/*"], query=["*"], content_types=types)
    credential = {"secret": secrets[1], "header": "Authorization", "prefix": "Bearer "}
    lane.configure(configuration(allow=[wide], canaries=secrets[0], credentials={"brokered.example.test": credential}))
    if benign.method == "HEAD":
        lane.upstream.reply = http(b"")
    answer = lane.fetch(
        f"https://{HOST}{benign.target}",
        method=benign.method,
        headers=dict(benign.headers),
        body_b64=base64.b64encode(benign.body).decode(),
    )
    assert answer.get("status") == 200, answer
    (received,) = lane.upstream.received
    assert received.startswith(f"{benign.method} {benign.target} HTTP/1.1\r\n".encode())
    assert received.endswith(b"\r\n\r\n" + benign.body)


def test_the_table_is_large_and_names_each_request_once() -> None:
    assert len({benign.name for benign in BENIGN}) == len(BENIGN) >= 60
