"""One run of Chromium for all browser tests, in a network of its own."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sightings import Sightings

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE))


@pytest.fixture(scope="session")
def sightings() -> "Sightings":
    from sightings import Sightings

    pictures = _HERE.parents[1] / "out" / "viewer"
    pictures.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [
            *("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"),
            *(sys.executable, str(_HERE / "world.py"), str(pictures)),
        ],
        env={**os.environ, "PYTHONPATH": f"{_HERE}:{_HERE.parents[1]}"},
        capture_output=True,
        text=True,
        timeout=840,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads(run.stdout)
    return Sightings(
        {(page, way): Counter(counts) for page, way, counts in told["seen"]},
        {(page, way) for page, way in told["shown"]},
        told["looks"],
    )
