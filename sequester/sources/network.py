"""From resources to facts of the network: VPCs, subnets, routes, ACLs and security groups."""

import re
from collections.abc import Iterator, Mapping

from sequester.proof.facts import BadFactError, items, mapping, number
from sequester.proof.model import (
    Device,
    GroupRef,
    ListRef,
    Nacl,
    NaclRule,
    Peer,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Target,
    Vpc,
)
from sequester.proof.space import (
    EVERY_SERVICE,
    ICMP,
    ICMPV6,
    PORTED,
    PROTOCOL_NUMBERS,
    Prefix,
    Services,
    icmp,
    prefix,
    services,
    whole,
)
from sequester.sources.resource import Resource, Stack

# Property of a route → what it leads to. Inline and standalone routes share these names.
_TARGETS = {
    "natGatewayId": "NAT gateway",
    "egressOnlyGatewayId": "egress-only internet gateway",
    "transitGatewayId": "transit gateway",
    "vpcPeeringConnectionId": "VPC peering connection",
    "networkInterfaceId": "network interface",
    "instanceId": "network interface",
    "vpcEndpointId": "firewall or load balancer endpoint",
    "carrierGatewayId": "carrier gateway",
    "localGatewayId": "local gateway",
    "coreNetworkArn": "core network",
    "odbNetworkArn": "Oracle database network",
}
_GATEWAYS = {
    "ec2/internetGateway:InternetGateway": "internet gateway",
    "ec2/vpnGateway:VpnGateway": "virtual private gateway",
    "ec2/carrierGateway:CarrierGateway": "carrier gateway",
    "ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway": "egress-only internet gateway",
    "ec2/vpcEndpoint:VpcEndpoint": "firewall or load balancer endpoint",
}
_GATEWAY_IDS = {
    "igw-": "internet gateway",
    "vgw-": "virtual private gateway",
    "eigw-": "egress-only internet gateway",
    "cagw-": "carrier gateway",
    "vpce-": "firewall or load balancer endpoint",
}
# A group of a peered VPC is written with its account before it; a group that is not made yet goes by its URN.
_OF_ACCOUNT = re.compile(r"^\d{12}/")
_VPC, _SUBNET, _TABLE = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/routeTable:RouteTable"
_DEFAULT_TABLE = "ec2/defaultRouteTable:DefaultRouteTable"


def vpcs(stack: Stack) -> dict[str, Vpc]:
    found: dict[str, Vpc] = {}
    for one in stack.of(_VPC, "ec2/defaultVpc:DefaultVpc"):
        blocks = [one.maybe("cidrBlock"), one.maybe("ipv6CidrBlock")]
        for kind in ("ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation",
                     "ec2/vpcIpv6CidrBlockAssociation:VpcIpv6CidrBlockAssociation"):  # fmt: skip
            for extra in stack.of(kind):
                if extra.maybe("vpcId") == one.id:
                    blocks += [extra.maybe("cidrBlock"), extra.maybe("ipv6CidrBlock")]
        found[one.id] = Vpc(one.id, one.name, tuple(_cidr(one, block) for block in blocks if block))
    return found


def subnets(stack: Stack) -> dict[str, Subnet]:
    """With the table and ACL that count: an association of its own, else the VPC's main table and default ACL."""
    tables = {
        a.maybe("subnetId"): a.text("routeTableId")
        for a in stack.of("ec2/routeTableAssociation:RouteTableAssociation")
        if a.maybe("subnetId")
    }
    main = {
        v.id: v.maybe("mainRouteTableId") or v.maybe("defaultRouteTableId") or f"main:{v.id}" for v in stack.of(_VPC)
    }
    for moved in stack.of("ec2/mainRouteTableAssociation:MainRouteTableAssociation"):
        main[moved.text("vpcId")] = moved.text("routeTableId")
    # A default ACL lists what was left to it when it was read: whatever names a subnet since has taken it away.
    acls = {subnet: key for key, acl in reversed([*_acls_by_id(stack)]) for subnet in acl.several("subnetIds")}
    for association in stack.of("ec2/networkAclAssociation:NetworkAclAssociation"):
        acls[association.maybe("subnetId")] = association.text("networkAclId")
    default = {v.id: v.maybe("defaultNetworkAclId") or f"default-acl:{v.id}" for v in stack.of(_VPC)}
    return {
        one.id: Subnet(
            one.id,
            one.name,
            one.text("vpcId"),
            tuple(_cidr(one, b) for b in (one.maybe("cidrBlock"), one.maybe("ipv6CidrBlock")) if b),
            tables.get(one.id, main.get(one.text("vpcId"), "")),
            acls.get(one.id, default.get(one.text("vpcId"), "")),
            one.flag("mapPublicIpOnLaunch"),
            tuple(sorted((str(k), str(v)) for k, v in mapping(one.get("tags"), f"{one.name}.tags").items())),
        )
        for one in stack.of(_SUBNET)
    }


