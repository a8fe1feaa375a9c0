"""Which resource types the model reads, which have been reviewed and cannot matter, and what all others leave open."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from sequester.proof.facts import mapping
from sequester.proof.model import CLAIMS, Gap
from sequester.sources.resource import Resource, Stack, block

EVERY_CLAIM = frozenset(CLAIMS)

MODELLED = frozenset(
    f"aws:{kind}"
    for kind in (
        "autoscaling/group:Group",
        "cloudtrail/trail:Trail",
        "cloudwatch/compositeAlarm:CompositeAlarm",
        "cloudwatch/eventRule:EventRule",
        "cloudwatch/eventTarget:EventTarget",
        "cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",
        "cloudwatch/logGroup:LogGroup",
        "cloudwatch/logMetricFilter:LogMetricFilter",
        "cloudwatch/logResourcePolicy:LogResourcePolicy",
        "cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
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
        "ec2/networkInterfaceAttachment:NetworkInterfaceAttachment",
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
        "ecr/repositoryPolicy:RepositoryPolicy",
        "ecs/service:Service",
        "eks/accessEntry:AccessEntry",
        "eks/accessPolicyAssociation:AccessPolicyAssociation",
        "eks/addon:Addon",
        "eks/cluster:Cluster",
        "eks/nodeGroup:NodeGroup",
        "eks/podIdentityAssociation:PodIdentityAssociation",
        "guardduty/detectorFeature:DetectorFeature",
        "iam/instanceProfile:InstanceProfile",
        "iam/policy:Policy",
        "iam/policyAttachment:PolicyAttachment",
        "iam/role:Role",
        "iam/rolePoliciesExclusive:RolePoliciesExclusive",
        "iam/rolePolicy:RolePolicy",
        "iam/rolePolicyAttachment:RolePolicyAttachment",
        "iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive",
        "kms/alias:Alias",
        "kms/key:Key",
        "kms/keyPolicy:KeyPolicy",
        "lambda/alias:Alias",
        "lambda/codeSigningConfig:CodeSigningConfig",
        "lambda/eventSourceMapping:EventSourceMapping",
        "lambda/function:Function",
        "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        "lambda/functionUrl:FunctionUrl",
        "lambda/permission:Permission",
        "lambda/resourcePolicy:ResourcePolicy",
        "organizations/account:Account",
        "organizations/organization:Organization",
        "organizations/organizationalUnit:OrganizationalUnit",
        "organizations/policy:Policy",
        "organizations/policyAttachment:PolicyAttachment",
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
        "s3/bucket:Bucket",
        "s3/bucketNotification:BucketNotification",
        "s3/bucketObject:BucketObject",
        "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "s3/bucketObjectv2:BucketObjectv2",
        "s3/bucketPolicy:BucketPolicy",
        "s3/bucketV2:BucketV2",
        "s3/bucketVersioning:BucketVersioning",
        "secretsmanager/secret:Secret",
        "secretsmanager/secretPolicy:SecretPolicy",
        "sns/topic:Topic",
        "sns/topicPolicy:TopicPolicy",
        "sns/topicSubscription:TopicSubscription",
        "sqs/queue:Queue",
        "sqs/queuePolicy:QueuePolicy",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    )
)

# Reviewed twice: they hold data, names, keys or settings. None adds a path for packets, a resolver, an identity, a
# caller or a reader from another account, whatever its properties say. People's users and groups are no sandbox's, and
# nothing here makes their credentials. What is beyond a peering or a transit gateway is outside already: the VPC's own
# routes lead there or not. A provider of identities gives none of ours away: the trust policies that name it do.
IRRELEVANT = frozenset(
    f"aws:{kind}"
    for kind in (
        "accessanalyzer/analyzer:Analyzer",
        "accessanalyzer/archiveRule:ArchiveRule",
        "account/alternativeContact:AlternativeContact",
        "account/primaryContact:PrimaryContact",
        "acm/certificate:Certificate",
        "acm/certificateValidation:CertificateValidation",
        "autoscaling/policy:Policy",
        "autoscaling/schedule:Schedule",
        "backup/vault:Vault",
        "backup/vaultLockConfiguration:VaultLockConfiguration",
        "budgets/budget:Budget",
        "cfg/recorder:Recorder",
        "cfg/recorderStatus:RecorderStatus",
        "cloudfront/cachePolicy:CachePolicy",
        "cloudfront/distribution:Distribution",
        "cloudfront/function:Function",
        "cloudfront/keyGroup:KeyGroup",
        "cloudfront/originAccessControl:OriginAccessControl",
        "cloudfront/publicKey:PublicKey",
        "cloudfront/responseHeadersPolicy:ResponseHeadersPolicy",
        "cloudwatch/dashboard:Dashboard",
        "cloudwatch/logStream:LogStream",
        "cloudwatch/queryDefinition:QueryDefinition",
        "costexplorer/costCategory:CostCategory",
        "dynamodb/contributorInsights:ContributorInsights",
        "dynamodb/table:Table",
        "dynamodb/tableItem:TableItem",
        "ebs/defaultKmsKey:DefaultKmsKey",
        "ebs/encryptionByDefault:EncryptionByDefault",
        "ebs/snapshot:Snapshot",
        "ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess",
        "ebs/volume:Volume",
        "ec2/availabilityZoneGroup:AvailabilityZoneGroup",
        "ec2/capacityReservation:CapacityReservation",
        "ec2/customerGateway:CustomerGateway",
        "ec2/defaultCreditSpecification:DefaultCreditSpecification",
        "ec2/imageBlockPublicAccess:ImageBlockPublicAccess",
        "ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
        "ec2/keyPair:KeyPair",
        "ec2/peeringConnectionOptions:PeeringConnectionOptions",
        "ec2/placementGroup:PlacementGroup",
        "ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion",
        "ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions",
        "ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        "ec2transitgateway/peeringAttachment:PeeringAttachment",
        "ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter",
        "ec2transitgateway/prefixListReference:PrefixListReference",
        "ec2transitgateway/route:Route",
        "ec2transitgateway/routeTable:RouteTable",
        "ec2transitgateway/routeTableAssociation:RouteTableAssociation",
        "ec2transitgateway/routeTablePropagation:RouteTablePropagation",
        "ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter",
        "ecr/lifecyclePolicy:LifecyclePolicy",
        "ecr/registryScanningConfiguration:RegistryScanningConfiguration",
        "ecr/repository:Repository",
        "guardduty/detector:Detector",
        "iam/accountAlias:AccountAlias",
        "iam/accountPasswordPolicy:AccountPasswordPolicy",
        "iam/group:Group",
        "iam/groupMembership:GroupMembership",
        "iam/groupPolicy:GroupPolicy",
        "iam/groupPolicyAttachment:GroupPolicyAttachment",
        "iam/openIdConnectProvider:OpenIdConnectProvider",
        "iam/samlProvider:SamlProvider",
        "iam/serviceLinkedRole:ServiceLinkedRole",
        "iam/user:User",
        "iam/userGroupMembership:UserGroupMembership",
        "iam/userPolicy:UserPolicy",
        "iam/userPolicyAttachment:UserPolicyAttachment",
        "lambda/functionRecursionConfig:FunctionRecursionConfig",
        "lambda/layerVersion:LayerVersion",
        "lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
        "lambda/runtimeManagementConfig:RuntimeManagementConfig",
        "resourcegroups/group:Group",
        "route53/healthCheck:HealthCheck",
        "route53/record:Record",
        "s3/accountPublicAccessBlock:AccountPublicAccessBlock",
        "s3/bucketCorsConfiguration:BucketCorsConfiguration",
        "s3/bucketIntelligentTieringConfiguration:BucketIntelligentTieringConfiguration",
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "s3/bucketMetric:BucketMetric",
        "s3/bucketOwnershipControls:BucketOwnershipControls",
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "secretsmanager/secretVersion:SecretVersion",
        "securityhub/account:Account",
        "securityhub/standardsSubscription:StandardsSubscription",
        "servicequotas/serviceQuota:ServiceQuota",
        "shield/protection:Protection",
        "signer/signingJob:SigningJob",
        "signer/signingProfile:SigningProfile",
        "ssm/parameter:Parameter",
        "ssm/patchBaseline:PatchBaseline",
        "wafv2/ipSet:IpSet",
        "wafv2/webAcl:WebAcl",
        "xray/encryptionConfig:EncryptionConfig",
        "xray/samplingRule:SamplingRule",
    )
)
# Zones answer names of their own to a VPC, past the lists of its firewall.
_NAMES = frozenset(
    {
        "aws:route53/vpcAssociationAuthorization:VpcAssociationAuthorization",
        "aws:route53/zone:Zone",
        "aws:route53/zoneAssociation:ZoneAssociation",
    }
)
# They make nothing by themselves: what they make, or are for, is listed beside them.
_NOTHING = (
    "pulumi:pulumi:",  # the stack, references to other stacks' outputs (which are values here)
    "pulumi:providers:",
    "random:index/",
    "tls:index/",
    "docker-build:index:",  # builds and pushes images
)
# Components whose children are what they read from elsewhere: without any, that was not read.
_OPENED = ("kubernetes:helm.sh/", "kubernetes:yaml", "kubernetes:kustomize")
_RELEASE = "kubernetes:helm.sh/v3:Release"


def gaps(stack: Stack, reviewed: tuple[str, ...] = ()) -> Iterator[Gap]:
    """One gap for each type that nobody has looked at, by name. It could touch every claim."""
    for kind in sorted(set(stack.types())):
        those = [one for one in stack.resources if one.type == kind]
        if kind in MODELLED | IRRELEVANT or kind.startswith(_NOTHING) or _any(kind, reviewed):
            continue
        if kind == _RELEASE:
            yield Gap(EVERY_CLAIM, f"{_names(those)} ({kind}): the objects it makes are not in the plan")
        elif kind.startswith(_OPENED):
            hollow = [one for one in those if not _has_children(stack, one)]
            if hollow:
                yield Gap(EVERY_CLAIM, f"{_names(hollow)} ({kind}): the objects it makes are not in the plan")
        elif kind.startswith("kubernetes:"):
            # A patch, or an object that a provider has not told: what is there then is not in the facts.
            bare = [one for one in those if not one.component and not one.properties.get("kind")]
            patches = those if kind.endswith("Patch") else bare
            if patches:
                yield Gap(EVERY_CLAIM, f"{_names(patches)} ({kind}): what object that makes is not in the facts")
        elif kind in _NAMES:
            yield Gap(frozenset({"E2"}), f"{_names(those)}: which names it answers is not modelled ({kind})")
        elif not all(one.component or _is_nothing(one) for one in those):
            yield Gap(EVERY_CLAIM, f"{_names(those)}: resource type {kind} is neither modelled nor reviewed")


def _is_nothing(one: Resource) -> bool:
    """A component has no id of its own; AWS's own types are no components."""
    return not one.id and not one.type.startswith(("aws:", "aws-native:"))


