"""What a value that a preview does not know yet may stand for: the tables that preview.py goes by.

A slot is a property that holds another resource's id, name or ARN. Everything that is in no table stays unknown.
"""

from collections.abc import Mapping

# Property → the last part of the types whose id may stand there. A name means the same on every type that we read.
_SLOTS: Mapping[str, tuple[str, ...]] = {
    "vpcId": ("Vpc",),
    "resourceId": ("Vpc",),
    "subnetId": ("Subnet",),
    "subnetIds": ("Subnet",),
    "routeTableId": ("RouteTable", "DefaultRouteTable"),
    "routeTableIds": ("RouteTable", "DefaultRouteTable"),
    "networkAclId": ("NetworkAcl",),
    "securityGroupId": ("SecurityGroup",),
    "securityGroupIds": ("SecurityGroup",),
    "securityGroups": ("SecurityGroup",),
    "vpcSecurityGroupIds": ("SecurityGroup",),
    "referencedSecurityGroupId": ("SecurityGroup",),
    "vpcEndpointId": ("VpcEndpoint",),
    "natGatewayId": ("NatGateway",),
    "gatewayId": ("InternetGateway", "VpnGateway"),
    "egressOnlyGatewayId": ("EgressOnlyInternetGateway",),
    "dhcpOptionsId": ("VpcDhcpOptions",),
    "firewallRuleGroupId": ("ResolverFirewallRuleGroup",),
    "firewallDomainListId": ("ResolverFirewallDomainList",),
    "resolverQueryLogConfigId": ("ResolverQueryLogConfig",),
    "resolverRuleId": ("ResolverRule",),
    "id": ("LaunchTemplate",),
    "role": ("Role",),
    "roleArn": ("Role",),
    "nodeRoleArn": ("Role",),
    "iamRoleArn": ("Role",),
    "policyArn": ("Policy",),
    "permissionsBoundary": ("Policy",),
    "policyId": ("Policy",),
    "targetId": ("Account", "OrganizationalUnit"),
    "targetKeyId": ("Key",),
    "parentId": ("OrganizationalUnit",),
    "bucket": ("Bucket", "BucketV2"),
    "logDestination": ("LogGroup",),
    "destinationArn": ("LogGroup",),
    "cloudWatchLogsGroupArn": ("LogGroup",),
    "logGroupName": ("LogGroup",),
    "alarmActions": ("Topic",),
    "functionName": ("Function",),
    "codeSigningConfigArn": ("CodeSigningConfig",),
    "clusterName": ("Cluster",),
    "kmsKeyId": ("Key",),
    "kmsMasterKeyId": ("Key",),
}
# Likewise where the name alone does not say it: on other types it is an output, or something else.
_SLOTS_OF: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("aws:cloudwatch/eventTarget:EventTarget", "arn"): ("Function", "LogGroup", "Queue", "Topic"),
    ("aws:lambda/permission:Permission", "function"): ("Function",),
    ("aws:sns/topicPolicy:TopicPolicy", "arn"): ("Topic",),
    ("aws:sns/topicSubscription:TopicSubscription", "endpoint"): ("Function", "Queue"),
    ("aws:sns/topicSubscription:TopicSubscription", "topic"): ("Topic",),
}
# Slots that hold a name, not an id; `role` does where IAM's own types say which role something hangs on.
_NAMED = frozenset({"bucket", "clusterName", "function", "functionName", "logGroupName"})
# Slots that hold an ARN. What is not in `ARNS` below does not fit, for nobody can say what would stand there.
_BY_ARN = frozenset(
    """
    alarmActions arn cloudWatchLogsGroupArn destinationArn endpoint iamRoleArn logDestination nodeRoleArn role roleArn
    topic
    """.split()  # noqa: SIM905  (a list of words reads better than a column)
)
# Types whose ARN is made of account, region and name, which are chosen: it is known before there is anything.
ARNS: Mapping[str, str] = {
    "aws:cloudwatch/logGroup:LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "aws:iam/role:Role": "arn:aws:iam::{account}:role{path}{name}",
    "aws:lambda/function:Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{bucket}",
    "aws:s3/bucketV2:BucketV2": "arn:aws:s3:::{bucket}",
    "aws:sns/topic:Topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws:sqs/queue:Queue": "arn:aws:sqs:{region}:{account}:{name}",
}
# Outputs of the VPC and of gateway endpoints that relations are made by: what each is called in the model.
DERIVED = {"defaultRouteTableId": "main:{}", "defaultNetworkAclId": "default-acl:{}", "prefixListId": "pl of {}"}

