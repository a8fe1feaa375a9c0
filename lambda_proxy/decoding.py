"""Every reading that another program might have of some bytes: encoded, escaped, compressed, nested.

Base64 and hex are read with everything outside their alphabets taken out, at every alignment, so that neither
separators nor a prefix hide anything; of what comes out, only runs of printable text and known compressed forms are
readings at all. Bounded in depth, in number and in bytes: what is nested deeper is refused, since it cannot be
inspected.
"""

import binascii
import contextlib
import html
import re
import sys
import unicodedata
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final
from urllib.parse import unquote_to_bytes

from .compression import COMPRESSED, begins_deflated, decompressed, deflated
from .denial import DeniedError
from .patterns import PRINTABLE_RUN, Pattern, PatternSet
from .signs import Sign, signs_in
from .writings import View, Views

_Decode = Callable[[bytes, int], Iterator[bytes]]
"""(bytes, how many the readings of them may have) → readings. Raises DeniedError(inspect.limit)."""

MAX_DEPTH: Final = 6
MAX_READINGS: Final = 512
MAX_EXPANSION: Final = 8
"""All readings together may have this many times the bytes of what was sent, and EXPANSION_FLOOR_BYTES more."""
EXPANSION_FLOOR_BYTES: Final = 4 * 1024 * 1024
_MIN_READING_BYTES: Final = 8

_BASE64URL: Final = bytes.maketrans(b"-_", b"+/")
_BASE32_DIGITS: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghijklmnopqrstuv")
_NOT_HEX: Final = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))


