"""Lanes: a test says which real tools it needs; where they are missing it is skipped with the reason.

Under ``SEQUESTER_LANES=all`` (continuous integration) nothing is skipped: a missing tool, and any other skip, fails.
"""

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

import tools

if TYPE_CHECKING:
    from sequester.cloud.control_plane import ControlPlane

ALL_LANES = os.environ.get("SEQUESTER_LANES") == "all"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("lane"):
        lane, *needs = mark.args
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
