"""The checker's table of claims without packets: which reasons each wants, and what it asks the facts itself.

It shares nothing with the prover. A file a claim: `reasons` enumerates what must be spoken of, and `refusals` makes
concrete calls, names and requests of the deployment's own documents. One that gets through refuses the certificate.
"""

from collections.abc import Callable, Iterator, Mapping

from sequester.proof import (
    check_doors,
    check_endpoints,
    check_eyes,
    check_identity,
    check_metadata,
    check_names,
    check_workloads,
)
from sequester.proof.check_reasons import Facts, Reason, Refusal

_REASONS: Mapping[str, Callable[[Facts, Facts], Iterator[Reason]]] = {
    "E2": check_names.reasons,
    "E3": check_endpoints.reasons,
    "E4": check_identity.reasons,
    "E5": check_workloads.reasons,
    "E6": check_metadata.reasons,
    "E7": check_doors.reasons,
    "E8": check_eyes.reasons,
}
_ASKED: Mapping[str, Callable[[Facts, Facts], Iterator[Refusal]]] = {
    "E2": check_names.refusals,
    "E3": check_endpoints.refusals,
    "E4": check_identity.refusals,
    "E5": check_workloads.refusals,
    "E6": check_metadata.refusals,
    "E7": check_doors.refusals,
    "E8": check_eyes.refusals,
}


def wanted(claim: str, facts: Facts) -> Iterator[Reason]:
    """The reasons that a certificate of a claim must give, and those that it may."""
    yield from _REASONS[claim](facts["model"], facts["selector"])


def refusals(claim: str, facts: Facts) -> Iterator[Refusal]:
    """What gets through and must not."""
    yield from _ASKED[claim](facts["model"], facts["selector"])
