"""The independent checker: does a certificate hold for these facts?

It shares no code with the prover but the certificate's format. Packets (E1): check_packets.py covers the whole space
and judges one packet a piece. Every other claim: check_claims.py asks concrete calls, names and requests of the facts
themselves, and wants one reason for each fact that the claim is about, and none besides.
"""

from sequester.proof.certificate import Certificate, digest
from sequester.proof.check_claims import refusals, wanted
from sequester.proof.check_lookup import Facts, RefusedError
from sequester.proof.check_packets import check_packets
from sequester.proof.check_plugin import of_model
from sequester.proof.check_reasons import mismatches, sandboxes_of

_BY_POLICIES = ("E2", "E5", "E6")
__all__ = ["Facts", "RefusedError", "check"]


def check(facts: Facts, certificate: Certificate) -> int:
    """The number of packets or reasons that were judged. Raises RefusedError, naming what does not hold."""
    if digest(facts) != certificate.digest:
        raise RefusedError("the certificate is of other facts: their digests differ")
    try:
        _check_assumptions(facts, certificate)
        return check_packets(facts, certificate) if certificate.claim == "E1" else _check_reasons(facts, certificate)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(f"{certificate.claim}: a fact is not understood: {error!r}") from error


def _check_assumptions(facts: Facts, certificate: Certificate) -> None:
    """What the facts take for granted, whoever reads the certificate must read there."""
    assumed = (facts if certificate.claim == "E1" else facts["model"]).get("assumptions", ())
    if missing := sorted(set(assumed) - set(certificate.assumptions)):
        raise RefusedError(f"{certificate.claim}: it does not say what the facts assume: {missing[0]}")


def _check_reasons(facts: Facts, certificate: Certificate) -> int:
    if not certificate.obligations:
        raise RefusedError(f"{certificate.claim}: a certificate without obligations proves nothing")
    refused = next(mismatches(wanted(certificate.claim, facts), certificate.obligations), None)
    refused = refused or next(refusals(certificate.claim, facts), None)
    if certificate.claim in _BY_POLICIES and sandboxes_of(facts["model"], facts["selector"]):
        refused = refused or next(of_model(facts["model"]), None)
    if refused:
        raise RefusedError(f"{certificate.claim}: {refused}")
    return len(certificate.obligations)
