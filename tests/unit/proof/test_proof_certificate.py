"""The checker accepts what the prover proves, and refuses whatever was changed: facts, pieces, digests, coverage."""

import ast
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import ways_calls
import ways_door
import ways_eyes
import ways_identity
import ways_names
import ways_pods
import ways_policies
import ways_workloads
from proof_world import World
from ways_edits import WORLDS, based, gateway, public, route

from sequester.proof import check_claims
from sequester.proof.certificate import BadCertificateError, Certificate, Obligation, Piece, digest
from sequester.proof.check import RefusedError, check
from sequester.proof.check_claims import wanted
from sequester.proof.check_reasons import mismatches
from sequester.proof.prove import facts_for, prove
from sequester.proof.verdict import Proved


@pytest.fixture(scope="module")
def proof(world: World) -> tuple[Any, Certificate]:
    model = world.model()
    verdict = prove(model, ["E1"])["E1"]
    assert isinstance(verdict, Proved)
    return json.loads(json.dumps(facts_for(model, "E1"))), verdict.certificate


def test_a_proof_is_accepted_and_survives_json(proof: tuple[Any, Certificate]) -> None:
    facts, certificate = proof
    assert Certificate.from_json(certificate.to_json()) == certificate
    assert check(facts, certificate) > len(certificate.questions)


def _first(change: Callable[[Piece], Piece | None]) -> Callable[[Certificate], Certificate]:
    def tamper(certificate: Certificate) -> Certificate:
        question = certificate.questions[0]
        changed = change(question.pieces[0])
        pieces = (*((changed,) if changed else ()), *question.pieces[1:])
        return replace(certificate, questions=(replace(question, pieces=pieces), *certificate.questions[1:]))

    return tamper


