"""The checker of packets: no stage closes a way out, however coarse a piece is; and its work grows with the facts."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from measure import growth_exponent
from proof_stacks import SHAPES
from proof_ways_out import CASES
from proof_world import World
from ways_edits import WORLDS, Case, based

from sequester.proof.certificate import Piece, digest
from sequester.proof.check import RefusedError, check
from sequester.proof.check_claims import refusals
from sequester.proof.check_lookup import ENDS, SPACE
from sequester.proof.check_packets import Judge
from sequester.proof.model import Model
from sequester.proof.prove import facts_for, prove
from sequester.proof.verdict import Escapes, Packet, Proved

STAGES = ("path", "group", "policy", "declared", "pods", "node")
PACKETS = [case for case in CASES if case.claim == "E1"]


def _around(packet: Packet) -> Iterator[Callable[[str], Piece]]:
    """Pieces that hold a packet: the whole of its axis and services, and ever smaller ones."""
    end = ENDS.get(packet.axis, 1)
    for size in (end, max(end >> 8, 1), 1):
        for services in (SPACE, 1 << 16, 1):
            low, first = packet.address // size * size, packet.service // services * services
            yield lambda stage, low=low, size=size, first=first, services=services: Piece(
                packet.axis, low, low + size, first, first + services, stage, ""
            )


def _refuses(judge: Judge, subject: str, piece: Piece) -> bool:
    try:
        judge.closed(subject, piece)
    except RefusedError:
        return True
    return False


@pytest.mark.parametrize("case", PACKETS, ids=lambda c: c.name)
def test_no_stage_closes_a_way_out(world: World, case: Case) -> None:
    """Whatever a forger claims of a piece that holds the witness's packet: for each stage it is refused."""
    WORLDS[id(world)] = world
    model = case.edit(based(id(world), case.base)).model()
    verdict = prove(model, ["E1"])["E1"]
    assert isinstance(verdict, Escapes)
    packet = verdict.witness.packet
    facts = facts_for(model, "E1")
    if packet is None:
        with pytest.raises(RefusedError, match=r"does not enforce|is off"):
            Judge(facts).enforced()
        return
    kind, _, origin = packet.origin.partition(":")
    judge = Judge(facts)
    if packet.axis == "node":
        with pytest.raises(RefusedError, match="does not drop"):
            judge.guarded()
        return
    direction = "in" if packet.inbound else "out"
    subjects = (
        [packet.origin]
        if kind == "pods"
        else [f"{direction}:{origin}:{key}" for key in model.places[origin].subnets if key in model.subnets]
    )
    for around in _around(packet):
        assert any(all(_refuses(judge, s, around(stage)) for stage in STAGES) for s in subjects), around("")


def steps(call: Callable[[], object]) -> int:
    """Calls made and lines run in the proof: the work that Python does, whatever the machine. What is done in C is not counted.

    Code of others is left out: a finalizer that the garbage collector happens to run meanwhile would be counted, too.
    """
    count = 0

    def trace(frame: FrameType, _event: str, _arg: object) -> Any:
        nonlocal count
        if not frame.f_globals.get("__name__", "").startswith("sequester.proof."):
            return None
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


SIZES = [100, 200, 400]


@pytest.fixture(scope="module", params=SHAPES)
def models(request: pytest.FixtureRequest) -> list[Model]:
    return [SHAPES[request.param](size) for size in SIZES]


def test_the_work_of_the_checker_grows_with_the_facts(models: list[Model]) -> None:
    """Twice the facts: twice the packets and the steps. Where each rule is held against each piece it is four times."""
    judged: list[float] = []
    done: list[float] = []
    for model in models:
        verdict = prove(model, ["E1"])["E1"]
        assert isinstance(verdict, Proved)
        facts, certificate = facts_for(model, "E1"), verdict.certificate
        judged.append(check(facts, certificate))
        done.append(steps(lambda: check(facts, certificate)))  # noqa: B023 (called here)
    assert growth_exponent(SIZES, judged) <= 1.1, judged
    assert growth_exponent(SIZES, done) <= 1.15, done


def test_the_work_of_the_prover_grows_with_the_facts(models: list[Model]) -> None:
    done: list[float] = [steps(lambda: prove(model, ["E1"])) for model in models]  # noqa: B023 (called here)
    assert growth_exponent(SIZES, done) <= 1.15, done


@pytest.mark.parametrize("claim", ["E2", "E3", "E4", "E5", "E6"])
def test_the_other_claims_grow_with_pods_and_policies(claim: str) -> None:
    """Ten policies and pods in each sandbox namespace: none of prover and checker goes through all for each."""
    proved: list[float] = []
    checked: list[float] = []
    for size in SIZES:
        model = SHAPES["pods and policies, 10 in a namespace"](size)
        manifests = json.loads(json.dumps(model.manifests).replace("-agent", "-sandbox"))
        model = replace(model, manifests=tuple(manifests))
        proved.append(steps(lambda: prove(model, [claim])))  # noqa: B023 (called here)
        facts = facts_for(model, claim)
        checked.append(steps(lambda: list(refusals(claim, facts))))  # noqa: B023 (called here)
    assert growth_exponent(SIZES, proved) <= 1.15, proved
    assert growth_exponent(SIZES, checked) <= 1.15, checked


def test_what_is_no_prefix_is_refused(world: World) -> None:
    """Look-ups by prefix would miss a range that is none."""
    model = world.model()
    verdict = prove(model, ["E1"])["E1"]
    assert isinstance(verdict, Proved)
    facts: Any = json.loads(json.dumps(facts_for(model, "E1")))
    (first, *_) = facts["vpcs"].values()
    first[0][2] += 1
    with pytest.raises(RefusedError, match="no prefix"):
        check(facts, replace(verdict.certificate, digest=digest(facts)))
