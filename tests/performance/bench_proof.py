"""The proof: the blueprint, growth on synthetic stacks, and checkov on the same manifests

Each claim is proved and its certificate checked in this process; each synthetic stack in a process of its own, whose
peak memory is taken. Seconds of synthetic stacks are CPU time. All within LIMIT_S, the making of the blueprint and of
checkov's environment left out: what is not done then is given up, and says so.
"""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import proof_peers
from measure import Row, growth_exponent, medians

from sequester.proof.check import check
from sequester.proof.model import CLAIMS, Model
from sequester.proof.prove import facts_for, prove
from sequester.proof.verdict import Proved

HERE = Path(__file__).parent
WAYS = HERE.parent / "unit" / "proof"
RUNS = 3
LIMIT_S = 90
SIZES: Mapping[str, tuple[int, ...]] = {
    "rules in groups of 50": (1_000, 10_000, 100_000),
    "rules in one group": (1_000, 10_000, 100_000),
    "pods and policies": (100, 1_000, 10_000),
    "pods and policies, 10 in a namespace": (100, 1_000, 10_000),
    "pods and policies that the node holds": (100, 1_000, 10_000),
    "subnets": (10, 100, 1_000),
    "instances beside a sandbox": (100, 1_000, 10_000),
}
AIMS = {"all claims": "≤ 1 s", "the checker": "≤ 0.2 s"}


def rows() -> Iterable[Row]:
    sys.path.insert(0, str(WAYS))
    from proof_world import blueprint_world

    world = blueprint_world()
    checkov = proof_peers.environment()
    until = time.monotonic() + LIMIT_S
    yield from _blueprint(world)
    for shape, sizes in SIZES.items():
        yield from _growth(shape, sizes, until)
    yield from proof_peers.rows(world, checkov, until)


def _blueprint(world: Any) -> Iterator[Row]:
    model: Model = world.model()
    verdicts = prove(model)
    certificates = {claim: v.certificate for claim, v in verdicts.items() if isinstance(v, Proved)}
    facts = {claim: facts_for(model, claim) for claim in certificates}

    def checked() -> None:
        for claim, certificate in certificates.items():
            check(facts[claim], certificate)

    what = {"the model": world.model, "all claims": lambda: prove(model), "the checker": checked}
    wall = medians(what, RUNS)
    for name, call in what.items():
        began = time.process_time()
        call()
        cpu = time.process_time() - began
        note = f"{len(certificates)} of {len(CLAIMS)} claims are proved" if name == "all claims" else ""
        yield Row(f"blueprint with 3 tenants: {name}", f"{wall[name] * 1000:.0f} ms", aim=AIMS.get(name, ""),
                  note=f"CPU {cpu * 1000:.0f} ms; {note}".removesuffix("; "))  # fmt: skip


def _growth(shape: str, sizes: Sequence[int], until: float) -> Iterator[Row]:
    done: list[tuple[int, float, float]] = []
    for size in sizes:
        try:
            said = subprocess.run(
                [sys.executable, str(HERE / "proof_stacks.py"), shape, str(size)],
                check=True, capture_output=True, text=True, timeout=max(until - time.monotonic(), 1),
            ).stdout.splitlines()  # fmt: skip
        except subprocess.TimeoutExpired:
            yield Row(f"{size:,} {shape}", "given up", note="out of time")
            break
        proved, checked = float(said[0]), float(said[1])
        done.append((size, proved, checked))
        yield Row(f"{size:,} {shape}", f"{proved:.3f} s", note=f"checker {checked:.3f} s, {said[2]} MiB, {said[3]}")
    if len(done) > 1:
        at = [size for size, _, _ in done]
        for k, who in ((1, "the prover's"), (2, "the checker's")):
            exponent = growth_exponent(at, [row[k] for row in done])
            yield Row(f"{who} growth over {shape}", f"exponent {exponent:.2f}", aim="≤ 1.2", note="1 is linear")
