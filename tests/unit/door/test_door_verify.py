"""Verification itself: what cannot be read is no verdict, a door may be at work meanwhile, and chains may be long."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import door_lane
import pytest
from door_lane import AUDIT, TABLE, Lane
from door_wire import FAILURES, NO_ERRORS, Failure, Wire, error
from test_door_audit import chain, store_of, with_signed_head

from lambda_proxy.audit import Chain, Store, encode
from lambda_proxy.handler import Clients
from sequester.audit import AuditStore, Fault, UnreadableError, verify
from sequester.tampering import key, put, remove, set_head

__all__ = ["chain"]


def over(wire: Wire, store: AuditStore) -> AuditStore:
    clients = Clients(wire.under(door_lane.session()))
    return replace(store, s3=clients.s3, dynamodb=clients.dynamodb, kms=clients.kms)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("botocore.retryhandler.delay_exponential", lambda *_, **__: 0)


@pytest.mark.parametrize("failure", FAILURES)
def test_what_cannot_be_read_is_no_verdict(chain: Lane, failure: str) -> None:
    """At each call in turn: two heads, the list, seven records, two signatures."""
    wire = Wire()
    store = over(wire, with_signed_head(chain))
    assert verify(store, chain.tenant).findings == ()
    calls = list(wire.calls)
    assert len(calls) >= 11
    for first, call in enumerate(calls):
        wire.begin(FAILURES[failure], lambda number, _, first=first: number == first)
        try:
            found = verify(store, chain.tenant)
        except UnreadableError as unreadable:
            assert "cannot be read" in str(unreadable), call
        else:
            assert failure in NO_ERRORS, (call, found)
            # A head may appear while the records are read: these were the first ones.
            assert not found.intact or (first, failure) == (0, "nothing"), (call, found)


def test_a_signature_that_is_none_is_told_from_a_key_that_may_not_be_used(chain: Lane) -> None:
    wire = Wire()
    store = over(wire, with_signed_head(chain))

    def said_by_kms(failure: Failure) -> set[Fault]:
        wire.begin(failure, lambda number, _: wire.calls[number] == "kms Verify")
        return {finding.fault for finding in verify(store, chain.tenant).findings}

    assert said_by_kms(error(400, "KMSInvalidSignatureException")) == {Fault.HEAD_FORGED}
    for refused in ("AccessDeniedException", "DisabledException", "NotFoundException"):
        with pytest.raises(UnreadableError, match=refused):
            said_by_kms(error(400, refused))


@pytest.mark.parametrize("when", ["before-call", "after-call"])
def test_a_door_at_work_meanwhile_does_no_harm(chain: Lane, when: str) -> None:
    clients = Clients(door_lane.session())
    writer = Chain(Store(chain.clients.s3, chain.clients.dynamodb, AUDIT, TABLE), chain.tenant)

    def write(**_: object) -> None:
        writer.append("denial", {"rule": "url.host"})

    clients.s3.meta.events.register(f"{when}.s3.ListObjectVersions", write)
    report = verify(AuditStore(clients.s3, clients.dynamodb, AUDIT, TABLE), chain.tenant)
    assert (report.findings, report.records) == ((), 7 if when == "before-call" else 6)


def test_a_chain_of_many_pages(chain: Lane) -> None:
    wire = Wire()
    store = over(wire, store_of(chain))
    event = "provide-client-params.s3.ListObjectVersions"
    cast("Any", store.s3).meta.events.register(event, lambda params, **_: {**params, "MaxKeys": 2})
    report = verify(store, chain.tenant)
    assert (report.findings, report.records) == ((), 6)
    assert wire.calls.count("s3 ListObjectVersions") == 3
    remove(store, chain.tenant, 2, 5)
    report = verify(store, chain.tenant)
    assert [finding.seq for finding in report.findings if finding.fault is Fault.DELETED] == [2, 5]
    assert report.first_break == 2


def _as(**changes: object) -> Callable[[dict[str, object]], bytes]:
    return lambda record: json.dumps({**record, **changes}, sort_keys=True, separators=(",", ":")).encode()


def _without(name: str) -> Callable[[dict[str, object]], bytes]:
    return lambda record: json.dumps(
        {k: v for k, v in record.items() if k != name}, sort_keys=True, separators=(",", ":")
    ).encode()


# A last record that follows the one before it, and the head moved to it: only what it says is wrong.
LAST_RECORDS: dict[str, Callable[[dict[str, object]], bytes]] = {
    **{f"without {name}": _without(name) for name in ("v", "tenant", "seq", "prev", "at", "kind", "id")},
    "of version 2": _as(v=2),
    "of version true": _as(v=True),
    "a number as text": _as(seq="6"),
    "a number with a fraction": _as(seq=6.0),
    "a large number": _as(seq=10**400),
    "a time that is none": _as(at=float("nan")),
    "a kind that is none": _as(kind="fetch"),
    "a value that is no value": _as(host=["a"]),
    "an end of a later request": _as(kind="outcome", intent=7),
    "an end of a request that ended": _as(kind="outcome", intent=1),
    "an end of true": _as(kind="outcome", intent=True),
    "with spaces": lambda record: json.dumps(record, sort_keys=True).encode(),
    "in another order": lambda record: json.dumps(dict(reversed(record.items())), separators=(",", ":")).encode(),
    "in UTF-16": lambda record: json.dumps(record, sort_keys=True, separators=(",", ":")).encode("utf-16"),
    "with a key twice": lambda record: b'{"at":0,' + encode(record)[1:],  # type: ignore[arg-type]
    "empty": lambda _record: b"",
    "null": lambda _record: b"null",
    "too long": _as(host="x" * 100_000),
}


@pytest.mark.parametrize("written", LAST_RECORDS.values(), ids=LAST_RECORDS)
def test_a_last_record_that_no_door_writes_is_found(chain: Lane, written: Callable[[dict[str, object]], bytes]) -> None:
    store, record = store_of(chain), chain.records()[-1]
    for body, touched in ((encode(record), False), (written(record), True)):
        remove(store, chain.tenant, 6)
        put(store, key(chain.tenant, 6), body)
        set_head(store, chain.tenant, 6)
        report = verify(store, chain.tenant)
        assert report.intact != touched, report
        assert (report.first_break == 6) == touched


def test_nothing_yet_is_a_chain_too(lane: Lane) -> None:
    report = verify(store_of(lane), lane.tenant)
    assert (report.intact, report.last) == (True, (0, "0" * 64))
    lane.fetch()
    assert verify(store_of(lane), lane.tenant, report.last).intact
    assert not verify(store_of(lane), lane.tenant, (0, "1" * 64)).intact


def test_what_others_wrote_cannot_speak_for_the_verifier(lane: Lane) -> None:
    verdict = f"\n\x1b[2K{lane.tenant}: nobody touched the chain"
    writer = Chain(Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE), lane.tenant)
    writer.append("intent", {"host": verdict + "x" * 10_000})
    (finding,) = verify(store_of(lane), lane.tenant).findings
    assert finding.detail.isprintable()
    assert len(finding.detail) < 250
