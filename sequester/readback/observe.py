"""What AWS says of one VPC: read by describe calls, typed, and judged nowhere here."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast

from infra.names import Names
from infra.settings import Settings
from infra.settings.addresses import Plan, Tier

Client = Callable[[str], Any]
"""A boto3 client by service name."""


class NotFoundError(LookupError):
    """There is no network to read back."""


@dataclass(frozen=True)
class Layout:
    """What must be known beforehand: whose network it is, and which addresses are which tier's."""

    names: Names
    plan: Plan
    vpc: str | None
    """None: the one that carries the stack's tag."""
    operators: tuple[IPv4Network, ...] = ()
    s3_ranges: tuple[IPv4Network, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Layout":
        """The layout of a stack with these settings."""
        network = settings.network
        return cls(
            Names.of(settings),
            network.plan(),
            network.existing.vpc if network.existing else None,
            settings.cluster.operator_access.cidrs,
            network.s3_ranges,
        )

    def tier(self, cidr: str) -> Tier | None:
        """The tier that a subnet's range belongs to, or None for one that is not of the plan."""
        return next((p.tier for p in self.plan.places.values() if str(p.cidr) == cidr), None)


@dataclass(frozen=True)
class Route:
    """One route. target: `local`, or the id of what it leads to."""

    destination: str
    target: str


@dataclass(frozen=True)
class Table:
    """A route table, and the subnets that are explicitly associated with it."""

    id: str
    main: bool
    subnets: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class SubnetSeen:
    """A subnet; tier is None if the plan has none with its range."""

    id: str
    cidr: str
    zone: str
    tier: Tier | None
    public_ipv4_on_launch: bool
    ipv6_on_launch: bool
    ipv6_cidrs: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A line of a network ACL; protocol as IANA's number, -1 for all; ports inclusive."""

    number: int
    allow: bool
    egress: bool
    cidr: str
    protocol: str
    first_port: int
    last_port: int


@dataclass(frozen=True)
class AclSeen:
    """A network ACL; entries in the order in which they are tried."""

    id: str
    default: bool
    subnets: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class GroupRule:
    """A rule of a security group. peer: a group's name, a prefix list's id or a range."""

    egress: bool
    protocol: str
    first_port: int
    last_port: int
    peer: str
    kind: str


@dataclass(frozen=True)
class GroupSeen:
    """A security group. holders: descriptions of the network interfaces that have it."""

    id: str
    name: str
    rules: tuple[GroupRule, ...]
    holders: tuple[str, ...]


@dataclass(frozen=True)
class EndpointSeen:
    """An endpoint. service: without `com.amazonaws.<region>.`; policy: its document, empty if there is none."""

    id: str
    service: str
    kind: str
    policy: Mapping[str, Any]
    private_dns: bool
    groups: tuple[str, ...]
    addresses: tuple[IPv4Address, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class FlowLogSeen:
    """A flow log of the VPC."""

    traffic: str
    format: str
    log_group: str
    aggregation_seconds: int


@dataclass(frozen=True)
class FirewallRule:
    """A rule of the DNS Firewall; rules of all groups of the VPC, in the order in which they are tried."""

    priority: int
    action: str
    response: str
    domains: tuple[str, ...]


@dataclass(frozen=True)
class LogGroupSeen:
    """A log group; key is the KMS key's ARN."""

    name: str
    key: str | None
    retention_days: int | None


@dataclass(frozen=True)
class KeySeen:
    """A KMS key that log groups use."""

    arn: str
    rotates: bool
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """One VPC and what belongs to it."""

    layout: Layout
    vpc: str
    cidrs: tuple[str, ...]
    ipv6_cidrs: tuple[str, ...]
    dns_support: bool
    resolvers: tuple[str, ...]
    ways_out: Mapping[str, tuple[str, ...]]
    """What could lead out of the VPC, by kind: gateways, peerings, attachments, public addresses."""
    subnets: tuple[SubnetSeen, ...]
    tables: tuple[Table, ...]
    acls: tuple[AclSeen, ...]
    groups: tuple[GroupSeen, ...]
    endpoints: tuple[EndpointSeen, ...]
    flow_logs: tuple[FlowLogSeen, ...]
    firewall: tuple[FirewallRule, ...]
    firewall_fails_open: str
    """`ENABLED`, `DISABLED`, or what else AWS says."""
    resolver_rules: tuple[str, ...]
    query_log_groups: tuple[str, ...]
    log_groups: tuple[LogGroupSeen, ...]
    keys: tuple[KeySeen, ...]
    prefix_lists: Mapping[str, str]
    """Id of each AWS-managed prefix list → its name."""


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
