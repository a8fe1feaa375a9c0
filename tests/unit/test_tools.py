"""The pinned tools: found at their version only, built once, and one clear line where that is impossible."""

import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

import tools
from tools import build, pins

ROOT = Path(tools.__file__).parent.parent
PULUMI = pins.FAMILY_OF["pulumi"]


@pytest.fixture
def nothing_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tools, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    tools._version_of.cache_clear()
    return tmp_path / "bin"


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_engine_is_of_the_version_of_the_sdk() -> None:
    assert PULUMI.version == version("pulumi")


def test_the_staging_modules_are_of_the_release_of_kubernetes() -> None:
    family = pins.FAMILY_OF["kube-apiserver"]
    staging = [line.split() for line in (family.folder / "go.mod").read_text().splitlines() if "=>" in line]
    assert len(staging) > 25
    assert {entry[-1] for entry in staging} == {"v0." + family.version.split(".", 1)[1]}


@pytest.mark.parametrize("family", pins.FAMILIES, ids=lambda family: family.name)
def test_every_family_is_pinned_by_hash(family: pins.Family) -> None:
    assert f"{family.module} v{family.version} h1:" in (family.folder / "go.sum").read_text()


def test_a_tool_on_the_path_counts_at_the_pinned_version_only(nothing_built: Path) -> None:
    script(nothing_built / "pulumi", "echo v3.1.2")
    assert tools.find("pulumi") is None
    assert tools.mend("pulumi") == (f"{nothing_built}/pulumi is 3.1.2, not {PULUMI.version}: `make tools` builds that")
    tools._version_of.cache_clear()
    right = script(nothing_built / "pulumi", f"echo v{PULUMI.version}")
    assert tools.find("pulumi") == right


def test_a_tool_on_the_path_that_does_not_start_does_not_count(nothing_built: Path) -> None:
    script(nothing_built / "etcd", "exit 1")
    assert tools.find("etcd") is None
    assert "of unknown version" in tools.mend("etcd")


def test_without_go_one_line_says_how_to_get_it(nothing_built: Path) -> None:
    with pytest.raises(build.BuildError, match=r"etcd: building it needs Go: https://go.dev/dl"):
        build.build(pins.FAMILY_OF["etcd"], print)


def test_a_go_that_is_too_old_is_named(nothing_built: Path) -> None:
    script(nothing_built / "go", "echo go version go1.19.8 linux/amd64")
    with pytest.raises(build.BuildError, match=r"etcd: go1\.19 is too old to build it: https://go.dev/dl"):
        build.build(pins.FAMILY_OF["etcd"], print)


def test_an_unknown_name_lists_the_names() -> None:
    done = subprocess.run([sys.executable, "-m", "tools", "etdc"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("etdc: no such tool; there are pulumi,")
    assert "Traceback" not in done.stderr


FAKE_GO = """
[ "$1" = build ] || exit 0
echo run >> "$0.runs"
while [ "$1" != "-o" ]; do shift; done
echo '#!/bin/sh' > "$2"
"""


def test_two_that_ask_at_once_build_once(nothing_built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{nothing_built}:/usr/bin:/bin")
    go = script(nothing_built / "go", "sleep 0.3" + FAKE_GO)
    family = pins.FAMILY_OF["etcd"]
    askers = [threading.Thread(target=build.build, args=(family, lambda _: None)) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert Path(f"{go}.runs").read_text().count("run") == 1
    assert tools.find("etcd") == tools.folder(family) / "etcd"


def test_a_failed_build_says_why_and_leaves_nothing(nothing_built: Path) -> None:
    script(nothing_built / "go", "echo compile: no space left >&2; exit 1")
    family = pins.FAMILY_OF["etcd"]
    with pytest.raises(build.BuildError, match="etcd: go build failed:\n  compile: no space left"):
        build.build(family, lambda _: None)
    assert tools.find("etcd") is None
    assert [entry.name for entry in tools.CACHE.iterdir() if not entry.name.endswith(".lock")] == []


def test_another_pin_is_another_folder(nothing_built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = pins.FAMILY_OF["etcd"]
    before = tools.folder(family)
    copy = tmp_path / "etcd"
    copy.mkdir()
    (copy / "go.mod").write_text((family.folder / "go.mod").read_text().replace("v3 v3.6.5", "v3 v3.6.4"))
    (copy / "go.sum").write_text((family.folder / "go.sum").read_text())
    monkeypatch.setattr(pins, "HERE", tmp_path)
    moved = pins.Family(family.name, family.module, family.packages)
    assert moved.version == "3.6.4"
    assert tools.folder(moved) != before
