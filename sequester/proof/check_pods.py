"""The checker's pods: does a namespace's network policies let one packet through, and does the node then send it?

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import ipaddress
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, cast

from sequester.proof.certificate import Piece
from sequester.proof.check_labels import some_pod_is_free, takes_some_pod
from sequester.proof.check_lookup import (
    ENDS,
    HOSTS,
    SPACE,
    Edges,
    Facts,
    Peers,
    RefusedError,
    Rules,
    Span,
    columns,
    rows,
)
from sequester.proof.check_paths import Paths

# Addresses that the node or its hypervisor answers, whatever routes, ACLs and groups say.
_LOCAL = (("4", 0xA9FE0000, 0xA9FF0000), ("6", 0xFE80 << 112, 0xFEC0 << 112), ("6", 0xFD000EC2 << 96, 0xFD000EC3 << 96))
_PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_EVERY_SERVICE = ((0, SPACE),)


class Pods:
    def __init__(self, facts: Facts, peers: Peers, paths: Paths) -> None:
        self._facts, self._peers, self._paths = facts, peers, paths
        self._specs: dict[str, list[Facts]] = {}
        for policy in facts["policies"]:
            spec = policy["spec"]
            if "Egress" in (spec.get("policyTypes") or (["Egress"] * bool(spec.get("egress")))):
                self._specs.setdefault(policy["metadata"].get("namespace", "default"), []).append(spec)
        self._sent: dict[tuple[str, str], tuple[Rules, Rules]] = {}
        self._declared: dict[tuple[str, str], Rules] = {}
        self._nodes: dict[tuple[str, str], _Nodes] = {}

    def closed(self, namespace: str, piece: Piece) -> int:
        """The number of packets judged. Raises RefusedError if the piece's stage does not close one of them."""
        role = self._facts["namespaces"][namespace]
        anywhere, to_pods = self._rules(namespace, piece.axis)
        declared = self._inside(role, piece.axis)
        nodes = self._nodes_for(role, piece.axis)
        by_node = piece.stage in ("node", "pods")
        judged = 0
        for address in rows(piece, anywhere.edges, to_pods.edges, declared.edges, nodes.rows if by_node else []):
            spoken = chain(anywhere.at(address), to_pods.at(address), declared.at(address))
            for service in columns(piece, chain(spoken, nodes.columns(address) if by_node else ())):
                judged += 1
                out, near = anywhere.lets(address, service), to_pods.lets(address, service)
                match piece.stage:
                    case "policy":
                        fine = not out and not near
                    case "declared":
                        fine = declared.lets(address, service)
                    case "pods":
                        fine = near and role != "sandbox" and not (out and nodes.carry(address, service))
                    case "node":
                        fine = out and not nodes.carry(address, service)
                    case _:
                        fine = False
                if not fine:
                    raise RefusedError(
                        f"pods:{namespace}: service {service} to {address} is not closed by {piece.stage}"
                    )
        return judged

    def _rules(self, namespace: str, axis: str) -> tuple[Rules, Rules]:
        """What its policies let through to any address, and what to pods by selector."""
        specs = self._specs.get(namespace, [])
        if (namespace, axis) not in self._sent:
            selectors = [cast("Facts", spec.get("podSelector") or {}) for spec in specs]
            if some_pod_is_free(selectors):
                raise RefusedError(f"{namespace}: no policy selects every pod")
            choosing = [spec for spec, one in zip(specs, selectors, strict=True) if takes_some_pod(one)]
            rules = [rule for spec in choosing for rule in spec.get("egress") or () if axis in ENDS]
            anywhere = [(prefix, _services(rule), holes) for rule in rules for prefix, holes in _blocks(rule, axis)]
            to_pods = [
                ((0, ENDS[axis]), _services(rule), ())
                for rule in rules
                if any(peer.get("ipBlock") is None for peer in rule.get("to") or ())
            ]
            self._sent[namespace, axis] = Rules(anywhere), Rules(to_pods)
        return self._sent[namespace, axis]

    def _inside(self, role: str, axis: str) -> Rules:
        """What is declared: nothing for sandboxes, the VPC and a few listed destinations for agents."""
        if (role, axis) not in self._declared:
            facts = self._facts
            cidrs = [(cidr, _EVERY_SERVICE) for cidr in chain(*facts["vpcs"].values(), facts["services"])]
            listed = [*cidrs, *facts["agents"]] if role != "sandbox" else []
            self._declared[role, axis] = Rules(
                ((low, end), spans, ()) for (on, low, end), spans in listed if on == axis
            )
        return self._declared[role, axis]

    def _nodes_for(self, role: str, axis: str) -> "_Nodes":
        if (role, axis) not in self._nodes:
            self._nodes[role, axis] = _Nodes(self._facts, self._peers, self._paths, role, axis)
        return self._nodes[role, axis]


