"""The values in a body, laid end to end: what a receiver would put together from a form, JSON, parts or columns."""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from email.message import Message
from itertools import compress
from typing import Final, cast
from urllib.parse import unquote_to_bytes

from .patterns import Pattern
from .rewriting import ends

_BEFORE_JSON: Final = b" \t\r\n\xef\xbb\xbf"
_TOKENS: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"(\s*+:)?|\\?\Z)|(-?[0-9][0-9.eE+-]*+)', re.DOTALL)
"""A string (a name, if a colon follows) or a number. Each byte is looked at once: a string that has no end goes on to
the end of the text, else that would be looked for from each quote in it."""
_DELIMITERS: Final = (b",", b";", b"\t", b"|")
_SAMPLE_LINES: Final = 8
_NESTED: Final = Pattern(rb'"[{\[]|\\n')
_BEGINS_JSON: Final = frozenset((b"{", b"[", b"\\", b" "))
"""With what a string begins that may hold JSON: that, or white space before it."""
_LINE_ENDS: Final = (b"\\n", b"\\r", b"\\u000")
_CUT: Final = b"\xfd"
_QUOTE: Final = b"\xfe"
_BACKSLASH: Final = b"\xff"
"""Bytes that are in no UTF-8: where a string stood, an escaped quote, an escaped backslash."""
_WORDS: Final = (b"true", b"false", b"null")
_STRUCTURE: Final = b" \t\r\n{}[],"
_NAME: Final = b"\1"
_CUT_IS_VALUE: Final = bytes.maketrans(_CUT, b"\0")
_NOT: Final = bytes.maketrans(b"\0\1", b"\1\0")
_NUMBER: Final = b"0123456789.eE+-"
_OUTSIDE_STRINGS: Final = _NUMBER + b":" + _CUT
_SAMPLE_BYTES: Final = 256
_LONGEST_VALUE_BYTES: Final = 64 * 1024
"""Nothing that is looked for is longer."""
_END_BYTES: Final = 16 * 1024
"""So much of a long value is laid beside the next one: it is read whole where it stands."""
_MAX_NESTED_JSON: Final = 4
_MAX_NESTED_PARTS: Final = 4
_SHORT_BYTES: Final = 8
"""A value that is longer is looked for by itself."""
_FORM: Final = Pattern(rb"\A[^=&<>{\[\"\s]{0,64}=[^&\s]*&[^=&\s]{0,64}=")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_PART_NAMES: Final = [re.compile(rb"(?i)\b" + key + rb'\*?="?([^"\r\n;]{1,1024})') for key in (b"name", b"filename")]
_INNER_BOUNDARY: Final = re.compile(rb'(?i)boundary="?([^"\r\n;]{1,70})')


def pieces(body: bytes, content_type: str) -> bytes:
    """The values, then the names; empty if the body has none. A body is what it looks like, whatever its type says."""
    message = Message()
    message["content-type"] = content_type
    kind, begin = message.get_content_type(), body.lstrip(_BEFORE_JSON)[:_SAMPLE_BYTES]
    if kind.startswith("multipart/") or begin.startswith(b"--"):
        boundary = message.get_boundary("").encode("utf-8", "replace") or begin[2:].partition(b"\n")[0].rstrip(b"\r")
        return b"\n".join(_parts(body, boundary, _MAX_NESTED_PARTS))
    if kind == "application/x-www-form-urlencoded" or _FORM.occurs_in(begin):
        pairs = [piece.partition(b"=") for piece in body.replace(b"+", b" ").split(b"&")]
        values, names = [value for _, _, value in pairs], [name for name, _, _ in pairs]
        return unquote_to_bytes(b"".join(values)) + b"\n" + unquote_to_bytes(b"".join(names))
    if begin[:1] in (b"{", b"["):
        return _of_json(body, _MAX_NESTED_JSON)
    columns = _columns(body)
    return b"\n".join((_of_json(body, _MAX_NESTED_JSON), *columns) if begin[:1] == b'"' else columns)


def _parts(body: bytes, boundary: bytes, depth: int) -> Iterator[bytes]:
    """The contents of the parts, the names and file names that they have, and the same of parts in parts (RFC 2046)."""
    if not boundary:
        return
    parts = [_HEAD_END.split(part, maxsplit=1) for part in body.split(b"--" + boundary)[1:]]
    whole = [(part[0], part[1].removesuffix(b"\n").removesuffix(b"\r")) for part in parts if len(part) > 1]
    yield b"".join(_ends(content for _, content in whole))
    for names in _PART_NAMES:
        yield b"".join(name for head, _ in whole for name in names.findall(head))
    for head, content in whole if depth else ():
        inner = _INNER_BOUNDARY.search(head)
        if inner is not None:
            yield from _parts(content, inner[1], depth - 1)


