"""The table of techniques as Markdown, for docs/drill.md."""

from collections.abc import Iterable

from sequester.drill.outcome import Family, Technique
from sequester.drill.table import FAST, TECHNIQUES


def markdown() -> str:
    """How many there are, and a table a family."""
    parts = [f"{len(TECHNIQUES)} techniques; **bold**: in the fast subset."]
    for family in Family:
        rows = [technique for technique in TECHNIQUES if technique.family is family]
        parts += [f"### {family.heading} ({len(rows)})", "\n".join(_table(rows))]
    return "\n\n".join(parts)


def _table(techniques: Iterable[Technique]) -> Iterable[str]:
    yield "| technique | what it does | stopped by | seen by | where |"
    yield "|---|---|---|---|---|"
    for technique in techniques:
        name = f"`{technique.id}`"
        seen = f"[`{technique.tripwire}`](runbooks/{technique.tripwire}.md)"
        yield (
            f"| {f'**{name}**' if technique.id in FAST else name} | {_cell(technique.does)} | `{technique.control}`"
            f" | {_cell(technique.unseen and f'nobody: {technique.unseen}') or seen} | {', '.join(technique.targets)} |"
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("{", "&#123;").replace("\n", " ")
