"""Steps: the claims proved on what was just stood up; then layer after layer opened, until a way out is to be drawn."""

from collections.abc import Callable, Iterable, Sequence

import pulumi
import pulumi_aws as aws
from rich.table import Table

from infra.names import Names
from sequester.cloud import Recorded
from sequester.demo.scene import NotShownError, Scene
from sequester.proof.check import check
from sequester.proof.model import Model
from sequester.proof.prove import facts_for, prove
from sequester.proof.render import state
from sequester.proof.render_table import as_table, way_out
from sequester.proof.simulate import simulate
from sequester.proof.verdict import Escapes, Proved
from sequester.sources.program import program_model

EVERYWHERE = "0.0.0.0/0"
"""The addresses that the demo's careless change opens."""


def proved(scene: Scene) -> Sequence[str]:
    """Decide every claim; a failure for each that is not proved. A certificate that is refused raises."""
    model = model_of(scene, scene.standing.run.resources)
    verdicts = prove(model)
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Proved):
            check(facts_for(model, claim), verdict.certificate)
    scene.console.print(as_table(verdicts))
    checked = sum(isinstance(verdict, Proved) for verdict in verdicts.values())
    scene.console.print(f"{checked} certificates, each accepted by the independent checker", highlight=False)
    return [f"{claim} is {state(one)}" for claim, one in verdicts.items() if not isinstance(one, Proved)]


def broken(scene: Scene) -> Sequence[str]:
    """Open one layer after the other; a failure if a single one opens the network, or all together do not."""
    if scene.settings.network.existing:
        raise NotShownError("the VPC is one that existed before: its route tables are not this program's to change")
    made = list(scene.standing.run.resources)
    table = Table("what somebody adds", "packets (E1)", title="One layer after the other", title_justify="left")
    said: list[str] = []
    for number, (what, layer) in enumerate(LAYERS, start=1):
        made += scene.standing.cloud.up(lambda layer=layer: layer(scene)).resources
        model = model_of(scene, made)
        verdict = prove(model, ["E1"])["E1"]
        table.add_row(f"{'and ' if number > 1 else ''}{what}", state(verdict))
        if isinstance(verdict, Escapes) != (number == len(LAYERS)):
            said.append(f"after {what!r}, E1 is {state(verdict)}")
        if isinstance(verdict, Escapes):
            packet = verdict.witness.packet
            scene.console.print(table)
            scene.console.print(way_out("E1", verdict.witness))
            if packet is None or not simulate(model, packet).arrived:
                said.append("the witness's packet does not arrive")
    return said


def model_of(scene: Scene, resources: Iterable[Recorded]) -> Model:
    """The facts that are proved."""
    return program_model(resources, account=scene.settings.account, region=scene.settings.region)


def _route(scene: Scene) -> None:
    """A NAT gateway where endpoints are, and sandbox subnets routed to it."""
    names, vpc = Names.of(scene.settings), scene.seen.network.vpc
    home = _subnets(scene, "endpoint")[0]
    gateway = aws.ec2.InternetGateway("demo", vpc_id=vpc)
    address = aws.ec2.Eip("demo", domain="vpc")
    nat = aws.ec2.NatGateway(f"{names.name}-nat", subnet_id=home, allocation_id=address.id)
    aws.ec2.Route(
        "demo-internet",
        route_table_id=_table(scene, home),
        destination_cidr_block=EVERYWHERE,
        gateway_id=gateway.id,
    )
    for number, subnet in enumerate(_subnets(scene, "sandbox")):
        aws.ec2.Route(
            f"{names.name}-sandbox-nat-{number}",
            route_table_id=_table(scene, subnet),
            destination_cidr_block=EVERYWHERE,
            nat_gateway_id=nat.id,
            opts=pulumi.ResourceOptions(depends_on=[nat]),
        )


def _group(scene: Scene) -> None:
    """The sandbox nodes' security group lets HTTPS out."""
    group = next(g for g in scene.seen.network.groups if g.name == f"{scene.settings.name}-sandbox-node")
    aws.vpc.SecurityGroupEgressRule(
        f"{scene.settings.name}-sandbox-https",
        security_group_id=group.id,
        cidr_ipv4=EVERYWHERE,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
    )


def _acls(scene: Scene) -> None:
    """The network ACLs on the way let everything through, both ways."""
    on_the_way = {*_subnets(scene, "endpoint"), *_subnets(scene, "sandbox")}
    for acl in scene.seen.network.acls:
        if not on_the_way.intersection(acl.subnets):
            continue
        for egress in (True, False):
            aws.ec2.NetworkAclRule(
                f"demo-{acl.id}-{'out' if egress else 'in'}",
                network_acl_id=acl.id,
                egress=egress,
                rule_number=1,
                rule_action="allow",
                protocol="-1",
                cidr_block=EVERYWHERE,
                from_port=0,
                to_port=0,
            )


LAYERS: Sequence[tuple[str, Callable[[Scene], None]]] = (
    ("a NAT gateway, and a route to it", _route),
    ("HTTPS in the security group", _group),
    ("a rule in the network ACLs", _acls),
)
"""Each by itself is a mistake that reviewers have let pass; the blueprint survives two of them."""


def _subnets(scene: Scene, tier: str) -> list[str]:
    return [subnet.id for subnet in scene.seen.network.subnets if subnet.tier == tier]


def _table(scene: Scene, subnet: str) -> str:
    return next(table.id for table in scene.seen.network.tables if subnet in table.subnets)
