"""Reads one VPC, and what belongs to it, by describe calls."""

import json
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any, cast

from sequester.readback.seen import (
    AclSeen,
    EndpointSeen,
    Entry,
    FirewallRule,
    FlowLogSeen,
    GroupRule,
    GroupSeen,
    KeySeen,
    Layout,
    LogGroupSeen,
    Observed,
    Route,
    SubnetSeen,
    Table,
)

Client = Callable[[str], Any]
"""A boto3 client by service name."""


class NotFoundError(LookupError):
    """There is no network to read back."""


def observe(client: Client, layout: Layout) -> Observed:
    """Read everything that the controls look at. Raises NotFoundError if there is no such VPC."""
    ec2 = client("ec2")
    vpc = _vpc(ec2, layout)
    vpc_id = str(vpc["VpcId"])
    mine = [{"Name": "vpc-id", "Values": [vpc_id]}]
    interfaces = ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]
    log_groups, keys = _log_groups(client, layout)
    rules, fails_open = _firewall(client("route53resolver"), vpc_id)
    return Observed(
        layout=layout,
        vpc=vpc_id,
        cidrs=tuple(a["CidrBlock"] for a in vpc["CidrBlockAssociationSet"]),
        ipv6_cidrs=tuple(a["Ipv6CidrBlock"] for a in vpc.get("Ipv6CidrBlockAssociationSet", [])),
        dns_support=ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"],
        resolvers=_resolvers(ec2, str(vpc["DhcpOptionsId"])),
        ways_out=_ways_out(ec2, vpc_id, interfaces),
        subnets=tuple(_subnet(s, layout) for s in ec2.describe_subnets(Filters=mine)["Subnets"]),
        tables=tuple(_table(t) for t in ec2.describe_route_tables(Filters=mine)["RouteTables"]),
        acls=tuple(_acl(a) for a in ec2.describe_network_acls(Filters=mine)["NetworkAcls"]),
        groups=_groups(ec2, mine, interfaces),
        endpoints=_endpoints(ec2, mine, layout, interfaces),
        flow_logs=_flow_logs(ec2, vpc_id),
        firewall=rules,
        firewall_fails_open=fails_open,
        resolver_rules=_resolver_rules(client("route53resolver"), vpc_id),
        query_log_groups=_query_log_groups(client("route53resolver"), vpc_id),
        log_groups=log_groups,
        keys=keys,
        prefix_lists={p["PrefixListId"]: p["PrefixListName"] for p in ec2.describe_prefix_lists()["PrefixLists"]},
    )


def _vpc(ec2: Any, layout: Layout) -> Mapping[str, Any]:
    tagged = [{"Name": "tag:sequester:stack", "Values": [layout.names.name]}]
    named = [{"Name": "vpc-id", "Values": [layout.vpc]}]
    found = ec2.describe_vpcs(Filters=named if layout.vpc else tagged)["Vpcs"]
    if len(found) != 1:
        what = layout.vpc or f"tag sequester:stack={layout.names.name}"
        raise NotFoundError(f"{len(found)} VPCs have {what}: deploy the stack first, or remove the others")
    return cast("Mapping[str, Any]", found[0])


def _resolvers(ec2: Any, options: str) -> tuple[str, ...]:
    if options == "default":
        return ("AmazonProvidedDNS",)
    found = ec2.describe_dhcp_options(DhcpOptionsIds=[options])["DhcpOptions"][0]["DhcpConfigurations"]
    return tuple(v["Value"] for one in found if one["Key"] == "domain-name-servers" for v in one["Values"])


def _ways_out(ec2: Any, vpc: str, interfaces: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    egress_only = ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"]
    peerings = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    return {
        "internet gateway": _ids(
            ec2.describe_internet_gateways(Filters=attached)["InternetGateways"], "InternetGatewayId"
        ),
        "egress-only internet gateway": tuple(
            one["EgressOnlyInternetGatewayId"]
            for one in egress_only
            if any(a["VpcId"] == vpc for a in one["Attachments"])
        ),
        "NAT gateway": tuple(
            one["NatGatewayId"]
            for one in ec2.describe_nat_gateways(Filters=mine)["NatGateways"]
            if one["State"] != "deleted"
        ),
        "VPN gateway": _ids(ec2.describe_vpn_gateways(Filters=attached)["VpnGateways"], "VpnGatewayId"),
        "transit gateway attachment": tuple(
            one["TransitGatewayAttachmentId"]
            for one in ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]
            if one["VpcId"] == vpc and one["State"] not in ("deleted", "deleting")
        ),
        "peering": tuple(
            one["VpcPeeringConnectionId"]
            for one in peerings
            if vpc in (one["RequesterVpcInfo"].get("VpcId"), one["AccepterVpcInfo"].get("VpcId"))
            and one["Status"]["Code"] not in ("deleted", "rejected", "expired")
        ),
        "public address": tuple(
            i["NetworkInterfaceId"] for i in interfaces if i.get("Association", {}).get("PublicIp")
        ),
    }


