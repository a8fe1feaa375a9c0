"""Makes a world out of a deployment's facts: see `sequester.lab`."""

import os
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from sequester.lab import flows
from sequester.lab.addresses import bare
from sequester.lab.build import built
from sequester.lab.endpoints import Services
from sequester.lab.facts import Facts
from sequester.lab.layers import without
from sequester.lab.names import ClusterNames, Zone, zones
from sequester.lab.namespaces import LabError, Namespace
from sequester.lab.node import NODE_LOCAL
from sequester.lab.parts import (
    IMDS,
    OUTSIDE,
    Interface,
    Topology,
    gateway_space,
    imds_space,
    pod_space,
    resolver_addresses,
    resolver_space,
)
from sequester.lab.resolver import Asker, Resolver
from sequester.lab.sensors import Sensors
from sequester.lab.serving import Servers
from sequester.lab.sink import Sink
from sequester.lab.world import STAND_INS, Spot, World, deployed_topology, pods_of
from sequester.proof.model import Model, Place
from sequester.proof.space import Prefix, prefix

_DIRECTORY = "sequester-lab-"


@contextmanager
def lab(facts: Facts, without_layers: Iterable[str] = (), *, attached: Iterable[str] = ()) -> Generator[World]:
    """A world from a deployment's facts, without some layers. attached: places whose servers the caller brings."""
    _needs()
    edited = without(facts, without_layers)
    requests = pods_of(edited.model)
    top = deployed_topology(edited, requests)
    with ExitStack() as stack:
        _sweep()
        directory = Path(stack.enter_context(TemporaryDirectory(prefix=f"{_DIRECTORY}{os.getpid()}-")))
        spaces = stack.enter_context(built(top))
        servers = Servers()
        stack.callback(servers.close)
        world = _inhabited(edited, top, spaces, servers, directory, frozenset(attached))
        stack.callback(world.close)
        yield world


def _sweep() -> None:
    """Removes the directories of labs whose process was killed; of all else nothing outlives it."""
    for left in Path(gettempdir()).glob(f"{_DIRECTORY}*"):
        owner = left.name.removeprefix(_DIRECTORY).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)


def _needs() -> None:
    if os.geteuid():
        raise LabError("the lab makes network namespaces: run it as root")
    for tool in ("ip", "nft", "unshare", "setpriv", "mount"):
        if shutil.which(tool) is None:
            raise LabError(f"the lab needs {tool}: install iproute2, nftables, util-linux and mount")


def _inhabited(
    facts: Facts,
    top: Topology,
    spaces: Mapping[str, Namespace],
    servers: Servers,
    directory: Path,
    attached: frozenset[str],
) -> World:
    model = facts.model
    sink = Sink()
    services = Services(sink.authority)
    places = dict(_places(facts, top))
    sink.listen(spaces[OUTSIDE], servers)
    gateway = Sink(authority=sink.authority)
    for name, space in spaces.items():
        if name.startswith(gateway_space("")):
            gateway.listen(space, servers)
    trust = directory / "authority.pem"
    sink.authority.cert_pem.write_to_path(trust)
    resolver = Resolver(
        model.account, model.region, facts.firewall, _private_names(facts, top), _askers(model, top), sink.name
    )
    for vpc in model.vpcs.values():
        base = next((c for c in vpc.cidrs if c.axis == "4"), None)
        if base is not None:
            resolver.listen(spaces[resolver_space(vpc.id)], [bare(a) for a in resolver_addresses(base)], servers)
    for place in model.places.values():
        for one in _interfaces(top, place.id):
            spot = next(s for s in places.values() if s.space == one.space)
            if place.kind in ("endpoint", "control plane") and spot.name not in attached:
                for address in one.addresses:
                    services.tls(spaces[one.space], bare(address), place.name, servers)
    for subnet in model.subnets.values():
        for address in IMDS:
            services.metadata(spaces[imds_space(subnet.id)], bare(address), "instance metadata", servers)
    for node in {n.space for n in top.nodes.values()}:
        for address in NODE_LOCAL:
            services.metadata(spaces[node], bare(address), "Pod Identity", servers)
    coredns = top.pods.get("kube-system/coredns")
    if coredns is not None:
        served = zones(facts.corefile) if facts.corefile else (Zone("", _resolver_of(model)),)
        api = str(IPv4Network(facts.service_range)[1])
        own = {"kubernetes.default.svc.cluster.local": api}
        names = ClusterNames(served, own, spaces[pod_space("kube-system/coredns")])
        for address in coredns.addresses:
            names.listen(bare(address), servers)
    sensors = Sensors(model.account, facts.flow_fields, _wires(model, top), _node_names(model, top))
    sensors.watch(spaces, servers)
    return World(facts, top, places, spaces, sink, services, gateway, trust, resolver, servers, sensors, directory)


