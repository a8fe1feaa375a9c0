"""Every reading that another program might have of some bytes: encoded, escaped, compressed, nested.

Base64 and hex are read with everything outside their alphabets taken out, at every alignment, so that neither
separators nor a prefix hide anything; of what comes out, only runs of printable text and known compressed forms are
readings at all. Bounded in depth, in number and in bytes: what is nested deeper is refused, since it cannot be
inspected.
"""

import binascii
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from .compression import COMPRESSED, begins_deflated, decompressed, deflated
from .denial import DeniedError
from .patterns import PRINTABLE_RUN, Pattern, PatternSet
from .rewriting import (
    REACH_BYTES,
    compatible,
    entities,
    escapes,
    latin_1,
    markup,
    percent,
    text_in,
    together,
    without_nul,
)
from .signs import Sign, signs_in
from .writings import View, Views

_Rewrite = Callable[[bytes, int], Iterator[bytes]]
"""(bytes, how far around a change is read again) → readings."""
_Decode = Callable[[bytes], Iterator[bytes]]

MAX_DEPTH: Final = 6
"""What is taken out of what was taken out; what is read where it stands is bounded by the other two."""
MAX_READINGS: Final = 2048
MAX_EXPANSION: Final = 32
"""All readings together may have this many times the bytes of what was sent, and EXPANSION_FLOOR_BYTES more."""
EXPANSION_FLOOR_BYTES: Final = 4 * 1024 * 1024
_MIN_READING_BYTES: Final = 8

_BASE64URL: Final = bytes.maketrans(b"-_", b"+/")
_BASE32_DIGITS: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghijklmnopqrstuv")
_NOT_HEX: Final = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))


