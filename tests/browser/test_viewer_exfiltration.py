"""No shown page calls out, by name, connection or request, in a real Chromium; each does in a naive viewer."""

import pytest
from benign import BENIGN, Benign
from exfiltration import BEYOND_THE_ALLOWLIST, BEYOND_THE_POLICY, CLICKED, NOT_IN_THIS_BROWSER, PAGES, TRIED
from pages import Page
from sightings import Sightings
from ways import ALLOWLIST_ALONE, CLOSED, CONTROL, POLICY_ALONE

pytestmark = [pytest.mark.lane("browser", "chromium", "unshare", "root"), pytest.mark.xdist_group("browser")]
_NAMES = [page.name for page in PAGES]


@pytest.mark.parametrize("name", _NAMES)
def test_the_page_reaches_the_sink_where_nothing_holds_it(sightings: Sightings, name: str) -> None:
    assert sightings.seen[name, CONTROL]["name"] > 0


@pytest.mark.parametrize("page", NOT_IN_THIS_BROWSER, ids=lambda page: page.name)
def test_what_this_browser_is_said_not_to_do_it_does_not(sightings: Sightings, page: Page) -> None:
    assert (page.name, CONTROL) in sightings.shown
    assert not sightings.seen.get((page.name, CONTROL)), "it does: move the row to where it has a positive control"


def test_the_tables_are_wide_enough() -> None:
    assert len({page.name for page in TRIED}) == len(TRIED) >= 180
    assert len(NOT_IN_THIS_BROWSER) * 10 < len(TRIED)


@pytest.mark.parametrize("way", CLOSED)
@pytest.mark.parametrize("name", [page.name for page in TRIED])
def test_no_name_connection_or_request(sightings: Sightings, name: str, way: str) -> None:
    assert (name, way) in sightings.shown, "the browser never asked for the page"
    assert not sightings.seen.get((name, way))


@pytest.mark.parametrize("name", BEYOND_THE_POLICY)
def test_a_content_security_policy_alone_is_not_enough(sightings: Sightings, name: str) -> None:
    assert sightings.seen[name, POLICY_ALONE]["name"] > 0


def test_a_connection_allowlist_alone_is_not_enough(sightings: Sightings) -> None:
    assert any(sightings.seen.get((name, ALLOWLIST_ALONE)) for name in BEYOND_THE_ALLOWLIST)


def test_a_click_on_a_link_sends_nothing(sightings: Sightings) -> None:
    assert sightings.seen[CLICKED.name, CONTROL]["request"] > 0
    assert not sightings.seen.get((CLICKED.name, "viewer"))
    assert not sightings.seen.get((CLICKED.name, "embedded"))


@pytest.mark.parametrize("page", BENIGN, ids=lambda page: page.name)
def test_a_benign_document_looks_as_meant(sightings: Sightings, page: Benign) -> None:
    look = sightings.looks[page.name]
    assert look["widths"] == page.widths
    assert look["styles"] == {selector: value for selector, (_, value) in page.styles.items()}
    assert look["body"] == "800px", "our stylesheet is not applied: does its hash match the policy?"
    assert page.text in look["text"]