def _of_json(text: bytes, depth: int) -> bytes:
    """Of one JSON value or of many, by its tokens, so that what is no JSON is read too. JSON in strings is read."""
    values, names, strings = _of_plain_json(text) or _of_tokens(text)
    inner: list[bytes] = []
    if depth and _NESTED.occurs_in(text):
        for string in strings:
            if string[:1] in _BEGINS_JSON or _line_ends(string) >= _SAMPLE_LINES - 1:
                inner += _inside(_unmarked(string), depth - 1)
    return b"\n".join((values, names, *inner))


def _ends(values: Iterable[bytes]) -> list[bytes]:
    return [value if len(value) <= 4 * _END_BYTES else ends(value, _END_BYTES) for value in values]


def _short(strings: Iterable[bytes]) -> bytes:
    """The short ones without the numbers between: of records that say in which order they belong."""
    return b"".join([string for string in strings if len(string) < _SHORT_BYTES])


_Laid = tuple[bytes, bytes, Sequence[bytes]]
"""The values, the names, and the strings one by one."""


def _of_tokens(text: bytes) -> _Laid:
    tokens = _TOKENS.findall(text)
    values = b"".join(_ends(string or number for string, colon, number in tokens if not colon))
    values += b"\n" + _short(string for string, colon, _ in tokens if not colon)
    names = b"".join([string for string, colon, _ in tokens if colon])
    return values, names, [string for string, _, _ in tokens]


def _of_plain_json(text: bytes) -> _Laid | None:
    """The same three times as fast, by cutting at the quotes; None where these do not tell what is a string."""
    if any(mark in text for mark in (_CUT, _QUOTE, _BACKSLASH)):
        return None
    marked = text.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE) if b"\\" in text else text
    parts = marked.split(b'"')
    if len(parts) % 2 == 0:
        return None
    outside = _CUT.join(parts[::2]).translate(None, _STRUCTURE)
    if outside.translate(None, _OUTSIDE_STRINGS):
        for word in _WORDS:
            outside = outside.replace(word, b"")
        if outside.translate(None, _OUTSIDE_STRINGS):
            return None
    strings = parts[1::2]
    # Where a string stood, whether a colon follows: then it is a name.
    outside = outside.replace(_CUT + b":", _NAME)
    is_name = outside.translate(_CUT_IS_VALUE, _NUMBER + b":")
    if len(is_name) != len(strings):
        return None
    names = b"".join(compress(strings, is_name))
    said = [*compress(strings, is_name.translate(_NOT))]
    # A mark is shorter than what it stands for.
    short = _short(said if marked is text else map(_unmarked, said))
    numbers = outside.translate(None, _NAME + b":").split(_CUT)
    laid = [b""] * (2 * len(said) + 1)
    laid[::2], laid[1::2] = numbers, _ends(said)
    values = b"".join(laid) + b"\n" + short
    return _unmarked(values), _unmarked(_once(names)), strings


def _once(names: bytes) -> bytes:
    """Without most repetitions, where all records have the same names: whatever is short enough still occurs."""
    period = names.find(names[:_SAMPLE_BYTES], 1) if len(names) > 2 * _LONGEST_VALUE_BYTES else -1
    if period > 0 and names[period:] == names[:-period]:
        return names[: period + _LONGEST_VALUE_BYTES]
    return names


def _line_ends(string: bytes) -> int:
    """How many ends of lines the string has, as JSON writes them."""
    escapes = string.count(b"\\")
    return sum(map(string.count, _LINE_ENDS)) if escapes >= _SAMPLE_LINES - 1 else escapes


def _unmarked(marked: bytes) -> bytes:
    if _QUOTE not in marked and _BACKSLASH not in marked:
        return marked
    return marked.replace(_QUOTE, b'\\"').replace(_BACKSLASH, b"\\\\")


def _inside(string: bytes, depth: int) -> Iterator[bytes]:
    """What a JSON string holds, if that is JSON or a table again."""
    with contextlib.suppress(ValueError, UnicodeError):
        text = cast("str", json.loads(b'"' + string + b'"')).encode("utf-8", "replace")
        if text.lstrip(_BEFORE_JSON)[:1] in (b"{", b"["):
            yield _of_json(text, depth)
        yield from _columns(text)


def _columns(body: bytes) -> Iterator[bytes]:
    """The columns of a table, each from top to bottom, where the first lines have as many fields each."""
    lines = body.splitlines()
    sample = lines[:_SAMPLE_LINES]
    if len(sample) < _SAMPLE_LINES:
        return
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in sample}
        if len(counts) == 1 and counts != {0}:
            yield from _joined([line.split(delimiter) for line in lines])


def _joined(rows: Sequence[Sequence[bytes]]) -> Iterator[bytes]:
    for column in range(len(rows[0])):
        yield b"".join(row[column] for row in rows if column < len(row))
