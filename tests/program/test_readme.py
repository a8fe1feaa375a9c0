"""The README says what the code does: its generated parts are current."""

from tools.pages import README, renewed


def test_generated_parts_are_current() -> None:
    page = README.read_text()
    assert renewed(page) == page, "run `make docs`"
