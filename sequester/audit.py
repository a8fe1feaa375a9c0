"""Verify a tenant's audit chain: name each edit, deletion, reorder, truncation, fork and fetch without an end.

It shares no code with the door: records are read back from S3 with all their versions, hashed anew, and held against
the head that DynamoDB keeps (and KMS signed). `sequester audit verify` prints what `verify` finds.
"""

import base64
import hashlib
import json
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

_GENESIS: Final = "0" * 64
_KEY: Final = re.compile(r"audit/(?P<tenant>[^/]+)/(?P<seq>(?!0{16})[0-9]{16})\.json\Z")
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,15}\Z")
_KINDS: Final = frozenset({"intent", "outcome", "denial"})
_MAX_RECORD_BYTES: Final = 64 * 1024
_MAX_SIGNATURE_BYTES: Final = 6144
_MAX_SAID: Final = 120
"""Characters of what somebody else wrote, in a line of ours."""


class UnreadableError(RuntimeError):
    """A chain that cannot be read, so that nothing can be said of it; the message says what, and why."""


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

    @property
    def first_break(self) -> int | None:
        """The first record at which somebody did; None if nobody did, or not at a record."""
        return min((f.seq for f in self.findings if f.fault not in HARMLESS and f.seq), default=None)


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
    """One version of one record: `body` as it lies there, or more of it than a record has."""

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

    @property
    def whole(self) -> bool:
        """Whether it says what each record says, in the one spelling: of another, two readers could read two things."""
        fields = self.fields
        return (
            len(self.body) <= _MAX_RECORD_BYTES
            and all(value is None or isinstance(value, str | int) for value in fields.values())
            and json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() == self.body
            and type(fields.get("v")) is type(fields.get("seq")) is type(fields.get("at")) is int
            and fields["v"] == 1
            and fields.get("kind") in _KINDS
            and isinstance(fields.get("id"), str)
            and isinstance(prev := fields.get("prev"), str)
            and _HASH.match(prev) is not None
        )


@dataclass(frozen=True)
class _Head:
    """What the table says of the chain's end; a number of 0 and a hash of "" are none that a door writes."""

    seq: int
    hash: str
    signature: str


def verify(store: AuditStore, tenant: str, known: tuple[int, str] | None = None) -> Report:
    """Read the whole chain and name what is wrong with it. Raises UnreadableError.

    known: number and hash of a record that an earlier verification saw. A head that was signed once verifies for ever,
    so that only this shows a chain which was cut back to it. A door that is at work meanwhile does no harm.
    """
    before = _head(store, tenant)  # what it names must be there when the records are read
    versions, findings = _read(store, tenant)
    after = _head(store, tenant)  # and what was read then must not lie beyond this
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
        findings += _follow(opened, genuine)
    findings += _of_heads(store, tenant, (before, after), by_seq, last)
    seq, digest = known or (0, _GENESIS)
    if digest not in ({version.hash for version in by_seq.get(seq, [])} if seq else {_GENESIS}):
        fault = Fault.EDITED if seq in by_seq else Fault.TRUNCATED
        findings.append(Finding(fault, seq, "the record that was here when the chain was last verified is not"))
    findings += [
        Finding(Fault.UNFINISHED, seq, f"a request to {_said(host)} was recorded, its end was not")
        for seq, host in opened.items()
    ]
    return Report(tenant, len(versions), last, tuple(sorted(findings, key=lambda f: (f.seq, f.fault))))


def _read(store: AuditStore, tenant: str) -> tuple[list[_Version], list[Finding]]:
    """Every version of every record; delete markers and strange keys are findings at once."""
    versions: list[_Version] = []
    findings: list[Finding] = []
    with _reading(f"the list of {tenant}'s records"):
        pages = store.s3.get_paginator("list_object_versions").paginate(Bucket=store.bucket, Prefix=f"audit/{tenant}/")
        for page in pages:
            for marker in page.get("DeleteMarkers", []):
                key = marker.get("Key", "")
                match = _KEY.match(key)
                seq = int(match["seq"]) if match else 0
                findings.append(Finding(Fault.DELETED, seq, f"a delete marker hides {_said(key)}"))
            for version in page.get("Versions", []):
                key = version.get("Key", "")
                match = _KEY.match(key)
                if match is None:
                    findings.append(Finding(Fault.FOREIGN, 0, f"{_said(key)} is no record"))
                else:
                    body = _body(store, key, version.get("VersionId", "null"))
                    versions.append(_Version(int(match["seq"]), body))
    return versions, findings


def _body(store: AuditStore, key: str, version: str) -> bytes:
    with _reading(f"{key}, version {version},"):
        body = store.s3.get_object(Bucket=store.bucket, Key=key, VersionId=version)["Body"]
        return body.read(_MAX_RECORD_BYTES + 1)