_HEX_RUN: Final = Pattern(rb"(?:[%:, -]{0,2}(?:0x|\\x)?[0-9A-Fa-f]{2}){8,}")
_BASE32_RUN: Final = Pattern(rb"[A-Z2-7]{16,}|[a-z2-7]{16,}")
_DECIMALS: Final = Pattern(rb"(?:\d{1,3}[,; ]{1,2}){7,}\d{1,3}")
_INVISIBLE: Final = re.compile("[\U000e0020-\U000e007e\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_INVISIBLE_BYTES: Final = Pattern(rb"\xf3\xa0[\x80-\x87]|\xef\xb8[\x80-\x8f]")
_FIRST_TAG: Final = 0xE0000
_FIRST_SELECTOR: Final = 0xFE00
_LATER_SELECTORS: Final = 0xE0100 - 16


class Reading(Views):
    """One reading, and the signs that it shows."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.signs = signs_in(data)


@dataclass
class _Room:
    """How many bytes further readings may have."""

    left: int


def readings(sent: bytes, reach: int = REACH_BYTES) -> Iterator[Reading]:
    """`sent` itself, and every reading of it: whole, or what lies within reach of what reads otherwise.

    Raises DeniedError(inspect.limit) where the bounds end it.
    """
    room = _Room(MAX_EXPANSION * len(sent) + EXPANSION_FLOOR_BYTES)
    waiting = deque([(0, 0, sent)])
    seen = {hash(sent): 0}
    while waiting:
        depth, rewritten, data = waiting.popleft()
        reading = Reading(data)
        yield reading
        later = min(rewritten + 1, _ONE_BY_ONE)
        for deeper, times, some in (
            (depth, later, _rewritten(reading, rewritten, reach)),
            (depth + 1, 0, _taken_out(reading, room)),
        ):
            for decoded in some:
                if len(decoded) < _MIN_READING_BYTES or seen.get(hash(decoded), later + 1) <= times:
                    continue
                seen[hash(decoded)] = times
                room.left -= len(decoded)
                if deeper > MAX_DEPTH or room.left < 0 or len(seen) > MAX_READINGS:
                    raise DeniedError("inspect.limit")
                waiting.append((deeper, times, decoded))


def _base64_class(*sextets: int) -> bytes:
    return b"[" + bytes(_BASE64_ALPHABET[sextet] for sextet in sextets) + b"]"


# Fifteen bytes of printable text, as base64 shows them at whatever alignment: the high bits of ASCII are few. It is
# looked for with all separators taken out. Other base64 (of something compressed, say) is looked for in unbroken
# runs.
_BASE64_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64_TEXT: Final = Pattern(
    b"(?:"
    + _base64_class(2, 3, *range(8, 32))
    + _base64_class(*(n for n in range(64) if n & 15 in {0, *range(2, 8)}))
    + _base64_class(*(n for n in range(64) if n & 3 < 2))
    + b".){5}"
)
_BASE64_RUN: Final = Pattern(rb"[A-Za-z0-9+/_-]{24,}")
_READABLE: Final = Pattern(PRINTABLE_RUN.pattern + b"|" + COMPRESSED.pattern)
_FEW: Final = 8
_BETWEEN: Final = b"\xff"
"""A byte of which _READABLE has none: nothing that is found lies in two."""


def _texts_of(decoded: Iterable[bytes]) -> Iterator[bytes]:
    """What is readable of each: printable runs on lines of their own, and what is compressed in them.

    Most that is decoded at a wrong alignment is neither, and one pass over all of it says which is not.
    """
    some = tuple(decoded)
    for index in _perhaps_readable(some):
        runs = PRINTABLE_RUN.found_in(some[index])
        if runs:
            yield b"\n".join(runs)
        yield from decompressed(some[index], EXPANSION_FLOOR_BYTES)
    for one in some:
        if begins_deflated(one):
            yield from deflated(one, EXPANSION_FLOOR_BYTES)


def _perhaps_readable(some: Sequence[bytes]) -> Iterable[int]:
    """Which of them to look at, in order: of few all or none, of many those in which something readable begins."""
    together = _BETWEEN.join(some)
    if len(some) <= _FEW:
        return range(len(some)) if _READABLE.occurs_in(together) else ()
    ends = [*accumulate(len(one) + len(_BETWEEN) for one in some)]
    return dict.fromkeys(bisect_right(ends, start) for start in _READABLE.starts_in(together))


def _base64_of_all(characters: bytes) -> Iterator[bytes]:
    yield from _texts_of(_at_each_alignment(characters))


def _base64_of_runs(data: bytes) -> Iterator[bytes]:
    runs = _BASE64_RUN.found_in(data.replace(b"\n", b"").replace(b"\r", b""))
    yield from _texts_of(
        decoded for run in dict.fromkeys(runs) for decoded in _at_each_alignment(run.translate(_BASE64URL))
    )


def _at_each_alignment(characters: bytes) -> Iterator[bytes]:
    for shift in range(4):
        tail = (len(characters) - shift) % 4
        whole = characters[shift : len(characters) - tail]
        last = characters[len(characters) - tail :] + b"=" * (4 - tail) if tail > 1 else b""
        yield binascii.a2b_base64(whole + last)


def _hex(data: bytes) -> Iterator[bytes]:
    digits = b"".join(_HEX_RUN.found_in(data)).replace(b"0x", b"").translate(None, _NOT_HEX)
    yield from _texts_of(
        binascii.a2b_hex(digits[shift : len(digits) - (len(digits) - shift) % 2]) for shift in range(2)
    )


def _base32(data: bytes) -> Iterator[bytes]:
    yield from _texts_of(decoded for run in dict.fromkeys(_BASE32_RUN.found_in(data)) for decoded in _base32_of(run))


def _base32_of(run: bytes) -> Iterator[bytes]:
    """By way of a number in base 32, which is linear, and fast: `base64.b32decode` takes 15 us for 80 characters."""
    number, bits = int(run.upper().translate(_BASE32_DIGITS), 32), 5 * len(run)
    for left in range(bits, bits - 40, -5):  # from each of eight characters on
        yield (number >> left % 8).to_bytes((bits - left % 8 + 7) // 8, "big")[-(left // 8) :]


def _decimals(data: bytes) -> Iterator[bytes]:
    """Lists of character codes: 65, 75, 73, 65."""
    lists = (run.replace(b",", b" ").replace(b";", b" ").split() for run in _DECIMALS.found_in(data))
    yield from _texts_of(bytes(code for code in map(int, codes) if code < 256) for codes in lists)


def _invisible(data: bytes) -> Iterator[bytes]:
    """ASCII in tag characters, and bytes or halves of bytes in variation selectors: nobody sees these in a text."""
    if _INVISIBLE_BYTES.occurs_in(data):
        codes = [ord(one) for one in _INVISIBLE.findall(data.decode("utf-8", "replace"))]
        yield bytes(code - _FIRST_TAG for code in codes if _FIRST_TAG <= code < _FIRST_TAG + 0x80)
        selected = bytes(
            code - (_FIRST_SELECTOR if code < _FIRST_TAG else _LATER_SELECTORS)
            for code in codes
            if not _FIRST_TAG <= code < _FIRST_TAG + 0x80
        )
        yield selected
        yield from (
            bytes(
                high << 4 & 0xF0 | low & 15 for high, low in zip(selected[at::2], selected[at + 1 :: 2], strict=False)
            )
            for at in range(2)
        )


_ESCAPED: Final[Mapping[Sign, _Rewrite]] = {Sign.PERCENT: percent, Sign.ESCAPE: escapes, Sign.ENTITY: entities}
_ONE_BY_ONE: Final = 2
"""So many kinds of escapes are undone in either order, one after the other; what stands over more, together."""
_NUMBERS: Final[Sequence[tuple[Pattern, _Decode]]] = ((_HEX_RUN, _hex), (_DECIMALS, _decimals))
_ANY_NUMBERS: Final = PatternSet([run.pattern for run, _ in _NUMBERS])


def _rewritten(reading: Reading, before: int, reach: int) -> Iterator[bytes]:
    """What is read where it stands: escapes each kind by itself, unless so many were before, and all together."""
    data, signs = reading[View.RAW], reading.signs
    text = text_in(data)
    if not signs.isdisjoint(_ESCAPED):
        yield from together(text, reach)
    if Sign.MARKUP in signs:
        yield from markup(text, reach)
    if b"\0" in data:
        yield from without_nul(data, reach)
    if not data.isascii():
        yield from latin_1(data, reach)
        yield from compatible(text, reach)
    for sign, rewrite in _ESCAPED.items() if before < _ONE_BY_ONE else ():
        if sign in signs:
            yield from rewrite(text, reach)


def _taken_out(reading: Reading, room: _Room) -> Iterator[bytes]:
    """What something in the reading holds. Raises DeniedError(inspect.limit)."""
    data, signs = reading[View.RAW], reading.signs
    if Sign.COMPRESSED in signs:
        yield from decompressed(data, room.left)
    if Sign.NUMBERS in signs:
        for index in _ANY_NUMBERS.matches(data):
            yield from _NUMBERS[index][1](data)
    if Sign.TOKEN in signs:
        yield from _base32(data)
    if _BASE64_TEXT.occurs_in(reading[View.BASE64]):
        yield from _base64_of_all(reading[View.BASE64])
    elif Sign.TOKEN in signs:
        yield from _base64_of_runs(data)
    if not data.isascii():
        yield from _invisible(data)
    if b"\0" in data or not data.isascii():
        yield from deflated(data, room.left)
