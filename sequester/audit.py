"""Verify a tenant's audit chain: name each edit, deletion, reorder, truncation, fork and fetch without an end.

It shares no code with the door: records are read back from S3 with all their versions, hashed anew, and held against
the head that DynamoDB keeps (and KMS signed). `sequester audit verify` prints what `verify` finds.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

_GENESIS: Final = "0" * 64
_KEY: Final = re.compile(r"audit/(?P<tenant>[^/]+)/(?P<seq>[0-9]{16})\.json\Z")


class Fault(StrEnum):
    """What can be wrong with a chain. Only UNFINISHED and HEAD_BEHIND can come of a crash."""

    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    FORKED = "forked"
    FOREIGN = "foreign"
    HEAD_FORGED = "head forged"
    UNFINISHED = "unfinished"
    HEAD_BEHIND = "head behind"


HARMLESS: Final = frozenset({Fault.UNFINISHED, Fault.HEAD_BEHIND})
"""Faults that a crash explains: whoever verifies should know of them, but nobody has touched the chain."""


@dataclass(frozen=True)
class Finding:
    """One fault at one record (`seq`; 0 is the head)."""

    fault: Fault
    seq: int
    detail: str


@dataclass(frozen=True)
class Report:
    """What verification found. `records`: how many were read; `last`: number and hash of the last one that chains."""

    tenant: str
    records: int
    last: tuple[int, str]
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        """Whether nobody has touched the chain."""
        return all(finding.fault in HARMLESS for finding in self.findings)


@dataclass(frozen=True)
class AuditStore:
    """Where chains lie. kms and signing_key: to check the head's signature, where heads are signed."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    bucket: str
    table: str
    kms: "KMSClient | None" = None
    signing_key: str | None = None


