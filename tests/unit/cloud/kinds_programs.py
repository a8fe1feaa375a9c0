"""Programs that between them use every kind of the table, in ways that a real stack would."""

import base64
import json
from typing import Any

import pulumi
import pulumi_aws as aws

ACCOUNT = "123456789012"


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str) -> str:
    """A role's trust in one service."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def allow(action: str, resource: str = "*", **more: Any) -> str:
    """A document with one statement."""
    return document({"Effect": "Allow", "Action": action, "Resource": resource, **more})


ANYONE: dict[str, Any] = {"Principal": "*"}


def network() -> None:
    """A VPC with everything that can be in one."""
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, tags={"Name": "vpc"})
    aws.ec2.VpcIpv4CidrBlockAssociation("more", vpc_id=vpc.id, cidr_block="10.1.0.0/16")
    subnet = aws.ec2.Subnet("a", vpc_id=vpc.id, cidr_block="10.0.0.0/24", availability_zone="us-east-1a")
    other = aws.ec2.Subnet("b", vpc_id=vpc.id, cidr_block="10.0.1.0/24", availability_zone="us-east-1b")
    aws.ec2.DefaultSecurityGroup("closed", vpc_id=vpc.id, ingress=[], egress=[])
    aws.ec2.DefaultNetworkAcl("closed", default_network_acl_id=vpc.default_network_acl_id)
    aws.ec2.DefaultRouteTable("closed", default_route_table_id=vpc.default_route_table_id, routes=[])
    table = aws.ec2.RouteTable("table", vpc_id=vpc.id)
    aws.ec2.RouteTableAssociation("a", route_table_id=table.id, subnet_id=subnet.id)
    main = aws.ec2.RouteTable("main", vpc_id=vpc.id)
    aws.ec2.MainRouteTableAssociation("main", vpc_id=vpc.id, route_table_id=main.id)
    acl = aws.ec2.NetworkAcl("acl", vpc_id=vpc.id)
    aws.ec2.NetworkAclRule(
        "acl",
        network_acl_id=acl.id,
        rule_number=100,
        protocol="tcp",
        rule_action="allow",
        egress=True,
        cidr_block="10.0.0.0/16",
        from_port=443,
        to_port=443,
    )
    aws.ec2.NetworkAclAssociation("acl", network_acl_id=acl.id, subnet_id=subnet.id)
    options = aws.ec2.VpcDhcpOptions("dhcp", domain_name_servers=["AmazonProvidedDNS"], domain_name="ec2.internal")
    aws.ec2.VpcDhcpOptionsAssociation("dhcp", vpc_id=vpc.id, dhcp_options_id=options.id)
    group = aws.ec2.SecurityGroup("group", name="group", description="g", vpc_id=vpc.id, egress=[], ingress=[])
    rule: dict[str, Any] = {"security_group_id": group.id, "ip_protocol": "tcp", "from_port": 443, "to_port": 443}
    aws.vpc.SecurityGroupEgressRule("out", cidr_ipv4="10.0.0.0/16", **rule)
    aws.vpc.SecurityGroupIngressRule("in", referenced_security_group_id=group.id, **rule)
    aws.ec2.SecurityGroupRule(
        "old",
        type="egress",
        security_group_id=group.id,
        protocol="udp",
        from_port=53,
        to_port=53,
        cidr_blocks=["10.0.0.0/24"],
    )
    lists = aws.ec2.ManagedPrefixList(
        "list", name="list", address_family="IPv4", max_entries=2, entries=[{"cidr": "10.0.0.0/8", "description": "x"}]
    )
    pulumi.export("list", lists.id)

    interface: dict[str, Any] = {"vpc_endpoint_type": "Interface", "vpc_id": vpc.id, "security_group_ids": [group.id]}
    endpoint = aws.ec2.VpcEndpoint(
        "lambda",
        service_name="com.amazonaws.us-east-1.lambda",
        policy=allow("lambda:InvokeFunction", **ANYONE),
        subnet_ids=[subnet.id],
        subnet_configurations=[{"subnet_id": subnet.id, "ipv4": "10.0.0.10"}],
        private_dns_enabled=True,
        **interface,
    )
    logs = aws.ec2.VpcEndpoint("logs", service_name="com.amazonaws.us-east-1.logs", subnet_ids=[subnet.id], **interface)
    aws.ec2.VpcEndpointPolicy("logs", vpc_endpoint_id=logs.id, policy=allow("logs:PutLogEvents", **ANYONE))
    aws.ec2.VpcEndpointSubnetAssociation("logs", vpc_endpoint_id=logs.id, subnet_id=other.id)
    extra = aws.ec2.SecurityGroup("extra", name="extra", vpc_id=vpc.id, egress=[])
    aws.ec2.SecurityGroupAssociation("logs", vpc_endpoint_id=logs.id, security_group_id=extra.id)
    gateway = aws.ec2.VpcEndpoint("s3", vpc_id=vpc.id, service_name="com.amazonaws.us-east-1.s3")
    aws.ec2.VpcEndpointRouteTableAssociation("s3", vpc_endpoint_id=gateway.id, route_table_id=table.id)
    aws.ec2.VpcBlockPublicAccessOptions("bpa", internet_gateway_block_mode="block-bidirectional")
    aws.ec2.VpcBlockPublicAccessExclusion(
        "bpa", vpc_id=vpc.id, internet_gateway_exclusion_mode="allow-egress", tags={"why": "test"}
    )
    aws.ec2.InstanceMetadataDefaults("imds", http_tokens="required", http_put_response_hop_limit=1)
    aws.ec2.NetworkInterface("interface", subnet_id=other.id, security_groups=[extra.id])
    pulumi.export("endpoint", endpoint.id)


def ways_out() -> None:
    """What a sealed network does not have."""
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", assign_generated_ipv6_cidr_block=True)
    subnet = aws.ec2.Subnet("a", vpc_id=vpc.id, cidr_block="10.0.0.0/24", availability_zone="us-east-1a")
    gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id)
    far = aws.ec2.Vpc("far", cidr_block="10.9.0.0/16")
    detached = aws.ec2.InternetGateway("detached")
    aws.ec2.InternetGatewayAttachment("detached", internet_gateway_id=detached.id, vpc_id=far.id)
    address = aws.ec2.Eip("address", domain="vpc")
    nat = aws.ec2.NatGateway("nat", allocation_id=address.id, subnet_id=subnet.id)
    table = aws.ec2.RouteTable("table", vpc_id=vpc.id)
    to: dict[str, Any] = {"route_table_id": table.id}
    aws.ec2.Route("nat", destination_cidr_block="0.0.0.0/0", nat_gateway_id=nat.id, **to)
    v6 = aws.ec2.EgressOnlyInternetGateway("v6", vpc_id=vpc.id)
    aws.ec2.Route("v6", destination_ipv6_cidr_block="::/0", egress_only_gateway_id=v6.id, **to)
    peering = aws.ec2.VpcPeeringConnection("peering", vpc_id=vpc.id, peer_vpc_id=far.id, auto_accept=True)
    aws.ec2.Route("far", destination_cidr_block="10.9.0.0/16", vpc_peering_connection_id=peering.id, **to)
    transit = aws.ec2transitgateway.TransitGateway("transit", description="t")
    aws.ec2transitgateway.VpcAttachment("transit", vpc_id=vpc.id, subnet_ids=[subnet.id], transit_gateway_id=transit.id)
    aws.ec2.Route("transit", destination_cidr_block="10.10.0.0/16", transit_gateway_id=transit.id, **to)
    vpn = aws.ec2.VpnGateway("vpn")
    aws.ec2.VpnGatewayAttachment("vpn", vpn_gateway_id=vpn.id, vpc_id=far.id)
    aws.ec2.CustomerGateway("customer", bgp_asn="65000", ip_address="192.0.2.1", type="ipsec.1")
    aws.ec2.CarrierGateway("carrier", vpc_id=far.id)
    table_with_inline = aws.ec2.RouteTable(
        "inline", vpc_id=vpc.id, routes=[{"cidr_block": "0.0.0.0/0", "gateway_id": gateway.id}]
    )
    pulumi.export("inline", table_with_inline.id)


def names() -> None:
    """DNS Firewall, query logs, rules, zones."""
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
    subnets = [
        aws.ec2.Subnet(z, vpc_id=vpc.id, cidr_block=f"10.0.{n}.0/24", availability_zone=f"us-east-1{z}")
        for n, z in enumerate("ab")
    ]
    group = aws.ec2.SecurityGroup("group", name="group", vpc_id=vpc.id, egress=[])
    log = aws.cloudwatch.LogGroup("dns", name="/dns", retention_in_days=365)
    allowed = aws.route53.ResolverFirewallDomainList("allowed", name="allowed", domains=["example.com"])
    rules = aws.route53.ResolverFirewallRuleGroup("rules", name="rules")
    aws.route53.ResolverFirewallRule(
        "allow",
        name="allow",
        action="ALLOW",
        firewall_domain_list_id=allowed.id,
        firewall_rule_group_id=rules.id,
        priority=100,
    )
    aws.route53.ResolverFirewallRuleGroupAssociation(
        "rules", name="rules", firewall_rule_group_id=rules.id, vpc_id=vpc.id, priority=101
    )
    aws.route53.ResolverFirewallConfig("closed", resource_id=vpc.id, firewall_fail_open="DISABLED")
    aws.route53.ResolverConfig("reverse", resource_id=vpc.id, autodefined_reverse_flag="DISABLE")
    queries = aws.route53.ResolverQueryLogConfig("queries", name="queries", destination_arn=log.arn)
    aws.route53.ResolverQueryLogConfigAssociation(
        "queries", resolver_query_log_config_id=queries.id, resource_id=vpc.id
    )
    outbound = aws.route53.ResolverEndpoint(
        "outbound",
        name="outbound",
        direction="OUTBOUND",
        security_group_ids=[group.id],
        ip_addresses=[{"subnet_id": subnet.id} for subnet in subnets],
    )
    forward = aws.route53.ResolverRule(
        "forward",
        name="forward",
        domain_name="example.test",
        rule_type="FORWARD",
        resolver_endpoint_id=outbound.id,
        target_ips=[{"ip": "192.0.2.53"}],
    )
    aws.route53.ResolverRuleAssociation("forward", name="forward", resolver_rule_id=forward.id, vpc_id=vpc.id)
    zone = aws.route53.Zone("zone", name="example.test", vpcs=[{"vpc_id": vpc.id}])
    aws.route53.Record("record", zone_id=zone.zone_id, name="a.example.test", type="A", ttl=60, records=["10.0.0.9"])


def sight() -> None:
    """Logs, metrics, alarms, trails and findings."""
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
    role = aws.iam.Role("logs", name="logs", assume_role_policy=trust("vpc-flow-logs.amazonaws.com"))
    group = aws.cloudwatch.LogGroup("group", name="/seen", retention_in_days=30, tags={"a": "b"})
    aws.cloudwatch.LogStream("stream", name="stream", log_group_name=group.name)
    aws.ec2.FlowLog(
        "flow",
        vpc_id=vpc.id,
        traffic_type="ALL",
        log_destination=group.arn,
        log_destination_type="cloud-watch-logs",
        iam_role_arn=role.arn,
        log_format="${srcaddr} ${pkt-dstaddr} ${action}",
        max_aggregation_interval=60,
    )
    aws.cloudwatch.LogMetricFilter(
        "rejects",
        name="rejects",
        log_group_name=group.name,
        pattern="[source, destination, action=REJECT]",
        metric_transformation={"name": "rejects", "namespace": "seen", "value": "1"},
    )
    aws.cloudwatch.LogSubscriptionFilter(
        "all",
        name="all",
        log_group=group.name,
        filter_pattern="",
        destination_arn=lambda_function("ship").arn,
        opts=pulumi.ResourceOptions(),
    )
    aws.cloudwatch.LogResourcePolicy(
        "policy",
        policy_name="policy",
        policy_document=allow("logs:PutLogEvents", Principal={"Service": "route53.amazonaws.com"}),
    )
    aws.cloudwatch.LogDataProtectionPolicy(
        "mask", log_group_name=group.name, policy_document=json.dumps({"Name": "mask", "Version": "2021-06-01"})
    )
    aws.cloudwatch.QueryDefinition("query", name="query", query_string="fields @message", log_group_names=[group.name])
    alarm = aws.cloudwatch.MetricAlarm(
        "rejects",
        name="rejects",
        namespace="seen",
        metric_name="rejects",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=1,
        threshold=0,
        period=60,
        statistic="Sum",
        treat_missing_data="notBreaching",
    )
    aws.cloudwatch.CompositeAlarm(
        "any", alarm_name="any", alarm_rule='ALARM("rejects")', opts=pulumi.ResourceOptions(depends_on=[alarm])
    )
    aws.cloudwatch.Dashboard("seen", dashboard_name="seen", dashboard_body='{"widgets": []}')
    rule = aws.cloudwatch.EventRule("findings", name="findings", event_pattern='{"source": ["aws.guardduty"]}')
    topic = aws.sns.Topic("alarms", name="alarms", kms_master_key_id="alias/aws/sns")
    aws.sns.TopicPolicy("alarms", arn=topic.arn, policy=allow("sns:Publish", **ANYONE))
    queue = aws.sqs.Queue("dead", name="dead", message_retention_seconds=1209600, sqs_managed_sse_enabled=True)
    aws.sqs.QueuePolicy("dead", queue_url=queue.url, policy=allow("sqs:SendMessage", **ANYONE))
    aws.sns.TopicSubscription("alarms", topic=topic.arn, protocol="sqs", endpoint=queue.arn)
    aws.cloudwatch.EventTarget("findings", rule=rule.name, target_id="topic", arn=topic.arn)
    bucket = aws.s3.Bucket("trail", bucket="trail-of-tests")
    trail = allow("s3:PutObject", "arn:aws:s3:::trail-of-tests/*", Principal={"Service": "cloudtrail.amazonaws.com"})
    policy = aws.s3.BucketPolicy("trail", bucket=bucket.id, policy=trail)
    aws.cloudtrail.Trail(
        "trail",
        name="trail",
        s3_bucket_name=bucket.id,
        enable_log_file_validation=True,
        advanced_event_selectors=[
            {
                "name": "denied by an endpoint",
                "field_selectors": [
                    {"field": "eventCategory", "equals": ["NetworkActivity"]},
                    {"field": "eventSource", "equals": ["s3.amazonaws.com"]},
                ],
            }
        ],
        opts=pulumi.ResourceOptions(depends_on=[policy]),
    )
    detector = aws.guardduty.Detector("detector", enable=True)
    aws.guardduty.DetectorFeature("runtime", detector_id=detector.id, name="EKS_AUDIT_LOGS", status="ENABLED")


def identities() -> None:
    """Roles, policies, keys, secrets, parameters."""
    role = aws.iam.Role("role", name="role", assume_role_policy=trust("ec2.amazonaws.com"), tags={"a": "b"})
    aws.iam.RolePolicy("own", name="own", role=role.id, policy=allow("s3:GetObject"))
    policy = aws.iam.Policy("policy", name="policy", policy=allow("s3:GetObject"))
    attached = aws.iam.RolePolicyAttachment("policy", role=role.name, policy_arn=policy.arn)
    after = pulumi.ResourceOptions(depends_on=[attached])
    aws.iam.RolePolicyAttachmentsExclusive("only", role_name=role.name, policy_arns=[policy.arn], opts=after)
    aws.iam.RolePoliciesExclusive("only", role_name=role.name, policy_names=["own"], opts=after)
    aws.iam.InstanceProfile("profile", name="profile", role=role.name)
    aws.iam.OpenIdConnectProvider("oidc", url="https://oidc.example.test", client_id_lists=["sts.amazonaws.com"])
    user = aws.iam.User("user", name="user")
    aws.iam.UserPolicy("user", name="user", user=user.name, policy=allow("s3:GetObject"))
    root: dict[str, Any] = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    key = aws.kms.Key("key", description="key", enable_key_rotation=True, policy=allow("kms:*", **root))
    aws.kms.Alias("key", name="alias/key", target_key_id=key.key_id)
    aws.kms.KeyPolicy("key", key_id=key.id, policy=allow("kms:*", **root))
    secret = aws.secretsmanager.Secret("secret", name="secret", kms_key_id=key.arn, recovery_window_in_days=0)
    aws.secretsmanager.SecretVersion("secret", secret_id=secret.id, secret_string=pulumi.Output.secret("hush"))
    aws.secretsmanager.SecretPolicy("secret", secret_arn=secret.arn, policy=allow("secretsmanager:*", **root))
    aws.ssm.Parameter("parameter", name="/parameter", type="String", value="v")


def cluster() -> None:
    """EKS with nodes, access and add-ons; ECR; an instance."""
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
    subnets = [
        aws.ec2.Subnet(z, vpc_id=vpc.id, cidr_block=f"10.0.{n}.0/24", availability_zone=f"us-east-1{z}")
        for n, z in enumerate("ab")
    ]
    group = aws.ec2.SecurityGroup("nodes", name="nodes", vpc_id=vpc.id, egress=[])
    role = aws.iam.Role("cluster", name="cluster", assume_role_policy=trust("eks.amazonaws.com"))
    control = aws.eks.Cluster(
        "cluster",
        name="cluster",
        role_arn=role.arn,
        version="1.34",
        vpc_config={
            "subnet_ids": [subnet.id for subnet in subnets],
            "endpoint_private_access": True,
            "endpoint_public_access": False,
        },
        access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
        enabled_cluster_log_types=["audit"],
        kubernetes_network_config={"service_ipv4_cidr": "172.20.0.0/16", "ip_family": "ipv4"},
        bootstrap_self_managed_addons=False,
    )
    template = aws.ec2.LaunchTemplate(
        "nodes",
        name="nodes",
        user_data=base64.b64encode(b"#!/bin/sh\n").decode(),
        metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 1, "http_endpoint": "enabled"},
        vpc_security_group_ids=[group.id],
        block_device_mappings=[{"device_name": "/dev/xvda", "ebs": {"encrypted": "true", "volume_size": 20}}],
        tag_specifications=[{"resource_type": "instance", "tags": {"a": "b"}}],
        update_default_version=True,
    )
    aws.eks.NodeGroup(
        "nodes",
        cluster_name=control.name,
        node_group_name="nodes",
        node_role_arn=role.arn,
        subnet_ids=[subnet.id for subnet in subnets],
        scaling_config={"min_size": 1, "max_size": 2, "desired_size": 1},
        ami_type="AL2023_x86_64_STANDARD",
        instance_types=["m7i.large"],
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        taints=[{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}],
        update_config={"max_unavailable": 1},
    )
    entry = aws.eks.AccessEntry("entry", cluster_name=control.name, principal_arn=role.arn, kubernetes_groups=["g"])
    aws.eks.AccessPolicyAssociation(
        "entry",
        cluster_name=control.name,
        principal_arn=role.arn,
        policy_arn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
        access_scope={"type": "cluster"},
        opts=pulumi.ResourceOptions(depends_on=[entry]),
    )
    aws.eks.Addon(
        "cni",
        cluster_name=control.name,
        addon_name="vpc-cni",
        addon_version="v1.21.1-eksbuild.1",
        configuration_values='{"enableNetworkPolicy": "true"}',
    )
    aws.eks.PodIdentityAssociation(
        "pods", cluster_name=control.name, namespace="n", service_account="s", role_arn=role.arn
    )
    aws.eks.FargateProfile(
        "fargate",
        cluster_name=control.name,
        fargate_profile_name="fargate",
        pod_execution_role_arn=role.arn,
        subnet_ids=[subnets[0].id],
        selectors=[{"namespace": "n"}],
    )
    repository = aws.ecr.Repository("images", name="images", image_tag_mutability="IMMUTABLE")
    denied: dict[str, Any] = {"Effect": "Deny", "Principal": "*"}
    aws.ecr.RepositoryPolicy(
        "images", repository=repository.name, policy=document({**denied, "Action": "ecr:PutImage"})
    )
    expire: dict[str, Any] = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5},
        "action": {"type": "expire"},
    }
    aws.ecr.LifecyclePolicy("images", repository=repository.name, policy=json.dumps({"rules": [expire]}))
    aws.ecr.RegistryPolicy(
        "registry", policy=document({**denied, "Sid": "none", "Action": "ecr:ReplicateImage", "Resource": "*"})
    )
    aws.ecr.RegistryScanningConfiguration(
        "registry",
        scan_type="ENHANCED",
        rules=[
            {
                "scan_frequency": "SCAN_ON_PUSH",
                "repository_filters": [{"filter": "*", "filter_type": "WILDCARD"}],
            }
        ],
    )
    aws.ecr.PullThroughCacheRule("cache", ecr_repository_prefix="cache", upstream_registry_url="public.ecr.aws")
    aws.ec2.Instance(
        "instance",
        ami="ami-12c6146b",
        instance_type="t3.micro",
        subnet_id=subnets[0].id,
        vpc_security_group_ids=[group.id],
    )


def lambda_function(name: str, **more: Any) -> aws.lambda_.Function:
    """A function with its role."""
    role = aws.iam.Role(name, name=name, assume_role_policy=trust("lambda.amazonaws.com"))
    return aws.lambda_.Function(
        name,
        name=name,
        role=role.arn,
        runtime="python3.12",
        handler="door.handler",
        code=pulumi.AssetArchive({"door.py": pulumi.StringAsset("def handler(event, context): return event")}),
        **more,
    )


def door() -> None:
    """Functions with what guards them, the audit's bucket and tables."""
    profile = aws.signer.SigningProfile("profile", name="profile", platform_id="AWSLambda-SHA384-ECDSA")
    signing = aws.lambda_.CodeSigningConfig(
        "signing",
        allowed_publishers={"signing_profile_version_arns": [profile.version_arn]},
        policies={"untrusted_artifact_on_deployment": "Enforce"},
    )
    function = lambda_function(
        "door",
        publish=True,
        memory_size=256,
        timeout=30,
        reserved_concurrent_executions=5,
        environment={"variables": {"TENANT": "research"}},
        snap_start={"apply_on": "PublishedVersions"},
        logging_config={"log_format": "JSON", "log_group": "/door"},
        code_signing_config_arn=signing.arn,
        architectures=["arm64"],
        tags={"a": "b"},
    )
    alias = aws.lambda_.Alias("live", name="live", function_name=function.name, function_version="1")
    aws.lambda_.ResourcePolicy(
        "door",
        resource_arn=alias.arn,
        policy=document({"Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "*"}),
    )
    aws.lambda_.Permission(
        "logs",
        function=function.name,
        action="lambda:InvokeFunction",
        principal="logs.amazonaws.com",
        statement_id="logs",
    )
    aws.lambda_.FunctionEventInvokeConfig("door", function_name=function.name, maximum_retry_attempts=0)
    aws.lambda_.FunctionRecursionConfig("door", function_name=function.name, recursive_loop="Terminate")
    layer = pulumi.AssetArchive({"python/x.py": pulumi.StringAsset("x = 1")})
    aws.lambda_.LayerVersion("layer", layer_name="layer", code=layer, compatible_runtimes=["python3.12"])
    queue = aws.sqs.Queue("work", name="work")
    aws.lambda_.EventSourceMapping("work", event_source_arn=queue.arn, function_name=function.arn, batch_size=1)

    bucket = aws.s3.Bucket("audit", bucket="audit-of-tests", object_lock_enabled=True, tags={"a": "b"})
    versioned = aws.s3.BucketVersioning("audit", bucket=bucket.id, versioning_configuration={"status": "Enabled"})
    aws.s3.BucketObjectLockConfiguration(
        "audit",
        bucket=bucket.id,
        rule={"default_retention": {"mode": "GOVERNANCE", "days": 1}},
        opts=pulumi.ResourceOptions(depends_on=[versioned]),
    )
    blocks = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    aws.s3.BucketPublicAccessBlock("audit", bucket=bucket.id, **dict[str, Any].fromkeys(blocks, True))
    aws.s3.BucketOwnershipControls("audit", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"})
    aws.s3.BucketServerSideEncryptionConfiguration(
        "audit",
        bucket=bucket.id,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms"}, "bucket_key_enabled": True}],
    )
    aws.s3.BucketLifecycleConfiguration(
        "audit", bucket=bucket.id, rules=[{"id": "old", "status": "Enabled", "expiration": {"days": 400}}]
    )
    aws.s3.BucketPolicy(
        "audit",
        bucket=bucket.id,
        policy=document(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:DeleteObject",
                "Resource": "arn:aws:s3:::audit-of-tests/*",
            }
        ),
    )
    aws.s3.BucketNotification("audit", bucket=bucket.id, eventbridge=True)
    other = aws.s3.Bucket("plain", bucket="plain-of-tests", force_destroy=True)
    service = {"Service": "logging.s3.amazonaws.com"}
    deliver = allow("s3:PutObject", "arn:aws:s3:::plain-of-tests/*", Principal=service)
    delivered = aws.s3.BucketPolicy("plain", bucket=other.id, policy=deliver)
    aws.s3.BucketLogging(
        "plain",
        bucket=other.id,
        target_bucket=other.id,
        target_prefix="log/",
        opts=pulumi.ResourceOptions(depends_on=[delivered]),
    )
    aws.s3.BucketObjectv2("object", bucket=other.id, key="k", content="hello", content_type="text/plain")

    table = aws.dynamodb.Table(
        "budget",
        name="budget",
        billing_mode="PAY_PER_REQUEST",
        hash_key="pk",
        range_key="sk",
        attributes=[{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
        point_in_time_recovery={"enabled": True},
        ttl={"attribute_name": "expires", "enabled": True},
        server_side_encryption={"enabled": True},
    )
    aws.dynamodb.ResourcePolicy(
        "budget", resource_arn=table.arn, policy=allow("dynamodb:GetItem", Principal={"AWS": ACCOUNT})
    )
    item = json.dumps({"pk": {"S": "a"}, "sk": {"S": "b"}})
    aws.dynamodb.TableItem("item", table_name=table.name, hash_key="pk", range_key="sk", item=item)


def viewer() -> None:
    """CloudFront in front of a bucket."""
    bucket = aws.s3.Bucket("viewer", bucket="viewer-of-tests")
    control = aws.cloudfront.OriginAccessControl(
        "control",
        name="control",
        description="control",
        origin_access_control_origin_type="s3",
        signing_behavior="always",
        signing_protocol="sigv4",
    )
    key = aws.cloudfront.PublicKey("key", name="key", comment="key", encoded_key="-----BEGIN PUBLIC KEY-----")
    aws.cloudfront.KeyGroup("keys", name="keys", comment="keys", items=[key.id])
    function = aws.cloudfront.Function("guard", name="guard", runtime="cloudfront-js-2.0", code="function handler(){}")
    headers = aws.cloudfront.ResponseHeadersPolicy(
        "headers",
        name="headers",
        comment="headers",
        security_headers_config={
            "content_security_policy": {"content_security_policy": "default-src 'none'", "override": True},
            "strict_transport_security": {"access_control_max_age_sec": 63072000, "override": True},
        },
    )
    cache = aws.cloudfront.CachePolicy(
        "cache",
        name="cache",
        min_ttl=0,
        parameters_in_cache_key_and_forwarded_to_origin={
            "enable_accept_encoding_gzip": False,
            "cookies_config": {"cookie_behavior": "none"},
            "headers_config": {"header_behavior": "none"},
            "query_strings_config": {"query_string_behavior": "none"},
        },
    )
    request = aws.cloudfront.OriginRequestPolicy(
        "request",
        name="request",
        cookies_config={"cookie_behavior": "none"},
        headers_config={"header_behavior": "none"},
        query_strings_config={"query_string_behavior": "none"},
    )
    aws.cloudfront.Distribution(
        "viewer",
        enabled=True,
        comment="viewer",
        default_root_object="index.html",
        origins=[
            {
                "domain_name": bucket.bucket_regional_domain_name,
                "origin_id": "bucket",
                "origin_access_control_id": control.id,
            }
        ],
        default_cache_behavior={
            "target_origin_id": "bucket",
            "viewer_protocol_policy": "https-only",
            "allowed_methods": ["GET", "HEAD"],
            "cached_methods": ["GET", "HEAD"],
            "cache_policy_id": cache.id,
            "origin_request_policy_id": request.id,
            "response_headers_policy_id": headers.id,
            "function_associations": [{"event_type": "viewer-request", "function_arn": function.arn}],
        },
        restrictions={"geo_restriction": {"restriction_type": "none"}},
        viewer_certificate={"cloudfront_default_certificate": True},
    )


PROGRAMS = (network, ways_out, names, sight, identities, cluster, door, viewer)
