"""The embedded cloud as its users see it: what a run records, what an edit changes, how a failure reads."""

import os

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest

from sequester.cloud import CreateFailedError, Edit, EmbeddedCloud, Recorded, RefusedError
from sequester.cloud.wire import Props


class Network(pulumi.ComponentResource):
    def __init__(self) -> None:
        super().__init__("sequester:index:Network", "network")
        own = pulumi.ResourceOptions(parent=self)
        cidr = pulumi.Config("sequester").require_object("network")["cidr"]
        self.vpc = aws.ec2.Vpc("vpc", cidr_block=cidr, opts=own)
        self.subnet = aws.ec2.Subnet("subnet", vpc_id=self.vpc.id, cidr_block="10.0.0.0/24", opts=own)
        self.register_outputs({"vpc": self.vpc.id})


def program() -> None:
    network = Network()
    pulumi.export("vpc", network.vpc.id)
    aws.secretsmanager.SecretVersion(
        "secret",
        secret_id=aws.secretsmanager.Secret("secret", name="secret").id,
        secret_string=pulumi.Output.secret("hush"),
    )


CONFIG = {"sequester:network": {"cidr": "10.0.0.0/16"}}


def test_a_run_records_what_the_program_asked_for_and_what_it_depends_on(cloud: EmbeddedCloud) -> None:
    seen: list[Recorded] = []
    run = cloud.up(program, config=CONFIG, progress=seen.append)
    assert tuple(seen) == run.resources
    named = {(resource.type.split(":")[-1], resource.name): resource for resource in run.resources}
    component, vpc, subnet = (named[k, n] for k, n in (("Network", "network"), ("Vpc", "vpc"), ("Subnet", "subnet")))
    assert vpc.urn == "urn:pulumi:dev::sequester::sequester:index:Network$aws:ec2/vpc:Vpc::vpc"
    assert vpc.parent == subnet.parent == component.urn
    assert subnet.property_dependencies == {"vpcId": (vpc.urn,)}
    assert vpc.urn in subnet.dependencies
    assert subnet.inputs["vpcId"] == vpc.id == run.outputs["vpc"] == run.components[component.urn]["vpc"]
    assert named["SecretVersion", "secret"].secret == {"secretString"}
    assert not vpc.secret
    assert run.declared_only == []


def test_outputs_that_are_applied_late_are_awaited(cloud: EmbeddedCloud) -> None:
    def late() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
        vpc.id.apply(lambda found: aws.ec2.Subnet("late", vpc_id=found, cidr_block="10.0.0.0/24").id.apply(len))

    assert [resource.name for resource in cloud.up(late).resources] == ["vpc", "late"]


def test_an_edit_changes_leaves_out_and_adds(cloud: EmbeddedCloud) -> None:
    def change(kind: str, name: str, inputs: Props) -> Props | None:
        if name == "secret":
            return None
        return {**inputs, "enableDnsHostnames": True} if kind == "aws:ec2/vpc:Vpc" else inputs

    def add() -> None:
        aws.ec2.InternetGateway("way-out")

    run = cloud.up(program, config=CONFIG, edit=Edit(change=change, add=add))
    names = [resource.name for resource in run.resources]
    assert "way-out" in names
    assert "secret" not in names
    vpc = next(resource for resource in run.resources if resource.name == "vpc")
    answer = cloud.client("ec2").describe_vpc_attribute(VpcId=vpc.id, Attribute="enableDnsHostnames")
    assert answer["EnableDnsHostnames"]["Value"] is True
    assert cloud.client("secretsmanager").list_secrets()["SecretList"] == []


def test_each_cloud_starts_empty_and_many_runs_fit_in_one() -> None:
    with EmbeddedCloud() as one:
        first = one.up(program, config=CONFIG)
        assert len(one.up(lambda: aws.ec2.Vpc("more", cidr_block="10.1.0.0/16") and None).resources) == 1
        with pytest.raises(CreateFailedError, match=r"secret.*exists"):
            one.up(program, config=CONFIG)
    with EmbeddedCloud() as other:
        second = other.up(program, config=CONFIG)
    assert {r.urn for r in first.resources} == {r.urn for r in second.resources}


def test_a_client_kept_beyond_its_cloud_reaches_nothing() -> None:
    with EmbeddedCloud() as cloud:
        kept = cloud.client("sts")
        kept.get_caller_identity()
    with pytest.raises(RefusedError, match="closed"):
        kept.get_caller_identity()


