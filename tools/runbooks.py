"""Writes the head of every runbook, and their index with the times to alarm, from the table of tripwires.

What a person should think and do stands below the head, written by hand, and is left alone.
"""

import re
import shlex
from pathlib import Path
from typing import Final

from infra.names import Names
from infra.sensors import SOURCES, Sensor
from infra.tripwire_patterns import Declared
from infra.tripwire_table import TRIPWIRES, Tripwire, patterns

FOLDER: Final = Path(__file__).parent.parent / "docs" / "runbooks"
_END: Final = "<!-- /generated -->\n"
_HEAD: Final = re.compile(rf"\A.*?{re.escape(_END)}", re.DOTALL)
_EXAMPLE: Final = Names("sequester", "123456789012", "us-east-1")
_TENANT: Final = "research"
_DECLARED: Final = Declared(("ec2.us-east-1.amazonaws.com",), ("10.42.0.0/16",))
_RESPONSES: Final = {
    "observe": "evidence is kept",
    "contain": "evidence; the pod is deleted; an agent's door is closed and its role denied; a node is cordoned",
    "isolate": "as contain; and the node is cut off, snapshot and terminated",
}


def alarmed() -> list[Tripwire]:
    """The rows that have an alarm, and so a runbook."""
    return [row for row in TRIPWIRES if row.sensor is not Sensor.NONE]


def head(row: Tripwire) -> str:
    """Title and facts, for a stack called `sequester` in us-east-1 with a tenant `research`."""
    tenant = _TENANT if row.per_tenant else None
    seen = row.silent_group or row.sensor
    group = SOURCES[seen].log_group(_EXAMPLE, tenant or "")
    condition = (
        f"no record for {row.periods} times {row.period_seconds} s"
        if row.silent_group
        else f"{row.threshold} or more in {row.period_seconds} s"
    )
    lines = [
        f"# {row.alarm_name('<stack>', '<tenant>' if row.per_tenant else None)}",
        "",
        "<!-- generated: python -m tools.runbooks -->",
        f"**{row.attempt}**",
        "",
        "| | |",
        "|---|---|",
        f"| severity | {row.severity} |",
        f"| sensor | {row.sensor} (`{group}`) |",
        f"| alarms on | {condition} |",
        f"| at worst after | {row.worst_seconds} s |",
        f"| done by itself, at most | {row.response}: {_RESPONSES[row.response]} |",
        "",
    ]
    for pattern in patterns(row, _EXAMPLE, tenant, _DECLARED):
        lines += [
            "```console",
            f"aws logs filter-log-events --log-group-name {group} \\",
            f"  --start-time $(date -d '-1 hour' +%s000) --filter-pattern {shlex.quote(pattern)}",
            "```",
            "",
        ]
    return "\n".join(lines) + _END


def renewed(row: Tripwire, text: str) -> str:
    """A runbook with its head made anew. Raises ValueError if it has none."""
    if not _HEAD.match(text):
        raise ValueError(f"{row.id}.md: no generated head: begin it with {_END.strip()}")
    return _HEAD.sub(lambda _: head(row), text, count=1)


def times() -> str:
    """All rows, those without a sensor too, with the worst time from the attempt to the alarm."""
    lines = [
        "| attempt | sensor | delivery s | periods s | at worst s | severity | response | runbook |",
        "|---|---|---:|---:|---:|---|---|---|",
    ]
    for row in TRIPWIRES:
        if row.sensor is Sensor.NONE:
            lines.append(f"| {row.attempt} | **none**: {row.reason} | – | – | – | {row.severity} | – | – |")
            continue
        delivery = SOURCES[row.sensor].delivery_seconds
        lines.append(
            f"| {row.attempt} | {row.sensor} | {delivery} | {row.period_seconds * row.periods} | {row.worst_seconds}"
            f" | {row.severity} | {row.response} | [{row.id}]({row.id}.md) |"
        )
    return "\n".join(lines)


def index() -> str:
    """The runbooks' own page."""
    lines = [
        "# Runbooks",
        "",
        "<!-- generated: python -m tools.runbooks -->",
        "Worst case from the attempt to the alarm: delivery of the record, the alarm's periods, and CloudWatch's own",
        "evaluation. Delivery is what AWS states, or assumed where it states nothing: a drill on a cluster tells.",
        "",
        times(),
    ]
    return "\n".join(lines) + "\n" + _END


def main() -> None:
    """Rewrite the heads and the index in place."""
    for row in alarmed():
        page = FOLDER / f"{row.id}.md"
        page.write_text(renewed(row, page.read_text()))
    (FOLDER / "README.md").write_text(index())


if __name__ == "__main__":
    main()
