"""What makes a proof checkable: the whole space in pieces, each with what closes it, and a digest of the facts.

Only the format is here. proof/check.py imports this file and nothing else of the prover.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias, cast

FORMAT = 1

Json: TypeAlias = Mapping[str, object]


class BadCertificateError(ValueError):
    """A certificate that is not of this format."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Addresses [low, end) × services [first, last) on an axis (as in space.py), and the stage that closes it.

    `stage`: ``path`` (routes and ACLs lead nowhere outside), ``group`` (no security group rule), ``policy`` (no network
    policy rule), ``pods`` (allowed, to pods of the VPC), ``declared`` (allowed, and inside what is declared), ``node``
    (policies allow it, the node cannot send it).
    """

    axis: str
    low: int
    end: int
    first: int
    last: int
    stage: str
    by: str


@dataclass(frozen=True, slots=True)
class Question:
    """One space that is covered. `subject` is ``out:PLACE:SUBNET``, ``in:PLACE:SUBNET`` or ``pods:NAMESPACE``."""

    subject: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that was decided about one resource, and why it holds: what claims without packets consist of."""

    subject: str
    holds: str


@dataclass(frozen=True, slots=True)
class Certificate:
    claim: str
    digest: str
    questions: tuple[Question, ...]
    obligations: tuple[Obligation, ...]
    assumptions: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @staticmethod
    def from_json(raw: str) -> "Certificate":
        """Raises BadCertificateError for anything but what `to_json` writes."""
        try:
            whole = json.loads(raw)
            if whole.pop("format") != FORMAT:
                raise BadCertificateError(f"this checker reads certificates of format {FORMAT}")
            questions = tuple(
                Question(q["subject"], tuple(Piece(**piece) for piece in q["pieces"])) for q in whole.pop("questions")
            )
            obligations = tuple(Obligation(**one) for one in whole.pop("obligations"))
            assumptions = tuple(whole.pop("assumptions"))
            return Certificate(questions=questions, obligations=obligations, assumptions=assumptions, **whole)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadCertificateError(f"not a certificate: {error}") from error


def digest(facts: Json) -> str:
    """SHA-256 of the facts in canonical JSON."""
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def canonical(facts: Json) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, tuple | set | frozenset):
        return (
            sorted(cast("set[str]", value))
            if isinstance(value, set | frozenset)
            else list(cast("tuple[object]", value))
        )
    raise TypeError(f"{type(value).__name__} is not a fact")