def _ids(found: Iterable[Mapping[str, Any]], key: str) -> tuple[str, ...]:
    return tuple(str(one[key]) for one in found)


def _subnet(subnet: Mapping[str, Any], layout: Layout) -> SubnetSeen:
    return SubnetSeen(
        id=subnet["SubnetId"],
        cidr=subnet["CidrBlock"],
        zone=subnet["AvailabilityZone"],
        tier=layout.tier(subnet["CidrBlock"]),
        public_ipv4_on_launch=subnet["MapPublicIpOnLaunch"],
        ipv6_on_launch=subnet.get("AssignIpv6AddressOnCreation", False),
        ipv6_cidrs=tuple(a["Ipv6CidrBlock"] for a in subnet.get("Ipv6CidrBlockAssociationSet", [])),
    )


def _table(table: Mapping[str, Any]) -> Table:
    return Table(
        id=table["RouteTableId"],
        main=any(a.get("Main") for a in table["Associations"]),
        subnets=tuple(a["SubnetId"] for a in table["Associations"] if a.get("SubnetId")),
        routes=tuple(_route(r) for r in table["Routes"]),
    )


def _route(route: Mapping[str, Any]) -> Route:
    """Of the many keys that name a route's target, the one that is set."""
    destination = next(str(v) for k, v in sorted(route.items()) if k.startswith("Destination") and v)
    known = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", "Origin", "State")
    target = next((str(v) for k, v in sorted(route.items()) if k not in known and v), "nothing")
    return Route(destination, target)


def _acl(acl: Mapping[str, Any]) -> AclSeen:
    entries = (
        Entry(
            number=entry["RuleNumber"],
            allow=entry["RuleAction"] == "allow",
            egress=entry["Egress"],
            cidr=entry.get("CidrBlock") or entry.get("Ipv6CidrBlock", ""),
            protocol=str(entry["Protocol"]),
            first_port=entry.get("PortRange", {}).get("From", 0),
            last_port=entry.get("PortRange", {}).get("To", 65535),
        )
        for entry in acl["Entries"]
    )
    return AclSeen(
        id=acl["NetworkAclId"],
        default=acl["IsDefault"],
        subnets=tuple(a["SubnetId"] for a in acl["Associations"]),
        entries=tuple(sorted(entries, key=lambda e: (e.egress, e.number))),
    )


def _groups(ec2: Any, mine: object, interfaces: Iterable[Mapping[str, Any]]) -> tuple[GroupSeen, ...]:
    found = ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
    names = {group["GroupId"]: group["GroupName"] for group in found}
    return tuple(
        GroupSeen(
            id=group["GroupId"],
            name=group["GroupName"],
            rules=tuple(
                rule
                for egress, key in ((False, "IpPermissions"), (True, "IpPermissionsEgress"))
                for permission in group[key]
                for rule in _group_rules(permission, names, egress=egress)
            ),
            holders=tuple(
                str(i.get("Description", ""))
                for i in interfaces
                if any(held["GroupId"] == group["GroupId"] for held in i.get("Groups", []))
            ),
        )
        for group in found
    )


def _group_rules(permission: Mapping[str, Any], names: Mapping[str, str], *, egress: bool) -> Iterable[GroupRule]:
    peers = [
        *(("group", names.get(p["GroupId"], p["GroupId"])) for p in permission.get("UserIdGroupPairs", [])),
        *(("range", p["CidrIp"]) for p in permission.get("IpRanges", [])),
        *(("range", p["CidrIpv6"]) for p in permission.get("Ipv6Ranges", [])),
        *(("prefix list", p["PrefixListId"]) for p in permission.get("PrefixListIds", [])),
    ]
    for kind, peer in peers:
        yield GroupRule(
            egress=egress,
            protocol=permission["IpProtocol"],
            first_port=permission.get("FromPort", 0),
            last_port=permission.get("ToPort", 65535),
            peer=peer,
            kind=kind,
        )