@contextmanager
def _reading(what: str) -> Generator[None]:
    """Whatever fails inside, nothing can be said of the chain: neither that it is whole nor that it is not."""
    try:
        yield
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(f"{what} cannot be read: {type(error).__name__}: {error}") from error


def _said(value: object) -> str:
    """What somebody else wrote, on one line and without anything that a terminal would obey."""
    text = ascii(str(value))[1:-1]
    return text if len(text) <= _MAX_SAID else f"{text[:_MAX_SAID]}..."


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
        yield Finding(Fault.REORDERED, seq, f"the record that lies here says that it is number {_said(fields['seq'])}")
    elif not genuine.whole:
        yield Finding(Fault.EDITED, seq, "what lies here is not written as a door writes a record")
    elif fields.get("prev") != last[1]:
        yield Finding(Fault.EDITED, last[0], f"record {seq} does not follow what now lies at {last[0]}")
    for other in candidates:
        if other is genuine:
            continue
        if other.fields.get("prev") == genuine.fields.get("prev") and other.fields.get("seq") == seq:
            yield Finding(Fault.FORKED, seq, "two records claim this number and follow the same one")
        else:
            yield Finding(Fault.EDITED, seq, "another version was put over the record")


def _follow(opened: dict[int, str], record: _Version) -> Iterator[Finding]:
    """Keep the intents that have no outcome yet; each has one."""
    fields = record.fields
    if fields.get("kind") == "intent":
        opened[record.seq] = str(fields.get("host", ""))
    elif fields.get("kind") == "outcome":
        intent = fields.get("intent")
        if type(intent) is not int or opened.pop(intent, None) is None:
            yield Finding(Fault.FOREIGN, record.seq, "the end of a request that was not recorded, or has had its end")


def _head(store: AuditStore, tenant: str) -> _Head | None:
    with _reading(f"the head of {tenant}'s chain"):
        answer = store.dynamodb.get_item(
            TableName=store.table, Key={"tenant": {"S": tenant}, "item": {"S": "head"}}, ConsistentRead=True
        )
        item = answer.get("Item")
        if item is None:
            return None
        number, digest = item.get("seq", {}).get("N", ""), item.get("hash", {}).get("S", "")
        return _Head(
            int(number) if _NUMBER.match(number) else 0,
            digest if _HASH.match(digest) else "",
            item.get("signature", {}).get("S", ""),
        )


def _of_heads(
    store: AuditStore,
    tenant: str,
    heads: tuple[_Head | None, _Head | None],
    by_seq: dict[int, list[_Version]],
    last: tuple[int, str],
) -> Iterator[Finding]:
    """Of the head before the records were read, and of the one after."""
    before, after = heads
    for head in dict.fromkeys(heads):
        if head is None:
            continue
        if not (head.seq and head.hash):
            yield Finding(Fault.HEAD_FORGED, 0, "the head is none that a door writes")
        elif not _signed(store, tenant, head):
            yield Finding(Fault.HEAD_FORGED, 0, f"the head ({head.seq}) is not signed by the key")
        if head.hash and head.seq in by_seq and head.hash not in {version.hash for version in by_seq[head.seq]}:
            yield Finding(Fault.EDITED, head.seq, "the record is not the one that the head names")
    if before is not None and before.seq > last[0]:
        gone = f"records {last[0] + 1} to {before.seq} are gone"
        yield Finding(Fault.TRUNCATED, last[0] + 1, f"the head is {before.seq}: {gone}")
    if after is None and before is None and last[0] == 1:
        yield Finding(Fault.HEAD_BEHIND, 0, "there is no head yet, the chain goes on to 1")
    elif after is None and (by_seq or before is not None):
        yield Finding(Fault.HEAD_FORGED, 0, "there are records, but the table holds no head")
    if after is not None and 0 < after.seq < last[0]:
        yield Finding(Fault.HEAD_BEHIND, 0, f"the head is {after.seq}, the chain goes on to {last[0]}")


def _signed(store: AuditStore, tenant: str, head: _Head) -> bool:
    if store.kms is None or store.signing_key is None:
        return True
    try:
        signature = base64.b64decode(head.signature, validate=True)
    except ValueError:
        return False
    if not 0 < len(signature) <= _MAX_SIGNATURE_BYTES:
        return False
    with _reading("the signature of the head"):
        try:
            answer = store.kms.verify(
                KeyId=store.signing_key,
                Message=f"sequester-audit-head\n{tenant}\n{head.seq}\n{head.hash}".encode(),
                MessageType="RAW",
                Signature=signature,
                SigningAlgorithm="ECDSA_SHA_256",
            )
        except store.kms.exceptions.KMSInvalidSignatureException:
            return False
        return answer["SignatureValid"]
