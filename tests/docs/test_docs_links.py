"""Each relative link of a page leads to a file that exists, and each word after `#` to a line or heading of it."""

import posixpath
import re
from pathlib import Path

import pytest
from docs_pages import PAGES, ROOT

from tools.site import BrokenLinkError, line_of, links, outside


def headings(markdown: str) -> set[str]:
    """Anchors: those of headings as GitHub makes them, and those that are written."""
    plain = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    found = {
        re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    }
    return found | set(re.findall(r'id="([^"]+)"', markdown))


def broken(page: Path, markdown: str) -> list[str]:
    folder = posixpath.dirname(page.relative_to(ROOT).as_posix())
    wrong: list[str] = []
    for target in links(markdown):
        if target.startswith("#"):
            if target[1:] not in headings(markdown):
                wrong.append(target)
            continue
        found = outside(folder, target)
        if found is None:
            continue
        path, fragment = found
        file = ROOT / path
        if not file.exists():
            wrong.append(target)
        elif fragment and file.suffix == ".md":
            if fragment not in headings(file.read_text()):
                wrong.append(target)
        elif fragment:
            try:
                line_of(path, fragment)
            except BrokenLinkError:
                wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text()) == []


@pytest.mark.parametrize(
    "target",
    [
        "docs/nowhere.md",
        "docs/controls.md#no-such-control",
        "#no-such-heading",
        "tests/program/test_controls.py#no-such",
    ],
)
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert broken(ROOT / "README.md", f"See [this]({target}).") == [target]


def test_links_within_code_are_none() -> None:
    assert links("`[a](b)` and\n```\n[c](d)\n```\n[e](f.md)") == ["f.md"]
