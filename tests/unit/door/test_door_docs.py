"""The page on the door names every rule that can deny a request, and none that cannot."""

import re
from pathlib import Path

from lambda_proxy.denial import RULES
from lambda_proxy.secret_rules import SECRET_RULES
from sequester.tampering import TAMPERINGS

PAGE = (Path(__file__).parents[3] / "docs" / "door.md").read_text()


def test_every_rule_has_its_mend() -> None:
    section = PAGE.partition("## Rules, and what to do")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = [rule for row in rows for rule in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(RULES)


def test_numbers_are_those_of_the_tables() -> None:
    assert f"{len(SECRET_RULES)} rules look for token formats" in PAGE
    assert {25: "twenty-five"}[len(TAMPERINGS)] in PAGE
