"""One embedded cloud a test; the programs of this folder are on the path."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sequester.cloud import EmbeddedCloud


@pytest.fixture
def cloud() -> Iterator[EmbeddedCloud]:
    """A cloud with nothing in it."""
    with EmbeddedCloud() as opened:
        yield opened
