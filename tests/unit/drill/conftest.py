"""The tripwires as the tests of `eyes` deploy them, importable here by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "eyes"))
sys.path.insert(0, str(Path(__file__).parent))
