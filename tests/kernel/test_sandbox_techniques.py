"""Every known way out is tried behind the walls, as root and as an ordinary user, and without them, where it works."""

from typing import Any

import pytest
from sandbox_techniques import TECHNIQUES, Control, Technique

pytestmark = [pytest.mark.lane("kernel", "root", "bwrap"), pytest.mark.xdist_group("sandbox")]

USERS = ("root", "nobody")


@pytest.fixture(scope="module", params=USERS)
def tried(request: pytest.FixtureRequest, try_techniques: Any) -> dict[str, Any]:
    return try_techniques(request.param)


def test_there_are_at_least_sixty() -> None:
    assert len({technique.name for technique in TECHNIQUES}) == len(TECHNIQUES) >= 60


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_it_fails_and_is_seen(tried: dict[str, Any], technique: Technique) -> None:
    outcome = tried["behind"][technique.name]
    assert outcome["value"] is not None, outcome["stderr"]
    assert not outcome["value"]["reached"]
    assert outcome["value"]["error"] in technique.error.split("|"), technique.layer
    if technique.event is not None:
        seen = [event for event in outcome["events"] if technique.event.items() <= event.items()]
        assert seen, (technique.event, outcome["events"])
        assert {event["action"] for event in seen} == {"denied"}


def test_the_sink_received_nothing(tried: dict[str, Any]) -> None:
    assert tried["leaked_bytes"] == 0


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_it_works_without_the_walls(try_techniques: Any, technique: Technique) -> None:
    if technique.control is Control.UNSAFE:
        assert technique.name not in try_techniques("root")["controls"]
        return
    control = try_techniques("root")["controls"][technique.name]
    if technique.control is Control.KERNEL_LACKS:
        return  # whether this kernel has it or not, the filter's errno and event were held to above
    assert control["bytes"] > 0 if technique.control is Control.REACHES_SINK else control["reached"]
