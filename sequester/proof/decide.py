"""From what was found about a claim to its verdict: witnesses first, then doubts, then the certificate."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sequester.proof.certificate import Certificate, Obligation, digest
from sequester.proof.export import all_facts
from sequester.proof.facts import BadFactError
from sequester.proof.iam.pattern import TooHardError
from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict, Witness

Finding = Witness | Obligation | str
"""A way out, something that holds, or a reason why it cannot be decided."""


@dataclass
class Findings:
    witnesses: list[Witness] = field(default_factory=list[Witness])
    holds: list[Obligation] = field(default_factory=list[Obligation])
    doubts: list[str] = field(default_factory=list[str])

    def take(self, those: Iterable[Finding]) -> None:
        """A fact that is not of its form ends the questions it belongs to, as a doubt."""
        try:
            for one in those:
                if isinstance(one, Witness):
                    self.witnesses.append(one)
                elif isinstance(one, Obligation):
                    self.holds.append(one)
                else:
                    self.doubts.append(one)
        except (BadFactError, TooHardError) as error:
            self.doubts.append(str(error))

    def verdict(self, claim: str, model: Model, selector: Selector, assumed: Iterable[str] = ()) -> Verdict:
        gaps = model.gaps_for(claim)
        certain = [w for w in self.witnesses if not (w.absent and gaps)]
        if certain:
            return Escapes(claim, certain[0], tuple(certain[1:]))
        doubts = [*gaps, *self.doubts, *(w.summary for w in self.witnesses)]
        if not self.holds and not doubts:
            doubts.append(f"nothing that {claim} speaks of was recognised in the facts")
        if doubts:
            return Unknown(claim, tuple(dict.fromkeys(doubts)))
        facts = digest(all_facts(model, selector))
        return Proved(claim, Certificate(claim, facts, (), tuple(self.holds), (*assumed, *model.assumptions)))
