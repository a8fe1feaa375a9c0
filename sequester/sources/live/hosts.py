"""What has interfaces in a live account: instances, their templates and groups, and every other interface."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sequester.sources.live.network import formed
from sequester.sources.live.reader import MALFORMED, Raw, Reader, name_of, part, parts, tags_of
from sequester.sources.resource import Resource

_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
# Interfaces that belong to something which is read by itself.
_OWNED_TYPES = ("nat_gateway", "vpc_endpoint", "gateway_load_balancer_endpoint", "lambda")
_CONTROL_PLANE = "Amazon EKS "


def read(reader: Reader, sandboxes: Collection[str]) -> Iterator[Resource]:
    """`sandboxes` are the ids of subnets whose instances' user data is read: a call for each instance."""
    interfaces = list(reader.each("ec2.describe_network_interfaces"))
    attached: dict[str, list[Raw]] = {}
    for raw in interfaces:
        try:
            instance = part(raw, "Attachment").get("InstanceId")
            if instance:
                attached.setdefault(instance, []).append(raw)
            elif raw.get("InterfaceType") not in _OWNED_TYPES and not _of_control_plane(raw):
                yield from _interface(raw)
        except MALFORMED as error:
            reader.unreadable(f"ec2 network interface {str(raw)[:40]}", error)

    def instances(raw: Raw) -> Iterator[Resource]:
        for one in parts(raw, "Instances"):
            if one["State"]["Name"] not in ("terminated", "shutting-down"):
                yield _instance(reader, one, attached.get(one["InstanceId"], []), sandboxes)

    yield from formed(reader, "ec2.describe_instances", instances)
    yield from formed(reader, "autoscaling.describe_auto_scaling_groups", lambda raw: _scaling(reader, raw))
    yield from formed(reader, "iam.list_instance_profiles", _profile)


def template(reader: Reader, key: str, version: str) -> tuple[str, list[Resource]]:
    """A version of a launch template: its id here, and itself. AWS's default where the version is empty."""
    own = f"{key}:{version or '$Default'}"
    found = list(
        reader.each("ec2.describe_launch_template_versions", LaunchTemplateId=key, Versions=[version or "$Default"])
    )
    resources: list[Resource] = []
    for raw in found:
        data = raw["LaunchTemplateData"]
        properties = {
            "userData": data.get("UserData"),
            "vpcSecurityGroupIds": data.get("SecurityGroupIds", []),
            "networkInterfaces": [
                {
                    "securityGroups": one.get("Groups", []),
                    "associatePublicIpAddress": one.get("AssociatePublicIpAddress"),
                    "subnetId": one.get("SubnetId"),
                    "networkInterfaceId": one.get("NetworkInterfaceId"),
                }
                for one in parts(data, "NetworkInterfaces")
            ],
            "secondaryInterfaces": list(parts(data, "SecondaryInterfaces")),
            "metadataOptions": _metadata(part(data, "MetadataOptions")),
            "iamInstanceProfile": {
                "name": part(data, "IamInstanceProfile").get("Name"),
                "arn": part(data, "IamInstanceProfile").get("Arn"),
            },
        }
        resources.append(Resource(_TEMPLATE, raw.get("LaunchTemplateName") or key, own, properties))
    return own, resources


