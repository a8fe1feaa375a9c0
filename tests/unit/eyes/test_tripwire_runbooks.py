"""Each alarm has a runbook, and what is generated in it is what the table says."""

import pytest

from infra.tripwire_table import Tripwire
from tools.runbooks import FOLDER, alarmed, index, renewed

SECTIONS = ("## What it means\n\n", "## What to do\n\n1. ", "## When it is a false alarm\n\n")


@pytest.mark.parametrize("row", alarmed(), ids=lambda row: row.id)
def test_a_runbook_is_current_and_says_what_to_do(row: Tripwire) -> None:
    text = (FOLDER / f"{row.id}.md").read_text()
    assert renewed(row, text) == text, "python -m tools.runbooks"
    assert all(section in text for section in SECTIONS)


def test_the_index_is_current_and_no_runbook_is_left_over() -> None:
    assert (FOLDER / "README.md").read_text() == index(), "python -m tools.runbooks"
    assert {page.stem for page in FOLDER.glob("*.md")} == {row.id for row in alarmed()} | {"README"}
