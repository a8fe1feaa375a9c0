"""Edits on a recorded deployment: add, change or remove resources and manifests, then build the model anew."""

import base64
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
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
    "sequester:tenants": {
        name: {
            "allow": [{"host": "api.github.com", "methods": ["GET"], "paths": ["/repos/*"]}],
        }
        for name in ("research", "billing", "audit")
    },
}


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
        found = [r for r in self.resources if r.type.endswith(f":{kind}") and r.name == name]
        assert len(found) == 1, f"{kind} {name}: {[r.name for r in self.resources if r.type.endswith(f':{kind}')]}"
        return found[0]

    def some(self, kind: str, where: Callable[[Resource], bool] = lambda _: True) -> list[Resource]:
        return [r for r in self.resources if r.type.endswith(f":{kind}") and where(r)]

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
                replace(r, properties={**r.properties, **properties}) if r.type.endswith(f":{kind}") else r
                for r in self.resources
            ),
        )

    def without(self, kind: str, where: Callable[[Resource], bool] | str) -> "World":
        test = where if callable(where) else lambda r: r.name == where
        kept = tuple(r for r in self.resources if not (r.type.endswith(f":{kind}") and test(r)))
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
    from infra.stack import blueprint
    from sequester.cloud import EmbeddedCloud

    with EmbeddedCloud(region=REGION) as cloud:
        run = cloud.up(blueprint, config=SETTINGS)
    # Kubernetes objects are judged as manifests: the same dicts that `kubectl` would apply.
    resources = tuple(r for r in resources_of(run.resources) if not r.type.startswith("kubernetes:"))
    world = World(resources, tuple(run.kubernetes))
    if not world.some("Cluster"):
        world = _with_cluster(world)
    return world


def _with_cluster(world: World) -> World:
    """What the blueprint's cluster looks like to the network, for as long as it is composed without one."""
    from infra.netpol import Reach
    from infra.settings.cluster import ClusterSettings
    from infra.settings.tenants import TenantSettings
    from infra.userdata import POD_RULES, encode
    from infra.workloads import Site, objects

    subnets = {
        tier: [s.id for s in world.some("Subnet", lambda r, t=tier: f"-{t}-" in r.name)]
        for tier in ("sandbox", "system", "control")
    }
    script = f"#!/bin/sh\ncat >/etc/sequester/pods.nft <<'X'\n{POD_RULES}X\nnft -f /etc/sequester/pods.nft\n"
    world = world.with_(
        "eks/cluster:Cluster",
        "sequester",
        name="sequester",
        vpcConfig={
            "subnetIds": subnets["control"],
            "securityGroupIds": [world.group("control")],
            "endpointPrivateAccess": True,
            "endpointPublicAccess": False,
        },
        kubernetesNetworkConfig={"serviceIpv4Cidr": "172.20.0.0/16"},
    ).with_(
        "eks/addon:Addon",
        "vpc-cni",
        addonName="vpc-cni",
        clusterName="sequester",
        configurationValues='{"enableNetworkPolicy": "true", "env": {"DISABLE_POD_V6": "true", '
        '"NETWORK_POLICY_ENFORCING_MODE": "strict"}}',
    )
    for pool in ("sandbox", "system"):
        world = world.with_(
            "ec2/launchTemplate:LaunchTemplate",
            f"sequester-{pool}",
            name=f"sequester-{pool}",
            vpcSecurityGroupIds=[world.group(f"{pool}-node")],
            metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 1, "httpEndpoint": "enabled"},
            userData=encode(script) if pool == "sandbox" else "",
        ).with_(
            "eks/nodeGroup:NodeGroup",
            f"sequester-{pool}",
            clusterName="sequester",
            subnetIds=subnets[pool],
            launchTemplate={"id": f"sequester-{pool}", "version": "1"},
            nodeRoleArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-{pool}-node",
        )
    site = Site(
        region=REGION,
        cluster="sequester",
        repositories=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sequester",
        container_log_group="/sequester/sequester/containers",
        reach=Reach(
            api_service=IPv4Address("172.20.0.1"),
            control_plane=tuple(
                IPv4Network(str(s.properties["cidrBlock"]))
                for s in world.some("Subnet", lambda r: "-control-" in r.name)
            ),
            resolver=IPv4Address("10.42.0.2"),
            agent_endpoints=(IPv4Address("10.42.192.24"), IPv4Address("10.42.196.24")),
            endpoint_subnets=(IPv4Network("10.42.192.0/24"),),
        ),
    )
    tenants = {name: TenantSettings.model_validate(raw) for name, raw in SETTINGS["sequester:tenants"].items()}  # type: ignore[attr-defined]
    return replace(world, manifests=(*world.manifests, *objects(site, ClusterSettings(), tenants)))


def decoded(user_data: str) -> str:
    return base64.b64decode(user_data).decode()


def names(those: Iterable[Resource]) -> list[str]:
    return sorted(r.name for r in those)
