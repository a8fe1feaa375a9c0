"""What `mkdocs build` is taught about this repository: links to files outside of docs/, and pages that no one listed.

A page may link to any file here, as `../infra/dns.py` or `../tests/program/test_controls.py#no-nat`. A browser of the
repository follows that as it is; the site gets a page with the source, and the link leads to the line that speaks of
`no-nat`. A link to a file or a word that is not there fails the build.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page
    from pygments.formatter import Formatter
    from pygments.lexer import Lexer

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
LINK: Final = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
FENCE: Final = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[^\S\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINE: Final = "line"
_SOURCES: Final = "source"


class BrokenLinkError(ValueError):
    """A link that leads nowhere; the message names the page and the link."""


def links(markdown: str) -> list[str]:
    """Targets of all links of a page, but for those within code."""
    return [found["target"] for found in LINK.finditer(FENCE.sub("", markdown))]


def outside(folder: str, target: str) -> tuple[str, str] | None:
    """(path from the repository's root, fragment) that a link in a page of `folder` leads to; None if elsewhere."""
    path, _, fragment = target.partition("#")
    if not path or re.match(r"[a-z][a-z0-9+.-]*:", path):
        return None
    return posixpath.normpath(posixpath.join(folder, path)), unquote(fragment)


def line_of(path: str, word: str) -> int:
    """The line, from 1, of a file of ours on which `word` stands in quotes or is defined. Raises BrokenLinkError."""
    if found := re.fullmatch(r"L(\d+)", word):
        return int(found[1])
    said = re.escape(word)
    wanted = re.compile(rf"[\"'`]{said}[\"'`]|\b(?:def|class) {said}\b|^{said}\s*[:=]")
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if wanted.search(line):
            return number
    raise BrokenLinkError(f"{path}: has no {word!r}")


@cache
def _text(path: str) -> str:
    file = ROOT / path
    if not file.is_file():
        raise BrokenLinkError(f"{path}: there is no such file")
    return file.read_text()


def _uri(path: str) -> str:
    """Where the site has a file of the repository; a directory is shown by its README."""
    if (ROOT / path).is_dir():
        path = posixpath.join(path, "README.md")
    inside = path.removeprefix("docs/")
    return inside if inside != path else f"{_SOURCES}/{path}.md"


def _rewritten(page: str, folder: str, markdown: str) -> str:
    """Links of a page of `folder`, to what the site has. page: where the site has the page itself."""

    def one(found: re.Match[str]) -> str:
        target = outside(folder, found["target"])
        if target is None:
            return found[0]
        path, fragment = target
        if fragment and not path.endswith(".md"):
            fragment = f"{_LINE}-{line_of(path, fragment)}"
        to = posixpath.relpath(_uri(path), posixpath.dirname(page) or ".")
        return f"[{found['text']}]({to}{'#' if fragment else ''}{fragment})"

    kept = [(m.start(), m.end()) for m in FENCE.finditer(markdown)]
    return LINK.sub(lambda m: m[0] if any(a <= m.start() < b for a, b in kept) else one(m), markdown)


def _linked(folder: str, markdown: str, seen: set[str]) -> Iterator[str]:
    """Files outside of docs/ that a page links to, and that those in Markdown link to in turn."""
    for target in links(markdown):
        found = outside(folder, target)
        if not found or not _uri(found[0]).startswith(f"{_SOURCES}/"):
            continue
        path = _uri(found[0]).removeprefix(f"{_SOURCES}/").removesuffix(".md")
        if path not in seen:
            seen.add(path)
            yield path
            if path.endswith(".md"):
                yield from _linked(posixpath.dirname(path), _text(path), seen)


def on_config(config: "MkDocsConfig") -> None:
    """Pages that the navigation does not name are put last, so that none is lost."""
    nav = _opened(cast("list[Any] | None", config.nav) or [])  # pyright: ignore[reportUnknownMemberType]
    listed = str(nav)
    others = sorted(path.name for path in DOCS.glob("*.md") if f"'{path.name}'" not in listed)
    config.nav = [*nav, {"More": others}] if others else nav


def _opened(entry: Any) -> Any:
    """An entry that names a directory's README stands for all of the directory's pages, in the order of their names."""
    if isinstance(entry, list):
        return [_opened(one) for one in cast("list[Any]", entry)]
    if isinstance(entry, dict):
        return {title: _opened(one) for title, one in cast("dict[str, Any]", entry).items()}
    folder, _, name = str(entry).rpartition("/")
    if name != "README.md" or not folder:
        return entry
    others = sorted(path.name for path in (DOCS / folder).glob("*.md") if path.name != name)
    return [entry, *(f"{folder}/{other}" for other in others)]


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """A page for each file outside of docs/ that some page links to."""
    from mkdocs.structure.files import File

    seen: set[str] = set()
    for file in files.documentation_pages():
        for path in _linked(posixpath.dirname(f"docs/{file.src_uri}"), file.content_string, seen):
            files.append(File.generated(config, _uri(path), content=_shown(path)))
    return files


def _shown(path: str) -> str:
    """Markdown as it is, anything else as code with an anchor a line; the search leaves both out."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_for_filename  # pyright: ignore[reportUnknownVariableType]
    from pygments.lexers.special import TextLexer
    from pygments.util import ClassNotFound

    text = _text(path)
    head = "---\nsearch:\n  exclude: true\n---\n"
    if path.endswith(".md"):
        return head + text
    try:
        lexer: Lexer = get_lexer_for_filename(path, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    form = cast("Formatter[str]", HtmlFormatter(linenos="table", lineanchors=_LINE, anchorlinenos=True))
    code: str = highlight(text, lexer, form)
    return f"{head}# {path}\n\n{code}\n"


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Links to files of the repository lead to their pages."""
    del config, files
    uri = page.file.src_uri
    source = uri.removeprefix(f"{_SOURCES}/").removesuffix(".md") if uri.startswith(f"{_SOURCES}/") else ""
    if source and not source.endswith(".md"):
        return markdown
    return _rewritten(uri, posixpath.dirname(source or f"docs/{uri}"), markdown)
