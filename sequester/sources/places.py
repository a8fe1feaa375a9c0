"""From resources to places: everything that has network interfaces in subnets, and what user data does on nodes."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from sequester.proof.facts import items, mapping, number
from sequester.proof.model import GroupRef, Place, SecurityGroup, SecurityRule, Subnet
from sequester.proof.selector import Selector
from sequester.proof.space import EVERY_SERVICE, prefix, whole
from sequester.sources.resource import Resource, Stack, block

_POD_INTERFACE = "eni*"


def role_of(subnet: Subnet, selector: Selector) -> str:
    tags = dict(subnet.tags)
    return selector.role_of_subnet(subnet.name, tags.get("Name", ""), tags.get("sequester:tier", ""))


def places(stack: Stack, subnets: Mapping[str, Subnet], selector: Selector) -> dict[str, Place]:
    """Compute takes the role of its subnets; endpoints and control planes have none."""
    pods_have_v6 = not _disables_v6(stack)
    found: dict[str, Place] = {}
    for one in (
        *_node_groups(stack),
        *_instances(stack),
        *_interfaces(stack),
        *_functions(stack),
        *_services(stack),
    ):
        roles = {role_of(subnets[key], selector) for key in one.subnets if key in subnets}
        role = "sandbox" if "sandbox" in roles else "agent" if "agent" in roles else ""
        guarded = one.guarded and not pods_have_v6
        found[one.id] = Place(
            one.id, one.name, one.kind, one.subnets, one.groups, one.public, one.forwards, role, one.addresses,
            one.metadata_hops, one.metadata_token, guarded, one.identity,
        )  # fmt: skip
    for one in (*_endpoints(stack), *_control_planes(stack)):
        found[one.id] = one
    return found


def cluster_groups(stack: Stack) -> dict[str, SecurityGroup]:
    """The group that EKS makes for each cluster and gives to nodes whose launch template names none: all egress."""
    found: dict[str, SecurityGroup] = {}
    for cluster in stack.of("eks/cluster:Cluster"):
        key = _cluster_group(cluster)
        rules = [
            SecurityRule(f"{cluster.name} cluster group", egress=True, peer=whole(a), services=EVERY_SERVICE)
            for a in ("4", "6")
        ]
        rules.append(
            SecurityRule(f"{cluster.name} cluster group", egress=False, peer=GroupRef(key), services=EVERY_SERVICE)
        )
        found[key] = SecurityGroup(key, f"{cluster.name} cluster security group", tuple(rules))
    return found


def _cluster_group(cluster: Resource) -> str:
    config = block(cluster, "vpcConfig")
    return str(config.get("clusterSecurityGroupId") or f"cluster group of {cluster.maybe('name') or cluster.name}")


def _node_groups(stack: Stack) -> Iterator[Place]:
    clusters = {c.maybe("name") or c.id: c for c in stack.of("eks/cluster:Cluster")}
    for one in stack.of("eks/nodeGroup:NodeGroup"):
        template = _template(stack, block(one, "launchTemplate"))
        cluster = clusters.get(one.maybe("clusterName"))
        groups, public = _template_network(template) if template else ((), None)
        if not groups:
            groups = (_cluster_group(cluster),) if cluster else ("the cluster's own group",)
        hops, token = _metadata(template) if template else (2, True)
        guarded = bool(template) and drops_from_pods(template.maybe("userData") if template else "")
        yield Place(
            one.id or one.name, one.name, "node group", one.several("subnetIds"), groups, public,
            metadata_hops=hops, metadata_token=token, guarded=guarded, identity=one.maybe("nodeRoleArn"),
        )  # fmt: skip
    for one in stack.of("autoscaling/group:Group"):
        template = _template(stack, block(one, "launchTemplate"))
        groups, public = _template_network(template) if template else (("a launch template",), None)
        hops, token = _metadata(template) if template else (2, False)
        guarded = drops_from_pods(template.maybe("userData")) if template else False
        yield Place(
            one.id or one.name, one.name, "auto scaling group", one.several("vpcZoneIdentifiers"), groups, public,
            metadata_hops=hops, metadata_token=token, guarded=guarded,
        )  # fmt: skip


def _template(stack: Stack, reference: Mapping[str, object]) -> Resource | None:
    for one in stack.of("ec2/launchTemplate:LaunchTemplate"):
        if reference and (
            one.id == reference.get("id") or (one.maybe("name") and one.maybe("name") == reference.get("name"))
        ):
            return one
    return None


def _template_network(template: Resource) -> tuple[tuple[str, ...], bool | None]:
    """Groups and whether a public address is asked for; None leaves that to the subnet."""
    groups = list(template.several("vpcSecurityGroupIds"))
    public: bool | None = None
    for raw in items(template.get("networkInterfaces"), f"{template.name}.networkInterfaces"):
        one = mapping(raw, f"{template.name}.networkInterfaces")
        groups += [str(g) for g in items(one.get("securityGroups"), template.name)]
        asked = one.get("associatePublicIpAddress")
        if asked is not None:
            public = public or str(asked).lower() == "true"
    return tuple(groups), public


def _metadata(one: Resource) -> tuple[int | None, bool]:
    """IMDS hop limit (None: off) and whether version 2 is required. EC2's defaults where nothing is said."""
    options = block(one, "metadataOptions")
    if options.get("httpEndpoint") == "disabled":
        return None, True
    hops = options.get("httpPutResponseHopLimit")
    return (2 if hops is None else number(hops, f"{one.name} hop limit")), options.get("httpTokens") == "required"


