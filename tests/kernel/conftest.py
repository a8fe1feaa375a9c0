"""What the kernel lane's tests share: one run of all techniques for each user."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sandbox_rare_techniques import ALL as TECHNIQUES
from sandbox_techniques import CANARY

from sequester.drill.program import Bare, program
from sequester.sandbox.guest import syscalls

NOBODY = 65534
# The sandbox's client is standard library alone, so the system's Python runs it as any user.
SYSTEM_PYTHON = "/usr/bin/python3"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def package() -> Iterator[str]:
    """The package where any user may read it."""
    with TemporaryDirectory(prefix="sequester-") as name:
        Path(name).chmod(0o755)
        shutil.copytree(
            REPOSITORY / "sequester", Path(name) / "sequester", ignore=shutil.ignore_patterns("__pycache__")
        )
        subprocess.run([SYSTEM_PYTHON, "-m", "compileall", "-q", f"{name}/sequester/sandbox"], check=True)
        subprocess.run(["chmod", "-R", "a+rX", name], check=True)
        yield name


Try = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def try_techniques(package: str) -> Try:
    """Runs techniques as a user (once each): what happened behind the walls, without them, and at the sink.

    `only` narrows to some; `builder` puts up the walls. To take walls away: `start` replaces the supervisor's first
    lines, `walls` bubblewrap's arguments, and `allow_all` the filter.
    """

    @cache
    def run(
        user: str,
        only: frozenset[str] = frozenset(),
        start: str = "",
        allow_all: bool = False,
        walls: tuple[str, ...] = (),
        builder: str = "bubblewrap",
    ) -> dict[str, Any]:
        numbers = dict(syscalls.numbers(os.uname().machine))
        chosen = [technique for technique in TECHNIQUES if not only or technique.name in only]
        tried = [technique for technique in chosen if technique.bare is not Bare.UNSAFE]
        with TemporaryDirectory(prefix="sequester-sink-") as directory:
            Path(directory).chmod(0o755)
            (Path(directory) / "work").mkdir()
            (Path(directory) / "work").chmod(0o777)
            job = {
                "package": package,
                "canary": CANARY,
                "directory": directory,
                "uid": NOBODY if user == "nobody" else 0,
                "sources": {technique.name: program(technique, numbers) for technique in chosen},
                "builder": builder,
                "controls": [technique.name for technique in tried]
                if (user, builder) == ("root", "bubblewrap") and not start and not allow_all
                else [],
                "to_sink": [technique.name for technique in tried if technique.bare is Bare.REACHES_SINK],
                "start": start.replace("GUEST", f"{package}/sequester/sandbox").replace(
                    "WORK_HERE", f"{directory}/work"
                ),
                "walls": walls,
                "allow_all": allow_all,
            }
            done = subprocess.run(
                [SYSTEM_PYTHON, str(Path(__file__).parent / "sandbox_runner.py")],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

    return run
