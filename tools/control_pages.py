"""The controls as pages show them: what holds, the claim, the check, and the test that fails without it."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from sequester.proof.model import CLAIMS
from sequester.report.evidence import ControlRow, Place, controls
from sequester.report.frameworks import FRAMEWORKS, REQUIREMENTS

_IN_README = ("network", "cluster", "doors", "eyes", "sandbox", "node", "door", "quarantine", "viewer")
_PARTS = {
    "network": "Network, read back from AWS",
    "cluster": "Cluster, read back from AWS",
    "doors": "Doors, read back from AWS",
    "eyes": "Sensors, alarms and quarantine, read back from AWS",
    "admission": "What the API server refuses",
    "sandbox": "Sandbox on one machine, and in the pod",
    "node": "Sandbox node",
    "door": "What a door does with a request",
    "quarantine": "Quarantine",
    "viewer": "Results in a browser",
    "tripwire": "Tripwires",
}


def for_readme() -> str:
    """A row a control of what protects; from each, its row on the controls page and its test are one click away."""
    rows = (
        f"| {row.holds} | {row.claim} | [`{row.id}`](docs/controls.md#{row.id}) | {_link('test', row.without, '')} |"
        for row in controls()
        if row.part in _IN_README
    )
    return "\n".join(["| what holds | claim | control | fails without it |", "|---|---|---|---|", *rows])


def whole_table() -> str:
    """Every control, by part, with an anchor a row."""
    return "\n".join(line for part, rows in groupby(controls(), lambda row: row.part) for line in _part(part, rows))


def _part(part: str, rows: Iterable[ControlRow]) -> Iterator[str]:
    title = _PARTS.get(part, part.capitalize())
    yield from (f"### {title}", "", "| control | what holds | claim | check | fails without it |")
    yield "|---|---|---|---|---|"
    for row in rows:
        yield (
            f'| <a id="{row.id}"></a>`{row.id}` | {row.holds} | [{row.claim}](objectives.md#{row.claim.lower()})'
            f" | {_link(row.check.symbol, row.check)} | {_link(row.without.symbol, row.without)} |"
        )
    yield ""


def _link(text: str, place: Place, up: str = "../") -> str:
    shown = text if text == "test" else f"`{text}`"
    return f"[{shown}]({up}{place.link})"


def by_claim() -> str:
    """A row a claim: what it says, and the controls that it rests on."""
    lines: list[str] = []
    for claim, says in CLAIMS.items():
        resting = [row for row in controls() if row.claim == claim]
        parts = {row.part: sum(other.part == row.part for other in resting) for row in resting}
        counted = ", ".join(f"{count} {part}" for part, count in parts.items())
        what, _, statement = says.partition(": ")
        lines += [
            f"### {claim}",
            "",
            f"**{what.capitalize()}.** {statement[:1].upper()}{statement[1:]}.",
            "",
            f"Rests on {len(resting)} controls ({counted}):",
            ", ".join(f"[`{row.id}`](controls.md#{row.id})" for row in resting) + ".",
            "",
        ]
    return "\n".join(lines)


def frameworks() -> str:
    """A table a framework. A requirement is there only if the named controls really meet it, as far as is said."""
    lines: list[str] = []
    for framework in FRAMEWORKS:
        lines += [
            f"### {framework.name}",
            "",
            f"Source: <{framework.source}>. Ids and titles as in {framework.read}.",
            "",
        ]
        lines += ["| requirement | met by | as far as |", "|---|---|---|"]
        for one in REQUIREMENTS:
            if one.framework == framework.id:
                met = ", ".join(f"[`{control}`](#{control})" for control in one.controls)
                lines.append(f"| {one.id} {one.title} | {met} | {one.extent} |")
        lines.append("")
    return "\n".join(lines)
