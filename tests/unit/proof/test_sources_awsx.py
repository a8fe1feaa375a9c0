"""A state as awsx and eks components of a TypeScript program leave it: other names, other parents, a NAT gateway.

The shape is that of `pulumi stack export` after `new awsx.ec2.Vpc("net", {natGateways: {strategy: "Single"}})` and
`new eks.Cluster("apps", ...)`: components without ids, children under them, routes and rules as resources and inline.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from proof_world import ACCOUNT, REGION
from typer.testing import CliRunner, Result

from sequester.cli import app
from sequester.proof.model import CLAIMS
from sequester.proof.prove import prove
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict
from sequester.sources.selection import selector_of
from sequester.sources.state import state_model

STACK = "urn:pulumi:prod::jobs"
VPC, IGW, NAT, EIP = "vpc-0a1", "igw-0b2", "nat-0c3", "eipalloc-0d4"
PROVIDER = f"{STACK}::pulumi:providers:aws::default_6_83_0"
SELECTOR: dict[str, Any] = {"sandbox_subnets": ["net-private-*"], "sandbox_namespaces": ["jobs"]}
Resource = dict[str, Any]


def component(kind: str, name: str) -> Resource:
    return {
        "urn": f"{STACK}::{kind}::{name}",
        "custom": False,
        "type": kind,
        "parent": f"{STACK}::pulumi:pulumi:Stack::jobs-prod",
    }


def made(kind: str, name: str, key: str, arn: str = "", /, under: str = "awsx:ec2:Vpc", **outputs: Any) -> Resource:
    told = outputs | {"id": key} | ({"arn": f"arn:aws:{arn.format(r=REGION, a=ACCOUNT)}"} if arn else {})
    return {
        "urn": f"{STACK}::{under}$aws:{kind}::{name}", "custom": True, "id": key, "type": f"aws:{kind}",
        "inputs": {"__defaults": []}, "outputs": told, "parent": f"{STACK}::{under}::net",
        "provider": f"{PROVIDER}::2f1c", "propertyDependencies": {}, "created": "2026-05-04T10:00:00Z",
    }  # fmt: skip


def zone(n: int) -> list[Resource]:
    """One zone of the VPC: a public subnet and a private one, each with a table of its own."""
    found: list[Resource] = []
    for kind, where in (("public", n), ("private", 10 + n)):
        subnet, table = f"subnet-{kind}{n}", f"rtb-{kind}{n}"
        to = {"gatewayId": IGW, "natGatewayId": ""} if kind == "public" else {"gatewayId": "", "natGatewayId": NAT}
        found += [
            made("ec2/subnet:Subnet", f"net-{kind}-{n}", subnet, "ec2:{r}:{a}:subnet/" + subnet, vpcId=VPC,
                 cidrBlock=f"10.0.{where}.0/24", mapPublicIpOnLaunch=kind == "public", tags={"Name": f"net-{kind}-{n}"}),
            made("ec2/routeTable:RouteTable", f"net-{kind}-{n}", table, "ec2:{r}:{a}:route-table/" + table, vpcId=VPC,
                 routes=[{"cidrBlock": "0.0.0.0/0", **to}], propagatingVgws=[]),
            made("ec2/routeTableAssociation:RouteTableAssociation", f"net-{kind}-{n}", f"rtbassoc-{kind}{n}",
                 subnetId=subnet, routeTableId=table),
            made("ec2/route:Route", f"net-{kind}-{n}", f"r-{table}", routeTableId=table,
                 destinationCidrBlock="0.0.0.0/0", state="active", origin="CreateRoute", **to),
        ]  # fmt: skip
    return found


def group_rule(name: str, kind: str, **more: Any) -> Resource:
    rule = {"type": kind, "protocol": "-1", "fromPort": 0, "toPort": 0, "securityGroupId": "sg-node", **more}
    return made("ec2/securityGroupRule:SecurityGroupRule", name, f"sgrule-{name}", under="eks:index:Cluster", **rule)


def state(version: int = 3) -> dict[str, Any]:
    trust = json.dumps(
        {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}
    )  # fmt: skip
    role = f"arn:aws:iam::{ACCOUNT}:role/apps-instanceRole-role-5d1"
    resources: list[Resource] = [
        {"urn": f"{STACK}::pulumi:pulumi:Stack::jobs-prod", "custom": False, "type": "pulumi:pulumi:Stack"},
        {"urn": PROVIDER, "custom": True, "id": "2f1c", "type": "pulumi:providers:aws",
         "inputs": {"region": REGION, "version": "6.83.0"}, "outputs": {"region": REGION, "version": "6.83.0"}},
        component("awsx:ec2:Vpc", "net"),
        made("ec2/vpc:Vpc", "net", VPC, "ec2:{r}:{a}:vpc/" + VPC, cidrBlock="10.0.0.0/16", ipv6CidrBlock="",
             mainRouteTableId="rtb-main", defaultRouteTableId="rtb-main", defaultNetworkAclId="acl-main",
             defaultSecurityGroupId="sg-default"),
        made("ec2/internetGateway:InternetGateway", "net", IGW, "ec2:{r}:{a}:internet-gateway/" + IGW, vpcId=VPC),
        made("ec2/eip:Eip", "net-1", EIP, domain="vpc", instance="", networkInterface="eni-nat", publicIp="198.51.100.7"),
        made("ec2/natGateway:NatGateway", "net-1", NAT, allocationId=EIP, subnetId="subnet-public1",
             connectivityType="public", networkInterfaceId="eni-nat", publicIp="198.51.100.7"),
        *zone(1), *zone(2),
        component("eks:index:Cluster", "apps"),
        made("iam/role:Role", "apps-instanceRole-role", "apps-instanceRole-role-5d1", under="eks:index:Cluster",
             name="apps-instanceRole-role-5d1", assumeRolePolicy=trust, path="/"),
        made("ec2/securityGroup:SecurityGroup", "apps-nodeSecurityGroup", "sg-node", "ec2:{r}:{a}:security-group/sg-node",
             under="eks:index:Cluster", vpcId=VPC, egress=[], ingress=[]),
        group_rule("apps-eksNodeInternetEgressRule", "egress", cidrBlocks=["0.0.0.0/0"]),
        group_rule("apps-eksNodeIngressRule", "ingress", self=True),
        made("eks/cluster:Cluster", "apps-eksCluster", "apps-eksCluster-77a", "eks:{r}:{a}:cluster/apps-eksCluster-77a",
             under="eks:index:Cluster", name="apps-eksCluster-77a", version="1.34",
             vpcConfig={"vpcId": VPC, "subnetIds": ["subnet-private1", "subnet-private2"], "endpointPublicAccess": True,
                        "endpointPrivateAccess": False, "publicAccessCidrs": ["0.0.0.0/0"],
                        "clusterSecurityGroupId": "sg-cluster", "securityGroupIds": []}),
        made("ec2/launchTemplate:LaunchTemplate", "apps-nodes", "lt-0e5", "ec2:{r}:{a}:launch-template/lt-0e5",
             under="eks:index:Cluster", vpcSecurityGroupIds=["sg-node"], latestVersion=1,
             metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2}),
        made("eks/nodeGroup:NodeGroup", "apps-nodes", "apps:nodes", under="eks:index:Cluster",
             clusterName="apps-eksCluster-77a", nodeRoleArn=role, subnetIds=["subnet-private1", "subnet-private2"],
             launchTemplate={"id": "lt-0e5", "version": "1"}),
    ]  # fmt: skip
    return {"version": version, "deployment": {"manifest": {"time": "2026-05-04T10:00:00Z"}, "resources": resources}}


def verdict(whole: dict[str, Any], claim: str = "E1") -> Verdict:
    chosen = selector_of(SELECTOR)
    return prove(state_model(json.dumps(whole), chosen), [claim], chosen)[claim]


def edited(change: Callable[[list[Resource]], object], version: int = 3) -> dict[str, Any]:
    whole = copy.deepcopy(state(version))
    change(whole["deployment"]["resources"])
    return whole


def named(resources: list[Resource], kind: str, name: str) -> Resource:
    return next(r for r in resources if r["type"] == f"aws:{kind}" and r["urn"].endswith(f"::{name}"))


@pytest.mark.parametrize("version", [3, 4])
def test_nodes_behind_a_nat_gateway_escape_hop_by_hop(version: int) -> None:
    found = verdict(state(version))
    assert isinstance(found, Escapes)
    hops = [hop.resource for hop in found.witness.hops]
    assert "apps-nodes" in hops[0]
    assert any("net-1" in hop for hop in hops), hops


def without_the_ways_out(resources: list[Resource]) -> None:
    gone = ("ec2/natGateway:", "ec2/internetGateway:", "ec2/eip:", "ec2/route:")
    resources[:] = [r for r in resources if not r["type"].removeprefix("aws:").startswith(gone)]
    for one in resources:
        if one["type"] == "aws:ec2/routeTable:RouteTable":
            one["outputs"]["routes"] = []


def test_the_same_without_gateways_has_no_way_for_its_nodes() -> None:
    """The counterpart: what the verdict above rests on is the gateway. (Its pods reach their node, which is said.)"""
    found = verdict(edited(without_the_ways_out))
    ways = [found.witness, *found.more] if isinstance(found, Escapes) else []
    assert not [way for way in ways if any("net-1" in hop.resource or IGW in hop.resource for hop in way.hops)], ways


def pending_deletion(resources: list[Resource]) -> None:
    """A replacement that was not finished: the old gateway is marked, and its routes are gone from the program."""
    for one in resources:
        if (
            one["type"].startswith(("aws:ec2/natGateway:", "aws:ec2/route:"))
            or "private" in one["urn"].rpartition("::")[2]
        ):
            one["delete"] = one["type"].startswith(("aws:ec2/natGateway:", "aws:ec2/route:"))


def test_what_is_to_be_deleted_is_still_there() -> None:
    found = verdict(edited(pending_deletion))
    assert isinstance(found, Escapes)
    assert any("net-1" in hop.resource for hop in found.witness.hops)


def only_read(resources: list[Resource]) -> None:
    for one in resources:
        if one["type"].startswith(("aws:ec2/natGateway:", "aws:ec2/internetGateway:")):
            one |= {"external": True, "protect": True, "importID": one["id"], "retainOnDelete": True}


def test_what_is_only_read_protected_or_imported_counts_as_well() -> None:
    assert isinstance(verdict(edited(only_read)), Escapes)


def test_an_operation_that_did_not_end_leaves_what_it_does_not_open_undecided() -> None:
    whole = edited(without_the_ways_out)
    nat = state()["deployment"]["resources"][6]
    whole["deployment"]["pending_operations"] = [{"type": "creating", "resource": nat}]
    found = verdict(whole, "E2")
    assert isinstance(found, Unknown)
    assert any("net-1 has an operation pending" in reason for reason in found.reasons), found.reasons


def test_encrypted_values_stay_opaque_and_prove_nothing() -> None:
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:AAAA:BBBB"}

    def hide(resources: list[Resource]) -> None:
        named(resources, "ec2/vpc:Vpc", "net")["outputs"]["cidrBlock"] = hidden

    found = verdict(edited(hide))
    assert not isinstance(found, Proved)
    assert "AAAA" not in str(found)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    (tmp_path / "state.json").write_text(json.dumps(state()))
    (tmp_path / "selector.yaml").write_text(yaml.safe_dump(SELECTOR))
    told = ["prove", "--source", "state", str(tmp_path / "state.json"), "--selector", str(tmp_path / "selector.yaml")]
    return lambda *more: CliRunner().invoke(app, [*told, *more])


def test_the_command_says_so(run: Callable[..., Result]) -> None:
    result = run("--explain", "E1")
    assert result.exit_code == 1
    assert "NAT gateway" in result.output
    assert "└─" in result.output
    assert "mend: " in result.output


def test_nothing_of_such_a_stack_is_proved_by_mistake(run: Callable[..., Result]) -> None:
    """It has no firewall for names, no door and no eyes: what there is not, is not proved. No endpoint lets a call by."""
    said = json.loads(run("--format", "json").stdout)
    assert sorted(said) == sorted(CLAIMS)
    assert [claim for claim, one in said.items() if one["verdict"] == "proved"] == ["E3"]
