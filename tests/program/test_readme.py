"""The README and docs say what the code does: their generated parts are current."""

from pathlib import Path

import pytest

from tools.pages import PAGES, renewed


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_parts_are_current(path: Path) -> None:
    page = path.read_text()
    assert renewed(page) == page, "run `make docs`"
