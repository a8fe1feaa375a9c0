"""Edits on a recorded deployment: add, change or remove resources and manifests, then build the model anew."""

import base64
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.sources.program import resources_of
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of

ACCOUNT, REGION = "123456789012", "us-east-1"
SETTINGS = {
    "sequester:account": ACCOUNT,
    "aws:region": REGION,
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:cluster": {
        "log_shipper": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sequester/log-shipper@sha256:{'0' * 64}"
    },
    "sequester:tenants": {
        name: {
            "allow": [{"host": "api.github.com", "methods": ["GET"], "paths": ["/repos/*"]}],
        }
        for name in ("research", "billing", "audit")
    },
}


def _is(resource: Resource, kind: str) -> bool:
    return resource.type.startswith("aws:") and resource.type.endswith(f":{kind}")


@dataclass(frozen=True)
class World:
    """A deployment as plain resources and manifests. Every edit returns a new one."""

    resources: tuple[Resource, ...]
    manifests: tuple[Mapping[str, Any], ...]

    def model(self, selector: Selector | None = None) -> Model:
        return model_of(self.resources, selector, account=ACCOUNT, region=REGION, manifests=self.manifests)

    def id(self, kind: str, name: str) -> str:
        return self.one(kind, name).id

    def one(self, kind: str, name: str) -> Resource:
        found = [r for r in self.resources if _is(r, kind) and r.name == name]
        assert len(found) == 1, f"{kind} {name}: {[r.name for r in self.resources if r.type.endswith(f':{kind}')]}"
        return found[0]

    def some(self, kind: str, where: Callable[[Resource], bool] = lambda _: True) -> list[Resource]:
        return [r for r in self.resources if _is(r, kind) and where(r)]

    def with_(self, kind: str, name: str, key: str | None = None, /, **properties: object) -> "World":
        """One more resource. `kind` is `module/type:Type`; its id is `name` unless `key` is given."""
        return replace(self, resources=(*self.resources, Resource(f"aws:{kind}", name, key or name, properties)))

    def set(self, kind: str, name: str, /, **properties: object) -> "World":
        target = self.one(kind, name)
        changed = replace(target, properties={**target.properties, **properties})
        return replace(self, resources=tuple(changed if r is target else r for r in self.resources))

    def set_all(self, kind: str, /, **properties: object) -> "World":
        return replace(
            self,
            resources=tuple(
                replace(r, properties={**r.properties, **properties}) if _is(r, kind) else r for r in self.resources
            ),
        )

    def without(self, kind: str, where: Callable[[Resource], bool] | str) -> "World":
        test = where if callable(where) else lambda r: r.name == where
        kept = tuple(r for r in self.resources if not (_is(r, kind) and test(r)))
        assert len(kept) < len(self.resources), f"nothing to remove: {kind} {where}"
        return replace(self, resources=kept)

    def manifest(self, kind: str, name: str, namespace: str = "") -> Mapping[str, Any]:
        found = [
            m
            for m in self.manifests
            if m["kind"] == kind and m["metadata"]["name"] == name and m["metadata"].get("namespace", "") == namespace
        ]
        assert len(found) == 1, (kind, name, namespace)
        return found[0]

    def apply(self, *manifests: Mapping[str, Any]) -> "World":
        return replace(self, manifests=(*self.manifests, *manifests))

    def unapply(self, kind: str, name: str, namespace: str = "") -> "World":
        target = self.manifest(kind, name, namespace)
        return replace(self, manifests=tuple(m for m in self.manifests if m is not target))

    def edit(self, kind: str, name: str, namespace: str, change: Callable[[dict[str, Any]], object]) -> "World":
        target = self.manifest(kind, name, namespace)
        edited = copy.deepcopy(dict(target))
        change(edited)
        return replace(self, manifests=tuple(edited if m is target else m for m in self.manifests))

    def subnet(self, tier: str, zone: str = "us-east-1a") -> Resource:
        return self.one("Subnet", f"sequester-{tier}-{zone}")

    def table(self, tier: str, zone: str = "us-east-1a") -> Resource:
        return self.one("RouteTable", f"sequester-{tier}-{zone}")

    def group(self, name: str) -> str:
        return self.id("SecurityGroup", f"sequester-{name}")

    @property
    def vpc(self) -> Resource:
        return self.one("Vpc", "sequester")


def blueprint_world() -> World:
    """The blueprint's resources as the embedded cloud recorded them, and its Kubernetes objects."""
    from sequester.cloud import EmbeddedCloud
    from sequester.standing import blueprint

    with EmbeddedCloud(region=REGION) as cloud:
        run = cloud.up(blueprint, config=SETTINGS)
    # Kubernetes objects are judged as manifests: the same dicts that `kubectl` would apply.
    resources = tuple(r for r in resources_of(run.resources) if not r.type.startswith("kubernetes:"))
    return World(resources, tuple(run.kubernetes))


def decoded(user_data: str) -> str:
    return base64.b64decode(user_data).decode()


def names(those: Iterable[Resource]) -> list[str]:
    return sorted(r.name for r in those)
