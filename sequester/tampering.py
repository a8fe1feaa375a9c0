"""What can be done to an audit chain by who has power over its bucket and its table: each must be found by `verify`."""

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sequester.audit import AuditStore, Fault

AT: Final = 3
"""The record that is tampered with; a chain needs at least two more."""


@dataclass(frozen=True)
class Tampering:
    """`act` does it to a tenant's chain; `faults` are what it must be called, one of them at least."""

    what: str
    act: Callable[[AuditStore, str], None]
    faults: frozenset[Fault]


def key(tenant: str, seq: int) -> str:
    return f"audit/{tenant}/{seq:016d}.json"


def copied(store: AuditStore, tenant: str) -> AuditStore:
    """The same chain in a bucket and a table without any protection."""
    name = f"copy-{secrets.token_hex(8)}"
    copy = replace(store, bucket=name, table=name)
    store.s3.create_bucket(Bucket=name)
    store.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for page in store.s3.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=f"audit/{tenant}/"):
        for entry in page.get("Contents", []):
            put(copy, entry.get("Key", ""), read(store, entry.get("Key", "")))
    described = store.dynamodb.describe_table(TableName=store.table)["Table"]
    store.dynamodb.create_table(
        TableName=name,
        KeySchema=described.get("KeySchema", []),
        AttributeDefinitions=described.get("AttributeDefinitions", []),
        BillingMode="PAY_PER_REQUEST",
    )
    head = store.dynamodb.get_item(TableName=store.table, Key={"tenant": {"S": tenant}, "item": {"S": "head"}})
    store.dynamodb.put_item(TableName=name, Item=head.get("Item", {}))
    return copy


def read(store: AuditStore, name: str) -> bytes:
    return store.s3.get_object(Bucket=store.bucket, Key=name)["Body"].read()


def put(store: AuditStore, name: str, body: bytes) -> None:
    store.s3.put_object(Bucket=store.bucket, Key=name, Body=body)


def remove(store: AuditStore, tenant: str, *numbers: int) -> None:
    """Every version of these records."""
    for seq in numbers:
        name = key(tenant, seq)
        for version in store.s3.list_object_versions(Bucket=store.bucket, Prefix=name).get("Versions", []):
            store.s3.delete_object(Bucket=store.bucket, Key=name, VersionId=version.get("VersionId", ""))


def rewrite(store: AuditStore, tenant: str, seq: int, body: bytes) -> None:
    """In place: the version that was there is gone."""
    remove(store, tenant, seq)
    put(store, key(tenant, seq), body)


def changed(body: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(body), **fields}, sort_keys=True, separators=(",", ":")).encode()


def last(store: AuditStore, tenant: str) -> int:
    """The number of the last record."""
    pages = store.s3.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=f"audit/{tenant}/")
    return max(int(e.get("Key", "")[-21:-5]) for page in pages for e in page.get("Contents", []))


def set_head(store: AuditStore, tenant: str, seq: int) -> None:
    """Say that the chain ends at `seq`: without the key, unsigned."""
    digest = hashlib.sha256(read(store, key(tenant, seq))).hexdigest()
    item = {"seq": {"N": str(seq)}, "hash": {"S": digest}, "signature": {"S": ""}}
    store.dynamodb.put_item(TableName=store.table, Item={"tenant": {"S": tenant}, "item": {"S": "head"}, **item})


def _edit_over(store: AuditStore, tenant: str) -> None:
    name = key(tenant, AT)
    put(store, name, changed(read(store, name), host="x.example.test"))


def _edit(store: AuditStore, tenant: str) -> None:
    rewrite(store, tenant, AT, changed(read(store, key(tenant, AT)), host="x.example.test"))


def _edit_last(store: AuditStore, tenant: str) -> None:
    seq = last(store, tenant)
    rewrite(store, tenant, seq, changed(read(store, key(tenant, seq)), at="1970-01-01T00:00:00Z"))


def _nonsense(store: AuditStore, tenant: str) -> None:
    put(store, key(tenant, AT), b"nonsense")


def _marker(store: AuditStore, tenant: str) -> None:
    store.s3.delete_object(Bucket=store.bucket, Key=key(tenant, AT))


def _gone(store: AuditStore, tenant: str) -> None:
    remove(store, tenant, AT)


def _hide_last(store: AuditStore, tenant: str) -> None:
    store.s3.delete_object(Bucket=store.bucket, Key=key(tenant, last(store, tenant)))


def _swap(store: AuditStore, tenant: str) -> None:
    first, second = (read(store, key(tenant, seq)) for seq in (AT, AT + 1))
    rewrite(store, tenant, AT, second)
    rewrite(store, tenant, AT + 1, first)


def _cut(store: AuditStore, tenant: str) -> None:
    end = last(store, tenant)
    remove(store, tenant, end - 1, end)


def _cut_with_head(store: AuditStore, tenant: str) -> None:
    _cut(store, tenant)
    set_head(store, tenant, last(store, tenant))


def _fork(store: AuditStore, tenant: str) -> None:
    end = key(tenant, last(store, tenant))
    put(store, end, changed(read(store, end), status=500))


