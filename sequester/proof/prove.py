"""The prover's front door: claims in, verdicts out."""

from collections.abc import Callable, Iterable, Mapping

from sequester.proof.certificate import Json
from sequester.proof.export import all_facts, packet_facts
from sequester.proof.model import CLAIMS, Model
from sequester.proof.packets import packets, service_ranges
from sequester.proof.selector import Selector
from sequester.proof.verdict import Unknown, Verdict

DECIDERS: Mapping[str, Callable[[Model, Selector], Verdict]] = {"E1": packets}


def prove(model: Model, claims: Iterable[str] = tuple(CLAIMS), selector: Selector | None = None) -> dict[str, Verdict]:
    """A verdict for each claim. A claim name that does not exist raises KeyError."""
    chosen = selector or Selector()
    return {claim: _decide(model, claim, chosen) for claim in claims}


def _decide(model: Model, claim: str, selector: Selector) -> Verdict:
    if claim not in CLAIMS:
        raise KeyError(f"{claim} is no claim: {', '.join(CLAIMS)} are")
    decider = DECIDERS.get(claim)
    return decider(model, selector) if decider else Unknown(claim, ("this claim is not decided yet",))


def facts_for(model: Model, claim: str, selector: Selector | None = None) -> Json:
    """What the digest of the claim's certificate is taken over, and what the checker reads."""
    chosen = selector or Selector()
    return packet_facts(model, chosen, service_ranges(model)) if claim == "E1" else all_facts(model, chosen)
