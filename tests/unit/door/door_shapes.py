"""Bodies that hold a value in pieces, which a receiver puts together whatever the body's type says.

Each is a type and a way to write; `door_attacks` writes a canary so, `door_benign` what people write.
"""

import json
from collections.abc import Callable, Mapping


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def parts(contents: list[str], boundary: str = "B", end: str = "\r\n", head: str = "") -> str:
    """A multipart body (RFC 2046)."""
    rows = [f'--{boundary}{end}Content-Disposition: form-data; name="p"{head}{end}{end}{one}{end}' for one in contents]
    return "".join(rows) + f"--{boundary}--{end}"


def _named_parts(text: str) -> str:
    rows = [f'--B\r\nContent-Disposition: form-data; name="f"; filename="{one}"\r\n\r\n1\r\n' for one in _pairs(text)]
    return "".join(rows) + "--B--\r\n"


def _selectors(text: str) -> str:
    return "".join(chr(0xFE00 + (byte >> 4)) + chr(0xFE00 + (byte & 15)) for byte in text.encode())


MULTIPART = "multipart/form-data; boundary=B"

SHAPES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "a form that is called JSON": ("application/json", lambda text: "&".join(f"a{i}={x}" for i, x in _each(text))),
    "a form that is called text": ("text/plain", lambda text: "&".join(f"a{i}={x}" for i, x in _each(text))),
    "parts that are called JSON": ("application/json", lambda text: parts(_pairs(text))),
    "parts with bare line feeds": (MULTIPART, lambda text: parts(_pairs(text), end="\n")),
    "names of files": (MULTIPART, _named_parts),
    "parts in a part": (
        MULTIPART,
        lambda text: parts([parts(_pairs(text), "C")], head="\r\nContent-Type: multipart/mixed; boundary=C"),
    ),
    "records with their numbers": (
        "application/json",
        lambda text: json.dumps([{"i": i, "v": one} for i, one in enumerate(text)]),
    ),
    "columns in quotes": ("text/plain", lambda text: "\n".join(f'"{i}","{one}"' for i, one in enumerate(text))),
    "attributes": (
        "application/xml",
        lambda text: "<r>" + "".join(f"<v at='{one}'/>" for one in _pairs(text)) + "</r>",
    ),
    "tag characters": ("text/plain", lambda text: "ok " + "".join(chr(0xE0000 + ord(one)) for one in text)),
    "variation selectors, half a byte each": ("text/plain", lambda text: "ok " + _selectors(text)),
    "variation selectors, a byte each": (
        "text/plain",
        lambda text: "ok " + "".join(chr(0xE0100 + byte - 16) for byte in text.encode()),
    ),
}


def _each(text: str) -> list[tuple[int, str]]:
    return list(enumerate(_pairs(text)))
