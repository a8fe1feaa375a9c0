"""Security groups and network ACLs, with standalone and inline rules, and the adoption of a VPC's own."""

from typing import Any, cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, Rule, code
from sequester.cloud.kinds.network import arn, free_group, retag
from sequester.cloud.wire import Props

RULES_A_GROUP = 60
"""AWS's default quota of rules a security group and direction (VPC quotas page); moto has its own count."""
RULES_AN_ACL = 20
"""AWS's default quota of rules a network ACL and direction."""
_ALL_V4 = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
_ALL_V6 = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
_NUMBERS = {"all": "-1", "icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "esp": "50", "ah": "51"}
"""Protocols that the provider takes by name and CreateNetworkAclEntry by number (IANA)."""

_FLAT_RULE = {
    "cidrIpv4": "IpPermissions.IpRanges.CidrIp",
    "cidrIpv6": "IpPermissions.Ipv6Ranges.CidrIpv6",
    "prefixListId": "IpPermissions.PrefixListIds.PrefixListId",
    "referencedSecurityGroupId": "IpPermissions.UserIdGroupPairs.GroupId",
}
_PLACES = {name: path.rsplit(".", 2)[1:] for name, path in _FLAT_RULE.items()}


def _permission(rule: Props) -> Props:
    """A standalone rule (one peer) as an EC2 permission."""
    permission: Props = {"IpProtocol": str(rule["ipProtocol"])}
    if permission["IpProtocol"] != "-1":
        permission |= {"FromPort": rule.get("fromPort", -1), "ToPort": rule.get("toPort", -1)}
    for name, (ranges, key) in _PLACES.items():
        if rule.get(name):
            described = {"Description": rule["description"]} if rule.get("description") else {}
            permission[ranges] = [{key: rule[name]} | described]
    return permission


def _permissions(rule: Props, group: object) -> Props:
    """An inline rule (many peers) as an EC2 permission; `self` is the group itself."""
    permission: Props = {"IpProtocol": str(rule["protocol"])}
    if permission["IpProtocol"] != "-1":
        permission |= {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
    described = {"Description": rule["description"]} if rule.get("description") else {}
    groups = [*cast(list[object], rule.get("securityGroups") or []), *([group] if rule.get("self") else [])]
    peers = {
        ("IpRanges", "CidrIp"): rule.get("cidrBlocks"),
        ("Ipv6Ranges", "CidrIpv6"): rule.get("ipv6CidrBlocks"),
        ("PrefixListIds", "PrefixListId"): rule.get("prefixListIds"),
        ("UserIdGroupPairs", "GroupId"): groups,
    }
    for (ranges, key), values in peers.items():
        if values:
            permission[ranges] = [{key: value} | described for value in cast(list[object], values)]
    return permission


def one_peer(_: Aws, state: Props) -> None:
    """A standalone rule names exactly one peer, and ports where its protocol has them."""
    given = [name for name in _PLACES if state.get(name)]
    if len(given) != 1:
        raise RefusedError("InvalidParameterCombination", f"a rule has one peer of {', '.join(_PLACES)}, not {given}")
    if state["ipProtocol"] in ("tcp", "udp", "6", "17") and state.get("fromPort") is None:
        raise RefusedError("MissingParameter", "a tcp or udp rule needs fromPort and toPort")
    low, high = cast(int, state.get("fromPort", -1)), cast(int, state.get("toPort", -1))
    if state["ipProtocol"] in ("tcp", "udp", "6", "17") and not 0 <= low <= high <= 65535:
        raise RefusedError("InvalidParameterValue", f"invalid port range {low}-{high}")


def _quota(direction: str) -> Rule:
    egress = direction == "egress"

    def rule(aws: Aws, state: Props) -> None:
        filters = [{"Name": "group-id", "Values": [state["securityGroupId"]]}]
        held = aws.call("ec2.describe_security_group_rules", Filters=filters)["SecurityGroupRules"]
        if sum(1 for r in held if r["IsEgress"] == egress) >= RULES_A_GROUP and "id" not in state:
            raise RefusedError(
                "RulesPerSecurityGroupLimitExceeded",
                f"{state['securityGroupId']} has {RULES_A_GROUP} rules in this direction already",
            )

    return rule


@code(takes="name namePrefix description vpcId tags egress", gives="arn ownerId")
def create_group(aws: Aws, state: Props) -> Props:
    """A group with AWS's own `0.0.0.0/0` egress unless the program states its egress (even as empty).

    moto adds `::/0` too, which AWS does only in a VPC with IPv6.
    """
    tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]
    made = aws.call(
        "ec2.create_security_group",
        GroupName=state["name"],
        Description=state.get("description") or "Managed by Pulumi",
        **({"VpcId": state["vpcId"]} if state.get("vpcId") else {}),
        **({"TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}]} if tags else {}),
    )
    group = made["GroupId"]
    aws.call("ec2.revoke_security_group_egress", GroupId=group, IpPermissions=[_ALL_V6])
    if state.get("egress") is not None:
        aws.call("ec2.revoke_security_group_egress", GroupId=group, IpPermissions=[_ALL_V4])
        _authorize(aws, group, "egress", state["egress"])
    return {"id": group, "ownerId": aws.account}


def _authorize(aws: Aws, group: object, direction: str, rules: object) -> None:
    wanted = [_permissions(rule, group) for rule in cast(list[Props], rules or [])]
    if wanted:
        aws.call(f"ec2.authorize_security_group_{direction}", GroupId=group, IpPermissions=wanted)


def _replace_rules(aws: Aws, group: object, direction: str, rules: object) -> None:
    held = aws.call("ec2.describe_security_groups", GroupIds=[group])["SecurityGroups"][0]
    old = held["IpPermissionsEgress" if direction == "egress" else "IpPermissions"]
    if old:
        aws.call(f"ec2.revoke_security_group_{direction}", GroupId=group, IpPermissions=old)
    _authorize(aws, group, direction, rules)


@code(takes="ingress")
def inline_ingress(aws: Aws, state: Props) -> None:
    """Make the group's ingress exactly the program's."""
    _replace_rules(aws, state["id"], "ingress", state.get("ingress"))


@code(takes="egress")
def inline_egress(aws: Aws, state: Props) -> None:
    """Make the group's egress exactly the program's."""
    _replace_rules(aws, state["id"], "egress", state.get("egress"))


_DESCRIBE_GROUP = Call(
    "ec2.describe_security_groups",
    fixed={"GroupIds": ["{id}"]},
    at="SecurityGroups[0]",
    outputs={"name": "GroupName", "arn": "SecurityGroupArn"},
    only=(),
)
SECURITY_GROUP = Kind(
    "aws:ec2/securityGroup:SecurityGroup",
    create=create_group,
    read=_DESCRIBE_GROUP,
    changes=(inline_ingress, inline_egress, retag),
    delete=Call("ec2.delete_security_group", fixed={"GroupId": "{id}"}, only=()),
    computed={"arn": arn("security-group")},
    local=frozenset({"revokeRulesOnDelete"}),
    keeps=free_group,
)


@code(takes="vpcId ingress egress", gives="name description ownerId")
def adopt_group(aws: Aws, state: Props) -> Props:
    """Take over a VPC's default group: the provider removes every rule that the program does not state."""
    named = [{"Name": "vpc-id", "Values": [state["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    group = aws.call("ec2.describe_security_groups", Filters=named)["SecurityGroups"][0]
    for direction in ("ingress", "egress"):
        _replace_rules(aws, group["GroupId"], direction, state.get(direction))
    return {
        "id": group["GroupId"],
        "name": group["GroupName"],
        "description": group["Description"],
        "ownerId": group["OwnerId"],
    }


DEFAULT_GROUP = Kind(
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    create=adopt_group,
    read=_DESCRIBE_GROUP,
    changes=(inline_ingress, inline_egress, retag),
    delete=None,
    computed={"arn": arn("security-group")},
    absent=frozenset({"namePrefix"}),
    local=frozenset({"revokeRulesOnDelete"}),
)


def _standalone(direction: str) -> Kind:
    @code(
        takes="securityGroupId ipProtocol fromPort toPort cidrIpv4 cidrIpv6 prefixListId "
        "referencedSecurityGroupId description tags",
        gives="securityGroupRuleId",
    )
    def authorize(aws: Aws, state: Props) -> Props:
        tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]
        made = aws.call(
            f"ec2.authorize_security_group_{direction}",
            GroupId=state["securityGroupId"],
            IpPermissions=[_permission(state)],
            **({"TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": tags}]} if tags else {}),
        )
        rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return {"id": rule, "securityGroupRuleId": rule}

    title = direction.capitalize()
    return Kind(
        f"aws:vpc/securityGroup{title}Rule:SecurityGroup{title}Rule",
        create=authorize,
        read=Call(
            "ec2.describe_security_group_rules",
            fixed={"SecurityGroupRuleIds": ["{id}"]},
            at="SecurityGroupRules[0]",
            only=(),
        ),
        changes=(retag,),
        delete=Call(
            f"ec2.revoke_security_group_{direction}",
            fixed={"GroupId": "{securityGroupId}", "SecurityGroupRuleIds": ["{id}"]},
            only=(),
        ),
        computed={"arn": arn("security-group-rule")},
        rules=(one_peer, _quota(direction)),
    )


@code(
    takes="type protocol fromPort toPort cidrBlocks ipv6CidrBlocks prefixListIds securityGroupId self "
    "sourceSecurityGroupId description",
    gives="securityGroupRuleId",
)
def authorize_old(aws: Aws, state: Props) -> Props:
    """The older standalone rule: many peers in one resource."""
    source = state.get("sourceSecurityGroupId")
    rule = {**state, "securityGroups": [source] if source else []}
    made = aws.call(
        f"ec2.authorize_security_group_{state['type']}",
        GroupId=state["securityGroupId"],
        IpPermissions=[_permissions(rule, state["securityGroupId"])],
    )
    first = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return {"id": f"sgrule-{first.removeprefix('sgr-')}", "securityGroupRuleId": first}


@code()
def revoke_old(aws: Aws, state: Props) -> None:
    """Revoke by value, as the provider does."""
    source = state.get("sourceSecurityGroupId")
    rule = {**state, "securityGroups": [source] if source else []}
    aws.call(
        f"ec2.revoke_security_group_{state['type']}",
        GroupId=state["securityGroupId"],
        IpPermissions=[_permissions(rule, state["securityGroupId"])],
    )


OLD_RULE = Kind("aws:ec2/securityGroupRule:SecurityGroupRule", create=authorize_old, delete=revoke_old)

_LAST_RULE = 32767
"""Every ACL ends in `*`, a deny that the API shows as this number and that nobody can remove; moto leaves it out."""


def _entry(acl: object, rule: Props, *, egress: bool) -> Props:
    entry: Props = {
        "NetworkAclId": acl,
        "RuleNumber": rule.get("ruleNumber", rule.get("ruleNo")),
        "Protocol": _NUMBERS.get(str(rule["protocol"]), str(rule["protocol"])),
        "RuleAction": rule.get("ruleAction", rule.get("action")),
        "Egress": egress,
    }
    entry |= {
        k: v for k, v in (("CidrBlock", rule.get("cidrBlock")), ("Ipv6CidrBlock", rule.get("ipv6CidrBlock"))) if v
    }
    if entry["Protocol"] in ("6", "17"):
        entry["PortRange"] = {"From": rule.get("fromPort"), "To": rule.get("toPort")}
    if entry["Protocol"] in ("1", "58"):
        entry["IcmpTypeCode"] = {"Type": rule.get("icmpType", -1), "Code": rule.get("icmpCode", -1)}
    return entry


def numbered(_: Aws, state: Props) -> None:
    """AWS takes rule numbers from 1 to 32766, and one address family a rule."""
    number = cast(int, state["ruleNumber"])
    if not 1 <= number < _LAST_RULE:
        raise RefusedError("InvalidParameterValue", f"the rule number {number} is not between 1 and 32766")
    if bool(state.get("cidrBlock")) == bool(state.get("ipv6CidrBlock")):
        raise RefusedError("InvalidParameterCombination", "an ACL rule has either cidrBlock or ipv6CidrBlock")
    if str(state["protocol"]) in ("tcp", "udp", "6", "17") and state.get("fromPort") is None:
        raise RefusedError("MissingParameter", "a tcp or udp ACL rule needs fromPort and toPort")


def acl_quota(aws: Aws, state: Props) -> None:
    """AWS's quota of rules an ACL and direction."""
    acl = aws.call("ec2.describe_network_acls", NetworkAclIds=[state["networkAclId"]])["NetworkAcls"][0]
    egress = bool(state.get("egress"))
    if sum(e["Egress"] == egress and e["RuleNumber"] < _LAST_RULE for e in acl["Entries"]) >= RULES_AN_ACL:
        raise RefusedError("NetworkAclEntryLimitExceeded", f"{state['networkAclId']} has {RULES_AN_ACL} rules already")


def _inline_entries(aws: Aws, state: Props) -> None:
    acl = aws.call("ec2.describe_network_acls", NetworkAclIds=[state["id"]])["NetworkAcls"][0]
    for entry in acl["Entries"]:
        direction = "egress" if entry["Egress"] else "ingress"
        if entry["RuleNumber"] < _LAST_RULE and state.get(direction) is not None:
            key = {"NetworkAclId": state["id"], "RuleNumber": entry["RuleNumber"], "Egress": entry["Egress"]}
            aws.call("ec2.delete_network_acl_entry", **key)
    for direction in ("ingress", "egress"):
        for rule in cast(list[Props], state.get(direction) or []):
            aws.call("ec2.create_network_acl_entry", **_entry(state["id"], rule, egress=direction == "egress"))


@code(takes="ingress egress")
def inline_entries(aws: Aws, state: Props) -> None:
    """Make the entries of the stated directions exactly the program's."""
    _inline_entries(aws, state)


@code(takes="subnetIds")
def inline_subnets(aws: Aws, state: Props) -> None:
    """Give the ACL to the program's subnets."""
    for subnet in cast(list[str], state.get("subnetIds") or []):
        _associate(aws, str(state["id"]), subnet)


def _associate(aws: Aws, acl: str, subnet: str) -> str:
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    found = aws.call("ec2.describe_network_acls", Filters=filters)["NetworkAcls"]
    held = [a for one in found for a in one["Associations"] if a["SubnetId"] == subnet]
    if not held:
        raise RefusedError("InvalidSubnetID.NotFound", f"the subnet ID '{subnet}' does not exist")
    if held[0]["NetworkAclId"] == acl:
        return str(held[0]["NetworkAclAssociationId"])
    answer = aws.call(
        "ec2.replace_network_acl_association",
        AssociationId=held[0]["NetworkAclAssociationId"],
        NetworkAclId=acl,
    )
    return str(answer["NewAssociationId"])


@code(takes="vpcId tags", gives="ownerId")
def create_acl(aws: Aws, state: Props) -> Props:
    """A new ACL denies everything, by the last rule."""
    tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]
    acl = aws.call(
        "ec2.create_network_acl",
        VpcId=state["vpcId"],
        **({"TagSpecifications": [{"ResourceType": "network-acl", "Tags": tags}]} if tags else {}),
    )["NetworkAcl"]
    held: set[tuple[int, bool]] = {(e["RuleNumber"], e["Egress"]) for e in acl["Entries"]}
    last: dict[str, Any] = {"protocol": "-1", "ruleNumber": _LAST_RULE, "ruleAction": "deny", "cidrBlock": "0.0.0.0/0"}
    for egress in (False, True):
        if (_LAST_RULE, egress) not in held:
            aws.call("ec2.create_network_acl_entry", **_entry(acl["NetworkAclId"], last, egress=egress))
    return {"id": acl["NetworkAclId"], "ownerId": aws.account}


def free_acl(aws: Aws, state: Props) -> None:
    """AWS deletes no ACL that a subnet has."""
    held = aws.call("ec2.describe_network_acls", NetworkAclIds=[state["id"]])["NetworkAcls"][0]["Associations"]
    if held:
        raise RefusedError("DependencyViolation", f"the ACL {state['id']} is that of {held[0]['SubnetId']}")


_DESCRIBE_ACL = Call("ec2.describe_network_acls", fixed={"NetworkAclIds": ["{id}"]}, at="NetworkAcls[0]", only=())
NETWORK_ACL = Kind(
    "aws:ec2/networkAcl:NetworkAcl",
    create=create_acl,
    read=_DESCRIBE_ACL,
    changes=(inline_entries, inline_subnets, retag),
    delete=Call("ec2.delete_network_acl", fixed={"NetworkAclId": "{id}"}, only=()),
    computed={"arn": arn("network-acl")},
    keeps=free_acl,
)


_EMPTY: Props = {"ingress": [], "egress": []}


@code(takes="defaultNetworkAclId ingress egress", gives="vpcId ownerId")
def adopt_acl(aws: Aws, state: Props) -> Props:
    """Take over a VPC's default ACL: the provider removes every rule that the program does not state."""
    state["id"] = state["defaultNetworkAclId"]
    _inline_entries(aws, {**_EMPTY, **state})
    return {"id": state["id"]} | _DESCRIBE_ACL(aws, state, DEFAULT_ACL.schema)


DEFAULT_ACL = Kind(
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl",
    create=adopt_acl,
    read=_DESCRIBE_ACL,
    changes=(inline_entries, inline_subnets, retag),
    delete=None,
    computed={"arn": arn("network-acl")},
)


@code(
    takes="networkAclId ruleNumber egress protocol ruleAction cidrBlock ipv6CidrBlock fromPort toPort icmpType icmpCode"
)
def create_entry(aws: Aws, state: Props) -> Props:
    """One numbered rule."""
    egress = bool(state.get("egress"))
    aws.call("ec2.create_network_acl_entry", **_entry(state["networkAclId"], state, egress=egress))
    return {"id": f"nacl-{state['networkAclId']}-{'egress' if egress else 'ingress'}-{state['ruleNumber']}"}


ACL_RULE = Kind(
    "aws:ec2/networkAclRule:NetworkAclRule",
    create=create_entry,
    delete=Call(
        "ec2.delete_network_acl_entry",
        fixed={"NetworkAclId": "{networkAclId}", "RuleNumber": "{ruleNumber}", "Egress": "{egress}"},
        only=(),
    ),
    defaults={"egress": False},
    rules=(numbered, acl_quota),
)


@code(takes="networkAclId subnetId")
def associate_acl(aws: Aws, state: Props) -> Props:
    """Give a subnet this ACL in place of the one it has."""
    return {"id": _associate(aws, str(state["networkAclId"]), str(state["subnetId"]))}


@code()
def disassociate_acl(aws: Aws, state: Props) -> None:
    """A subnet always has an ACL: the provider gives it the VPC's default one back."""
    subnet = aws.call("ec2.describe_subnets", SubnetIds=[state["subnetId"]])["Subnets"][0]
    filters = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "default", "Values": ["true"]}]
    default = aws.call("ec2.describe_network_acls", Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    _associate(aws, default, str(state["subnetId"]))


ACL_ASSOCIATION = Kind(
    "aws:ec2/networkAclAssociation:NetworkAclAssociation", create=associate_acl, delete=disassociate_acl
)

KINDS = (
    SECURITY_GROUP,
    DEFAULT_GROUP,
    _standalone("ingress"),
    _standalone("egress"),
    OLD_RULE,
    NETWORK_ACL,
    DEFAULT_ACL,
    ACL_RULE,
    ACL_ASSOCIATION,
)
