"""Known values that must not leave: a tenant's planted canaries, and the credentials that the door owns.

Their writings (`writings`) are looked for in every reading. A canary may also leave in pieces: the places of a canary
that occurred anywhere within the window are remembered, in the request and across requests.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from .denial import denying
from .patterns import Pattern, PatternSet
from .writings import MIN_WRITING_BYTES, View, Views, bare, base64_at, writings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MIN_VALUE_BYTES: Final = 16
"""A shorter value would be found in innocent requests."""
WINDOW_SECONDS: Final = 6 * 3600
COVERED: Final = 0.6
"""Of a canary's places, how many may have left before the rest is denied."""
_HEX: Final = re.compile(rb"[0-9a-f]+\Z")
_PIECE_OF_HEX: Final = 8
_PIECE: Final = 6
"""Characters in a row that make a piece: rarer in innocent text than one in 2**30. Of base64 it takes eight."""
_PIECES_AT_ONCE: Final = 32
_PROBE_BYTES: Final = 12
"""How much of a writing is looked for first."""
_STRIDES: Final = (2, 3)
"""A character of the value, and so many of something else less one, in turn."""


@dataclass(frozen=True)
class KnownValue:
    """One value to look for; `name` says which. `pieces`: runs of its characters, as they may be written → places."""

    name: str
    plain: bytes
    bare: bytes
    written: Mapping[View, frozenset[bytes]]
    pieces: Mapping[bytes, frozenset[int]]

    @classmethod
    def of(cls, name: str, value: str) -> "KnownValue":
        """Raises ValueError if the value is too short to be looked for."""
        text = value.strip()
        letters = bare(text.encode())
        if len(letters) < MIN_VALUE_BYTES:
            raise ValueError(f"{name}: a value that is looked for wants at least {MIN_VALUE_BYTES} letters and digits")
        return cls(name, text.encode().lower(), letters, writings(text), dict(_pieces(text, letters)))


def _pieces(text: str, letters: bytes) -> Iterator[tuple[bytes, frozenset[int]]]:
    """Pieces forwards and backwards, in hex and in base64, and which of the value's letters and digits each holds."""
    found: dict[bytes, set[int]] = {}

    def note(piece: bytes, places: Iterable[int]) -> None:
        found.setdefault(piece, set()).update(places)

    length = _PIECE_OF_HEX if _HEX.match(letters) else _PIECE
    for start in range(len(letters) - length + 1):
        places = range(start, start + length)
        note(letters[start : start + length], places)
        note(letters[start : start + length][::-1], places)
    # Of what is encoded, every byte counts: where punctuation stands, the places of the letters around it.
    at = [len(bare(text[:n].encode())) for n in range(len(text) + 1)]
    for data in dict.fromkeys((text.encode(), text.lower().encode(), text.upper().encode())):
        if len(data) != len(text):
            continue  # beyond ASCII bytes are no characters
        digits = data.hex().encode()
        for start in range(len(digits) - 2 * length + 1):
            first, last = -(-start // 2), (start + 2 * length) // 2
            note(digits[start : start + 2 * length], range(at[first], at[last]))
        for shift in range(3):
            encoded = base64_at(data, shift)
            skipped = -(-shift * 8 // 6)
            for start in range(len(encoded) - length - 1):
                piece = encoded[start : start + length + 2]
                first = max(0, -(-(start + skipped) * 6 // 8) - shift)
                last = min(len(data), (start + skipped + length + 2) * 6 // 8 - shift)
                if piece.isalnum():
                    note(piece.lower(), range(at[first], at[last]))
    return ((piece, frozenset(places)) for piece, places in found.items())


@dataclass(frozen=True)
class KnownValues:
    """Values of one kind, looked for together: what is sent is searched once, however many they are."""

    values: Sequence[KnownValue] = ()

    def any_in(self, views: Views) -> bool:
        """Whether any of the values is written in what is seen."""
        for view, probe in self._probes.items():
            seen = views[view]
            if len(seen) < MIN_WRITING_BYTES or not probe.occurs_in(seen):
                continue
            if any(one in seen for value in self.values for one in value.written[view]):
                return True
        letters = views[View.BARE]
        return bool(self.values) and self._strewn_probe.occurs_in(letters) and self._strewn_in(letters)

    @cached_property
    def longest_bytes(self) -> int:
        return max((len(value.plain) for value in self.values), default=0)

    @cached_property
    def _probes(self) -> Mapping[View, Pattern]:
        starts = {
            view: sorted({re.escape(one[:_PROBE_BYTES]) for value in self.values for one in value.written[view]})
            for view in View
        }
        return {view: Pattern(b"|".join(some)) for view, some in starts.items() if some}

    @cached_property
    def _strewn_probe(self) -> Pattern:
        """The start of a value with others between: one pass, where the characters of each stride would be five."""
        starts = {order[:_PROBE_BYTES] for value in self.values for order in (value.bare, value.bare[::-1])}
        return Pattern(
            b"|".join(
                (b"[^\\n]" * (stride - 1)).join(bytes([letter]) for letter in start)
                for start in sorted(starts)
                for stride in _STRIDES
            )
        )

    def _strewn_in(self, letters: bytes) -> bool:
        strewn = [letters[start::stride] for stride in _STRIDES for start in range(stride)]
        return any(
            order in some for some in strewn for value in self.values for order in (value.bare, value.bare[::-1])
        )

    @cached_property
    def _any_piece(self) -> Pattern:
        return Pattern(b"|".join(sorted({piece for value in self.values for piece in value.pieces})))

    def places_in(self, letters: bytes) -> Mapping[str, set[int]]:
        """Which characters of each value occur as part of a piece, by the value's name."""
        if not self.values or not self._any_piece.occurs_in(letters):  # one pass instead of one for each group
            return {}
        found = {group[index] for group, patterns in self._groups for index in patterns.matches(letters)}
        return {
            value.name: {place for piece in found & value.pieces.keys() for place in value.pieces[piece]}
            for value in self.values
        }

    @cached_property
    def _groups(self) -> Sequence[tuple[Sequence[bytes], PatternSet]]:
        """All pieces. Of each that was found the engine makes its states anew: hence few at once."""
        pieces = sorted({piece for value in self.values for piece in value.pieces})
        groups = [pieces[start : start + _PIECES_AT_ONCE] for start in range(0, len(pieces), _PIECES_AT_ONCE)]
        return [(group, PatternSet(group)) for group in groups]


class Window:
    """Which places of each canary left within the last WINDOW_SECONDS or a little more, for one tenant."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, tenant: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._dynamodb, self._table, self._tenant, self._clock = dynamodb, table, tenant, clock

    def add(self, canary: str, places: Iterable[int]) -> set[int]:
        """Remember places and return all that the window holds. Raises DeniedError(inspect.unavailable)."""
        window = int(self._clock() // WINDOW_SECONDS)
        with denying("inspect.unavailable"):
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
            )["Attributes"]
            return {int(place) for item in (before, now) for place in item.get("places", {}).get("NS", [])}

    def _key(self, canary: str, window: int) -> dict[str, dict[str, str]]:
        return {"tenant": {"S": self._tenant}, "item": {"S": f"canary#{canary}#{window}"}}
