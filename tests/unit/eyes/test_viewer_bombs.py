"""HTML that costs more to read than it is worth is a download; large documents of people are shown."""

import nh3
import pytest

from sequester.render import document, embed


def reopened(kinds: int, paragraphs: int, tag: str = "b id={}") -> str:
    """Formatting that is left open, and paragraphs in each of which a parser opens all of it again."""
    return "<p>" + "".join(f"<{tag.format(n)}>" for n in range(kinds)) + "</p><p>x</p>" * paragraphs


BOMBS = {
    "left open in every paragraph": reopened(2500, 2500),
    "few kinds, many paragraphs": reopened(100, 14_000),
    "many kinds, few paragraphs": reopened(14_000, 100),
    "other elements": reopened(2000, 2000, "FONT color={}"),
    "a slash for a space": reopened(2000, 2000, "i/id={}"),
    "a line feed for a space": reopened(2000, 2000, "code\nid={}"),
    "deep": "<div>" * 200_000,
    "end tags that close nothing": "<span>" * 10_000 + "</div>" * 500_000,
    "hidden from who pairs tags": "<div><!--</div>-->" * 50_000,
}


@pytest.mark.parametrize("markup", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_a_download_as_it_is(markup: str) -> None:
    stored = document(markup.encode(), "text/html")
    assert (stored.disposition, stored.body) == ("attachment", markup.encode())
    with pytest.raises(ValueError, match="offer document"):
        embed(markup.encode(), "text/html")


def test_without_the_limit_a_little_becomes_much() -> None:
    small = reopened(300, 300)
    assert len(nh3.clean(small, tags={"p", "b"}, attributes={"b": {"id"}})) > 50 * len(small)


@pytest.mark.parametrize(
    "markup",
    [
        "<table>" + ("<tr>" + "<td>1</td>" * 10 + "</tr>") * 1000 + "</table>",
        "<p>Some <b>words</b> and <a href='http://a.test/'>a link</a>.</p>" * 2000,
        "<p><code class=x>a</code> <i class=icon></i></p>" * 250,
        "word " * 500_000,
    ],
)
def test_a_large_document_is_shown(markup: str) -> None:
    assert document(markup.encode(), "text/html").disposition == "inline"


def test_large_markdown_is_shown() -> None:
    text = "Some *words* and [a link](http://a.test/) in a line.\n\n" * 5000
    assert document(text.encode(), "text/markdown").disposition == "inline"
