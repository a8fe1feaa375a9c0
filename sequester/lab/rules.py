"""From facts to nftables: security groups, network ACLs and network policies as chains. Text in, text out.

Nothing here is shared with the proof but the facts' types: where both are asked about one packet, two separate
readings of the facts are compared.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sequester.proof.model import GroupRef, ListRef, Model, Nacl, Peer
from sequester.proof.space import Prefix, Services

FLOW_GROUP, DENIAL_GROUP = 5, 6
"""nflog groups: packets at an interface of the VPC, and packets that a network policy denies."""
_PORTED = (6, 17, 132)
_ICMP = (1, 58)
_FAMILY = {"4": "ip", "6": "ip6"}
_MOST_COMMENT = 120


@dataclass(frozen=True)
class Addresses:
    """What the facts leave open: where the members of groups are, and what stands for lists that AWS keeps."""

    members: Mapping[str, tuple[Prefix, ...]] = field(default_factory=dict[str, tuple[Prefix, ...]])
    lists: Mapping[str, tuple[Prefix, ...]] = field(default_factory=dict[str, tuple[Prefix, ...]])


class UntranslatableError(ValueError):
    """A fact that the lab cannot build. It is never left out silently."""


def service_matches(services: Services) -> Iterator[str]:
    """One nftables match for each piece of the services; an empty match is every packet."""
    for low, end in services:
        first, last = low >> 16, (end - 1) >> 16
        if low & 0xFFFF == 0 and end & 0xFFFF == 0:
            yield "" if (first, last) == (0, 255) else f"meta l4proto {_span(first, last)} "
            continue
        if first == last:
            yield from _part(first, low & 0xFFFF, (end - 1) & 0xFFFF)
            continue
        yield from _part(first, low & 0xFFFF, 0xFFFF)
        if first + 1 < last:
            yield f"meta l4proto {_span(first + 1, last - 1)} "
        yield from _part(last, 0, (end - 1) & 0xFFFF)


def _part(protocol: int, low: int, high: int) -> Iterator[str]:
    """A range of ports, or of ICMP type and code, which are the first 16 bits of the message."""
    if (low, high) == (0, 0xFFFF):
        yield f"meta l4proto {protocol} "
    elif protocol in _PORTED:
        yield f"meta l4proto {protocol} th dport {_span(low, high)} "
    elif protocol in _ICMP:
        yield f"meta l4proto {protocol} @th,0,16 {_span(low, high)} "
    elif low == 0:
        yield f"meta l4proto {protocol} "  # a protocol without ports has but one service


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def peer_match(peer: Prefix, side: str) -> str:
    """side: `saddr` or `daddr`."""
    family = _FAMILY.get(peer.axis)
    if family is None:
        raise UntranslatableError(f"{peer.axis} is no address family: give the list addresses")
    if peer.length == 0:
        return f"meta nfproto {'ipv4' if family == 'ip' else 'ipv6'} "
    return f"{family} {side} {peer} "


def comment(text: str) -> str:
    """Names in comments, for whoever reads the ruleset."""
    clean = text.replace('"', "'").replace("\n", " ")[:_MOST_COMMENT]
    return f" comment {json.dumps(clean, ensure_ascii=True)}"


def chain(name: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"  chain {name} {{\n{body}\n  }}\n"


def log(words: str, group: int = FLOW_GROUP) -> str:
    return f'log prefix "{words}" group {group} snaplen 128'


def group_lines(model: Model, groups: Sequence[str], where: Addresses, *, egress: bool) -> list[str]:
    """A security group's rules: answers pass, then whatever any rule of any group lets; the rest is refused."""
    side = "daddr" if egress else "saddr"
    lines = ["ct state established,related return"]
    for key in groups:
        group = model.groups.get(key)
        if group is None:
            raise UntranslatableError(f"the rules of security group {key} are not in the facts")
        for rule in group.rules:
            if rule.egress is egress:
                words = comment(f"{group.name}: {rule.name}")
                matches = list(service_matches(rule.services))
                peers = [peer_match(one, side) for one in _prefixes(model, rule.peer, where)]
                lines += [f"{peer}{match}return{words}" for peer in peers for match in matches]
    return lines


def _prefixes(model: Model, peer: Peer, where: Addresses) -> tuple[Prefix, ...]:
    match peer:
        case Prefix():
            return (peer,)
        case GroupRef(id=key):
            return where.members.get(key, ())
        case ListRef(id=key):
            return list_prefixes(model, key, where)


def list_prefixes(model: Model, key: str, where: Addresses) -> tuple[Prefix, ...]:
    known = model.lists.get(key)
    if known is not None and known.entries is not None:
        return known.entries
    if key not in where.lists:
        raise UntranslatableError(f"the addresses of prefix list {key} are not in the facts")
    return where.lists[key]


def acl_lines(acl: Nacl, *, egress: bool) -> list[str]:
    """A network ACL's rules in order; it keeps no state, and what none matches is denied."""
    side = "daddr" if egress else "saddr"
    refused = log("REJECT egress" if egress else "REJECT ingress") + " drop"
    lines: list[str] = []
    for rule in sorted((r for r in acl.rules if r.egress is egress), key=lambda r: r.number):
        verdict = "return" if rule.allow else refused
        words, peer = comment(f"{rule.number} {rule.name}"), peer_match(rule.peer, side)
        lines += [f"{peer}{match}{verdict}{words}" for match in service_matches(rule.services)]
    return lines
