"""The calls that the live source makes: which action each needs, where its answer is, and which claims hang on it.

One table, so that the rights which `sequester prove --rights` prints are those that are used, no more and no fewer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sequester.sources.types import EVERY_CLAIM

_PACKETS, _NAMES, _EYES = frozenset({"E1", "E3", "E6"}), frozenset({"E2"}), frozenset({"E8"})
_WHO = frozenset({"E4", "E7", "E8"})
_KEPT = frozenset({"E3", "E4", "E7"})
_ENTERS, _RUNS = frozenset({"E4", "E8"}), frozenset({"E7", "E8"})


@dataclass(frozen=True, slots=True)
class Call:
    """`key` is the member of the answer that holds the list (a path with dots); empty where the answer is the thing."""

    key: str
    claims: frozenset[str]
    action: str = ""
    """The IAM action, where it is not the service and the operation's own name."""
    absent: frozenset[str] = frozenset()
    """Error codes that say that there is nothing, and so are answers."""
    optional: bool = False
    """An answer without the key is an empty list: so AWS says it here."""


_NONE = frozenset(
    {
        "NoSuchKey",
        "ObjectLockConfigurationNotFoundError",
        "ReplicationConfigurationNotFoundError",
        "RepositoryPolicyNotFoundException",
        "NoSuchBucketPolicy",
        "ResourceNotFoundException",
        "NoSuchEntity",
        "InvalidVpcID.NotFound",
        "ResourcePolicyNotFound",
    }
)

