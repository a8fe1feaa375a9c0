"""A model from Kubernetes manifests alone: files of YAML, as `kubectl apply` or a GitOps controller takes them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sequester.proof.facts import BadFactError, mapping
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.cluster import manifests_of
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

Objects = tuple[Mapping[str, object], ...]


def manifest_model(paths: Iterable[Path], selector: Selector | None = None) -> Model:
    """Files, or directories of .yaml, .yml and .json. What does not parse, or may not be applied, opens every claim."""
    found, gaps = manifests(paths)
    return model_of((), selector, account="", region="", manifests=found, gaps=gaps)


def manifests(paths: Iterable[Path]) -> tuple[Objects, tuple[Gap, ...]]:
    """The objects, and a gap for each file that cannot be read. Raises OSError for a path that is not there."""
    found: list[Mapping[str, object]] = []
    gaps: list[Gap] = []
    for path in sorted(file for one in paths for file in _files(one)):
        if path.suffix.lower() in _TEMPLATES:
            gaps.append(Gap(EVERY_CLAIM, f"{path.name}: is a template: render it first, and name what comes out"))
            continue
        try:
            found += manifests_of(path.read_bytes().decode("utf-8-sig"), path.name)
        except (BadFactError, UnicodeDecodeError) as error:
            said = str(error) if isinstance(error, BadFactError) else f"{path.name}: is no UTF-8"
            gaps.append(Gap(EVERY_CLAIM, said))
    gaps += [
        Gap(EVERY_CLAIM, f"{name} is described twice: which one counts is not in the facts") for name in _twice(found)
    ]
    gaps += [Gap(EVERY_CLAIM, why) for one in found for why in _not_applied(one)]
    if not found and not gaps:
        gaps.append(Gap(EVERY_CLAIM, "no manifest was found"))
    return tuple(found), tuple(gaps)


_READ = (".yaml", ".yml", ".json")
_TEMPLATES = (".cue", ".gotmpl", ".j2", ".jinja2", ".jsonnet", ".tpl")
# Annotations with which a file's object is not in the cluster, or not always.
# https://helm.sh/docs/topics/charts_hooks/ https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
# https://kubectl.docs.kubernetes.io/references/kustomize/glossary/ https://fluxcd.io/flux/components/kustomize/
_ABSENT: Mapping[str, tuple[str, ...]] = {
    "argocd.argoproj.io/hook": (),
    "config.kubernetes.io/local-config": ("true",),
    "helm.sh/hook": (),
    "kustomize.toolkit.fluxcd.io/reconcile": ("disabled",),
}


def _not_applied(one: Mapping[str, object]) -> Iterator[str]:
    meta = mapping(one.get("metadata"), "metadata")
    for key, value in mapping(meta.get("annotations"), "annotations").items():
        if key in _ABSENT and (not _ABSENT[key] or value in _ABSENT[key]):
            yield f"{one.get('kind')} {meta.get('name')} has {key}: {value}: whether it is applied is not in the facts"


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
        return (file for file in path.rglob("*") if file.suffix.lower() in (*_READ, *_TEMPLATES) and file.is_file())
    return (path,)