FAILURES = {
    "moto's own refusal": (
        lambda: aws.ec2.Subnet("bad", vpc_id="vpc-0", cidr_block="10.0.0.0/24"),
        r"bad \(aws:ec2/subnet:Subnet\): InvalidVpcID.NotFound",
    ),
    "botocore's refusal": (
        lambda: aws.ecr.Repository("bad", name="x"),
        r"bad \(aws:ecr/repository:Repository\): ParamValidationError: .*repositoryName",
    ),
    "a type that is not mapped": (
        lambda: aws.ec2.PlacementGroup("bad", name="bad", strategy="cluster"),
        r"bad .*does not know this type; add a Kind to sequester/cloud/kinds/network.py",
    ),
    "a property that is not mapped": (
        lambda: aws.ec2.Vpc("bad", ipv4_ipam_pool_id="pool", ipv4_netmask_length=24),
        r"bad .*ipv4IpamPoolId, ipv4NetmaskLength: the embedded cloud passes this to no AWS call",
    ),
    "a field that Kubernetes does not have": (
        lambda: kubernetes.core.v1.ConfigMap("bad", metadata={"name": "bad", "namspace": "x"}),  # pyright: ignore
        r"bad .*metadata: Additional properties are not allowed",
    ),
    "a manifest without a name": (
        lambda: kubernetes.core.v1.ConfigMap("bad", data={"a": "b"}),
        r"bad .*metadata.name: give one",
    ),
    "a custom resource that is not known": (
        lambda: kubernetes.apiextensions.CustomResource(
            "bad", api_version="example.test/v1", kind="Bad", metadata={"name": "bad"}
        ),
        r"bad .*Bad of example.test/v1 is no kind",
    ),
}


@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_a_failure_names_the_resource_in_one_line(cloud: EmbeddedCloud, case: str) -> None:
    bad, words = FAILURES[case]
    with pytest.raises(CreateFailedError, match=words) as failure:
        cloud.up(lambda: bad() and None)
    assert "\n" not in str(failure.value)
    assert failure.value.urn.endswith("::bad")


def test_what_the_program_raises_comes_out(cloud: EmbeddedCloud) -> None:
    def broken() -> None:
        raise ValueError("the program's own")

    with pytest.raises(ValueError, match="the program's own"):
        cloud.up(broken)


def test_what_is_half_made_is_taken_away(cloud: EmbeddedCloud) -> None:
    """A log group whose retention is refused is not left behind."""
    with pytest.raises(CreateFailedError):
        cloud.up(lambda: aws.cloudwatch.LogGroup("half", name="/half", retention_in_days=42) and None)
    assert cloud.client("logs").describe_log_groups()["logGroups"] == []


def test_kubernetes_objects_are_recorded_as_manifests(cloud: EmbeddedCloud) -> None:
    run = cloud.up(lambda: kubernetes.core.v1.Namespace("space", metadata={"name": "space"}) and None)
    assert run.kubernetes == [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "space"}}]
    assert run.resources[0].id == "space"


def test_declared_only_records_are_read_back_by_the_same_api_and_named_as_such(cloud: EmbeddedCloud) -> None:
    run = cloud.up(lambda: aws.route53.ResolverFirewallRuleGroup("rules", name="rules") and None)
    assert run.declared_only == ["aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup"]
    resolver = cloud.client("route53resolver")
    (listed,) = resolver.list_firewall_rule_groups()["FirewallRuleGroups"]
    shown = resolver.get_firewall_rule_group(FirewallRuleGroupId=listed["Id"])["FirewallRuleGroup"]
    assert (shown["Name"], shown["Id"]) == ("rules", run.resources[0].id)
    with pytest.raises(resolver.exceptions.ResourceNotFoundException):
        resolver.get_firewall_rule_group(FirewallRuleGroupId="rslvr-frg-none")


def test_functions_are_answered_from_the_cloud(cloud: EmbeddedCloud) -> None:
    def ask() -> None:
        pulumi.export("account", aws.get_caller_identity().account_id)
        pulumi.export("region", aws.get_region().region)
        pulumi.export("zones", aws.get_availability_zones(state="available").names)
        pulumi.export("partition", aws.get_partition().partition)

    outputs = cloud.up(ask).outputs
    assert (outputs["account"], outputs["region"], outputs["partition"]) == ("123456789012", "us-east-1", "aws")
    assert isinstance(outputs["zones"], list)
    assert "us-east-1a" in outputs["zones"]


def test_no_account_of_the_users_is_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "theirs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://example.invalid")
    with EmbeddedCloud(region="eu-central-1") as cloud:
        assert "AWS_PROFILE" not in os.environ
        assert "AWS_ENDPOINT_URL" not in os.environ
        assert cloud.client("sts").get_caller_identity()["Account"] == "123456789012"
        zones = cloud.client("ec2").describe_availability_zones()["AvailabilityZones"]
        assert {zone["RegionName"] for zone in zones} == {"eu-central-1"}
    assert os.environ["AWS_PROFILE"] == "theirs"
