"""A preview: ids that are not known yet are resolved by dependency in id slots only, and every other unknown is named."""

import json

from proof_world import ACCOUNT, REGION

from sequester.marks import UNKNOWN
from sequester.proof.model import GroupRef
from sequester.proof.prove import prove
from sequester.proof.verdict import Unknown
from sequester.sources.preview import Planned, asked, preview_model


def planned(kind: str, name: str, dependencies: dict[str, list[str]] | None = None, /, **properties: object) -> Planned:
    return Planned(f"urn:{name}", f"aws:{kind}", name, "", properties, dependencies or {})


VPC = planned("ec2/vpc:Vpc", "vpc", cidrBlock="10.42.0.0/16")
ONE, TWO = (
    planned("ec2/subnet:Subnet", name, {"vpcId": ["urn:vpc"]}, vpcId=UNKNOWN, cidrBlock=f"10.42.{n}.0/24")
    for n, name in enumerate(("sandbox-a", "sandbox-b"))
)


def test_an_id_is_that_of_the_only_candidate() -> None:
    model = preview_model([VPC, ONE], account=ACCOUNT, region=REGION)
    assert model.subnets["urn:sandbox-a"].vpc == "urn:vpc"
    assert any("sandbox-a.vpcId is vpc" in one for one in model.assumptions)
    assert not model.gaps


def test_as_many_unknowns_as_candidates_are_a_set() -> None:
    group = planned("eks/nodeGroup:NodeGroup", "nodes", {"subnetIds": [ONE.urn, TWO.urn]}, subnetIds=[UNKNOWN, UNKNOWN])
    model = preview_model([VPC, ONE, TWO, group], account=ACCOUNT, region=REGION)
    assert set(model.places["urn:nodes"].subnets) == {ONE.urn, TWO.urn}


def test_fewer_unknowns_than_candidates_stay_open() -> None:
    group = planned("eks/nodeGroup:NodeGroup", "nodes", {"subnetIds": [ONE.urn, TWO.urn]}, subnetIds=[UNKNOWN])
    verdict = prove(preview_model([VPC, ONE, TWO, group], account=ACCOUNT, region=REGION), ["E1"])["E1"]
    assert isinstance(verdict, Unknown)
    assert any("nodes.subnetIds" in reason for reason in verdict.reasons)


def test_what_is_no_id_is_never_guessed() -> None:
    rule = planned("ec2/networkAclRule:NetworkAclRule", "rule", {"cidrBlock": ["urn:vpc"]}, cidrBlock=UNKNOWN)
    model = preview_model([VPC, rule], account=ACCOUNT, region=REGION)
    assert any("rule.cidrBlock" in gap.reason for gap in model.gaps)


ENDPOINT = planned("ec2/vpcEndpoint:VpcEndpoint", "lambda", vpcId="vpc")
OTHER_ENDPOINT = planned("ec2/vpcEndpoint:VpcEndpoint", "logs", vpcId="vpc")
DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "lambda:InvokeFunction",
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:SourceVpce": "<VpcEndpoint>"}},
}


def invocation(*depends_on: Planned) -> Planned:
    kind, dependencies = "lambda/resourcePolicy:ResourcePolicy", {"policy": [one.urn for one in depends_on]}
    return planned(
        kind,
        "policy",
        dependencies,
        resourceArn="arn:aws:lambda:::function:f",
        policy=json.dumps({"Statement": [DENY]}),
    )


def test_an_id_in_a_text_is_that_of_the_only_candidate() -> None:
    model = preview_model([ENDPOINT, OTHER_ENDPOINT, invocation(ENDPOINT)], account=ACCOUNT, region=REGION)
    (policy,) = model.resource_policies
    assert '"aws:SourceVpce": "urn:lambda"' in json.dumps(policy.document)
    assert any("<VpcEndpoint> in policy.policy is lambda" in one for one in model.assumptions)
    assert not model.gaps


def test_an_id_in_a_text_that_could_be_two_stays_open() -> None:
    model = preview_model(
        [ENDPOINT, OTHER_ENDPOINT, invocation(ENDPOINT, OTHER_ENDPOINT)], account=ACCOUNT, region=REGION
    )
    assert any("policy.policy" in gap.reason for gap in model.gaps)


