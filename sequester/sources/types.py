"""Which resource types the model reads, which have been reviewed and cannot matter, and what all others leave open."""

from collections.abc import Iterable, Iterator, Mapping

from sequester.proof.facts import items, mapping
from sequester.proof.model import CLAIMS, Gap
from sequester.sources.resource import Stack

EVERY_CLAIM = frozenset(CLAIMS)

MODELLED = frozenset(
    f"aws:{kind}"
    for kind in (
        "autoscaling/group:Group",
        "cloudtrail/trail:Trail",
        "cloudwatch/compositeAlarm:CompositeAlarm",
        "cloudwatch/logMetricFilter:LogMetricFilter",
        "cloudwatch/metricAlarm:MetricAlarm",
        "ec2/defaultNetworkAcl:DefaultNetworkAcl",
        "ec2/defaultRouteTable:DefaultRouteTable",
        "ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "ec2/defaultVpc:DefaultVpc",
        "ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
        "ec2/eip:Eip",
        "ec2/eipAssociation:EipAssociation",
        "ec2/flowLog:FlowLog",
        "ec2/instance:Instance",
        "ec2/internetGateway:InternetGateway",
        "ec2/internetGatewayAttachment:InternetGatewayAttachment",
        "ec2/launchTemplate:LaunchTemplate",
        "ec2/mainRouteTableAssociation:MainRouteTableAssociation",
        "ec2/managedPrefixList:ManagedPrefixList",
        "ec2/managedPrefixListEntry:ManagedPrefixListEntry",
        "ec2/natGateway:NatGateway",
        "ec2/networkAcl:NetworkAcl",
        "ec2/networkAclAssociation:NetworkAclAssociation",
        "ec2/networkAclRule:NetworkAclRule",
        "ec2/networkInterface:NetworkInterface",
        "ec2/route:Route",
        "ec2/routeTable:RouteTable",
        "ec2/routeTableAssociation:RouteTableAssociation",
        "ec2/securityGroup:SecurityGroup",
        "ec2/securityGroupRule:SecurityGroupRule",
        "ec2/subnet:Subnet",
        "ec2/vpc:Vpc",
        "ec2/vpcDhcpOptions:VpcDhcpOptions",
        "ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation",
        "ec2/vpcEndpoint:VpcEndpoint",
        "ec2/vpcEndpointPolicy:VpcEndpointPolicy",
        "ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
        "ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation",
        "ec2/vpcIpv6CidrBlockAssociation:VpcIpv6CidrBlockAssociation",
        "ec2/vpcPeeringConnection:VpcPeeringConnection",
        "ec2/vpnGateway:VpnGateway",
        "ec2/vpnGatewayAttachment:VpnGatewayAttachment",
        "ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation",
        "ec2transitgateway/transitGateway:TransitGateway",
        "ec2transitgateway/vpcAttachment:VpcAttachment",
        "ecs/service:Service",
        "eks/accessEntry:AccessEntry",
        "eks/accessPolicyAssociation:AccessPolicyAssociation",
        "eks/addon:Addon",
        "eks/cluster:Cluster",
        "eks/nodeGroup:NodeGroup",
        "eks/podIdentityAssociation:PodIdentityAssociation",
        "iam/instanceProfile:InstanceProfile",
        "iam/policy:Policy",
        "iam/role:Role",
        "iam/rolePoliciesExclusive:RolePoliciesExclusive",
        "iam/rolePolicy:RolePolicy",
        "iam/rolePolicyAttachment:RolePolicyAttachment",
        "iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive",
        "lambda/eventSourceMapping:EventSourceMapping",
        "lambda/function:Function",
        "lambda/functionUrl:FunctionUrl",
        "lambda/permission:Permission",
        "lambda/resourcePolicy:ResourcePolicy",
        "route53/resolverConfig:ResolverConfig",
        "route53/resolverEndpoint:ResolverEndpoint",
        "route53/resolverFirewallConfig:ResolverFirewallConfig",
        "route53/resolverFirewallDomainList:ResolverFirewallDomainList",
        "route53/resolverFirewallRule:ResolverFirewallRule",
        "route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup",
        "route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
        "route53/resolverQueryLogConfig:ResolverQueryLogConfig",
        "route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
        "route53/resolverRule:ResolverRule",
        "route53/resolverRuleAssociation:ResolverRuleAssociation",
        "s3/bucketPolicy:BucketPolicy",
        "sns/topic:Topic",
        "sns/topicSubscription:TopicSubscription",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    )
)

