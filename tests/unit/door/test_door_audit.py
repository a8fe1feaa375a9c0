"""The audit chain: whatever is done to it is found and named; crashes leave it whole; writers may race."""

import threading
from dataclasses import replace

import pytest
from door_lane import AUDIT, TABLE, Lane

from lambda_proxy.audit import _ATTEMPTS, Chain, Link, Store
from lambda_proxy.denial import DeniedError
from sequester.audit import AuditStore, Fault, verify
from sequester.tampering import TAMPERINGS, Tampering, changed, copied, key, read, remove, rewrite, set_head


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


def test_an_untouched_chain_verifies(chain: Lane) -> None:
    report = verify(store_of(chain), chain.tenant)
    assert (report.intact, report.records, report.findings) == (True, 6, ())


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda t: t.what)
def test_tampering_is_found_and_named(chain: Lane, tampering: Tampering) -> None:
    signed = with_signed_head(chain)
    copy = copied(signed, chain.tenant)
    assert verify(copy, chain.tenant).findings == (), "a copy is a chain as good as the original"
    tampering.act(copy, chain.tenant)
    report = verify(copy, chain.tenant)
    assert tampering.faults <= {finding.fault for finding in report.findings}
    assert not report.intact


def with_signed_head(chain: Lane) -> AuditStore:
    """One record more, whose head is signed."""
    key = chain.clients.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"].get("Arn", "")
    signing = Store(chain.clients.s3, chain.clients.dynamodb, AUDIT, TABLE, lambda: chain.clients.kms, key)
    Chain(signing, chain.tenant).append("denial", {"rule": "url.host"})
    return replace(store_of(chain), kms=chain.clients.kms, signing_key=key)


def test_a_chain_cut_together_with_its_head_shows_only_by_the_signature(chain: Lane) -> None:
    signed = with_signed_head(chain)
    assert verify(signed, chain.tenant).intact
    remove(signed, chain.tenant, 5, 6, 7)
    set_head(signed, chain.tenant, 4)
    assert verify(store_of(chain), chain.tenant).intact  # without the signature nothing shows
    assert {finding.fault for finding in verify(signed, chain.tenant).findings} == {Fault.HEAD_FORGED}


def test_a_chain_cut_back_to_a_head_that_was_signed_shows_only_to_who_remembers(chain: Lane) -> None:
    signed = with_signed_head(chain)
    head = {"tenant": {"S": chain.tenant}, "item": {"S": "head"}}
    old = chain.clients.dynamodb.get_item(TableName=TABLE, Key=head).get("Item", {})
    chain.fetch()
    remembered = verify(signed, chain.tenant).last
    remove(signed, chain.tenant, 8, 9)
    chain.clients.dynamodb.put_item(TableName=TABLE, Item=old)
    assert verify(signed, chain.tenant).intact
    (finding,) = verify(signed, chain.tenant, remembered).findings
    assert (finding.fault, finding.seq) == (Fault.TRUNCATED, 9)


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
    store = store_of(chain)
    rewrite(store, chain.tenant, 6, changed(read(store, key(chain.tenant, 6)), prev="f" * 64))
    set_head(store, chain.tenant, 5)
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


def test_a_writer_left_far_behind_goes_on_from_the_head(lane: Lane) -> None:
    """An instance that was idle while others wrote; it does not read what they wrote one by one."""
    store = Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE)
    idle, busy = Chain(store, lane.tenant), Chain(store, lane.tenant)
    idle.append("denial", {"rule": "url.host"})
    for _ in range(_ATTEMPTS + 6):
        busy.append("denial", {"rule": "url.host"})
    assert idle.append("denial", {"rule": "url.host"}).seq == _ATTEMPTS + 8
    assert faults(lane) == set()


def test_a_writer_does_not_go_on_from_a_head_that_is_behind(lane: Lane) -> None:
    """Counterpart: writers died before they moved it, and the records after it are followed one by one."""
    store = Store(lane.clients.s3, lane.clients.dynamodb, AUDIT, TABLE)
    idle, dying = Chain(store, lane.tenant), Chain(store, lane.tenant)
    idle.append("denial", {"rule": "url.host"})
    dying._move_head = lambda link: None  # type: ignore[method-assign]
    for _ in range(4):
        dying.append("denial", {"rule": "url.host"})
    assert idle.append("denial", {"rule": "url.host"}).seq == 6
    assert faults(lane) == set()


@pytest.mark.parametrize(
    "record", [b"", b"[]", b"7", b"null", b"\xff", b"[" * 100_000, b'{"seq": 7}', b"{}" + b" " * 10**6]
)
def test_a_writer_does_not_follow_what_is_no_record(chain: Lane, record: bytes) -> None:
    store = store_of(chain)
    rewrite(store, chain.tenant, 6, record)
    set_head(store, chain.tenant, 5)
    chain.restart()
    before = chain.upstream.connections
    assert chain.fetch()["denied"]["rule"] == "audit.unavailable"
    assert chain.upstream.connections == before


HEADS: dict[str, dict[str, dict[str, str]]] = {
    "no hash": {"seq": {"N": "6"}},
    "a hash that is none": {"seq": {"N": "6"}, "hash": {"S": "F" * 64}},
    "no number": {"hash": {"S": "0" * 64}},
    "a number as text": {"seq": {"S": "6"}, "hash": {"S": "0" * 64}},
    "half a number": {"seq": {"N": "6.5"}, "hash": {"S": "0" * 64}},
    "before the first": {"seq": {"N": "0"}, "hash": {"S": "0" * 64}},
    "less than nothing": {"seq": {"N": "-6"}, "hash": {"S": "0" * 64}},
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_writer_does_not_go_on_from_a_head_that_is_none(chain: Lane, head: dict[str, dict[str, str]]) -> None:
    item = {"tenant": {"S": chain.tenant}, "item": {"S": "head"}, **head}
    chain.clients.dynamodb.put_item(TableName=TABLE, Item=item)  # type: ignore[arg-type]
    chain.restart()
    before = chain.upstream.connections
    assert chain.fetch()["denied"]["rule"] == "audit.unavailable"
    assert chain.upstream.connections == before
    assert len(chain.records()) == 6
    found = verify(store_of(chain), chain.tenant)
    assert not found.intact, found


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
