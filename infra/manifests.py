"""Kubernetes objects as plain dicts: made by pure functions, then deployed by Pulumi or written as YAML.

No field depends on an output of another resource, so what is proved before a deployment is what gets deployed.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import yaml

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Manifest: TypeAlias = dict[str, Json]

MANAGED_BY = {"app.kubernetes.io/managed-by": "sequester"}


def manifest(
    api_version: str,
    kind: str,
    name: str,
    *,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **body: Json,
) -> Manifest:
    """One object with its metadata; `body` holds the fields beside it (`spec`, `rules`, ...)."""
    metadata: dict[str, Json] = {"name": name, "labels": {**MANAGED_BY, **(labels or {})}}
    if namespace is not None:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def identity(item: Manifest) -> tuple[str, str, str]:
    """(kind, namespace or '', name): unique in one rendering."""
    metadata = item["metadata"]
    if not isinstance(metadata, dict):
        raise TypeError(f"{item['kind']}: metadata is not an object")
    return str(item["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"])


def title(item: Manifest) -> str:
    """`networkpolicy/research-sandbox/deny-all`: how messages, file names and the Pulumi stack call an object."""
    kind, namespace, name = identity(item)
    return "/".join(part for part in (kind.lower(), namespace, name) if part)


def documents(items: Iterable[Manifest]) -> dict[str, str]:
    """File name → YAML, one object a file, numbered in the order in which they must be applied."""
    counter = itertools.count()
    return {
        f"{next(counter):03d}-{re.sub(r'[^a-z0-9.-]+', '-', title(item))}.yaml": yaml.safe_dump(
            item, sort_keys=False, width=120
        )
        for item in items
    }
