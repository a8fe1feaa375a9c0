"""Where the VPC CNI finds subnets and groups for nodes' further interfaces by itself: by a tag.

On by default since 1.18: https://docs.aws.amazon.com/eks/latest/userguide/cni-subnet-selection.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sequester.proof.facts import mapping
from sequester.proof.model import Place, Subnet
from sequester.sources.cluster import addon_settings
from sequester.sources.resource import Resource, Stack

_TAG, _EXCLUDED = "kubernetes.io/role/cni", "0"


def with_discovered(stack: Stack, subnets: Mapping[str, Subnet], place: Place) -> Place:
    """A node group with the subnets that its nodes' pods may be put in, too, and the groups that hold there.

    The zone is not asked: a subnet of another zone only adds ways that no node takes.
    """
    vpcs = {subnets[key].vpc for key in place.subnets if key in subnets}
    found = [key for key, one in subnets.items() if one.vpc in vpcs and _tagged(dict(one.tags))]
    found = [key for key in found if key not in place.subnets]
    if not place.is_node_group or not found or _switched_off(stack.of("eks/addon:Addon")):
        return place
    groups = [
        one.id
        for one in stack.of("ec2/securityGroup:SecurityGroup")
        if _tagged(mapping(one.get("tags"), f"{one.name}.tags"))
    ]
    return replace(place, subnets=(*place.subnets, *found), groups=tuple(dict.fromkeys((*place.groups, *groups))))


def _tagged(tags: Mapping[str, object]) -> bool:
    return str(tags.get(_TAG, _EXCLUDED)) != _EXCLUDED


def _switched_off(addons: Iterable[Resource]) -> bool:
    for one in addons:
        if one.maybe("addonName") == "vpc-cni":
            env = mapping(addon_settings(one).get("env"), f"{one.name} env")
            return str(env.get("ENABLE_SUBNET_DISCOVERY")).lower() == "false"
    return False
