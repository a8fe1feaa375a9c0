"""Step 3: what a tenant may still spend, and whether its door is open, in one DynamoDB transaction.

Every meter of a window is one item `{tenant, item, spent, expires}` whose `spent` grows under the condition that it
stays within the limit; the kill switch is a condition of the same transaction. So either everything is reserved and
the door is open, or nothing is.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from .denial import DeniedError, denying

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

CONTROL_ITEM: Final = "control"
"""The kill switch: an item of this name with an attribute `halted` closes the tenant's door."""
_CONFLICT_RETRIES: Final = 8
_CONFLICT_PAUSE_SECONDS: Final = 0.02
_MINUTE_SECONDS: Final = 60
_DAY_SECONDS: Final = 86_400
_KEPT_SECONDS: Final = 86_400
"""How long a meter outlives its window, before DynamoDB's TTL takes it."""

NOT_HALTED: Final = "attribute_not_exists(halted)"
WITHIN_LIMIT: Final = "attribute_not_exists(spent) OR spent <= :room"


@dataclass(frozen=True, slots=True)
class Limits:
    requests_per_minute: int
    bytes_out_per_day: int
    bytes_in_per_day: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """A tenant's limits on everything, and on hosts that have their own."""

    total: Limits
    unreadable_bytes_per_day: int
    hosts: Mapping[str, Limits]


@dataclass(frozen=True, slots=True)
class Meter:
    """One thing that is counted in one window: `amount` more is wanted, `limit` is all there is."""

    rule: str
    name: str
    window_seconds: int
    amount: int
    limit: int

    def item(self, now: float) -> str:
        return f"{self.name}#{int(now // self.window_seconds)}"

    def expires(self, now: float) -> int:
        return int(now) + self.window_seconds + _KEPT_SECONDS


@dataclass(frozen=True, slots=True)
class Reservation:
    """Incoming bytes that were reserved: `items` are what to give back to."""

    items: tuple[str, ...]
    bytes_in: int


class Budget:
    """The meters of one tenant in a table whose partition key is the tenant."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, tenant: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._dynamodb, self._table, self._tenant, self._clock = dynamodb, table, tenant, clock
        self._random = random.SystemRandom()  # a snapshot that is restored twice must not pause alike

    def reserve(self, allowance: Allowance, host: str, bytes_out: int, bytes_in: int) -> Reservation:
        """Take one request, `bytes_out` and at most `bytes_in` from what is left.

        Raises DeniedError(door.halted, budget.*); then nothing was taken.
        """
        now = self._clock()
        meters = list(_meters(allowance, host, bytes_out, bytes_in))
        self._take(meters, now)
        return Reservation(tuple(m.item(now) for m in meters if m.rule == "budget.bytes_in"), bytes_in)

    def spend_unreadable(self, allowance: Allowance, amount: int) -> None:
        """Take bytes that the inspection could not read. Raises DeniedError(budget.*)."""
        limit = allowance.unreadable_bytes_per_day
        self._take([Meter("budget.entropy", "unreadable", _DAY_SECONDS, amount, limit)], self._clock())

    def settle(self, reservation: Reservation, bytes_in: int) -> None:
        """Give back what was reserved and did not come. If that fails, the tenant has a little less: never more.

        By a transaction, whose token holds for every try of the SDK: an update whose answer was lost would be made
        again.
        """
        unused = reservation.bytes_in - bytes_in
        if unused <= 0:
            return
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": {"tenant": {"S": self._tenant}, "item": {"S": item}},
                    "UpdateExpression": "ADD spent :unused",
                    "ConditionExpression": "spent >= :kept",
                    "ExpressionAttributeValues": {":unused": {"N": str(-unused)}, ":kept": {"N": str(unused)}},
                }
            }
            for item in reservation.items
        ]
        with contextlib.suppress(DeniedError):
            self._write(writes, ["budget.bytes_in"] * len(writes))

    def _take(self, meters: list[Meter], now: float) -> None:
        for meter in meters:
            if meter.amount > meter.limit:
                raise DeniedError(meter.rule)
        writes: list[TransactWriteItemTypeDef] = [
            {
                "ConditionCheck": {
                    "TableName": self._table,
                    "Key": {"tenant": {"S": self._tenant}, "item": {"S": CONTROL_ITEM}},
                    "ConditionExpression": NOT_HALTED,
                }
            },
            *({"Update": self._update(meter, now)} for meter in meters),
        ]
        self._write(writes, ["door.halted", *(meter.rule for meter in meters)])

    def _write(self, writes: "Sequence[TransactWriteItemTypeDef]", rules: Sequence[str]) -> None:
        """All or nothing; `rules`: what a failed condition of each means. Raises DeniedError."""
        for _ in range(_CONFLICT_RETRIES):
            with denying("budget.unavailable"):
                try:
                    self._dynamodb.transact_write_items(TransactItems=writes)
                except ClientError as error:
                    failed = _first_failure(error, rules)
                    if failed is not None:
                        raise DeniedError(failed) from error
                else:
                    return
            time.sleep(self._random.uniform(0, _CONFLICT_PAUSE_SECONDS))
        raise DeniedError("budget.unavailable")

    def _update(self, meter: Meter, now: float) -> "UpdateTypeDef":
        return {
            "TableName": self._table,
            "Key": {"tenant": {"S": self._tenant}, "item": {"S": meter.item(now)}},
            "UpdateExpression": "SET expires = :expires ADD spent :amount",
            "ConditionExpression": WITHIN_LIMIT,
            "ExpressionAttributeValues": {
                ":amount": {"N": str(meter.amount)},
                ":room": {"N": str(meter.limit - meter.amount)},
                ":expires": {"N": str(meter.expires(now))},
            },
        }


def _meters(allowance: Allowance, host: str, bytes_out: int, bytes_in: int) -> Iterator[Meter]:
    for scope, limits in (("all", allowance.total), (host, allowance.hosts.get(host))):
        if limits is not None:
            yield Meter("budget.requests", f"requests#{scope}", _MINUTE_SECONDS, 1, limits.requests_per_minute)
            yield Meter("budget.bytes_out", f"out#{scope}", _DAY_SECONDS, bytes_out, limits.bytes_out_per_day)
            yield Meter("budget.bytes_in", f"in#{scope}", _DAY_SECONDS, bytes_in, limits.bytes_in_per_day)


def _first_failure(error: ClientError, rules: Sequence[str]) -> str | None:
    """The rule whose condition failed; None when the transaction only met another one and may be tried again."""
    if error.response.get("Error", {}).get("Code") != "TransactionCanceledException":
        return "budget.unavailable"
    reasons = [str(reason.get("Code", "")) for reason in error.response.get("CancellationReasons", [])]
    for rule, reason in zip(rules, reasons, strict=False):
        if reason == "ConditionalCheckFailed":
            return rule
    return None if "TransactionConflict" in reasons else "budget.unavailable"
