"""How a value may be written on its way out: every row must be read back by the door."""

import base64
import binascii
import bz2
import codecs
import gzip
import io
import json
import lzma
import string
import zipfile
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import quote


def _zip(text: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.txt", text)
    return file.getvalue()


def _png(text: bytes) -> bytes:
    """A PNG with the text in a compressed zTXt chunk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = chunk(b"IHDR", bytes.fromhex("00000001000000010802000000"))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text)) + chunk(b"IEND", b"")


_BOLD = {
    **{97 + n: 0x1D41A + n for n in range(26)},
    **{65 + n: 0x1D400 + n for n in range(26)},
    **{48 + n: 0x1D7CE + n for n in range(10)},
}


def _deflated(data: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compress.compress(b" ".join([data] * 3)) + compress.flush()


def _zip_by(method: int) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("notes.txt", b" ".join([data] * 3))
        return file.getvalue()

    return pack


def _in_base(digits: str) -> Callable[[bytes], bytes]:
    def write(data: bytes) -> bytes:
        number, written = int.from_bytes(data, "big"), ""
        while number:
            number, digit = divmod(number, len(digits))
            written = digits[digit] + written
        return written.encode()

    return write


def _base32_as(digits: bytes) -> Callable[[bytes], bytes]:
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return lambda b: base64.b32encode(b).rstrip(b"=").translate(bytes.maketrans(plain, digits))


def _each(pattern: str, between: str = "") -> Callable[[bytes], bytes]:
    return lambda b: between.join(pattern.format(c) for c in b).encode()


def _base64_utf_16(data: bytes) -> bytes:
    return base64.b64encode(data.decode().encode("utf-16-be")).rstrip(b"=")


ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": lambda b: b,
    "base64": base64.b64encode,
    "base64, misaligned by one": lambda b: b"x" + base64.b64encode(b),
    "base64 of more around it": lambda b: base64.b64encode(b"the key is: " + b + b" ok"),
    "base64url": base64.urlsafe_b64encode,
    "base64 without padding": lambda b: base64.b64encode(b).rstrip(b"="),
    "base64 in lines": lambda b: base64.encodebytes(b"some longer text so that there are two lines, and then: " + b),
    "base64 with dots between": lambda b: b".".join(base64.b64encode(b)[i : i + 4] for i in range(0, 36, 4)),
    "base64 twice": lambda b: base64.b64encode(base64.b64encode(b)),
    "base64 four times": lambda b: base64.b64encode(base64.b64encode(base64.b64encode(base64.b64encode(b)))),
    "base32": base64.b32encode,
    "base32 in lower case": lambda b: base64.b32encode(b).lower().rstrip(b"="),
    "hex": lambda b: b.hex().encode(),
    "hex in upper case": lambda b: b.hex().upper().encode(),
    "hex with colons": lambda b: b.hex(":").encode(),
    "hex with backslash x": lambda b: b"".join(b"\\x%02x" % c for c in b),
    "hex with 0x": lambda b: b" ".join(b"0x%02x" % c for c in b),
    "percent": lambda b: b"".join(b"%%%02x" % c for c in b),
    "percent twice": lambda b: quote("".join(f"%{c:02X}" for c in b)).encode(),
    "JSON escapes": lambda b: b"".join(b"\\u%04x" % c for c in b),
    "octal escapes": lambda b: b"".join(b"\\%03o" % c for c in b),
    "HTML entities": lambda b: b"".join(b"&#%d;" % c for c in b),
    "HTML entities in hex": lambda b: b"".join(b"&#x%x;" % c for c in b),
    "decimal codes": lambda b: b", ".join(b"%d" % c for c in b),
    "gzip in base64": lambda b: base64.b64encode(gzip.compress(b)),
    "zlib in base64": lambda b: base64.b64encode(zlib.compress(b)),
    "gzip in hex": lambda b: gzip.compress(b).hex().encode(),
    "hex in base64": lambda b: base64.b64encode(b.hex().encode()),
    "base32 in gzip in base64": lambda b: base64.b64encode(gzip.compress(base64.b32encode(b))),
    "percent in base64 in hex": lambda b: base64.b64encode(quote(b).encode()).hex().encode(),
    "raw deflate in base64": lambda b: base64.b64encode(_deflated(b)),
    "gzip as characters": lambda b: gzip.compress(b).decode("latin-1").encode(),
    "full width": lambda b: "".join(chr(c + 0xFEE0) if 0x21 <= c <= 0x7E else chr(c) for c in b).encode(),
    "bold digits and letters": lambda b: b.decode().translate(_BOLD).encode(),
}
BINARY: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": _zip,
    "zip in zip": lambda b: _zip(_zip(b)),
    "gzip after junk": lambda b: bytes(range(128, 200)) + gzip.compress(b),
    "cut gzip": lambda b: gzip.compress(b + b" and more text that follows here")[:-12],
    "UTF-16": lambda b: b.decode().encode("utf-16"),
    "UTF-32": lambda b: b.decode().encode("utf-32-be"),
    "PNG comment": _png,
    "zip by LZMA": _zip_by(zipfile.ZIP_LZMA),
    "zip by bzip2": _zip_by(zipfile.ZIP_BZIP2),
    "LZMA alone": lambda b: lzma.compress(b, format=lzma.FORMAT_ALONE),
    "raw deflate": lambda b: _deflated(b),
    "appended to an image": lambda b: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4 + b,
}
_LETTERS = string.ascii_letters
CANARY_ONLY: Mapping[str, Callable[[bytes], bytes]] = {
    "backwards": lambda b: b[::-1],
    "upper case": bytes.upper,
    "a dash after each character": lambda b: b"-".join(bytes([c]) for c in b),
    "a space after each character": lambda b: b" ".join(bytes([c]) for c in b),
    "backwards in base64": lambda b: base64.b64encode(b[::-1]),
    "two thirds of it": lambda b: b[: len(b) * 2 // 3 + 2],
    "base64, backwards": lambda b: base64.b64encode(b)[::-1],
    "hex, backwards": lambda b: b.hex().encode()[::-1],
    "base64 with the cases swapped": lambda b: base64.b64encode(b).swapcase(),
    "base64 in crypt's alphabet": lambda b: base64.b64encode(b).translate(
        bytes.maketrans(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        )
    ),
    "base64 of UTF-16": _base64_utf_16,
    "UTF-7": lambda b: b"+" + _base64_utf_16(b) + b"-",
    "UTF-7 of IMAP": lambda b: b"&" + _base64_utf_16(b).replace(b"/", b",") + b"-",
    "base32 with dashes": lambda b: b"-".join(base64.b32encode(b)[i : i + 4] for i in range(0, 52, 4)),
    "base32hex": base64.b32hexencode,
    "base32 of Crockford": _base32_as(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
    "z-base-32": _base32_as(b"ybndrfg8ejkmcpqxot1uwisza345h769"),
    "base85": base64.b85encode,
    "ascii85": base64.a85encode,
    "ascii85 of Adobe": lambda b: base64.a85encode(b, adobe=True),
    "base58": _in_base("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"),
    "base62": _in_base(string.digits + _LETTERS),
    "base36": _in_base(string.digits + string.ascii_lowercase),
    "one decimal number": lambda b: str(int.from_bytes(b, "big")).encode(),
    "one binary number": lambda b: bin(int.from_bytes(b, "big")).encode(),
    "uuencode": lambda b: b"begin 644 x\n" + binascii.b2a_uu(b) + b"`\nend\n",
    "quoted-printable": _each("={:02X}"),
    "hex with pipes": _each("{:02x}", "|"),
    "hex with h": _each("{:02x}h", " "),
    "hex a line": _each("{:02x}", "\n"),
    "hex digit by digit": lambda b: " ".join(b.hex()).encode(),
    "hex of UTF-32": lambda b: b.decode().encode("utf-32-le").hex().encode(),
    "base64 of UTF-32": lambda b: base64.b64encode(b.decode().encode("utf-32-le")),
    "hex of UTF-16": lambda b: b.decode().encode("utf-16-le").hex().encode(),
    "binary with spaces": _each("{:08b}", " "),
    "octal with spaces": _each("{:03o}", " "),
    "decimal codes with dots": _each("{:d}", "."),
    "decimal codes a line": _each("{:d}", "\n"),
    "percent u": _each("%u{:04x}"),
    "escapes of JavaScript": _each("\\u{{{:x}}}"),
    "escapes of Python": _each("\\U{:08x}"),
    "escapes of CSS": _each("\\{:06x}"),
    "calls of chr": _each("chr({:d})", "+"),
    "HTML entities without semicolons": _each("&#{:d}"),
    "HTML entities with zeros": _each("&#x{:08x};"),
    "rot13": lambda b: codecs.encode(b.decode(), "rot13").encode(),
    "the alphabet one further": lambda b: bytes((c - 96) % 26 + 97 if 97 <= c <= 122 else c for c in b.lower()),
    "the alphabet backwards": lambda b: bytes(219 - c if 97 <= c <= 122 else c for c in b.lower()),
    "rot47": lambda b: bytes(33 + (c - 33 + 47) % 94 for c in b),
    "an x after each character": lambda b: b"x".join(bytes([c]) for c in b),
    "two other characters after each": lambda b: b"".join(bytes([c]) + b"qz" for c in b),
    "even characters, then odd ones": lambda b: b[::2] + b[1::2],
    "zero-width spaces": lambda b: "\u200b".join(b.decode()).encode(),
    "a tag around each character": lambda b: b"".join(b"<i>%c</i>" % c for c in b),
    "CDATA sections": lambda b: b"]]><![CDATA[".join(bytes([c]) for c in b),
    "HTML comments between": lambda b: b"<!-- x -->".join(b[i : i + 3] for i in range(0, len(b), 3)),
    "a column of a table": lambda b: b"\n".join(b"%d,%c" % (n, c) for n, c in enumerate(b)),
    "a JSON value a line": lambda b: b"\n".join(b'{"v": "%s"}' % b[i : i + 4] for i in range(0, len(b), 4)),
    "JSON of codes": lambda b: json.dumps([{"c": c} for c in b]).encode(),
    "JSON of positions": lambda b: json.dumps({str(n): chr(c) for n, c in enumerate(b)}).encode(),
}
