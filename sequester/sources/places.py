"""From resources to places: everything that has network interfaces in subnets."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sequester.proof.facts import items, mapping, number
from sequester.proof.model import GroupRef, Place, SecurityGroup, SecurityRule, Subnet
from sequester.proof.selector import Selector
from sequester.proof.space import EVERY_SERVICE, prefix, whole
from sequester.sources.discovered import with_discovered
from sequester.sources.resource import Resource, Stack, block, single
from sequester.sources.selection import role_of
from sequester.sources.userdata import POD_INTERFACE, drops_from_pods

_ROLES = ("sandbox", "agent", "")


def places(stack: Stack, subnets: Mapping[str, Subnet], selector: Selector) -> dict[str, Place]:
    """Compute takes the role of its subnets; endpoints and control planes have none."""
    rules_apply = _pods_are_known(stack)
    found: dict[str, Place] = {}
    for one in (
        *_node_groups(stack),
        *_scaling_groups(stack),
        *_instances(stack),
        *_interfaces(stack),
        *_functions(stack),
        *_services(stack),
    ):
        roles = {role_of(subnets[key], selector) for key in one.subnets if key in subnets}
        role = "sandbox" if "sandbox" in roles else "agent" if "agent" in roles else ""
        known = replace(_grouped(stack, one), role=role, guarded=one.guarded and rules_apply)
        found[one.id] = with_discovered(stack, subnets, known)
    for owner, one in (*_of_templates(stack), *_attached(stack, found)):
        # Whatever else stands in an interface's subnet: who has its owner has the interface.
        held, own = found.get(one.id, one), found.get(owner)
        strongest = min((held.role, own.role if own else ""), key=_ROLES.index)
        unknown = "" if own else f"{one.name} is attached to {owner}, which is not in the facts"
        found[one.id] = replace(held, role=strongest, opaque=held.opaque or unknown)
    for one in (*_endpoints(stack), *_control_planes(stack)):
        found[one.id] = _grouped(stack, one)
    return found


def _grouped(stack: Stack, one: Place) -> Place:
    """What is given no group has the default one of its VPC."""
    return one if one.groups else replace(one, groups=_default_group(stack, next(iter(one.subnets), "")))


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


def _stray_address(stack: Stack) -> bool:
    """A public address that is given to an instance or interface which no resource here is: any node may have it."""
    here = {one.id for one in stack.of("ec2/instance:Instance", "ec2/networkInterface:NetworkInterface")}
    here |= {one.maybe("networkInterfaceId") for one in stack.of("ec2/natGateway:NatGateway")}
    return bool(_addressed(stack) - here - stack.first_interfaces.keys())


def _addressed(stack: Stack) -> set[str]:
    """The ids of instances and interfaces that a public address is given to."""
    every = list(stack.of("ec2/eip:Eip", "ec2/eipAssociation:EipAssociation"))
    keys = ("instance", "instanceId", "networkInterface", "networkInterfaceId")
    return {one.maybe(key) for one in every for key in keys} - {""}


def _node_groups(stack: Stack) -> Iterator[Place]:
    stray = _stray_address(stack) or None
    clusters = {c.maybe("name") or c.id: c for c in stack.of("eks/cluster:Cluster")}
    for one in stack.of("eks/nodeGroup:NodeGroup"):
        template, opaque = _template(stack, one)
        cluster = clusters.get(one.maybe("clusterName"))
        groups, public = _template_network(template) if template else ((), None)
        if not groups:
            groups = (_cluster_group(cluster),) if cluster else ("the cluster's own group",)
        hops, token = _metadata(template) if template else (2, True)
        guarded = _runs_user_data(one) and _template_drops(template)
        yield Place(
            one.id or one.name, one.name, "node group", one.several("subnetIds"), groups, stray or public,
            metadata_hops=hops, metadata_token=token, guarded=guarded, identity=one.maybe("nodeRoleArn"), opaque=opaque,
        )  # fmt: skip


def _scaling_groups(stack: Stack) -> Iterator[Place]:
    stray = _stray_address(stack) or None
    for one in stack.of("autoscaling/group:Group"):
        template, opaque = _template(stack, one)
        groups, public = _template_network(template) if template else (("a launch template",), None)
        hops, token = _metadata(template) if template else (2, False)
        guarded = _template_drops(template)
        yield Place(
            one.id or one.name, one.name, "auto scaling group", one.several("vpcZoneIdentifiers"), groups,
            stray or public, metadata_hops=hops, metadata_token=token, guarded=guarded,
            identity=_profile_role(stack, template) if template else f"the role of {one.name}'s template",
            opaque=opaque,
        )  # fmt: skip


def _profile_role(stack: Stack, one: Resource | None) -> str:
    """The role that an instance or a launch template has by its instance profile; the profile's name if not known."""
    raw = one.get("iamInstanceProfile") if one else None
    if not one or not raw:
        return ""
    inner = block(one, "iamInstanceProfile") if not isinstance(raw, str) else {"name": raw}
    wanted = str(inner.get("name") or inner.get("arn"))
    for profile in stack.of("iam/instanceProfile:InstanceProfile"):
        if wanted in (profile.maybe("name"), profile.id, profile.maybe("arn")) and profile.maybe("role"):
            role = profile.maybe("role").rpartition("/")[2]
            known = next((r for r in stack.of("iam/role:Role") if role in (r.maybe("name"), r.id)), None)
            return (known.maybe("arn") if known else "") or f"arn:aws:iam::{stack.account}:role/{role}"
    return f"instance profile {wanted}"


