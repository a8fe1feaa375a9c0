"""Each layer holds alone: the others are taken away, and with all of them gone the same code arrives."""

import os
from typing import Any

import pytest
from sandbox_rare_techniques import ALL as TECHNIQUES
from sandbox_techniques import TO

from sequester.drill.program import Bare, Layer

pytestmark = [pytest.mark.lane("kernel", "root", "bwrap"), pytest.mark.xdist_group("sandbox")]

TO_SINK = frozenset(technique.name for technique in TECHNIQUES if technique.bare is Bare.REACHES_SINK)
_BY_FILTER = [
    technique.name
    for technique in TECHNIQUES
    if technique.layer is Layer.SECCOMP and technique.event and technique.bare is not Bare.UNSAFE
]
# By default those that would arrive, and every third of the others.
BY_FILTER = frozenset(_BY_FILTER) if os.environ.get("SEQUESTER_LANES") == "all" else TO_SINK | set(_BY_FILTER[::3])
BY_NAME = {technique.name: technique for technique in TECHNIQUES}

# A PID namespace stays, since the supervisor ends a run by killing all that it can reach.
ONLY_PROCESSES = ("--unshare-user", "--unshare-pid", "--as-pid-1", "--dev-bind", "/", "/", "--proc", "/proc")

_FIRST = "import sys; sys.path.insert(0, '/run/sequester'); from guest import entry, kernel; "
_FIRST_HERE = (
    "import sys; sys.path.insert(0, 'GUEST'); from guest import entry, files, kernel, launch, supervisor; "
    "files.WORK = launch.WORK = supervisor.WORK = 'WORK_HERE'; "
)
_NO_LANDLOCK = "kernel.restrict_files = lambda _: 0; "
_READABLE = "real = kernel.prctl; kernel.prctl = lambda o, v: None if (o, v) == (4, 0) else real(o, v); "
_SERVE = "entry.main()"


def reached(tried: dict[str, Any]) -> set[str]:
    return {name for name, outcome in tried["behind"].items() if (outcome["value"] or {}).get("reached")}


def test_the_filter_alone(try_techniques: Any) -> None:
    """No namespace but that of processes, no Landlock: in the sink's own network, and nothing arrives."""
    tried = try_techniques("root", BY_FILTER, _FIRST_HERE + _NO_LANDLOCK + _SERVE, walls=ONLY_PROCESSES)
    assert reached(tried) == set()
    assert tried["leaked_bytes"] == 0
    for name, outcome in tried["behind"].items():
        assert [event for event in outcome["events"] if BY_NAME[name].matches(event, TO)], name


def test_the_namespaces_alone(try_techniques: Any) -> None:
    """A filter that allows everything, no Landlock: there is no network to reach the sink by."""
    tried = try_techniques("root", TO_SINK, _FIRST + _NO_LANDLOCK + _SERVE, allow_all=True)
    assert reached(tried) == set()
    assert tried["leaked_bytes"] == 0


def test_landlock_alone(try_techniques: Any) -> None:
    """A filter that allows everything, the sink's own network and files: no TCP, no abstract socket, no write."""
    names = frozenset(
        [
            "TCP v4",
            "TCP v6",
            "TCP without waiting",
            "unix abstract",
            "a system file",
            "a program",
            "kill the supervisor",
        ]
    )
    tried = try_techniques("root", names, _FIRST_HERE + _SERVE, allow_all=True, walls=ONLY_PROCESSES)
    if tried["behind"]["TCP v4"]["value"] is None:
        pytest.fail(tried["behind"]["TCP v4"]["stderr"])
    assert reached(tried) == set()
    assert tried["leaked_bytes"] == 0


def test_with_all_of_them_gone_the_same_code_arrives(try_techniques: Any) -> None:
    start = _FIRST_HERE + _NO_LANDLOCK + _SERVE
    tried = try_techniques("root", TO_SINK, start, allow_all=True, walls=ONLY_PROCESSES)
    assert tried["leaked_bytes"] > 0
    assert reached(tried) >= {"TCP v4", "TCP v6", "UDP v4", "UDP v6", "unix abstract", "TCP to instance metadata"}


MEMORY = frozenset(["the supervisor's memory as a file", "the supervisor's environment"])


@pytest.mark.parametrize(
    ("start", "open_to_it"),
    [
        (_FIRST + _NO_LANDLOCK + _SERVE, False),
        (_FIRST + _READABLE + _SERVE, False),
        (_FIRST + _READABLE + _NO_LANDLOCK + _SERVE, True),
    ],
    ids=["unreadable", "landlock", "neither"],
)
def test_the_supervisors_memory(try_techniques: Any, start: str, open_to_it: bool) -> None:
    assert reached(try_techniques("root", MEMORY, start)) == (set(MEMORY) if open_to_it else set())


def test_signals_without_landlock(try_techniques: Any) -> None:
    """PID 1 takes none that it does not handle: the run comes to its own end."""
    names = frozenset(["kill the supervisor", "stop the supervisor", "interrupt the supervisor"])
    tried = try_techniques("root", names, _FIRST + _NO_LANDLOCK + _SERVE)
    assert {outcome["exit"] for outcome in tried["behind"].values()} == {0}


@pytest.mark.parametrize(
    "name", ["the supervisor's limits", "the supervisor's processors", "the supervisor's priority"]
)
def test_the_supervisors_limits_need_the_filter(try_techniques: Any, name: str) -> None:
    assert name in reached(try_techniques("root", frozenset([name]), _FIRST + _SERVE, allow_all=True))