_HEX_RUN: Final = Pattern(rb"(?:[%:, -]{0,2}(?:0x|\\x)?[0-9A-Fa-f]{2}){8,}")
_BASE32_RUN: Final = Pattern(rb"[A-Z2-7]{16,}|[a-z2-7]{16,}")
_PERCENT: Final = Pattern(rb"%[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(
    rb"\\(?:u([0-9A-Fa-f]{4})|u\{0{0,4}([0-9A-Fa-f]{2,6})\}|x([0-9A-Fa-f]{2})|([0-7]{3})|([nrtbf/\"'\\]))"
)
_HIGH_ESCAPE: Final = Pattern(rb"\\u\{?00[89A-Fa-f]")
"""Bytes that were written as characters of the same number."""
_ENTITY: Final = Pattern(rb"&#?[0-9A-Za-z]{2,8};")
_DECIMALS: Final = Pattern(rb"(?:\d{1,3}[,; ]{1,2}){7,}\d{1,3}")
_TAG: Final = re.compile(rb"<!\[CDATA\[|\]\]>|<!--[^<>]{0,4096}-->|</?[A-Za-z!?][^<>]{0,4096}>")
_ATTRIBUTE: Final = Pattern(rb"=\s?(?:\"[^\"<>]{1,8}\"|'[^'<>]{1,8}')")
"""A longer one is looked for by itself."""
_INVISIBLE: Final = re.compile("[\U000e0020-\U000e007e\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_INVISIBLE_BYTES: Final = Pattern(rb"\xf3\xa0[\x80-\x87]|\xef\xb8[\x80-\x8f]")
_FIRST_TAG: Final = 0xE0000
_FIRST_SELECTOR: Final = 0xFE00
_LATER_SELECTORS: Final = 0xE0100 - 16
_PLAIN: Final = 5
"""The group of one character."""
_PLAIN_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class Reading(Views):
    """One reading, and the signs that it shows."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.signs = signs_in(data)


def readings(sent: bytes) -> Iterator[Reading]:
    """`sent` itself, and every reading of it. Raises DeniedError(inspect.limit) where the bounds end it."""
    room = MAX_EXPANSION * len(sent) + EXPANSION_FLOOR_BYTES
    waiting = deque([(0, sent)])
    seen = {hash(sent)}
    while waiting:
        depth, data = waiting.popleft()
        reading = Reading(data)
        yield reading
        for decode, what in _decoders_for(reading):
            for decoded in decode(what, room):
                if len(decoded) < _MIN_READING_BYTES or hash(decoded) in seen:
                    continue
                seen.add(hash(decoded))
                room -= len(decoded)
                if depth >= MAX_DEPTH or room < 0 or len(seen) > MAX_READINGS:
                    raise DeniedError("inspect.limit")
                waiting.append((depth + 1, decoded))


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


def _printable(data: bytes) -> bytes:
    """The ASCII text in the bytes: where writing such as `%41` or `\\u0041` is looked for."""
    return data if data.isascii() else b"\n".join(PRINTABLE_RUN.found_in(data))


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


def _base64_of_all(characters: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    yield from _texts_of(_at_each_alignment(characters))


def _base64_of_runs(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
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


def _hex(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    digits = b"".join(_HEX_RUN.found_in(data)).replace(b"0x", b"").translate(None, _NOT_HEX)
    yield from _texts_of(
        binascii.a2b_hex(digits[shift : len(digits) - (len(digits) - shift) % 2]) for shift in range(2)
    )


def _base32(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    yield from _texts_of(decoded for run in dict.fromkeys(_BASE32_RUN.found_in(data)) for decoded in _base32_of(run))


def _base32_of(run: bytes) -> Iterator[bytes]:
    """By way of a number in base 32, which is linear, and fast: `base64.b32decode` takes 15 us for 80 characters."""
    number, bits = int(run.upper().translate(_BASE32_DIGITS), 32), 5 * len(run)
    for left in range(bits, bits - 40, -5):  # from each of eight characters on
        yield (number >> left % 8).to_bytes((bits - left % 8 + 7) // 8, "big")[-(left // 8) :]


def _percent(text: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    if _PERCENT.occurs_in(text):
        yield unquote_to_bytes(text)
        if b"+" in text:
            yield unquote_to_bytes(text.replace(b"+", b" "))


def _escapes(text: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    if _ESCAPE.search(text):
        yield _paired(_ESCAPE.sub(_unescape, text))
        if _HIGH_ESCAPE.occurs_in(text):
            yield _ESCAPE.sub(lambda found: _unescape(found, "latin-1", "replace"), text)


def _unescape(found: re.Match[bytes], charset: str = "utf-8", errors: str = "surrogatepass") -> bytes:
    if found.lastindex == _PLAIN:
        return _PLAIN_ESCAPES.get(found[_PLAIN], found[_PLAIN])
    unicode, braced, byte, octal, _ = found.groups()
    if unicode or braced:
        code = int(unicode or braced or b"", 16)
        return chr(code).encode(charset, errors) if code <= sys.maxunicode else b""
    if byte:
        return bytes([int(byte, 16)])
    return bytes([int(octal, 8) & 0xFF])


def _paired(data: bytes) -> bytes:
    """With each pair of surrogates, in which JSON and JavaScript write what is beyond 16 bits, as one character."""
    if b"\xed" in data:
        with contextlib.suppress(UnicodeError):
            halves = data.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
            return halves.decode("utf-16", "replace").encode()
    return data


def _entities(text: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    if _ENTITY.occurs_in(text):
        yield html.unescape(text.decode("ascii")).encode("utf-8", "replace")


def _decimals(data: bytes, room: int) -> Iterator[bytes]:
    """Lists of character codes: 65, 75, 73, 65."""
    del room  # shrinks
    lists = (run.replace(b",", b" ").replace(b";", b" ").split() for run in _DECIMALS.found_in(data))
    yield from _texts_of(bytes(code for code in map(int, codes) if code < 256) for codes in lists)


def _without_nul(data: bytes, room: int) -> Iterator[bytes]:
    """UTF-16 and UTF-32 of plain text."""
    del room  # shrinks
    if b"\0" in data:
        yield b"\n".join(PRINTABLE_RUN.found_in(data.replace(b"\0", b"")))


def _latin_1(data: bytes, room: int) -> Iterator[bytes]:
    """Bytes that were written as characters of the same number, and these as UTF-8."""
    del room  # shrinks
    if not data.isascii():
        with contextlib.suppress(UnicodeError):
            yield data.decode().encode("latin-1")


def _compatible(data: bytes, room: int) -> Iterator[bytes]:
    """Other characters that a reader takes for letters and digits: wide, bold, in circles (Unicode NFKC)."""
    del room  # at most some times as long, and counted by `readings`
    if not data.isascii():
        with contextlib.suppress(UnicodeError):
            text = data.decode()
            normal = unicodedata.normalize("NFKC", text)
            if normal != text:
                yield normal.encode()


def _invisible(data: bytes, room: int) -> Iterator[bytes]:
    """ASCII in tag characters, and bytes or halves of bytes in variation selectors: nobody sees these in a text."""
    del room  # shrinks
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


def _markup(text: bytes, room: int) -> Iterator[bytes]:
    """The text between tags, comments and marks of CDATA sections; and what short attributes hold together."""
    del room  # shrinks
    yield _TAG.sub(b"", text)
    yield b"".join(_ATTRIBUTE.found_in(text))


_SIGNED: Final[Sequence[tuple[Sign, _Decode]]] = (
    (Sign.PERCENT, _percent),
    (Sign.ESCAPE, _escapes),
    (Sign.ENTITY, _entities),
    (Sign.MARKUP, _markup),
    (Sign.COMPRESSED, decompressed),
)
_OF_TEXT: Final = frozenset({_percent, _escapes, _entities, _markup})
_NUMBERS: Final[Sequence[tuple[Pattern, _Decode]]] = ((_HEX_RUN, _hex), (_DECIMALS, _decimals))
_ANY_NUMBERS: Final = PatternSet([run.pattern for run, _ in _NUMBERS])
_OF_BYTES: Final[Sequence[_Decode]] = (_without_nul, _latin_1, _compatible, _invisible, deflated)
"""Nothing in ASCII text is of their kind, but NUL."""


def _decoders_for(reading: Reading) -> Iterator[tuple[_Decode, bytes]]:
    """Each with what it reads: the bytes, or the text in them."""
    data, signs = reading[View.RAW], reading.signs
    signed = [decode for sign, decode in _SIGNED if sign in signs]
    text = _printable(data) if _OF_TEXT.intersection(signed) else data
    for decode in signed:
        yield decode, text if decode in _OF_TEXT else data
    if Sign.NUMBERS in signs:
        for index in _ANY_NUMBERS.matches(data):
            yield _NUMBERS[index][1], data
    if Sign.TOKEN in signs:
        yield _base32, data
    if _BASE64_TEXT.occurs_in(reading[View.BASE64]):
        yield _base64_of_all, reading[View.BASE64]
    elif Sign.TOKEN in signs:
        yield _base64_of_runs, data
    if b"\0" in data or not data.isascii():
        for decode in _OF_BYTES:
            yield decode, data
