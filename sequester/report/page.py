"""The report as one page: no script, no request, light and dark, and made to be printed."""

import json
import os
import re
from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sequester.drill.outcome import Result
from sequester.report.document import Link, Overall, Report, decided
from sequester.report.evidence import ROOT
from sequester.report.flowmap import WIDTH, flow_map
from sequester.report.frameworks import FRAMEWORKS, REQUIREMENTS

_TONES: Final = {
    **dict.fromkeys(("holds", "proved", "stopped", "held"), "good"),
    **dict.fromkeys(("broken", "escapes", "leak"), "bad"),
    **dict.fromkeys(("undecided", "unknown", "baseline-failed"), "open"),
    **dict.fromkeys(("tested", "not-run", "not-reached"), "neutral"),
}
_SAID: Final = {
    "holds": "holds",
    "broken": "does not hold",
    "undecided": "not decided",
    "proved": "proved",
    "escapes": "a way out",
    "unknown": "not decided",
    "tested": "tested",
    "stopped": "stopped",
    "leak": "LEAK",
    "held": "held",
    "not-run": "not run",
    "not-reached": "not reached",
    "baseline-failed": "not decided: baseline failed",
}


def page(report: Report, content: str, *, signed_by: str = "", href: Callable[[Link], str] | None = None) -> str:
    """HTML. content: the report's digest; signed_by: fingerprint of the key that will; href: where places lead."""
    environment = Environment(
        loader=PackageLoader("sequester.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["css_string"] = _css_string
    environment.filters["breaks"] = _breaks
    environment.filters["code"] = _code
    shared = {"report": report, "map": flow_map(report.flows, report.quiet), "map_width": WIDTH}
    svg = environment.get_template("flows.svg.j2").render(shared)
    style = Path(__file__).with_name("templates").joinpath("report.css").read_text()
    drill = report.drill
    tried = [o for o in drill.outcomes if o.result in (Result.STOPPED, Result.LEAK)] if drill else []
    read_back = [c for c in report.controls if c.state != "tested"]
    return environment.get_template(
        "report.html.j2"
    ).render(
        shared,
        svg=Markup(svg),  # noqa: S704 - made by a template that escapes
        style=Markup(style),  # noqa: S704 - our own file
        running=f"Sequester evidence report: {report.origin.stack}, {report.origin.made[:10]}",
        tone=_TONES,
        said=_SAID,
        headline=headline(report),
        href=href or _by_path,
        anchor=partial(_anchor, report),
        frameworks=FRAMEWORKS,
        requirements=REQUIREMENTS,
        parts={part: list(rows) for part, rows in groupby(report.controls, lambda control: control.part)},
        proved=sum(claim.state == "proved" for claim in report.claims),
        read_back=len(read_back),
        holding=sum(control.state == "holds" for control in read_back),
        unseen=sum(bool(row.none) for row in report.tripwires),
        tried=len(tried),
        stopped=sum(o.result is Result.STOPPED for o in tried),
        decided=decided(report),
        content=content,
        signed_by=signed_by,
    )


def headline(report: Report) -> str:
    """The verdict in a sentence or two, the first of which is the verdict."""
    drill = " No drill was held for this report."
    if report.drill:
        tried = [o.result for o in report.drill.outcomes if o.result in (Result.STOPPED, Result.LEAK)]
        drill = f" A drill tried {len(tried)} ways out: {tried.count(Result.STOPPED)} were stopped."
    match report.overall:
        case Overall.HOLDS:
            return (
                f"Holds. All {len(report.claims)} claims are proved, and every control that was read back holds.{drill}"
            )
        case Overall.UNDECIDED:
            open_ = ", ".join(claim.id for claim in report.claims if claim.state != "proved") or "the drill"
            return f"Not decided. Open: {open_}. What is not decided counts as not proved.{drill}"
        case Overall.BROKEN:
            ways = [claim.id for claim in report.claims if claim.state == "escapes"]
            broken = [control.id for control in report.controls if control.state == "broken"]
            failed = [o.technique for o in report.drill.outcomes if o.failed] if report.drill else []
            chains = [chain.id for chain in report.drill.chains if chain.broken] if report.drill else []
            parts = (
                ("a way out", ways),
                ("controls that do not hold", broken),
                ("drill", failed),
                ("whole chains that broke", chains),
            )
            return "Does not hold. " + "; ".join(f"{what}: {', '.join(those)}" for what, those in parts if those) + "."


def _anchor(report: Report, control: str) -> str:
    """The row of a control that a drill names as `<table>:<id>`; empty if this page has none."""
    table, _, name = control.partition(":")
    known = {one.id for one in report.controls}
    return next((one for one in (name, f"{table}-{name}") if one in known), "")


def _by_path(place: Link) -> str:
    return f"{place.path}#L{place.line}"


def beside(out: Path) -> Callable[[Link], str]:
    """Links from a page at `out` to the files of this checkout; GitHub's form of a line, which others ignore."""
    return lambda place: f"{os.path.relpath(ROOT / place.path, out.resolve().parent)}#L{place.line}"


def hosted(url: str, revision: str) -> Callable[[Link], str]:
    """Links to a repository's pages, as GitHub and GitLab have them."""
    return lambda place: f"{url.rstrip('/')}/blob/{revision}/{place.path}#L{place.line}"


def _breaks(text: str) -> Markup:
    """A path or name that may be broken after a separator, rather than within a word."""
    return Markup("").join(
        Markup("{}<wbr>").format(part) if part in "/_:." else Markup("{}").format(part)
        for part in re.split(r"([/_:.])", text)
        if part
    )


def _code(text: str) -> Markup:
    """Text in which `this` is code."""
    plain, code = Markup("{}"), Markup("<code>{}</code>")
    return Markup("").join((code if number % 2 else plain).format(part) for number, part in enumerate(text.split("`")))


def _css_string(text: str) -> Markup:
    """A CSS string; `<` as an escape too, so that none ends the style element."""
    return Markup(json.dumps(text, ensure_ascii=False).replace("<", "\\3c ").replace("\\n", " "))  # noqa: S704
