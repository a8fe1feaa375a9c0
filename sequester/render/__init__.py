"""Shows what an agent made or fetched without letting it call anyone: ``document`` stores, ``embed`` inlines.

>>> from sequester.render import document, embed
>>> document(b"# Report", "text/markdown").content_type
'text/html; charset=utf-8'
>>> embed(b"<h1>Report</h1><img src=https://example.test/?secret>", "text/html")  # doctest: +ELLIPSIS
'<iframe sandbox="" ...
"""

from sequester.render.document import Document, document, embed
from sequester.render.headers import HEADERS, REMOVED_HEADERS
from sequester.render.sanitize import SHOWN_TYPES

__all__ = ["HEADERS", "REMOVED_HEADERS", "SHOWN_TYPES", "Document", "document", "embed"]
