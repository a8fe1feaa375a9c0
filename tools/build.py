"""Builds a family of tools from its pinned Go module: once, whole or not at all, whoever asks at the same time."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import tools
from tools.pins import FAMILY_OF, Family

GO = "https://go.dev/dl (1.21 or later: it fetches the version that the pins ask for), or Debian's `golang-go`"
_GO_MINOR = 21
_REPORT_SECONDS = 20
_COMPANION_MODULE = "github.com/pulumi/pulumi/sdk/v3"
_COMPANION = "python/cmd/pulumi-language-python-exec"


class BuildError(RuntimeError):
    """A tool that could not be built; the message says what to do."""


def build(family: Family, say: Callable[[str], None]) -> Path:
    """The folder with the family's executables, built if it is not there yet."""
    target = tools.folder(family)
    if target.is_dir():
        return target
    with _alone(target):
        if target.is_dir():  # another process built it while this one waited
            return target
        _check_go(family)
        say(f"{family.name} {family.version}: building {', '.join(family.packages)} (about {family.minutes} min, once)")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            started = time.monotonic()
            for executable, package in family.packages.items():
                _go_build(family, package, made / executable, say)
            if family is FAMILY_OF["pulumi-language-python"]:
                _add_companion(made)
            made.rename(target)
        say(f"{family.name} {family.version}: built in {time.monotonic() - started:.0f} s")
    return target


def _check_go(family: Family) -> None:
    if shutil.which("go") is None:
        raise BuildError(f"{family.name}: building it needs Go: {GO}")
    said = subprocess.run(["go", "version"], capture_output=True, text=True, check=False, env=_environment()).stdout
    found = re.search(r"go1\.(\d+)", said)
    if found and int(found.group(1)) < _GO_MINOR:
        raise BuildError(f"{family.name}: {found.group()} is too old to build it: {GO}")


def _go_build(family: Family, package: str, output: Path, say: Callable[[str], None]) -> None:
    major, minor, _ = family.version.split(".", 2)
    stamps = " ".join(family.stamps).format(v=family.version, major=major, minor=minor)
    command = ["go", "build", "-trimpath", "-mod=readonly", "-ldflags", f"-s -w {stamps}".strip()]
    command += ["-o", str(output), f"{family.module}/{package}".rstrip("/")]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=family.folder, stdout=log, stderr=log, env=_environment())
        started = time.monotonic()
        while True:
            try:
                code = process.wait(_REPORT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"  {output.name}: {time.monotonic() - started:.0f} s")
            except BaseException:
                process.kill()
                process.wait()
                raise
        if code:
            log.seek(0)
            last = [line for line in log.read().splitlines() if line.strip()][-8:]
            raise BuildError(f"{family.name}: go build failed:\n  " + "\n  ".join(last))


def _add_companion(made: Path) -> None:
    """The script that the language host starts, at the SDK's version, beside it."""
    listed = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", _COMPANION_MODULE],
        cwd=FAMILY_OF["pulumi"].folder,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    if listed.returncode or not listed.stdout.strip():
        raise BuildError(f"{_COMPANION_MODULE}: {listed.stderr.strip() or 'not downloaded: build pulumi first'}")
    script = made / Path(_COMPANION).name
    shutil.copyfile(Path(listed.stdout.strip()) / _COMPANION, script)
    script.chmod(0o755)


def _environment() -> dict[str, str]:
    """The user's Go settings (a proxy of their own, say); a workspace file in a folder above does not count."""
    return os.environ | {"GOWORK": "off"}


@contextmanager
def _alone(target: Path) -> Generator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
