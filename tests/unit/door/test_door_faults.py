"""Fault injection: a failure at any AWS call or stage is a denial, nothing leaves unrecorded, the chain holds."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from door_lane import AUDIT, HOST, TABLE, Lane, configuration, put_secret

from lambda_proxy.handler import Clients
from sequester.audit import AuditStore, Fault, verify

Failure = Callable[[str], Exception]


def throttled(operation: str) -> Exception:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, operation)


def refused(operation: str) -> Exception:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)


def internal(operation: str) -> Exception:
    return ClientError({"Error": {"Code": "InternalServerError", "Message": "?"}}, operation)


def timed_out(operation: str) -> Exception:
    return ConnectTimeoutError(endpoint_url=operation)


def unreachable(operation: str) -> Exception:
    return EndpointConnectionError(endpoint_url=operation)


FAILURES: dict[str, Failure] = {f.__name__: f for f in (throttled, refused, internal, timed_out, unreachable)}
# What a request that uses everything calls, in order: service, operation, how often before it is counted, the rule.
CALLS: list[tuple[str, str, int, str]] = [
    ("s3", "GetObject", 0, "door.config"),
    ("dynamodb", "TransactWriteItems", 0, "budget.unavailable"),
    ("secretsmanager", "GetSecretValue", 0, "door.credential"),
    ("secretsmanager", "GetSecretValue", 1, "door.credential"),
    ("dynamodb", "GetItem", 0, "audit.unavailable"),
    ("s3", "PutObject", 0, "audit.unavailable"),
    ("dynamodb", "UpdateItem", 0, "audit.unavailable"),
    ("s3", "PutObject", 1, "audit.unavailable"),
    ("dynamodb", "UpdateItem", 1, "audit.unavailable"),
]
AFTER_SENDING = {("s3", "PutObject", 1), ("dynamodb", "UpdateItem", 1)}


@contextmanager
def failing(clients: Clients, service: str, operation: str, after: int, failure: Failure) -> Generator[list[str]]:
    """Every call of the operation after the first `after` fails; yields the operations that were tried."""
    client: Any = getattr(clients, service)
    tried: list[str] = []

    def fail(**_: object) -> None:
        tried.append(operation)
        if len(tried) > after:
            raise failure(operation)

    event = f"provide-client-params.{service.replace('secretsmanager', 'secrets-manager')}.{operation}"
    client.meta.events.register(event, fail)
    try:
        yield tried
    finally:
        client.meta.events.unregister(event, fail)


@pytest.fixture
def full(lane: Lane) -> Lane:
    """A tenant that uses everything: a credential, canaries, a configuration."""
    credential = put_secret(lane.clients, f"{lane.tenant}/token", "fault-lane-" + "Qw81Er27Ty34")
    canaries = put_secret(lane.clients, f"{lane.tenant}/canaries", '{"one": "canary-' + "Zx12Cv34Bn56Mq78" + '"}')
    lane.configure(
        configuration(
            canaries=canaries,
            credentials={HOST: {"secret": credential, "header": "Authorization", "prefix": "Bearer "}},
        )
    )
    assert lane.fetch()["status"] == 200
    lane.restart()
    lane.upstream.reset()
    return lane


def report(lane: Lane) -> set[Fault]:
    found = verify(AuditStore(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE), lane.tenant)
    assert found.intact, found
    return {finding.fault for finding in found.findings}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("service", "operation", "after", "rule"), CALLS, ids=lambda v: str(v))
def test_every_aws_call_fails_closed(
    full: Lane, service: str, operation: str, after: int, rule: str, failure: str
) -> None:
    with failing(full.clients, service, operation, after, FAILURES[failure]) as tried:
        answer = full.fetch()
    assert len(tried) > after, "the call was never made: the row proves nothing"
    assert answer["denied"]["rule"] == rule, answer
    sent = (service, operation, after) in AFTER_SENDING
    assert len(full.upstream.received) == int(sent)
    intents = [record for record in full.records()[2:] if record["kind"] == "intent"]
    assert len(full.upstream.received) <= len(intents)
    assert report(full) <= {Fault.UNFINISHED, Fault.HEAD_BEHIND}
    assert full.fetch()["status"] == 200  # and when it works again, so does the door


def test_a_window_that_cannot_be_kept_denies(full: Lane) -> None:
    part = "zx12cv34bn"
    assert full.fetch()["status"] == 200  # from here on the chain's head is known to the instance
    with failing(full.clients, "dynamodb", "GetItem", 0, throttled):
        assert full.fetch(f"https://{HOST}/v1/x?q={part}")["denied"]["rule"] == "inspect.unavailable"
    assert len(full.upstream.received) == 1


def test_a_conflict_is_tried_again_and_then_denied(lane: Lane) -> None:
    def conflict(operation: str) -> Exception:
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
        response: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        return ClientError(response, operation)

    with failing(lane.clients, "dynamodb", "TransactWriteItems", 0, conflict) as tried:
        assert lane.fetch()["denied"]["rule"] == "budget.unavailable"
    assert len(tried) == 8


def test_settling_that_fails_leaves_the_tenant_with_less_never_more(lane: Lane) -> None:
    with failing(lane.clients, "dynamodb", "TransactWriteItems", 1, throttled) as tried:
        assert lane.fetch(max_bytes=5000)["status"] == 200
    assert len(tried) == 2
    items = lane.items()
    (kept,) = [item for item in items if str(item["item"].get("S")).startswith("in#all")]
    assert kept["spent"].get("N") == "5000"


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


@pytest.mark.parametrize("reply", [b"", HALF[:20], HALF], ids=["nothing", "half a head", "half a body"])
def test_an_upstream_that_breaks_off_leaves_an_outcome(lane: Lane, reply: bytes) -> None:
    lane.upstream.reply = reply
    assert lane.fetch()["denied"]["rule"] == "response.malformed"
    intent, outcome = lane.records()
    assert (outcome["intent"], outcome["rule"]) == (intent["seq"], "response.malformed")
    assert report(lane) == set()


def test_a_lost_answer_to_a_put_does_not_record_twice(lane: Lane) -> None:
    """S3 wrote the record, the answer was lost, the SDK tried again and was told that it exists: it is ours."""
    client = lane.clients.s3
    plain = client.put_object

    class Lossy:
        def put_object(self, **request: object) -> object:
            plain(**request)  # type: ignore[arg-type]
            return plain(**request)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(client, name)

    lane.door.chain._store = replace(lane.door.chain._store, s3=Lossy())  # type: ignore[arg-type]
    assert lane.fetch()["status"] == 200
    assert [record["kind"] for record in lane.records()] == ["intent", "outcome"]
