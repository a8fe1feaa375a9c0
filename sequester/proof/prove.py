"""The prover's front door: claims in, verdicts out."""

from collections.abc import Callable, Iterable, Mapping

from sequester.proof.certificate import Json
from sequester.proof.door import door
from sequester.proof.endpoints import endpoints
from sequester.proof.export import all_facts, packet_facts
from sequester.proof.eyes import eyes
from sequester.proof.identity import identity
from sequester.proof.metadata import metadata
from sequester.proof.model import CLAIMS, Model
from sequester.proof.names import names
from sequester.proof.packets import packets, service_ranges
from sequester.proof.selector import Selector
from sequester.proof.verdict import Verdict
from sequester.proof.workloads import workloads

DECIDERS: Mapping[str, Callable[[Model, Selector], Verdict]] = {
    "E1": packets,
    "E2": names,
    "E3": endpoints,
    "E4": identity,
    "E5": workloads,
    "E6": metadata,
    "E7": door,
    "E8": eyes,
}


def prove(model: Model, claims: Iterable[str] = tuple(CLAIMS), selector: Selector | None = None) -> dict[str, Verdict]:
    """A verdict for each claim. A claim name that does not exist raises KeyError."""
    chosen = selector or Selector()
    return {claim: _decide(model, claim, chosen) for claim in claims}


def _decide(model: Model, claim: str, selector: Selector) -> Verdict:
    if claim not in DECIDERS:
        raise KeyError(f"{claim} is no claim: {', '.join(CLAIMS)} are")
    return DECIDERS[claim](model, selector)


def facts_for(model: Model, claim: str, selector: Selector | None = None) -> Json:
    """What the digest of the claim's certificate is taken over, and what the checker reads."""
    chosen = selector or Selector()
    return packet_facts(model, chosen, service_ranges(model)) if claim == "E1" else all_facts(model, chosen)
