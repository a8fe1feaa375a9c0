"""Every reading that another program might have of some bytes: encoded, escaped, compressed, nested.

Base64 and hex are read with everything outside their alphabets taken out, at every alignment, so that neither
separators nor a prefix hide anything; of what comes out, only runs of printable text and known compressed forms are
readings at all. Bounded in depth, in number and in bytes: what is nested deeper is refused, since it cannot be
inspected.
"""

import base64
import binascii
import bz2
import html
import lzma
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

from .denial import DeniedError
from .patterns import Pattern

MAX_DEPTH: Final = 6
MAX_READINGS: Final = 512
MAX_EXPANSION: Final = 8
"""All readings together may have this many times the bytes of what was sent, and EXPANSION_FLOOR_BYTES more."""
EXPANSION_FLOOR_BYTES: Final = 4 * 1024 * 1024
_MIN_READING_BYTES: Final = 8
_MAX_COMPRESSED: Final = 1024
_PIECE_BYTES: Final = 4096
_XZ_MEMORY_BYTES: Final = 64 * 1024 * 1024

_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"))
_BASE64URL: Final = bytes.maketrans(b"-_", b"+/")
_NOT_HEX: Final = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))


_PRINTABLE_RUN: Final = Pattern(rb"[\t\n\r\x20-\x7e]{12,}")
_HEX_RUN: Final = Pattern(rb"(?:[%:, -]{0,2}(?:0x|\\x)?[0-9A-Fa-f]{2}){8,}")
_BASE32_RUN: Final = Pattern(rb"[A-Z2-7]{16,}|[a-z2-7]{16,}")
_PERCENT: Final = Pattern(rb"%[0-9A-Fa-f]{2}")
_ESCAPE: Final = Pattern(rb"\\(?:u\{?([0-9A-Fa-f]{4})\}?|x([0-9A-Fa-f]{2})|([0-7]{3})|([nrtbf/\"'\\]))")
_ENTITY: Final = Pattern(rb"&#?[0-9A-Za-z]{2,8};")
_DECIMALS: Final = Pattern(rb"(?:\d{1,3}[,; ]{1,2}){7,}\d{1,3}")
_COMPRESSED: Final = Pattern(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|BZh[1-9]1AY|\xfd7zXZ|PK\x03\x04")
_PLAIN_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def readings(sent: bytes) -> Iterator[bytes]:
    """`sent` itself, and every reading of it. Raises DeniedError(inspect.limit) where the bounds end it."""
    room = MAX_EXPANSION * len(sent) + EXPANSION_FLOOR_BYTES
    waiting = deque([(0, sent)])
    seen = {hash(sent)}
    while waiting:
        depth, reading = waiting.popleft()
        yield reading
        for decode in _DECODERS:
            for decoded in decode(reading, room):
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


def _printable(data: bytes) -> bytes:
    """The ASCII text in the bytes: where writing such as `%41` or `\\u0041` is looked for."""
    return data if data.isascii() else b"\n".join(_PRINTABLE_RUN.found_in(data))


def _text_of(decoded: bytes) -> Iterator[bytes]:
    """What is readable of decoded bytes: printable runs on lines of their own, and what is compressed in them."""
    runs = _PRINTABLE_RUN.found_in(decoded)
    if runs:
        yield b"\n".join(runs)
    yield from _decompressed(decoded, EXPANSION_FLOOR_BYTES)


def _base64(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    characters = data.translate(_BASE64URL, _NOT_BASE64)
    if _BASE64_TEXT.occurs_in(characters):
        yield from _at_each_alignment(characters)
        return
    for run in _BASE64_RUN.found_in(data.translate(None, b"\r\n")):
        yield from _at_each_alignment(run.translate(_BASE64URL))


def _at_each_alignment(characters: bytes) -> Iterator[bytes]:
    for shift in range(4):
        tail = (len(characters) - shift) % 4
        whole = characters[shift : len(characters) - tail]
        last = characters[len(characters) - tail :] + b"=" * (4 - tail) if tail > 1 else b""
        yield from _text_of(binascii.a2b_base64(whole + last))


def _hex(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    runs = _HEX_RUN.found_in(data)
    if runs:
        digits = b"".join(runs).replace(b"0x", b"").translate(None, _NOT_HEX)
        for shift in range(2):
            yield from _text_of(binascii.a2b_hex(digits[shift : len(digits) - (len(digits) - shift) % 2]))


def _base32(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    for run in _BASE32_RUN.found_in(data):
        for shift in range(8):
            piece = run[shift:].upper()
            piece = piece[: len(piece) - len(piece) % 8] + _base32_tail(piece[len(piece) - len(piece) % 8 :])
            if piece:
                yield from _text_of(base64.b32decode(piece))


def _base32_tail(tail: bytes) -> bytes:
    """A last group that encodes whole bytes, padded; RFC 4648 section 6."""
    usable = max((n for n in (2, 4, 5, 7) if n <= len(tail)), default=0)
    return tail[:usable] + b"=" * (8 - usable) if usable else b""


def _percent(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    text = _printable(data)
    if _PERCENT.occurs_in(text):
        yield unquote_to_bytes(text)
        if b"+" in text:
            yield unquote_to_bytes(text.replace(b"+", b" "))


def _escapes(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    text = _printable(data)
    if _ESCAPE.occurs_in(text):
        yield _ESCAPE.replaced_in(text, _unescape)


def _unescape(groups: tuple[bytes | None, ...]) -> bytes:
    unicode, byte, octal, plain = groups
    if unicode:
        return chr(int(unicode, 16)).encode("utf-8", "replace")
    if byte:
        return bytes([int(byte, 16)])
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    return _PLAIN_ESCAPES.get(plain or b"", plain or b"")


def _entities(data: bytes, room: int) -> Iterator[bytes]:
    del room  # shrinks
    text = _printable(data)
    if _ENTITY.occurs_in(text):
        yield html.unescape(text.decode("ascii")).encode("utf-8", "replace")


def _decimals(data: bytes, room: int) -> Iterator[bytes]:
    """Lists of character codes: 65, 75, 73, 65."""
    del room  # shrinks
    for run in _DECIMALS.found_in(data):
        codes = [int(code) for code in run.replace(b",", b" ").replace(b";", b" ").split()]
        yield from _text_of(bytes(code for code in codes if code < 256))


def _without_nul(data: bytes, room: int) -> Iterator[bytes]:
    """UTF-16 and UTF-32 of plain text."""
    del room  # shrinks
    if b"\0" in data:
        yield from _text_of(data.replace(b"\0", b""))


def _decompressed(data: bytes, room: int) -> Iterator[bytes]:
    """What compressed streams hold that begin anywhere; `readings` refuses one that outgrows the room."""
    for count, start in enumerate(_COMPRESSED.starts_in(data)):
        if count >= _MAX_COMPRESSED:
            raise DeniedError("inspect.limit")
        stream = memoryview(data)[start:]
        for prefix, decompress in _STREAMS.items():
            if data.startswith(prefix, start):
                decoded = decompress(stream, max(room, 0) + 1)
                if len(decoded) > room:
                    raise DeniedError("inspect.limit")  # a bomb: what lies behind would go unread
                yield decoded


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _stream(start: Callable[[], _Decompressor]) -> Callable[[memoryview, int], bytes]:
    """Decompress piece by piece: what came before an error is a reading too."""

    def decompress(stream: memoryview, at_most: int) -> bytes:
        decompressor, decoded = start(), bytearray()
        for offset in range(0, len(stream), _PIECE_BYTES):
            try:
                decoded += decompressor.decompress(
                    bytes(stream[offset : offset + _PIECE_BYTES]), at_most - len(decoded)
                )
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
                break
            if decompressor.eof or len(decoded) >= at_most:
                break
        return bytes(decoded)

    return decompress


def _inflate(window_bits: int) -> Callable[[memoryview, int], bytes]:
    return _stream(lambda: zlib.decompressobj(window_bits))


def _zip_member(stream: memoryview, at_most: int) -> bytes:
    """A ZIP member after its local header (APPNOTE 4.3.7): deflated; a stored one is readable as it lies."""
    if len(stream) < 30:
        return b""
    start = 30 + int.from_bytes(stream[26:28], "little") + int.from_bytes(stream[28:30], "little")
    return _inflate(-zlib.MAX_WBITS)(stream[start:], at_most) if bytes(stream[8:10]) == b"\x08\x00" else b""


_STREAMS: Final[dict[bytes, Callable[[memoryview, int], bytes]]] = {
    b"\x1f\x8b": _inflate(16 + zlib.MAX_WBITS),
    b"\x78": _inflate(zlib.MAX_WBITS),
    b"BZh": _stream(bz2.BZ2Decompressor),
    b"\xfd7zXZ": _stream(lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)),
    b"PK\x03\x04": _zip_member,
}

_DECODERS: Final = (
    _percent,
    _escapes,
    _entities,
    _without_nul,
    _decompressed,
    _hex,
    _base32,
    _base64,
    _decimals,
)
