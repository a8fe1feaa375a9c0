"""`make bench`: run the measurements beside this file, print them, and write docs/performance.md and out/bench.json.

Each `bench_<name>.py` here has a docstring (its first line is the heading) and `def rows() -> Iterable[Row]`.
Figures are medians of interleaved runs, given as a ratio to a peer measured in the same run: machines differ and drift.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "performance.md"

sys.path.insert(0, str(HERE))
from measure import Row  # noqa: E402  (the benches import it by this name too)

COLUMNS = ("what", "figure", "peer", "ratio", "aim", "note")


def machine() -> str:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} × {cpu}, {memory_gib:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def measure(path: Path) -> tuple[str, list[Row]]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return (module.__doc__ or path.stem).strip().splitlines()[0], list(module.rows())


def page(sections: dict[str, list[Row]], when: str) -> str:
    out = [
        "# Performance",
        "",
        f"Measured by `make bench` on {when}: {machine()}.",
        "Medians of interleaved runs; a ratio compares two things measured in the same run.",
    ]
    for heading, rows in sections.items():
        out += ["", f"## {heading}", "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        out += ["| " + " | ".join(str(getattr(row, column)) for column in COLUMNS) + " |" for row in rows]
    return "\n".join(out) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="benches to run (default: all); a subset does not rewrite the page")
    names = parser.parse_args().names
    console = Console()
    sections: dict[str, list[Row]] = {}
    paths = sorted(HERE.glob("bench_*.py"))
    for path in paths:
        if names and path.stem.removeprefix("bench_") not in names:
            continue
        with console.status(f"measuring {path.stem.removeprefix('bench_')}"):
            heading, rows = measure(path)
        sections[heading] = rows
        table = Table(*COLUMNS, title=heading, title_justify="left")
        for row in rows:
            table.add_row(*(str(getattr(row, column)) for column in COLUMNS))
        console.print(table)
    when = datetime.now(UTC).date().isoformat()
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    (out / "bench.json").write_text(
        json.dumps(
            {
                "machine": machine(),
                "date": when,
                "sections": {heading: [asdict(row) for row in rows] for heading, rows in sections.items()},
            },
            indent=2,
        )
        + "\n"
    )
    if not names:
        PAGE.write_text(page(sections, when))
        console.print(f"wrote {PAGE.relative_to(ROOT)} and out/bench.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