def route_tables(stack: Stack) -> dict[str, RouteTable]:
    found: dict[str, RouteTable] = {}
    standalone: dict[str, list[Resource]] = {}
    for one in stack.of("ec2/route:Route"):
        standalone.setdefault(one.text("routeTableId"), []).append(one)
    gateway_routes = _gateway_routes(stack)
    propagated: dict[str, list[str]] = {}
    for one in stack.of("ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation"):
        propagated.setdefault(one.text("routeTableId"), []).append(one.text("vpnGatewayId"))
    tables = [(t.id, t) for t in stack.of(_TABLE)]
    tables += [(t.maybe("defaultRouteTableId") or t.id, t) for t in stack.of(_DEFAULT_TABLE)]
    for key, table in tables:
        inline = [
            _route(stack, f"{table.name} routes[{i}]", mapping(raw, f"{table.name} routes[{i}]"))
            for i, raw in enumerate(items(table.get("routes"), f"{table.name}.routes"))
        ]
        own = [_route(stack, one.name, one.properties) for one in standalone.pop(key, [])]
        routes = (*gateway_routes.get(key, ()), *(r for r in (*inline, *own) if r))
        vgws = (*table.several("propagatingVgws"), *propagated.get(key, ()))
        found[key] = RouteTable(key, table.name, table.maybe("vpcId"), routes, vgws)
    for vpc in stack.of(_VPC):
        # A main table that nobody took over holds the local route, and whatever standalone routes name it.
        key = vpc.maybe("mainRouteTableId") or vpc.maybe("defaultRouteTableId") or f"main:{vpc.id}"
        if key not in found:
            own = [_route(stack, one.name, one.properties) for one in standalone.pop(key, [])]
            routes = (*gateway_routes.get(key, ()), *(r for r in own if r))
            found[key] = RouteTable(key, f"{vpc.name} main table", vpc.id, routes)
    for key, strays in standalone.items():
        found[key] = RouteTable(
            key, key, "", tuple(r for r in (_route(stack, s.name, s.properties) for s in strays) if r)
        )
    return found


def _gateway_routes(stack: Stack) -> dict[str, list[Route]]:
    """A gateway endpoint puts a route for its service's prefix list into each associated table."""
    found: dict[str, list[Route]] = {}
    for endpoint in stack.of("ec2/vpcEndpoint:VpcEndpoint"):
        if endpoint.maybe("vpcEndpointType") not in ("Gateway", ""):
            continue
        keys = {*endpoint.several("routeTableIds")}
        for one in stack.of("ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation"):
            if one.maybe("vpcEndpointId") == endpoint.id:
                keys.add(one.text("routeTableId"))
        route = Route(endpoint.name, ListRef(gateway_list(endpoint)), Target("gateway-endpoint", endpoint.name))
        for key in sorted(keys):
            found.setdefault(key, []).append(route)
    return found


def gateway_list(endpoint: Resource) -> str:
    """The id of the prefix list that AWS keeps for a gateway endpoint's service."""
    return endpoint.maybe("prefixListId") or f"pl of {endpoint.maybe('serviceName')}"


def _route(stack: Stack, name: str, raw: Mapping[str, object]) -> Route | None:
    listed = raw.get("destinationPrefixListId")
    block = next(
        (
            raw[k]
            for k in ("destinationCidrBlock", "destinationIpv6CidrBlock", "cidrBlock", "ipv6CidrBlock")
            if raw.get(k)
        ),
        None,
    )
    if listed:
        destination: Prefix | ListRef = ListRef(str(listed))
    elif block:
        destination = _prefix(name, str(block))
    else:
        raise BadFactError(f"{name}: a route without a destination")
    gateway = raw.get("gatewayId")
    if gateway == "local":
        return Route(name, destination, Target("local", "local"))
    if gateway:
        return Route(name, destination, Target(_gateway_kind(stack, str(gateway)), str(gateway)))
    for key, kind in _TARGETS.items():
        if raw.get(key):
            to = str(raw[key])
            if key == "natGatewayId" and _is_regional(stack, to):
                kind = "regional NAT gateway"
            return Route(name, destination, Target(kind, stack.first_interfaces.get(to, to)))
    raise BadFactError(f"{name}: a route without a target that is known")


def _is_regional(stack: Stack, key: str) -> bool:
    """A NAT gateway without a subnet: AWS gives it a table of its own, with a route to the internet gateway.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html
    """
    one = stack.by_id("ec2/natGateway:NatGateway", key)
    return bool(one) and not one.maybe("subnetId")