def _instances(stack: Stack) -> Iterator[Place]:
    addressed = {
        e.maybe("instance") or e.maybe("instanceId")
        for e in stack.of("ec2/eip:Eip", "ec2/eipAssociation:EipAssociation")
    }
    for one in stack.of("ec2/instance:Instance"):
        groups = (*one.several("vpcSecurityGroupIds"), *one.several("securityGroups"))
        asked = one.get("associatePublicIpAddress")
        public = True if one.id in addressed else None if asked is None else one.flag("associatePublicIpAddress")
        hops, token = _metadata(one)
        subnet = one.maybe("subnetId")
        yield Place(
            one.id, one.name, "instance", (subnet,) if subnet else (), groups or _default_group(stack, subnet), public,
            not one.flag("sourceDestCheck", default=True), metadata_hops=hops, metadata_token=token,
            guarded=drops_from_pods(one.maybe("userData")),
        )  # fmt: skip


def _interfaces(stack: Stack) -> Iterator[Place]:
    addressed = {
        e.maybe("networkInterface") or e.maybe("networkInterfaceId")
        for e in stack.of("ec2/eip:Eip", "ec2/eipAssociation:EipAssociation")
    }
    for one in stack.of("ec2/networkInterface:NetworkInterface"):
        subnet = one.text("subnetId")
        groups = one.several("securityGroups") or _default_group(stack, subnet)
        fixed = tuple(prefix(address) for address in one.several("privateIps"))
        public = one.id in addressed
        check = one.flag("sourceDestCheck", default=True)
        yield Place(one.id, one.name, "network interface", (subnet,), groups, public, not check, addresses=fixed)


def _default_group(stack: Stack, subnet: str) -> tuple[str, ...]:
    vpc = next((s.maybe("vpcId") for s in stack.of("ec2/subnet:Subnet") if s.id == subnet), "")
    for one in stack.of("ec2/defaultSecurityGroup:DefaultSecurityGroup"):
        if one.maybe("vpcId") == vpc:
            return (one.id,)
    return (f"default group of {vpc}",)


def _functions(stack: Stack) -> Iterator[Place]:
    for one in stack.of("lambda/function:Function"):
        config = block(one, "vpcConfig")
        subnets = tuple(str(s) for s in items(config.get("subnetIds"), one.name))
        if subnets:
            groups = tuple(str(g) for g in items(config.get("securityGroupIds"), one.name))
            # Lambda gives its interfaces no public address, whatever the subnet says.
            yield Place(one.id, one.name, "function", subnets, groups, public=False, identity=one.maybe("role"))


