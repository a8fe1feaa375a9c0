"""Known values that must not leave: a tenant's planted canaries, and the credentials that the door owns.

They are looked for in every reading, whatever the case, backwards, and with all punctuation taken out. A canary may
also leave in pieces: the places of a canary that occurred anywhere within the window are remembered, in the request
and across requests.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from .denial import DeniedError
from .patterns import Pattern

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MIN_VALUE_BYTES: Final = 16
"""A shorter value would be found in innocent requests."""
WINDOW_SECONDS: Final = 6 * 3600
COVERED: Final = 0.6
"""Of a canary's places, how many may have left before the rest is denied."""
_NOT_ALPHANUMERIC: Final = bytes(set(range(256)) - set(b"0123456789abcdefghijklmnopqrstuvwxyz"))
_HEX: Final = re.compile(rb"[0-9a-f]+\Z")
_PIECE_OF_HEX: Final = 8
_PIECE: Final = 6
"""Characters in a row that make a piece: rarer in innocent text than one in 2**30."""


@dataclass(frozen=True)
class KnownValue:
    """One value to look for, in lower case: `plain` as it is, `bare` without punctuation; `name` says which."""

    name: str
    plain: bytes
    bare: bytes
    pieces: Mapping[bytes, tuple[int, ...]]
    any_piece: Pattern

    @classmethod
    def of(cls, name: str, value: str) -> "KnownValue":
        """Raises ValueError if the value is too short to be looked for."""
        plain = value.strip().encode().lower()
        bare = plain.translate(None, _NOT_ALPHANUMERIC)
        if len(bare) < MIN_VALUE_BYTES:
            raise ValueError(f"{name}: a value that is looked for wants at least {MIN_VALUE_BYTES} letters and digits")
        length = _PIECE_OF_HEX if _HEX.match(bare) else _PIECE
        pieces: dict[bytes, tuple[int, ...]] = {}
        for start in range(len(bare) - length + 1):
            piece = bare[start : start + length]
            pieces[piece] = (*pieces.get(piece, ()), start)
        return cls(name, plain, bare, pieces, Pattern(b"|".join(pieces)))

    def whole_in(self, plain: bytes, bare: bytes) -> bool:
        return self.plain in plain or self.bare in bare or self.plain[::-1] in plain or self.bare[::-1] in bare

    def places_in(self, bare: bytes) -> set[int]:
        """Which characters of the value occur as part of a piece."""
        if not self.any_piece.occurs_in(bare):  # one pass instead of one for each piece
            return set()
        return {
            place
            for piece, starts in self.pieces.items()
            if piece in bare
            for start in starts
            for place in range(start, start + len(piece))
        }


def forms(reading: bytes) -> tuple[bytes, bytes]:
    """A reading in lower case, and that without everything but letters and digits."""
    plain = reading.lower()
    return plain, plain.translate(None, _NOT_ALPHANUMERIC)


class Window:
    """Which places of each canary left within the last WINDOW_SECONDS or a little more, for one tenant."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, tenant: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._dynamodb, self._table, self._tenant, self._clock = dynamodb, table, tenant, clock

    def add(self, canary: str, places: Iterable[int]) -> set[int]:
        """Remember places and return all that the window holds. Raises DeniedError(inspect.unavailable)."""
        window = int(self._clock() // WINDOW_SECONDS)
        try:
            before = self._dynamodb.get_item(
                TableName=self._table, Key=self._key(canary, window - 1), ConsistentRead=True
            ).get("Item", {})
            now = self._dynamodb.update_item(
                TableName=self._table,
                Key=self._key(canary, window),
                UpdateExpression="SET expires = :expires ADD places :places",  # a union: atomic whoever else writes
                ExpressionAttributeValues={
                    ":places": {"NS": [str(place) for place in places]},
                    ":expires": {"N": str((window + 3) * WINDOW_SECONDS)},
                },
                ReturnValues="ALL_NEW",
            ).get("Attributes", {})
        except (BotoCoreError, ClientError) as error:
            raise DeniedError("inspect.unavailable") from error
        return {int(place) for item in (before, now) for place in item.get("places", {}).get("NS", [])}

    def _key(self, canary: str, window: int) -> dict[str, dict[str, str]]:
        return {"tenant": {"S": self._tenant}, "item": {"S": f"canary#{canary}#{window}"}}