VPC_TYPE, OPEN = "aws:ec2/vpc:Vpc", {"cidrBlock": "10.42.0.0/16", "ipv6CidrBlock": UNKNOWN}


def test_what_nobody_asked_for_is_none() -> None:
    assert asked(VPC_TYPE, {"cidrBlock": "10.42.0.0/16"}, OPEN) == {"cidrBlock": "10.42.0.0/16"}


def test_what_another_input_has_aws_choose_stays_open() -> None:
    assert asked(VPC_TYPE, {"assignGeneratedIpv6CidrBlock": True}, OPEN)["ipv6CidrBlock"] == UNKNOWN


def test_an_unknown_input_is_never_none() -> None:
    assert asked(VPC_TYPE, {"ipv6CidrBlock": UNKNOWN}, OPEN)["ipv6CidrBlock"] == UNKNOWN


PROVIDER = Planned(
    "urn:here", "pulumi:providers:aws", "here", "", {"region": REGION, "allowedAccountIds": f'["{ACCOUNT}"]'}
)


def test_an_arn_that_is_made_of_chosen_names_is_known_before() -> None:
    """Else an alarm that names a topic by its ARN would seem to tell nobody."""
    topic = planned("sns/topic:Topic", "alarms", name="prod-alarms")
    model = preview_model([PROVIDER, topic, VPC])
    assert list(model.watch.topics) == [f"arn:aws:sns:{REGION}:{ACCOUNT}:prod-alarms"]


def test_a_role_under_a_path_has_the_path_in_its_arn() -> None:
    role = planned("iam/role:Role", "job", name="job", path="/teams/")
    key = planned("lambda/function:Function", "f", {"role": ["urn:job"]}, name="f", role=UNKNOWN)
    model = preview_model([PROVIDER, role, key, VPC])
    assert list(model.identities) == [f"arn:aws:iam::{ACCOUNT}:role/teams/job"]
    assert [one.role for one in model.functions.values()] == list(model.identities)


def test_a_policy_hangs_on_a_role_whose_id_is_not_known_yet() -> None:
    """As programs write it: `role: role.id`."""
    role = planned("iam/role:Role", "job", name="job")
    wider = planned(
        "iam/rolePolicy:RolePolicy", "wider", {"role": ["urn:job"]}, role=UNKNOWN, policy='{"Statement": []}'
    )
    model = preview_model([PROVIDER, role, wider, VPC])
    (identity,) = model.identities.values()
    assert [name for name, _ in identity.policies] == ["wider"]


SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"


def test_an_input_that_is_not_known_is_not_taken_for_an_output_of_that_name() -> None:
    """`endpoint` of a cluster is a fact about it; of a subscription it is where messages go."""
    given = asked(SUBSCRIPTION, {"endpoint": UNKNOWN}, {"endpoint": UNKNOWN, "arn": UNKNOWN})
    assert given == {"endpoint": UNKNOWN}
    away = Planned("urn:away", SUBSCRIPTION, "away", "", {**given, "topic": "t"})
    verdict = prove(preview_model([PROVIDER, VPC, away]), ["E4"])["E4"]
    assert isinstance(verdict, Unknown)
    assert any("away.endpoint is not known before the deployment" in one for one in verdict.reasons)


def test_a_default_table_of_an_unknown_vpc_is_no_other_table() -> None:
    kind = "aws:ec2/defaultRouteTable:DefaultRouteTable"
    given = asked(kind, {"defaultRouteTableId": UNKNOWN}, {})
    model = preview_model([PROVIDER, VPC, Planned("urn:main", kind, "main", "", given)])
    assert any("main.defaultRouteTableId is not known" in gap.reason for gap in model.gaps)


def test_what_nobody_asked_for_is_none_on_types_that_were_looked_at_only() -> None:
    assert asked("aws:ec2/vpc:Vpc", {}, {"ipv6CidrBlock": UNKNOWN}) == {}
    assert asked("aws:ec2/defaultVpc:DefaultVpc", {}, {"ipv6CidrBlock": UNKNOWN}) == {"ipv6CidrBlock": UNKNOWN}


