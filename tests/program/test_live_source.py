"""`--source live`: the blueprint stands in the embedded cloud and is read by AWS's calls: whole, cut short, changed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sequester.cloud import EmbeddedCloud, Run
from sequester.proof.iam.document import statements
from sequester.proof.model import CLAIMS, Gap, Model
from sequester.proof.prove import prove
from sequester.proof.render import state
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict
from sequester.sources.live import live_model, rights
from sequester.sources.live.calls import CALLS, action_of
from sequester.sources.live.reader import Reader
from sequester.sources.program import program_model
from sequester.standing import blueprint

ACCOUNT, REGION = "123456789012", "us-east-1"
CONFIG = {
    "aws:region": REGION,
    "sequester:account": ACCOUNT,
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:cluster": {
        "log_shipper": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sequester/log-shipper@sha256:{'0' * 64}"
    },
    "sequester:tenants": {
        name: {"allow": [{"host": "api.github.com", "methods": ["GET"], "paths": ["/repos/*"]}]}
        for name in ("research", "billing")
    },
}


@dataclass
class Account:
    """The account that is read, and every operation that botocore was asked for on the way."""

    run: Run
    session: boto3.Session
    asked: set[tuple[str, str]] = field(default_factory=set)

    def client(self, service: str) -> Any:
        return self.session.client(service, region_name=REGION)  # type: ignore[call-overload]

    def model(self, **more: Any) -> Model:
        return live_model(region=REGION, session=self.session, manifests=self.run.kubernetes, **more)

    def verdict(self, claim: str) -> Verdict:
        return prove(self.model(), [claim])[claim]

    def one(self, kind: str, name: str) -> str:
        found = [r.id for r in self.run.resources if r.type.endswith(f":{kind}") and r.name == name]
        assert len(found) == 1, (kind, name, found)
        return found[0]

    def some(self, kind: str, part: str = "") -> Any:
        return next(r for r in self.run.resources if r.type.endswith(f":{kind}") and part in r.name)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with EmbeddedCloud(region=REGION) as cloud:
        run = cloud.up(blueprint, config=CONFIG)
        session = boto3.Session(aws_access_key_id="embedded", aws_secret_access_key="embedded", region_name=REGION)
        found = Account(run, session)

        def note(model: Any, **_: Any) -> None:
            found.asked.add((model.service_model.service_name, model.name))

        session.events.register("before-parameter-build", lambda model, **_: note(model))
        yield found


def test_the_live_account_gives_the_verdicts_of_the_program(account: Account) -> None:
    program = prove(program_model(account.run.resources, account=ACCOUNT, region=REGION))
    live = prove(account.model())
    assert {c: state(v) for c, v in live.items()} == {c: state(v) for c, v in program.items()}
    assert {state(v) for v in live.values()} == {"proved"}


def test_without_the_cluster_what_hangs_on_it_is_not_proved(account: Account) -> None:
    verdicts = prove(live_model(region=REGION, session=account.session, gaps=[_no_cluster()]))
    assert [c for c, v in verdicts.items() if isinstance(v, Proved)] == ["E2", "E3", "E7"]


def _no_cluster() -> Gap:
    from sequester.sources.live import no_cluster

    return no_cluster()


Undo = Callable[[], object]


def a_route_and_an_open_group(a: Account) -> Undo:
    ec2 = a.client("ec2")
    group, table = a.one("SecurityGroup", "sequester-sandbox-node"), a.one("RouteTable", "sequester-sandbox-us-east-1a")
    acl = a.one("NetworkAcl", "sequester-sandbox")
    vpc = a.one("Vpc", "sequester")
    peer = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    pcx = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    opened = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=opened)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="203.0.113.0/24", VpcPeeringConnectionId=pcx)
    entry = {"NetworkAclId": acl, "RuleNumber": 5, "Egress": True}
    ec2.create_network_acl_entry(**entry, Protocol="-1", RuleAction="allow", CidrBlock="203.0.113.0/24")

    def undo() -> None:
        ec2.delete_network_acl_entry(**entry)
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock="203.0.113.0/24")
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=opened)
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=pcx)
        ec2.delete_vpc(VpcId=peer)

    return undo


def an_instance_with_old_metadata(a: Account) -> Undo:
    ec2 = a.client("ec2")
    made = ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=a.one("Subnet", "sequester-sandbox-us-east-1a"),
        SecurityGroupIds=[a.one("SecurityGroup", "sequester-sandbox-node")],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    return lambda: ec2.terminate_instances(InstanceIds=[made])


def an_endpoint_policy_for_everyone(a: Account) -> Undo:
    ec2, key = a.client("ec2"), a.one("VpcEndpoint", "sequester-ec2")
    old = ec2.describe_vpc_endpoints(VpcEndpointIds=[key])["VpcEndpoints"][0]["PolicyDocument"]
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    ec2.modify_vpc_endpoint(VpcEndpointId=key, PolicyDocument=json.dumps(wide))
    return lambda: ec2.modify_vpc_endpoint(VpcEndpointId=key, PolicyDocument=old)


def a_wider_role(a: Account) -> Undo:
    iam = a.client("iam")
    role = a.some("Role", "sandbox").id
    grant = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="wider", PolicyDocument=json.dumps(grant))
    return lambda: iam.delete_role_policy(RoleName=role, PolicyName="wider")


def a_managed_policy_on_a_role(a: Account) -> Undo:
    iam = a.client("iam")
    role = a.some("Role", "sandbox").id
    grant = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}]}
    arn = iam.create_policy(PolicyName="passing", PolicyDocument=json.dumps(grant))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)

    def undo() -> None:
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)

    return undo


def a_firewall_that_fails_open(a: Account) -> Undo:
    resolver, vpc = a.client("route53resolver"), a.one("Vpc", "sequester")
    resolver.update_firewall_config(ResourceId=vpc, FirewallFailOpen="ENABLED")
    return lambda: resolver.update_firewall_config(ResourceId=vpc, FirewallFailOpen="DISABLED")


def a_resolver_of_their_own(a: Account) -> Undo:
    ec2, vpc = a.client("ec2"), a.one("Vpc", "sequester")
    old = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"]
    options = [{"Key": "domain-name-servers", "Values": ["198.51.100.53"]}]
    made = ec2.create_dhcp_options(DhcpConfigurations=options)["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=made, VpcId=vpc)
    return lambda: ec2.associate_dhcp_options(DhcpOptionsId=old, VpcId=vpc)


def a_wildcard_domain(a: Account) -> Undo:
    resolver = a.client("route53resolver")
    lists: list[Any] = [r for r in a.run.resources if r.type.endswith(":ResolverFirewallDomainList")]
    listed = next(r.id for r in lists if "*" not in [d.rstrip(".") for d in r.inputs["domains"]])
    resolver.update_firewall_domains(FirewallDomainListId=listed, Operation="ADD", Domains=["*.example."])
    return lambda: resolver.update_firewall_domains(
        FirewallDomainListId=listed, Operation="REMOVE", Domains=["*.example."]
    )


def policies_that_come_late(a: Account) -> Undo:
    eks, asked = a.client("eks"), {"clusterName": "sequester", "addonName": "vpc-cni"}
    old = eks.describe_addon(**asked)["addon"]["configurationValues"]
    eks.update_addon(**asked, configurationValues=old.replace('"strict"', '"standard"'))
    return lambda: eks.update_addon(**asked, configurationValues=old)


def a_filter_that_is_gone(a: Account) -> Undo:
    logs = a.client("logs")
    groups = {s.sink for s in a.model().watch.sensors if s.kind == "flow log"}
    gone = [f for f in logs.describe_metric_filters()["metricFilters"] if f["logGroupName"] in groups]
    for one in gone:
        logs.delete_metric_filter(logGroupName=one["logGroupName"], filterName=one["filterName"])

    def undo() -> None:
        for one in gone:
            keys = ("logGroupName", "filterName", "filterPattern", "metricTransformations")
            logs.put_metric_filter(**{key: one[key] for key in keys})

    return undo


def a_flow_log_that_is_gone(a: Account) -> Undo:
    ec2 = a.client("ec2")
    gone = ec2.describe_flow_logs()["FlowLogs"][0]
    ec2.delete_flow_logs(FlowLogIds=[gone["FlowLogId"]])

    def undo() -> None:
        made = ec2.create_flow_logs(
            ResourceType="VPC", ResourceIds=[gone["ResourceId"]], TrafficType="ALL",
            LogGroupName=gone["LogDestination"].partition(":log-group:")[2],
            DeliverLogsPermissionArn=gone["DeliverLogsPermissionArn"],
            LogFormat=gone["LogFormat"], MaxAggregationInterval=gone["MaxAggregationInterval"],
        )  # fmt: skip
        assert not made["Unsuccessful"]

    return undo


def a_door_with_a_url(a: Account) -> Undo:
    awslambda = a.client("lambda")
    name = next(f["FunctionName"] for f in awslambda.list_functions()["Functions"] if "door" in f["FunctionName"])
    awslambda.create_function_url_config(FunctionName=name, AuthType="NONE")
    return lambda: awslambda.delete_function_url_config(FunctionName=name)


def a_door_without_a_limit(a: Account) -> Undo:
    awslambda = a.client("lambda")
    name = next(f["FunctionName"] for f in awslambda.list_functions()["Functions"] if "door" in f["FunctionName"])
    limit = awslambda.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
    awslambda.delete_function_concurrency(FunctionName=name)
    return lambda: awslambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)


def a_sweep_that_rests(a: Account) -> Undo:
    events, name = a.client("events"), "sequester-responder-sweep"
    events.disable_rule(Name=name)
    return lambda: events.enable_rule(Name=name)


def a_sweep_once_a_day(a: Account) -> Undo:
    events, name = a.client("events"), "sequester-responder-sweep"
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    return lambda: events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")


def a_subscription_that_filters(a: Account) -> Undo:
    sns = a.client("sns")
    told = next(s for s in sns.list_subscriptions()["Subscriptions"] if s["Protocol"] == "lambda")
    asked = {"SubscriptionArn": told["SubscriptionArn"], "AttributeName": "FilterPolicy"}
    sns.set_subscription_attributes(**asked, AttributeValue='{"severity": ["high"]}')
    return lambda: sns.set_subscription_attributes(**asked, AttributeValue="")


def a_responder_that_nobody_on_the_cluster_knows(a: Account) -> Undo:
    eks, asked = a.client("eks"), {"clusterName": "sequester"}
    asked["principalArn"] = f"arn:aws:iam::{ACCOUNT}:role/sequester-responder-inside"
    groups = eks.describe_access_entry(**asked)["accessEntry"]["kubernetesGroups"]
    eks.delete_access_entry(**asked)
    return lambda: eks.create_access_entry(**asked, kubernetesGroups=groups, type="STANDARD")


ESCAPES: tuple[tuple[str, Callable[[Account], Undo]], ...] = (
    ("E1", a_route_and_an_open_group),
    ("E2", a_firewall_that_fails_open),
    ("E2", a_resolver_of_their_own),
    ("E2", a_wildcard_domain),
    ("E3", an_endpoint_policy_for_everyone),
    ("E4", a_wider_role),
    ("E4", a_managed_policy_on_a_role),
    ("E5", policies_that_come_late),
    ("E6", an_instance_with_old_metadata),
    ("E7", a_door_with_a_url),
    ("E7", a_door_without_a_limit),
    ("E8", a_filter_that_is_gone),
    ("E8", a_flow_log_that_is_gone),
    ("E8", a_sweep_that_rests),
    ("E8", a_sweep_once_a_day),
    ("E8", a_subscription_that_filters),
    ("E8", a_responder_that_nobody_on_the_cluster_knows),
)


@pytest.mark.parametrize(("claim", "change"), ESCAPES, ids=lambda x: getattr(x, "__name__", x))
def test_what_someone_changed_in_the_account_is_found(
    account: Account, claim: str, change: Callable[[Account], Undo]
) -> None:
    undo = change(account)
    try:
        verdict = account.verdict(claim)
        assert isinstance(verdict, Escapes), verdict
    finally:
        undo()
    assert isinstance(account.verdict(claim), Proved), "the change was not taken back"


def test_an_alias_that_stays_at_another_version_is_seen(account: Account) -> None:
    """Tenants call the alias: what the function describes now is not what runs for them."""
    awslambda = account.client("lambda")
    name = "sequester-door-research"
    handler = awslambda.get_function_configuration(FunctionName=name)["Handler"]
    awslambda.update_function_configuration(FunctionName=name, Handler="another.handler")
    try:
        verdict = account.verdict("E7")
        assert isinstance(verdict, Unknown), verdict
        assert any(f"{name}: the alias {name}:" in one and "another version" in one for one in verdict.reasons)
    finally:
        awslambda.update_function_configuration(FunctionName=name, Handler=handler)
    assert isinstance(account.verdict("E7"), Proved), "the change was not taken back"


def test_a_boundary_of_a_live_role_takes_away_what_its_policies_grant(account: Account) -> None:
    """And nothing of it is left without the boundary."""
    iam, role = account.client("iam"), "sequester-sandbox-node"
    wide, bound = (
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]})
        for effect, action in (("Allow", "lambda:InvokeFunction"), ("Allow", ["ec2:*", "ecr:*", "logs:*", "eks:*"]))
    )
    arn = iam.create_policy(PolicyName="bound", PolicyDocument=bound)["Policy"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="wide", PolicyDocument=wide)
    try:
        iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
        assert isinstance(prove(account.model(), ["E4"])["E4"], Proved)
        iam.delete_role_permissions_boundary(RoleName=role)
        assert isinstance(prove(account.model(), ["E4"])["E4"], Escapes)
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="wide")
        iam.delete_policy(PolicyArn=arn)


def a_client_vpn(a: Account) -> Undo:
    ec2 = a.client("ec2")
    made = ec2.create_client_vpn_endpoint(
        ClientCidrBlock="10.200.0.0/16", ServerCertificateArn="arn:aws:acm:us-east-1:123456789012:certificate/1",
        AuthenticationOptions=[], ConnectionLogOptions={"Enabled": False}, VpcId=a.one("Vpc", "sequester"),
    )["ClientVpnEndpointId"]  # fmt: skip
    return lambda: ec2.delete_client_vpn_endpoint(ClientVpnEndpointId=made)


def a_route_server(a: Account) -> Undo:
    ec2 = a.client("ec2")
    made = ec2.create_route_server(AmazonSideAsn=64512)["RouteServer"]["RouteServerId"]
    return lambda: ec2.delete_route_server(RouteServerId=made)


def a_lattice_network(a: Account) -> Undo:
    lattice = a.client("vpc-lattice")
    network = lattice.create_service_network(name="x")["id"]
    made = lattice.create_service_network_vpc_association(
        serviceNetworkIdentifier=network, vpcIdentifier=a.one("Vpc", "sequester")
    )
    assert made
    return lambda: None  # moto cannot take it away: this is the last change


@pytest.mark.parametrize("change", [a_client_vpn, a_route_server])
def test_what_the_model_does_not_follow_leaves_every_claim_open(
    account: Account, change: Callable[[Account], Undo]
) -> None:
    undo = change(account)
    try:
        assert not [c for c, v in prove(account.model()).items() if isinstance(v, Proved)]
    finally:
        undo()


def test_another_vpc_of_the_account_is_nobodys_business(account: Account) -> None:
    """A VPC with a way out, a resolver and an endpoint of its own, and no sandbox in it."""
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", VpcEndpointType="Gateway")[
        "VpcEndpoint"
    ]
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]
    try:
        assert {state(v) for v in prove(account.model()).values()} == {"proved"}
    finally:
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)


# Asked only where there is something to ask about; the blueprint has none of it.
ELSEWHERE = {
    "ec2.describe_instance_attribute",
    "ec2.get_managed_prefix_list_entries",
    "ecr.get_repository_policy",
    "eks.describe_access_entry",
    "events.list_targets_by_rule",
    "eks.list_associated_access_policies",
    "lambda.get_code_signing_config",
    "route53resolver.list_resolver_endpoint_ip_addresses",
    "secretsmanager.get_resource_policy",
    "sqs.get_queue_attributes",
}


def test_the_rights_are_those_of_the_calls_that_are_made(account: Account) -> None:
    account.asked.clear()
    reader_made: set[str] = set()
    account.model(progress=reader_made.add)
    stated = {a for s in statements(rights(), "rights") for a in s.actions}
    needed = {_action(service, operation) for service, operation in account.asked}
    assert needed <= stated
    unused = stated - needed - {action_of(one).lower() for one in ELSEWHERE}
    assert not unused, "rights that nothing uses"


def _action(service: str, operation: str) -> str:
    """AWS's name for the right to an operation, from botocore's: S3's differ (service authorization reference)."""
    named = {
        "s3:listbuckets": "s3:listallmybuckets",
        "s3:getbucketnotificationconfiguration": "s3:getbucketnotification",
        "s3:getbucketreplication": "s3:getreplicationconfiguration",
        "s3:getobjectlockconfiguration": "s3:getbucketobjectlockconfiguration",
    }
    asked = f"{service}:{operation}".lower()
    return named.get(asked, asked)


