"""What quarantine did: evidence, a hash chain of every action, finished steps, and the hourly limit."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from .incident import Incident

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef
    from mypy_boto3_s3 import S3Client

CHAIN: Final = "sequester-responder"  # no tenant's name begins so
_OPEN: Final = "sequester-open"
_GENESIS: Final = "0" * 64
_ATTEMPTS: Final = 64
HOUR_SECONDS: Final = 3600
_KEPT_SECONDS: Final = 90 * 86_400


class ChainBusyError(RuntimeError):
    """Other writers took every number that was tried."""


class Ledger:
    """`bucket` holds evidence and the chain (`audit/<CHAIN>/<number>.json`, as the doors'); `table` the rest."""

    def __init__(
        self,
        s3: "S3Client",
        dynamodb: "DynamoDBClient",
        bucket: str,
        table: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._s3, self._dynamodb, self._bucket, self._table, self._clock = s3, dynamodb, bucket, table, clock

    def keep(self, incident: str, name: str, content: object) -> None:
        """Evidence, under its own hash: the same content twice is one object, and none is ever overwritten."""
        body = json.dumps(content, sort_keys=True, default=str).encode()
        key = f"evidence/{incident}/{name}-{hashlib.sha256(body).hexdigest()[:16]}.json"
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*", ContentType="application/json"
            )
        except ClientError as error:
            if _code(error) != "PreconditionFailed":
                raise

    def append(self, entry: Mapping[str, object]) -> int:
        """One record at the end of the chain; its number. Raises what S3 or DynamoDB raises, or ChainBusyError."""
        seq, prev = self._head()
        for _ in range(_ATTEMPTS):
            seq += 1
            record = json.dumps(
                {**entry, "v": 1, "tenant": CHAIN, "seq": seq, "prev": prev, "at": int(self._clock() * 1000)},
                sort_keys=True,
                separators=(",", ":"),
            ).encode("ascii")
            key = f"audit/{CHAIN}/{seq:016d}.json"
            try:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=record, IfNoneMatch="*", ContentType="application/json"
                )
            except ClientError as error:
                if _code(error) == "ConditionalRequestConflict":
                    seq -= 1
                    continue
                if _code(error) != "PreconditionFailed":
                    raise
                there = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
                prev = hashlib.sha256(there).hexdigest()
                continue
            self._move_head(seq, hashlib.sha256(record).hexdigest())
            return seq
        raise ChainBusyError(f"no place in the chain after {_ATTEMPTS} attempts")

    def done(self, incident: str, step: str) -> bool:
        """Whether the step was finished before: by an earlier delivery of the same alarm, or an earlier look."""
        return self._item(f"sequester-incident {incident}", step) is not None

    def finish(self, incident: str, step: str) -> None:
        self._put(f"sequester-incident {incident}", step)

    def begin(self, incident: Incident) -> None:
        """Note an incident as open: it is gone on with until `end`, even if its alarm is over by then."""
        if self._item(_OPEN, incident.id) is None:
            self._put(_OPEN, incident.id, alarm={"S": incident.alarm}, began={"N": repr(incident.began)})

    def end(self, incident: Incident) -> None:
        self._dynamodb.delete_item(TableName=self._table, Key=_key(_OPEN, incident.id))

    def unended(self) -> list[tuple[str, float]]:
        """Alarm and time of every open incident."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="tenant = :open",
            ExpressionAttributeValues={":open": {"S": _OPEN}},
            ConsistentRead=True,
        )
        return [
            (item["alarm"].get("S", ""), float(item["began"].get("N", ""))) for page in pages for item in page["Items"]
        ]

    def looked(self, incident: str) -> float | None:
        """Until when the incident's records have been looked at, all of them dealt with."""
        item = self._item(f"sequester-incident {incident}", "looked until")
        return float(item["at"].get("N", "")) if item else None

    def look(self, incident: str, until: float) -> None:
        self._put(f"sequester-incident {incident}", "looked until", at={"N": repr(until)})

    def released(self, tenant: str) -> float:
        """When a person last released the tenant; 0 if nobody did. What was seen before then is dealt with."""
        item = self._item("sequester-released", tenant)
        return float(item["at"].get("N", "")) if item else 0.0

    def release(self, tenant: str) -> None:
        self._dynamodb.put_item(
            TableName=self._table,
            Item={**_key("sequester-released", tenant), "at": {"N": repr(self._clock())}},
        )

    def within_limit(self, limit: int, step: str) -> bool:
        """Take one action from this hour's `limit`; False if none is left.

        The same step costs once an hour: who makes an alarm come and go must not use up what others need.
        """
        hour = int(self._clock()) // HOUR_SECONDS
        if self._item(f"sequester-limit {hour}", step) is not None:
            return True
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key("sequester-limit", str(hour)),
                UpdateExpression="SET expires = :expires ADD spent :one",
                ConditionExpression="attribute_not_exists(spent) OR spent < :limit",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":limit": {"N": str(limit)},
                    ":expires": {"N": str((hour + 2) * HOUR_SECONDS)},
                },
            )
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            raise
        self._put(f"sequester-limit {hour}", step)
        return True

    def _item(self, partition: str, item: str) -> "Mapping[str, AttributeValueTypeDef] | None":
        return self._dynamodb.get_item(TableName=self._table, Key=_key(partition, item), ConsistentRead=True).get(
            "Item"
        )

    def _put(self, partition: str, item: str, **more: "AttributeValueTypeDef") -> None:
        expires: AttributeValueTypeDef = {"N": str(int(self._clock()) + _KEPT_SECONDS)}
        self._dynamodb.put_item(TableName=self._table, Item={**_key(partition, item), "expires": expires, **more})

    def _head(self) -> tuple[int, str]:
        item = self._item(CHAIN, "head")
        return (int(item["seq"].get("N", "")), item["hash"].get("S", "")) if item else (0, _GENESIS)

    def _move_head(self, seq: int, digest: str) -> None:
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(CHAIN, "head"),
                UpdateExpression="SET seq = :seq, #hash = :hash",
                ConditionExpression="attribute_not_exists(seq) OR seq < :seq",
                ExpressionAttributeNames={"#hash": "hash"},
                ExpressionAttributeValues={":seq": {"N": str(seq)}, ":hash": {"S": digest}},
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":  # a later writer moved it further
                raise


def _key(tenant: str, item: str) -> dict[str, dict[str, str]]:
    return {"tenant": {"S": tenant}, "item": {"S": item}}


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
