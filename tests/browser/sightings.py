"""What one run of the browser told."""

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sightings:
    """What the sink saw of each (page, way), which of them were served at all, and how benign documents looked."""

    seen: dict[tuple[str, str], Counter[str]]
    shown: set[tuple[str, str]]
    looks: dict[str, dict[str, Any]]