def _gateway_kind(stack: Stack, key: str) -> str:
    for kind, name in _GATEWAYS.items():
        one = stack.by_id(kind, key)
        if one:
            return "gateway-endpoint" if one.maybe("vpcEndpointType") == "Gateway" else name
    return next((name for start, name in _GATEWAY_IDS.items() if key.startswith(start)), "unknown gateway")


def devices(stack: Stack) -> dict[str, Device]:
    found: dict[str, Device] = {}
    for one in stack.of("ec2/natGateway:NatGateway"):
        if one.maybe("subnetId"):
            public = one.maybe("connectivityType") != "private"
            found[one.id] = Device(one.id, one.name, "NAT gateway", (one.text("subnetId"),), public)
    for one in stack.of("ec2/vpcEndpoint:VpcEndpoint"):
        if one.maybe("vpcEndpointType") == "GatewayLoadBalancer":
            kind = "firewall or load balancer endpoint"
            found[one.id] = Device(one.id, one.name, kind, one.several("subnetIds"))
    return found


def prefix_lists(stack: Stack) -> dict[str, PrefixList]:
    found: dict[str, PrefixList] = {}
    extra: dict[str, list[Prefix]] = {}
    for one in stack.of("ec2/managedPrefixListEntry:ManagedPrefixListEntry"):
        extra.setdefault(one.text("prefixListId"), []).append(_cidr(one, one.text("cidr")))
    for one in stack.of("ec2/managedPrefixList:ManagedPrefixList"):
        inline = [mapping(raw, f"{one.name}.entries") for raw in items(one.get("entries"), f"{one.name}.entries")]
        entries = [*(_cidr(one, str(raw.get("cidr"))) for raw in inline), *extra.get(one.id, ())]
        found[one.id] = PrefixList(one.id, one.name, tuple(entries))
    for one in stack.of("ec2/vpcEndpoint:VpcEndpoint"):
        if one.maybe("vpcEndpointType") in ("Gateway", ""):
            key = gateway_list(one)
            found[key] = PrefixList(key, one.maybe("serviceName"), None)
    return found


def _acls_by_id(stack: Stack) -> Iterator[tuple[str, Resource]]:
    yield from ((a.id, a) for a in stack.of("ec2/networkAcl:NetworkAcl"))
    # A VPC's own, which the plan takes over: its id is the one that the VPC tells.
    yield from (
        (a.maybe("defaultNetworkAclId") or a.id, a) for a in stack.of("ec2/defaultNetworkAcl:DefaultNetworkAcl")
    )


def acls(stack: Stack) -> dict[str, Nacl]:
    standalone: dict[str, list[Resource]] = {}
    for one in stack.of("ec2/networkAclRule:NetworkAclRule"):
        standalone.setdefault(one.text("networkAclId"), []).append(one)
    found: dict[str, Nacl] = {}
    for key, acl in _acls_by_id(stack):
        rules = [
            _acl_rule(f"{acl.name} {direction}[{i}]", mapping(raw, acl.name), egress=direction == "egress")
            for direction in ("ingress", "egress")
            for i, raw in enumerate(items(acl.get(direction), f"{acl.name}.{direction}"))
        ]
        rules += [_acl_rule(one.name, one.properties, egress=one.flag("egress")) for one in standalone.pop(key, [])]
        found[key] = Nacl(key, acl.name, tuple(rules))
    for vpc in stack.of(_VPC):
        key = vpc.maybe("defaultNetworkAclId") or f"default-acl:{vpc.id}"
        if key not in found:  # AWS's own: everything, both ways
            opened = [
                NaclRule(f"{vpc.name} default ACL", 100, egress, allow=True, peer=whole(axis), services=EVERY_SERVICE)
                for egress in (True, False)
                for axis in ("4", "6")
            ]
            mine = [_acl_rule(o.name, o.properties, egress=o.flag("egress")) for o in standalone.pop(key, [])]
            found[key] = Nacl(key, f"{vpc.name} default ACL", (*opened, *mine))
    return found


def _acl_rule(name: str, raw: Mapping[str, object], *, egress: bool) -> NaclRule:
    action = str(raw.get("ruleAction") or raw.get("action")).lower()
    if action not in ("allow", "deny"):
        raise BadFactError(f"{name}: action {action!r} is neither allow nor deny")
    block = raw.get("cidrBlock") or raw.get("ipv6CidrBlock")
    order = raw.get("ruleNumber") if raw.get("ruleNumber") is not None else raw.get("ruleNo")
    peer = _prefix(name, str(block)) if block else whole("4")
    served = _services(name, raw, icmp_keys=("icmpType", "icmpCode"))
    return NaclRule(name, number(order, f"{name} rule number"), egress, action == "allow", peer, served)


