"""The site builds strictly, and no page of it fetches anything from elsewhere."""

import os
import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest
from docs_pages import ROOT

_FETCHING: Final = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data", "embed": "src"}
_FETCHING_LINKS: Final = {"stylesheet", "preconnect", "preload", "dns-prefetch", "icon", "modulepreload", "manifest"}


class Looked(HTMLParser):
    """What a page fetches, where it leads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = {"", "__top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag in _FETCHING and _FETCHING[tag] in given:
            self.fetched.append(given[_FETCHING[tag]])
        if tag == "link" and _FETCHING_LINKS & set(given.get("rel", "").split()):
            self.fetched.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    return target


@pytest.fixture(scope="module")
def looked(site: Path) -> dict[str, Looked]:
    return {path.relative_to(site).as_posix(): Looked(path.read_text()) for path in site.rglob("*.html")}


def test_nothing_is_fetched_from_elsewhere(site: Path, looked: dict[str, Looked]) -> None:
    assert len(looked) > 30
    for page, found in looked.items():
        assert [
            one for one in found.fetched if urlsplit(one).scheme not in ("", "data") or one.startswith("//")
        ] == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\([\"']?(?:https?:)?//", sheet.read_text()) == [], sheet.name
    assert looked["index.html"].fetched, "the test sees what is fetched at all"


def test_every_link_and_anchor_exists(site: Path, looked: dict[str, Looked]) -> None:
    wrong: list[str] = []
    for page, found in looked.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or page == "404.html":
                continue
            path = unquote(parts.path)
            whole = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            if (site / whole).is_dir():
                whole = f"{whole}/index.html".removeprefix("./")
            anchors = looked[whole].anchors if whole in looked else {""}
            if not (site / whole).is_file() or unquote(parts.fragment) not in anchors:
                wrong.append(f"{page}: {link}")
    assert wrong == []


def test_from_a_row_of_the_readme_to_its_test_in_two_clicks(looked: dict[str, Looked]) -> None:
    readme = looked["source/README.md.html"]
    assert "../controls.html#no-nat" in readme.links
    to_test = [link for link in readme.links if link.startswith("tests/program/test_controls.py.html#line-")]
    assert len(to_test) > 30
    controls = looked["controls.html"]
    assert "no-nat" in controls.anchors
    assert any(link.startswith("source/tests/program/test_controls.py.html#line-") for link in controls.links)
