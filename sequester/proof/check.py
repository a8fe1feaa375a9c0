"""The independent checker: given facts and a certificate, is the whole space covered, and is each piece really closed?

It shares no code with the prover but the certificate's format. Between two neighbouring boundaries of the facts nothing
changes, so one concrete packet at each boundary inside a piece stands for all of it. Every packet is judged by plain
look-ups in the facts; a stage that is not found closed, or anything that is not understood, refuses the certificate.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from sequester.proof.certificate import Certificate, Piece, digest

_SPACE = 256 << 16
_ENDS = {"4": 1 << 32, "6": 1 << 128}
_STAYS: frozenset[str] = frozenset({"local", "gateway-endpoint", "blackhole"})
_FORWARDS = {"NAT gateway", "network interface", "firewall or load balancer endpoint"}
_LOCAL = (("4", 0xA9FE0000, 0xA9FF0000), ("6", 0xFE80 << 112, 0xFEC0 << 112), ("6", 0xFD000EC2 << 96, 0xFD000EC3 << 96))
_PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}

Facts: TypeAlias = Mapping[str, Any]
"""Parsed JSON, as proof/export.py writes it; its parts are looked up, never trusted to be there."""


class RefusedError(ValueError):
    """The certificate does not hold for these facts."""


def check(facts: Facts, certificate: Certificate) -> int:
    """The number of packets that were judged. Raises RefusedError, naming the piece, if the proof does not hold."""
    if digest(facts) != certificate.digest:
        raise RefusedError("the certificate is of other facts: their digests differ")
    if certificate.claim != "E1":
        if not certificate.obligations:
            raise RefusedError(f"{certificate.claim}: a certificate without obligations proves nothing")
        return 0
    subjects = [question.subject for question in certificate.questions]
    wanted = set(_wanted(facts))
    if set(subjects) != wanted or len(subjects) != len(wanted):
        raise RefusedError(f"the questions are not those of the facts: {sorted(wanted ^ set(subjects))}")
    judged = 0
    for question in certificate.questions:
        for axis in facts["axes"]:
            pieces = [piece for piece in question.pieces if piece.axis == axis]
            _covered(question.subject, axis, pieces)
            for piece in pieces:
                judged += _closed(facts, question.subject, piece)
    for place in facts["places"].values():
        if place["role"] == "sandbox" and not place["guarded"] and "sandbox" in facts["namespaces"].values():
            raise RefusedError("a sandbox node does not drop what its pods send to it")
    return judged


def _wanted(facts: Facts) -> Iterator[str]:
    for key, place in facts["places"].items():
        if place["role"]:
            for subnet in place["subnets"]:
                if subnet in facts["subnets"]:
                    yield f"out:{key}:{subnet}"
                    yield f"in:{key}:{subnet}"
    for namespace in facts["namespaces"]:
        yield f"pods:{namespace}"


def _covered(subject: str, axis: str, pieces: list[Piece]) -> None:
    """The pieces tile addresses × services: as many cells as the whole has, and no two overlap in a slab."""
    end = _ENDS.get(axis, 1)
    slabs: dict[tuple[int, int], list[Piece]] = {}
    for piece in pieces:
        slabs.setdefault((piece.low, piece.end), []).append(piece)
    at = 0
    for (low, stop), those in sorted(slabs.items()):
        if low != at or stop <= low:
            raise RefusedError(f"{subject}: addresses from {at} on axis {axis} are not covered")
        service = 0
        for piece in sorted(those, key=lambda p: p.first):
            if piece.first != service or piece.last <= piece.first:
                raise RefusedError(f"{subject}: services from {service} are not covered at {low} on axis {axis}")
            service = piece.last
        if service != _SPACE:
            raise RefusedError(f"{subject}: services from {service} are not covered at {low} on axis {axis}")
        at = stop
    if at != end:
        raise RefusedError(f"{subject}: addresses from {at} on axis {axis} are not covered")


def _closed(facts: Facts, subject: str, piece: Piece) -> int:
    kind, _, rest = subject.partition(":")
    if kind == "pods":
        return _pods_closed(facts, rest, piece)
    place_key, _, subnet = rest.rpartition(":")
    place = facts["places"][place_key]
    inward = kind == "in"
    if piece.stage == "group":
        rules = [rule for key in place["groups"] for rule in _group(facts, key) if rule[0] is not inward]
        addresses = [span for rule in rules for span in _spans(facts, rule[1], piece.axis)]
        services = [edge for rule in rules for span in rule[2] for edge in span]
        for address, service in _corners(piece, addresses, services):
            if any(_hit(facts, rule[1], piece.axis, address) and _serves(rule[2], service) for rule in rules):
                raise RefusedError(f"{subject}: a security group rule lets service {service} to {address} pass")
    elif piece.stage == "path":
        addresses, services = _path_edges(facts, piece.axis)
        public = _public(facts, place, subnet)
        for address, service in _corners(piece, addresses, services):
            if inward and not _acl(facts, subnet, piece.axis, address, service, egress=False):
                continue
            tried = [service] if not inward else [service >> 16 << 16 | port for port in _reply_ports(facts)]
            if any(_leaves(facts, subnet, piece.axis, address, one, (), public=public, inward=inward) for one in tried):
                raise RefusedError(f"{subject}: service {service} to {address} on axis {piece.axis} leaves")
    else:
        raise RefusedError(f"{subject}: a node's packet cannot be closed by {piece.stage!r}")
    return len(list(_corners(piece, addresses, services)))


def _corners(piece: Piece, addresses: Iterable[tuple[int, int]], services: Iterable[int]) -> Iterator[tuple[int, int]]:
    rows = sorted({piece.low, *(edge for span in addresses for edge in span if piece.low < edge < piece.end)})
    columns = sorted({piece.first, *(edge for edge in services if piece.first < edge < piece.last)})
    return ((row, column) for row in rows for column in columns)


def _group(facts: Facts, key: str) -> list[Any]:
    if key not in facts["groups"]:
        raise RefusedError(f"the rules of security group {key} are not in the facts")
    return facts["groups"][key]


def _members(facts: Facts, key: str, axis: str) -> Iterator[tuple[int, int]]:
    for place in facts["places"].values():
        if key in place["groups"]:
            own = place["addresses"] or [
                c for s in place["subnets"] if s in facts["subnets"] for c in facts["subnets"][s]["cidrs"]
            ]
            yield from ((low, end) for on, low, end in own if on == axis)


def _spans(facts: Facts, peer: list[Any], axis: str) -> list[tuple[int, int]]:
    """The ranges of a peer on an axis; on the axis of a list that AWS keeps any public prefix may match."""
    if peer[0] == "group":
        if peer[1] not in facts["groups"]:
            raise RefusedError(f"the members of security group {peer[1]} are not in the facts")
        return list(_members(facts, peer[1], axis))
    if peer[0] == "list":
        if peer[1] not in facts["lists"]:
            raise RefusedError(f"the entries of prefix list {peer[1]} are not in the facts")
        entries = facts["lists"][peer[1]]
        if entries is None:
            return [(0, 1)] if peer[1] == axis else []
        return [(low, end) for on, low, end in entries if on == axis]
    if peer[0] == axis:
        return [(peer[1], peer[2])]
    return [(0, 1)] if axis not in _ENDS else []


def _hit(facts: Facts, peer: list[Any], axis: str, address: int) -> bool:
    return any(low <= address < end for low, end in _spans(facts, peer, axis))


def _serves(spans: list[list[int]], service: int) -> bool:
    return any(low <= service < end for low, end in spans)


def _path_edges(facts: Facts, axis: str) -> tuple[list[tuple[int, int]], list[int]]:
    peers = [route[0] for table in facts["tables"].values() for route in table["routes"]]
    peers += [rule[3] for rules in facts["acls"].values() for rule in rules]
    peers += [rule[1] for rules in facts["groups"].values() for rule in rules]
    addresses = [span for peer in peers for span in _spans(facts, peer, axis)]
    addresses += [(low, end) for cidrs in facts["vpcs"].values() for on, low, end in cidrs if on == axis]
    if axis == "6":
        addresses += [(0x64FF9B << 96, 0x64FF9B << 96 | 1 << 32)]
        addresses += [
            (0x64FF9B << 96 | low, (0x64FF9B << 96) + end) for p in peers for low, end in _spans(facts, p, "4")
        ]
    services = [edge for rules in facts["acls"].values() for rule in rules for span in rule[4] for edge in span]
    services += [edge for rules in facts["groups"].values() for rule in rules for span in rule[2] for edge in span]
    return addresses, services


def _reply_ports(facts: Facts) -> list[int]:
    edges = {edge & 0xFFFF for rules in facts["acls"].values() for rule in rules for span in rule[4] for edge in span}
    return sorted({0, 0xFFFF, *edges, *(edge - 1 for edge in edges if edge)})


def _acl(facts: Facts, subnet: str, axis: str, address: int, service: int, *, egress: bool) -> bool:
    for _, outward, allow, peer, spans in sorted(
        facts["acls"].get(facts["subnets"][subnet]["acl"], ()), key=lambda r: r[0]
    ):
        if outward is not egress or not _serves(spans, service):
            continue
        if peer[0] == axis and peer[1] <= address < peer[2]:
            return allow
        if axis not in _ENDS and (allow or peer[2] - peer[1] == _ENDS[peer[0]]):
            return allow
    return False


def _leaves(
    facts: Facts,
    subnet: str,
    axis: str,
    address: int,
    service: int,
    seen: tuple[str, ...],
    *,
    public: bool,
    inward: bool,
) -> bool:
    """Whether a packet from this subnet leaves the VPC by the longest matching route, through every forwarder."""
    here = facts["subnets"][subnet]
    if axis == "6" and not any(on == "6" for on, _, _ in here["cidrs"]):
        return False
    if not _acl(facts, subnet, axis, address, service, egress=True):
        return False
    table = facts["tables"].get(here["table"])
    if table is None:
        return False
    if table["propagating"]:
        return True
    best: tuple[int, str, str] = (-1, "blackhole", "")
    for cidr in facts["vpcs"][here["vpc"]]:
        if cidr[0] == axis and cidr[1] <= address < cidr[2]:
            best = max(best, (_narrowness(cidr[1], cidr[2]), "local", ""))
    for peer, kind, target in table["routes"]:
        for low, end in _spans(facts, peer, axis):
            if low <= address < end:
                exact = 1 << 9 if peer == ["list", axis] else _narrowness(low, end)
                # Of two that may win on the axis of a list, the one that leads out is assumed.
                best = max(best, (exact, kind, target), key=lambda b: (b[0], b[1] not in _STAYS))
    _, kind, target = best
    if kind in _STAYS:
        return False
    if str(kind) == "internet gateway":
        return public or axis == "6"
    if str(kind) == "egress-only internet gateway":
        return axis != "4" and not inward
    if kind not in _FORWARDS:
        return True
    return target not in seen and _forwarded(
        facts, kind, target, axis, address, service, (*seen, target), public=public, inward=inward
    )


def _forwarded(
    facts: Facts,
    kind: str,
    target: str,
    axis: str,
    address: int,
    service: int,
    seen: tuple[str, ...],
    *,
    public: bool,
    inward: bool,
) -> bool:
    device = facts["devices"].get(target) or facts["places"].get(target)
    if device is None:
        return True
    if kind == "network interface" and not device.get("forwards"):
        return False
    if kind == "NAT gateway":
        if inward:
            return False
        if axis == "6":
            if address >> 32 != 0x64FF9B << 64:
                return False
            axis, address = "4", address & 0xFFFFFFFF
    if target in facts["places"]:
        rules = [rule for key in device["groups"] for rule in _group(facts, key) if rule[0]]
        if not any(_hit(facts, rule[1], axis, address) and _serves(rule[2], service) for rule in rules):
            return False
    # Only NAT gives the packet another sender; behind any other forwarder either's public address will do.
    public = public and kind != "NAT gateway"
    return any(
        subnet not in facts["subnets"]
        or _leaves(
            facts, subnet, axis, address, service, seen, public=public or _public(facts, device, subnet), inward=inward
        )
        for subnet in device["subnets"]
    )


def _public(facts: Facts, place: Mapping[str, Any], subnet: str) -> bool:
    return facts["subnets"][subnet]["public"] if place["public"] is None else place["public"]


def _narrowness(low: int, end: int) -> int:
    return 256 - (end - low).bit_length()


def _pods_closed(facts: Facts, namespace: str, piece: Piece) -> int:
    policies = [p for p in facts["policies"] if p["metadata"].get("namespace", "default") == namespace]
    outward = [
        p["spec"]
        for p in policies
        if "Egress" in (p["spec"].get("policyTypes") or (["Egress"] * bool(p["spec"].get("egress"))))
    ]
    if all(any(cast("Facts", spec.get("podSelector") or {}).values()) for spec in outward):
        raise RefusedError(f"{namespace}: no policy selects every pod")
    rules = [rule for spec in outward for rule in spec.get("egress") or ()]
    sandbox = facts["namespaces"][namespace] == "sandbox"
    inside = [(on, low, end, [[0, _SPACE]]) for cidrs in facts["vpcs"].values() for on, low, end in cidrs]
    inside += [(on, low, end, [[0, _SPACE]]) for on, low, end in facts["services"]]
    inside += [(on, low, end, spans) for (on, low, end), spans in facts["agents"]]
    addresses = [edge for rule in rules for edge in _rule_edges(rule, piece.axis)]
    addresses += [(low, end) for on, low, end, _ in inside if on == piece.axis]
    services = [edge for rule in rules for span in _rule_services(rule) for edge in span]
    services += [edge for *_, spans in inside for span in spans for edge in span]
    for address, service in _corners(piece, addresses, services):
        sent = [_sends(rule, piece.axis, address, service) for rule in rules]
        declared = not sandbox and any(
            on == piece.axis and low <= address < end and _serves(spans, service) for on, low, end, spans in inside
        )
        carried = True
        if piece.stage in ("node", "pods") and "any" in sent:
            carried = _node_carries(facts, facts["namespaces"][namespace], piece.axis, address, service)
        fine = {
            "policy": not any(sent),
            "declared": declared,
            "pods": not sandbox and "pods" in sent and ("any" not in sent or not carried),
            "node": not carried,
        }
        if not fine.get(piece.stage, False):
            raise RefusedError(f"pods:{namespace}: service {service} to {address} is not closed by {piece.stage}")
    return len(list(_corners(piece, addresses, services)))


def _node_carries(facts: Facts, role: str, axis: str, address: int, service: int) -> bool:
    places = [place for place in facts["places"].values() if place["role"] == role]
    near = [*_LOCAL, *map(tuple, facts["services"])]
    if not places or any(on == axis and low <= address < end for on, low, end in near):
        return True
    for place in places:
        rules = [rule for key in place["groups"] for rule in _group(facts, key) if rule[0]]
        passes = any(_hit(facts, rule[1], axis, address) and _serves(rule[2], service) for rule in rules)
        for key in place["subnets"]:
            subnet = facts["subnets"].get(key)
            if subnet is None or any(on == axis and low <= address < end for on, low, end in subnet["cidrs"]):
                return True
            inside = any(on == axis and low <= address < end for on, low, end in facts["vpcs"][subnet["vpc"]])
            public = _public(facts, place, key)
            if passes and (inside or _leaves(facts, key, axis, address, service, (), public=public, inward=False)):
                return True
    return False


def _rule_services(rule: Mapping[str, Any]) -> list[list[int]]:
    if not rule.get("ports"):
        return [[0, _SPACE]]
    out: list[list[int]] = []
    for port in rule["ports"]:
        base = _PROTOCOLS[port.get("protocol") or "TCP"] << 16
        first = str(port.get("port", ""))
        last = int(port.get("endPort") or first) if first.isdigit() else 0xFFFF
        out.append([base | int(first) if first.isdigit() else base, (base | last) + 1])
    return out


def _rule_edges(rule: Mapping[str, Any], axis: str) -> Iterator[tuple[int, int]]:
    for peer in rule.get("to") or ():
        block = cast("Mapping[str, Any] | None", peer.get("ipBlock"))
        for cidr in (block["cidr"], *(block.get("except") or ())) if block else ():
            net = ipaddress.ip_network(cidr, strict=False)
            if str(net.version) == axis:
                yield int(net.network_address), int(net.broadcast_address) + 1


def _sends(rule: Mapping[str, Any], axis: str, address: int, service: int) -> str:
    """How a rule lets it through: ``""`` not at all, ``pods`` to pods by selector, ``any``."""
    if axis not in _ENDS or not _serves(_rule_services(rule), service):
        return ""
    if not rule.get("to"):
        return "any"
    how = ""
    for peer in rule["to"]:
        block = cast("Mapping[str, Any] | None", peer.get("ipBlock"))
        if block is None:
            how = how or "pods"
            continue
        where = ipaddress.IPv4Address(address) if axis == "4" else ipaddress.IPv6Address(address)
        holes = (ipaddress.ip_network(hole, strict=False) for hole in block.get("except") or ())
        if where in ipaddress.ip_network(block["cidr"], strict=False) and not any(where in hole for hole in holes):
            return "any"
    return how
