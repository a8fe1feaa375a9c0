"""Launch templates, instances and network interfaces."""

import base64
import binascii

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.kinds.network import arn, retag
from sequester.cloud.schema import declared
from sequester.cloud.wire import Props

USER_DATA_BYTES = 16 * 1024
"""EC2's limit on user data before encoding (EC2 guide, "Run commands at launch")."""


def sound_user_data(_: Aws, state: Props) -> None:
    """AWS refuses user data that is not base64 or is too long; moto takes any text."""
    if state.get("userData") is None:
        return
    try:
        decoded = base64.b64decode(str(state["userData"]), validate=True)
    except binascii.Error as error:
        raise RefusedError("InvalidUserData.Malformed", f"userData is not base64: {error}") from error
    if len(decoded) > USER_DATA_BYTES:
        raise RefusedError("InvalidParameterValue", f"userData has {len(decoded)} bytes, more than {USER_DATA_BYTES}")


_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_OUTSIDE = frozenset({"name", "namePrefix", "tags", "description", "defaultVersion", "updateDefaultVersion", "region"})
_DATA = tuple(sorted(declared(_TEMPLATE).inputs - _OUTSIDE))
_DATA_NAMES = {
    **{name: f"LaunchTemplateData.{name[0].upper()}{name[1:]}" for name in _DATA},
    "blockDeviceMappings": "LaunchTemplateData.BlockDeviceMappings",
    "hibernationOptions": "LaunchTemplateData.HibernationOptions",
    "vpcSecurityGroupIds": "LaunchTemplateData.SecurityGroupIds",
    "securityGroupNames": "LaunchTemplateData.SecurityGroups",
    "ramDiskId": "LaunchTemplateData.RamDiskId",
    "networkInterfaces.securityGroups": "Groups",
    "networkInterfaces.ipv4PrefixCount": "Ipv4PrefixCount",
    "metadataOptions.httpProtocolIpv6": "HttpProtocolIpv6",
    "description": "VersionDescription",
}
_NEW_VERSION = Call(
    "ec2.create_launch_template_version",
    names=_DATA_NAMES,
    fixed={"LaunchTemplateId": "{id}"},
    at="LaunchTemplateVersion",
    outputs={"latestVersion": "VersionNumber"},
    only=(*_DATA, "description"),
)


@code(takes=" ".join((*_DATA, "description", "updateDefaultVersion", "defaultVersion")), gives="latestVersion")
def new_version(aws: Aws, state: Props) -> Props:
    """A changed template is a new version, which becomes the default where the program says so."""
    made = _NEW_VERSION(aws, state, declared(_TEMPLATE))
    if state.get("updateDefaultVersion"):
        version = str(made["latestVersion"])
        aws.call("ec2.modify_launch_template", LaunchTemplateId=state["id"], DefaultVersion=version)
        made["defaultVersion"] = made["latestVersion"]
    return made


LAUNCH_TEMPLATE = Kind(
    _TEMPLATE,
    create=Call(
        "ec2.create_launch_template",
        names={"name": "LaunchTemplateName", "updateDefaultVersion": "", "defaultVersion": "", **_DATA_NAMES},
        at="LaunchTemplate",
        outputs={
            "id": "LaunchTemplateId",
            "latestVersion": "LatestVersionNumber",
            "defaultVersion": "DefaultVersionNumber",
        },
        tagged="launch-template",
    ),
    read=Call(
        "ec2.describe_launch_templates",
        fixed={"LaunchTemplateIds": ["{id}"]},
        at="LaunchTemplates[0]",
        outputs={"latestVersion": "LatestVersionNumber"},
        only=(),
    ),
    changes=(new_version, retag),
    delete=Call("ec2.delete_launch_template", fixed={"LaunchTemplateId": "{id}"}, only=()),
    computed={"arn": arn("launch-template")},
    rules=(sound_user_data,),
)

_AT = "Instances[0]"


@code()
def terminate(aws: Aws, state: Props) -> None:
    """AWS takes an instance's interface with it; moto leaves it in the subnet."""
    aws.call("ec2.terminate_instances", InstanceIds=[state["id"]])
    if state.get("primaryNetworkInterfaceId"):
        aws.call("ec2.delete_network_interface", NetworkInterfaceId=state["primaryNetworkInterfaceId"])


INSTANCE = Kind(
    "aws:ec2/instance:Instance",
    create=Call(
        "ec2.run_instances",
        names={
            "ami": "ImageId",
            "vpcSecurityGroupIds": "SecurityGroupIds",
            "privateIp": "PrivateIpAddress",
            "iamInstanceProfile": "IamInstanceProfile.Name",
            "userDataBase64": "UserData",
            "monitoring": "Monitoring.Enabled",
            "availabilityZone": "Placement.AvailabilityZone",
            "tenancy": "Placement.Tenancy",
        },
        fixed={"MinCount": 1, "MaxCount": 1},
        at=_AT,
        outputs={
            "id": "InstanceId",
            "primaryNetworkInterfaceId": "NetworkInterfaces[0].NetworkInterfaceId",
            "instanceState": "State.Name",
            "privateDns": "PrivateDnsName",
            "publicDns": "PublicDnsName",
            "publicIp": "PublicIpAddress",
        },
        tagged="instance",
    ),
    changes=(retag,),
    delete=terminate,
    computed={"arn": arn("instance")},
    absent=frozenset({"instanceLifecycle", "outpostArn", "passwordData", "publicIp", "spotInstanceRequestId"}),
)


@code(takes="securityGroups")
def regroup(aws: Aws, state: Props) -> None:
    """Give the interface exactly the program's groups."""
    aws.call("ec2.modify_network_interface_attribute", NetworkInterfaceId=state["id"], Groups=state["securityGroups"])


INTERFACE = Kind(
    "aws:ec2/networkInterface:NetworkInterface",
    create=Call(
        "ec2.create_network_interface",
        names={"privateIp": "PrivateIpAddress", "securityGroups": "Groups", "privateIps": "", "privateIpsCount": ""},
        at="NetworkInterface",
        outputs={"id": "NetworkInterfaceId", "privateDnsName": "PrivateDnsName"},
        tagged="network-interface",
    ),
    changes=(regroup, retag),
    delete=Call("ec2.delete_network_interface", fixed={"NetworkInterfaceId": "{id}"}, only=()),
    computed={"arn": arn("network-interface")},
    absent=frozenset({"outpostArn", "privateDnsName", "macAddress"}),
)

KINDS = (LAUNCH_TEMPLATE, INSTANCE, INTERFACE)
