"""Makes a report from a standing cloud and writes it: the page, the JSON, both sealed."""

from dataclasses import dataclass
from pathlib import Path

from infra.settings import Settings
from sequester.drill.outcome import Drill
from sequester.readback.whole import Whole
from sequester.report.document import Report, gather, to_json
from sequester.report.page import beside, hosted, page
from sequester.report.seal import Signer, content_digest, fingerprint_of, sealed_html, sealed_json
from sequester.sources.program import program_model
from sequester.standing import Standing

SOURCE = "the program, in the embedded cloud"


@dataclass(frozen=True)
class Writing:
    """Where a report goes, and whose it is. json: None for none. repository: URL that links lead to."""

    html: Path
    json: Path | None = None
    signer: Signer | None = None
    repository: str = ""


def report_of(here: Standing, settings: Settings, seen: Whole, drill: Drill | None = None) -> Report:
    """The report of a blueprint that stands in the embedded cloud, and was read back as `seen`."""
    run = here.run
    return gather(
        settings,
        program_model(run.resources, account=settings.account, region=settings.region),
        seen,
        run.declared_only,
        SOURCE,
        drill,
    )


def write(report: Report, to: Writing) -> None:
    """Write the files, each sealed; directories are made."""
    told = to_json(report)
    content = content_digest(told)
    signed_by = fingerprint_of(to.signer) if to.signer else ""
    href = hosted(to.repository, report.origin.revision) if to.repository else beside(to.html)
    to.html.parent.mkdir(parents=True, exist_ok=True)
    to.html.write_bytes(sealed_html(page(report, content, signed_by=signed_by, href=href), content, to.signer))
    if to.json:
        to.json.parent.mkdir(parents=True, exist_ok=True)
        to.json.write_bytes(sealed_json(told, to.signer))
