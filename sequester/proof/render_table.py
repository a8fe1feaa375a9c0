"""Verdicts for a terminal: a table, and each way out as a tree."""

from collections.abc import Mapping

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from sequester.proof.model import CLAIMS
from sequester.proof.render import NOTHING, Excused, excused, lines, printable, state
from sequester.proof.verdict import Escapes, Proved, Verdict, Witness

_COLOURS = {"proved": "green", "escapes": "bold red", "unknown": "yellow"}


def as_table(verdicts: Mapping[str, Verdict], by: Excused = NOTHING) -> Group:
    # A name that is cut off cannot be looked up: it goes on in the next line.
    why = Column("why", overflow="fold")
    table = Table("claim", "what", "verdict", why, title="sequester prove", title_justify="left")
    for claim, verdict in verdicts.items():
        accepted = excused(claim, verdict, by)
        said = Text("accepted", "yellow") if accepted else Text(state(verdict), _COLOURS[state(verdict)])
        table.add_row(claim, CLAIMS[claim], said, Text(printable("\n".join(accepted))) if accepted else _why(verdict))
    return Group(table, *(way_out(claim, v.witness) for claim, v in verdicts.items() if isinstance(v, Escapes)))


def _why(verdict: Verdict) -> Text:
    if isinstance(verdict, Proved):
        found = verdict.certificate
        pieces = sum(len(q.pieces) for q in found.questions)
        return Text(f"{pieces} pieces" if pieces else f"{len(found.obligations)} obligations", "dim")
    return Text(printable("\n".join(lines(verdict)[:3])))


def way_out(claim: str, witness: Witness) -> Tree:
    tree = Tree(Text(printable(f"{claim}: {witness.summary}"), "bold red"))
    branch = tree
    for hop in witness.hops:
        branch = branch.add(Text.assemble((printable(hop.resource), "bold"), ": ", printable(hop.how)))
    tree.add(Text(printable(f"mend: {witness.mend}"), "green"))
    return tree