_IPV6 = ("assignGeneratedIpv6CidrBlock", "ipv6IpamPoolId", "ipv6NetmaskLength", "ipv6Pool")
_OF_BUCKETS: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    ("acl", "grants", "objectLockEnabled", "policy", "replicationConfiguration", "versioning"), ()
)
# Type → output that AWS fills → the inputs that have it filled. With none of them it stays empty, holds the documented
# default, or repeats what other resources of the plan say. docs/proof.md says why none of these can hide a way out.
UNASKED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "aws:autoscaling/group:Group": {"mixedInstancesPolicy": ()},
    "aws:cloudtrail/trail:Trail": {"kmsKeyId": ()},
    "aws:cloudwatch/logGroup:LogGroup": {"kmsKeyId": (), "logGroupClass": ()},
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": {"egress": (), "ingress": (), "subnetIds": ()},
    "aws:ec2/defaultRouteTable:DefaultRouteTable": {"propagatingVgws": (), "routes": ()},
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {"egress": (), "ingress": ()},
    "aws:ec2/eip:Eip": {"instance": (), "networkInterface": ()},
    "aws:ec2/eipAssociation:EipAssociation": {"instanceId": (), "networkInterfaceId": ()},
    "aws:ec2/flowLog:FlowLog": {"logFormat": ()},
    "aws:ec2/instance:Instance": {
        "associatePublicIpAddress": (),
        "iamInstanceProfile": (),
        "launchTemplate": (),
        "metadataOptions": (),
        "networkInterfaces": (),
        "primaryNetworkInterface": (),
        "primaryNetworkInterfaceId": (),
        "publicIp": (),
        "secondaryNetworkInterfaces": (),
        "securityGroups": (),
        "userData": (),
        "userDataBase64": (),
        "vpcSecurityGroupIds": (),
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {"metadataOptions": ()},
    "aws:ec2/natGateway:NatGateway": {"connectivityType": (), "networkInterfaceId": (), "vpcId": ()},
    "aws:ec2/networkAcl:NetworkAcl": {"egress": (), "ingress": (), "subnetIds": ()},
    "aws:ec2/networkInterface:NetworkInterface": {"attachments": (), "securityGroups": ()},
    "aws:ec2/routeTable:RouteTable": {"propagatingVgws": (), "routes": ()},
    "aws:ec2/securityGroup:SecurityGroup": {"egress": (), "ingress": ()},
    "aws:ec2/subnet:Subnet": {"ipv6CidrBlock": _IPV6},
    "aws:ec2/vpc:Vpc": {"ipv6CidrBlock": _IPV6},
    "aws:ec2/vpcEndpoint:VpcEndpoint": {
        "policy": (),
        "prefixListId": (),
        "routeTableIds": (),
        "subnetConfigurations": ("subnetMappings",),
        "securityGroupIds": ("subnetIds", "subnetConfigurations", "subnetMappings"),
        "subnetIds": ("subnetConfigurations",),
    },
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": {"ipv6CidrBlock": ()},
    "aws:eks/accessEntry:AccessEntry": {"kubernetesGroups": ()},
    "aws:eks/addon:Addon": {
        "configurationValues": (),
        "namespace": (),
        "podIdentityAssociations": (),
        "serviceAccountRoleArn": (),
    },
    "aws:eks/cluster:Cluster": {
        "computeConfig": (),
        "kubernetesNetworkConfig": (),
        "remoteNetworkConfig": (),
    },
    "aws:eks/nodeGroup:NodeGroup": {"amiType": ()},
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": {"policy": ()},
    "aws:iam/role:Role": {"inlinePolicies": (), "managedPolicyArns": ()},
    "aws:kms/key:Key": {"policy": ()},
    "aws:lambda/function:Function": {"loggingConfig": ()},
    "aws:s3/bucket:Bucket": _OF_BUCKETS,
    "aws:s3/bucketObject:BucketObject": {"acl": ()},
    "aws:s3/bucketObjectv2:BucketObjectv2": {"acl": ()},
    "aws:s3/bucketV2:BucketV2": _OF_BUCKETS,
    "aws:secretsmanager/secret:Secret": {"kmsKeyId": (), "policy": ()},
    "aws:sns/topic:Topic": {"policy": ()},
    "aws:sqs/queue:Queue": {"policy": ()},
}
# What only AWS can know, and no claim asks: the identities of things, times, states. As an output: several of these are
# another type's inputs (an event target's `arn` is where events go), and an input is never passed over.
COMPUTED = frozenset(
    """
    arn certificateAuthorities certificateAuthority createdAt defaultNetworkAclId defaultRouteTableId
    defaultSecurityGroupId defaultVersion dnsEntries endpoint id kubeconfig latestVersion
    mainRouteTableId modifiedAt networkInterfaceIds ownerId
    state status tagsAll
    """.split()  # noqa: SIM905
)
# A rule or route is what was asked for: what AWS has yet to answer adds nothing.
READ_WHOLE = frozenset(
    f"aws:{kind}"
    for kind in (
        "ec2/networkAclRule:NetworkAclRule",
        "ec2/route:Route",
        "ec2/securityGroupRule:SecurityGroupRule",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    )
)


def targets(kind: str, slot: str) -> tuple[str, ...]:
    """The last parts of the types that may stand in a slot of a type; none where it is no slot."""
    return _SLOTS_OF.get((kind, slot)) or _SLOTS.get(slot, ())


def written(kind: str, slot: str, target: str) -> str | None:
    """How a resource of type `target` is written in a slot: a form with places for its properties; None: by its id."""
    if slot in _NAMED or (slot == "role" and kind.startswith("aws:iam/")):
        return "{bucket}" if target.startswith("aws:s3/") else "{name}"
    if slot in _BY_ARN:
        form = ARNS.get(target, "")
        return f"{form}:*" if slot == "cloudWatchLogsGroupArn" and form else form
    return None


SLOTS = frozenset(_SLOTS)
"""Every slot that is one on any type: those that are looked for inside of blocks."""
