"""The deployment under proof: the blueprint, run once in the embedded cloud. Edits change what it recorded."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "performance"))
sys.path.insert(0, str(Path(__file__).parent))

from proof_world import World, blueprint_world


@pytest.fixture(scope="session")
def world() -> World:
    return blueprint_world()
