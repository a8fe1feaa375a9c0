"""Every writing of a known value that some program would read back: what is looked for instead of being decoded.

What is to be found is known, so that the value is written in each way once, when the configuration is loaded, and the
writings are looked for in one pass. Views of what leaves take the separators out: letters and digits (`bare`),
hexadecimal digits only, decimal digits only; beside the bytes as they are.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

MIN_WRITING_BYTES: Final = 16
"""A shorter writing would be found in innocent requests."""

_LONGEST_NUMBER_BYTES: Final = 1024
"""Python writes no longer one in decimal."""

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64 + b"-_"))
_BASE64URL: Final = bytes.maketrans(b"-_", b"+/")
_LOWER: Final = bytes(range(256)).lower()
_NOT_ALPHANUMERIC: Final = bytes(set(range(256)) - set(_BASE64[:62]))
_NOT_HEX: Final = bytes(set(range(256)) - set(b"0123456789abcdef"))
_NOT_DIGIT: Final = bytes(set(range(256)) - set(b"0123456789"))

_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE32_ALPHABETS: Final = (
    _BASE32,
    b"0123456789ABCDEFGHIJKLMNOPQRSTUV",  # base32hex, RFC 4648
    b"0123456789ABCDEFGHJKMNPQRSTVWXYZ",  # Crockford
    b"ybndrfg8ejkmcpqxot1uwisza345h769",  # z-base-32
)
_BASE64_ALPHABETS: Final = (
    _BASE64,
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",  # crypt
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",  # bcrypt
)
_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_DECIMALS: Final = b"0123456789"
_SUBSTITUTIONS: Final = (
    *(bytes.maketrans(_LETTERS, _LETTERS[turn:] + _LETTERS[:turn]) for turn in range(1, 26)),
    bytes.maketrans(_LETTERS + _DECIMALS, _LETTERS[13:] + _LETTERS[:13] + _DECIMALS[5:] + _DECIMALS[:5]),
    bytes.maketrans(_LETTERS, _LETTERS[::-1]),
)
_OTHER_CHARSETS: Final = ("utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le", "cp037", "cp500")
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS_AND_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE62: Final = (
    _DIGITS_AND_LETTERS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
)
_BASE85: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


class View(StrEnum):
    """In what form of the sent bytes a writing is looked for."""

    RAW = "the bytes as they are"
    BASE64 = "the characters of base64, of its URL-safe form too"
    BARE = "letters and digits, in lower case"
    HEX = "hexadecimal digits, in lower case"
    DIGITS = "decimal digits"


def bare(data: bytes) -> bytes:
    return data.translate(_LOWER, _NOT_ALPHANUMERIC)


VIEWS: Final[Mapping[View, Callable[[bytes], bytes]]] = {
    View.BASE64: lambda data: data.translate(_BASE64URL, _NOT_BASE64),
    View.BARE: bare,
    View.HEX: lambda lower: lower.translate(None, _NOT_HEX),
    View.DIGITS: lambda lower: lower.translate(None, _NOT_DIGIT),
}
"""Each view from any view before it: these take away ever more."""
_BEFORE: Final = {View.BASE64: View.RAW, View.BARE: View.BASE64, View.HEX: View.BARE, View.DIGITS: View.HEX}


class Views:
    """The views of one reading, each made when it is first looked at, from the one before."""

    def __init__(self, reading: bytes) -> None:
        self._made: dict[View, bytes] = {View.RAW: reading}

    def __getitem__(self, view: View) -> bytes:
        made = self._made.get(view)
        if made is None:
            made = self._made[view] = VIEWS[view](self[_BEFORE[view]])
        return made


def writings(value: str) -> Mapping[View, frozenset[bytes]]:
    """All writings of a value, by the view in which they are looked for; each forwards and backwards."""
    found: dict[View, set[bytes]] = {view: set() for view in View}
    for text in dict.fromkeys((value, value.lower(), value.upper())):
        for order in (text, text[::-1]):
            for view, writing in _of(order):
                kept = VIEWS[view](writing.lower()) if view in VIEWS else writing
                if len(kept) >= MIN_WRITING_BYTES:
                    found[view] |= {kept, kept[::-1]}
    return {view: frozenset(some) for view, some in found.items()}


def _of(text: str) -> Iterator[tuple[View, bytes]]:
    data = text.encode()
    yield View.BARE, data
    yield View.BARE, data[::2] + data[1::2]
    for shifted in _substituted(data):
        yield View.BARE, shifted
    if len(data) <= _LONGEST_NUMBER_BYTES:
        for number in _numbers(data):
            yield View.BARE, number
        yield View.DIGITS, str(int.from_bytes(data, "big")).encode()
        yield View.DIGITS, oct(int.from_bytes(data, "big"))[2:].encode()
    for pattern in ("{:d}", "{:03d}", "{:010d}", "{:o}", "{:03o}", "{:08b}", "{:07b}"):
        yield View.DIGITS, "".join(map(pattern.format, data)).encode()
    for pattern in ("{:02x}", "{:03x}", "{:04x}", "{:06x}", "{:08x}", "c0{:02x}"):
        yield View.HEX, "".join(map(pattern.format, data)).encode()
    for encoded in dict.fromkeys((data, *(text.encode(charset, "ignore") for charset in _OTHER_CHARSETS))):
        yield View.HEX, encoded.hex().encode()
        yield from ((View.BARE, writing) for writing in _base64(encoded))
    yield from ((View.BARE, writing) for writing in _base32(data))
    yield from ((View.RAW, writing) for writing in _raw(text))


def _substituted(data: bytes) -> Iterator[bytes]:
    """Letters moved by one to 25 places (rot13), digits too or not (rot18), and the alphabet backwards."""
    lower = data.lower()
    return (lower.translate(substitution) for substitution in _SUBSTITUTIONS)


def _numbers(data: bytes) -> Iterator[bytes]:
    """The value as one number, in bases whose digits are letters too."""
    number = int.from_bytes(data, "big")
    for digits in (_DIGITS_AND_LETTERS, _BASE58, *_BASE62):
        written, rest = "", number
        while rest:
            rest, digit = divmod(rest, len(digits))
            written = digits[digit] + written
        yield written.encode()


def base64_at(data: bytes, shift: int) -> bytes:
    """Base64 of the data after `shift` other bytes, without the characters in which others have a part."""
    encoded = base64.b64encode(bytes(shift) + data).rstrip(b"=")
    whole = (shift + len(data)) % 3 == 0
    return encoded[-(-shift * 8 // 6) :] if whole else encoded[-(-shift * 8 // 6) : -1]


def _base64(data: bytes) -> Iterator[bytes]:
    for shift in range(3):
        for alphabet in _BASE64_ALPHABETS:
            yield base64_at(data, shift).translate(bytes.maketrans(_BASE64, alphabet))


def _base32(data: bytes) -> Iterator[bytes]:
    for shift in range(5):
        encoded = base64.b32encode(bytes(shift) + data).rstrip(b"=")[-(-shift * 8 // 5) :]
        for alphabet in _BASE32_ALPHABETS:
            yield (encoded if (shift + len(data)) % 5 == 0 else encoded[:-1]).translate(
                bytes.maketrans(_BASE32, alphabet)
            )


def _raw(text: str) -> Iterator[bytes]:
    """Writings whose digits are punctuation, and other character sets."""
    data = text.encode()
    yield from (text.encode(charset, "ignore") for charset in ("cp037", "cp500"))
    yield bytes(33 + (c - 33 + 47) % 94 for c in data if 33 <= c <= 126)  # rot47
    yield bytes((c + 42) % 256 for c in data)  # yEnc
    yield bytes(c >> 4 | (c & 15) << 4 for c in data)
    yield bytes(c ^ 255 for c in data)
    for shift in range(4):
        padded = bytes(shift) + data
        whole = padded[: len(padded) - len(padded) % 4]
        first = 5 if shift else 0  # a group of four bytes is five characters
        for encoded in (base64.b85encode(whole), base64.a85encode(whole)):
            yield encoded[first:]
        yield base64.b85encode(whole).translate(bytes.maketrans(_BASE85, _Z85))[first:]
    for shift in range(3):
        padded = bytes(shift) + data
        for backtick in (True, False):  # for the digit zero: a backtick, or a space
            line = binascii.b2a_uu(padded[: min(len(padded), 45) // 3 * 3], backtick=backtick)[1:].rstrip(b"\n")
            yield line[4 if shift else 0 :]
