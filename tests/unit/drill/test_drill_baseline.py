"""A technique that an ordinary user cannot try without a sandbox either is not run, and says so; it fails nothing."""

import os

import pytest

from sequester.drill.sandboxed import baseline_of
from sequester.drill.table import PROGRAMS

CASES = (
    ("host-mount", "EPERM"),
    ("host-unmount", "EINVAL"),
    ("host-a-copy-of-the-tree", "EINVAL"),
    ("host-a-setuid-program", "ENOMSG"),
)


@pytest.mark.parametrize(("name", "error"), CASES)
@pytest.mark.parametrize(("user", "said"), [(1000, "only root could do it"), (0, "")])
def test_what_takes_root_is_not_run_by_others(
    monkeypatch: pytest.MonkeyPatch, name: str, error: str, user: int, said: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    baseline, why = baseline_of(PROGRAMS[name], {"arrived": "", "reached": False, "error": error})
    assert not baseline.arrived
    assert why.startswith(said)
    assert bool(why) == bool(said)


def test_an_error_of_another_kind_proves_nothing_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    _, why = baseline_of(PROGRAMS["host-mount"], {"arrived": "", "reached": False, "error": "EINVAL"})
    assert why == ""