def _template(stack: Stack, user: Resource) -> tuple[Resource | None, str]:
    """The template that something starts from, and what of it is not in the facts: only the newest version is."""
    reference, others = _reference(user)
    if not reference:
        return None, ""
    name = str(reference.get("name") or reference.get("id"))
    for one in stack.of("ec2/launchTemplate:LaunchTemplate"):
        named = one.maybe("name") and one.maybe("name") == reference.get("name")
        if one.id == reference.get("id") or named:
            version = str(reference.get("version") or "$Default")
            newest = one.get("latestVersion")
            chosen = one.get("defaultVersion") if version == "$Default" else version
            old = newest is not None and str(chosen).isdigit() and number(chosen, name) != number(newest, name)
            if old:
                return (
                    None,
                    f"{user.name} starts from version {chosen} of {name}, of which only {newest} is in the facts",
                )
            return one, _secondary(one) or (f"{user.name} starts from other templates, too" if others else "")
    return None, f"{user.name} starts from {name}, which is not in the facts"


def _reference(user: Resource) -> tuple[Mapping[str, object], bool]:
    """The template that a group or an instance names; and whether its overrides name others."""
    plain = block(user, "launchTemplate")
    if plain or user.get("mixedInstancesPolicy") is None:
        return plain, False
    mixed = single(block(user, "mixedInstancesPolicy").get("launchTemplate"), user.name)
    chosen = single(mixed.get("launchTemplateSpecification"), user.name)
    overrides = [mapping(raw, user.name) for raw in items(mixed.get("overrides"), user.name)]
    named = {"id": chosen.get("launchTemplateId"), "name": chosen.get("launchTemplateName")}
    return {**named, "version": chosen.get("version")}, any(one.get("launchTemplateSpecification") for one in overrides)


def _secondary(one: Resource) -> str:
    """Interfaces on secondary networks (ENA), whose subnets are of no VPC that is modelled."""
    listed = [*items(one.get("secondaryInterfaces"), one.name), *items(one.get("secondaryNetworkInterfaces"), one.name)]
    return f"{one.name} has interfaces on a secondary network, which is not modelled" if listed else ""


def _own_interfaces(template: Resource) -> Iterator[tuple[int, Mapping[str, object]]]:
    listed = items(template.get("networkInterfaces"), f"{template.name}.networkInterfaces")
    yield from ((i, mapping(raw, f"{template.name}.networkInterfaces")) for i, raw in enumerate(listed))


