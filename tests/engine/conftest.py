"""One server of the embedded cloud for the lane, a workspace of the real engine for each test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from real_engine import Engine, serving

from sequester.cloud.api import HOOKS


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A workspace and a cloud of its own: what a test leaves behind is nobody else's."""
    with serving() as url:
        yield Engine(tmp_path, url)
    HOOKS.store = None
