"""Step 5: a record before any packet leaves and one after, in a SHA-256 chain that shows what was done to it.

A record is one S3 object, named by its number and written on the condition that no such object exists: that is what
puts records in order. Its hash goes into the next one (`prev`). The head, last number and hash, is kept elsewhere
too (DynamoDB, signed by KMS if a key is given), so that a chain which was cut short shows. A writer that dies
between the object and the head is helped by the next one. A record holds sizes and hashes: no body, no header
value, no secret.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from botocore.exceptions import ClientError

from .denial import DeniedError, denying

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

GENESIS: Final = "0" * 64
HEAD_ITEM: Final = "head"
SIGNING_ALGORITHM: Final = "ECDSA_SHA_256"
_ATTEMPTS: Final = 64
_MAX_RECORD_BYTES: Final = 64 * 1024
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Link:
    """A record's place: `hash` is SHA-256 of its bytes, in hex. Number 0 is before the first record."""

    seq: int
    hash: str


def object_key(tenant: str, seq: int) -> str:
    return f"audit/{tenant}/{seq:016d}.json"


def encode(record: Mapping[str, Value]) -> bytes:
    """The bytes of a record: the only spelling, so that its hash says all."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def head_message(tenant: str, link: Link) -> bytes:
    """What KMS signs."""
    return f"sequester-audit-head\n{tenant}\n{link.seq}\n{link.hash}".encode()


@dataclass(frozen=True, slots=True)
class Store:
    """Where a chain lives. signing_key: ARN of an ECC_NIST_P256 KMS key, or None."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    bucket: str
    table: str
    kms: "Callable[[], KMSClient] | None" = None
    signing_key: str | None = None


class Chain:
    """The audit chain of one tenant; any number of writers may append at once."""

    def __init__(self, store: Store, tenant: str, clock: Callable[[], float] = time.time) -> None:
        self._store, self._tenant, self._clock = store, tenant, clock
        self._last: Link | None = None

    def append(self, kind: str, entry: Mapping[str, Value]) -> Link:
        """Write one record and move the head to it. Raises DeniedError(audit.unavailable); then nothing may be sent."""
        last, self._last = self._last, None  # what fails leaves nothing known: the head is read anew
        with denying("audit.unavailable"):
            self._last = self._append(kind, entry, last or self._head())
            return self._last

    def _append(self, kind: str, entry: Mapping[str, Value], last: Link) -> Link:
        own = secrets.token_hex(8)  # two writers may say the same in the same millisecond: each record is one writer's
        for _ in range(_ATTEMPTS):
            record = encode(
                {
                    **entry,
                    "v": 1,
                    "tenant": self._tenant,
                    "seq": last.seq + 1,
                    "prev": last.hash,
                    "at": int(self._clock() * 1000),
                    "kind": kind,
                    "id": own,
                }
            )
            link = Link(last.seq + 1, hashlib.sha256(record).hexdigest())
            outcome = self._create(link, record)
            if outcome == "exists":
                last = self._beyond(last, link)
            if outcome == "created" or last == link:
                self._move_head(link)
                return link
        raise DeniedError("audit.unavailable")

    def _create(self, link: Link, record: bytes) -> str:
        try:
            answer = self._store.s3.put_object(
                Bucket=self._store.bucket,
                Key=object_key(self._tenant, link.seq),
                Body=record,
                IfNoneMatch="*",
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
            )
        except ClientError as error:
            match error.response.get("Error", {}).get("Code"):
                case "PreconditionFailed":
                    return "exists"
                case "ConditionalRequestConflict":
                    return "busy"
                case _:
                    raise
        if base64.b64decode(answer["ChecksumSHA256"]).hex() != link.hash:
            raise DeniedError("audit.unavailable")  # what was stored is not what was sent, or nothing was
        return "created"

    def _beyond(self, last: Link, own: Link) -> Link:
        """The number after `last` is taken: by our own record, if the first answer of a retried put was lost. Else go
        on from the head, however far others have come; where a writer died before it moved the head, help it forward.
        """
        taken = self._follow(last)
        if taken == own:
            return own
        head = self._head()
        if head.seq < taken.seq:
            self._move_head(taken)
        return head if head.seq > taken.seq else taken

    def _follow(self, last: Link) -> Link:
        """The record after `last`, which must follow it."""
        key = object_key(self._tenant, last.seq + 1)
        body = self._store.s3.get_object(Bucket=self._store.bucket, Key=key)["Body"]
        record = body.read(_MAX_RECORD_BYTES)  # of a longer one the rest is missing, and it is none
        fields = cast("dict[str, object]", json.loads(record))
        if fields.get("prev") != last.hash or fields.get("seq") != last.seq + 1:
            raise DeniedError("audit.unavailable")  # broken: `sequester audit verify` names how
        return Link(last.seq + 1, hashlib.sha256(record).hexdigest())

    def _head(self) -> Link:
        answer = self._store.dynamodb.get_item(
            TableName=self._store.table,
            Key={"tenant": {"S": self._tenant}, "item": {"S": HEAD_ITEM}},
            ConsistentRead=True,
        )
        item = answer.get("Item")
        if item is None:
            return Link(0, GENESIS)
        head = Link(int(item["seq"].get("N", "")), item["hash"].get("S", ""))
        if head.seq < 1 or not _HASH.match(head.hash):
            raise DeniedError("audit.unavailable")  # no door wrote this: to go on from it would break the chain
        return head

    def _move_head(self, link: Link) -> None:
        """Only ever forward; a head that is further already is another writer's."""
        signature = self._signature(link)
        try:
            self._store.dynamodb.update_item(
                TableName=self._store.table,
                Key={"tenant": {"S": self._tenant}, "item": {"S": HEAD_ITEM}},
                UpdateExpression="SET seq = :seq, #hash = :hash, signature = :signature",
                ConditionExpression="attribute_not_exists(seq) OR seq < :seq",
                ExpressionAttributeNames={"#hash": "hash"},
                ExpressionAttributeValues={
                    ":seq": {"N": str(link.seq)},
                    ":hash": {"S": link.hash},
                    ":signature": {"S": signature},
                },
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise

    def _signature(self, link: Link) -> str:
        if self._store.kms is None or self._store.signing_key is None:
            return ""
        answer = self._store.kms().sign(
            KeyId=self._store.signing_key,
            Message=head_message(self._tenant, link),
            MessageType="RAW",
            SigningAlgorithm=SIGNING_ALGORITHM,
        )
        return base64.b64encode(answer["Signature"]).decode()
