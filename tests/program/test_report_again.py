"""A report can be made again: the same revision and settings decide the same, from the same facts, in any process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from sequester.example import SETTINGS_FILE

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("report-again")


def made(folder: Path, settings: Mapping[str, object], runs: int) -> list[Mapping[str, object]]:
    """JSON reports of fresh processes, each with its own order of sets and of threads."""
    file = folder / "Pulumi.dev.yaml"
    file.write_text(yaml.safe_dump(settings))
    started: list[tuple[Path, subprocess.Popen[str]]] = []
    for seed in range(1, runs + 1):
        told = folder / f"{seed}.json"
        words = ["report", "--settings", str(file), "--out", str(told.with_suffix(".html")), "--json", str(told)]
        command = [sys.executable, "-c", "from sequester.cli import app; app()", *words]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
        started.append((told, subprocess.Popen(command, cwd=ROOT, env=environment, text=True)))
    assert [process.wait() for _, process in started] == [0] * runs
    return [json.loads(told.read_text()) for told, _ in started]


def digests(report: Mapping[str, object]) -> dict[str, str]:
    """Of each claim's facts."""
    claims = report["claims"]
    assert isinstance(claims, list)
    return {claim["id"]: claim["digest"] for claim in claims}


def test_two_processes_decide_the_same_from_the_same_facts_and_another_setting_other_ones(tmp_path: Path) -> None:
    settings = yaml.safe_load(SETTINGS_FILE.read_text())
    one, two = made(tmp_path, settings, 2)
    assert all(digests(one).values())
    assert digests(one) == digests(two)
    assert one["decided"] == two["decided"]
    settings["config"]["sequester:network"]["cidr"] = "10.43.0.0/16"
    other = tmp_path / "other"
    other.mkdir()
    (changed,) = made(other, settings, 1)
    assert not set(digests(one).items()) & set(digests(changed).items())
    assert changed["decided"] != one["decided"]