def test_the_rights_change_nothing() -> None:
    actions = [a.partition(":")[2] for s in statements(rights(), "rights") for a in s.actions]
    assert all(action.startswith(("describe", "get", "list")) for action in actions)
    assert "get" not in actions and "*" not in "".join(actions)


class Refusing(boto3.Session):
    """Every call is answered as always, but one, which is refused as AWS refuses."""

    def __init__(self, refused: str, code: str) -> None:
        super().__init__(aws_access_key_id="embedded", aws_secret_access_key="embedded", region_name=REGION)
        service, method = refused.split(".")
        operation = self.client(service).meta.method_to_api_mapping[method]  # type: ignore[call-overload]

        def refuse(model: Any, **_: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": f"no {operation} for you"}}, operation)

        self.events.register(f"before-call.{_id_of(self, service)}.{operation}", refuse)


def _id_of(session: boto3.Session, service: str) -> str:
    return session.client(service).meta.service_model.service_id.hyphenize()  # type: ignore[call-overload]


SHORT = (
    "ec2.describe_route_tables",
    "ec2.describe_vpc_endpoints",
    "ec2.describe_vpcs",
    "eks.describe_addon",
    "eks.describe_nodegroup",
    "iam.get_account_authorization_details",
    "lambda.list_functions",
    "logs.describe_metric_filters",
    "route53resolver.list_firewall_rules",
    "sts.get_caller_identity",
)


@pytest.mark.parametrize("operation", SHORT)
def test_a_refused_call_is_named_and_what_hangs_on_it_is_not_proved(account: Account, operation: str) -> None:
    session = Refusing(operation, "AccessDenied")
    model = live_model(region=REGION, session=session, manifests=account.run.kubernetes)
    verdicts = prove(model)
    for claim in CALLS[operation].claims:
        assert not isinstance(verdicts[claim], Proved), claim
    named = operation.replace(".", " ")
    assert any(named in gap.reason and "no " in gap.reason for gap in model.gaps)


class Stub:
    """A client whose list has pages, the last of which may be refused."""

    def __init__(self, pages: list[Mapping[str, Any] | Exception]) -> None:
        self._left = iter(pages)
        self.pages = pages

    def can_paginate(self, _method: str) -> bool:
        return True

    def describe_vpcs(self, **_: object) -> None:
        raise AssertionError("asked without its paginator")

    def get_paginator(self, _method: str) -> "Stub":
        return self

    def paginate(self, **_: object) -> Iterator[Mapping[str, Any]]:
        for page in self.pages:
            if isinstance(page, Exception):
                raise page
            yield page


def reader_of(*pages: Mapping[str, Any] | Exception) -> Reader:
    reader = Reader(boto3.Session(region_name=REGION), REGION)
    reader._clients["ec2"] = Stub(list(pages))
    return reader


def test_every_page_is_read() -> None:
    reader = reader_of({"Vpcs": [1, 2]}, {"Vpcs": []}, {"Vpcs": [3]})
    assert list(reader.each("ec2.describe_vpcs")) == [1, 2, 3]
    assert not reader.gaps


@pytest.mark.parametrize(
    "last",
    [
        ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DescribeVpcs"),
        {"Vpcs": None},
        {},
        {"Other": []},
    ],
    ids=["throttled", "null", "empty", "of another form"],
)
def test_a_page_that_does_not_come_is_a_gap_in_every_claim_that_asked(last: Any) -> None:
    reader = reader_of({"Vpcs": [1]}, last)
    assert list(reader.each("ec2.describe_vpcs")) == [1]
    assert [gap.claims for gap in reader.gaps] == [CALLS["ec2.describe_vpcs"].claims]


@pytest.mark.parametrize("broken", [{}, {"VpcId": "vpc-1"}, {"CidrBlock": "10.0.0.0/8"}, 7, None, "x"])
def test_a_thing_of_another_form_is_a_gap_and_no_traceback(broken: Any) -> None:
    from sequester.sources.live import network

    reader = reader_of({"Vpcs": [broken]})
    list(network.formed(reader, "ec2.describe_vpcs", network._vpc))
    assert reader.gaps


def test_no_credentials_is_one_line_and_nothing_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    verdicts = prove(live_model(region=REGION, session=boto3.Session(region_name=REGION)))
    for claim in CLAIMS:
        verdict = verdicts[claim]
        assert isinstance(verdict, Unknown)
        assert any("credentials" in reason for reason in verdict.reasons)
