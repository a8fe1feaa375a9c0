"""Markup that cannot load, run or navigate: ammonia (by ``nh3``) does the work, this table says what stays.

Sanitised *before* it is stored: a response header cannot take back a hint such as ``<link rel=preconnect>``,
which some browsers follow without asking the content security policy.
"""

import base64
import html
import re
from collections.abc import Callable, Mapping
from typing import Final

import nh3
from markdown_it import MarkdownIt

# No svg, math, style, form, media or metadata; no class, id or name (they clobber a host page's globals).
_TAGS: Final = frozenset(
    {
        *(
            "a",
            "abbr",
            "b",
            "bdi",
            "bdo",
            "br",
            "cite",
            "code",
            "del",
            "dfn",
            "em",
            "i",
            "ins",
            "kbd",
            "mark",
        ),
        *("p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr"),
        *("blockquote", "details", "div", "figcaption", "figure", "hr", "img", "summary"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "dd", "dl", "dt", "li", "ol", "ul", "rp", "rt", "ruby"),
        *("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
    }
)
_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "img": frozenset({"alt", "height", "src", "width"}),
    "ol": frozenset({"start"}),
    "td": frozenset({"colspan", "rowspan"}),
    "th": frozenset({"colspan", "rowspan"}),
    "time": frozenset({"datetime"}),
}
# An image is drawn in the browser's static mode: an SVG in it neither runs scripts nor loads anything.
_IMAGE: Final = re.compile(r"data:image/(avif|gif|jpeg|png|svg\+xml|webp);base64,[A-Za-z0-9+/=\s]*", re.ASCII)
# nh3 writes attributes in one form only, so this finds every one of its links, and nothing else.
_LINK: Final = re.compile(r'<a href="([^"]*)">')

# A parser looks through what is open at each tag, and opens again what was left open (b, font, ...) in each paragraph:
# 50 KB can mean gigabytes. It merges those that are alike to three of a kind, so without attributes they are few.
_TAG: Final = re.compile(r"</?[A-Za-z]", re.ASCII)
_REOPENED: Final = re.compile(
    r"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/])", re.ASCII | re.IGNORECASE
)
_MOST_TAGS: Final = 30_000
_MOST_ELEMENTS: Final = 2_000_000
_ALIKE: Final = 3 * 13

_markdown: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _image_inside(tag: str, attribute: str, value: str) -> str | None:
    if (tag, attribute) == ("img", "src") and not _IMAGE.fullmatch(value):
        return None
    return value


def _clean(markup: str, anchor: str) -> str:
    return nh3.clean(
        markup,
        tags=set(_TAGS),
        attributes={**{tag: set(names) for tag, names in _ATTRIBUTES.items()}, "a": {anchor}},
        url_schemes={"data", "http", "https", "mailto"},
        attribute_filter=_image_inside,
        link_rel=None,
        strip_comments=True,
    )


class TangledError(ValueError):
    """Markup that may cost more to read than it is worth."""


def from_html(markup: str) -> str:
    """HTML without anything that loads, runs or navigates.

    Raises:
        TangledError: it has so many tags, or so many that a parser may open again and again, that it could be a bomb.
    """
    tags = len(_TAG.findall(markup))
    if tags > _MOST_TAGS or tags * (_ALIKE + len(_REOPENED.findall(markup))) > _MOST_ELEMENTS:
        raise TangledError(f"{tags} tags: too many, or too many kinds of them, to be shown")
    return _without_ways_out(markup)


def _without_ways_out(markup: str) -> str:
    """A link becomes its own address, written out: with a ``href`` one careless click would send what it carries.
    The address moves from ``href`` to ``title`` between two passes: what comes out is what the sanitiser wrote.
    """
    return _clean(_LINK.sub(r'<a title="\1">', _clean(markup, "href")), "title")


def from_markdown(text: str) -> str:
    """Markdown (CommonMark with tables) as HTML; raw HTML in it is shown as text."""
    return _without_ways_out(_markdown.render(text))  # well nested, and not deep: no bomb


def from_text(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def from_svg(drawing: str) -> str:
    """An SVG as an image, because no list of allowed elements makes an inline one safe."""
    data = base64.b64encode(drawing.encode()).decode()
    return _without_ways_out(f'<img alt="drawing" src="data:image/svg+xml;base64,{data}">')


SHOWN_TYPES: Final[Mapping[str, Callable[[str], str]]] = {
    "application/json": from_text,
    "image/svg+xml": from_svg,
    "text/csv": from_text,
    "text/html": from_html,
    "text/markdown": from_markdown,
    "text/plain": from_text,
}
"""Media types that the viewer shows, and how; every other is a download."""
