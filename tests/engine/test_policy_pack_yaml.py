"""The policy pack on a stack that is not ours and not Python: a program in YAML, with a selector for its sandboxes."""

import json
from pathlib import Path

import pytest
import yaml
from real_engine import Engine

pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-yaml"), pytest.mark.xdist_group("engine")]

PACK = str(Path(__file__).resolve().parents[2] / "policies")
SELECTOR = {"sandbox_subnets": ["tag:tier=untrusted"]}
# Other names, no components, a route table with its routes inline, an instance in place of a cluster.
PROGRAM = """
name: jobs
runtime: yaml
resources:
  here:
    type: pulumi:providers:aws
    defaultProvider: true
    properties: {region: us-east-1, allowedAccountIds: ["123456789012"]}
    options: {version: 7.51.1}
  net:
    type: aws:ec2:Vpc
    properties: {cidrBlock: 10.1.0.0/16}
  jobs:
    type: aws:ec2:Subnet
    properties: {vpcId: "${net.id}", cidrBlock: 10.1.1.0/24, tags: {tier: untrusted}}
  routes:
    type: aws:ec2:RouteTable
    properties: {vpcId: "${net.id}", routes: []}
  routed:
    type: aws:ec2:RouteTableAssociation
    properties: {subnetId: "${jobs.id}", routeTableId: "${routes.id}"}
  acl:
    type: aws:ec2:NetworkAcl
    properties: {vpcId: "${net.id}"}
  acl-in:
    type: aws:ec2:NetworkAclRule
    properties:
      networkAclId: ${acl.id}
      ruleNumber: 100
      egress: false
      protocol: "-1"
      ruleAction: allow
      cidrBlock: 10.1.0.0/16
  acl-out:
    type: aws:ec2:NetworkAclRule
    properties:
      networkAclId: ${acl.id}
      ruleNumber: 100
      egress: true
      protocol: "-1"
      ruleAction: allow
      cidrBlock: 10.1.0.0/16
  filtered:
    type: aws:ec2:NetworkAclAssociation
    properties: {subnetId: "${jobs.id}", networkAclId: "${acl.id}"}
  closed:
    type: aws:ec2:SecurityGroup
    properties: {vpcId: "${net.id}", ingress: [], egress: []}
  worker:
    type: aws:ec2:Instance
    properties:
      ami: ami-0123456789abcdef0
      instanceType: m7i.large
      subnetId: ${jobs.id}
      vpcSecurityGroupIds: ["${closed.id}"]
      metadataOptions: {httpEndpoint: disabled}
"""
OPENED = {
    "a gateway": {
        "way": {"type": "aws:ec2:InternetGateway", "properties": {"vpcId": "${net.id}"}},
        "routes": {
            "type": "aws:ec2:RouteTable",
            "properties": {"vpcId": "${net.id}", "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": "${way.id}"}]},
        },
        "closed": {
            "type": "aws:ec2:SecurityGroup",
            "properties": {
                "vpcId": "${net.id}",
                "ingress": [],
                "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
            },
        },
        "acl": {"type": "aws:ec2:NetworkAcl", "properties": {"vpcId": "${net.id}", "egress": [], "ingress": []}},
        "acl-out": {
            "type": "aws:ec2:NetworkAclRule",
            "properties": {
                "networkAclId": "${acl.id}", "ruleNumber": 100, "egress": True, "protocol": "-1",
                "ruleAction": "allow", "cidrBlock": "0.0.0.0/0",
            },
        },
        "acl-in": {
            "type": "aws:ec2:NetworkAclRule",
            "properties": {
                "networkAclId": "${acl.id}", "ruleNumber": 100, "egress": False, "protocol": "-1",
                "ruleAction": "allow", "cidrBlock": "0.0.0.0/0",
            },
        },
        "jobs": {
            "type": "aws:ec2:Subnet",
            "properties": {
                "vpcId": "${net.id}", "cidrBlock": "10.1.1.0/24", "tags": {"tier": "untrusted"},
                "mapPublicIpOnLaunch": True,
            },
        },
    },
}  # fmt: skip


def preview(engine: Engine, folder: Path, program: str, **policies: object) -> tuple[int, str]:
    (folder / "Pulumi.yaml").write_text(program)
    config = folder / "policies.json"
    config.write_text(json.dumps({key.replace("_", "-"): value for key, value in policies.items()}))
    engine.yaml(folder, "stack", "init")
    done = engine.yaml(folder, "preview", "--policy-pack", PACK, "--policy-pack-config", str(config))
    return done.returncode, done.stdout + done.stderr


# A stack like this has no names, doors or eyes to prove: it asks for what it has.
CLAIMS = {
    "all": "disabled",
    "never": "disabled",
    "record": {"enforcementLevel": "advisory", "selector": SELECTOR},
    "claim_e1": "mandatory",
    "claim_e6": "mandatory",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program").mkdir()
    return tmp_path / "program"


def test_a_sealed_stack_in_yaml_passes(engine: Engine, folder: Path) -> None:
    code, said = preview(engine, folder, PROGRAM, **CLAIMS)
    assert code == 0, said
    assert "claim-e" not in said, said


@pytest.mark.parametrize("name", OPENED)
def test_a_way_out_of_a_stack_in_yaml_is_drawn(engine: Engine, folder: Path, name: str) -> None:
    program = yaml.safe_load(PROGRAM)
    program["resources"] |= OPENED[name]
    code, said = preview(engine, folder, yaml.safe_dump(program), **CLAIMS)
    assert code != 0, said
    assert "[mandatory]  claim-e1" in said, said
    assert "└─" in said, "the way out, hop by hop"
    assert "mend: " in said


def test_without_the_selector_nothing_is_recognised_and_nothing_passes(engine: Engine, folder: Path) -> None:
    code, said = preview(engine, folder, PROGRAM, **{**CLAIMS, "record": "advisory"})
    assert code != 0
    assert "nothing was recognised as a sandbox" in said
