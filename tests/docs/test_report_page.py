"""The page as text: hostile words stay words, headings and tables are in order, nothing is fetched."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from sample_report import CHAINS, HOSTILE, calm, drill, report

from sequester.drill.outcome import Result
from sequester.report.document import Overall, Report
from sequester.report.flowmap import flow_map
from sequester.report.page import headline, hosted, page


class Parsed(HTMLParser):
    """Elements with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.mark.parametrize("stack", ["sequester", HOSTILE])
def test_hostile_words_make_no_markup(stack: str) -> None:
    parsed = Parsed(page(report(stack), HOSTILE, signed_by=HOSTILE))
    assert parsed.all("script", "img", "iframe", "object", "embed", "form", "base") == []
    assert len(parsed.all("style")) == len(parsed.all("svg")) == len(parsed.all("title")) - 1 == 1
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert HOSTILE not in page(report(stack), "")
    assert "&lt;script&gt;" in page(report(stack), "")


def test_the_test_sees_markup_that_is_there() -> None:
    assert Parsed(HOSTILE).all("script", "img") != []


def test_nothing_is_fetched() -> None:
    text = page(report(), "")
    parsed = Parsed(text)
    fetching = {"src", "srcset", "data", "poster", "background", "action", "ping", "xlink:href"}
    assert [attributes for _, attributes in parsed.elements if fetching & attributes.keys()] == []
    assert parsed.all("link") == []
    assert re.findall(r"url\(|@import", text[text.index("<style>") : text.index("</style>")]) == []
    assert "default-src 'none'" in text


def test_headings_descend_by_one() -> None:
    levels = [int(tag[1]) for tag, _ in Parsed(page(report(), "")).elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_scopes() -> None:
    text = page(report(), "")
    parsed = Parsed(text)
    assert text.count("<caption>") == len(parsed.all("table"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in parsed.all("th"))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(a["href"])[1:] for a in parsed.all("a") if str(a.get("href", "")).startswith("#")]
    assert {t for t in targets if t in ("main", "summary", "flows", "E1")} <= set(ids)


def overall(**changes: object) -> Overall:
    return replace(calm(report()), **changes).overall  # type: ignore[arg-type]


def only(result: Result) -> Report:
    held = drill()
    outcomes = tuple(o for o in held.outcomes if o.result is result)
    techniques = tuple(t for t in held.techniques if t.id in {o.technique for o in outcomes})
    return replace(calm(report()), drill=replace(held, techniques=techniques, outcomes=outcomes, chains=()))


def test_the_verdict_is_the_worst_of_its_parts() -> None:
    assert report().overall is Overall.BROKEN
    assert overall() is Overall.HOLDS
    assert overall(claims=report().claims[:1] + report().claims[2:]) is Overall.UNDECIDED
    assert overall(claims=report().claims[:2]) is Overall.BROKEN
    assert overall(controls=report().controls) is Overall.BROKEN
    assert only(Result.STOPPED).overall is Overall.HOLDS
    assert only(Result.LEAK).overall is Overall.BROKEN
    assert only(Result.BASELINE_FAILED).overall is Overall.UNDECIDED
    assert only(Result.NOT_RUN).overall is Overall.UNDECIDED


def test_a_drill_that_was_not_run_is_said() -> None:
    text = page(calm(report()), "")
    assert "No drill was held for this report." in text
    assert "Not run for this report" in text
    assert ">LEAK<" not in text
    assert ">LEAK<" in page(report(), "")


@pytest.mark.parametrize(
    "problem", ["unseen: nothing counts it", "late: the alarm comes after 900 s", "no response: x"]
)
def test_a_broken_link_of_the_chain_is_said_of_its_technique_alone(problem: str) -> None:
    plain = only(Result.STOPPED)
    assert plain.drill
    (outcome,) = plain.drill.outcomes
    broken = replace(plain, drill=replace(plain.drill, outcomes=(replace(outcome, problems=(problem,)),)))
    assert problem in page(broken, "")
    assert problem not in page(plain, "")
    assert (plain.overall, broken.overall) == (Overall.HOLDS, Overall.BROKEN)


def test_a_whole_chain_is_told_link_by_link_and_its_break_is_the_verdict() -> None:
    plain = only(Result.STOPPED)
    assert plain.drill
    held, broken, not_run = (replace(plain, drill=replace(plain.drill, chains=(one,))) for one in CHAINS)
    assert "The whole chain" not in page(plain, "")
    assert page(held, "").count(">held<") == 2
    assert (held.overall, broken.overall, not_run.overall) == (Overall.HOLDS, Overall.BROKEN, Overall.HOLDS)
    assert headline(broken) == "Does not hold. whole chains that broke: node."
    assert ">does not hold<" in page(broken, "")
    assert ">not reached<" in page(broken, "")
    assert ">not run<" in page(not_run, "")


@pytest.mark.parametrize(
    ("made", "first"),
    [
        (only(Result.STOPPED), "Holds."),
        (only(Result.LEAK), "Does not hold."),
        (only(Result.NOT_RUN), "Not decided."),
        (calm(report()), "Holds."),
    ],
    ids=["stopped", "leak", "not run", "no drill"],
)
def test_the_verdict_is_the_first_word(made: Report, first: str) -> None:
    assert headline(made).startswith(first)
    assert f"<b>{first}</b>" in page(made, "")


def test_what_stands_in_backticks_is_code_and_what_is_hostile_stays_words() -> None:
    claims = (replace(report().claims[2], reasons=(f"`{HOSTILE}` is not `known",)),)
    text = page(replace(report(), claims=claims), "")
    assert "<code>&lt;/style&gt;" in text
    assert "</code> is not <code>known</code>" in text


def test_paths_break_after_separators() -> None:
    assert "<code>tests/<wbr>program/<wbr>test_<wbr>controls.<wbr>py:<wbr>1</code>" in page(report(), "")


def test_links_lead_to_the_repository_that_is_named() -> None:
    text = page(report(), "", href=hosted("https://git.example/x/", "abc"))
    assert "https://git.example/x/blob/abc/tests/program/test_controls.py#L1" in text


def boxes_overlap(report: Report) -> Sequence[str]:
    drawn = flow_map(report.flows, report.quiet)
    found: list[str] = []
    for number, one in enumerate(drawn.boxes):
        for other in drawn.boxes[number + 1 :]:
            if one.x == other.x and one.y < other.y + other.height and other.y < one.y + one.height:
                found.append(f"{one.titles} and {other.titles}")
    return found


def test_the_picture_has_every_flow_and_nothing_overlaps() -> None:
    drawn = flow_map(report().flows, report().quiet)
    assert len(drawn.edges) == len(report().flows)
    assert sum(len(box.entries) for box in drawn.boxes) == len(report().flows)
    assert boxes_overlap(report()) == []
    assert [box.titles[0] for box in drawn.boxes if box.quiet] == ["pods of b-sandbox"]
    assert all(len(line) < 80 for box in drawn.boxes for line in (*box.titles, *(entry.text for entry in box.entries)))
    assert sum(edge.leaves for edge in drawn.edges) == 3
    beyond = [edge for edge in drawn.edges if edge.y1 >= drawn.frames[1].y]
    assert len(beyond) == sum(flow.outside for flow in report().flows) == 2
    assert all(box.y + box.height <= drawn.height for box in drawn.boxes)
