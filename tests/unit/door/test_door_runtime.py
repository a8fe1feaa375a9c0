"""The door in AWS's runtime client, in a process of its own, against a moto server: the client's side, end to end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from botocore.config import Config
from door_attacks import ATTACKS
from door_lane import AUDIT, CONFIG, HOST, TABLE, configuration, make_stores, rule, session
from jsonschema import Draft202012Validator

from lambda_proxy.audit import Chain, Store
from lambda_proxy.handler import Clients
from sequester.audit import HARMLESS, AuditStore, Fault, verify
from sequester.door import Door, FetchDeniedError
from sequester.lambda_runtime import HandlerFailedError, LambdaRuntime
from sequester.loopback import Upstream, http

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SCHEMA = json.loads((ROOT / "lambda_proxy" / "schema.json").read_text())
RESPONSE = Draft202012Validator({**SCHEMA, "$ref": "#/$defs/response"})
REQUEST = Draft202012Validator({**SCHEMA, "$ref": "#/$defs/request"})
SYNCHRONOUS = b'{"custom": {}}'
TENANT = "runtime"


@pytest.fixture(scope="module")
def aws() -> Iterator[Clients]:
    """moto in a process of its own: in this one it would share its state with the other lanes'."""
    command = [sys.executable, "-m", "sequester.cloud.server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()  # it takes a port and says which: none is looked for and let go
            clients = Clients(session(), Config(s3={"addressing_style": "path"}, proxies={}), url)
            make_stores(clients)
            yield clients
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def environ(
    aws: Clients, shared_upstream: Upstream, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The function's environment, and what `door_root` is told beside."""
    root = tmp_path_factory.mktemp("authority") / "root.pem"
    authority.cert_pem.write_to_path(root)
    document = configuration(
        tenant=TENANT,
        allow=[
            rule(),
            rule("*.wild.example.test"),
            rule("inside.example.test"),
            rule("other.example.test", paths=["/public/*"], methods=["GET"]),
        ],
    )
    aws.s3.put_object(Bucket=CONFIG, Key=TENANT, Body=json.dumps(document).encode())
    return {
        "DOOR_TENANT": TENANT,
        "DOOR_TABLE": TABLE,
        "DOOR_AUDIT_BUCKET": AUDIT,
        "DOOR_CONFIG_BUCKET": CONFIG,
        "DOOR_CONFIG_KEY": TENANT,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": f"{ROOT}:{HERE}",
        "PATH": os.environ["PATH"],
        "TEST_AUTHORITY": str(root),
        "TEST_UPSTREAM_PORT": str(shared_upstream.port),
        "TEST_AWS": str(aws.endpoint_url),
    }


@pytest.fixture(scope="module")
def runtime(environ: dict[str, str]) -> Iterator[LambdaRuntime]:
    with LambdaRuntime("door_root.handler", environ) as running:
        yield running


@pytest.fixture
def door(runtime: LambdaRuntime) -> Door:
    return Door(invoke=runtime.invoke)


def test_the_client_fetches_through_the_runtime(door: Door, shared_upstream: Upstream) -> None:
    shared_upstream.reply = http(b"hello")
    assert door.fetch_external_data(f"https://{HOST}/v1/items") == b"hello"
    assert shared_upstream.received[0].startswith(b"GET /v1/items HTTP/1.1\r\n")
    fetched = door.fetch(
        f"https://{HOST}/v1/items", method="POST", headers={"content-type": "text/plain"}, body=b"x", max_size=3
    )
    assert (fetched.body, fetched.truncated) == (b"hel", True)


URLS = [
    attack
    for attack in ATTACKS
    if attack.name.startswith(("url:", "host:", "header:", "query:")) and not attack.changes
]


def test_attacks_are_denied_in_the_runtime_as_they_are_here(runtime: LambdaRuntime, shared_upstream: Upstream) -> None:
    for attack in URLS[::3]:
        answer = json.loads(runtime.invoke(json.dumps(attack.request).encode(), SYNCHRONOUS))
        assert answer.get("denied", {}).get("rule") == attack.rule, attack.name
        RESPONSE.validate(answer)
    assert len(URLS) > 80
    assert shared_upstream.connections == 0


def test_a_private_address_is_refused_in_the_runtime(door: Door) -> None:
    with pytest.raises(FetchDeniedError, match=r"resolve\.special"):
        door.fetch_external_data("https://inside.example.test/v1/x")


def test_an_asynchronous_invocation_is_refused(runtime: LambdaRuntime, shared_upstream: Upstream) -> None:
    request = json.dumps({"url": f"https://{HOST}/v1/items"}).encode()
    assert json.loads(runtime.invoke(request, None))["denied"]["rule"] == "request.asynchronous"
    assert shared_upstream.connections == 0
    assert json.loads(runtime.invoke(request, SYNCHRONOUS))["status"] == 200


def test_a_tenant_named_in_the_payload_is_ignored(runtime: LambdaRuntime, aws: Clients) -> None:
    request = {"url": f"https://{HOST}/v1/items", "tenant": "another", "DOOR_TENANT": "another", "request_id": "whose"}
    assert json.loads(runtime.invoke(json.dumps(request).encode(), SYNCHRONOUS))["status"] == 200
    assert "Contents" not in aws.s3.list_objects_v2(Bucket=AUDIT, Prefix="audit/another/")


def test_the_chain_of_all_of_it_verifies(runtime: LambdaRuntime, aws: Clients) -> None:
    runtime.invoke(json.dumps({"url": f"https://{HOST}/v1/items"}).encode(), SYNCHRONOUS)
    report = verify(AuditStore(aws.s3, aws.dynamodb, AUDIT, TABLE), TENANT)
    assert report.findings == ()
    assert report.records >= 2


CALLS = 8
"""Of a request to AWS: configuration, budget, head, then record and head twice, and the budget again."""
ENDS = [
    ("SIGKILL", "4"),  # the first record of all, and no head yet
    *(("SIGKILL", str(number)) for number in range(CALLS)),
    ("SIGKILL", "dial"),  # between the record and the fetch
    ("SIGTERM", "5"),  # between the fetch and its record
]


def test_a_process_that_is_killed_leaves_a_chain_that_says_so(
    aws: Clients, environ: dict[str, str], shared_upstream: Upstream
) -> None:
    """At every call, in processes of their own one after the other; the next writer goes on from what each left."""
    tenant, store = "killed", AuditStore(aws.s3, aws.dynamodb, AUDIT, TABLE)
    document = json.dumps(configuration(tenant=tenant)).encode()
    aws.s3.put_object(Bucket=CONFIG, Key=tenant, Body=document)
    environ = {**environ, "DOOR_TENANT": tenant, "DOOR_CONFIG_KEY": tenant}
    request = json.dumps({"url": f"https://{HOST}/v1/items"}).encode()
    unfinished = 0
    for signal, at in ENDS:
        running = LambdaRuntime("door_root.handler", {**environ, "TEST_END": f"{signal} {at}"})
        with running as dying, pytest.raises(HandlerFailedError, match="ended"):
            dying.invoke(request, SYNCHRONOUS)
        unfinished += at in {"4", "5", "dial"}  # the intent is there, its outcome is not
        report = verify(store, tenant)
        found = [finding.fault for finding in report.findings]
        assert found.count(Fault.UNFINISHED) == unfinished, (signal, at, report)
        assert set(found) <= HARMLESS, (signal, at, report)
        Chain(Store(aws.s3, aws.dynamodb, AUDIT, TABLE), tenant).append("denial", {"rule": "url.host"})
        assert {finding.fault for finding in verify(store, tenant).findings} <= {Fault.UNFINISHED}
    assert len(shared_upstream.received) == 4  # before the calls 5, 6 and 7, and once more before 5
    with LambdaRuntime("door_root.handler", environ) as alive:
        assert json.loads(alive.invoke(request, SYNCHRONOUS))["status"] == 200
    assert {finding.fault for finding in verify(store, tenant).findings} == {Fault.UNFINISHED}


def test_requests_and_answers_are_as_the_schema_says(runtime: LambdaRuntime) -> None:
    request = {
        "method": "GET",
        "url": f"https://{HOST}/v1/items",
        "headers": {},
        "body_b64": "",
        "max_bytes": 10,
        "request_id": "a",
    }
    REQUEST.validate(request)
    RESPONSE.validate(json.loads(runtime.invoke(json.dumps(request).encode(), SYNCHRONOUS)))
    for wrong in ({}, {"url": 7}, {"url": "https://x.test/", "max_bytes": 0}, {"url": "x", "method": "TRACE"}):
        assert not REQUEST.is_valid(wrong)
    assert not RESPONSE.is_valid({"status": 200})
    assert not RESPONSE.is_valid({"denied": {"rule": "no.such", "reason": ""}, "audit": None})


def test_an_unforeseen_failure_is_a_denial(environ: dict[str, str], shared_upstream: Upstream) -> None:
    """In an instance of its own, which is broken afterwards."""
    request = json.dumps({"url": f"https://{HOST}/v1/items", "break": True}).encode()
    with LambdaRuntime("door_root.handler", environ) as breaking:
        assert json.loads(breaking.invoke(request, SYNCHRONOUS)) == {
            "denied": {"rule": "door.failed", "reason": "the door failed; nothing more is known"},
            "audit": None,
        }
    assert shared_upstream.connections == 0
