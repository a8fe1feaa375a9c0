"""Attempts as a table for people: what a run tried, where it wanted to go, and that it was refused."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from sequester.sandbox.result import Attempt


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    """A rich table, one row a distinct attempt, whole in 80 columns; class and process are in the events.

    What the sandbox chose is shown escaped, never interpreted.
    """
    table = Table(title="What it tried", title_justify="left")
    for column in ("attempt", "where to", "program", "outcome"):
        table.add_column(column, overflow="fold")
    table.add_column("times", justify="right")
    for attempt, count in merged(attempts):
        table.add_row(
            attempt.syscall or attempt.kind,
            printable(attempt.target),
            printable(attempt.exe or ""),
            attempt.action,
            str(count),
        )
    return table


def merged(attempts: Sequence[Attempt]) -> list[tuple[Attempt, int]]:
    """Each distinct attempt as first seen, and how often it was made."""
    found: dict[tuple[str | None, ...], tuple[Attempt, int]] = {}
    for attempt in attempts:
        key = (attempt.kind, attempt.action, attempt.syscall, attempt.target)
        first, count = found.get(key, (attempt, 0))
        found[key] = (first, count + attempt.count)
    return list(found.values())


def printable(text: str, limit: int = 80) -> Text:
    """`text` with control characters escaped: the sandbox must not move the reader's terminal."""
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return Text(shown if len(shown) <= limit else shown[: limit - 1] + "…")
