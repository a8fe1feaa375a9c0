"""A drill for people: a table that grows while it is held, and what is not as expected, in full."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from sequester.drill.outcome import Chain, Drill, Family, How, Outcome, Response, Result, Technique

FULL_TABLE_ROWS = 40
"""With more techniques than these, the table that grows has a row a family."""

_WORDS = {
    Result.STOPPED: ("stopped", "green"),
    Result.LEAK: ("LEAK", "bold red"),
    Result.NOT_RUN: ("not run", "dim"),
    Result.BASELINE_FAILED: ("proves nothing", "yellow"),
}

_LINK_STYLES = {"held": "green", "broken": "bold red", "not-reached": "dim"}

Pairs = Sequence[tuple[Technique, Outcome]]


@contextmanager
def growing(console: Console, techniques: Sequence[Technique]) -> Generator[Callable[[Technique, Outcome], None]]:
    """A live table; call what it gives for each outcome (again for one that turned out otherwise)."""
    known: dict[str, tuple[Technique, Outcome]] = {}
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console)
    task = bar.add_task("getting ready", total=len(techniques))

    def picture() -> Group:
        table = families(list(known.values())) if len(techniques) > FULL_TABLE_ROWS else rows(list(known.values()))
        return Group(table, bar)

    with Live(picture(), console=console, refresh_per_second=8, transient=True) as live:

        def tell(technique: Technique, outcome: Outcome) -> None:
            known[technique.id] = (technique, outcome)
            bar.update(task, completed=len(known), description=technique.id)
            live.update(picture())

        yield tell


def families(pairs: Pairs) -> Table:
    """One row a family."""
    table = Table(title="Drill", title_justify="left")
    table.add_column("family")
    for column in ("techniques", "stopped", "LEAK", "not as expected", "not run", "proves nothing"):
        table.add_column(column, justify="right")
    for family in Family:
        mine = [outcome for technique, outcome in pairs if technique.family is family]
        if not mine:
            continue
        found = Counter(outcome.result for outcome in mine)
        odd = sum(outcome.result is Result.STOPPED and outcome.failed for outcome in mine)
        table.add_row(
            family.heading,
            str(len(mine)),
            Text(str(found[Result.STOPPED]), style="green"),
            _count(found[Result.LEAK], "bold red"),
            _count(odd, "red"),
            _count(found[Result.NOT_RUN], "dim"),
            _count(found[Result.BASELINE_FAILED], "yellow"),
        )
    return table


def rows(pairs: Pairs) -> Table:
    """One row a technique: stopped by, seen by, after, and what was done."""
    table = Table(title="Drill", title_justify="left")
    for column in ("technique", "result", "stopped by", "seen by"):
        table.add_column(column, overflow="fold")
    table.add_column("seen after", justify="right")
    table.add_column("alarm at worst", justify="right")
    table.add_column("done about it", overflow="fold")
    for technique, outcome in pairs:
        word, style = _WORDS[outcome.result]
        if outcome.how is How.COMPUTED:
            word += " (computed)"
        table.add_row(
            technique.id,
            Text(word, style="red" if outcome.failed and outcome.result is Result.STOPPED else style),
            outcome.stopped_by or "",
            outcome.seen_by or ("nobody can" if technique.unseen else ""),
            "" if outcome.seconds_to_seen is None else f"{outcome.seconds_to_seen * 1000:.0f} ms",
            "" if outcome.alarm is None or outcome.alarm.seconds is None else f"{outcome.alarm.seconds:.0f} s",
            _done(outcome.response),
        )
    return table


def listing(techniques: Sequence[Technique]) -> Table:
    """The table itself, for `--list`."""
    table = Table(title=f"{len(techniques)} techniques", title_justify="left")
    for column in ("id", "what it does", "stopped by", "seen by", "targets"):
        table.add_column(column, overflow="fold")
    for technique in techniques:
        targets = " ".join(technique.targets)
        table.add_row(technique.id, technique.does, technique.control, technique.tripwire, targets)
    return table


def told(console: Console, drill: Drill, *, details: bool) -> None:
    """The end: the table, then each thing that is not as expected, then a line that sums up."""
    by_id = {technique.id: technique for technique in drill.techniques}
    pairs = [(by_id[outcome.technique], outcome) for outcome in drill.outcomes]
    console.print(rows(pairs) if details or len(pairs) <= FULL_TABLE_ROWS else families(pairs))
    for technique, outcome in pairs:
        if outcome.result is Result.LEAK:
            _say(console, f"LEAK {technique.id}: {technique.does}", "bold red")
            for line in outcome.evidence:
                _say(console, f"  {line}", "red")
        if outcome.failed:
            for problem in outcome.problems:
                _say(console, f"✗ {technique.id}: {problem}", "red")
        if outcome.result is Result.BASELINE_FAILED:
            _say(console, f"? {technique.id}: {outcome.reason}", "yellow")
    if drill.chains:
        console.print(chained(drill.chains))
    skipped = Counter(outcome.reason for outcome in drill.of(Result.NOT_RUN))
    for reason, count in skipped.most_common():
        _say(console, f"not run: {count} {'technique' if count == 1 else 'techniques'}: {reason}", "dim")
    for control in drill.removed:
        _say(console, f"taken away on purpose: {control}", "yellow")
    _say(console, summary(drill), {0: "bold green", 1: "bold red"}.get(drill.exit_code, "bold yellow"))


def chained(chains: Sequence[Chain]) -> Table:
    """One row a link: whether it held, and what was seen."""
    table = Table(title="The whole chain", title_justify="left")
    for column in ("chain", "link", "", "what was seen"):
        table.add_column(column, overflow="fold")
    for chain in chains:
        if chain.not_run:
            table.add_row(chain.title, "", Text("not run", style="dim"), Text(chain.not_run))
        for number, link in enumerate(chain.links):
            state = Text(link.state, style=_LINK_STYLES[link.state])
            table.add_row("" if number else chain.title, link.name, state, Text(plain(link.said)))
        table.add_section()
    return table


def summary(drill: Drill) -> str:
    """One line: how many were stopped, leaked, were not as expected, or not decided."""
    stopped = drill.of(Result.STOPPED)
    said = [
        f"{len(stopped)} of {len(drill.outcomes)} techniques stopped",
        f"{sum(outcome.seen_by is not None for outcome in stopped)} of them seen",
    ]
    for count, what in (
        (sum(chain.broken is not None for chain in drill.chains), "BROKEN of the whole chains"),
        (len(drill.of(Result.LEAK)), "LEAK"),
        (sum(outcome.failed for outcome in stopped), "not as expected"),
        (len(drill.of(Result.BASELINE_FAILED)), "prove nothing"),
        (len(drill.of(Result.NOT_RUN)), "not run here"),
    ):
        if count:
            said.append(f"{count} {what}")
    if whole := sum(bool(chain.links) and chain.broken is None for chain in drill.chains):
        said.append(f"{whole} of {len(drill.chains)} whole chains held")
    return f"{', '.join(said)} ({drill.seconds:.1f} s)"


def _done(response: Response | None) -> str:
    if response is None:
        return ""
    return response.action + ("" if response.seconds is None else f", in {response.seconds:.1f} s")


def _count(count: int, style: str) -> Text:
    return Text(str(count) if count else "", style=style)


def _say(console: Console, line: str, style: str) -> None:
    console.print(Text(plain(line), style=style), soft_wrap=True)


def plain(line: str) -> str:
    """Evidence may hold what untrusted code chose: no control characters."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
