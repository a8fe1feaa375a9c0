"""What a drill says: techniques, and for each what stopped it, who saw it, when, and what was done then.

The contract between what tries (`targets`), what shows (`show`, the evidence report) and what remembers (JSON, JUnit).
`sequester/drill/schema.json` is its JSON Schema, made from these classes.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sequester.drill.words import Family, How, Result, Target

__all__ = [
    "NO_TRIPWIRE",
    "Alarm",
    "Baseline",
    "Chain",
    "Drill",
    "Family",
    "How",
    "Link",
    "MalformedDrillError",
    "Outcome",
    "Response",
    "Result",
    "Target",
    "Technique",
    "from_json",
    "json_schema",
    "to_json",
]

SCHEMA_VERSION: Final = 1
SCHEMA_FILE: Final = Path(__file__).with_name("schema.json")
NO_TRIPWIRE: Final = "none"

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Technique:
    """One way out, as data.

    control: what is expected to stop it, as `<table>:<id>` (`sequester.drill.control`). tripwire: the id of the row of
    `infra.tripwire_table` that is expected to see it, or `none` with the reason in `unseen`. needs: what a machine must
    have for it to be tried at all.
    """

    id: str
    family: Family
    title: str
    does: str
    control: str
    tripwire: str
    targets: tuple[Target, ...]
    needs: tuple[str, ...] = ()
    unseen: str = ""

    def __post_init__(self) -> None:
        if (self.tripwire == NO_TRIPWIRE) != bool(self.unseen):
            raise ValueError(f"{self.id}: give a tripwire, or `none` and the reason in `unseen`")


@dataclass(frozen=True, config=_STRICT)
class Baseline:
    """The same technique where no control stands. arrived: its canary reached the sink, or it got what it wanted."""

    arrived: bool
    said: str


@dataclass(frozen=True, config=_STRICT)
class Alarm:
    """An alarm that the attempt raised. seconds: from the attempt to the state ALARM, on the chain's own clock.

    allowed_seconds: the worst that the tripwire's row states (delivery, whole periods, evaluation).
    """

    name: str
    state: str
    seconds: float | None
    allowed_seconds: float | None


@dataclass(frozen=True, config=_STRICT)
class Response:
    """What the responder did. done: it says so, and what it did was seen in place afterwards.

    seconds: how long its code ran here for this alarm, without Lambda's own start; None where that was not measured.
    """

    action: str
    target: str
    done: bool
    seconds: float | None
    error: str = ""


@dataclass(frozen=True, config=_STRICT)
class Outcome:
    """What became of one technique on one target.

    stopped_by: a control, as in `Technique.control`. seen_by: the id of the tripwire whose own filter matched the
    record. seconds_to_seen: from the start of the attempt to its record, measured. evidence: lines for people; for a
    leak, the canary and where it arrived. reason: why it was not run, or what the baseline lacked.
    """

    technique: str
    target: Target
    result: Result
    reason: str = ""
    how: How = How.TRIED
    stopped_by: str | None = None
    seen_by: str | None = None
    seconds_to_seen: float | None = None
    alarm: Alarm | None = None
    response: Response | None = None
    evidence: tuple[str, ...] = ()
    baseline: Baseline | None = None
    problems: tuple[str, ...] = ()
    """What is not as expected, each in a line: unseen, late, no response. A leak is a problem by itself."""

    @property
    def passed(self) -> bool:
        """Stopped, seen and answered as expected. What was not decided is not passed."""
        return self.result is Result.STOPPED and not self.problems

    @property
    def failed(self) -> bool:
        """A leak, or stopped but not as expected."""
        return self.result is Result.LEAK or (self.result is Result.STOPPED and bool(self.problems))


@dataclass(frozen=True, config=_STRICT)
class Link:
    """One link of a chain: `held`, `broken`, or `not-reached` because one before it is broken."""

    name: str
    state: Literal["held", "broken", "not-reached"]
    said: str


@dataclass(frozen=True, config=_STRICT)
class Chain:
    """An attempt followed through every part, to the quarantine. not_run: why it was not tried, and the mend."""

    id: str
    title: str
    links: tuple[Link, ...] = ()
    not_run: str = ""

    def __post_init__(self) -> None:
        if bool(self.links) == bool(self.not_run):
            raise ValueError(f"{self.id}: a chain has links, or the reason why it was not run")

    @property
    def broken(self) -> Link | None:
        """The link at which it broke; None if it held, or was not run."""
        return next((link for link in self.links if link.state == "broken"), None)


@dataclass(frozen=True, config=_STRICT)
class Drill:
    """One run. started: RFC 3339, UTC. removed: the controls that were taken away on purpose (`--without`).

    chains: of a whole drill in the lab, see `sequester.drill.chains`.
    """

    target: Target
    started: str
    seconds: float
    versions: Mapping[str, str]
    techniques: tuple[Technique, ...]
    outcomes: tuple[Outcome, ...]
    removed: tuple[str, ...] = ()
    chains: tuple[Chain, ...] = ()
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        known = [technique.id for technique in self.techniques]
        told = [outcome.technique for outcome in self.outcomes]
        if len(set(known)) != len(known) or sorted(known) != sorted(told):
            raise ValueError("every technique has exactly one outcome, and every outcome its technique")
        if self.schema != SCHEMA_VERSION:
            raise ValueError(f"schema {self.schema}: this version reads {SCHEMA_VERSION}")

    def of(self, result: Result) -> list[Outcome]:
        """Every outcome with this result, in the table's order."""
        return [outcome for outcome in self.outcomes if outcome.result is result]

    @property
    def exit_code(self) -> int:
        """0: all that was run is stopped and seen as expected. 1: a leak, unseen, a broken chain. 2: not decided.

        What a machine cannot run is said, and is not counted; where nothing at all was decided, that is 2.
        """
        if any(outcome.failed for outcome in self.outcomes) or any(chain.broken for chain in self.chains):
            return 1
        undecided = self.of(Result.BASELINE_FAILED) or not self.of(Result.STOPPED)
        return 2 if undecided else 0


class MalformedDrillError(ValueError):
    """The text is not a drill's JSON; the message names the place and what is wrong there."""


@cache
def _adapter() -> TypeAdapter[Drill]:
    return TypeAdapter(Drill)


def to_json(drill: Drill) -> str:
    """The drill as JSON, indented, its keys in the order of the classes."""
    return _adapter().dump_json(drill, indent=1).decode() + "\n"


def from_json(text: str | bytes) -> Drill:
    """A drill from `to_json`'s text. Raises MalformedDrillError."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise MalformedDrillError(f"{place}: {first['msg']}: write it by `sequester drill --json`") from None


def json_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of `to_json`'s text."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sequester drill",
        **_adapter().json_schema(mode="serialization"),
    }
