"""Plain modules beside these tests (the test kubelet, namespaces without a rule) are importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