def _metadata(raw: Mapping[str, Any]) -> dict[str, object]:
    found = {
        "httpEndpoint": raw.get("HttpEndpoint"),
        "httpTokens": raw.get("HttpTokens"),
        "httpPutResponseHopLimit": raw.get("HttpPutResponseHopLimit"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _instance(reader: Reader, raw: Raw, interfaces: list[Raw], sandboxes: Collection[str]) -> Resource:
    key = raw["InstanceId"]
    # Those that AWS lists apart carry addresses of pods; those in the instance itself may be fewer.
    mine = interfaces or list(parts(raw, "NetworkInterfaces"))
    subnets = {str(i["SubnetId"]) for i in mine if i.get("SubnetId")} | {s for s in [raw.get("SubnetId")] if s}
    groups = {str(g["GroupId"]) for i in (raw, *mine) for g in i.get("SecurityGroups") or i.get("Groups") or ()}
    user_data = ""
    if subnets & set(sandboxes):
        answer = reader.one("ec2.describe_instance_attribute", InstanceId=key, Attribute="userData")
        user_data = str(part(answer, "UserData").get("Value") or "")
    public = bool(raw.get("PublicIpAddress")) or any(_public(i) for i in mine)
    properties = {
        "subnetId": raw.get("SubnetId") or "",
        "subnetIds": sorted(subnets),
        "vpcSecurityGroupIds": sorted(groups),
        "associatePublicIpAddress": public,
        "sourceDestCheck": all(i.get("SourceDestCheck", True) for i in (raw, *mine)),
        "privateIps": [a for i in mine for a in _addresses(i)],
        "metadataOptions": _metadata(part(raw, "MetadataOptions")),
        "userData": user_data,
        "iamInstanceProfile": part(raw, "IamInstanceProfile").get("Arn") or "",
        "tags": tags_of(raw),
    }
    return Resource("aws:ec2/instance:Instance", name_of(raw, "InstanceId"), key, properties)


def _public(interface: Raw) -> bool:
    return bool(interface.get("Association", {}).get("PublicIp")) or any(
        part(address, "Association").get("PublicIp") for address in parts(interface, "PrivateIpAddresses")
    )


def _addresses(interface: Raw) -> list[str]:
    """Its own addresses and the prefixes delegated to it, of both families."""
    return [
        *(str(a["PrivateIpAddress"]) for a in parts(interface, "PrivateIpAddresses")),
        *(str(a["Ipv6Address"]) for a in parts(interface, "Ipv6Addresses")),
        *(str(p["Ipv4Prefix"]) for p in parts(interface, "Ipv4Prefixes")),
        *(str(p["Ipv6Prefix"]) for p in parts(interface, "Ipv6Prefixes")),
    ]


def _interface(raw: Raw) -> Iterator[Resource]:
    """One that is nobody's instance: a database's, a load balancer's, a pod's own, ..."""
    key = raw["NetworkInterfaceId"]
    properties = {
        "subnetId": raw["SubnetId"],
        "securityGroups": [g["GroupId"] for g in parts(raw, "Groups")],
        "sourceDestCheck": raw.get("SourceDestCheck", True),
        "privateIps": _addresses(raw),
    }
    kind = "aws:ec2/networkInterface:NetworkInterface"
    yield Resource(kind, name_of(raw, "NetworkInterfaceId", "TagSet"), key, properties)
    if _public(raw):
        yield Resource("aws:ec2/eip:Eip", f"the public address of {key}", f"eip of {key}", {"networkInterface": key})


def _of_control_plane(raw: Raw) -> bool:
    return str(raw.get("Description", "")).startswith(_CONTROL_PLANE) and bool(raw.get("RequesterManaged", True))


def _scaling(reader: Reader, raw: Raw) -> Iterator[Resource]:
    policy = part(part(raw, "MixedInstancesPolicy"), "LaunchTemplate")
    chosen = part(raw, "LaunchTemplate") or part(policy, "LaunchTemplateSpecification")
    overriding = [
        o["LaunchTemplateSpecification"] for o in parts(policy, "Overrides") if "LaunchTemplateSpecification" in o
    ]
    for index, one in enumerate([chosen, *overriding]):
        reference: dict[str, object] = {}
        if one.get("LaunchTemplateId"):
            own, resources = template(reader, one["LaunchTemplateId"], str(one.get("Version") or ""))
            yield from resources
            reference = {"id": own}
        properties = {
            "vpcZoneIdentifiers": [s for s in str(raw.get("VPCZoneIdentifier") or "").split(",") if s],
            "launchTemplate": reference,
        }
        name = raw["AutoScalingGroupName"]
        yield Resource("aws:autoscaling/group:Group", name, f"{name} {index}" if index else name, properties)


def _profile(raw: Raw) -> Iterator[Resource]:
    roles = [role["RoleName"] for role in parts(raw, "Roles")]
    properties = {"name": raw["InstanceProfileName"], "arn": raw["Arn"], "role": "".join(roles[:1])}
    yield Resource("aws:iam/instanceProfile:InstanceProfile", raw["InstanceProfileName"], raw["Arn"], properties)
