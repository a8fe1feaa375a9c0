"""Builds the door's zip, what Lambda runs: the same sources and lock give the same bytes.

Wheels are those of lambda_proxy/requirements.lock, by hash, for Lambda's Python 3.13 on arm64; of botocore's service
descriptions only those that the door uses go in.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "lambda_proxy"
PLATFORM: Final = "aarch64-manylinux_2_28"
PYTHON: Final = "3.13"
SERVICES: Final = frozenset({"dynamodb", "kms", "s3", "secretsmanager"})
MAX_BYTES: Final = 50 * 1024 * 1024
"""What Lambda takes in a direct upload."""

_UNNEEDED: Final = frozenset({"bin", "docs", "__pycache__", "pycparser", ".lock"})
_UNNEEDED_FILES: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class NoDoorError(RuntimeError):
    """The zip was not built; the message says why and what to do, in a line."""


def install(wheels: Path) -> None:
    """Put the locked wheels into a directory. Raises NoDoorError if one is missing or has another hash."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise NoDoorError("uv is not installed, which fetches wheels for another platform: pip install uv")
    options = ["--python-platform", PLATFORM, "--python-version", PYTHON, "--only-binary", ":all:", "--no-deps"]
    lock = ["--require-hashes", "-r", str(SOURCE / "requirements.lock")]
    command = [uv, "pip", "install", "--quiet", "--target", str(wheels), *options, *lock]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoDoorError(f"the door's wheels cannot be had: {' '.join(done.stderr.split()) or done.returncode}")


def members(wheels: Path | None) -> Iterator[tuple[str, Path]]:
    """Name in the zip and file, sorted: the door's own modules, and what of the wheels is needed."""
    files = {str(Path(SOURCE.name) / path.relative_to(SOURCE)): path for path in SOURCE.rglob("*") if path.is_file()}
    if wheels is not None:
        files |= {str(path.relative_to(wheels)): path for path in wheels.rglob("*") if path.is_file()}
    for name in sorted(files):
        if _needed(Path(name)):
            yield name, files[name]


def _needed(name: Path) -> bool:
    if name.parts[0] in _UNNEEDED or "__pycache__" in name.parts or name.name in _UNNEEDED_FILES:
        return False
    if name.parts[:2] == ("botocore", "data") and len(name.parts) > 3:
        return name.parts[2] in SERVICES
    return True


def pack(target: Path, wheels: Path | None) -> str:
    """Write the zip and return its SHA-256 in hex; dates, modes and order are fixed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in members(wheels):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return hashlib.sha256(target.read_bytes()).hexdigest()


def build(target: Path) -> str:
    """Install and pack. Returns the SHA-256 in hex. Raises NoDoorError."""
    with tempfile.TemporaryDirectory() as directory:
        install(Path(directory))
        digest = pack(target, Path(directory))
    size = target.stat().st_size
    if size > MAX_BYTES:
        raise NoDoorError(f"{target} has {size} bytes: Lambda takes at most {MAX_BYTES}: upload it to S3 instead")
    return digest
