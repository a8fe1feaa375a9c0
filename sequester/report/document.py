"""The report as data: what the page shows and the JSON says, gathered from one run of the program."""

import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Final, cast

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from infra.settings import Settings
from infra.tripwire_table import TRIPWIRES, Tripwire
from sequester.drill.outcome import Drill, Outcome, Result
from sequester.first_deploy import CHECKS
from sequester.proof import render
from sequester.proof.check import check
from sequester.proof.model import CLAIMS, Model
from sequester.proof.prove import facts_for, prove
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Proved, Verdict
from sequester.readback.whole import Whole
from sequester.report.evidence import ROOT, ControlRow, NoEvidenceError, Place, controls
from sequester.report.flows import VIEWER, Flow, Quiet, flows, quiet
from sequester.report.limits import NOT_COVERED
from sequester.report.seal import content_digest

SCHEMA: Final = 1
_FROZEN = ConfigDict(extra="forbid")
_PACKAGES: Final = ("sequester", "pulumi", "pulumi-aws", "pulumi-kubernetes", "moto", "boto3")


class Overall(StrEnum):
    """What the whole comes to: the worst of its parts."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    BROKEN = "broken"


@dataclass(frozen=True, config=_FROZEN)
class Claim:
    """One claim and its verdict. digest: of the facts, as the certificate states it; checked: by the second program."""

    id: str
    what: str
    says: str
    state: str
    digest: str = ""
    pieces: int = 0
    checked: int = 0
    holds: tuple[tuple[str, str], ...] = ()
    assumptions: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, config=_FROZEN)
class Link:
    """A line of the repository; 0 where this is no checkout of it."""

    path: str
    symbol: str
    line: int


@dataclass(frozen=True, config=_FROZEN)
class Control:
    """state: `holds` or `broken` for what was read back in this run; `tested` for what the tests alone show."""

    id: str
    part: str
    holds: str
    claim: str
    state: str
    said: tuple[str, ...]
    check: Link
    without: Link


@dataclass(frozen=True, config=_FROZEN)
class Wire:
    """A tripwire. worst_seconds: as the table states; measured_seconds: the slowest alarm of the drill."""

    id: str
    attempt: str
    sensor: str
    severity: str
    response: str
    worst_seconds: int | None
    measured_seconds: float | None
    none: str


@dataclass(frozen=True, config=_FROZEN)
class Origin:
    """Of which program and when. revision: `git rev-parse HEAD`, or empty; dirty: files differ from it."""

    stack: str
    account: str
    region: str
    source: str
    made: str
    revision: str
    dirty: bool
    versions: Mapping[str, str]


@dataclass(frozen=True, config=_FROZEN)
class Report:
    """All of it."""

    origin: Origin
    claims: tuple[Claim, ...]
    flows: tuple[Flow, ...]
    quiet: tuple[Quiet, ...]
    controls: tuple[Control, ...]
    tripwires: tuple[Wire, ...]
    drill: Drill | None
    declared_only: tuple[str, ...]
    not_covered: tuple[str, ...] = NOT_COVERED
    first_deploy: tuple[str, ...] = tuple(f"{one.id}: {one.why}" for one in CHECKS)
    schema: int = SCHEMA

    @property
    def overall(self) -> Overall:
        """Broken if anything leaks; undecided if anything is not known. A drill that was not run changes nothing."""
        failed = self.drill is not None and self.drill.exit_code == 1
        if failed or any(c.state == "escapes" for c in self.claims) or any(c.state == "broken" for c in self.controls):
            return Overall.BROKEN
        open_ = self.drill is not None and self.drill.exit_code == 2
        if open_ or any(claim.state != "proved" for claim in self.claims):
            return Overall.UNDECIDED
        return Overall.HOLDS

    def outcome(self, technique: str) -> Outcome | None:
        """What became of a technique, if a drill was held."""
        return next((o for o in self.drill.outcomes if o.technique == technique), None) if self.drill else None

    def leaks(self) -> list[Outcome]:
        """Techniques that got through."""
        return self.drill.of(Result.LEAK) if self.drill else []


def gather(
    settings: Settings,
    model: Model,
    seen: Whole,
    declared_only: Iterable[str],
    source: str,
    drill: Drill | None = None,
) -> Report:
    """Decide the claims, check their certificates, compare what was read back, and put it together."""
    selector = Selector()
    found: dict[str, list[str]] = {}
    for finding in seen.findings():
        found.setdefault(finding.id, []).append(f"{finding.resource}: {finding.said}")
    hosts = [
        (f"{settings.name}-door-{name}", [f"{rule.host} ({', '.join(rule.methods)})" for rule in tenant.allow])
        for name, tenant in sorted(settings.tenants.items())
    ]
    return Report(
        origin=_origin(settings, source),
        claims=tuple(_claim(claim, verdict, model) for claim, verdict in prove(model, selector=selector).items()),
        flows=(*flows(model, selector, hosts), *(VIEWER if settings.viewer else ())),
        quiet=tuple(quiet(model, selector)),
        controls=tuple(_control(row, found) for row in controls()),
        tripwires=tuple(_wire(row, drill.outcomes if drill else ()) for row in TRIPWIRES),
        drill=drill,
        declared_only=tuple(declared_only),
    )


def decided(report: Report) -> str:
    """SHA-256 of what was decided from the program, as canonical JSON: the same revision and settings give the same.

    Left out is what a run brings of its own: the date, the versions and the drill, with the times that it measured.
    """
    told: dict[str, object] = TypeAdapter(Report).dump_python(report, mode="json")
    kept = {key: value for key, value in told.items() if key not in ("origin", "drill")}
    kept["tripwires"] = [
        {**wire, "measured_seconds": None} for wire in cast("list[dict[str, object]]", kept["tripwires"])
    ]
    return content_digest(kept)


def to_json(report: Report) -> Mapping[str, object]:
    """As plain JSON values, the drill in the form that `sequester drill --json` writes."""
    made: dict[str, object] = TypeAdapter(Report).dump_python(report, mode="json")
    return made | {"overall": report.overall.value, "decided": decided(report)}


def _claim(claim: str, verdict: Verdict, model: Model) -> Claim:
    what, _, says = CLAIMS[claim].partition(": ")
    state = render.state(verdict)
    if isinstance(verdict, Proved):
        certificate = verdict.certificate
        return Claim(
            claim, what, says, state,
            digest=certificate.digest,
            pieces=sum(len(question.pieces) for question in certificate.questions),
            checked=check(facts_for(model, claim), certificate),
            holds=tuple((one.subject, one.holds) for one in certificate.obligations),
            assumptions=certificate.assumptions,
        )  # fmt: skip
    if isinstance(verdict, Escapes):
        ways = tuple(f"{way.summary}\n{render.path(way)}\nmend: {way.mend}" for way in (verdict.witness, *verdict.more))
        return Claim(claim, what, says, state, ways=ways)
    return Claim(claim, what, says, state, reasons=verdict.reasons)


def _control(row: ControlRow, found: Mapping[str, Sequence[str]]) -> Control:
    said = tuple(found.get(row.id, ()))
    state = ("broken" if said else "holds") if row.read_back else "tested"
    return Control(row.id, row.part, row.holds, row.claim, state, said, _link(row.check), _link(row.without))


def _link(place: Place) -> Link:
    try:
        line = place.line()
    except NoEvidenceError:
        if (ROOT / "pyproject.toml").is_file():
            raise
        line = 0  # installed without the tests: the path still says where to look
    return Link(place.path, place.symbol, line)


def _wire(row: Tripwire, outcomes: Sequence[Outcome]) -> Wire:
    alarms = [o.alarm.seconds for o in outcomes if o.seen_by == row.id and o.alarm and o.alarm.seconds is not None]
    measured = max(alarms, default=None)
    return Wire(
        row.id, row.attempt, row.sensor.value, row.severity, row.response, row.worst_seconds, measured, row.reason
    )


def _origin(settings: Settings, source: str) -> Origin:
    revision, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Origin(
        settings.name, settings.account, settings.region, source, made,
        revision=revision or "", dirty=bool(changes), versions=_versions(settings),
    )  # fmt: skip


def _versions(settings: Settings) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    addons = {f"add-on {name}": one for name, one in settings.cluster.addons.items()}
    return found | {"Python": platform.python_version(), "Kubernetes": settings.cluster.version} | addons


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
