"""How a page is shown: as a naive viewer would (the positive control), and by each layer of ours alone and together."""

from collections.abc import Callable, Mapping

from markdown_it import MarkdownIt
from pages import Page

from sequester.render import HEADERS, REMOVED_HEADERS, SHOWN_TYPES, document, embed

Response = tuple[bytes, Mapping[str, str]]
"""A body and its headers."""


def _as_is(page: Page) -> Response:
    if page.media_type == "text/markdown":  # what a chat window without a sanitiser makes of it
        return MarkdownIt().render(page.body).encode(), {"Content-Type": "text/html", **page.headers}
    return page.body.encode(), {"Content-Type": page.media_type, **page.headers}


def with_headers(response: Response, *names: str) -> Response:
    """What CloudFront makes of the store's answer: some headers removed, ours (or those of `names`) set over it."""
    body, headers = response
    kept = {name: value for name, value in headers.items() if name not in REMOVED_HEADERS}
    return body, {**kept, **{name: HEADERS[name] for name in names or HEADERS}}


def _sanitised(page: Page) -> Response:
    return SHOWN_TYPES[page.media_type](page.body).encode(), {"Content-Type": "text/html; charset=utf-8"}


def _stored(page: Page) -> Response:
    stored = document(page.body.encode(), page.media_type)
    return stored.body, {"Content-Type": stored.content_type, "Content-Disposition": stored.disposition}


def _embedded(page: Page) -> Response:
    host = f"<!doctype html><h1>A team's own page</h1>{embed(page.body.encode(), page.media_type)}"
    return host.encode(), {"Content-Type": "text/html; charset=utf-8"}


_Way = Callable[[Page], Response]
CONTROL = "as it is"
SANITISER_ALONE, POLICY_ALONE, ALLOWLIST_ALONE = "sanitiser alone", "policy alone", "allowlist alone"
CLOSED: Mapping[str, _Way] = {
    "headers alone": lambda page: with_headers(_as_is(page)),
    SANITISER_ALONE: _sanitised,
    "viewer": lambda page: with_headers(_stored(page)),
    "embedded": _embedded,
}
"""Each of these holds by itself."""
WAYS: Mapping[str, _Way] = {
    CONTROL: _as_is,
    **CLOSED,
    POLICY_ALONE: lambda page: with_headers(_as_is(page), "Content-Security-Policy"),
    ALLOWLIST_ALONE: lambda page: with_headers(_as_is(page), "Connection-Allowlist"),
}