CALLS: Mapping[str, Call] = {
    "autoscaling.describe_auto_scaling_groups": Call("AutoScalingGroups", _PACKETS | {"E4"}),
    "cloudtrail.describe_trails": Call("trailList", _EYES),
    "cloudtrail.get_event_selectors": Call("", _EYES),
    "cloudtrail.get_trail_status": Call("", _EYES),
    "cloudwatch.describe_alarms": Call("MetricAlarms", _EYES),
    "ec2.describe_client_vpn_endpoints": Call("ClientVpnEndpoints", EVERY_CLAIM),
    "ec2.describe_dhcp_options": Call("DhcpOptions", _NAMES),
    "ec2.describe_flow_logs": Call("FlowLogs", _EYES),
    "ec2.describe_instance_attribute": Call("", _PACKETS),
    "ec2.describe_instances": Call("Reservations", _PACKETS | {"E4"}),
    "ec2.describe_launch_template_versions": Call("LaunchTemplateVersions", _PACKETS | {"E4"}),
    "ec2.describe_managed_prefix_lists": Call("PrefixLists", _PACKETS),
    "ec2.describe_nat_gateways": Call("NatGateways", _PACKETS),
    "ec2.describe_network_acls": Call("NetworkAcls", _PACKETS),
    "ec2.describe_network_interfaces": Call("NetworkInterfaces", _PACKETS),
    "ec2.describe_route_servers": Call("RouteServers", EVERY_CLAIM),
    "ec2.describe_route_tables": Call("RouteTables", _PACKETS),
    "ec2.describe_security_groups": Call("SecurityGroups", _PACKETS),
    "ec2.describe_subnets": Call("Subnets", EVERY_CLAIM),
    "ec2.describe_vpc_endpoints": Call("VpcEndpoints", EVERY_CLAIM),
    "ec2.describe_vpcs": Call("Vpcs", EVERY_CLAIM),
    "ec2.get_managed_prefix_list_entries": Call("Entries", _PACKETS),
    "ecr.describe_repositories": Call("repositories", _KEPT),
    "ecr.get_repository_policy": Call("", _KEPT, absent=_NONE),
    "eks.describe_access_entry": Call("accessEntry", _ENTERS),
    "eks.describe_addon": Call("addon", EVERY_CLAIM),
    "eks.describe_cluster": Call("cluster", EVERY_CLAIM),
    "eks.describe_nodegroup": Call("nodegroup", EVERY_CLAIM),
    "eks.describe_pod_identity_association": Call("association", _WHO),
    "eks.list_access_entries": Call("accessEntries", _ENTERS),
    "eks.list_addons": Call("addons", EVERY_CLAIM),
    "eks.list_associated_access_policies": Call("associatedAccessPolicies", _ENTERS),
    "eks.list_clusters": Call("clusters", EVERY_CLAIM),
    "eks.list_fargate_profiles": Call("fargateProfileNames", EVERY_CLAIM),
    "eks.list_nodegroups": Call("nodegroups", EVERY_CLAIM),
    "eks.list_pod_identity_associations": Call("associations", _WHO),
    "events.list_event_buses": Call("EventBuses", _KEPT | _EYES),
    "events.list_rules": Call("Rules", _KEPT | _EYES),
    "events.list_targets_by_rule": Call("Targets", _KEPT | _EYES),
    "iam.get_account_authorization_details": Call("", _WHO),
    "iam.list_instance_profiles": Call("InstanceProfiles", _WHO),
    "kms.describe_key": Call("", _KEPT | _EYES),
    "kms.get_key_policy": Call("", _KEPT | _EYES),
    "kms.list_aliases": Call("Aliases", _EYES),
    "kms.list_keys": Call("Keys", _KEPT | _EYES),
    "lambda.get_code_signing_config": Call("CodeSigningConfig", frozenset({"E7"})),
    "lambda.get_function_code_signing_config": Call("", frozenset({"E7"}), absent=_NONE),
    "lambda.get_function_configuration": Call("", frozenset({"E7"})),
    "lambda.get_function_concurrency": Call("", _RUNS),
    "lambda.get_policy": Call("", _RUNS, absent=_NONE),
    "lambda.get_resource_policy": Call("", _RUNS, absent=_NONE),
    "lambda.list_aliases": Call("Aliases", _RUNS),
    "lambda.list_event_source_mappings": Call("EventSourceMappings", frozenset({"E7"})),
    "lambda.list_function_url_configs": Call("FunctionUrlConfigs", frozenset({"E7"})),
    "lambda.list_functions": Call("Functions", _WHO),
    "logs.describe_log_groups": Call("logGroups", _KEPT | _EYES),
    "logs.describe_metric_filters": Call("metricFilters", _EYES),
    "logs.describe_resource_policies": Call("resourcePolicies", _KEPT | _EYES),
    "logs.describe_subscription_filters": Call("subscriptionFilters", _KEPT),
    "route53profiles.list_profile_associations": Call("ProfileAssociations", EVERY_CLAIM),
    "route53resolver.list_firewall_configs": Call("FirewallConfigs", _NAMES),
    "route53resolver.list_firewall_domain_lists": Call("FirewallDomainLists", _NAMES),
    "route53resolver.list_firewall_domains": Call("Domains", _NAMES),
    "route53resolver.list_firewall_rule_group_associations": Call("FirewallRuleGroupAssociations", _NAMES),
    "route53resolver.list_firewall_rules": Call("FirewallRules", _NAMES),
    "route53resolver.list_resolver_endpoint_ip_addresses": Call("IpAddresses", _NAMES),
    "route53resolver.list_resolver_endpoints": Call("ResolverEndpoints", _NAMES),
    "route53resolver.list_resolver_query_log_config_associations": Call("ResolverQueryLogConfigAssociations", _EYES),
    "route53resolver.list_resolver_query_log_configs": Call("ResolverQueryLogConfigs", _EYES),
    "route53resolver.list_resolver_rule_associations": Call("ResolverRuleAssociations", _NAMES),
    "route53resolver.list_resolver_rules": Call("ResolverRules", _NAMES),
    "s3.get_bucket_notification_configuration": Call("", _KEPT, action="s3:GetBucketNotification"),
    "s3.get_bucket_policy": Call("", _KEPT, absent=_NONE),
    "s3.get_bucket_replication": Call("", _KEPT, action="s3:GetReplicationConfiguration", absent=_NONE),
    "s3.get_bucket_versioning": Call("", _KEPT),
    "s3.get_object": Call("", frozenset({"E7"}), absent=_NONE),
    "s3.get_object_lock_configuration": Call("", _KEPT, action="s3:GetBucketObjectLockConfiguration", absent=_NONE),
    "s3.list_buckets": Call("Buckets", _KEPT, action="s3:ListAllMyBuckets"),
    "secretsmanager.get_resource_policy": Call("", _KEPT),
    "secretsmanager.list_secrets": Call("SecretList", _KEPT),
    "sns.get_subscription_attributes": Call("", _EYES),
    "sns.get_topic_attributes": Call("", _KEPT | _EYES),
    "sns.list_subscriptions": Call("Subscriptions", _KEPT | _EYES),
    "sns.list_topics": Call("Topics", _KEPT | _EYES),
    "sqs.get_queue_attributes": Call("", _KEPT),
    "sqs.list_queues": Call("QueueUrls", _KEPT, optional=True),
    # AWS lets every identity ask who it is: it needs no right.
    "sts.get_caller_identity": Call("", EVERY_CLAIM, action="sts:GetCallerIdentity"),
    "vpc-lattice.list_service_network_vpc_associations": Call("items", EVERY_CLAIM),
}


def action_of(operation: str) -> str:
    """The IAM action that a call needs: `ec2.describe_vpcs` needs `ec2:DescribeVpcs`."""
    service, method = operation.split(".")
    words = "".join(word.capitalize() for word in method.split("_"))
    return CALLS[operation].action or f"{service}:{words}"


def rights() -> Mapping[str, object]:
    """An IAM policy with exactly the read rights that `sequester prove --source live` uses."""
    statement = {
        "Sid": "SequesterProveReads",
        "Effect": "Allow",
        "Action": sorted({action_of(operation) for operation in CALLS}),
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
