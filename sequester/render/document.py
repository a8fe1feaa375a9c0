"""The wrapped document: sanitised content in a page of its own, to store or to inline."""

import html
from dataclasses import dataclass
from typing import Final

from sequester.render.headers import META_CSP, STYLESHEET
from sequester.render.sanitize import SHOWN_TYPES, TangledError

_MAX_SHOWN_BYTES: Final = 5 * 1024 * 1024
"""More than this is downloaded, not shown: a page that stalls the reader's browser helps nobody."""


@dataclass(frozen=True)
class Document:
    """What to store: `body` with its `content_type`; `disposition` is ``inline`` or ``attachment``."""

    body: bytes
    content_type: str
    disposition: str


def _shown(content: bytes, media_type: str) -> str | None:
    sanitise = SHOWN_TYPES.get(media_type.partition(";")[0].strip().lower())
    if sanitise is None or len(content) > _MAX_SHOWN_BYTES:
        return None
    # Decoded here, once, and always served as UTF-8: no charset of the content's choosing (ISO-2022-JP).
    try:
        return sanitise(content.decode("utf-8", errors="replace"))
    except TangledError:
        return None


def _page(sanitised: str) -> str:
    return (
        "<!doctype html><html><head>"
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(META_CSP)}">'
        '<meta http-equiv="x-dns-prefetch-control" content="off">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Agent content</title><style>{STYLESHEET}</style></head><body>{sanitised}</body></html>"
    )


def document(content: bytes, media_type: str) -> Document:
    """`content` as a page that loads nothing, or as a download where its type is not one the viewer shows."""
    sanitised = _shown(content, media_type)
    if sanitised is None:
        return Document(content, "application/octet-stream", "attachment")
    return Document(_page(sanitised).encode(), "text/html; charset=utf-8", "inline")


def embed(content: bytes, media_type: str) -> str:
    """The same page as an ``<iframe>`` for your own HTML, where no header can be set for it.

    ``sandbox`` without tokens gives it an origin of its own and no scripts, forms, popups or navigation.

    Raises:
        ValueError: the type is not one that can be shown; offer ``document``'s download instead.
    """
    sanitised = _shown(content, media_type)
    if sanitised is None:
        raise ValueError(
            f"media type {media_type!r}, {len(content)} bytes: not shown inline; offer document()'s download "
            f"(shown: {', '.join(sorted(SHOWN_TYPES))}, up to {_MAX_SHOWN_BYTES} bytes)"
        )
    page = html.escape(_page(sanitised))
    return f'<iframe sandbox="" referrerpolicy="no-referrer" allow="" srcdoc="{page}"></iframe>'
