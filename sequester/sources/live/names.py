"""Names in a live account: DHCP options, DNS Firewall, forwards and outbound endpoints."""

from collections.abc import Iterator

from sequester.sources.live.network import formed
from sequester.sources.live.reader import Raw, Reader, name_of, parts
from sequester.sources.resource import Resource


def read(reader: Reader) -> Iterator[Resource]:
    yield from formed(reader, "ec2.describe_dhcp_options", _options)
    yield from formed(reader, "route53resolver.list_firewall_configs", _config)
    yield from formed(reader, "route53resolver.list_firewall_domain_lists", lambda raw: _domains(reader, raw))
    groups: dict[str, None] = {}

    def association(raw: Raw) -> Iterator[Resource]:
        if raw.get("Status") == "DELETING":
            return
        groups[raw["FirewallRuleGroupId"]] = None
        kind = "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation"
        properties = {
            "vpcId": raw["VpcId"],
            "firewallRuleGroupId": raw["FirewallRuleGroupId"],
            "priority": raw["Priority"],
        }
        yield Resource(kind, raw.get("Name") or raw["Id"], raw["Id"], properties)

    yield from formed(reader, "route53resolver.list_firewall_rule_group_associations", association)
    for group in groups:
        kind = "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup"
        yield Resource(kind, group, group)
        yield from formed(reader, "route53resolver.list_firewall_rules", _rule, FirewallRuleGroupId=group)
    yield from formed(reader, "route53resolver.list_resolver_rules", _forward)
    yield from formed(reader, "route53resolver.list_resolver_rule_associations", _forwarding)
    yield from formed(reader, "route53resolver.list_resolver_endpoints", lambda raw: _endpoint(reader, raw))


def _options(raw: Raw) -> Iterator[Resource]:
    servers = [
        value["Value"]
        for one in parts(raw, "DhcpConfigurations")
        if one["Key"] == "domain-name-servers"
        for value in one["Values"]
    ]
    kind = "aws:ec2/vpcDhcpOptions:VpcDhcpOptions"
    yield Resource(kind, name_of(raw, "DhcpOptionsId"), raw["DhcpOptionsId"], {"domainNameServers": servers})


def _config(raw: Raw) -> Iterator[Resource]:
    kind = "aws:route53/resolverFirewallConfig:ResolverFirewallConfig"
    properties = {"resourceId": raw["ResourceId"], "firewallFailOpen": raw.get("FirewallFailOpen")}
    yield Resource(kind, f"the DNS firewall of {raw['ResourceId']}", raw["Id"], properties)


def _domains(reader: Reader, raw: Raw) -> Iterator[Resource]:
    if raw.get("ManagedOwnerName"):
        return  # nobody may list what AWS put there
    found = list(reader.each("route53resolver.list_firewall_domains", FirewallDomainListId=raw["Id"]))
    kind = "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList"
    yield Resource(kind, raw.get("Name") or raw["Id"], raw["Id"], {"domains": found})


def _rule(raw: Raw) -> Iterator[Resource]:
    properties = {
        "firewallRuleGroupId": raw["FirewallRuleGroupId"],
        "firewallDomainListId": raw.get("FirewallDomainListId") or "",
        "priority": raw["Priority"],
        "action": raw["Action"],
        "qType": raw.get("Qtype") or "",
        "dnsThreatProtection": raw.get("DnsThreatProtection") or "",
        "firewallDomainRedirectionAction": raw.get("FirewallDomainRedirectionAction") or "",
    }
    kind = "aws:route53/resolverFirewallRule:ResolverFirewallRule"
    name = raw.get("Name") or f"rule {raw['Priority']} of {raw['FirewallRuleGroupId']}"
    yield Resource(kind, name, f"{raw['FirewallRuleGroupId']}:{raw['Priority']}", properties)


def _forward(raw: Raw) -> Iterator[Resource]:
    properties = {"domainName": raw.get("DomainName") or "", "ruleType": raw["RuleType"]}
    yield Resource("aws:route53/resolverRule:ResolverRule", raw.get("Name") or raw["Id"], raw["Id"], properties)


def _forwarding(raw: Raw) -> Iterator[Resource]:
    kind = "aws:route53/resolverRuleAssociation:ResolverRuleAssociation"
    properties = {"vpcId": raw["VPCId"], "resolverRuleId": raw["ResolverRuleId"]}
    yield Resource(kind, raw.get("Name") or raw["Id"], raw["Id"], properties)


def _endpoint(reader: Reader, raw: Raw) -> Iterator[Resource]:
    found = reader.each("route53resolver.list_resolver_endpoint_ip_addresses", ResolverEndpointId=raw["Id"])
    properties = {
        "direction": raw["Direction"],
        "ipAddresses": [{"subnetId": address.get("SubnetId"), "ip": address.get("Ip")} for address in found],
    }
    kind = "aws:route53/resolverEndpoint:ResolverEndpoint"
    yield Resource(kind, raw.get("Name") or raw["Id"], raw["Id"], properties)
