"""From facts to a network of namespaces: which there are, how they are linked, and what each one routes and filters.

    pod ── node ──┐                          ┌── internet gateway, peering, ... ── outside
    place ────────┤ subnet (routes, filters) ┤
    endpoint ─────┘                          └── the VPC (local routes) ── other subnets

A subnet's namespace holds its route table as the kernel's, the security group of each interface, and the ACL. So what
runs behind an interface, root included, can change nothing of it, as on AWS. Pure: `world.py` builds what is said here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sequester.lab.addresses import Pool, fixed, grouped
from sequester.lab.node import NODE_LOCAL, Hosted, node_rules, pod_device
from sequester.lab.parts import (
    IMDS,
    NODE_LINK,
    OUTSIDE,
    POD_LINK,
    VOID,
    Interface,
    Link,
    Options,
    Space,
    Topology,
    gateway_space,
    imds_space,
    pod_space,
    resolver_addresses,
    resolver_space,
    subnet_space,
    vpc_space,
)
from sequester.lab.policies import Cluster, Pod
from sequester.lab.rules import Addresses, UntranslatableError, list_prefixes
from sequester.lab.subnet import Port, egress_only_gate, forwarder_rules, internet_gate, nat_rules, subnet_rules
from sequester.proof.model import Device, ListRef, Model, Place, Route, Subnet, Vpc
from sequester.proof.space import Prefix

# What is beyond a route's target, and how its device is called: everything of one kind leads to one sink.
_LEAVES = {
    "internet gateway": "igw",
    "egress-only internet gateway": "eigw",
    "transit gateway": "tgw",
    "VPC peering connection": "pcx",
    "virtual private gateway": "vgw",
    "core network": "cwan",
    "local gateway": "lgw",
    "carrier gateway": "cagw",
    "Oracle database network": "odb",
}
_DEVICES = {"NAT gateway": "nat", "network interface": "fwd", "firewall or load balancer endpoint": "gwlb"}
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def topology(model: Model, options: Options | None = None) -> Topology:
    """Raises UntranslatableError, naming the fact, for what cannot be built."""
    return _Builder(model, options or Options()).built()


class _Builder:
    def __init__(self, model: Model, options: Options) -> None:
        self.model, self.options, self.out = model, options, Topology()
        self.pool = Pool(model)
        self._public: dict[str, list[Prefix]] = {}

    def built(self) -> Topology:
        self.out.space(OUTSIDE)
        self._interfaces()
        self._pods()
        members = grouped(
            (group, address)
            for one in self.out.interfaces.values()
            for group in one.groups or ()
            for address in one.all_addresses
        )
        where = Addresses(members, self.options.stand_ins)
        for one in self.out.interfaces.values():
            if one.public:
                vpc = self.model.subnets[one.subnet].vpc
                self._public.setdefault(vpc, []).extend(a for a in one.all_addresses if a.axis == "4")
        for vpc in self.model.vpcs.values():
            self._vpc(vpc)
        for subnet in self.model.subnets.values():
            self._subnet(subnet, where)
        self._nodes()
        return self.out

    # What there is, and where

    def _interfaces(self) -> None:
        numbers = iter(range(1 << 16))
        for place in self.model.places.values():
            for key in place.subnets:
                subnet = self._known_subnet(key, place.name)
                addresses = fixed(place, subnet) or self.pool.of(subnet)
                self._interface(next(numbers), place, subnet, addresses)
        for device in self.model.devices.values():
            for key in device.subnets:
                subnet = self._known_subnet(key, device.name)
                self._interface(next(numbers), device, subnet, self.pool.of(subnet))

    def _interface(self, number: int, owner: Place | Device, subnet: Subnet, addresses: tuple[Prefix, ...]) -> None:
        if isinstance(owner, Place):
            groups, public, forwards = owner.groups, owner.public_in(subnet), owner.forwards
        else:
            groups, public, forwards = None, owner.public, owner.kind != "NAT gateway"
        name = f"{owner.id}@{subnet.id}"
        one = Interface(owner.id, subnet.id, name, f"eni{number}", addresses, groups, public, forwards, owner.name)
        self.out.interfaces[owner.id, subnet.id] = one
        space = self.out.space(name, forwards=forwards or isinstance(owner, Device))
        space.ip += [f"addr add {address} dev eth0{_nodad(address)}" for address in addresses]
        space.ip += _default("eth0")
        self.out.links.append(Link((subnet_space(subnet.id), one.device), (name, "eth0")))
        if isinstance(owner, Device) and owner.kind == "NAT gateway":
            space.rules += nat_rules()
        elif forwards:
            space.rules += forwarder_rules()

    def _pods(self) -> None:
        for wanted in self.options.pods:
            place = self.model.places.get(wanted.node)
            if place is None or not place.subnets:
                raise UntranslatableError(f"pod {wanted.namespace}/{wanted.name}: no node {wanted.node} in the facts")
            subnet = self.model.subnets[wanted.subnet or place.subnets[0]]
            addresses = tuple(a for a in self.pool.of(subnet) if a.axis == "4" or self.options.pods_have_v6)
            services = (wanted.service,) if wanted.service else ()
            pod = Pod(wanted.namespace, wanted.name, wanted.labels, addresses, wanted.ports, services)
            key = f"{pod.namespace}/{pod.name}"
            node = self.out.interfaces[place.id, subnet.id]
            self.out.pods[key] = pod
            node = replace(node, behind=(*node.behind, *addresses))
            self.out.interfaces[place.id, subnet.id] = node
            self.out.nodes[key] = node
        for key, node in self.out.nodes.items():
            self.out.nodes[key] = self.out.interfaces[node.owner, node.subnet]

    # The VPC

    def _vpc(self, vpc: Vpc) -> None:
        space = self.out.space(vpc_space(vpc.id), forwards=True)
        space.ip += [f"route add blackhole {every}" for every in _EVERYWHERE]
        own = [s for s in self.model.subnets.values() if s.vpc == vpc.id]
        for number, subnet in enumerate(own):
            self.out.links.append(Link((space.name, f"subnet{number}"), (subnet_space(subnet.id), "core")))
            space.ip += [f"route add {c} dev subnet{number}" for c in subnet.cidrs]
        base = next((c for c in vpc.cidrs if c.axis == "4"), None)
        if base is not None:
            resolver = self.out.space(resolver_space(vpc.id))
            self.out.links.append(Link((space.name, "resolver"), (resolver.name, "eth0")))
            for address in resolver_addresses(base):
                space.ip.append(f"route add {address} dev resolver")
                resolver.ip.append(f"addr add {address} dev eth0{_nodad(address)}")
            resolver.ip += _default("eth0")

    def _subnet(self, subnet: Subnet, where: Addresses) -> None:
        space = self.out.space(subnet_space(subnet.id), forwards=True)
        vpc = self.model.vpcs[subnet.vpc]
        here = [one for one in self.out.interfaces.values() if one.subnet == subnet.id]
        for one in here:
            space.ip += [f"route add {a} dev {one.device}" for a in one.all_addresses]
        base = next((c for c in vpc.cidrs if c.axis == "4"), None)
        if base is not None:
            space.ip += [f"route add {a} dev core" for a in resolver_addresses(base)]
        self._metadata(space, subnet, here)
        number = sum(1 for link in self.out.links if link.right[0] == VOID)
        self.out.links.append(Link((space.name, "void"), (self.out.space(VOID).name, f"in{number}")))
        gates: list[str] = []
        for destination, route in self._routes(subnet, vpc, where).items():
            device = "core" if route is None else self._target(subnet, route, gates)
            space.ip.append(f"route add {destination} dev {device}")
        # A packet without a route has passed its filters, and is recorded, before it is lost.
        space.ip += [f"route add {every} dev void metric 4000000" for every in _EVERYWHERE]
        space.rules = self._filters(subnet, here, gates, where)

    def _filters(self, subnet: Subnet, here: Sequence[Interface], gates: Sequence[str], where: Addresses) -> str:
        acl = self.model.nacls.get(subnet.acl)
        if acl is None:
            raise UntranslatableError(f"{subnet.name}: network ACL {subnet.acl} is not in the facts")
        base = next((c for c in self.model.vpcs[subnet.vpc].cidrs if c.axis == "4"), None)
        return subnet_rules(
            acl,
            [Port(o.device, o.groups, None if o.forwards else o.all_addresses) for o in here],
            model=self.model,
            where=where,
            gates=gates,
            unfiltered=resolver_addresses(base) if base else (),
            has_v6=any(c.axis == "6" for c in subnet.cidrs),
            logged=self.options.logged,
        )

    def _routes(self, subnet: Subnet, vpc: Vpc, where: Addresses) -> dict[Prefix, Route | None]:
        """Each destination once; the first that is stated wins, and the local routes (None) come last."""
        table = self.model.tables.get(subnet.table)
        if table is None:
            raise UntranslatableError(f"{subnet.name}: route table {subnet.table} is not in the facts")
        if table.propagating:
            raise UntranslatableError(f"{table.name}: what {table.propagating[0]} propagates is not in the facts")
        found: dict[Prefix, Route | None] = {}
        # AWS takes a static route before a list's: docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html
        for route in sorted(table.routes, key=lambda one: isinstance(one.destination, ListRef)):
            for one in self._destinations(route, where):
                found.setdefault(one, route)
        for cidr in vpc.cidrs:
            found.setdefault(cidr, None)
        return found

    def _destinations(self, route: Route, where: Addresses) -> tuple[Prefix, ...]:
        match route.destination:
            case ListRef(id=key):
                return list_prefixes(self.model, key, where)
            case Prefix() as one:
                return (one,)

    def _target(self, subnet: Subnet, route: Route, gates: list[str]) -> str:
        """The device that a route leads to, made at its first use."""
        kind, key = route.target.kind, route.target.id
        space = subnet_space(subnet.id)
        if kind == "local":
            return "core"
        if kind == "blackhole":
            return "void"
        if kind == "gateway-endpoint":
            return self._beyond(space, subnet, "gw", kind, key, gateway_space(key))
        if kind in _LEAVES:
            short = _LEAVES[kind]
            device = self._beyond(space, subnet, short, kind, key, OUTSIDE)
            if short == "igw":
                gates += internet_gate(device, self._public.get(subnet.vpc, ()))
            if short == "eigw":
                gates += egress_only_gate(device)
            return device
        if kind in _DEVICES:
            return self._through(space, subnet, _DEVICES[kind], kind, key)
        raise UntranslatableError(f"{route.name}: leads to {kind} {key}, which the lab does not know")

    def _beyond(self, space: str, subnet: Subnet, short: str, kind: str, key: str, sink: str) -> str:
        known = next((d for (s, d), k in self.out.paths.items() if s == subnet.id and k == f"{kind} {key}"), None)
        if known:
            return known
        device = f"{short}{sum(1 for s, _ in self.out.paths if s == subnet.id)}"
        self.out.paths[subnet.id, device] = f"{kind} {key}"
        beyond = self.out.space(sink)
        number = sum(1 for link in self.out.links if link.right[0] == sink)
        self.out.links.append(Link((space, device), (sink, f"in{number}")))
        for one in self.out.interfaces.values():
            if one.subnet == subnet.id:
                beyond.ip += [f"route append {a} dev in{number} metric {number + 1}" for a in one.all_addresses]
        beyond.ip += [f"route append {every} dev in{number} metric {number + 1000}" for every in _EVERYWHERE]
        return device

    def _through(self, space: str, subnet: Subnet, short: str, kind: str, key: str) -> str:
        those = [one for one in self.out.interfaces.values() if one.owner == key]
        if not those:
            raise UntranslatableError(f"{subnet.name}: {kind} {key} is not in the facts")
        one = next((o for o in those if o.subnet == subnet.id), those[0])
        if one.groups is not None and not one.forwards:
            return "void"  # the source/destination check drops what is not addressed to the interface
        if one.subnet == subnet.id:
            return one.device
        known = next((d for (s, d), k in self.out.paths.items() if s == subnet.id and k == f"{kind} {key}"), None)
        if known:
            return known
        device = f"{short}{sum(1 for s, _ in self.out.paths if s == subnet.id)}"
        self.out.paths[subnet.id, device] = f"{kind} {key}"
        far = self.out.space(subnet_space(one.subnet), forwards=True)
        number = 100 + sum(
            1 for link in self.out.links if link.right[0] == far.name and link.right[1].startswith("via")
        )
        self.out.links.append(Link((space, device), (far.name, f"via{number}")))
        for every, lines in zip(_EVERYWHERE, (far.ip, far.ip6), strict=True):
            lines.append(f"rule add iif via{number} lookup {number}")
            lines.append(f"route add {every} dev {one.device} table {number}")
        return device

    def _metadata(self, space: Space, subnet: Subnet, here: Sequence[Interface]) -> None:
        """Instance metadata, which routes and filters do not touch. Its answers live as many hops as are set."""
        imds = self.out.space(imds_space(subnet.id))
        self.out.links.append(Link((space.name, "imds"), (imds.name, "eth0")))
        for address in IMDS:
            space.ip.append(f"route add {address} dev imds")
            imds.ip.append(f"addr add {address} dev eth0{_nodad(address)}")
        for one in here:
            place = self.model.places.get(one.owner)
            if place is None or place.metadata_hops is None:
                continue
            for address in one.all_addresses:
                # The router between the two takes one off.
                imds.ip.append(f"route add {address} dev eth0 hoplimit {place.metadata_hops + 1}")

    # Nodes and pods

    def _nodes(self) -> None:
        cluster = Cluster(tuple(self.out.pods.values()), self.model.manifests)
        by_node: dict[str, list[str]] = {}
        for key, node in self.out.nodes.items():
            by_node.setdefault(node.space, []).append(key)
        for space_name, keys in by_node.items():
            node = self.out.nodes[keys[0]]
            space = self.out.space(space_name)
            space.forwards = True
            vpc = self.model.vpcs[self.model.subnets[node.subnet].vpc]
            hosted: list[Hosted] = []
            for key in keys:
                pod, device = self.out.pods[key], pod_device(key)
                hosted.append(Hosted(pod, device))
                inside = self.out.space(pod_space(key))
                inside.ip += [f"addr add {a} dev eth0{_nodad(a)}" for a in pod.addresses]
                inside.ip += _default("eth0")
                self.out.links.append(Link((space_name, device), (inside.name, "eth0")))
                if self.options.pods_have_v6:  # the link's own addresses, whether or not the VPC has IPv6
                    inside.ip.append(f"addr add {POD_LINK}/64 dev eth0 nodad")
                    space.ip.append(f"addr add {NODE_LINK}/64 dev {device} nodad")
                space.ip += [f"route add {a} dev {device}" for a in pod.addresses]
            space.ip += [f"addr add {a} dev lo{_nodad(a)}" for a in NODE_LOCAL]
            space.rules += node_rules(
                cluster,
                hosted,
                own=node.addresses,
                inside=vpc.cidrs,
                guard=self.options.node_rules.get(node.owner, ""),
                strict=self.options.strict,
                dual_stack=self.options.dual_stack_agent,
                services=self._services(),
                shared=self.options.shared_addresses,
            )

    def _services(self) -> Mapping[Prefix, tuple[Prefix, ...]]:
        found = dict(self.options.services)
        for pod in self.out.pods.values():
            for address in pod.services:
                found[address] = (*found.get(address, ()), *(a for a in pod.addresses if a.axis == address.axis))
        return found

    def _known_subnet(self, key: str, name: str) -> Subnet:
        if key not in self.model.subnets:
            raise UntranslatableError(f"{name}: subnet {key} is not in the facts")
        return self.model.subnets[key]


def _nodad(address: Prefix) -> str:
    return " nodad" if address.axis == "6" else ""


def _default(device: str) -> list[str]:
    return [f"route add {every} dev {device}" for every in _EVERYWHERE]
