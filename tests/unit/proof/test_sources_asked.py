"""Every property that the sources read has been looked at for what a preview says of it before anything is made.

A property that AWS fills in comes as an unknown output. Read without an entry in `UNASKED`, it makes every claim Unknown
for stacks that ask for nothing there; counted as none without a look, it could hide a way out.
"""

import pytest
from proof_ways_out import CASES, FAMILIES, UNKNOWN
from proof_world import World
from ways_edits import WORLDS, based

from sequester.sources.resource import Resource
from sequester.sources.slots import COMPUTED, READ_WHOLE, UNASKED

# Type → properties that only a program fills in (AWS does not), or of which an unknown output must stay an unknown.
# A new one belongs here or in `UNASKED`: look at the provider's schema for `Computed`, and at docs/proof.md.
ASKED_FOR = {
    "autoscaling/group:Group": "launchTemplate vpcZoneIdentifiers",
    "cloudtrail/trail:Trail": """
        advancedEventSelectors cloudWatchLogsGroupArn cloudWatchLogsRoleArn enableLogging s3BucketName
    """,
    "cloudwatch/eventRule:EventRule": "eventBusName isEnabled name scheduleExpression",
    "cloudwatch/eventTarget:EventTarget": "input inputTransformer rule",
    "cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy": "logGroupName policyDocument",
    "cloudwatch/logGroup:LogGroup": "name",
    "cloudwatch/logMetricFilter:LogMetricFilter": "logGroupName metricTransformation pattern",
    "cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument policyName",
    "cloudwatch/logSubscriptionFilter:LogSubscriptionFilter": "destinationArn",
    "cloudwatch/metricAlarm:MetricAlarm": """
        actionsEnabled alarmActions comparisonOperator datapointsToAlarm dimensions evaluationPeriods
        metricName metricQueries name namespace period statistic threshold treatMissingData unit
    """,
    "ec2/defaultRouteTable:DefaultRouteTable": "vpcId",
    "ec2/defaultSecurityGroup:DefaultSecurityGroup": "vpcId",
    "ec2/eip:Eip": "instanceId networkInterfaceId",
    "ec2/eipAssociation:EipAssociation": "instance networkInterface",
    "ec2/flowLog:FlowLog": "iamRoleArn logDestination logDestinationType maxAggregationInterval trafficType vpcId",
    "ec2/instance:Instance": "mixedInstancesPolicy privateIps secondaryInterfaces sourceDestCheck subnetId subnetIds",
    "ec2/internetGateway:InternetGateway": "vpcEndpointType",
    "ec2/launchTemplate:LaunchTemplate": """
        iamInstanceProfile imageId name networkInterfaces secondaryInterfaces secondaryNetworkInterfaces
        userData vpcSecurityGroupIds
    """,
    "ec2/mainRouteTableAssociation:MainRouteTableAssociation": "routeTableId vpcId",
    "ec2/managedPrefixList:ManagedPrefixList": "entries",
    "ec2/managedPrefixListEntry:ManagedPrefixListEntry": "cidr prefixListId",
    "ec2/natGateway:NatGateway": "subnetId",
    "ec2/networkAclAssociation:NetworkAclAssociation": "networkAclId subnetId",
    "ec2/networkInterface:NetworkInterface": "ipv6Addresses privateIps sourceDestCheck subnetId",
    "ec2/networkInterfaceAttachment:NetworkInterfaceAttachment": "instanceId networkInterfaceId",
    "ec2/routeTable:RouteTable": "vpcId",
    "ec2/routeTableAssociation:RouteTableAssociation": "routeTableId subnetId",
    "ec2/subnet:Subnet": "cidrBlock mapPublicIpOnLaunch tags vpcId",
    "ec2/securityGroup:SecurityGroup": "tags",
    "ec2/vpc:Vpc": "cidrBlock",
    "ec2/vpcDhcpOptions:VpcDhcpOptions": "domainNameServers",
    "ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation": "dhcpOptionsId vpcId",
    "ec2/vpcEndpoint:VpcEndpoint": "serviceName vpcEndpointType vpcId",
    "ec2/vpcEndpointPolicy:VpcEndpointPolicy": "policy vpcEndpointId",
    "ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation": "routeTableId vpcEndpointId",
    "ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": "cidrBlock vpcId",
    "ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation": "routeTableId vpnGatewayId",
    "ecr/repositoryPolicy:RepositoryPolicy": "policy repository",
    "ecs/service:Service": "networkConfiguration taskDefinition",
    "eks/accessEntry:AccessEntry": "clusterName principalArn type",
    "eks/accessPolicyAssociation:AccessPolicyAssociation": "accessScope clusterName policyArn principalArn type",
    "eks/addon:Addon": "addonName clusterName",
    "eks/cluster:Cluster": "accessConfig enabledClusterLogTypes name vpcConfig",
    "eks/nodeGroup:NodeGroup": "clusterName labels launchTemplate mixedInstancesPolicy nodeRoleArn subnetIds taints",
    "eks/podIdentityAssociation:PodIdentityAssociation": "clusterName namespace roleArn serviceAccount targetRoleArn",
    "iam/instanceProfile:InstanceProfile": "name role",
    "iam/policy:Policy": "policy",
    "iam/policyAttachment:PolicyAttachment": "policyArn role roles",
    "iam/role:Role": "assumeRolePolicy name path permissionsBoundary",
    "iam/rolePolicy:RolePolicy": "policy role",
    "iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn role roles",
    "kms/alias:Alias": "name targetKeyId",
    "kms/key:Key": "isEnabled",
    "lambda/alias:Alias": "functionName functionVersion name routingConfig",
    "lambda/eventSourceMapping:EventSourceMapping": "destinationConfig functionName",
    "lambda/function:Function": """
        code codeSigningConfigArn deadLetterConfig environment fileSystemConfig handler imageUri layers name
        memorySize reservedConcurrentExecutions role runtime s3Bucket s3Key timeout version vpcConfig
    """,
    "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "destinationConfig",
    "lambda/functionUrl:FunctionUrl": "functionName",
    "lambda/permission:Permission": """
        action eventSourceToken function functionUrlAuthType principal principalOrgId qualifier sourceAccount sourceArn
    """,
    "lambda/resourcePolicy:ResourcePolicy": "policy resourceArn",
    "organizations/account:Account": "parentId",
    "organizations/organization:Organization": "enabledPolicyTypes masterAccountId",
    "organizations/organizationalUnit:OrganizationalUnit": "parentId",
    "organizations/policy:Policy": "content type",
    "organizations/policyAttachment:PolicyAttachment": "policyId targetId",
    "route53/resolverEndpoint:ResolverEndpoint": "direction ipAddresses",
    "route53/resolverFirewallConfig:ResolverFirewallConfig": "firewallFailOpen resourceId",
    "route53/resolverFirewallDomainList:ResolverFirewallDomainList": "domains",
    "route53/resolverFirewallRule:ResolverFirewallRule": """
        action dnsThreatProtection firewallDomainListId firewallRuleGroupId priority qType
    """,
    "route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation": """
        firewallRuleGroupId priority vpcId
    """,
    "route53/resolverQueryLogConfig:ResolverQueryLogConfig": "destinationArn",
    "route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation": """
        resolverQueryLogConfigId resourceId
    """,
    "route53/resolverRule:ResolverRule": "domainName ruleType",
    "route53/resolverRuleAssociation:ResolverRuleAssociation": "resolverRuleId vpcId",
    "s3/bucket:Bucket": "bucket replicationConfigurations",
    "s3/bucketNotification:BucketNotification": "lambdaFunctions queues topics",
    "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": "bucket rule",
    "s3/bucketObjectv2:BucketObjectv2": "bucket content key",
    "s3/bucketPolicy:BucketPolicy": "bucket policy",
    "s3/bucketVersioning:BucketVersioning": "bucket versioningConfiguration",
    "secretsmanager/secret:Secret": "name",
    "secretsmanager/secretPolicy:SecretPolicy": "policy secretArn",
    "sns/topic:Topic": "kmsMasterKeyId",
    "sns/topicPolicy:TopicPolicy": "policy",
    "sns/topicSubscription:TopicSubscription": "filterPolicy protocol topic",
    "sqs/queue:Queue": "name",
    "sqs/queuePolicy:QueuePolicy": "policy queueUrl",
}


def test_what_is_read_has_been_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read: dict[str, set[str]] = {}
    get = Resource.get

    def seen(self: Resource, key: str) -> object:
        read.setdefault(self.type, set()).add(key)
        return get(self, key)

    monkeypatch.setattr(Resource, "get", seen)
    WORLDS[id(world)] = world
    edits = [(case.base, case.edit) for case in CASES]
    edits += [
        (base, edit) for rows in (UNKNOWN, *(one.HARMLESS for one in FAMILIES)) for _, base, edit in rows.values()
    ]
    for base, edit in edits:
        edit(based(id(world), base)).model()
    assert len(read) > 50, "the tables touch most types"
    new = {
        kind: sorted(keys - UNASKED.get(kind, {}).keys() - COMPUTED - set(ASKED_FOR.get(kind[4:], "").split()))
        for kind, keys in read.items()
        if kind.startswith("aws:") and kind not in READ_WHOLE
    }
    assert {kind: keys for kind, keys in new.items() if keys} == {}


def test_nothing_is_in_both_tables() -> None:
    both = {kind: set(keys) & set(ASKED_FOR.get(kind[4:], "").split()) for kind, keys in UNASKED.items()}
    assert {kind: keys for kind, keys in both.items() if keys} == {}
