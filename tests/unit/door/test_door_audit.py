"""The audit chain: whatever is done to it is found and named; crashes leave it whole; writers may race."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from door_lane import AUDIT, TABLE, Lane

from lambda_proxy.audit import Chain, Link, Store, object_key
from lambda_proxy.denial import DeniedError
from sequester.audit import AuditStore, Fault, verify


def store_of(lane: Lane) -> AuditStore:
    return AuditStore(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE)


def faults(lane: Lane) -> set[tuple[Fault, int]]:
    return {(finding.fault, finding.seq) for finding in verify(store_of(lane), lane.tenant).findings}


@pytest.fixture
def chain(lane: Lane) -> Lane:
    """A tenant with three fetches: six records."""
    for number in range(3):
        assert lane.fetch(request_id=f"r{number}").get("status") == 200
    return lane


def body(lane: Lane, seq: int) -> bytes:
    return lane.clients.s3.get_object(Bucket=AUDIT, Key=object_key(lane.tenant, seq))["Body"].read()


def put(lane: Lane, seq: int, data: bytes) -> None:
    lane.clients.s3.put_object(Bucket=AUDIT, Key=object_key(lane.tenant, seq), Body=data)


def remove_for_good(lane: Lane, seq: int) -> None:
    key = object_key(lane.tenant, seq)
    for version in lane.clients.s3.list_object_versions(Bucket=AUDIT, Prefix=key).get("Versions", []):
        lane.clients.s3.delete_object(Bucket=AUDIT, Key=key, VersionId=version.get("VersionId", ""))


def changed(data: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(data), **fields}, sort_keys=True, separators=(",", ":")).encode()


def rewrite(lane: Lane, seq: int, data: bytes) -> None:
    """As an administrator without the lock would: the original version is gone."""
    remove_for_good(lane, seq)
    put(lane, seq, data)


def swap(lane: Lane, one: int, other: int) -> None:
    first, second = body(lane, one), body(lane, other)
    rewrite(lane, one, second)
    rewrite(lane, other, first)


def set_head(lane: Lane, seq: int) -> None:
    lane.clients.dynamodb.put_item(
        TableName=TABLE,
        Item={
            "tenant": {"S": lane.tenant},
            "item": {"S": "head"},
            "seq": {"N": str(seq)},
            "hash": {"S": hashlib.sha256(body(lane, seq)).hexdigest()},
            "signature": {"S": ""},
        },
    )


TAMPERING: dict[str, tuple[Callable[[Lane], object], set[tuple[Fault, int]]]] = {
    "an edit over a record": (lambda c: put(c, 3, changed(body(c, 3), host="x.example.test")), {(Fault.FORKED, 3)}),
    "an edit in place": (lambda c: rewrite(c, 3, changed(body(c, 3), host="x.example.test")), {(Fault.EDITED, 3)}),
    "an edit of the last": (lambda c: rewrite(c, 6, changed(body(c, 6), status=204)), {(Fault.EDITED, 6)}),
    "nonsense over a record": (lambda c: put(c, 4, b"nonsense"), {(Fault.EDITED, 4)}),
    "a delete marker": (
        lambda c: c.clients.s3.delete_object(Bucket=AUDIT, Key=object_key(c.tenant, 2)),
        {(Fault.DELETED, 2)},
    ),
    "a record gone": (lambda c: remove_for_good(c, 4), {(Fault.DELETED, 4), (Fault.UNFINISHED, 3)}),
    "the last records gone": (
        lambda c: [remove_for_good(c, seq) for seq in (5, 6)],
        {(Fault.TRUNCATED, 4)},
    ),
    "the last record hidden": (
        lambda c: c.clients.s3.delete_object(Bucket=AUDIT, Key=object_key(c.tenant, 6)),
        {(Fault.DELETED, 6)},
    ),
    "a fork": (
        lambda c: put(c, 6, changed(body(c, 6), status=500)),
        {(Fault.FORKED, 6)},
    ),
    "a foreign object": (
        lambda c: c.clients.s3.put_object(Bucket=AUDIT, Key=f"audit/{c.tenant}/notes.txt", Body=b"x"),
        {(Fault.FOREIGN, 0)},
    ),
    "the head taken away": (
        lambda c: c.clients.dynamodb.delete_item(
            TableName=TABLE, Key={"tenant": {"S": c.tenant}, "item": {"S": "head"}}
        ),
        {(Fault.HEAD_FORGED, 0)},
    ),
}


def test_an_untouched_chain_verifies(chain: Lane) -> None:
    report = verify(store_of(chain), chain.tenant)
    assert (report.intact, report.records, report.findings) == (True, 6, ())


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_and_named(chain: Lane, name: str) -> None:
    tamper, expected = TAMPERING[name]
    tamper(chain)
    assert expected <= faults(chain)
    assert not verify(store_of(chain), chain.tenant).intact


def test_a_reorder_is_found_and_named(chain: Lane) -> None:
    swap(chain, 3, 4)
    assert {(Fault.REORDERED, 3), (Fault.REORDERED, 4)} <= faults(chain)


def test_a_chain_cut_together_with_its_head_shows_only_by_the_signature(chain: Lane) -> None:
    key = chain.clients.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"].get("Arn", "")
    signing = Store(chain.clients.s3, chain.clients.dynamodb, AUDIT, TABLE, lambda: chain.clients.kms, key)
    Chain(signing, chain.tenant).append("denial", {"rule": "url.host"})
    signed = replace(store_of(chain), kms=chain.clients.kms, signing_key=key)
    assert verify(signed, chain.tenant).intact
    for seq in (5, 6, 7):
        remove_for_good(chain, seq)
    set_head(chain, 4)
    assert verify(store_of(chain), chain.tenant).intact  # without the signature nothing shows
    assert {finding.fault for finding in verify(signed, chain.tenant).findings} == {Fault.HEAD_FORGED}


def test_the_next_writer_helps_one_that_died_before_the_head(lane: Lane) -> None:
    lane.fetch()
    store = Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE)
    dying = Chain(store, lane.tenant)
    dying._move_head = lambda link: (_ for _ in ()).throw(OSError("killed"))  # type: ignore[method-assign]
    with pytest.raises(DeniedError, match=r"audit\.unavailable"):
        dying.append("denial", {"rule": "url.host"})
    assert faults(lane) == {(Fault.HEAD_BEHIND, 0)}
    lane.restart()
    assert lane.fetch()["audit"]["seq"] == 5
    assert faults(lane) == set()


def test_a_crash_between_intent_and_outcome_is_named(lane: Lane) -> None:
    lane.fetch()
    Chain(Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE), lane.tenant).append("intent", {"host": "h"})
    report = verify(store_of(lane), lane.tenant)
    assert [(finding.fault, finding.seq) for finding in report.findings] == [(Fault.UNFINISHED, 3)]
    assert report.intact


def test_a_writer_refuses_to_go_on_from_a_broken_chain(chain: Lane) -> None:
    rewrite(chain, 6, changed(body(chain, 6), prev="f" * 64))
    set_head(chain, 5)
    chain.restart()
    before = chain.upstream.connections
    assert chain.fetch()["denied"]["rule"] == "audit.unavailable"
    assert chain.upstream.connections == before


def test_writers_that_race_make_one_chain(lane: Lane, moto_lock: threading.Lock) -> None:
    chains = [Chain(Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE), lane.tenant) for _ in range(8)]
    links: list[Link] = []

    def write(chain: Chain) -> None:
        for _ in range(4):
            links.append(chain.append("denial", {"rule": "url.host"}))

    threads = [threading.Thread(target=write, args=(chain,)) for chain in chains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(link.seq for link in links) == list(range(1, 33))
    assert verify(store_of(lane), lane.tenant).findings == ()


def test_no_condition_no_chain(lane: Lane) -> None:
    """Positive control: writers that do not ask for an unused number overwrite one another, and that shows."""
    store = Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE)
    unconditional = lane.clients.s3.put_object

    class Careless:
        def put_object(self, **request: object) -> object:
            request.pop("IfNoneMatch")
            return unconditional(**request)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(lane.clients.s3, name)

    for rule in ("url.host", "url.path"):
        careless = Chain(replace(store, s3=Careless()), lane.tenant)  # type: ignore[arg-type]
        careless._head = lambda: Link(0, "0" * 64)  # type: ignore[method-assign]
        careless.append("denial", {"rule": rule})
    assert Fault.FORKED in {fault for fault, _ in faults(lane)}
