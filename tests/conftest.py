"""Lanes: a test says which lane it belongs to and which real tools it needs; else it is in the default lane.

The default lane is the quick one. Another runs when ``SEQUESTER_LANES`` names it (``kernel,cluster``), or when its
tests are asked for by path. Where tools are missing, its tests are skipped with the reason. Under
``SEQUESTER_LANES=all`` (continuous integration) nothing is skipped: a missing tool, and any other skip, fails.
"""

import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tools

if TYPE_CHECKING:
    from sequester.cloud.control_plane import ControlPlane

NAMED = frozenset(os.environ.get("SEQUESTER_LANES", "").split(","))
ALL_LANES = "all" in NAMED
HERE = Path(__file__).resolve().parent


def _asked_for(config: pytest.Config, lane: str) -> bool:
    by_path = any(Path(arg.partition("::")[0]).resolve() not in (HERE, HERE.parent) for arg in config.args)
    return ALL_LANES or lane in NAMED or by_path


def pytest_configure() -> None:
    """A shell has what it starts in the background ignore SIGINT, and so would all that tests start and interrupt."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("lane"):
        lane, *needs = mark.args
        if not _asked_for(item.config, lane):
            pytest.skip(f"the {lane} lane: run it by SEQUESTER_LANES={lane} make test")
        missing = [need for need in needs if not tools.available(need)]
        if missing:
            reason = f"the {lane} lane needs {', '.join(missing)}: {'; '.join(map(tools.mend, missing))}"
            if ALL_LANES:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if ALL_LANES and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped under SEQUESTER_LANES=all: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def control_plane() -> "Generator[ControlPlane]":
    """A real API server with controllers and scheduler, shared by a worker's tests: use namespaces of your own.

    A test that uses it is marked `lane("cluster", *EXECUTABLES)`.
    """
    from sequester.cloud.control_plane import running

    with running(tools.find) as plane:
        yield plane
