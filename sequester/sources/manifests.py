"""A model from Kubernetes manifests alone: files of YAML, as `kubectl apply` or a GitOps controller takes them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sequester.proof.facts import BadFactError
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.cluster import manifests_of
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

Objects = tuple[Mapping[str, object], ...]


def manifest_model(paths: Iterable[Path], selector: Selector | None = None) -> Model:
    """Files, or directories of .yaml, .yml and .json. What does not parse is a gap in every claim."""
    found, gaps = manifests(paths)
    return model_of((), selector, account="", region="", manifests=found, gaps=gaps)


def manifests(paths: Iterable[Path]) -> tuple[Objects, tuple[Gap, ...]]:
    """The objects, and a gap for each file that cannot be read. Raises OSError for a path that is not there."""
    found: list[Mapping[str, object]] = []
    gaps: list[Gap] = []
    for path in sorted(file for one in paths for file in _files(one)):
        try:
            found += manifests_of(path.read_bytes().decode("utf-8-sig"), path.name)
        except (BadFactError, UnicodeDecodeError) as error:
            said = str(error) if isinstance(error, BadFactError) else f"{path.name}: is no UTF-8"
            gaps.append(Gap(EVERY_CLAIM, said))
    gaps += [
        Gap(EVERY_CLAIM, f"{name} is described twice: which one counts is not in the facts") for name in _twice(found)
    ]
    if not found and not gaps:
        gaps.append(Gap(EVERY_CLAIM, "no manifest was found"))
    return tuple(found), tuple(gaps)


def _twice(found: Iterable[Mapping[str, object]]) -> Iterable[str]:
    seen: set[tuple[str, ...]] = set()
    for one in found:
        meta = one.get("metadata")
        if isinstance(meta, Mapping) and meta.get("name"):  # pyright: ignore[reportUnknownMemberType]
            key = (str(one.get("apiVersion")), str(one.get("kind")), str(meta.get("namespace")), str(meta["name"]))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            if key in seen:
                yield " ".join(part for part in key[1:] if part != "None")
            seen.add(key)


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return (file for file in path.rglob("*") if file.suffix in (".yaml", ".yml", ".json") and file.is_file())
    return (path,)
