"""Route 53: DNS Firewall, Resolver query logs, rules and endpoints, hosted zones."""

from typing import cast

from sequester.cloud.api import Aws
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props

_ASKED = {"CreatorRequestId": "sequester"}


@code(takes="domains")
def put_domains(aws: Aws, state: Props) -> None:
    """A list's domains are a call of their own; AWS answers them with the dot that ends a name."""
    domains = [str(name).rstrip(".") + "." for name in cast(list[str], state.get("domains") or [])]
    aws.call(
        "route53resolver.update_firewall_domains",
        FirewallDomainListId=state["id"],
        Operation="REPLACE",
        Domains=domains,
    )


DOMAIN_LIST = Kind(
    "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList",
    create=Call(
        "route53resolver.create_firewall_domain_list",
        fixed=_ASKED,
        at="FirewallDomainList",
        outputs={"id": "Id"},
        only=("name", "tags"),
    ),
    read=Call(
        "route53resolver.get_firewall_domain_list",
        fixed={"FirewallDomainListId": "{id}"},
        at="FirewallDomainList",
        only=(),
    ),
    changes=(put_domains,),
    delete=Call("route53resolver.delete_firewall_domain_list", fixed={"FirewallDomainListId": "{id}"}, only=()),
    declared_only=True,
)
RULE_GROUP = Kind(
    "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup",
    create=Call(
        "route53resolver.create_firewall_rule_group", fixed=_ASKED, at="FirewallRuleGroup", outputs={"id": "Id"}
    ),
    read=Call(
        "route53resolver.get_firewall_rule_group",
        fixed={"FirewallRuleGroupId": "{id}"},
        at="FirewallRuleGroup",
        only=(),
    ),
    delete=Call("route53resolver.delete_firewall_rule_group", fixed={"FirewallRuleGroupId": "{id}"}, only=()),
    declared_only=True,
)
RULE = Kind(
    "aws:route53/resolverFirewallRule:ResolverFirewallRule",
    create=Call("route53resolver.create_firewall_rule", fixed=_ASKED, at="FirewallRule", names={"qType": "Qtype"}),
    changes=(
        Call(
            "route53resolver.update_firewall_rule",
            fixed={
                "FirewallRuleGroupId": "{firewallRuleGroupId}",
                "FirewallDomainListId": "{firewallDomainListId}",
            },
            only=("action", "priority", "name", "blockResponse"),
        ),
    ),
    delete=Call("route53resolver.delete_firewall_rule", only=("firewallRuleGroupId", "firewallDomainListId")),
    id="{firewallRuleGroupId}:{firewallDomainListId}",
    absent=frozenset({"firewallThreatProtectionId"}),
    declared_only=True,
)
RULE_GROUP_ASSOCIATION = Kind(
    "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
    create=Call(
        "route53resolver.associate_firewall_rule_group",
        fixed=_ASKED,
        at="FirewallRuleGroupAssociation",
        outputs={"id": "Id"},
    ),
    read=Call(
        "route53resolver.get_firewall_rule_group_association",
        fixed={"FirewallRuleGroupAssociationId": "{id}"},
        at="FirewallRuleGroupAssociation",
        only=(),
    ),
    changes=(
        Call(
            "route53resolver.update_firewall_rule_group_association",
            fixed={"FirewallRuleGroupAssociationId": "{id}"},
            only=("priority", "mutationProtection", "name"),
        ),
    ),
    delete=Call(
        "route53resolver.disassociate_firewall_rule_group",
        fixed={"FirewallRuleGroupAssociationId": "{id}"},
        only=(),
    ),
    declared_only=True,
)


def _per_vpc(token: str, operation: str, member: str, flag: str, at: str, off: str) -> Kind:
    call = Call(f"route53resolver.{operation}", names={flag: member}, at=at, outputs={"id": "Id"})
    return Kind(
        token,
        create=call,
        changes=(Call(f"route53resolver.{operation}", names={flag: member}, fixed={"ResourceId": "{resourceId}"}),),
        delete=Call(f"route53resolver.{operation}", fixed={"ResourceId": "{resourceId}", member: off}, only=()),
        declared_only=True,
    )


QUERY_LOG = Kind(
    "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig",
    create=Call(
        "route53resolver.create_resolver_query_log_config",
        fixed=_ASKED,
        at="ResolverQueryLogConfig",
        outputs={"id": "Id"},
    ),
    read=Call(
        "route53resolver.get_resolver_query_log_config",
        fixed={"ResolverQueryLogConfigId": "{id}"},
        at="ResolverQueryLogConfig",
        only=(),
    ),
    delete=Call(
        "route53resolver.delete_resolver_query_log_config", fixed={"ResolverQueryLogConfigId": "{id}"}, only=()
    ),
    declared_only=True,
)
QUERY_LOG_ASSOCIATION = Kind(
    "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
    create=Call(
        "route53resolver.associate_resolver_query_log_config",
        at="ResolverQueryLogConfigAssociation",
        outputs={"id": "Id"},
    ),
    delete=Call(
        "route53resolver.disassociate_resolver_query_log_config", only=("resolverQueryLogConfigId", "resourceId")
    ),
    declared_only=True,
)
_CREATE_RULE = Call("route53resolver.create_resolver_rule", fixed=_ASKED, at="ResolverRule", outputs={"id": "Id"})
DNS_PORT = 53