def _of_templates(stack: Stack) -> Iterator[tuple[str, Place]]:
    """Interfaces that a template makes in a subnet of their own, or that are there already: (whose, the interface)."""
    for user in stack.of("eks/nodeGroup:NodeGroup", "autoscaling/group:Group", "ec2/instance:Instance"):
        template, _ = _template(stack, user)
        for i, raw in _own_interfaces(template) if template else ():
            owner = user.id or user.name
            groups = tuple(str(g) for g in items(raw.get("securityGroups"), user.name))
            asked = raw.get("associatePublicIpAddress")
            public = None if asked is None else str(asked).lower() == "true"
            name = f"{user.name} interface {raw.get('deviceIndex') or i}"
            if raw.get("subnetId"):
                subnet = str(raw["subnetId"])
                groups = groups or _default_group(stack, subnet)
                yield owner, Place(f"{owner}/{i}", name, "network interface", (subnet,), groups, public)
            elif raw.get("networkInterfaceId"):
                yield owner, _interface_of(stack, str(raw["networkInterfaceId"]), name)
            elif i and not groups:  # a further interface beside the first, with the group that nobody named
                beside = _stands_in(user)
                groups = _default_group(stack, next(iter(beside), ""))
                yield owner, Place(f"{owner}/{i}", name, "network interface", beside, groups, public)


def _stands_in(user: Resource) -> tuple[str, ...]:
    if user.type.endswith(":Instance"):
        return tuple(key for key in (user.maybe("subnetId"),) if key)
    return user.several("subnetIds" if user.type.endswith(":NodeGroup") else "vpcZoneIdentifiers")


def _attached(stack: Stack, found: Mapping[str, Place]) -> Iterator[tuple[str, Place]]:
    """Interfaces that are given to instances: by themselves, by an attachment, or by the instance."""
    pairs: list[tuple[str, str]] = []
    for one in stack.of("ec2/networkInterface:NetworkInterface"):
        listed = items(one.get("attachments"), f"{one.name}.attachments")
        pairs += [(str(mapping(raw, one.name).get("instance")), one.id) for raw in listed]
    for one in stack.of("ec2/networkInterfaceAttachment:NetworkInterfaceAttachment"):
        pairs.append((one.text("instanceId"), one.text("networkInterfaceId")))
    for one in stack.of("ec2/instance:Instance"):
        listed = [mapping(raw, one.name) for raw in items(one.get("networkInterfaces"), one.name)]
        pairs += [(one.id, str(raw["networkInterfaceId"])) for raw in listed if raw.get("networkInterfaceId")]
    yield from ((owner, found.get(key) or _interface_of(stack, key, key)) for owner, key in dict.fromkeys(pairs))


def _interface_of(stack: Stack, key: str, name: str) -> Place:
    known = stack.by_id("ec2/networkInterface:NetworkInterface", key)
    opaque = "" if known else f"{name}: interface {key} is not in the facts"
    return Place(key, known.name if known else key, "network interface", (), (), opaque=opaque)


