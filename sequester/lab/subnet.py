"""What passes at the interfaces of one subnet: source checks, security groups, the network ACL, gateways' own rules.

In the order in which EC2 judges a packet. An ACL is asked only where a packet enters or leaves the subnet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sequester.lab.addresses import joined
from sequester.lab.rules import Addresses, acl_lines, chain, group_lines, log
from sequester.proof.model import Model, Nacl
from sequester.proof.space import Prefix

# What NAT gateways carry: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
_NAT_PROTOCOLS = "{ icmp, tcp, udp }"
MASQUERADING_DSCP = 1
"""A forwarding instance sends packets with this mark under its own address, and others as they are."""
_FAMILIES = (("4", "ip"), ("6", "ip6"))


@dataclass(frozen=True)
class Port:
    """One interface, at the subnet's end. groups: None where none apply. own: None where any source will do."""

    device: str
    groups: tuple[str, ...] | None
    own: tuple[Prefix, ...] | None


def subnet_rules(
    acl: Nacl,
    ports: Sequence[Port],
    *,
    model: Model,
    where: Addresses,
    gates: Sequence[str],
    unfiltered: Sequence[Prefix],
    has_v6: bool,
    logged: bool,
) -> str:
    """A subnet's whole ruleset.

    unfiltered: the resolver, which neither groups nor ACLs stop nor flow logs record. gates: rules of the gateways that
    its routes lead to.
    """
    flow = [
        "type filter hook forward priority 0; policy drop;",
        *(f'iifname "{one.device}" jump source_{one.device}' for one in ports),
        *([] if has_v6 else ["meta nfproto ipv6 drop"]),
        *(f'{side} "imds" accept' for side in ("iifname", "oifname")),
        *(
            f"{family} {side} {known} accept"
            for axis, family in _FAMILIES
            if (known := joined(unfiltered, axis))
            for side in ("saddr", "daddr")
        ),
        *(f'iifname "{one.device}" jump out_{one.device}' for one in ports),
        'iifname "eni*" oifname != "eni*" jump acl_out',
        *([f'iifname "eni*" {log("ACCEPT egress")}'] if logged else []),
        'iifname "core" oifname "core" drop comment "nobody has that address"',
        *gates,
        'iifname != "eni*" oifname "eni*" jump acl_in',
        *(f'oifname "{one.device}" jump in_{one.device}' for one in ports),
        *([f'oifname "eni*" {log("ACCEPT ingress")}'] if logged else []),
        "accept",
    ]
    chains = [
        chain("forward", flow),
        chain("acl_out", [*acl_lines(acl, egress=True), _refused(egress=True)]),
        chain("acl_in", [*acl_lines(acl, egress=False), _refused(egress=False)]),
    ]
    for one in ports:
        chains.append(chain(f"source_{one.device}", _own_addresses(one)))
        for name, egress in (("out", True), ("in", False)):
            lines = ["return"] if one.groups is None else group_lines(model, one.groups, where, egress=egress)
            chains.append(chain(f"{name}_{one.device}", [*lines, _refused(egress=egress)]))
    return f"table inet vpc {{\n{''.join(chains)}}}\n"


def _refused(*, egress: bool) -> str:
    return f"{log('REJECT egress' if egress else 'REJECT ingress')} drop"


def _own_addresses(one: Port) -> list[str]:
    """EC2 drops what does not come from the interface's own addresses, unless that check is off."""
    if one.own is None:
        return ["return"]
    lines = [f"{family} saddr {known} return" for axis, family in _FAMILIES if (known := joined(one.own, axis))]
    return [*lines, "drop"]


def internet_gate(device: str, public: Sequence[Prefix]) -> list[str]:
    """An internet gateway carries IPv4 only of those that have a public address, and to them. IPv6 needs none."""
    known = joined(public, "4")
    if not known:
        return [f'{side} "{device}" meta nfproto ipv4 drop' for side in ("oifname", "iifname")]
    return [f'oifname "{device}" ip saddr != {known} drop', f'iifname "{device}" ip daddr != {known} drop']


def egress_only_gate(device: str) -> list[str]:
    """An egress-only gateway carries IPv6, and in only what answers."""
    new = "ct state != { established, related }"
    return [
        f'oifname "{device}" meta nfproto ipv4 drop',
        f'iifname "{device}" {new} drop',
    ]


def nat_rules() -> str:
    """Inside a NAT gateway."""
    lines = ["type filter hook forward priority 0; policy drop;"]
    lines.append(f"meta nfproto ipv4 meta l4proto {_NAT_PROTOCOLS} accept")
    own = ["type nat hook postrouting priority 100;", 'oifname "eth0" masquerade']
    return f"table inet nat_gateway {{\n{chain('carried', lines)}{chain('own_address', own)}}}\n"


def forwarder_rules() -> str:
    """Inside an instance whose source check is off: what runs there may use its own address, or the sender's."""
    lines = ["type nat hook postrouting priority 100;"]
    lines += [f"{family} dscp {MASQUERADING_DSCP} masquerade" for _, family in _FAMILIES]
    return f"table inet forwarder {{\n{chain('own_address', lines)}}}\n"
