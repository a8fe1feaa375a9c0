"""Each way out of the mutation table, built for real: the witness's packet does arrive. On the blueprint, none does."""

import os
import random
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from kernel_questions import Question, ask_kernel

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "proof"))

from proof_ways_out import CASES
from proof_world import ACCOUNT, REGION, World, blueprint_world
from ways_edits import WORLDS, Case, based

from sequester.lab.addresses import host
from sequester.lab.build import built
from sequester.lab.facts import Facts, facts_of
from sequester.lab.namespaces import Namespace
from sequester.lab.parts import OUTSIDE, Options, PodRequest, Topology, pod_space
from sequester.lab.probes import Probe, Prober
from sequester.lab.serving import Servers
from sequester.lab.topology import topology
from sequester.proof.facts import items, mapping
from sequester.proof.model import Model, NaclRule, Place, SecurityRule
from sequester.proof.prove import prove
from sequester.proof.simulate import simulate
from sequester.proof.space import EVERY_SERVICE, TCP, UDP, prefix, whole
from sequester.proof.verdict import Escapes, Packet

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("kernel-proof")]

FULL = os.environ.get("SEQUESTER_LANES") == "all"
_OURS = prefix("198.19.0.7/32")
"""Stands for the addresses of S3 (RFC 2544: no case speaks of it)."""
_PORT = 20_000
_NOT_REPLAYED = {
    "route: NAT64": "Linux has no translator between the families",
    "pods: a named port": "an ipBlock has no pod that names a port: the prover takes the name for any port",
    "pods: its own namespace": "what the receiver's own policy lets in is not asked; here it lets in nothing",
    **{
        f"further: {name}": "the lab gives each NAT gateway a subnet"
        for name in ("regional nat", "a regional NAT gateway, and no public subnet", "a regional NAT gateway for IPv6")
    },
    "further: S3 list to igw": "AWS refuses a second route for one list; the prover takes the one that leads out",
    "further: node address": "nobody has that address in the world that is built",
    "further: other tenant pods": "no sandbox of that tenant is built",
    "further: node group in system subnets": "no node of a sandbox's is then left to put its pods on",
    **{
        f"further: policies that nothing enforces, by the {how} (E1)": "its witness is all of the VPC, no one packet"
        for how in ("add-on", "node agent", "DaemonSet", "ConfigMap")
    },
}
"""What the simulator alone follows, and why."""
_LINK_LOCAL = (prefix("169.254.0.0/16"), prefix("fe80::/10"))
"""Answered by the node or its hypervisor, which no world here has: the simulator alone follows such packets."""


@cache
def start(base: str) -> World:
    world = _world()
    WORLDS[id(world)] = world
    return based(id(world), base)


@cache
def _world() -> World:
    return blueprint_world()


def labellings(facts: Facts, namespace: str) -> list[dict[str, str]]:
    """No labels, others than any policy speaks of, and for each policy some that it selects."""
    found: list[dict[str, str]] = [{}, {"other": "other"}]
    for one in facts.model.manifests:
        if one.get("kind") == "NetworkPolicy" and mapping(one.get("metadata"), "m").get("namespace") == namespace:
            selector = mapping(mapping(one.get("spec"), "spec").get("podSelector"), "podSelector")
            labels = {str(k): str(v) for k, v in mapping(selector.get("matchLabels"), "labels").items()}
            for raw in items(selector.get("matchExpressions"), "labels"):
                wanted = mapping(raw, "labels")
                if wanted.get("operator") in ("In", "Exists"):
                    labels[str(wanted.get("key"))] = str(next(iter(items(wanted.get("values"), "values")), "x"))
            found.append(labels)
    return list({tuple(sorted(one.items())): one for one in found}.values())


def options(facts: Facts, namespace: str) -> Options:
    """One pod a labelling, on a node of the namespace's kind; and an agent's and CoreDNS's, to be spoken to."""
    nodes = {p.role: p for p in facts.model.places.values() if p.role and p.kind == "node group"}
    own = nodes["agent" if namespace.endswith("-agent") else "sandbox"]
    pods = [
        PodRequest(namespace, f"pod-{i}", labels, own.id)
        for i, labels in enumerate(labellings(facts, namespace) if namespace else [])
    ]
    pods.append(PodRequest("billing-agent", "agent", {}, nodes["agent"].id))
    pods.append(PodRequest("kube-system", "coredns", {"k8s-app": "kube-dns"}, nodes["agent"].id))
    kept = [key for key, one in facts.model.lists.items() if one.entries is None]
    return Options(
        pods=pods,
        stand_ins=dict.fromkeys(kept, (_OURS,)),
        # Of a pod's two layers the policy is what is asked; the node's own rules would stop all of these as well.
        node_rules={},
        pods_have_v6=facts.pods_have_v6,
        dual_stack_agent=True,
        shared_addresses=facts.shared_addresses,
    )


def arrives(facts: Facts, packet: Packet, *, to_pods: bool) -> bool:
    """to_pods: the witness says \"a pod\", so that any pod will do, whatever address it shows."""
    kind, _, name = packet.origin.partition(":")
    if kind == "place":
        model = what_forwards_lets_in(facts.model)
        target = _OURS if packet.axis not in ("4", "6") else host(packet.axis, packet.address)
        question = Question(model.places[name], target.axis, target.low, packet.service, packet.inbound)
        return any(ask_kernel(model, [question], options(facts, "")))
    top = topology(facts.model, options(facts, name))
    with built(top) as spaces:
        return _from_pods(top, spaces, packet, name, to_pods=to_pods)