def _template_network(template: Resource) -> tuple[tuple[str, ...], bool | None]:
    """Groups and whether a public address is asked for; None leaves that to the subnet."""
    groups = list(template.several("vpcSecurityGroupIds"))
    public: bool | None = None
    for raw in items(template.get("networkInterfaces"), f"{template.name}.networkInterfaces"):
        one = mapping(raw, f"{template.name}.networkInterfaces")
        if one.get("subnetId") or one.get("networkInterfaceId"):
            continue  # an interface apart: `_of_templates` has it
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
    addressed, stray = _addressed(stack), _stray_address(stack)
    for one in stack.of("ec2/instance:Instance"):
        template, opaque = _template(stack, one)
        held = _held_interface(stack, one)
        named, asked = _template_network(template) if template else ((), None)
        groups = (*one.several("vpcSecurityGroupIds"), *one.several("securityGroups")) or named
        if held:
            groups = (*groups, *held.several("securityGroups"))
        if one.get("associatePublicIpAddress") is not None:
            asked = one.flag("associatePublicIpAddress")
        first = one.maybe("primaryNetworkInterfaceId")
        shown = {one.id, held.id if held else "", first} & addressed or one.maybe("publicIp") or (stray and not first)
        public = True if shown else asked
        said = one if one.get("metadataOptions") or not template else template
        hops, token = _metadata(said)
        subnet = one.maybe("subnetId") or (held.maybe("subnetId") if held else "")
        subnets = tuple(dict.fromkeys(key for key in (subnet, *one.several("subnetIds")) if key))
        user_data = one.maybe("userDataBase64") or one.maybe("userData")
        yield Place(
            one.id, one.name, "instance", subnets, groups or _default_group(stack, subnet), public,
            not one.flag("sourceDestCheck", default=True), metadata_hops=hops, metadata_token=token,
            addresses=tuple(prefix(address) for address in one.several("privateIps")),
            guarded=drops_from_pods(user_data or (template.maybe("userData") if template else "")),
            identity=_profile_role(stack, one) or _profile_role(stack, template), opaque=opaque or _secondary(one),
        )  # fmt: skip


def _held_interface(stack: Stack, one: Resource) -> Resource | None:
    """The interface that an instance was given instead of a subnet."""
    listed = [mapping(raw, one.name) for raw in items(one.get("networkInterfaces"), one.name)]
    listed.append(block(one, "primaryNetworkInterface"))
    keys = [str(raw.get("networkInterfaceId")) for raw in listed if raw.get("networkInterfaceId")]
    return next((found for key in keys if (found := stack.by_id("ec2/networkInterface:NetworkInterface", key))), None)


def _interfaces(stack: Stack) -> Iterator[Place]:
    addressed = _addressed(stack)
    for one in stack.of("ec2/networkInterface:NetworkInterface"):
        subnet = one.text("subnetId")
        groups = one.several("securityGroups") or _default_group(stack, subnet)
        fixed = tuple(prefix(address) for key in ("privateIps", "ipv6Addresses") for address in one.several(key))
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
            # Its tasks' role is in a task definition, which is not read: an identity that is in no facts.
            role = f"the task role of {one.maybe('taskDefinition') or one.name}"
            yield Place(one.id, one.name, "service", subnets, groups, public, identity=role)


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


def _pods_are_known(stack: Stack) -> bool:
    """Whether the plugin names pods' interfaces as the nodes' rules do, and leaves pods IPv4 alone."""
    from sequester.sources.cluster import addon_settings

    for one in stack.of("eks/addon:Addon"):
        if one.maybe("addonName") == "vpc-cni":
            env = mapping(addon_settings(one).get("env"), f"{one.name} env")
            named = str(env.get("AWS_VPC_K8S_CNI_VETHPREFIX") or "eni") == POD_INTERFACE.removesuffix("*")
            return named and str(env.get("DISABLE_POD_V6")).lower() == "true"
    return False


# What an EKS node group starts with where it names no type, or an image of one's own: cloud-init runs shell scripts.
# Bottlerocket's user data is TOML, Windows' PowerShell, and AL2 comes without nft.
# https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
def _runs_user_data(group: Resource) -> bool:
    kind = group.maybe("amiType")
    return kind in ("", "CUSTOM") or kind.startswith("AL2023_")


def assumed(stack: Stack) -> tuple[str, ...]:
    """What a proof takes for granted of machine images."""
    own = {
        (group.name, template.maybe("imageId"))
        for group in stack.of("eks/nodeGroup:NodeGroup", "autoscaling/group:Group")
        if (template := _template(stack, group)[0]) and template.get("imageId")
    }
    return tuple(f"image {image} of {group} runs its user data before kubelet starts" for group, image in sorted(own))


def _template_drops(template: Resource | None) -> bool:
    if template is None:
        return False
    return drops_from_pods(template.maybe("userData"))