def test_only_a_templates_version_may_stay_unknown() -> None:
    template = {"id": "lt-1", "version": UNKNOWN}
    model = preview_model(
        [PROVIDER, VPC, ONE, planned("eks/nodeGroup:NodeGroup", "n", launchTemplate=template, subnetIds=[])]
    )
    assert any("n.launchTemplate is of the version that is planned" in one for one in model.assumptions)
    named = planned("eks/nodeGroup:NodeGroup", "n", scalingConfig={"version": UNKNOWN})
    assert "n.scalingConfig" not in " ".join(preview_model([PROVIDER, VPC, named]).assumptions)


def test_a_group_that_is_not_made_yet_is_found_by_its_urn() -> None:
    """URNs hold slashes and colons; `<account>/<group>` is a group of a peered VPC."""
    urn = "urn:pulumi:dev::x::aws:ec2/securityGroup:SecurityGroup::nodes"
    group = Planned(urn, "aws:ec2/securityGroup:SecurityGroup", "nodes", "", {"egress": [], "ingress": []})
    kind = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    slots = {"securityGroupId": UNKNOWN, "referencedSecurityGroupId": UNKNOWN, "ipProtocol": "-1"}
    rule = Planned(
        "urn:rule", kind, "rule", "", slots, {slot: [urn] for slot in ("securityGroupId", "referencedSecurityGroupId")}
    )
    model = preview_model([PROVIDER, VPC, group, rule])
    assert [one.peer for one in model.groups[urn].rules] == [GroupRef(urn)]


TRUST = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "*"}]})
BOUND = planned("iam/policy:Policy", "bound", policy=json.dumps({"Statement": [DENY]}))
_ROLE = "iam/role:Role"


def test_a_boundary_that_is_not_made_yet_is_the_one_it_depends_on() -> None:
    depends = {"permissionsBoundary": [BOUND.urn]}
    role = planned(_ROLE, "r", depends, assumeRolePolicy=TRUST, permissionsBoundary=UNKNOWN)
    (one,) = preview_model([BOUND, role], account=ACCOUNT, region=REGION).identities.values()
    assert one.boundary == {"Statement": [DENY]}


def test_a_boundary_that_nobody_knows_bounds_nothing_and_opens_nothing() -> None:
    role = planned(_ROLE, "r", assumeRolePolicy=TRUST, permissionsBoundary=UNKNOWN)
    model = preview_model([role], account=ACCOUNT, region=REGION)
    (one,) = model.identities.values()
    assert one.boundary is None
    assert not model.gaps


def test_a_policy_of_the_organization_is_found_by_its_dependencies() -> None:
    kind = "organizations/policyAttachment:PolicyAttachment"
    policy = planned("organizations/policy:Policy", "scp", content=json.dumps({"Statement": [DENY]}))
    attachment = planned(kind, "a", {"policyId": [policy.urn]}, policyId=UNKNOWN, targetId=ACCOUNT)
    (one,) = preview_model([policy, attachment], account=ACCOUNT, region=REGION).ceilings
    assert (one.name, one.kind, one.sure) == ("scp", "service", False)
    unknown = planned(kind, "a", policyId=UNKNOWN, targetId=ACCOUNT)
    assert preview_model([policy, unknown], account=ACCOUNT, region=REGION).ceilings == ()


def test_lists_and_roles_that_nobody_asked_for_are_none() -> None:
    """AWS gives a new bucket no list for others, and an add-on no role; an input that is not known yet stays open."""
    kind = "aws:s3/bucket:Bucket"
    assert asked(kind, {"bucket": "b"}, {"acl": UNKNOWN, "grants": UNKNOWN}) == {"bucket": "b"}
    assert (
        asked("aws:eks/addon:Addon", {}, {"podIdentityAssociations": UNKNOWN, "serviceAccountRoleArn": UNKNOWN}) == {}
    )
    listed = Planned("urn:b", kind, "b", "", asked(kind, {"acl": UNKNOWN}, {}))
    reasons = " ".join(gap.reason for gap in preview_model([PROVIDER, VPC, listed]).gaps)
    assert "b.acl is not known before the deployment" in reasons