def what_forwards_lets_in(model: Model) -> Model:
    """What a device that forwards lets in is not asked by the prover, which takes it to be everything."""
    forwarders = [*model.devices.values(), *(p for p in model.places.values() if p.forwards)]
    subnets = {key for one in forwarders for key in one.subnets}
    acls = {model.subnets[key].acl for key in subnets if key in model.subnets}
    groups = {key for one in forwarders if isinstance(one, Place) for key in one.groups}
    rules = tuple(
        NaclRule("in", 0, egress=False, allow=True, peer=whole(a), services=EVERY_SERVICE) for a in ("4", "6")
    )
    lets = tuple(SecurityRule("in", egress=False, peer=whole(a), services=EVERY_SERVICE) for a in ("4", "6"))
    return replace(
        model,
        nacls={k: replace(a, rules=(*rules, *a.rules)) if k in acls else a for k, a in model.nacls.items()},
        groups={k: replace(g, rules=(*lets, *g.rules)) if k in groups else g for k, g in model.groups.items()},
    )


def _from_pods(
    top: Topology, spaces: Mapping[str, Namespace], packet: Packet, namespace: str, *, to_pods: bool
) -> bool:
    pods = {key: pod for key, pod in top.pods.items() if pod.namespace == namespace}
    node = top.nodes[next(iter(pods))]
    if packet.axis == "node" or (packet.axis == "4" and packet.address == prefix("169.254.170.23").low):
        # The node itself: a packet is seen on the link before the node has judged it, so somebody must answer there.
        port = packet.service & 0xFFFF
        address = str(node.addresses[0]).partition("/")[0] if packet.axis == "node" else "169.254.170.23"
        servers = Servers()
        try:
            servers.tcp(spaces[node.space], "0.0.0.0", port, lambda connection, _: connection.sendall(b"here"))
            return any(_answered(spaces[pod_space(key)], address, port) for key in pods)
        finally:
            servers.close()
    targets = [a for p in top.pods.values() for a in p.addresses] if to_pods else [host(packet.axis, packet.address)]
    probes = [
        Probe(pod_space(key), a, target, packet.service, _PORT)
        for key, pod in pods.items()
        for a in pod.addresses
        for target in targets
        if a.axis == target.axis and a != target
    ]
    watched = [name for name in spaces if name not in {n.space for n in top.nodes.values()}]
    with Prober(spaces, watched) as prober:
        # Past its node it is on its way: what the VPC makes of it was asked of the node.
        return any(
            {name.split(" ")[0] for name in where} - set(map(pod_space, pods)) for where in prober.arrivals(probes)
        )


def _answered(space: Namespace, address: str, port: int) -> bool:
    with space.inside():
        speaking = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with speaking:
        speaking.settimeout(1)
        try:
            speaking.connect((address, port))
            return speaking.recv(8) == b"here"
        except OSError:
            return False


def replayable() -> list[Case]:
    """Those whose way out is a packet; by default a part of them, spread over the table."""
    packets = [c for c in CASES if c.claim == "E1" and c.name not in _NOT_REPLAYED]
    return packets if FULL else packets[::9]


@pytest.mark.parametrize("case", replayable(), ids=lambda c: c.name)
def test_the_packet_of_a_witness_arrives(case: Case) -> None:
    world = case.edit(start(case.base))
    verdict = prove(world.model(), [case.claim])[case.claim]
    assert isinstance(verdict, Escapes)
    packet = verdict.witness.packet
    if packet is None:
        pytest.fail(f"{case.name}: its witness has no packet: {verdict.witness.summary}")
    if any(one.covers(host(packet.axis, packet.address)) for one in _LINK_LOCAL if one.axis == packet.axis):
        assert simulate(world.model(), packet).arrived
        return
    facts = facts_of(world.resources, account=ACCOUNT, region=REGION, manifests=world.manifests)
    to_pods = any("a pod at" in hop.how for hop in verdict.witness.hops)
    assert arrives(facts, packet, to_pods=to_pods), verdict.witness


def anything(facts: Facts, top: Topology) -> Iterator[Probe]:
    """Packets of many kinds from every pod, node and endpoint to the internet."""
    r = random.Random(0)
    senders = [(one.space, one.addresses) for one in top.interfaces.values()]
    senders += [(pod_space(key), pod.addresses) for key, pod in top.pods.items()]
    targets = [prefix(t) for t in ("203.0.113.9", "192.0.2.77", "198.51.100.200", "10.43.0.1", "2001:db8:f00::1")]
    services = [
        TCP << 16 | 443,
        TCP << 16 | 53,
        UDP << 16 | 53,
        UDP << 16 | 443,
        1 << 16 | 8 << 8,
        47 << 16,
        132 << 16 | 80,
    ]
    services += [r.randrange(1, 256) << 16 for _ in range(20)]
    for space, addresses in senders:
        for source in addresses:
            for target in targets:
                if target.axis == source.axis:
                    for service in services:
                        yield Probe(space, source, target, service, _PORT)


def test_what_is_not_replayed_is_still_a_case() -> None:
    assert {c.name for c in CASES} >= set(_NOT_REPLAYED)


def test_nothing_leaves_the_blueprint() -> None:
    world = start("blueprint")
    facts = facts_of(world.resources, account=ACCOUNT, region=REGION, manifests=world.manifests)
    top = topology(facts.model, options(facts, "research-sandbox"))
    with built(top) as spaces, Prober(spaces, [OUTSIDE]) as prober:
        probes = list(anything(facts, top))
        assert len(probes) > 1000
        assert not any(prober.arrivals(probes))