def _foreign(store: AuditStore, tenant: str) -> None:
    put(store, f"audit/{tenant}/notes.txt", b"x")


def _headless(store: AuditStore, tenant: str) -> None:
    store.dynamodb.delete_item(TableName=store.table, Key={"tenant": {"S": tenant}, "item": {"S": "head"}})


def _far(store: AuditStore, tenant: str) -> None:
    put(store, key(tenant, 10**16 - 1), read(store, key(tenant, AT)))


def _odd_outcome(store: AuditStore, tenant: str) -> None:
    rewrite(store, tenant, AT, changed(read(store, key(tenant, AT)), kind="outcome", intent="none"))


def _deep(store: AuditStore, tenant: str) -> None:
    put(store, key(tenant, AT), b"[" * 100_000)


def _another_s(store: AuditStore, tenant: str) -> None:
    end = last(store, tenant)
    rewrite(store, tenant, end, changed(read(store, key(tenant, end)), tenant="another"))


def _head_without_hash(store: AuditStore, tenant: str) -> None:
    item = {"tenant": {"S": tenant}, "item": {"S": "head"}, "seq": {"N": str(last(store, tenant))}}
    store.dynamodb.put_item(TableName=store.table, Item=item)


def _head_of_none(store: AuditStore, tenant: str) -> None:
    item = {"tenant": {"S": tenant}, "item": {"S": "head"}, "seq": {"N": "0"}, "hash": {"S": "0" * 64}}
    store.dynamodb.put_item(TableName=store.table, Item=item)


def _number_zero(store: AuditStore, tenant: str) -> None:
    put(store, key(tenant, 0), read(store, key(tenant, AT)))


def _written_otherwise(store: AuditStore, tenant: str) -> None:
    """The last record with a key twice, and the head moved to it: every hash is right."""
    seq = last(store, tenant)
    rewrite(store, tenant, seq, b'{"rule":"x",' + read(store, key(tenant, seq))[1:])
    set_head(store, tenant, seq)


def _large(store: AuditStore, tenant: str) -> None:
    rewrite(store, tenant, AT, read(store, key(tenant, AT)) + b" " * 1_000_000)


def _ended_twice(store: AuditStore, tenant: str) -> None:
    """A record that follows the last one, and says that a request ended which nobody made."""
    seq = last(store, tenant)
    end = read(store, key(tenant, seq))
    prev = hashlib.sha256(end).hexdigest()
    put(store, key(tenant, seq + 1), changed(end, seq=seq + 1, prev=prev, kind="outcome", intent=1))
    set_head(store, tenant, seq + 1)


def _name_of_two_lines(store: AuditStore, tenant: str) -> None:
    put(store, f"audit/{tenant}/x\n{tenant}: nobody touched the chain", b"x")


def _emptied(store: AuditStore, tenant: str) -> None:
    remove(store, tenant, *range(1, last(store, tenant) + 1))


TAMPERINGS: Sequence[Tampering] = (
    Tampering("an edit put over a record", _edit_over, frozenset({Fault.FORKED})),
    Tampering("an edit in place", _edit, frozenset({Fault.EDITED})),
    Tampering("an edit of the last record", _edit_last, frozenset({Fault.EDITED})),
    Tampering("nonsense put over a record", _nonsense, frozenset({Fault.EDITED})),
    Tampering("a delete marker", _marker, frozenset({Fault.DELETED})),
    Tampering("a record gone", _gone, frozenset({Fault.DELETED})),
    Tampering("the last record hidden", _hide_last, frozenset({Fault.DELETED})),
    Tampering("two records swapped", _swap, frozenset({Fault.REORDERED})),
    Tampering("the end cut off", _cut, frozenset({Fault.TRUNCATED})),
    Tampering("the end cut off, and the head set back", _cut_with_head, frozenset({Fault.HEAD_FORGED})),
    Tampering("a second last record", _fork, frozenset({Fault.FORKED})),
    Tampering("an object that is no record", _foreign, frozenset({Fault.FOREIGN})),
    Tampering("the head taken away", _headless, frozenset({Fault.HEAD_FORGED})),
    Tampering("a record put far beyond the end", _far, frozenset({Fault.DELETED})),
    Tampering("an outcome of no intent", _odd_outcome, frozenset({Fault.EDITED})),
    Tampering("a record that nests too deep to be read", _deep, frozenset({Fault.EDITED})),
    Tampering("another tenant's record", _another_s, frozenset({Fault.FOREIGN})),
    Tampering("a head without a hash", _head_without_hash, frozenset({Fault.HEAD_FORGED})),
    Tampering("a head before the first record", _head_of_none, frozenset({Fault.HEAD_FORGED})),
    Tampering("a record of number zero", _number_zero, frozenset({Fault.FOREIGN})),
    Tampering("a last record with two readings", _written_otherwise, frozenset({Fault.EDITED})),
    Tampering("a record of a megabyte", _large, frozenset({Fault.EDITED})),
    Tampering("the end of a request that has none", _ended_twice, frozenset({Fault.FOREIGN})),
    Tampering("a name that looks like a verdict", _name_of_two_lines, frozenset({Fault.FOREIGN})),
    Tampering("every record gone", _emptied, frozenset({Fault.TRUNCATED})),
)