def _any(kind: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(kind, pattern) for pattern in patterns)


def _has_children(stack: Stack, one: Resource) -> bool:
    """By URN, which holds the types of all parents, or by the parent that the source names."""
    return any(
        other.parent == one.urn or f"{one.type}$" in other.urn
        for other in stack.resources
        if other is not one and one.urn
    )


# Add-ons whose objects are known: none changes pods, admits them, or lets their packets pass by another plugin's rules.
_ADDONS_REVIEWED = frozenset(
    """
    aws-ebs-csi-driver aws-efs-csi-driver coredns eks-node-monitoring-agent eks-pod-identity-agent kube-proxy
    metrics-server snapshot-controller vpc-cni
    """.split()  # noqa: SIM905
)


def service_gaps(stack: Stack, reviewed: tuple[str, ...] = ()) -> Iterator[Gap]:
    """Services that make resources, nodes or objects of their own, which are in nobody's plan.

    reviewed: as for `gaps`; an add-on is `eks/addon/<its name>`.
    """
    for one in stack.of("eks/addon:Addon"):
        addon = one.maybe("addonName")
        if addon not in _ADDONS_REVIEWED and not _any(f"eks/addon/{addon}", reviewed):
            yield Gap(EVERY_CLAIM, f"{one.name}: what add-on {addon or 'without a name'} installs is not in the plan")
    for one in stack.of("eks/cluster:Cluster"):
        if block(one, "computeConfig").get("enabled") not in (None, False):
            yield Gap(EVERY_CLAIM, f"{one.name}: EKS Auto Mode makes nodes, a CNI and a DNS server that are in no plan")
        if block(one, "remoteNetworkConfig"):
            yield Gap(EVERY_CLAIM, f"{one.name}: remote (hybrid) nodes stand in networks that are not in the facts")
    for one in stack.of("guardduty/detectorFeature:DetectorFeature"):
        if "RUNTIME" in one.maybe("name") and one.maybe("status") == "ENABLED":
            what = f"{one.name}: {one.maybe('name')} makes endpoints and add-ons of its own, which are not in the facts"
            yield Gap(frozenset({"E1", "E3"}), what)


