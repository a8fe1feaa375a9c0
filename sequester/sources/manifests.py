"""A model from Kubernetes manifests alone: files of YAML, as `kubectl apply` or a GitOps controller takes them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sequester.proof.facts import BadFactError
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.cluster import manifests_of
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM


def manifest_model(paths: Iterable[Path], selector: Selector | None = None) -> Model:
    """Files, or directories of .yaml, .yml and .json. What does not parse is a gap in every claim."""
    found: list[Mapping[str, object]] = []
    gaps: list[Gap] = []
    for path in sorted(file for one in paths for file in _files(one)):
        try:
            found += manifests_of(path.read_text(), path.name)
        except (BadFactError, OSError, UnicodeDecodeError) as error:
            gaps.append(Gap(EVERY_CLAIM, f"{path.name}: {error}"))
    if not found and not gaps:
        gaps.append(Gap(EVERY_CLAIM, "no manifest was found"))
    return model_of((), selector, account="", region="", manifests=found, gaps=gaps)


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return (file for file in path.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))
    return (path,)
