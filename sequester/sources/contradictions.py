"""What a plan says of one thing in two ways: AWS keeps what it was told last, and no source tells which that was."""

from collections.abc import Iterator

from sequester.proof.model import Gap
from sequester.sources.resource import Stack

_PACKETS = frozenset({"E1", "E2", "E6"})
# Type → (what it speaks of, what it says of that, the claims that hang on it).
_SAID_ONCE: dict[str, tuple[str, str, frozenset[str]]] = {
    "ec2/mainRouteTableAssociation:MainRouteTableAssociation": ("vpcId", "routeTableId", _PACKETS),
    "ec2/networkAclAssociation:NetworkAclAssociation": ("subnetId", "networkAclId", _PACKETS),
    "ec2/routeTableAssociation:RouteTableAssociation": ("subnetId", "routeTableId", _PACKETS),
    "ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation": ("vpcId", "dhcpOptionsId", frozenset({"E2"})),
    "ec2/vpcEndpointPolicy:VpcEndpointPolicy": ("vpcEndpointId", "policy", frozenset({"E3", "E7"})),
    "route53/resolverFirewallConfig:ResolverFirewallConfig": ("resourceId", "firewallFailOpen", frozenset({"E2"})),
}


def contradictions(stack: Stack) -> Iterator[Gap]:
    for kind, (subject, what, claims) in _SAID_ONCE.items():
        found: dict[str, tuple[str, object]] = {}
        for one in stack.of(kind):
            of = one.maybe(subject)
            name, before = found.setdefault(of, (one.name, one.get(what)))
            if of and before != one.get(what):
                yield Gap(claims, f"{name} and {one.name} give {of} each another {what}: remove one of them")
    # An ACL's own list is another way to say it; the default ACL's lists only what was left to it.
    listed = {
        a.maybe("subnetId"): (a.name, a.maybe("networkAclId"))
        for a in stack.of("ec2/networkAclAssociation:NetworkAclAssociation")
    }
    for acl in stack.of("ec2/networkAcl:NetworkAcl"):
        for subnet in acl.several("subnetIds"):
            name, before = listed.setdefault(subnet, (acl.name, acl.id))
            if before != acl.id:
                yield Gap(_PACKETS, f"{name} and the list of {acl.name} give {subnet} each another ACL: remove one")