def _endpoints(
    ec2: Any, mine: object, layout: Layout, interfaces: Iterable[Mapping[str, Any]]
) -> tuple[EndpointSeen, ...]:
    addresses = {i["NetworkInterfaceId"]: IPv4Address(i["PrivateIpAddress"]) for i in interfaces}
    return tuple(
        EndpointSeen(
            id=one["VpcEndpointId"],
            service=one["ServiceName"].removeprefix(f"com.amazonaws.{layout.names.region}."),
            kind=one["VpcEndpointType"],
            policy=_document(one.get("PolicyDocument")),
            private_dns=one.get("PrivateDnsEnabled", False),
            groups=tuple(group["GroupId"] for group in one.get("Groups", [])),
            addresses=tuple(addresses[i] for i in one.get("NetworkInterfaceIds", []) if i in addresses),
            tables=tuple(one.get("RouteTableIds", [])),
        )
        for one in ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]
    )


def _document(text: str | None) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(text)) if text else {}


def _flow_logs(ec2: Any, vpc: str) -> tuple[FlowLogSeen, ...]:
    found = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc]}])["FlowLogs"]
    return tuple(
        FlowLogSeen(
            traffic=log["TrafficType"],
            format=log.get("LogFormat", ""),
            log_group=log.get("LogGroupName") or _log_group(log.get("LogDestination", "")),
            aggregation_seconds=int(log.get("MaxAggregationInterval", 600)),
        )
        for log in found
    )


def _log_group(arn: str) -> str:
    return arn.partition(":log-group:")[2].removesuffix(":*")


def _firewall(resolver: Any, vpc: str) -> tuple[tuple[FirewallRule, ...], str]:
    groups = sorted(
        resolver.list_firewall_rule_group_associations(VpcId=vpc)["FirewallRuleGroupAssociations"],
        key=lambda one: one["Priority"],
    )
    rules = [
        FirewallRule(
            priority=rule["Priority"],
            action=rule["Action"],
            response=rule.get("BlockResponse", ""),
            domains=tuple(resolver.list_firewall_domains(FirewallDomainListId=rule["FirewallDomainListId"])["Domains"]),
        )
        for group in groups
        for rule in sorted(
            resolver.list_firewall_rules(FirewallRuleGroupId=group["FirewallRuleGroupId"])["FirewallRules"],
            key=lambda one: one["Priority"],
        )
    ]
    configs = resolver.list_firewall_configs()["FirewallConfigs"]
    # Without a configuration of its own a VPC has AWS's default, which is DISABLED: but nobody has said so.
    fails_open = next((c["FirewallFailOpen"] for c in configs if c["ResourceId"] == vpc), "not stated")
    return tuple(rules), fails_open


def _resolver_rules(resolver: Any, vpc: str) -> tuple[str, ...]:
    found = resolver.list_resolver_rule_associations()["ResolverRuleAssociations"]
    return tuple(one["ResolverRuleId"] for one in found if one["VPCId"] == vpc)


def _query_log_groups(resolver: Any, vpc: str) -> tuple[str, ...]:
    associated = {
        one["ResolverQueryLogConfigId"]
        for one in resolver.list_resolver_query_log_config_associations()["ResolverQueryLogConfigAssociations"]
        if one["ResourceId"] == vpc
    }
    configs = resolver.list_resolver_query_log_configs()["ResolverQueryLogConfigs"]
    return tuple(_log_group(one["DestinationArn"]) for one in configs if one["Id"] in associated)


def _log_groups(client: Client, layout: Layout) -> tuple[tuple[LogGroupSeen, ...], tuple[KeySeen, ...]]:
    logs, kms = client("logs"), client("kms")
    names = layout.names
    prefixes = (f"/sequester/{names.name}/", names.cluster_log_group, f"/aws/lambda/{names.name}-")
    found = [
        LogGroupSeen(one["logGroupName"], one.get("kmsKeyId"), one.get("retentionInDays"))
        for prefix in prefixes
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        for one in page["logGroups"]
    ]
    keys = [
        KeySeen(
            arn,
            kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"],
            _document(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]),
        )
        for arn in sorted({one.key for one in found if one.key})
    ]
    return tuple(found), tuple(keys)
