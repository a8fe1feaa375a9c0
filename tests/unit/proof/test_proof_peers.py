"""The bench beside checkov: which edits are compared, and that it goes on where checkov cannot be had."""

import subprocess
import time
from pathlib import Path
from typing import Any

import proof_peers
import pytest
from proof_world import World


def test_edits_of_manifests_alone_are_compared(world: World) -> None:
    edits = list(proof_peers._edits(world))
    assert len(edits) > 100
    assert {edit.claim for edit in edits} >= {"E1", "E4", "E5", "E6"}
    assert all(edit.world.resources == world.resources for edit in edits)


def test_without_checkov_the_bench_goes_on(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*command: Any, **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command)

    few = list(proof_peers._edits(world))[:3]
    monkeypatch.setattr(proof_peers, "_edits", lambda _: iter(few))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(proof_peers.subprocess, "run", refused)
    rows = list(proof_peers.rows(world, proof_peers.environment(), time.monotonic() + 60))
    assert [row.figure for row in rows] == ["found 3 of 3", "not installed"]
    assert proof_peers.CHECKOV in rows[1].note


def test_a_checkov_that_fails_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    few = list(proof_peers._edits(world))[:3]
    monkeypatch.setattr(proof_peers, "_edits", lambda _: iter(few))
    rows = list(proof_peers.rows(world, Path("/nonexistent/python"), time.monotonic() + 60))
    assert [row.figure for row in rows] == ["given up", "given up"]