class _Nodes:
    """The nodes that pods of a role run on. Those with the same groups on the same paths are one."""

    def __init__(self, facts: Facts, peers: Peers, paths: Paths, role: str, axis: str) -> None:
        self._paths, self._axis = paths, axis
        places = [place for place in facts["places"].values() if place["role"] == role]
        subnets = [facts["subnets"].get(key) for place in places for key in place["subnets"]]
        # What a node delivers without asking: everything, where no node is known, or not its subnet.
        near = [*_LOCAL, *facts["services"], *(cidr for subnet in subnets if subnet for cidr in subnet["cidrs"])]
        if not any(place["kind"] in HOSTS for place in places) or None in subnets:
            near = [(axis, 0, ENDS.get(axis, 1))]
        self._near = Rules(((low, end), _EVERY_SERVICE, ()) for on, low, end in near if on == axis)
        kinds: dict[object, tuple[list[Rules], str, bool, Rules]] = {}
        for place in places:
            for key in place["subnets"]:
                subnet = facts["subnets"].get(key)
                if subnet:
                    has_v6 = any(on == "6" for on, _, _ in subnet["cidrs"])
                    public = peers.public(place, key)
                    kind = (*place["groups"], "in", subnet["vpc"], subnet["table"], subnet["acl"], has_v6, public)
                    if kind not in kinds:
                        vpc = [(low, end) for on, low, end in facts["vpcs"][subnet["vpc"]] if on == axis]
                        inside = Rules((span, _EVERY_SERVICE, ()) for span in vpc)
                        kinds[kind] = peers.groups(place, axis, egress=True), key, public, inside
        self._kinds = list(kinds.values())
        edges = [paths.edges(key, axis) for _, key, _, _ in self._kinds]
        rules = [self._near, *(one for groups, _, _, inside in self._kinds for one in (*groups, inside))]
        self.rows: Edges = sorted(
            {edge for those in (*(e for e, _ in edges), *(r.edges for r in rules)) for edge in those}
        )
        self._columns: Edges = sorted({edge for _, those in edges for edge in those})

    def columns(self, address: int) -> Iterator[Edges]:
        """The services at which `carry` may change its answer for an address."""
        yield self._columns
        for groups, _, _, _ in self._kinds:
            for one in groups:
                yield from one.at(address)

    def carry(self, address: int, service: int) -> bool:
        """Whether any node delivers the packet: by itself, in its VPC, or out of it."""
        if self._near.lets(address, service):
            return True
        return any(
            any(one.lets(address, service) for one in groups)
            and (
                inside.lets(address, service)
                or self._paths.leaves(key, self._axis, address, service, public=public, inward=False)
            )
            for groups, key, public, inside in self._kinds
        )


def _services(rule: Facts) -> list[Span]:
    if not rule.get("ports"):
        return list(_EVERY_SERVICE)
    out: list[Span] = []
    for port in rule["ports"]:
        base = _PROTOCOLS[port.get("protocol") or "TCP"] << 16
        first = str(port.get("port", ""))
        last = int(port.get("endPort") or first) if first.isdigit() else 0xFFFF
        out.append((base | int(first) if first.isdigit() else base, (base | last) + 1))
    return out


def _blocks(rule: Facts, axis: str) -> Iterator[tuple[Span, tuple[Span, ...]]]:
    """The prefixes that a rule names, each with what it leaves out. A rule without peers speaks of every address."""
    if not rule.get("to"):
        yield (0, ENDS[axis]), ()
    for peer in rule.get("to") or ():
        block = cast("Mapping[str, Any] | None", peer.get("ipBlock"))
        if block:
            (version, *low_end), *holes = (_block(cidr) for cidr in (block["cidr"], *(block.get("except") or ())))
            if version == axis:
                yield (low_end[0], low_end[1]), tuple((low, end) for on, low, end in holes if on == axis)


@lru_cache(maxsize=1 << 16)
def _block(cidr: str) -> tuple[str, int, int]:
    net = ipaddress.ip_network(cidr, strict=False)
    return str(net.version), int(net.network_address), int(net.broadcast_address) + 1
