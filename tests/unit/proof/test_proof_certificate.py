"""The checker accepts what the prover proves, and refuses whatever was changed: facts, pieces, digests, coverage."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from proof_ways_out import WORLDS, based, gateway, public, route
from proof_world import World

from sequester.proof.certificate import BadCertificateError, Certificate, Piece, digest
from sequester.proof.check import RefusedError, check
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
