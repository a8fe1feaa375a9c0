"""What is done about whom: steps as data, by level. Evidence always comes first, and steps are safe to repeat."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .config import LEVELS, Level
from .subject import Node, Pod, Subject, Tenant

Act = Literal[
    "close_door",
    "revoke_sessions",
    "delete_association",
    "delete_pod",
    "cordon",
    "cut_off",
    "snapshot",
    "terminate",
]


@dataclass(frozen=True)
class Step:
    act: Act
    subject: Subject

    @property
    def name(self) -> str:
        return f"{self.act} {self.subject}"


_AGENT: Final[tuple[Act, ...]] = ("close_door", "revoke_sessions", "delete_association")
_NODE: Final[dict[Level, tuple[Act, ...]]] = {
    "observe": (),
    "contain": ("cordon",),
    # Another security group does not cut what is connected already: so the machine goes, after its disks are copied.
    "isolate": ("cordon", "cut_off", "snapshot", "terminate"),
}


def lower(one: Level, other: Level) -> Level:
    return LEVELS[min(LEVELS.index(one), LEVELS.index(other))]


def steps(level: Level, subjects: Iterable[Subject]) -> Sequence[Step]:
    """In the order in which they are done: what closes the way out first, what destroys last."""
    found: list[Step] = []
    for subject in subjects:
        match subject:
            case Pod(tenant=tenant, namespace=namespace) if level != "observe":
                if namespace == f"{tenant}-agent":
                    found += [Step(act, Tenant(tenant)) for act in _AGENT]
                found.append(Step("delete_pod", subject))
            case Tenant() if level != "observe":
                found += [Step(act, subject) for act in _AGENT]
            case Node():
                found += [Step(act, subject) for act in _NODE[level]]
            case _:
                pass
    order = {act: index for index, act in enumerate((*_AGENT, "delete_pod", *_NODE["isolate"]))}
    return sorted(dict.fromkeys(found), key=lambda step: order[step.act])
