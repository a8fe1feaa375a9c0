"""What the prover answers: Proved with a certificate, Escapes with a witness, or Unknown with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sequester.proof.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a way out: the resource that let it through, and by which of its properties."""

    resource: str
    how: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A concrete packet. `origin` names a place of the model, `axis`/`address`/`service` are as in space.py."""

    origin: str
    axis: str
    address: int
    service: int
    inbound: bool = False
    """The first packet comes from `address`, and this is the reply to it (any port of the other side)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A concrete API call: who, what, on which, through which door, under which condition keys."""

    principal: str
    action: str
    resource: str
    through: str = ""
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Witness:
    """A way out that a person can replay, and the one line that closes it."""

    summary: str
    hops: tuple[Hop, ...]
    mend: str
    absent: bool = False
    """It rests on something that is not in the facts; where facts are missing, it is no more than a doubt."""
    packet: Packet | None = None
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    claim: str
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Escapes:
    claim: str
    witness: Witness
    more: tuple[Witness, ...] = ()
    """Further ways, at most one an origin or resource."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not decided: each reason names what is missing and where. Fails like Escapes."""

    claim: str
    reasons: tuple[str, ...]


Verdict: TypeAlias = Proved | Escapes | Unknown