def security_groups(stack: Stack) -> dict[str, SecurityGroup]:
    rules: dict[str, list[SecurityRule]] = {}
    for kind, egress in (
        ("vpc/securityGroupEgressRule:SecurityGroupEgressRule", True),
        ("vpc/securityGroupIngressRule:SecurityGroupIngressRule", False),
    ):
        for one in stack.of(kind):
            raw = one.properties
            peers = list(_peers(one.name, raw, ("cidrIpv4", "cidrIpv6"), "prefixListId", "referencedSecurityGroupId"))
            served = _services(one.name, {**raw, "protocol": raw.get("ipProtocol")})
            rules.setdefault(one.text("securityGroupId"), []).extend(
                SecurityRule(one.name, egress, peer, served) for peer in peers
            )
    for one in stack.of("ec2/securityGroupRule:SecurityGroupRule"):
        key = one.text("securityGroupId")
        rules.setdefault(key, []).extend(_inline(one.name, one.properties, key, egress=one.maybe("type") == "egress"))
    found: dict[str, SecurityGroup] = {}
    for one in stack.of("ec2/securityGroup:SecurityGroup", "ec2/defaultSecurityGroup:DefaultSecurityGroup"):
        own = list(rules.pop(one.id, []))
        for direction in ("ingress", "egress"):
            for i, raw in enumerate(items(one.get(direction), f"{one.name}.{direction}")):
                name = f"{one.name} {direction}[{i}]"
                own += _inline(name, mapping(raw, name), one.id, egress=direction == "egress")
        if one.get("egress") is None and "default" not in one.type.lower():
            # AWS gives a new group a rule that allows all egress; only a stated list takes it away.
            own += [
                SecurityRule(f"{one.name} (AWS's own)", egress=True, peer=whole(a), services=EVERY_SERVICE)
                for a in ("4", "6")
            ]
        found[one.id] = SecurityGroup(one.id, one.name, tuple(own))
    return found


def _inline(name: str, raw: Mapping[str, object], own: str, *, egress: bool) -> Iterator[SecurityRule]:
    served = _services(name, raw)
    peers = _peers(
        name, raw, ("cidrBlocks", "ipv6CidrBlocks"), "prefixListIds", "securityGroups", "sourceSecurityGroupId"
    )
    found = list(peers)
    if str(raw.get("self")).lower() == "true":
        found.append(GroupRef(own))
    for peer in found:
        yield SecurityRule(name, egress, peer, served)


def _peers(name: str, raw: Mapping[str, object], blocks: tuple[str, ...], lists: str, *groups: str) -> Iterator[Peer]:
    for key in blocks:
        for one in _many(raw.get(key)):
            yield _prefix(name, one)
    for one in _many(raw.get(lists)):
        yield ListRef(one)
    for key in groups:
        for one in _many(raw.get(key)):
            yield GroupRef(_OF_ACCOUNT.sub("", one))


def _many(value: object) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(one) for one in items(value, "list"))


def _services(name: str, raw: Mapping[str, object], icmp_keys: tuple[str, str] = ("fromPort", "toPort")) -> Services:
    protocol = str(raw.get("protocol")).lower()
    if protocol in ("-1", "all"):
        return EVERY_SERVICE
    code = PROTOCOL_NUMBERS.get(protocol)
    if code is None:
        code = number(raw.get("protocol"), f"{name} protocol")
    if code == -1:
        return EVERY_SERVICE
    if not 0 <= code <= 0xFF:
        raise BadFactError(f"{name}: protocol {protocol} is not within 0 to 255")
    low, high = raw.get("fromPort"), raw.get("toPort")
    if code in (ICMP, ICMPV6):
        kind, sub = (raw.get(key) for key in icmp_keys)
        return icmp(code, -1 if kind is None else number(kind, name), -1 if sub is None else number(sub, name))
    if code not in PORTED:
        return services(code)
    first, last = (
        number(0 if low is None else low, f"{name} fromPort"),
        number(0xFFFF if high is None else high, f"{name} toPort"),
    )
    if first == -1:
        return services(code)
    if not 0 <= first <= last <= 0xFFFF:
        raise BadFactError(f"{name}: ports {first} to {last} are not within 0 to 65535")
    return services(code, first, last)


def _cidr(resource: Resource, block: str) -> Prefix:
    return _prefix(resource.name, block)


def _prefix(name: str, block: str) -> Prefix:
    try:
        return prefix(block)
    except ValueError as error:
        raise BadFactError(f"{name}: {block!r} is not a CIDR block") from error
