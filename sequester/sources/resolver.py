"""From resources to facts of name resolution: DHCP options, DNS Firewall, forwards, query logs."""

from sequester.proof.facts import items, mapping, number
from sequester.proof.model import Association, FirewallRule, ForwardRule, NameService, ResolverEndpoint
from sequester.sources.resource import Resource, Stack

# USE_LOCAL_RESOURCE_SETTING leaves it to a profile, which is not read: not known.
_FAIL_OPEN = {"ENABLED": True, "DISABLED": False, "": False}


def name_services(stack: Stack) -> dict[str, NameService]:
    return {vpc.id: _of(stack, vpc) for vpc in stack.of("ec2/vpc:Vpc", "ec2/defaultVpc:DefaultVpc")}


def _of(stack: Stack, vpc: Resource) -> NameService:
    options = {o.id: o for o in stack.of("ec2/vpcDhcpOptions:VpcDhcpOptions")}
    chosen = [
        options.get(a.maybe("dhcpOptionsId"))
        for a in stack.of("ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation")
        if a.maybe("vpcId") == vpc.id
    ]
    dhcp = chosen[-1] if chosen else None
    configs = [
        c for c in stack.of("route53/resolverFirewallConfig:ResolverFirewallConfig") if c.maybe("resourceId") == vpc.id
    ]
    servers = dhcp.several("domainNameServers") if dhcp else ()
    unknown = bool(chosen) and dhcp is None
    return NameService(
        vpc.id,
        dhcp.name if dhcp else f"{vpc.name}'s DHCP options",
        ("options that are not in the plan",) if unknown else servers or ("AmazonProvidedDNS",),
        _FAIL_OPEN.get(configs[-1].maybe("firewallFailOpen").upper()) if configs else None,
        configs[-1].name if configs else "",
        tuple(_association(stack, a) for a in _firewall(stack, vpc.id)),
        tuple(_forwards(stack, vpc.id)),
        tuple(
            ResolverEndpoint(e.name, vpc.id, e.maybe("direction").upper() == "OUTBOUND")
            for e in stack.of("route53/resolverEndpoint:ResolverEndpoint")
            if _in_vpc(stack, e, vpc.id)
        ),
    )


def _firewall(stack: Stack, vpc: str) -> list[Resource]:
    kind = "route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation"
    return [a for a in stack.of(kind) if a.maybe("vpcId") == vpc]


def _association(stack: Stack, one: Resource) -> Association:
    lists = {d.id: d for d in stack.of("route53/resolverFirewallDomainList:ResolverFirewallDomainList")}
    group = one.maybe("firewallRuleGroupId")
    if not stack.by_id("route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup", group):
        # A group of somebody else's: its rules are not in the plan, and may let any name pass.
        rules = [FirewallRule(group or one.name, 0, "ALLOW", None)]
        return Association(one.name, one.maybe("vpcId"), number(one.get("priority"), one.name), tuple(rules))
    rules = [
        FirewallRule(
            r.name,
            number(r.get("priority"), f"{r.name} priority"),
            r.maybe("action").upper(),
            lists[r.maybe("firewallDomainListId")].several("domains")
            if r.maybe("firewallDomainListId") in lists
            else None,
        )
        for r in stack.of("route53/resolverFirewallRule:ResolverFirewallRule")
        # A rule with a query type or an advanced protection says less than its domains do.
        if r.maybe("firewallRuleGroupId") == group
        and not (r.maybe("action").upper() == "BLOCK" and (r.maybe("qType") or r.maybe("dnsThreatProtection")))
    ]
    return Association(one.name, one.maybe("vpcId"), number(one.get("priority"), f"{one.name} priority"), tuple(rules))


def _forwards(stack: Stack, vpc: str) -> list[ForwardRule]:
    rules = {r.id: r for r in stack.of("route53/resolverRule:ResolverRule")}
    found: list[ForwardRule] = []
    for one in stack.of("route53/resolverRuleAssociation:ResolverRuleAssociation"):
        if one.maybe("vpcId") == vpc:
            rule = rules.get(one.maybe("resolverRuleId"))
            domain = rule.maybe("domainName") if rule else "a rule that is not in the plan"
            found.append(ForwardRule(one.name, vpc, domain, rule.maybe("ruleType") if rule else "FORWARD"))
    return found


def _in_vpc(stack: Stack, endpoint: Resource, vpc: str) -> bool:
    subnets = {s.id: s.maybe("vpcId") for s in stack.of("ec2/subnet:Subnet")}
    addresses = [mapping(a, endpoint.name) for a in items(endpoint.get("ipAddresses"), endpoint.name)]
    places = {subnets.get(str(a.get("subnetId")), vpc) for a in addresses}
    return not places or vpc in places
