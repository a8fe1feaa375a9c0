"""Plain modules beside these tests (the table of attempts, the tenants they are made on) are importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
