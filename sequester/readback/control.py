"""What a control is, whichever part of the deployment it looks at, and what is said of one that does not hold."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

Seen = TypeVar("Seen")
Mistakes: TypeAlias = Iterable[tuple[str, str]]
"""(resource, what is wrong with it)."""


@dataclass(frozen=True)
class Control(Generic[Seen]):
    """One control of what `Seen` holds. id: stable, for reports and tests."""

    id: str
    protects: str
    claim: str
    mistakes: Callable[[Seen], Mistakes]


@dataclass(frozen=True)
class Finding:
    """A control that does not hold, and where."""

    id: str
    claim: str
    resource: str
    said: str

    def __str__(self) -> str:
        return f"{self.id} ({self.claim}): {self.resource}: {self.said}"


def judge(controls: Sequence[Control[Seen]], seen: Seen) -> list[Finding]:
    """Every way in which what was seen is not as designed; empty if it is."""
    return [Finding(c.id, c.claim, resource, said) for c in controls for resource, said in c.mistakes(seen)]


def holding(controls: Sequence[Control[Seen]], findings: Iterable[Finding]) -> str:
    """For people: how many of the controls hold."""
    broken = {finding.id for finding in findings}
    return f"{len(controls) - len(broken)} of {len(controls)} controls hold"
