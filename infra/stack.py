"""The deployment, put together: read it beside the picture in the README."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.agents import Identities, IdentitiesArgs
from infra.cluster import Cluster, ClusterArgs
from infra.dns import Resolving, ResolvingArgs, resolvable
from infra.endpoints import Endpoints, EndpointsArgs
from infra.filters import Filters, FiltersArgs, check_quota
from infra.logs import FlowLogs, FlowLogsArgs, Logs, LogsArgs
from infra.names import Names
from infra.network import Ground, SealedNetwork, SealedNetworkArgs, existing_ground
from infra.ownership import not_owned
from infra.registry import Registry, RegistryArgs
from infra.settings import Settings, load
from infra.tripwire_table import trail_log_group
from infra.tripwires import Tripwires, TripwiresArgs
from infra.workloads import Workloads, WorkloadsArgs, site


@dataclass(frozen=True)
class Foundation:
    """What everything else stands on: a network without a way out, and logs."""

    logs: Logs
    ground: Ground
    filters: Filters
    endpoints: Endpoints


def blueprint() -> None:
    """The whole stack, from the settings of the Pulumi stack that is running."""
    settings = load()
    # Credentials of another account must not build here what was meant for this one.
    account = aws.Provider("aws", region=settings.region, allowed_account_ids=[settings.account])
    here = pulumi.ResourceOptions(provider=account)

    base = foundation(settings, here)
    execution(settings, base, here)
    watch(settings, base, here)

    pulumi.export("vpc", base.ground.vpc)
    pulumi.export("not_owned", [item.line for item in not_owned(settings)])


def foundation(settings: Settings, opts: pulumi.ResourceOptions) -> Foundation:
    """The sealed network: logs first, so that no service makes a log group of its own."""
    names = Names.of(settings)
    operators = settings.cluster.operator_access.cidrs
    check_quota(settings.network.plan(), settings.network.s3_ranges, operators)
    logs = Logs(names.name, LogsArgs(names, log_groups(settings)), opts)
    ground = _ground(settings, opts)
    filters = Filters(names.name, FiltersArgs(names, ground, settings.network.s3_ranges, operators), opts)
    endpoints = Endpoints(names.name, EndpointsArgs(settings, ground, filters), opts)
    Resolving(names.name, ResolvingArgs(settings, ground.vpc, logs.groups[names.resolver_log_group]), opts)
    FlowLogs(names.name, FlowLogsArgs(names, ground.vpc, logs.groups[names.flow_log_group]), opts)
    return Foundation(logs, ground, filters, endpoints)


def execution(settings: Settings, base: Foundation, opts: pulumi.ResourceOptions) -> Cluster:
    """Where code runs: registry, cluster and identities on AWS; then, on the cluster, policies and tenants."""
    names = Names.of(settings)
    Registry(names.name, RegistryArgs(names, settings.cluster), opts)
    log_group = base.logs.groups[names.cluster_log_group]
    cluster = Cluster(names.name, ClusterArgs(settings, base.ground, base.filters.groups, log_group), opts)
    Identities(names.name, IdentitiesArgs(settings, cluster.eks), opts)
    Workloads(
        names.name,
        WorkloadsArgs(
            site(settings), settings.cluster, settings.tenants, settings.kubernetes, cluster.kubeconfig, cluster.eks
        ),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=cluster.reachable)),
    )
    return cluster


def watch(settings: Settings, base: Foundation, opts: pulumi.ResourceOptions) -> Tripwires:
    """What sees every attempt: filters on the logs, alarms, and whom they tell."""
    names = Names.of(settings)
    logs = pulumi.ResourceOptions(depends_on=list(base.logs.groups.values()))
    return Tripwires(
        names.name,
        TripwiresArgs(names, settings.tripwires, sorted(settings.tenants), resolvable(settings)),
        pulumi.ResourceOptions.merge(opts, logs),
    )


def _ground(settings: Settings, opts: pulumi.ResourceOptions) -> Ground:
    network, plan = settings.network, settings.network.plan()
    if network.existing:
        return existing_ground(network.existing, plan)
    args = SealedNetworkArgs(Names.of(settings), plan, network.ipv6, network.block_public_access)
    return SealedNetwork(settings.name, args, opts).ground


def log_groups(settings: Settings) -> Mapping[str, int]:
    """Every log group of the stack, and how many days it keeps what it has."""
    names = Names.of(settings)
    days = settings.network.log_retention_days
    seen = (names.flow_log_group, names.resolver_log_group, trail_log_group(names))
    own = (*seen, names.cluster_log_group, names.container_log_group)
    doors = {names.door_log_group(tenant): settings.door.log_retention_days for tenant in sorted(settings.tenants)}
    return dict.fromkeys(own, days) | doors
