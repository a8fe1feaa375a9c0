"""Images are mirrored by digest: what the settings pull, from where one says, checked; and nothing else."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, parse
from sequester.mirror import MirrorError, plan, run, script

_ONE, _TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
_HOME = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sequester"
_SOURCES = {
    "log-shipper": f"registry.example.com/fluent-bit:stable@{_ONE}",
    "sandbox": f"registry.example.com/s@{_TWO}",
}


def _settings(**cluster: Any) -> Settings:
    network = {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]}
    return parse({"account": "123456789012", "region": "us-east-1", "network": network, "cluster": cluster})


@pytest.fixture
def settings() -> Settings:
    return _settings(log_shipper=f"{_HOME}/log-shipper@{_ONE}")


def _tool(folder: Path, monkeypatch: pytest.MonkeyPatch, *, present: str, copies: str = "exit 0") -> Path:
    """A skopeo that writes down its calls; `present` decides whether an image is there."""
    calls = folder / "calls"
    calls.touch()
    tool = folder / "skopeo"
    tool.write_text(f'#!/bin/sh\necho "$*" >>{calls}\ncase "$1" in inspect) {present};; copy) {copies};; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return calls


def test_both_ends_have_the_same_digest(settings: Settings) -> None:
    made = plan(settings, _SOURCES)
    assert [(copy.source, copy.target) for copy in made] == [
        (f"registry.example.com/fluent-bit@{_ONE}", f"{_HOME}/log-shipper@{_ONE}"),
        (f"registry.example.com/s@{_TWO}", f"{_HOME}/sandbox@{_TWO}"),
    ]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({}, "log-shipper: the settings pull it, but no source is given"),
        ({"log-shipper": "registry.example.com/fluent-bit:stable"}, "is not pinned"),
        ({"log-shipper": f"registry.example.com/fluent-bit@{_TWO}"}, f"set it to {_HOME}/log-shipper@{_TWO}"),
        (_SOURCES | {"other": f"registry.example.com/x@{_ONE}"}, "no repository of the stack is called so"),
    ],
)
def test_a_mistake_is_one_line(settings: Settings, sources: dict[str, str], said: str) -> None:
    with pytest.raises(MirrorError, match=said.replace(".", r"\.")) as raised:
        plan(settings, sources)
    assert "\n" not in str(raised.value)


def test_what_is_missing_is_copied_and_checked(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _tool(tmp_path, monkeypatch, present=f"test -e {tmp_path}/there", copies=f"touch {tmp_path}/there")
    copies = plan(settings, {"log-shipper": _SOURCES["log-shipper"]})
    assert run(copies, "skopeo") == copies
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["inspect", "copy", "inspect"]
    assert run(copies, "skopeo") == []


def test_a_failed_copy_is_told_with_the_tools_own_words(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tool(tmp_path, monkeypatch, present="exit 1", copies="echo 'manifest unknown' >&2; exit 1")
    with pytest.raises(MirrorError, match="failed with 1: manifest unknown"):
        run(plan(settings, _SOURCES), "skopeo")


def test_an_image_that_is_not_there_after_all_is_an_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tool(tmp_path, monkeypatch, present="exit 1")
    with pytest.raises(MirrorError, match="inspect"):
        run(plan(settings, _SOURCES), "skopeo")


def test_a_missing_tool_is_named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MirrorError, match="crane: is not installed"):
        run(plan(settings, _SOURCES), "crane")


def test_the_script_does_the_same(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _tool(tmp_path, monkeypatch, present=f"test -e {tmp_path}/there", copies=f"touch {tmp_path}/there")
    text = script(plan(settings, {"log-shipper": _SOURCES["log-shipper"]}), "skopeo")
    subprocess.run(["/bin/sh", "-c", text], check=True, capture_output=True)
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["inspect", "copy", "inspect"]
    assert f"docker://{_HOME}/log-shipper:{'1' * 12}" in calls.read_text()
