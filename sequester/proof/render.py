"""Verdicts as JSON, SARIF, JUnit and Markdown. render_table.py has the table for terminals: it alone needs rich."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from xml.etree import ElementTree as ET

from sequester.proof.model import CLAIMS
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict, Witness

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def state(verdict: Verdict) -> str:
    """``proved``, ``escapes`` or ``unknown``."""
    return {Proved: "proved", Escapes: "escapes", Unknown: "unknown"}[type(verdict)]


def as_json(verdicts: Mapping[str, Verdict]) -> str:
    """Every verdict with its witness, reasons or certificate."""
    return json.dumps(
        {claim: {"verdict": state(v), "claim": CLAIMS[claim], **asdict(v)} for claim, v in verdicts.items()}, indent=2
    )


def lines(verdict: Verdict) -> list[str]:
    """What a person must know, a line each."""
    if isinstance(verdict, Unknown):
        return list(verdict.reasons)
    if isinstance(verdict, Escapes):
        return [f"{w.summary}; {w.mend}" for w in (verdict.witness, *verdict.more)]
    return []


def path(witness: Witness) -> str:
    """The way out, hop by hop."""
    steps = [f"{'  ' * i}{'└─ ' if i else ''}{hop.resource}: {hop.how}" for i, hop in enumerate(witness.hops)]
    return "\n".join(steps)


def as_sarif(verdicts: Mapping[str, Verdict]) -> str:
    """SARIF 2.1.0: a rule a claim, a result for each way out or open question."""
    results = [
        {
            "ruleId": claim,
            "level": "error",
            "kind": "fail" if isinstance(verdict, Escapes) else "open",
            "message": {"text": line},
            "locations": [{"logicalLocations": [{"name": name}]} for name in _named(verdict)[:1]],
        }
        for claim, verdict in verdicts.items()
        for line in lines(verdict)
    ]
    rules = [{"id": claim, "shortDescription": {"text": CLAIMS[claim]}} for claim in verdicts]
    driver = {"name": "sequester prove", "rules": rules}
    return json.dumps(
        {"version": "2.1.0", "$schema": _SARIF, "runs": [{"tool": {"driver": driver}, "results": results}]}, indent=2
    )


def _named(verdict: Verdict) -> list[str]:
    return [hop.resource for hop in verdict.witness.hops] if isinstance(verdict, Escapes) else []


def as_junit(verdicts: Mapping[str, Verdict]) -> str:
    """JUnit XML: a test case a claim."""
    failed = sum(not isinstance(v, Proved) for v in verdicts.values())
    suite = ET.Element("testsuite", name="sequester prove", tests=str(len(verdicts)), failures=str(failed))
    for claim, verdict in verdicts.items():
        case = ET.SubElement(suite, "testcase", classname="sequester", name=f"{claim} {CLAIMS[claim]}")
        if not isinstance(verdict, Proved):
            failure = ET.SubElement(case, "failure", message=(lines(verdict) or [""])[0], type=state(verdict))
            failure.text = path(verdict.witness) if isinstance(verdict, Escapes) else "\n".join(lines(verdict))
    return ET.tostring(suite, encoding="unicode")


def as_markdown(verdicts: Mapping[str, Verdict]) -> str:
    """A table for a pull request, and each way out as a path."""
    out = ["| claim | verdict | |", "|---|---|---|"]
    for claim, verdict in verdicts.items():
        note = _cell(lines(verdict)[0] if lines(verdict) else CLAIMS[claim])
        out.append(f"| {claim} | {state(verdict)} | {note} |")
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Escapes):
            out += [
                "",
                f"**{claim}**: {verdict.witness.summary}",
                "",
                "```",
                path(verdict.witness),
                "```",
                "",
                verdict.witness.mend,
            ]
    return "\n".join(out) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def explain(claim: str, verdict: Verdict) -> str:
    """All that is known about one verdict, in prose: what closes what, under which assumptions."""
    out = [f"{claim}: {CLAIMS[claim]}", f"verdict: {state(verdict)}", ""]
    if isinstance(verdict, Proved):
        certificate = verdict.certificate
        out += [f"facts: sha256 {certificate.digest}", ""]
        out += [f"- {one.subject}: {one.holds}" for one in certificate.obligations]
        for question in certificate.questions:
            stages: dict[str, int] = {}
            for piece in question.pieces:
                stages[piece.stage] = stages.get(piece.stage, 0) + 1
            out.append(f"- {question.subject}: closed by " + ", ".join(f"{s} ({n})" for s, n in stages.items()))
        out += ["", "assuming:", *(f"- {one}" for one in certificate.assumptions)]
    elif isinstance(verdict, Escapes):
        for witness in (verdict.witness, *verdict.more):
            out += [witness.summary, path(witness), f"mend: {witness.mend}", ""]
    else:
        out += ["not decided:", *(f"- {reason}" for reason in verdict.reasons)]
    return "\n".join(out)
