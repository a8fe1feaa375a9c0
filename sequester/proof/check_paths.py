"""The checker's paths: does one packet that a subnet sends leave the VPC, by ACLs and the longest matching routes?"""

from typing import Any

from sequester.proof.check_lookup import ENDS, Edges, Facts, Peers, Prefixes, Span

_STAYS = frozenset({"local", "gateway-endpoint", "blackhole"})
_FORWARDS = frozenset({"NAT gateway", "network interface"})
# NAT gateways translate IPv6 only within this range (RFC 6052).
_NAT64 = 0x64FF9B << 96


class _Routes:
    """The routes of a table on one axis: (kind, target) of what leads to a prefix."""

    def __init__(self, routes: dict[Span, list[tuple[str, str]]]) -> None:
        self._routes = routes
        self._prefixes = Prefixes(routes.keys())
        self.edges = self._prefixes.edges

    def longest(self, address: int) -> list[tuple[str, str]]:
        """Those of the narrowest prefix that holds the address: more than one if they are as narrow."""
        narrowest = next(self._prefixes.at(address), None)
        return self._routes[narrowest] if narrowest else []


class Paths:
    def __init__(self, facts: Facts, peers: Peers) -> None:
        self._facts, self._peers = facts, peers
        self._acls = {key: sorted(rules, key=lambda rule: rule[0]) for key, rules in facts["acls"].items()}
        self._routes: dict[tuple[str, str, str], _Routes] = {}
        self._edges: dict[tuple[str, str, str, str], tuple[Edges, Edges]] = {}

    def leaves(
        self,
        subnet: str,
        axis: str,
        address: int,
        service: int,
        *,
        public: bool,
        inward: bool,
        seen: tuple[str, ...] = (),
    ) -> bool:
        """Whether the packet leaves, through every forwarder. `inward`: it is a reply to somebody who began outside."""
        here = self._facts["subnets"][subnet]
        if axis == "6" and not any(on == "6" for on, _, _ in here["cidrs"]):
            return False
        if not self.acl(subnet, axis, address, service, egress=True):
            return False
        table = self._facts["tables"].get(here["table"])
        if table is None:
            return False
        if table["propagating"]:
            return True
        # Of routes that are as narrow, any that leads out is taken to win.
        return any(
            self._beyond(kind, target, axis, address, service, public=public, inward=inward, seen=seen)
            for kind, target in self._table(here, axis).longest(address)
            if kind not in _STAYS
        )

    def _beyond(
        self,
        kind: str,
        target: str,
        axis: str,
        address: int,
        service: int,
        *,
        public: bool,
        inward: bool,
        seen: tuple[str, ...],
    ) -> bool:
        """Whether a route's target takes the packet out of the VPC. A kind that is not listed here does."""
        if kind == "internet gateway":
            return public or axis == "6"
        if kind == "egress-only internet gateway":
            return axis != "4" and not inward
        if kind == "regional NAT gateway":
            return not inward and (axis != "6" or address >> 32 == _NAT64 >> 32)
        if kind not in _FORWARDS:
            return True
        device = self._facts["devices"].get(target) or self._facts["places"].get(target)
        if target in seen or (device and kind == "network interface" and not device.get("forwards")):
            return False
        if device is None:
            return True
        if kind == "NAT gateway":
            if inward or (axis == "6" and address >> 32 != _NAT64 >> 32):
                return False
            axis, address = ("4", address & 0xFFFFFFFF) if axis == "6" else (axis, address)
        if target in self._facts["places"]:
            rules = self._peers.groups(device, axis, egress=True)
            if not any(one.lets(address, service) for one in rules):
                return False
        # Only NAT gives the packet another sender; behind any other forwarder either's public address will do.
        public = public and kind != "NAT gateway"
        return any(
            subnet not in self._facts["subnets"]
            or self.leaves(
                subnet,
                axis,
                address,
                service,
                public=public or self._peers.public(device, subnet),
                inward=inward,
                seen=(*seen, target),
            )
            for subnet in device["subnets"]
        )

    def acl(self, subnet: str, axis: str, address: int, service: int, *, egress: bool) -> bool:
        """Whether the subnet's ACL lets the packet pass: the first rule that speaks of it decides."""
        for _, outward, allow, (on, low, end), services in self._acls.get(self._facts["subnets"][subnet]["acl"], ()):
            if outward is not egress or not any(first <= service < last for first, last in services):
                continue
            if on == axis and low <= address < end:
                return allow
            if axis not in ENDS and (allow or end - low == ENDS[on]):
                return allow
        return False

    def _table(self, subnet: Any, axis: str) -> _Routes:
        key = (subnet["table"], subnet["vpc"], axis)
        if key not in self._routes:
            found: dict[Span, list[tuple[str, str]]] = {}
            for on, low, end in self._facts["vpcs"][subnet["vpc"]]:
                if on == axis:
                    found[low, end] = [("local", "")]
            routes = self._facts["tables"].get(subnet["table"], {"routes": ()})["routes"]
            # A route for the list itself wins on the list's axis; else any route may be the one that carries it.
            for peer, kind, target in [r for r in routes if list(r[0]) == ["list", axis]] or routes:
                for span in self._peers.spans(peer, axis):
                    found.setdefault(span, []).append((kind, target))
            self._routes[key] = _Routes(found)
        return self._routes[key]

    def edges(self, subnet: str, axis: str) -> tuple[Edges, Edges]:
        """The addresses and services at which `leaves` may change its answer, over every table and ACL on the way."""
        here = self._facts["subnets"][subnet]
        key = (here["vpc"], here["table"], here["acl"], axis)
        if key not in self._edges:
            rows, columns = self._edges_on(subnet, axis)
            if axis == "6":
                rows |= {_NAT64 + row for row in self._edges_on(subnet, "4")[0]} | {_NAT64, _NAT64 + ENDS["4"]}
            self._edges[key] = sorted(rows), sorted(columns)
        return self._edges[key]

    def _edges_on(self, subnet: str, axis: str) -> tuple[set[int], set[int]]:
        rows: set[int] = set()
        columns: set[int] = set()
        met, todo = {subnet}, [subnet]
        while todo:
            here = self._facts["subnets"].get(todo.pop())
            if here is None:
                continue
            rows.update(self._table(here, axis).edges)
            for _, _, _, peer, services in self._acls.get(here["acl"], ()):
                rows.update(edge for span in self._peers.spans(peer, axis) for edge in span)
                columns.update(edge for span in services for edge in span)
            for _, _, target in self._facts["tables"].get(here["table"], {"routes": ()})["routes"]:
                device = self._facts["devices"].get(target) or self._facts["places"].get(target) or {"subnets": ()}
                for group in self._facts["groups"].keys() & device.get("groups", ()):
                    rows.update(self._peers.group(group, axis, egress=True).edges)
                    columns.update(edge for rule in self._facts["groups"][group] for span in rule[2] for edge in span)
                todo += [key for key in device["subnets"] if key not in met]
                met.update(device["subnets"])
        return rows, columns
