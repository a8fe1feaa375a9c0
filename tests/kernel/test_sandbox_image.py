"""The image is really built, on a base named by digest with a Python and no shell, and serves runs as a pod does."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sequester.sandbox import builders, local
from sequester.sandbox.interpreter import Interpreter
from sequester.sandbox.result import Result
from sequester.sandbox.session import converse
from sequester.sandbox.task import Limits, Task
from sequester.sandbox.tree import ENVIRONMENT

pytestmark = [pytest.mark.lane("kernel", "root", "bwrap", "buildah"), pytest.mark.xdist_group("sandbox")]

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = "images/sandbox/Dockerfile"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "idlelib", "lib2to3", "ensurepip", "config-*")


@dataclass(frozen=True)
class Image:
    root: Path
    user: str
    entrypoint: list[str]


def base_root(root: Path) -> None:
    """A Python with its standard library and what it is linked to; not one other program."""
    python = Path("/usr/bin/python3").resolve()
    library = Path(f"/usr/lib/{python.name}")
    shutil.copytree(library, root / library.relative_to("/"), symlinks=True, ignore=LEFT_OUT)
    wanted = [python, *(library / "lib-dynload").glob("*.so")]
    linked = subprocess.run(["ldd", *map(str, wanted)], capture_output=True, text=True, check=True).stdout
    shared = {word for line in linked.splitlines() for word in line.split() if word.startswith("/") and ":" not in word}
    for path in {str(python), *shared}:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (root / "usr/bin/python3").symlink_to(python.name)
    for name in ("tmp", "proc", "dev", "sandbox", "etc"):
        (root / name).mkdir()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    directory = tmp_path_factory.mktemp("image")
    store = ["--root", f"{directory}/store", "--runroot", f"{directory}/run", "--storage-driver", "vfs"]

    def buildah(*words: str) -> str:
        done = subprocess.run(
            ["buildah", *store, *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    base_root(directory / "base")
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, f"{directory}/base", "/")
    buildah("commit", "--quiet", container, "localhost/base:1")
    digest = buildah("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", "localhost/base:1")
    build = ["bud", "--isolation", "chroot", "--pull-never", "--quiet", "-f", DOCKERFILE]
    made = buildah(*build, "--build-arg", f"BASE=localhost/base@{digest}", "-t", "localhost/sandbox:1", ".")
    config = json.loads(buildah("inspect", "--type", "image", made))["OCIv1"]["config"]
    mounted = buildah("mount", buildah("from", "--pull-never", "localhost/sandbox:1"))
    root = directory.parent / f"{directory.name}-root"
    shutil.copytree(mounted, root, symlinks=True)
    for parent in (root, *list(root.parents)[:-2]):  # where the sandbox's user may read it
        parent.chmod(parent.stat().st_mode | 0o755)
    yield Image(root, config["User"], config["Entrypoint"])
    buildah("umount", "--all")
    buildah("rm", "--all")
    shutil.rmtree(root)


@dataclass(frozen=True)
class FromImage:
    """A builders.Builder that starts the image's entrypoint on the image's root, read-only, as a pod does."""

    image: Image
    name: str = "image"

    def command(self, steps: Sequence[str], guest: Path, python: Interpreter) -> list[str]:
        walls = builders.Bubblewrap("bwrap").command((), guest, python)
        return [
            *walls[: walls.index("--")],
            *("--uid", "1000", "--gid", "1000", "--ro-bind", str(self.image.root), "/", "--proc", "/proc"),
            *("--dev", "/dev", "--tmpfs", "/sandbox", "--tmpfs", "/tmp", "--chdir", "/sandbox"),
            *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
            *("--", *self.image.entrypoint),
        ]


def run(image: Image, code: str) -> Result:
    machine = replace(local.machine(), builder=FromImage(image))
    task = Task(code=code, data=[1, 2], has_data=True)
    sandbox = local.Sandbox(machine, Limits())
    try:
        return converse(sandbox, task, task.request({}, (), ENVIRONMENT))
    finally:
        sandbox.gone()


def test_its_supervisor_serves_without_a_shell(image: Image) -> None:
    assert not list(image.root.glob("**/sh"))
    result = run(image, "import json, decimal, sqlite3\nprint('out')\nresult = sum(data)")
    assert (result.value, result.stdout, result.stderr) == (3, "out\n", "")


def test_its_supervisor_sees_attempts(image: Image) -> None:
    result = run(image, "import socket\nsocket.create_connection(('192.0.2.1', 443))")
    assert result.exit == 1
    assert [attempt.target for attempt in result.attempts] == ["192.0.2.1:443"]


def test_it_is_no_one_in_particular_and_compiled(image: Image) -> None:
    assert image.user == "1000:1000"
    assert image.entrypoint[:2] == ["python3", "-I"]
    guest = image.root / "opt/sequester/guest"
    assert {path.stem for path in guest.glob("*.py")} == {
        path.name.split(".")[0] for path in (guest / "__pycache__").glob("*.pyc")
    }
    assert run(image, "import os; result = [os.getuid(), os.access('/opt/sequester', os.W_OK)]").value == [1000, False]


def test_a_base_must_be_named() -> None:
    words = ["buildah", "bud", "--isolation", "chroot", "--pull-never", "-f", DOCKERFILE, "."]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
