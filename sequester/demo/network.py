"""Step: the network read back over the AWS API, as tables, and every control checked."""

from collections.abc import Sequence

from rich.table import Table

from infra.ownership import not_owned
from sequester.demo.scene import Scene
from sequester.readback import CONTROLS, Observed, check
from sequester.readback.control import holding


def play(scene: Scene) -> Sequence[str]:
    """Print the network; the findings of all controls."""
    observed, console = scene.seen.network, scene.console
    console.print(subnets(observed))
    console.print(endpoints(observed))
    for item in not_owned(scene.settings):
        console.print(f"not ours: {item.line}", style="yellow", markup=False)
    declared = scene.standing.run.declared_only
    if declared:
        console.print(
            f"declared only (moto lacks them: validated and stored, not acted on): {', '.join(map(_short, declared))}",
            style="dim",
            markup=False,
        )
    findings = check(observed)
    console.print(holding(CONTROLS, findings), highlight=False)
    return [str(finding) for finding in findings]


def subnets(observed: Observed) -> Table:
    """One row a subnet, with all its routes."""
    table = Table(title=f"{observed.vpc} {', '.join(observed.cidrs)}", title_justify="left")
    for column in ("tier", "zone", "range", "routes", "public"):
        table.add_column(column, overflow="fold")
    services = {endpoint.id: f"{endpoint.service} endpoint" for endpoint in observed.endpoints}
    prefixes = {one: f"{name.rpartition('.')[2]} prefixes" for one, name in observed.prefix_lists.items()}
    for subnet in sorted(observed.subnets, key=lambda s: (s.zone, int(s.cidr.split(".")[2]))):
        routes = [
            f"{prefixes.get(route.destination, route.destination)} → {services.get(route.target, route.target)}"
            for one in observed.tables
            if subnet.id in one.subnets
            for route in one.routes
        ]
        public = "yes" if subnet.public_ipv4_on_launch or subnet.ipv6_on_launch else "no"
        table.add_row(subnet.tier or "?", subnet.zone, subnet.cidr, "\n".join(routes), public)
    return table


def endpoints(observed: Observed) -> Table:
    """One row an endpoint: where it is, and what its policy lets through."""
    table = Table(title="Endpoints", title_justify="left")
    for column in ("service", "kind", "addresses", "actions that its policy allows"):
        table.add_column(column)
    for endpoint in sorted(observed.endpoints, key=lambda e: e.service):
        table.add_row(
            endpoint.service,
            endpoint.kind,
            "\n".join(map(str, endpoint.addresses)),
            ", ".join(sorted(_allowed(endpoint.policy.get("Statement", [])))) or "none",
        )
    return table


def _allowed(statements: Sequence[dict[str, str | list[str]]]) -> set[str]:
    allowed: set[str] = set()
    for statement in statements:
        action = statement.get("Action", [])
        if statement.get("Effect") == "Allow":
            allowed |= {action} if isinstance(action, str) else set(action)
    return allowed


def _short(type_: str) -> str:
    return type_.rpartition(":")[2]
