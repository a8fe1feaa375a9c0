"""Every known way out is tried behind the walls, as root and as an ordinary user, and without them, where it works."""

import os
from typing import Any

import pytest
from sandbox_rare_techniques import ALL as TECHNIQUES
from sandbox_techniques import TO

from sequester.drill.program import Bare, Program

pytestmark = [pytest.mark.lane("kernel", "root", "bwrap"), pytest.mark.xdist_group("sandbox")]

ALL_LANES = os.environ.get("SEQUESTER_LANES") == "all"

# (who runs it, what puts up the walls)
RUNS = (("root", "bubblewrap"), ("nobody", "bubblewrap"), ("nobody", "unshare"))


# Who runs it and who builds matters to few of them: by default the first run tries all, the others every fourth.
SAMPLE = frozenset(technique.name for technique in TECHNIQUES[::4])


@pytest.fixture(scope="module", params=RUNS, ids="-".join)
def tried(request: pytest.FixtureRequest, try_techniques: Any) -> dict[str, Any]:
    user, builder = request.param
    if (user, builder) == RUNS[0]:
        return try_techniques(user, builder=builder)
    return try_techniques(user, frozenset() if ALL_LANES else SAMPLE, builder=builder)


def test_there_are_at_least_sixty() -> None:
    assert len({technique.name for technique in TECHNIQUES}) == len(TECHNIQUES) >= 60


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_it_fails_and_is_seen(tried: dict[str, Any], technique: Program) -> None:
    outcome = tried["behind"].get(technique.name)
    if outcome is None:
        assert not ALL_LANES
        assert technique.name not in SAMPLE
        return
    assert outcome["value"] is not None, outcome["stderr"]
    assert not outcome["value"]["reached"]
    assert outcome["value"]["error"] in technique.error.split("|"), technique.layer
    if technique.event is not None:
        seen = [event for event in outcome["events"] if technique.matches(event, TO)]
        assert seen, (technique.event, outcome["events"])
        assert {event["action"] for event in seen} == {"denied"}


def test_the_sink_received_nothing(tried: dict[str, Any]) -> None:
    assert tried["leaked_bytes"] == 0


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_it_works_without_the_walls(try_techniques: Any, technique: Program) -> None:
    if technique.bare is Bare.UNSAFE:
        assert technique.name not in try_techniques("root", builder="bubblewrap")["controls"]
        return
    control = try_techniques("root", builder="bubblewrap")["controls"][technique.name]
    if technique.bare is Bare.KERNEL_LACKS:
        return  # whether this kernel has it or not, the filter's errno and event were held to above
    assert control["bytes"] > 0 if technique.bare is Bare.REACHES_SINK else control["reached"]