def access_gaps(stack: Stack, manifests: Iterable[Mapping[str, object]]) -> Iterator[Gap]:
    """Rights on the cluster by access entry: only those of nodes, and of nobody's sandbox, are plain."""
    nodes = {one.maybe("nodeRoleArn") for one in stack.of("eks/nodeGroup:NodeGroup")}
    pods = {
        one.maybe(key)
        for one in stack.of("eks/podIdentityAssociation:PodIdentityAssociation")
        for key in ("roleArn", "targetRoleArn")
    }
    pods |= {
        one.maybe("role")
        for one in stack.of("lambda/function:Function")
        if not block(one, "vpcConfig").get("subnetIds")
    }
    identity = frozenset({"E4"})
    for one in stack.of("eks/accessEntry:AccessEntry", "eks/accessPolicyAssociation:AccessPolicyAssociation"):
        principal = one.maybe("principalArn")
        node_entry = one.maybe("type").startswith("EC2_") and not one.several("kubernetesGroups")
        if principal in nodes and not node_entry:
            yield Gap(identity, f"{one.name} gives a node's role rights on the cluster beyond a node's own")
        if principal in pods and principal not in nodes:
            yield Gap(identity, f"{one.name} gives rights on the cluster to {principal}, which pods or functions have")
        fields = principal.split(":")
        if len(fields) > 4 and fields[4] != stack.account:
            yield Gap(identity, f"{one.name} gives {principal}, of another account, rights on the cluster")
    for one in manifests:
        meta = mapping(one.get("metadata"), "metadata")
        if one.get("kind") == "ConfigMap" and meta.get("name") == "aws-auth":
            yield Gap(identity, "the aws-auth ConfigMap gives rights on the cluster: it is not modelled")


def _names(those: list[Resource]) -> str:
    names = [one.name for one in those]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
