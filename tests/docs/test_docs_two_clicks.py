"""From each sentence of what the README says it protects: one click to the control, a second to check and test."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from docs_pages import ROOT

from sequester.cli import app
from sequester.proof.model import CLAIMS
from tools.site import LINK, line_of, outside

README = (ROOT / "README.md").read_text()
CONTROLS = (ROOT / "docs" / "controls.md").read_text()


class Sentence(NamedTuple):
    """A row of the README: what holds, its claim, where it leads, and the test beside it."""

    holds: str
    claim: str
    control: str
    test: str


def sentences(page: str) -> Iterator[Sentence]:
    """Rows of the generated table; a row that has another form is an error."""
    section = page.partition("## What it protects\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    for row in rows:
        holds, claim, control, test = (cell.strip() for cell in row.strip("|").split(" | "))
        yield Sentence(holds, claim, _target(control), _target(test))


def _target(cell: str) -> str:
    found = LINK.search(cell)
    assert found is not None, f"{cell!r} has no link"
    return found["target"]


def row_of(anchor: str) -> list[str]:
    """The cells of the row on the controls page to which an anchor leads."""
    [row] = [line for line in CONTROLS.splitlines() if f'<a id="{anchor}"></a>' in line]
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def place(cell: str, page: str) -> tuple[str, int]:
    """(file, line) to which the link of a cell leads, from a page in `page`. Raises BrokenLinkError."""
    found = outside(page, _target(cell))
    assert found is not None, cell
    return found[0], line_of(*found)


SENTENCES = list(sentences(README))


def test_there_are_sentences_for_every_claim() -> None:
    assert {one.claim for one in SENTENCES} == set(CLAIMS)
    assert len({one.control for one in SENTENCES}) == len(SENTENCES) > 80


@pytest.mark.parametrize("one", SENTENCES, ids=lambda one: one.control.partition("#")[2])
def test_a_sentence_leads_to_its_control_check_and_test(one: Sentence) -> None:
    path, _, anchor = one.control.partition("#")
    assert path == "docs/controls.md"
    _, holds, claim, check, test = row_of(anchor)
    assert holds == one.holds
    assert LINK.search(claim), "the claim leads to its page"
    checked, line = place(check, "docs")
    assert not checked.startswith("tests/")
    assert line > 0
    tested, line = place(test, "docs")
    assert tested.startswith("tests/")
    assert line > 0
    assert (tested, line) == place(f"[test]({one.test})", ""), "both pages lead to the same test"


def test_a_sentence_without_a_way_is_found() -> None:
    head = "## What it protects\n| a | b | c | d |\n|---|---|---|---|\n"
    with pytest.raises(AssertionError, match="has no link"):
        list(sentences(f"{head}| it is safe | E1 | `no-nat` | [test](x) |\n"))
    with pytest.raises(ValueError, match="not enough values"):
        row_of("no-such-control")


def test_what_is_not_protected_is_said_where_threats_are() -> None:
    section = README.partition("## What it does NOT protect\n")[2].partition("\n## ")[0]
    items = re.findall(r"^- (.+?)[;.]$", section, re.MULTILINE)
    threats = (ROOT / "docs" / "threat-model.md").read_text()
    assert len(items) >= 4
    assert [item for item in items if item not in threats] == []


def test_the_reference_has_every_command() -> None:
    api = (ROOT / "docs" / "api.md").read_text()
    named = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    named += [group.name for group in app.registered_groups if isinstance(group.name, str)]
    assert len(named) > 8
    assert [name for name in named if f"`sequester {name.replace('_', '-')}" not in api] == []
