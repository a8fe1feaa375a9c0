"""Objects as YAML files for GitOps, where the provider is configured with `renderYamlToDirectory`."""

from pathlib import Path
from typing import cast

import yaml

from sequester.cloud.kubernetes_api import Json
from sequester.cloud.wire import Props


class Rendered:
    """A directory that holds one file an object, in pulumi-kubernetes' layout: definitions are applied first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, manifest: Json) -> Path:
        """`1-manifest/apps_v1-deployment-default-web.yaml`, and `0-crd/...` for a CustomResourceDefinition."""
        meta, kind = cast(Json, manifest["metadata"]), str(manifest["kind"])
        first = "0-crd" if kind == "CustomResourceDefinition" else "1-manifest"
        version = str(manifest["apiVersion"]).replace("/", "_")
        name = f"{version}-{kind.lower()}-{meta.get('namespace') or 'default'}-{meta['name']}.yaml"
        # Names of roles hold colons, which not every file system takes.
        return self.folder / first / name.replace("/", "_").replace(":", "_")

    def rehearse(self, inputs: Props, urn: str) -> Json:
        """What the object would be: as the program says."""
        return inputs

    def make(self, inputs: Props, urn: str, timeout_seconds: float) -> Json:
        """Makes or replaces the object's file."""
        path = self.path(inputs)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(inputs, sort_keys=False))
        return inputs

    def read(self, wanted: Props) -> Json | None:
        """The object as its file says."""
        path = self.path(wanted)
        return cast(Json, yaml.safe_load(path.read_text())) if path.is_file() else None

    def remove(self, target: Props, urn: str, timeout_seconds: float) -> None:
        """Removes the object's file, if it is there."""
        self.path(target).unlink(missing_ok=True)
