"""Kubernetes objects in the embedded cloud: validated strictly against the API's published schemas, and recorded."""

from functools import cache
from typing import cast

import kubernetes_validate
from kubernetes_validate import utils

from sequester.cloud.api import RefusedError
from sequester.cloud.wire import Props

# It would read all definitions, megabytes, for each object.
utils.schema_contents = cache(utils.schema_contents)
utils.all_versions = cache(utils.all_versions)

VERSION = "1.34"
"""The Kubernetes release whose schemas hold; a field that it does not have is refused."""

CUSTOM: dict[tuple[str, str], tuple[str, ...]] = {
    ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy"): ("priority", "subject", "tier"),
    ("crd.k8s.amazonaws.com/v1alpha1", "ENIConfig"): ("subnet",),
    ("vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy"): ("securityGroups",),
}
"""Custom resources that the program may use, with what their spec must have."""


def make(manifest: Props) -> tuple[str, Props]:
    """Check a manifest; returns its id (`namespace/name`) and its outputs, which are the manifest.

    Raises `RefusedError` naming the path of what is wrong.
    """
    metadata = cast(Props, manifest.get("metadata") or {})
    name = metadata.get("name")
    if not name:
        raise RefusedError("Invalid", "metadata.name: give one; names are chosen here, never made up")
    kind = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    try:
        kubernetes_validate.validate(manifest, VERSION, strict=True)  # pyright: ignore[reportUnknownMemberType]
    except kubernetes_validate.ValidationError as error:
        where = ".".join(map(str, error.absolute_path)) or kind[1]
        raise RefusedError("Invalid", f"{where}: {error.message[:300]}") from error
    except kubernetes_validate.SchemaNotFoundError as error:
        if kind not in CUSTOM:
            raise RefusedError(
                "Invalid", f"{kind[1]} of {kind[0]} is no kind of Kubernetes {VERSION}, nor in CUSTOM of {__name__}"
            ) from error
        missing = [field for field in CUSTOM[kind] if field not in cast(Props, manifest.get("spec") or {})]
        if missing:
            raise RefusedError("Invalid", f"spec: {kind[1]} needs {', '.join(missing)}") from error
    namespace = metadata.get("namespace")
    return f"{namespace}/{name}" if namespace else str(name), manifest