def _services(stack: Stack) -> Iterator[Place]:
    for one in stack.of("ecs/service:Service"):
        config = block(one, "networkConfiguration")
        subnets = tuple(str(s) for s in items(config.get("subnets"), one.name))
        if subnets:
            groups = tuple(str(g) for g in items(config.get("securityGroups"), one.name))
            public = str(config.get("assignPublicIp")).lower() == "true"
            yield Place(one.id, one.name, "service", subnets, groups, public)


def _endpoints(stack: Stack) -> Iterator[Place]:
    for one in stack.of("ec2/vpcEndpoint:VpcEndpoint"):
        if one.maybe("vpcEndpointType") == "Interface":
            fixed = [mapping(raw, one.name) for raw in items(one.get("subnetConfigurations"), one.name)]
            addresses = tuple(prefix(str(f["ipv4"])) for f in fixed if f.get("ipv4"))
            yield Place(
                one.id, one.name, "endpoint", one.several("subnetIds"), one.several("securityGroupIds"),
                public=False, addresses=addresses,
            )  # fmt: skip


def _control_planes(stack: Stack) -> Iterator[Place]:
    for one in stack.of("eks/cluster:Cluster"):
        config = block(one, "vpcConfig")
        subnets = tuple(str(s) for s in items(config.get("subnetIds"), one.name))
        groups = tuple(str(g) for g in items(config.get("securityGroupIds"), one.name))
        yield Place(one.id, one.name, "control plane", subnets, (*groups, _cluster_group(one)), public=False)


def _disables_v6(stack: Stack) -> bool:
    from sequester.sources.cluster import addon_settings

    for one in stack.of("eks/addon:Addon"):
        if one.maybe("addonName") == "vpc-cni":
            env = mapping(addon_settings(one).get("env"), f"{one.name} env")
            return str(env.get("DISABLE_POD_V6")).lower() == "true"
    return False


def drops_from_pods(user_data: str) -> bool:
    """Whether user data loads nftables rules that drop every new packet from a pod interface to the node, v4 and v6.

    Only rules of a known form count: an input chain of family inet whose first rule for the CNI's interfaces jumps to
    a chain that accepts established connections and neighbour discovery, and then drops.
    """
    text = _decoded(user_data)
    if "nft -f" not in text:
        return False
    tables = re.findall(r"^table inet \w+ \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    return any(_table_drops(table) for table in tables)


def _table_drops(table: str) -> bool:
    chains = {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in re.findall(r"^\s*chain (\w+) \{\n(.*?)^\s*\}", table, re.MULTILINE | re.DOTALL)
    }
    return any(_chain_drops(lines, chains) for lines in chains.values() if lines and "hook input" in lines[0])


def _chain_drops(lines: list[str], chains: Mapping[str, list[str]]) -> bool:
    for line in lines[1:]:
        jump = re.fullmatch(r'iifname "([^"]+)" (?:jump|goto) (\w+)', line)
        dropped = re.fullmatch(r'iifname "([^"]+)" (?:ct state new )?(?:counter )?drop(?: comment "[^"]*")?', line)
        if dropped and dropped[1] == _POD_INTERFACE:
            return True
        if jump and jump[1] == _POD_INTERFACE:
            return _always_drops(chains.get(jump[2], []))
        if not (jump or dropped):
            return False  # something else is decided before, which is not understood here
    return False


def _always_drops(lines: list[str]) -> bool:
    for line in lines:
        bare = re.sub(r' comment "[^"]*"$', "", line)
        if re.fullmatch(r"(counter )?drop", bare):
            return True
        if not re.fullmatch(
            r"ct state established(,related)? (counter )?accept|icmpv6 type \{[a-z, -]*nd-neighbor[a-z, -]*\} accept",
            bare,
        ):
            return False
    return False


def _decoded(user_data: str) -> str:
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return user_data