@code(takes="name domainName ruleType resolverEndpointId targetIps tags", gives="arn ownerId shareStatus")
def create_rule(aws: Aws, state: Props) -> Props:
    """A rule; the provider fills in the port and the protocol of plain DNS."""
    targets = cast(list[Props], state.get("targetIps") or [])
    plain = [{"port": DNS_PORT, "protocol": "Do53"} | target for target in targets]
    return _CREATE_RULE(aws, {**state, "targetIps": plain or None}, RESOLVER_RULE.schema)


RESOLVER_RULE = Kind(
    "aws:route53/resolverRule:ResolverRule",
    create=create_rule,
    delete=Call("route53resolver.delete_resolver_rule", fixed={"ResolverRuleId": "{id}"}, only=()),
)
RESOLVER_RULE_ASSOCIATION = Kind(
    "aws:route53/resolverRuleAssociation:ResolverRuleAssociation",
    create=Call(
        "route53resolver.associate_resolver_rule",
        names={"vpcId": "VPCId"},
        at="ResolverRuleAssociation",
        outputs={"id": "Id"},
    ),
    delete=Call(
        "route53resolver.disassociate_resolver_rule",
        names={"vpcId": "VPCId"},
        only=("resolverRuleId", "vpcId"),
    ),
)
RESOLVER_ENDPOINT = Kind(
    "aws:route53/resolverEndpoint:ResolverEndpoint",
    create=Call(
        "route53resolver.create_resolver_endpoint",
        fixed=_ASKED,
        at="ResolverEndpoint",
        outputs={"id": "Id", "hostVpcId": "HostVPCId"},
    ),
    delete=Call("route53resolver.delete_resolver_endpoint", fixed={"ResolverEndpointId": "{id}"}, only=()),
)


@code(takes="name comment vpcs tags", gives="nameServers primaryNameServer zoneId")
def create_zone(aws: Aws, state: Props) -> Props:
    """A public zone, or a private one of the first VPC; the others are associated after."""
    vpcs = cast(list[Props], state.get("vpcs") or [])
    first = {"VPC": {"VPCRegion": aws.region, "VPCId": vpcs[0]["vpcId"]}} if vpcs else {}
    comment = str(state.get("comment") or "Managed by Pulumi")
    made = aws.call(
        "route53.create_hosted_zone",
        Name=state["name"],
        CallerReference=str(state["name"]),
        HostedZoneConfig={"Comment": comment, "PrivateZone": bool(vpcs)},
        **first,
    )
    zone = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
    for other in vpcs[1:]:
        vpc = {"VPCRegion": aws.region, "VPCId": other["vpcId"]}
        aws.call("route53.associate_vpc_with_hosted_zone", HostedZoneId=zone, VPC=vpc)
    servers = made.get("DelegationSet", {}).get("NameServers", [])
    return {"id": zone, "zoneId": zone, "nameServers": servers, "primaryNameServer": (servers or [""])[0]}


ZONE = Kind(
    "aws:route53/zone:Zone",
    create=create_zone,
    delete=Call("route53.delete_hosted_zone", fixed={"Id": "{id}"}, only=()),
    computed={"arn": "arn:{partition}:route53:::hostedzone/{id}"},
)


def _change_record(aws: Aws, state: Props, action: str) -> None:
    record: Props = {"Name": state["name"], "Type": state["type"]}
    if state.get("records"):
        values = [{"Value": value} for value in cast(list[str], state["records"])]
        record |= {"TTL": state.get("ttl", 300), "ResourceRecords": values}
    for alias in cast(list[Props], state.get("aliases") or []):
        record["AliasTarget"] = {
            "HostedZoneId": alias["zoneId"],
            "DNSName": alias["name"],
            "EvaluateTargetHealth": bool(alias.get("evaluateTargetHealth")),
        }
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    aws.call("route53.change_resource_record_sets", HostedZoneId=state["zoneId"], ChangeBatch=batch)


@code(takes="zoneId name type records ttl aliases", gives="fqdn")
def create_record(aws: Aws, state: Props) -> Props:
    """One record set."""
    _change_record(aws, state, "CREATE")
    return {"id": f"{state['zoneId']}_{state['name']}_{state['type']}", "fqdn": state["name"]}


@code(takes="records ttl aliases")
def change_record(aws: Aws, state: Props) -> None:
    """The record's new values."""
    _change_record(aws, state, "UPSERT")


@code()
def delete_record(aws: Aws, state: Props) -> None:
    """AWS deletes by value."""
    _change_record(aws, state, "DELETE")


RECORD = Kind(
    "aws:route53/record:Record",
    create=create_record,
    changes=(change_record,),
    delete=delete_record,
    local=frozenset({"allowOverwrite"}),
)

KINDS = (
    DOMAIN_LIST,
    RULE_GROUP,
    RULE,
    RULE_GROUP_ASSOCIATION,
    _per_vpc(
        "aws:route53/resolverFirewallConfig:ResolverFirewallConfig",
        "update_firewall_config",
        "FirewallFailOpen",
        "firewallFailOpen",
        "FirewallConfig",
        "DISABLED",
    ),
    _per_vpc(
        "aws:route53/resolverConfig:ResolverConfig",
        "update_resolver_config",
        "AutodefinedReverseFlag",
        "autodefinedReverseFlag",
        "ResolverConfig",
        "ENABLE",
    ),
    QUERY_LOG,
    QUERY_LOG_ASSOCIATION,
    RESOLVER_RULE,
    RESOLVER_RULE_ASSOCIATION,
    RESOLVER_ENDPOINT,
    ZONE,
    RECORD,
)
