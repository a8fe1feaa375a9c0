"""Step: the cluster and its tenants, read back over the AWS API, and every control checked."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from infra.labels import agent_namespace, sandbox_namespace
from sequester.demo.scene import Scene
from sequester.readback.cluster import CLUSTER_CONTROLS, ClusterSeen, check_cluster
from sequester.readback.control import holding


def play(scene: Scene) -> Sequence[str]:
    """Print the node groups and the tenants; the findings of all controls."""
    seen = scene.seen.cluster
    scene.console.print(pools(seen, f"{scene.settings.name}-"))
    scene.console.print(tenants(scene, seen))
    findings = check_cluster(seen)
    scene.console.print(holding(CLUSTER_CONTROLS, findings), highlight=False)
    return [str(finding) for finding in findings]


def pools(seen: ClusterSeen, prefix: str) -> Table:
    """One row a node group; names without the prefix that all of them have."""
    cluster = seen.cluster
    where = "private" if not cluster["resourcesVpcConfig"]["endpointPublicAccess"] else "public"
    table = Table(title=f"{cluster['name']} (Kubernetes {cluster['version']}, {where})", title_justify="left")
    for column in ("node group", "subnets", "security group", "role", "taint"):
        table.add_column(column, overflow="fold")
    for name, pool in sorted(seen.pools.items()):
        found: list[Any] = pool.group.get("taints") or []
        taints = [f"{taint['key']}={taint['value']}" for taint in found]
        tiers = sorted(str(tier) for tier in pool.tiers)
        role = str(pool.group["nodeRole"]).rpartition("/")[2]
        own = [one.removeprefix(prefix) for one in (name, ", ".join(pool.groups), role)]
        table.add_row(own[0], ", ".join(tiers), *own[1:], ", ".join(taints) or "none")
    return table


def tenants(scene: Scene, seen: ClusterSeen) -> Table:
    """One row a tenant: its namespaces, its identity, and how many objects stand in each namespace."""
    manifests: list[Any] = list(scene.standing.run.kubernetes)
    objects = [str(item["metadata"].get("namespace", "")) for item in manifests]
    prefix = f"{scene.settings.name}-"
    table = Table(title="Tenants", title_justify="left")
    for column in ("tenant", "agent", "objects", "identity", "sandboxes", "objects", "identity"):
        table.add_column(column, overflow="fold")
    for name in sorted(scene.settings.tenants):
        agent, sandbox = agent_namespace(name), sandbox_namespace(name)
        roles = {i["namespace"]: str(i["roleArn"]).rpartition("/")[2].removeprefix(prefix) for i in seen.identities}
        table.add_row(
            *(name, agent, str(objects.count(agent)), roles.get(agent, "none")),
            *(sandbox, str(objects.count(sandbox)), roles.get(sandbox, "none")),
        )
    return table
