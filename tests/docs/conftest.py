"""Tests of the documentation: its links, its commands, its generated parts, and the site."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
