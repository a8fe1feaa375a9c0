"""Every control leads to its check and to the test that fails without it; every requirement to controls that exist."""

import re
from pathlib import Path

import pytest

from sequester.proof.model import CLAIMS
from sequester.report.evidence import ROOT, ControlRow, NoEvidenceError, Place, controls
from sequester.report.frameworks import FRAMEWORKS, REQUIREMENTS

ROWS = controls()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_check_and_the_test_are_there(row: ControlRow) -> None:
    assert row.check.line() > 0
    assert row.without.line() > 0
    assert row.without.path.startswith("tests/")
    assert row.claim in CLAIMS
    assert row.holds


def test_ids_are_unique() -> None:
    ids = [row.id for row in ROWS]
    assert len(ids) == len(set(ids))


def test_each_claim_rests_on_a_control() -> None:
    assert {row.claim for row in ROWS} == set(CLAIMS)


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoEvidenceError, match="no-such"):
        Place("tests/program/test_controls.py", "no-such-control").line()
    with pytest.raises(NoEvidenceError, match="no such file"):
        Place("tests/nowhere.py", "x").line(tmp_path)


def test_the_line_is_the_one_that_says_it() -> None:
    place = Place("tests/program/test_controls.py", "no-nat")
    assert '"no-nat"' in (ROOT / place.path).read_text().splitlines()[place.line() - 1]


def test_requirements_name_controls_and_frameworks_that_exist() -> None:
    known, frameworks = {row.id for row in ROWS}, {framework.id for framework in FRAMEWORKS}
    for requirement in REQUIREMENTS:
        assert set(requirement.controls) <= known, requirement.id
        assert requirement.controls, requirement.id
        assert requirement.extent, requirement.id
        assert requirement.framework in frameworks
    assert {requirement.framework for requirement in REQUIREMENTS} == frameworks


def test_ids_have_the_form_of_their_framework_and_are_there_once() -> None:
    forms = {framework.id: re.compile(framework.form) for framework in FRAMEWORKS}
    wrong = [one.id for one in REQUIREMENTS if not forms[one.framework].fullmatch(one.id)]
    assert wrong == []
    ids = [(one.framework, one.id) for one in REQUIREMENTS]
    assert len(ids) == len(set(ids))


def test_each_framework_names_its_version_and_when_it_was_read() -> None:
    for framework in FRAMEWORKS:
        assert re.search(r", 20\d{2}-\d{2}-\d{2}$", framework.read), framework.id
        assert re.search(r"\d", framework.name) or framework.id == "wa"


@pytest.mark.parametrize(
    ("framework", "id_"),
    [
        ("wa", "SEC5-BP1"),
        ("800-53", "SC-7.5"),
        ("800-53", "SC-7 (5)"),
        ("csf", "PR.AC-5"),
        ("cis", "19.1"),
        ("eks", "6.1.1"),
    ],
)
def test_ids_of_another_form_or_version_are_found(framework: str, id_: str) -> None:
    """CSF 1.1 wrote PR.AC-5, OSCAL writes sc-7.5, CIS Controls v8 has 18 groups."""
    form = next(one.form for one in FRAMEWORKS if one.id == framework)
    assert not re.fullmatch(form, id_)