def _interfaces(top: Topology, place: str) -> list[Interface]:
    return [one for one in top.interfaces.values() if one.owner == place]


def _places(facts: Facts, top: Topology) -> Iterable[tuple[str, Spot]]:
    model, resolver = facts.model, _resolver_of(facts.model)
    cluster = str(IPv4Network(facts.service_range)[10])
    for key, pod in top.pods.items():
        name = "coredns" if key == "kube-system/coredns" else pod.namespace
        node = top.nodes[key]
        yield name, Spot(name, pod_space(key), _texts(pod.addresses), cluster, _instance(node))
    for place in model.places.values():
        for number, one in enumerate(_interfaces(top, place.id)):
            name = f"{_name(place)}{f'-{number + 1}' if number else ''}"
            yield name, Spot(name, one.space, _texts(one.addresses), resolver, _instance(one))
    yield "internet", Spot("internet", OUTSIDE, (), resolver)


def _name(place: Place) -> str:
    match place.kind:
        case "control plane":
            return "control-plane"
        case "endpoint":
            return f"endpoint:{place.name.partition('-')[2] or place.name}"
        case _ if place.runs_pods and place.role:
            return {"sandbox": "sandbox-node", "agent": "system-node"}[place.role]
        case _:
            return place.name


def _texts(addresses: Iterable[Prefix]) -> tuple[str, ...]:
    return tuple(bare(a) for a in addresses)


def _instance(one: Interface) -> str:
    return flows.identifier("i", one.space)


def _resolver_of(model: Model) -> str:
    for vpc in model.vpcs.values():
        for cidr in vpc.cidrs:
            if cidr.axis == "4":
                return bare(resolver_addresses(cidr)[0])
    return "169.254.169.253"


def _private_names(facts: Facts, top: Topology) -> Mapping[str, str]:
    """What the VPC's private zones hold: the names of interface endpoints and of the API server, with addresses."""
    found: dict[str, str] = {}
    region = facts.model.region
    for endpoint in facts.model.endpoints:
        addresses = [a for one in _interfaces(top, endpoint.id) for a in one.addresses]
        if not addresses:
            continue
        address = bare(addresses[0])
        match endpoint.service:
            case "ecr.dkr":
                found[f"*.dkr.ecr.{region}.amazonaws.com"] = address
            case "ecr.api":
                found[f"api.ecr.{region}.amazonaws.com"] = address
            case "eks-auth":
                found[f"eks-auth.{region}.api.aws"] = address
            case service:
                found[f"{service}.{region}.amazonaws.com"] = address
    for place in facts.model.places.values():
        if place.kind == "control plane":
            found[f"*.{region}.eks.amazonaws.com"] = bare(_interfaces(top, place.id)[0].addresses[0])
    return found


def _askers(model: Model, top: Topology) -> Mapping[str, Asker]:
    return {
        bare(address): Asker(_instance(one), model.subnets[one.subnet].vpc)
        for one in top.interfaces.values()
        for address in one.all_addresses
    }


def _wires(model: Model, top: Topology) -> Mapping[tuple[str, str], flows.Wire]:
    found: dict[tuple[str, str], flows.Wire] = {}
    stand_ins = _listed(model)
    for one in top.interfaces.values():
        subnet = model.subnets[one.subnet]
        paths = {device: kind for (key, device), kind in top.paths.items() if key == one.subnet}
        place = model.places.get(one.owner)
        instance = _instance(one) if place is not None and place.runs_pods else ""
        found[f"subnet:{one.subnet}", one.device] = flows.Wire(
            flows.identifier("eni", one.space),
            instance,
            subnet.vpc,
            subnet.id,
            bare(one.addresses[0]),
            paths,
            stand_ins,
        )
    return found


def _listed(model: Model) -> flows.Listed:
    kept = sorted(key for key, one in model.lists.items() if one.entries is None)
    return tuple(
        (prefix(block), model.lists[key].name.rsplit(".", 1)[-1].upper())
        for key, block in zip(kept, STAND_INS, strict=False)
    )


def _node_names(model: Model, top: Topology) -> Mapping[str, str]:
    region = "ec2.internal" if model.region == "us-east-1" else f"{model.region}.compute.internal"
    return {n.space: f"ip-{bare(n.addresses[0]).replace('.', '-')}.{region}" for n in top.nodes.values()}
