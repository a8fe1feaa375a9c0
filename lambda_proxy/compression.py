"""What compressed streams hold, wherever in some bytes they begin, and however they were cut off."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from .denial import DeniedError
from .patterns import PRINTABLE_RUN, Pattern

COMPRESSED: Final = Pattern(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|BZh[1-9]1AY|\xfd7zXZ|PK\x03\x04|\x5d\x00\x00")
_MAX_COMPRESSED: Final = 1024
_PIECE_BYTES: Final = 4096
_TRIED_BYTES: Final = 4096
_STORED: Final = 0
_OWN_CODES: Final = 2
_RESERVED: Final = 3
_MOST_OF_A_CODE: Final = 29
"""286 codes for literals and lengths, and 30 for distances, as the head of a block counts them."""
_NO_BLOCK: Final = frozenset(
    first
    for first in range(256)
    if first >> 1 & 3 == _RESERVED or (first >> 1 & 3 == _OWN_CODES and first >> 3 > _MOST_OF_A_CODE)
)
"""With what no block begins, by its kind and the first of its counts."""
_XZ_MEMORY_BYTES: Final = 64 * 1024 * 1024


def deflated(data: bytes, room: int) -> Iterator[bytes]:
    """A deflated stream without any header, from the first byte on: nothing but its content shows that it is one."""
    if begins_deflated(data):
        decoded = _inflate(-zlib.MAX_WBITS)(memoryview(data), max(room, 0) + 1)
        if len(decoded) > room:
            raise DeniedError("inspect.limit")
        if PRINTABLE_RUN.occurs_in(decoded):
            yield decoded


def begins_deflated(data: bytes) -> bool:
    """By the first bytes (RFC 1951 3.2.3): few others pass, and of these nearly all fail within the first block."""
    begin = data[:64]
    if (begin.isascii() and 0 not in begin) or begin[0] in _NO_BLOCK:
        return False
    kind = begin[0] >> 1 & 3
    if kind == _STORED and len(begin) >= 5 and not begin[1] ^ begin[3] == begin[2] ^ begin[4] == 255:
        return False  # no length and its complement
    if kind == _OWN_CODES and begin[1:2] and begin[1] & 31 > _MOST_OF_A_CODE:
        return False
    try:
        zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[:_PIECE_BYTES], _TRIED_BYTES)
    except zlib.error:
        return False
    return True


def decompressed(data: bytes, room: int) -> Iterator[bytes]:
    """What compressed streams hold, wherever they begin. Raises DeniedError(inspect.limit) if that outgrows `room`."""
    for count, start in enumerate(COMPRESSED.starts_in(data)):
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


_LZMA: Final = _stream(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, _XZ_MEMORY_BYTES))


def _zip_member(stream: memoryview, at_most: int) -> bytes:
    """A ZIP member after its local header (APPNOTE 4.3.7): deflated; a stored one is readable as it lies."""
    if len(stream) < 30:
        return b""
    start = 30 + int.from_bytes(stream[26:28], "little") + int.from_bytes(stream[28:30], "little")
    match int.from_bytes(stream[8:10], "little"):
        case 8:
            return _inflate(-zlib.MAX_WBITS)(stream[start:], at_most)
        case 14:  # two bytes of version, two of size, five of properties (5.8.8); a length that is unknown
            alone = bytes(stream[start + 4 : start + 9]) + b"\xff" * 8 + bytes(stream[start + 9 :])
            return _LZMA(memoryview(alone), at_most)
        case _:
            return b""


_STREAMS: Final[dict[bytes, Callable[[memoryview, int], bytes]]] = {
    b"\x1f\x8b": _inflate(16 + zlib.MAX_WBITS),
    b"\x78": _inflate(zlib.MAX_WBITS),
    b"BZh": _stream(bz2.BZ2Decompressor),
    b"\xfd7zXZ": _stream(lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)),
    b"PK\x03\x04": _zip_member,
    b"\x5d\x00\x00": _LZMA,
}
