"""Documents that a reader wants to see, and what proves that they were drawn as meant."""

import base64
import struct
import zlib
from dataclasses import dataclass


def _png(width: int, height: int) -> str:
    """A plain blue image, base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\x30\x60\xc0" * width) * height)
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    ).decode()


@dataclass(frozen=True)
class Benign:
    """`widths`: pixels that the first match of a selector takes; `styles`: its computed (property, value)."""

    name: str
    body: str
    media_type: str
    widths: dict[str, int]
    styles: dict[str, tuple[str, str]]
    text: str


_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="60"><circle cx="60" cy="30" r="25" fill="teal"/></svg>'
)

BENIGN = (
    Benign(
        "report",
        "# Findings\n\nTwo of **three** hosts answered, see [the log](https://example.com/log?run=7).\n\n"
        "| host | answer |\n|---|---|\n| a | 200 |\n\n> quoted\n\n```python\nprint(1 < 2)\n```\n",
        "text/markdown",
        {},
        {"table": ("border-collapse", "collapse"), "blockquote": ("border-left-width", "3px")},
        "print(1 < 2)",
    ),
    Benign(
        "page with a picture",
        f'<h1>Chart</h1><p>Blue <em>rises</em>.</p><img alt=chart src="data:image/png;base64,{_png(160, 90)}">',
        "text/html",
        {"img": 160},
        {"em": ("font-style", "italic")},
        "Chart",
    ),
    Benign("drawing", _SVG, "image/svg+xml", {"img": 120}, {}, ""),
    Benign("plain text", "a < b && c\n<script>alert(1)</script>\n", "text/plain", {}, {}, "<script>alert(1)"),
    Benign("answer of an API", '{"name": "sequester", "tags": ["<b>"]}', "application/json", {}, {}, '"<b>"'),
)
