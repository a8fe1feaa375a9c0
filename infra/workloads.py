"""All that Kubernetes holds, in the order in which it is applied: by Pulumi to the cluster, or as YAML for GitOps.

The objects are made from settings alone; this file puts them together and hands them over (claims E4, E5).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_kubernetes as kubernetes

from infra.admission import admission, runtime_class
from infra.autoscaler import autoscaler
from infra.endpoints import agent_addresses
from infra.logshipper import NAMESPACE as LOG_NAMESPACE
from infra.logshipper import log_shipper
from infra.manifests import Manifest, identity, title
from infra.names import Names
from infra.netpol import Reach, admin_policy, deny_all, system_policies, tenant_policies
from infra.rbac import cluster_roles, tenant_roles
from infra.settings import Settings
from infra.settings.addresses import Tier
from infra.settings.cluster import ClusterSettings
from infra.settings.tenants import TenantSettings
from infra.tenancy import accounts, namespaces, quotas
from infra.warm_pool import warm_pool

RENDER_DIRECTORY = "rendered"


@dataclass(frozen=True)
class Site:
    """What the objects must know of the AWS side: names and addresses, all chosen, none an output."""

    region: str
    cluster: str
    repositories: str  # `<registry>/<name>`: the images of agents and sandboxes lie below it
    container_log_group: str
    reach: Reach


def site(settings: Settings) -> Site:
    """The site of a stack with these settings."""
    names, plan = Names.of(settings), settings.network.plan()
    return Site(
        region=names.region,
        cluster=names.cluster,
        repositories=f"{names.registry}/{names.repositories}",
        container_log_group=names.container_log_group,
        reach=Reach(
            api_service=settings.cluster.service_cidr[1],
            control_plane=plan.cidrs(Tier.CONTROL),
            resolver=plan.resolver,
            agent_endpoints=agent_addresses(settings),
            endpoint_subnets=plan.cidrs(Tier.ENDPOINT),
        ),
    )


def cluster_objects(site: Site, settings: ClusterSettings) -> list[Manifest]:
    """What exists once. Admission and policies come first: nothing of a tenant may exist before they hold."""
    autoscaling = settings.autoscaling
    return [
        *admission(site.repositories, gvisor=settings.gvisor),
        *([runtime_class()] if settings.gvisor else []),
        *system_policies(site.reach, autoscaling=autoscaling is not None),
        *([admin_policy()] if settings.admin_network_policy else []),
        *cluster_roles(),
        *(
            [*log_shipper(settings.log_shipper, site.container_log_group, site.region), deny_all(LOG_NAMESPACE)]
            if settings.log_shipper
            else []
        ),
        *(autoscaler(autoscaling, site.cluster, site.region) if autoscaling else []),
    ]


def tenant_objects(name: str, settings: TenantSettings, site: Site, cluster: ClusterSettings) -> list[Manifest]:
    """One tenant's. No object of another tenant, and none of the cluster's, depends on it."""
    return [
        *namespaces(name, cluster.version),
        *tenant_policies(name, site.reach),
        *quotas(name, settings),
        *accounts(name),
        *tenant_roles(name),
        *warm_pool(name, settings, cluster),
    ]


def objects(site: Site, cluster: ClusterSettings, tenants: Mapping[str, TenantSettings]) -> list[Manifest]:
    """All of them, in order."""
    return [
        *cluster_objects(site, cluster),
        *(item for name, settings in sorted(tenants.items()) for item in tenant_objects(name, settings, site, cluster)),
    ]


@dataclass(frozen=True)
class WorkloadsArgs:
    """How `Workloads` is made."""

    site: Site
    cluster: ClusterSettings
    tenants: Mapping[str, TenantSettings]
    kubernetes: Literal["apply", "render"]
    kubeconfig: pulumi.Input[str]
    lives_in: pulumi.Resource | None  # the EKS cluster, if it is ours: with it, the objects go


class Workloads(pulumi.ComponentResource):
    """Policies, tenants and their rights, on the cluster or in `rendered/`."""

    def __init__(self, name: str, args: WorkloadsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Workloads", name, None, opts)
        own = pulumi.ResourceOptions(
            parent=self,
            provider=_provider(name, args, pulumi.ResourceOptions(parent=self)),
            # A destroyed cluster takes its objects along: `destroy` need not reach its private API.
            deleted_with=args.lives_in,
        )
        shared = _deploy(cluster_objects(args.site, args.cluster), [], own)
        for tenant, settings in sorted(args.tenants.items()):
            _deploy(tenant_objects(tenant, settings, args.site, args.cluster), shared, own)
        self.register_outputs({"tenants": sorted(args.tenants)})


def _provider(name: str, args: WorkloadsArgs, opts: pulumi.ResourceOptions) -> kubernetes.Provider:
    if args.kubernetes == "render":
        return kubernetes.Provider(name, render_yaml_to_directory=RENDER_DIRECTORY, opts=opts)
    return kubernetes.Provider(name, kubeconfig=args.kubeconfig, enable_server_side_apply=True, opts=opts)


def _deploy(
    items: Iterable[Manifest], after: list[pulumi.Resource], own: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Each object after `after` and its namespace; rights, and what runs, after all before them."""
    made: list[pulumi.Resource] = []
    spaces: dict[str, pulumi.Resource] = {}
    for item in items:
        kind, namespace, name = identity(item)
        order = [*after, *([spaces[namespace]] if namespace in spaces else [])]
        if kind.endswith("RoleBinding") or kind == "Deployment":
            order = [*after, *made]
        resource = pulumi.CustomResource(
            _token(item),
            title(item),
            dict(item),
            pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=order)),
        )
        made.append(resource)
        if kind == "Namespace":
            spaces[name] = resource
    return made


def _token(item: Manifest) -> str:
    """`kubernetes:core/v1:Namespace`: how pulumi-kubernetes calls the kind."""
    version = str(item["apiVersion"])
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{item['kind']}"