TAMPERED: dict[str, Callable[[Certificate], Certificate]] = {
    "another digest": lambda c: replace(c, digest="0" * 64),
    "a question less": lambda c: replace(c, questions=c.questions[1:]),
    "a question twice": lambda c: replace(c, questions=(*c.questions, c.questions[0])),
    "a piece less": _first(lambda _: None),
    "a piece that is too small": _first(lambda p: replace(p, last=p.last - 1)),
    "a piece that overlaps": _first(lambda p: replace(p, last=p.last + 1)),
    "an unknown stage": _first(lambda p: replace(p, stage="trust")),
    "a pod's stage for a node": _first(lambda p: replace(p, stage="policy")),
    "another claim without reasons": lambda c: replace(c, claim="E3"),
    "an axis less": lambda c: replace(
        c, questions=tuple(replace(q, pieces=tuple(p for p in q.pieces if p.axis != "6")) for q in c.questions)
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_certificate_is_refused(proof: tuple[Any, Certificate], how: str) -> None:
    facts, certificate = proof
    with pytest.raises(RefusedError):
        check(facts, TAMPERED[how](certificate))


def test_a_proof_of_other_facts_is_refused(world: World) -> None:
    """The certificate of the closed deployment, with the digest of an open one: each piece is judged, and one fails."""
    WORLDS[id(world)] = world
    closed = based(id(world), "by_routes")
    verdict = prove(closed.model(), ["E1"])["E1"]
    assert isinstance(verdict, Proved)
    opened = route(public(gateway(closed)), destinationCidrBlock="203.0.113.0/24", gatewayId="igw-1").model()
    facts = facts_for(opened, "E1")
    with pytest.raises(RefusedError, match="leaves"):
        check(facts, replace(verdict.certificate, digest=digest(facts)))


@pytest.mark.parametrize("raw", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "questions": 3}', "null"])
def test_what_is_no_certificate_is_refused(raw: str) -> None:
    with pytest.raises(BadCertificateError):
        Certificate.from_json(raw)


# Deployments that are open in one place each, which the checker's own questions find.
CHECKED = {
    **{f"E3 {name}": row for name, row in ways_calls.FURTHER.items()},
    **{f"E6 {name}": ("E6", "blueprint", edit) for name, edit in ways_pods.METADATA.items()},
    **{name: ways_names.FURTHER[name] for name in ("forward sub domain", "group before", "ALERT before", "CoreDNS wide com")},
    **{name: ways_identity.FURTHER[name] for name in ("queue policy foreign", "role trusting everyone", "public endpoint", "alarms to a web hook")},
    **{
        name: row for name, row in ways_policies.FURTHER.items()
        if row[0] == "E3" or name.startswith(("a boundary", "boundary that", "a policy of the organization"))
    },
    **{name: ways_door.FURTHER[name] for name in ("no alias policy", "no tenant deny", "event source alias", "no concurrency")},
    **{name: ways_workloads.FURTHER[name] for name in ("warn", "failure ignore", "psa privileged")},
    **{name: row for name, row in ways_eyes.FURTHER.items() if name not in ways_eyes.PROVER_ONLY},
    **{name: row for name, row in ways_eyes.UNDECIDED.items() if name not in ways_eyes.PROVER_ONLY},
    "alias of an old version": ways_door.UNDECIDED["alias of an old version"],
    "CoreDNS with another file": ways_names.UNDECIDED["CoreDNS with another file"],
}  # fmt: skip

OTHERS = ("E2", "E3", "E4", "E5", "E6", "E7", "E8")


@pytest.fixture(scope="module")
def proofs(world: World) -> dict[str, tuple[Any, Certificate]]:
    model = world.model()
    verdicts = prove(model, OTHERS)
    found: dict[str, tuple[Any, Certificate]] = {}
    for claim, verdict in verdicts.items():
        assert isinstance(verdict, Proved), verdict
        found[claim] = json.loads(json.dumps(facts_for(model, claim), default=list)), verdict.certificate
    return found


@pytest.mark.parametrize("claim", OTHERS)
def test_every_claim_is_checked_again(proofs: dict[str, tuple[Any, Certificate]], claim: str) -> None:
    facts, certificate = proofs[claim]
    assert check(facts, replace(certificate, digest=digest(facts))) == len(certificate.obligations)


@pytest.mark.parametrize("claim", ["E1", *OTHERS])
def test_an_assumption_of_the_facts_is_not_left_out(world: World, claim: str) -> None:
    assumed = "the state is as it was at noon"
    model = replace(world.model(), assumptions=(assumed,))
    verdict = prove(model, [claim])[claim]
    assert isinstance(verdict, Proved)
    facts: Any = json.loads(json.dumps(facts_for(model, claim), default=list))
    whole = replace(verdict.certificate, digest=digest(facts))
    assert check(facts, whole) > 0
    less = tuple(one for one in whole.assumptions if one != assumed)
    assert len(less) == len(whole.assumptions) - 1
    with pytest.raises(RefusedError, match="does not say what the facts assume: the state is as it was at noon"):
        check(facts, replace(whole, assumptions=less))


REASONS: dict[str, Callable[[Certificate], Certificate]] = {
    "another digest": lambda c: replace(c, digest="0" * 64),
    "no reasons": lambda c: replace(c, obligations=()),
    "an empty reason": lambda c: replace(c, obligations=(replace(c.obligations[0], holds=""), *c.obligations[1:])),
    "another claim's": lambda c: replace(c, claim="E3" if c.claim != "E3" else "E7"),
}


@pytest.mark.parametrize("how", REASONS)
@pytest.mark.parametrize("claim", OTHERS)
def test_tampered_reasons_are_refused(proofs: dict[str, tuple[Any, Certificate]], claim: str, how: str) -> None:
    facts, certificate = proofs[claim]
    with pytest.raises(RefusedError):
        check(facts, REASONS[how](replace(certificate, digest=digest(facts))))


# What is done to one reason of a certificate: (before it, it, after it) → what stands there instead.
ONE_REASON: dict[str, Callable[[Obligation, Obligation], tuple[Obligation, ...]]] = {
    "dropped": lambda _, __: (),
    "emptied": lambda one, _: (replace(one, holds=""),),
    "another's words": lambda one, _: (replace(one, holds="it is safe"),),
    "renamed": lambda one, _: (replace(one, subject=f"{one.subject}-2"),),
    "of another subject": lambda one, other: (replace(one, subject=other.subject),),
    "twice": lambda one, _: (one, one),
    "one more, of nothing": lambda one, _: (one, replace(one, subject=f"not {one.subject}")),
}


@pytest.mark.parametrize("how", ONE_REASON)
@pytest.mark.parametrize("claim", OTHERS)
def test_no_reason_can_be_left_out_or_changed(proofs: dict[str, tuple[Any, Certificate]], claim: str, how: str) -> None:
    """Each reason of the certificate is of one fact: the checker misses any one of them, by name, and wants no other."""
    facts, certificate = proofs[claim]
    whole = list(certificate.obligations)
    asked = list(wanted(claim, facts))
    for i, one in enumerate(whole):
        other = next((o for o in whole[i + 1 :] + whole if o.subject != one.subject), one)
        changed = (*whole[:i], *ONE_REASON[how](one, other), *whole[i + 1 :])
        said = list(mismatches(asked, changed))
        assert any(one.subject in line for line in said), (one, said)
    tampered = replace(
        certificate, digest=digest(facts), obligations=(*ONE_REASON[how](whole[0], whole[-1]), *whole[1:])
    )
    with pytest.raises(RefusedError, match="reason"):
        check(facts, tampered)


def test_reasons_of_one_log_group_do_not_change_places(proofs: dict[str, tuple[Any, Certificate]]) -> None:
    """An alarm that tells of one attempt is no reason for another, though both lie in one log group."""
    facts, certificate = proofs["E8"]
    whole, asked = list(certificate.obligations), list(wanted("E8", facts))
    pairs = [
        (i, j)
        for i, j in combinations([i for i, one in enumerate(whole) if one.holds.endswith(" tells")], 2)
        if whole[i].holds != whole[j].holds
    ]
    assert len(pairs) > 1000
    for i, j in pairs:
        changed = [*whole]
        changed[i], changed[j] = replace(whole[i], holds=whole[j].holds), replace(whole[j], holds=whole[i].holds)
        assert list(mismatches(asked, changed)), (whole[i], whole[j])


def test_reasons_may_stand_in_any_order(proofs: dict[str, tuple[Any, Certificate]]) -> None:
    for claim, (facts, certificate) in proofs.items():
        turned = replace(certificate, digest=digest(facts), obligations=certificate.obligations[::-1])
        assert check(facts, turned) == len(certificate.obligations), claim


def test_the_checker_imports_nothing_of_the_prover() -> None:
    """Only the certificate's format, and itself: what both would have wrong, neither would find."""
    files = sorted(Path(check_claims.__file__).parent.glob("check*.py"))
    assert len(files) > 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, file.name
                own = node.module == "sequester.proof"
                named = [f"{node.module}.{a.name}" for a in node.names] if own else [str(node.module)]
            for one in named:
                package = one.partition(".")[0]
                assert package in sys.stdlib_module_names or re.match(r"sequester\.proof\.(certificate$|check)", one), (
                    one
                )


@pytest.mark.parametrize("name", CHECKED)
def test_the_closed_certificate_does_not_hold_for_an_open_deployment(
    world: World, proofs: dict[str, tuple[Any, Certificate]], name: str
) -> None:
    """The certificate of the closed deployment, with the digest of an open one: a concrete question finds it out."""
    claim, _, edit = CHECKED[name]
    facts = facts_for(edit(world).model(), claim)
    with pytest.raises(RefusedError):
        check(facts, replace(proofs[claim][1], digest=digest(facts)))
