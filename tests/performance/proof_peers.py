"""The prover beside checkov, on the same Kubernetes manifests: the blueprint's, and each with one way out opened.

checkov looks for known mistakes, one resource or a graph of them at a time. It is installed, at its first use, in an
environment of its own below the user's cache directory; where that cannot be done, a row says so. The AWS side is left
out: checkov reads templates and Terraform's plans, and no rendering of ours would be the deployment itself.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from measure import Row, medians

from sequester.proof.prove import prove
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes
from sequester.sources.stack import model_of

HERE = Path(__file__).parent
CHECKOV = "3.3.30"
INSTALL_S = 300
RUNS = 2
_STOPPING_S = 20
_WHOLE_PROCESS, _ALONE = "the blueprint's manifests, whole process", "ways out by manifests, on manifests alone"


@dataclass(frozen=True)
class Edited:
    """The deployment after one edit that touches manifests alone."""

    name: str
    claim: str
    world: Any


def rows(world: Any, checkov: Path | str, until: float) -> Iterator[Row]:
    """`world`: the blueprint; `checkov`: as `environment` answered. What is not done by `until` (monotonic) is left."""
    edits = list(_edits(world))
    if isinstance(checkov, str):
        yield _whole(edits)
        yield Row("checkov", "not installed", note=checkov)
        return
    with tempfile.TemporaryDirectory() as name:
        folders = {"clean": world, **{f"edit{n:03}": edit.world for n, edit in enumerate(edits)}}
        written: dict[int, str] = {}  # by identity: an edit leaves all other manifests the same objects
        for folder, one in folders.items():
            for m in one.manifests:
                if id(m) not in written:
                    written[id(m)] = yaml.safe_dump(dict(m), sort_keys=False)
            (Path(name) / folder).mkdir()
            (Path(name) / folder / "manifests.yaml").write_text("---\n".join(written[id(m)] for m in one.manifests))
        try:
            yield _times(checkov, Path(name) / "clean", until)
        except (OSError, subprocess.SubprocessError) as error:
            yield Row(_WHOLE_PROCESS, "given up", note=f"{type(error).__name__}: out of time, or checkov failed")
        try:
            started = _started(checkov, Path(name), until)  # it works while we do
            try:
                yield _whole(edits)
                yield _alone(started, edits, world, until)
            finally:
                for one in started:
                    one.kill()
                    one.wait()
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            yield Row(_ALONE, "given up", note=f"{type(error).__name__}: out of time, or checkov failed")


def _edits(world: Any) -> Iterator[Edited]:
    from proof_ways_out import CASES

    for case in CASES:
        if case.base == "blueprint":
            edited = case.edit(world)
            if edited.resources == world.resources and edited.manifests != world.manifests:
                yield Edited(case.name, case.claim, edited)


def environment() -> Path | str:
    """The Python of checkov's environment, which is made at first use; or why there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "sequester" / f"checkov-{CHECKOV}"
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists():
        return python
    try:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=INSTALL_S)
        install = [python, "-m", "pip", "install", "--quiet", f"checkov=={CHECKOV}"]
        subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_S)
        done.touch()
    except (OSError, subprocess.SubprocessError) as error:
        return f"pip install checkov=={CHECKOV}: {type(error).__name__}"
    return python


def _times(python: Path, clean: Path, until: float) -> Row:
    """Both as a user starts them: whole processes, on the same file."""
    environ = {**os.environ, "BC_SKIP_MAPPING": "TRUE"}
    ours = [Path(sys.executable).with_name("sequester"), "prove", "--source", "manifests", clean]
    theirs = [python, "-m", "checkov.main", "--directory", clean, "--framework", "kubernetes", "--skip-download",
              "--quiet", "--compact"]  # fmt: skip

    def run(command: Sequence[str | Path]) -> None:
        # Neither ends with 0: each finds something to say about manifests alone.
        left = max(until - time.monotonic(), 1)
        subprocess.run(command, check=False, capture_output=True, env=environ, timeout=left)

    wall = medians({"ours": lambda: run(ours), "theirs": lambda: run(theirs)}, RUNS, warm_up=0)
    return Row(
        _WHOLE_PROCESS,
        f"{wall['ours']:.2f} s",
        peer=f"checkov {wall['theirs']:.2f} s",
        ratio=f"{wall['ours'] / wall['theirs']:.2f}",
        note="E1 to E8 beside checkov's Kubernetes checks",
    )


def _whole(edits: Sequence[Edited]) -> Row:
    """As it runs in CI: on the whole deployment, of which the edited manifests are a part."""
    found = Counter(e.claim for e in edits if isinstance(prove(e.world.model(), [e.claim])[e.claim], Escapes))
    return Row(
        "ways out by manifests, on the whole deployment",
        f"found {found.total()} of {len(edits)}",
        note=_by_claim(found, edits),
    )


def _alone(started: Sequence[subprocess.Popen[str]], edits: Sequence[Edited], world: Any, until: float) -> Row:
    """On the manifests alone, both by one rule: what is said of the edited ones and was not of the clean ones."""
    before = {claim: _said(world, claim) for claim in {edit.claim for edit in edits}}
    ours = Counter(edit.claim for edit in edits if _said(edit.world, edit.claim) - before[edit.claim])
    said = _failed(started, until)
    clean = said.pop("clean")
    tried = {name: edits[int(name.removeprefix("edit"))].claim for name in said}
    theirs = Counter(claim for name, claim in tried.items() if said[name] - clean)
    return Row(
        _ALONE,
        f"found {ours.total()} of {len(edits)}",
        peer=f"checkov found {theirs.total()} of {len(tried)}" + (" tried in time" if len(tried) < len(edits) else ""),
        note=f"something is said that was not of the clean ones; checkov: {_by_claim(theirs, edits)}",
    )


def _said(world: Any, claim: str) -> set[str]:
    """The ways out that the prover names, without any fact about AWS."""
    verdict = prove(model_of((), Selector(), account="", region="", manifests=world.manifests), [claim])[claim]
    return {w.summary for w in (verdict.witness, *verdict.more)} if isinstance(verdict, Escapes) else set()


def _started(python: Path, folder: Path, until: float) -> list[subprocess.Popen[str]]:
    """checkov on every folder, the clean one first: as many processes as CPUs, which stop by themselves in time."""
    every, many = sorted(folder.iterdir()), os.cpu_count() or 1
    left = str(max(until - time.monotonic(), 1))
    return [
        subprocess.Popen(
            [python, HERE / "checkov_manifests.py", left, *every[n::many]],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for n in range(many)
    ]  # fmt: skip


def _failed(started: Sequence[subprocess.Popen[str]], until: float) -> dict[str, set[tuple[str, str]]]:
    """The checks that fail, for each folder that was reached in time."""
    found: dict[str, set[tuple[str, str]]] = {}
    for one in started:
        for line in one.communicate(timeout=max(until - time.monotonic(), 0) + _STOPPING_S)[0].splitlines():
            said = json.loads(line)
            found[Path(said["folder"]).name] = {(check, resource) for check, resource in said["failed"]}
    return found


def _by_claim(found: Mapping[str, int], edits: Iterable[Edited]) -> str:
    every = Counter(edit.claim for edit in edits)
    return ", ".join(f"{claim} {found.get(claim, 0)} of {every[claim]}" for claim in sorted(every))
