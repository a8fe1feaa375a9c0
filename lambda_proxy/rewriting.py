"""Writings that are read where they stand in a text: escapes, entities, tags, bytes and letters written as others.

Where nothing is written so, another reading would be what has been read already: only what lies near a change is read
again, so that a long text with some escapes costs little more than one without.
"""

import html
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from .patterns import PRINTABLE_RUN, Pattern
from .writings import bare

REACH_BYTES: Final = 512
"""So much on either side of a change is read again with it, unless longer values are looked for."""
_LETTERS_SHARE: Final = 2
"""Of the bytes within reach, one of so many is a letter or digit: between others a value reaches farther."""
_OF_TOKENS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.%-" + bytes(range(0x80, 0x100))
"""What lies within reach ends where one of these does not follow: a long token is read whole or not at all."""

_TEXT_RUN: Final = Pattern(rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3}){12,}")
"""Text in UTF-8 among other bytes."""
_LATIN_1_RUN: Final = Pattern(rb"(?:[\x00-\x7f]|[\xc2\xc3][\x80-\xbf]){24,}")
_LATIN_1: Final = re.compile(rb"(?:[\xc2\xc3][\x80-\xbf])+")
_NO_WORD: Final = re.compile(rb"(?:[\xc2\xc3][\x80-\xbf]){2,}|\xc2[\x80-\x9f]")
"""Of these characters, what is not merely an accent in a word: whoever writes bytes so has many."""
_PERCENT: Final = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_PLUS: Final = re.compile(rb"(?<=\S)\+(?=\S)")
_ESCAPE: Final = re.compile(
    rb"\\(?:u([0-9A-Fa-f]{4})|u\{0{0,4}([0-9A-Fa-f]{2,6})\}|x([0-9A-Fa-f]{2})|([0-7]{3})|([nrtbf/\"'\\]))"
)
_HIGH_ESCAPE: Final = re.compile(rb"\\u(?:00[89A-Fa-f][0-9A-Fa-f]|\{0*[89A-Fa-f][0-9A-Fa-f]\})")
"""Bytes that were written as characters of the same number."""
_ENTITY: Final = re.compile(rb"&(?:#[xX]?[0-9A-Fa-f]{2,8}|[0-9A-Za-z]{2,31};);?")
_ANY: Final = re.compile(b"|".join((_PERCENT.pattern, rb"\\[ux0-7nrtbf/\"'\\]", _ENTITY.pattern)))
_TAG: Final = re.compile(rb"<!\[CDATA\[|\]\]>|<!--[^<>]{0,4096}-->|</?[A-Za-z!?][^<>]{0,4096}>")
_ATTRIBUTE: Final = Pattern(rb"=\s?(?:\"[^\"<>]{1,8}\"|'[^'<>]{1,8}')")
"""A longer one is looked for by itself."""
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]+")
_NULS: Final = re.compile(rb"\0+")
_PLAIN: Final = 5
"""The group of one character."""
_PLAIN_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def text_in(data: bytes) -> bytes:
    """The text in the bytes, run by run: where writing such as `%41` or `\\u0041` is looked for."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return b"\n".join(_TEXT_RUN.found_in(data))
    return data


def percent(text: bytes, reach: int) -> Iterator[bytes]:
    """As in URLs, and as in forms, where a plus is a space."""
    some = _near(text, _spans(_PERCENT, text), reach)
    yield unquote_to_bytes(some)
    if b"+" in some:
        yield unquote_to_bytes(_near(some, _spans(_PLUS, some), reach).replace(b"+", b" "))


def escapes(text: bytes, reach: int) -> Iterator[bytes]:
    """As in JSON, JavaScript, Python and C."""
    some = _near(text, _spans(_ESCAPE, text), reach)
    yield _paired(_ESCAPE.sub(_unescape, some))
    high = _near(some, _spans(_HIGH_ESCAPE, some), reach)
    yield _ESCAPE.sub(lambda found: _unescape(found, "latin-1", "replace"), high)


def entities(text: bytes, reach: int) -> Iterator[bytes]:
    """As in HTML and XML."""
    some = _near(text, _spans(_ENTITY, text), reach)
    yield html.unescape(some.decode("utf-8", "replace")).encode("utf-8", "replace")


def together(text: bytes, reach: int) -> Iterator[bytes]:
    """All of these at once: for text in which more than two of them stand over each other."""
    some = _near(text, _spans(_ANY, text), reach)
    some = html.unescape(unquote_to_bytes(some).decode("utf-8", "replace")).encode("utf-8", "replace")
    yield _paired(_ESCAPE.sub(_unescape, some))


def markup(text: bytes, reach: int) -> Iterator[bytes]:
    """The text between tags, comments and marks of CDATA sections; and what short attributes hold together."""
    yield _TAG.sub(b"", _near(text, _spans(_TAG, text, at_once=0), reach))  # a tag may be long
    yield b"".join(_ATTRIBUTE.found_in(text))


def without_nul(data: bytes, reach: int) -> Iterator[bytes]:
    """UTF-16 and UTF-32 of plain text."""
    some = _near(data, _spans(_NULS, data), reach)
    yield b"\n".join(PRINTABLE_RUN.found_in(some.replace(b"\0", b"")))


def latin_1(data: bytes, reach: int) -> Iterator[bytes]:
    """Bytes that were written as characters of the same number, and these as UTF-8."""
    if not _NO_WORD.search(data):
        return
    runs = [run for run in _LATIN_1_RUN.found_in(data) if not run.isascii()]
    near = [_near(run, _spans(_NO_WORD, run), reach) for run in runs]
    yield _LATIN_1.sub(lambda found: found[0].decode().encode("latin-1"), b"\n".join(near))


def compatible(text: bytes, reach: int) -> Iterator[bytes]:
    """Other characters that a reader takes for letters and digits: wide, bold, in circles (Unicode NFKC)."""
    normal = {run: _normal(run) for run in set(_BEYOND_ASCII.findall(text))}
    changed = (run.span() for run in _BEYOND_ASCII.finditer(text) if normal[run[0]] != run[0])
    yield _BEYOND_ASCII.sub(lambda run: normal.get(run[0], run[0]), _near(text, changed, reach))


def _normal(text: bytes) -> bytes:
    return unicodedata.normalize("NFKC", text.decode("utf-8", "replace")).encode()


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
        try:
            halves = data.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
        except UnicodeError:
            return data
        return halves.decode("utf-16", "replace").encode()
    return data


def _spans(pattern: re.Pattern[bytes], text: bytes, at_once: int = REACH_BYTES) -> Iterator[tuple[int, int]]:
    """Where it occurs. What follows an occurrence within so many bytes is not looked at, but taken for part of it."""
    found = pattern.search(text)
    while found:
        end = min(found.end() + at_once, len(text))
        yield found.start(), end
        found = pattern.search(text, end)


def _near(text: bytes, changes: Iterable[tuple[int, int]], reach: int) -> bytes:
    """What of the text lies within reach of the changes (begin, end), in order: empty if there are none."""
    parts: list[bytes] = []
    begin = end = -1
    for start, stop in changes:
        if begin < 0:
            begin = start - _reached_before(text, 0, start, reach)
        elif start - end > 2 * reach:
            after, before = _reached_behind(text, end, start, reach), _reached_before(text, end, start, reach)
            if after + before < start - end:
                parts.append(text[begin : end + after])
                begin = start - before
        end = stop
    if begin >= 0:
        parts.append(text[begin : end + _reached_behind(text, end, len(text), reach)])
    return b"\n".join(parts)


def ends(value: bytes, reach: int) -> bytes:
    """What of it lies within reach of its begin and of its end."""
    begin, end = _reached_behind(value, 0, len(value), reach), _reached_before(value, 0, len(value), reach)
    return value if begin + end >= len(value) else value[:begin] + b"\n" + value[-end:]


def _reached_behind(text: bytes, begin: int, end: int, reach: int) -> int:
    size = reach
    while size < end - begin and len(bare(text[begin : begin + size])) * _LETTERS_SHARE < reach:
        size *= 2
    rest = text[begin + size : end]
    return min(size, end - begin) + len(rest) - len(rest.lstrip(_OF_TOKENS))


def _reached_before(text: bytes, begin: int, end: int, reach: int) -> int:
    size = reach
    while size < end - begin and len(bare(text[end - size : end])) * _LETTERS_SHARE < reach:
        size *= 2
    rest = text[begin : max(end - size, begin)]
    return min(size, end - begin) + len(rest) - len(rest.rstrip(_OF_TOKENS))
