"""Every way out of the table is found, named and walked by the simulator; none alone opens the blueprint itself."""

from collections.abc import Callable

import pytest
from proof_ways_out import CASES, UNKNOWN
from proof_world import World
from ways_edits import WORLDS, Case, acl_rule, based

from sequester.proof.prove import prove
from sequester.proof.simulate import simulate
from sequester.proof.verdict import Escapes, Proved, Unknown


@pytest.fixture
def start(world: World) -> Callable[[str], World]:
    WORLDS[id(world)] = world
    return lambda base: based(id(world), base)


@pytest.mark.parametrize("base", ["blueprint", "by_routes", "by_groups", "by_acls"])
def test_each_layer_alone_is_proved(start: Callable[[str], World], base: str) -> None:
    verdict = prove(start(base).model(), ["E1"])["E1"]
    assert isinstance(verdict, Proved), verdict


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_way_out_is_found(start: Callable[[str], World], case: Case) -> None:
    model = case.edit(start(case.base)).model()
    verdict = prove(model, [case.claim])[case.claim]
    assert isinstance(verdict, Escapes), verdict
    witness = verdict.witness
    assert witness.hops
    assert witness.mend
    if witness.packet is not None:
        trace = simulate(model, witness.packet)
        assert trace.arrived, (witness, trace.steps)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.base != "blueprint" and not c.name.startswith("further")], ids=lambda c: c.name
)
def test_no_single_layer_of_the_blueprint_is_load_bearing(start: Callable[[str], World], case: Case) -> None:
    """The same edits, made to the blueprint itself, leave two other layers standing (or are seen before they matter)."""
    model = case.edit(_prepared(start("blueprint"), case)).model()
    assert not isinstance(prove(model, ["E1"])["E1"], Escapes)


def _prepared(w: World, case: Case) -> World:
    return (
        acl_rule(acl_rule(w, "shut4", 10, action="deny"), "shut6", 11, action="deny", ipv6CidrBlock="::/0")
        if "ACL" in case.name
        else w
    )


def test_there_are_enough() -> None:
    assert len(CASES) >= 300
    assert len({c.name for c in CASES}) == len(CASES)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_in_the_facts_is_unknown(start: Callable[[str], World], name: str) -> None:
    claim, base, edit = UNKNOWN[name]
    verdict = prove(edit(start(base)).model(), [claim])[claim]
    assert isinstance(verdict, Unknown), verdict
    assert all(verdict.reasons)
