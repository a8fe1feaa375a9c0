"""The deployment, put together: read it beside the picture in the README."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.agents import Identities, IdentitiesArgs, agent_role
from infra.cluster import Cluster, ClusterArgs
from infra.dns import Resolving, ResolvingArgs
from infra.door import Doors, DoorsArgs, TenantDoor, built
from infra.endpoints import Endpoints, EndpointsArgs
from infra.filters import Filters, FiltersArgs, Group, check_quota
from infra.logs import FlowLogs, FlowLogsArgs, Logs, LogsArgs
from infra.names import Names
from infra.network import Ground, SealedNetwork, SealedNetworkArgs, existing_ground
from infra.ownership import not_owned
from infra.registry import Registry, RegistryArgs
from infra.responder_config import log_groups as responder_log_groups
from infra.response import Response, ResponseArgs
from infra.sensors import trail_log_group
from infra.settings import Settings, load
from infra.settings.addresses import Tier
from infra.tripwire_patterns import Declared
from infra.tripwires import Tripwires, TripwiresArgs
from infra.viewer import Viewer, ViewerArgs
from infra.workloads import Workloads, WorkloadsArgs, site


@dataclass(frozen=True)
class Foundation:
    """What everything else stands on: a network without a way out, and logs."""

    logs: Logs
    ground: Ground
    filters: Filters
    endpoints: Endpoints


def blueprint(door_code: pulumi.Archive | None = None) -> None:
    """The whole stack, from the settings of the Pulumi stack that is running.

    door_code: what the doors run; left out, it is what `make door` built. Raises NotBuiltError before anything is made.
    """
    settings = load()
    code = None if settings.door.signing_profile_arn else door_code or built()
    # Credentials of another account must not build here what was meant for this one.
    account = aws.Provider("aws", region=settings.region, allowed_account_ids=[settings.account])
    here = pulumi.ResourceOptions(provider=account)

    base = foundation(settings, here)
    cluster = execution(settings, base, here)
    answering = doors(settings, code, base.endpoints.by_service["lambda"].id, base.logs, here)
    tripwires = watch(settings, base, here)
    respond(settings, base, cluster, [answering, tripwires], here)
    show(settings, here)

    pulumi.export("vpc", base.ground.vpc)
    pulumi.export("doors", {tenant: Names.of(settings).door(tenant) for tenant in sorted(settings.tenants)})
    pulumi.export("not_owned", [item.line for item in not_owned(settings)])


def foundation(settings: Settings, opts: pulumi.ResourceOptions, groups: Mapping[str, int] | None = None) -> Foundation:
    """The sealed network: logs first, so that no service makes a log group of its own.

    groups: which log groups, and the days that each keeps; all of the stack's if not given.
    """
    names = Names.of(settings)
    operators = settings.cluster.operator_access.cidrs
    check_quota(settings.network.plan(), settings.network.s3_ranges, operators)
    logs = Logs(names.name, LogsArgs(names, groups or log_groups(settings)), opts)
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


def doors(
    settings: Settings,
    code: pulumi.Archive | None,
    endpoint: pulumi.Input[str],
    logs: Logs,
    opts: pulumi.ResourceOptions,
) -> Doors:
    """The only way out: one function a tenant, which answers the tenant's own agent and nobody else."""
    names = Names.of(settings)
    tenants = {
        name: TenantDoor(
            tenant.allow, tenant.budget, tenant.credentials, tenant.canaries, names.role_arn(agent_role(name))
        )
        for name, tenant in settings.tenants.items()
    }
    return Doors(names.name, DoorsArgs(names, settings.door, code, tenants, endpoint, logs.groups), opts)


def watch(settings: Settings, base: Foundation, opts: pulumi.ResourceOptions) -> Tripwires:
    """What sees every attempt: filters on the logs, alarms, and whom they tell."""
    names = Names.of(settings)
    logs = pulumi.ResourceOptions(depends_on=list(base.logs.groups.values()))
    return Tripwires(
        names.name,
        TripwiresArgs(names, settings.tripwires, sorted(settings.tenants), Declared.of(settings)),
        pulumi.ResourceOptions.merge(opts, logs),
    )


def respond(
    settings: Settings,
    base: Foundation,
    cluster: Cluster,
    needs: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> Response:
    """What answers an alarm. needs: the doors, whose store it shares, and the topic that tells it."""
    names, groups = Names.of(settings), base.filters.groups
    return Response(
        names.name,
        ResponseArgs(
            names,
            settings.tripwires,
            {tenant: names.role(agent_role(tenant)) for tenant in settings.tenants},
            Declared.of(settings),
            [subnet.id for subnet in base.ground.tier(Tier.SYSTEM)],
            groups[Group.QUARANTINE].id,
            groups[Group.RESPONDER].id,
            cluster.eks.endpoint,
            cluster.eks.certificate_authority.data,
            base.logs.groups,
        ),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(needs))),
    )


def show(settings: Settings, opts: pulumi.ResourceOptions) -> None:
    """Where people look at what agents made; only for who has named a key that signs its URLs, and who stores."""
    if settings.viewer:
        names = Names.of(settings)
        viewer = Viewer(names.name, ViewerArgs(names, settings.viewer.public_key, settings.viewer.writers), opts)
        pulumi.export("viewer", viewer.distribution.domain_name)


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
    own = (*seen, names.cluster_log_group, names.container_log_group, *responder_log_groups(names))
    doors = {names.door_log_group(tenant): settings.door.log_retention_days for tenant in sorted(settings.tenants)}
    return dict.fromkeys(own, days) | doors
