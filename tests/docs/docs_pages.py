"""Every page in Markdown of the repository that people read, and the commands that it shows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "tools" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
)
_BLOCK: Final = re.compile(r"^```console\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """One command, as it would be pasted, comments and continued lines included."""

    page: str
    text: str


def commands() -> Iterator[Command]:
    """Every command of every `console` block."""
    for page in PAGES:
        for block in _BLOCK.finditer(page.read_text()):
            lines = block["body"].replace("\\\n", " ").splitlines()
            prompts = [line[2:] for line in lines if line.startswith("$ ")]  # then the rest is what comes of them
            for text in prompts or lines:
                plain = re.sub(r"\s+#\s.*", "", text).strip()
                if plain and not plain.startswith("#"):
                    yield Command(page.relative_to(ROOT).as_posix(), " ".join(plain.split()))