@dataclass(frozen=True)
class _Version:
    """One version of one record: `body` as it lies there."""

    seq: int
    body: bytes

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def fields(self) -> dict[str, object]:
        """The record, empty if it is no JSON object."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, object]", value) if isinstance(value, dict) else {}


@dataclass(frozen=True)
class _Head:
    seq: int
    hash: str
    signature: str


def verify(store: AuditStore, tenant: str, known: tuple[int, str] | None = None) -> Report:
    """Read the whole chain and name what is wrong with it. Raises ClientError if it cannot be read.

    known: number and hash of a record that an earlier verification saw. A head that was signed once verifies for ever,
    so that only this shows a chain which was cut back to it.
    """
    versions, findings = _read(store, tenant)
    by_seq: dict[int, list[_Version]] = {}
    for version in versions:
        by_seq.setdefault(version.seq, []).append(version)
    last = (0, _GENESIS)
    opened: dict[int, str] = {}
    for seq in sorted(by_seq):
        candidates = by_seq[seq]
        if seq != last[0] + 1:  # a gap is one finding, however wide: the number of a record is whatever its key says
            gone = f"{last[0] + 1} to {seq - 1} are" if seq - 1 > last[0] + 1 else f"{seq - 1} is"
            findings.append(Finding(Fault.DELETED, last[0] + 1, f"{gone} not there, but there are later ones"))
            last = (seq - 1, _expected_next(by_seq, seq - 1))
        genuine = _genuine(candidates, last[1], _expected_next(by_seq, seq))
        findings += _of_record(genuine, candidates, last, tenant)
        last = (seq, genuine.hash)
        _follow(opened, genuine)
    findings += _of_head(store, tenant, by_seq, last)
    if known is not None and known[1] not in {version.hash for version in by_seq.get(known[0], [])}:
        fault = Fault.EDITED if known[0] in by_seq else Fault.TRUNCATED
        findings.append(Finding(fault, known[0], "the record that was here when the chain was last verified is not"))
    findings += [
        Finding(Fault.UNFINISHED, seq, f"a request to {host} was recorded, its end was not")
        for seq, host in opened.items()
    ]
    return Report(tenant, len(versions), last, tuple(sorted(findings, key=lambda f: (f.seq, f.fault))))


def _read(store: AuditStore, tenant: str) -> tuple[list[_Version], list[Finding]]:
    """Every version of every record; delete markers and strange keys are findings at once."""
    versions: list[_Version] = []
    findings: list[Finding] = []
    pages = store.s3.get_paginator("list_object_versions").paginate(Bucket=store.bucket, Prefix=f"audit/{tenant}/")
    for page in pages:
        for marker in page.get("DeleteMarkers", []):
            match = _KEY.match(marker.get("Key", ""))
            seq = int(match["seq"]) if match else 0
            findings.append(Finding(Fault.DELETED, seq, f"a delete marker hides {marker.get('Key', '')}"))
        for version in page.get("Versions", []):
            key = version.get("Key", "")
            match = _KEY.match(key)
            if match is None:
                findings.append(Finding(Fault.FOREIGN, 0, f"{key} is no record"))
                continue
            answer = store.s3.get_object(Bucket=store.bucket, Key=key, VersionId=version.get("VersionId", "null"))
            versions.append(_Version(int(match["seq"]), answer["Body"].read()))
    return versions, findings


def _expected_next(by_seq: dict[int, list[_Version]], seq: int) -> str:
    """The hash that the record after `seq` says this one has; empty if it says nothing."""
    following = by_seq.get(seq + 1, [])
    return str(following[-1].fields.get("prev", "")) if following else ""


def _genuine(candidates: Sequence[_Version], prev: str, named: str) -> _Version:
    """Of several versions the one that the next record names, else one that follows the last, else the oldest."""
    named_next = [version for version in candidates if version.hash == named]
    follows = [version for version in candidates if version.fields.get("prev") == prev]
    return (named_next + follows + list(candidates[-1:]))[0]


def _of_record(
    genuine: _Version, candidates: Sequence[_Version], last: tuple[int, str], tenant: str
) -> Iterator[Finding]:
    fields, seq = genuine.fields, genuine.seq
    if fields and fields.get("tenant") != tenant:
        yield Finding(Fault.FOREIGN, seq, "the record that lies here is another tenant's")
    if fields.get("seq") != seq and isinstance(fields.get("seq"), int):
        yield Finding(Fault.REORDERED, seq, f"the record that lies here says that it is number {fields['seq']}")
    elif not fields or fields.get("prev") != last[1]:
        at = last[0] if fields else seq
        yield Finding(Fault.EDITED, at, f"record {seq} does not follow what now lies at {at}")
    for other in candidates:
        if other is genuine:
            continue
        if other.fields.get("prev") == genuine.fields.get("prev") and other.fields.get("seq") == seq:
            yield Finding(Fault.FORKED, seq, "two records claim this number and follow the same one")
        else:
            yield Finding(Fault.EDITED, seq, "another version was put over the record")


def _follow(opened: dict[int, str], record: _Version) -> None:
    """Keep the intents that have no outcome yet."""
    fields = record.fields
    if fields.get("kind") == "intent":
        opened[record.seq] = str(fields.get("host", ""))
    elif fields.get("kind") == "outcome" and isinstance(intent := fields.get("intent"), int):
        opened.pop(intent, None)


def _of_head(
    store: AuditStore, tenant: str, by_seq: dict[int, list[_Version]], last: tuple[int, str]
) -> Iterator[Finding]:
    item = store.dynamodb.get_item(
        TableName=store.table, Key={"tenant": {"S": tenant}, "item": {"S": "head"}}, ConsistentRead=True
    ).get("Item")
    if item is None:
        if by_seq:
            yield Finding(Fault.HEAD_FORGED, 0, "there are records, but the table holds no head")
        return
    number, hashed, signature = (item.get(key, {}) for key in ("seq", "hash", "signature"))
    head = _Head(int(number.get("N", "0")), hashed.get("S", ""), signature.get("S", ""))
    if not _signed(store, tenant, head):
        yield Finding(Fault.HEAD_FORGED, 0, f"the head ({head.seq}) is not signed by the key")
    if head.seq > last[0]:
        yield Finding(Fault.TRUNCATED, last[0], f"the head is {head.seq}: records {last[0] + 1} to {head.seq} are gone")
    elif head.seq < last[0]:
        yield Finding(Fault.HEAD_BEHIND, 0, f"the head is {head.seq}, the chain goes on to {last[0]}")
    if head.seq in by_seq and head.hash not in {version.hash for version in by_seq[head.seq]}:
        yield Finding(Fault.EDITED, head.seq, "the record is not the one that the head names")


def _signed(store: AuditStore, tenant: str, head: _Head) -> bool:
    if store.kms is None or store.signing_key is None:
        return True
    try:
        answer = store.kms.verify(
            KeyId=store.signing_key,
            Message=f"sequester-audit-head\n{tenant}\n{head.seq}\n{head.hash}".encode(),
            MessageType="RAW",
            Signature=base64.b64decode(head.signature),
            SigningAlgorithm="ECDSA_SHA_256",
        )
    except (ClientError, ValueError):
        return False
    return answer["SignatureValid"]
