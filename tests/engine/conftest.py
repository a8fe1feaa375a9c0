"""One server of the embedded cloud for the lane, a workspace of the real engine for each test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from real_engine import Engine, serving

from sequester.cloud.api import HOOKS


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of one cloud for the whole lane: starting one costs seconds."""
    with serving() as url:
        yield url
    HOOKS.store = None


@pytest.fixture
def engine(server: str, tmp_path: Path) -> Engine:
    """A workspace of its own over the lane's cloud."""
    return Engine(tmp_path, server)