# Reviewed: they hold data, names, keys or settings; none adds a path for packets, a resolver, an identity or a caller.
IRRELEVANT = frozenset(
    f"aws:{kind}"
    for kind in (
        "cloudfront/cachePolicy:CachePolicy",
        "cloudfront/distribution:Distribution",
        "cloudfront/function:Function",
        "cloudfront/keyGroup:KeyGroup",
        "cloudfront/originAccessControl:OriginAccessControl",
        "cloudfront/publicKey:PublicKey",
        "cloudfront/responseHeadersPolicy:ResponseHeadersPolicy",
        "cloudwatch/dashboard:Dashboard",
        "cloudwatch/eventRule:EventRule",
        "cloudwatch/eventTarget:EventTarget",
        "cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",
        "cloudwatch/logGroup:LogGroup",
        "cloudwatch/logResourcePolicy:LogResourcePolicy",
        "cloudwatch/logStream:LogStream",
        "cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
        "cloudwatch/queryDefinition:QueryDefinition",
        "dynamodb/table:Table",
        "dynamodb/tableItem:TableItem",
        "ec2/customerGateway:CustomerGateway",
        "ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
        "ec2/keyPair:KeyPair",
        "ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion",
        "ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions",
        "ecr/lifecyclePolicy:LifecyclePolicy",
        "ecr/registryScanningConfiguration:RegistryScanningConfiguration",
        "ecr/repository:Repository",
        "guardduty/detector:Detector",
        "guardduty/detectorFeature:DetectorFeature",
        "kms/alias:Alias",
        "kms/key:Key",
        "lambda/alias:Alias",
        "lambda/codeSigningConfig:CodeSigningConfig",
        "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        "lambda/layerVersion:LayerVersion",
        "lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
        "route53/record:Record",
        "s3/bucket:Bucket",
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "s3/bucketNotification:BucketNotification",
        "s3/bucketObject:BucketObject",
        "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "s3/bucketObjectv2:BucketObjectv2",
        "s3/bucketOwnershipControls:BucketOwnershipControls",
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "s3/bucketV2:BucketV2",
        "s3/bucketVersioning:BucketVersioning",
        "secretsmanager/secret:Secret",
        "secretsmanager/secretPolicy:SecretPolicy",
        "secretsmanager/secretVersion:SecretVersion",
        "signer/signingJob:SigningJob",
        "signer/signingProfile:SigningProfile",
        "sns/topicPolicy:TopicPolicy",
        "sqs/queue:Queue",
        "sqs/queuePolicy:QueuePolicy",
        "ssm/parameter:Parameter",
    )
)
# Providers and components make nothing themselves: what they make is listed beside them.
_NOT_RESOURCES = ("pulumi:", "sequester:index:", "random:", "tls:", "command:local")


def gaps(stack: Stack) -> Iterator[Gap]:
    """One gap for each type that nobody has looked at, by name. It could touch every claim."""
    for kind in sorted(set(stack.types())):
        if kind in MODELLED or kind in IRRELEVANT or kind.startswith(_NOT_RESOURCES):
            continue
        if kind.startswith("kubernetes:"):
            if kind in _UNOPENED:
                yield Gap(EVERY_CLAIM, f"{_names(stack, kind)} ({kind}): the objects it makes are not in the plan")
            continue
        if not kind.startswith("aws") and _is_component(stack, kind):
            continue
        yield Gap(EVERY_CLAIM, f"{_names(stack, kind)}: resource type {kind} is neither modelled nor reviewed")


_UNOPENED = frozenset({"kubernetes:helm.sh/v3:Release", "kubernetes:helm.sh/v4:Chart", "kubernetes:yaml:ConfigFile"})


# Kinds that overrule network policies or give pods other interfaces and groups; only their denials are sure to be safe.
_ABOVE_POLICIES = frozenset({"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"})
_OTHER_NETWORKS = frozenset({"ENIConfig", "SecurityGroupPolicy", "NetworkAttachmentDefinition", "CiliumNetworkPolicy"})


def manifest_gaps(manifests: Iterable[Mapping[str, object]]) -> Iterator[Gap]:
    """Kubernetes objects that can let pods' packets pass, in ways that the model does not follow."""
    packets = frozenset({"E1", "E2", "E6"})
    for one in manifests:
        kind = str(one.get("kind"))
        name = str(mapping(one.get("metadata"), kind).get("name"))
        if kind in _OTHER_NETWORKS:
            yield Gap(packets, f"{kind} {name} gives pods another network: it is not modelled")
        elif kind in _ABOVE_POLICIES:
            spec = mapping(one.get("spec"), name)
            rules = [*items(spec.get("egress"), name), *items(spec.get("ingress"), name)]
            if any(mapping(rule, name).get("action") != "Deny" for rule in rules):
                yield Gap(packets, f"{kind} {name} has a rule that does not deny: it may overrule network policies")


def access_gaps(stack: Stack) -> Iterator[Gap]:
    """Rights on the cluster by access entry: only those of nodes, and of nobody's sandbox, are plain."""
    nodes = {one.maybe("nodeRoleArn") for one in stack.of("eks/nodeGroup:NodeGroup")}
    for one in stack.of("eks/accessEntry:AccessEntry", "eks/accessPolicyAssociation:AccessPolicyAssociation"):
        node_entry = one.maybe("type").startswith("EC2_") and not one.several("kubernetesGroups")
        if one.maybe("principalArn") in nodes and not node_entry:
            yield Gap(frozenset({"E4"}), f"{one.name} gives a node's role rights on the cluster beyond a node's own")


def _is_component(stack: Stack, kind: str) -> bool:
    """A component has no id of its own."""
    return all(not one.id for one in stack.resources if one.type == kind)


def _names(stack: Stack, kind: str) -> str:
    names = [one.name for one in stack.resources if one.type == kind]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
