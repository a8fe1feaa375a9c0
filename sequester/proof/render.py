"""Verdicts as JSON, SARIF, JUnit and Markdown. render_table.py has the table for terminals: it alone needs rich.

Each takes what a baseline excuses, so that a way out that somebody accepted is still shown, and fails nowhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from urllib.parse import quote
from xml.etree import ElementTree as ET

from sequester.proof.model import CLAIMS
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict, Witness

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"

Excused = Mapping[tuple[str, str], str]
"""(claim, summary of a way out) → who accepted it, until when and why."""
NOTHING: Excused = MappingProxyType({})


def state(verdict: Verdict) -> str:
    """``proved``, ``escapes`` or ``unknown``."""
    return {Proved: "proved", Escapes: "escapes", Unknown: "unknown"}[type(verdict)]


def excused(claim: str, verdict: Verdict, by: Excused) -> list[str]:
    """Why a verdict does not fail though it is a way out: a line for each, or none if one of them is not accepted."""
    if not isinstance(verdict, Escapes):
        return []
    found = [by.get((claim, one.summary), "") for one in (verdict.witness, *verdict.more)]
    return list(dict.fromkeys(found)) if all(found) else []


def as_json(verdicts: Mapping[str, Verdict], by: Excused = NOTHING) -> str:
    """Every verdict with its witness, reasons or certificate."""
    return json.dumps(
        {
            claim: {"verdict": state(v), "claim": CLAIMS[claim], "accepted": excused(claim, v, by), **asdict(v)}
            for claim, v in verdicts.items()
        },
        indent=2,
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


def as_sarif(verdicts: Mapping[str, Verdict], by: Excused = NOTHING, source: str = "Pulumi.yaml") -> str:
    """SARIF 2.1.0: a rule a claim, an error for each way out and for each open question, since that fails as well.

    The kind `open` would have to have the level `none` (3.27.10), which viewers leave out. `source`: the path of the
    file that the facts came from, relative to the repository: GitHub takes no result without a physical location
    (https://docs.github.com/en/code-security/code-scanning, "SARIF support"). The format wants a URI reference of it.
    """
    results: list[object] = []
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Escapes):
            for witness in (verdict.witness, *verdict.more):
                said = f"{witness.summary}; {witness.mend}"
                reason = by.get((claim, witness.summary), "")
                results.append(_result(claim, said, source, witness.hops[0].resource if witness.hops else "", reason))
        else:
            results += [_result(claim, f"not decided: {line}", source, "", "") for line in lines(verdict)]
    rules = [{"id": claim, "name": claim, "shortDescription": {"text": CLAIMS[claim]}} for claim in verdicts]
    driver = {"name": "sequester prove", "rules": rules}
    return json.dumps(
        {"version": "2.1.0", "$schema": _SARIF, "runs": [{"tool": {"driver": driver}, "results": results}]}, indent=2
    )


def _result(claim: str, said: str, source: str, resource: str, reason: str) -> dict[str, object]:
    place: dict[str, object] = {
        "physicalLocation": {"artifactLocation": {"uri": quote(source)}, "region": {"startLine": 1}},
    }
    if resource:
        place["logicalLocations"] = [{"name": resource, "kind": "resource"}]
    found: dict[str, object] = {
        "ruleId": claim,
        "level": "error",
        "kind": "fail",
        "message": {"text": said},
        "locations": [place],
        # What a viewer tells one way out from another by, from run to run.
        "partialFingerprints": {
            "claimAndWitness/v1": hashlib.sha256(f"{claim} {said}".encode(errors="backslashreplace")).hexdigest()
        },
    }
    if reason:
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return found


def as_junit(verdicts: Mapping[str, Verdict], by: Excused = NOTHING) -> str:
    """JUnit XML: a test case a claim; one whose ways out are all accepted is skipped, with who accepted them."""
    passed = {claim: excused(claim, v, by) for claim, v in verdicts.items()}
    failed = sum(not isinstance(v, Proved) and not passed[claim] for claim, v in verdicts.items())
    counts = {"tests": len(verdicts), "failures": failed, "errors": 0, "skipped": sum(map(bool, passed.values()))}
    whole = ET.Element("testsuites", {key: str(count) for key, count in counts.items()})
    suite = ET.SubElement(whole, "testsuite", {"name": "sequester prove", **{k: str(n) for k, n in counts.items()}})
    for claim, verdict in verdicts.items():
        case = ET.SubElement(suite, "testcase", classname="sequester", name=f"{claim} {CLAIMS[claim]}", time="0")
        if passed[claim]:
            ET.SubElement(case, "skipped", message=printable("; ".join(passed[claim])))
        elif not isinstance(verdict, Proved):
            failure = ET.SubElement(
                case, "failure", message=printable((lines(verdict) or [""])[0]), type=state(verdict)
            )
            failure.text = printable(
                path(verdict.witness) if isinstance(verdict, Escapes) else "\n".join(lines(verdict))
            )
    return ET.tostring(whole, encoding="unicode", xml_declaration=True)


def printable(text: str) -> str:
    """Without what XML 1.0 has no way to write and a terminal obeys: a resource's name may hold any character."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?" for c in text
    )


def as_markdown(verdicts: Mapping[str, Verdict], by: Excused = NOTHING) -> str:
    """A table for a pull request, and each way out as a path."""
    out = ["| claim | verdict | |", "|---|---|---|"]
    for claim, verdict in verdicts.items():
        accepted = excused(claim, verdict, by)
        note = _cell("; ".join(accepted) or (lines(verdict)[0] if lines(verdict) else CLAIMS[claim]))
        out.append(f"| {claim} | {state(verdict)}{' (accepted)' if accepted else ''} | {note} |")
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
    return printable("\n".join(out) + "\n")


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
    return printable("\n".join(out))
