"""Questions about packets, put to the prover, the simulator and the kernel."""

import random
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from random_networks import OUTSIDE as PREFIXES
from random_networks import PROBED, SERVICES, Network, network

from sequester.lab.addresses import host
from sequester.lab.build import built
from sequester.lab.namespaces import Namespace
from sequester.lab.parts import OUTSIDE, Interface, Options, Topology, subnet_space
from sequester.lab.probes import ICMP, ICMPV6, TCP, UDP, UNPROBEABLE_V6, Probe, Prober
from sequester.lab.subnet import MASQUERADING_DSCP
from sequester.lab.topology import topology
from sequester.proof import reach
from sequester.proof.model import Model, Place
from sequester.proof.simulate import simulate
from sequester.proof.space import BITS, PORTED, Prefix, Services, show_address, show_service
from sequester.proof.verdict import Packet

PROBES_A_PLACE = 80
_FIRST_PORT = 20_000
_CARRIED_BY_NAT = (ICMP, TCP, UDP)
# What begins an exchange (RFC 792, RFC 950): all else is invalid to Linux's connection tracking unless it answers
# something, and is not translated (nf_conntrack_proto_icmp.c, `valid_new`).
_ICMP_ASKS = (8, 13, 15, 17)
# The ports from which the other side may begin: every one at which an ACL may change its mind.
_THEIR_PORTS = tuple(
    sorted({p & 0xFFFF for those in SERVICES for low, end in those for p in (low, end - 1) if p >> 16 in (TCP, UDP)})
)
# Nobody listens in these places: their kernels must not refuse what a probe then answers.
_QUIET = """
table inet quiet {
  chain sent {
    type filter hook output priority 0;
    meta l4proto tcp tcp flags & rst == rst drop
  }
}
"""


@dataclass(frozen=True)
class Question:
    """`inbound`: somebody at the address begins with that service of the place's, and is answered."""

    place: Place
    axis: str
    address: int
    service: int
    inbound: bool = False

    def __str__(self) -> str:
        arrow = "←" if self.inbound else "→"
        return f"{self.place.id} {arrow} {show_address(self.axis, self.address)} {show_service(self.service)}"


@dataclass(frozen=True)
class Asked:
    """A network's questions, with the kernel's answers."""

    seed: int
    net: Network
    questions: tuple[Question, ...]
    arrived: tuple[bool, ...]


def inside(services: Services, service: int) -> bool:
    return any(low <= service < end for low, end in services)


def questions(model: Model, r: random.Random) -> Iterator[Question]:
    """Packets at and beside the boundaries of what the facts speak of, and of what the prover answers."""
    prover = reach.Network(model)
    edges: dict[str, list[int]] = {axis: [] for axis in BITS}
    for one in (*PREFIXES, *(c for v in model.vpcs.values() for c in v.cidrs)):
        top = (1 << BITS[one.axis]) - 1
        edges[one.axis] += [min(max(a, 1), top) for a in (one.low - 1, one.low + 1, one.low + 7, one.end - 2, one.end)]
    every = [(axis, a, s) for axis, those in edges.items() for a in sorted(set(those)) for s in PROBED]
    taken = {(a.axis, a.low) for p in model.places.values() for a in p.addresses}
    for place in model.places.values():
        for inbound in (False, True):
            near = (q for o in prover.openings(place, egress=not inbound) for q in around(place, o))
            some = r.sample(every, min(2 * PROBES_A_PLACE, len(every)))
            for those in (near, (Question(place, *one, inbound) for one in some)):
                yield from sample(r, (q for q in those if (q.axis, q.address) not in taken))


def around(place: Place, opening: reach.Opening) -> Iterator[Question]:
    for address in (opening.low - 1, opening.low, opening.low + 7, opening.end - 1, opening.end):
        for low, end in opening.services:
            for service in (low - 1, low, (low + end) // 2, end - 1, end):
                yield Question(place, opening.way.axis, address, service, opening.inbound)


def sample(r: random.Random, some: Iterable[Question]) -> list[Question]:
    """Those that can be sent, and to addresses that Linux routes."""
    those = list(dict.fromkeys(q for q in some if is_probeable(q.axis, q.service) and is_routable(q.axis, q.address)))
    return r.sample(those, min(PROBES_A_PLACE // (4 if those and those[0].inbound else 1), len(those)))


def is_routable(axis: str, address: int) -> bool:
    """Not loopback, multicast, or another address that no Linux router forwards; nor what NAT64 translates."""
    if axis == "4":
        return 1 << 24 <= address < 224 << 24 and address >> 24 not in (0, 127) and address >> 16 != 0xA9FE
    return axis == "6" and address >> 125 == 1 and address >> 32 != 0x64FF9B << 64


def is_probeable(axis: str, service: int) -> bool:
    """A packet of a protocol without ports or types has one service."""
    protocol, part = service >> 16, service & 0xFFFF
    named = part == 0 or protocol in (*PORTED, ICMP, ICMPV6)
    return named and 0 < protocol < 256 and not (axis == "6" and protocol in UNPROBEABLE_V6)


def openings(prover: reach.Network, question: Question) -> list[reach.Opening]:
    """What the prover says of the packet: how it leaves the VPC, or comes in and is answered."""
    return [
        o
        for o in prover.openings(question.place, egress=not question.inbound)
        if o.way.axis == question.axis and o.low <= question.address < o.end and inside(o.services, question.service)
    ]


def walked(model: Model, question: Question) -> bool:
    origin = f"place:{question.place.id}"
    packet = Packet(origin, question.axis, question.address, question.service, question.inbound)
    return simulate(model, packet).arrived


def ask_kernel(model: Model, asked: Sequence[Question], options: Options | None = None) -> tuple[bool, ...]:
    """Whether each packet arrives outside of its VPC (or comes in from there, and its answer arrives)."""
    top = topology(model, options)
    outward = [(i, q) for i, q in enumerate(asked) if not q.inbound]
    inward = [(i, q) for i, q in enumerate(asked) if q.inbound]
    out = [False] * len(asked)
    with built(top) as spaces:
        for index, yes in _outward(top, spaces, outward):
            out[index] = out[index] or yes
        for name in {one.space for one in top.interfaces.values()}:
            spaces[name].nft(_QUIET)
        for index, yes in _inward(top, spaces, inward):
            out[index] = out[index] or yes
    return tuple(out)


def forget(namespace: Namespace) -> None:
    """Empties the table of tracked connections (ctnetlink's IPCTNL_MSG_CT_DELETE without a tuple)."""
    with namespace.inside(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as speaking:
        speaking.send(struct.pack("=IHHII4x", 20, 1 << 8 | 2, 1 | 4, 1, 0))
        error = struct.unpack_from("=i", speaking.recv(4096), 16)[0]
        assert not error, f"{namespace.name}: conntrack is not emptied: {error}"


def interfaces(top: Topology, place: Place) -> list[Interface]:
    return [one for one in top.interfaces.values() if one.owner == place.id]


def _outward(
    top: Topology, spaces: Mapping[str, Namespace], asked: Sequence[tuple[int, Question]]
) -> Iterator[tuple[int, bool]]:
    """From each of a place's interfaces, as it is and as a forwarder would send it under its own address."""
    sent: list[tuple[int, Probe]] = []
    for index, question in asked:
        target = host(question.axis, question.address)
        for one in interfaces(top, question.place):
            # A place without an address of the family sends from one that is not its own.
            source = next((a for a in one.addresses if a.axis == question.axis), Prefix(question.axis, 9 << 25, 0))
            for dscp in (0, MASQUERADING_DSCP):
                port = _FIRST_PORT + index
                sent.append((index, Probe(one.space, source, target, question.service, port, dscp)))
    with Prober(spaces, [OUTSIDE]) as prober:
        for (index, _), where in zip(sent, prober.arrivals([p for _, p in sent]), strict=True):
            yield index, OUTSIDE in where


def _inward(
    top: Topology, spaces: Mapping[str, Namespace], asked: Sequence[tuple[int, Question]]
) -> Iterator[tuple[int, bool]]:
    """By each link that leads into a place's subnet, from every port that could matter; then the answer."""
    sent: dict[str, list[tuple[int, Interface, Probe]]] = {}
    for index, question in asked:
        source = host(question.axis, question.address)
        for one in interfaces(top, question.place):
            for target in (a for a in one.addresses if a.axis == question.axis):
                for device in _ways_in(top, one):
                    for port in _ports(question, index):
                        probe = Probe(OUTSIDE, source, target, question.service, port, device=device)
                        sent.setdefault(device, []).append((index, one, probe))
    with Prober(spaces, [OUTSIDE, *(one.space for one in top.interfaces.values())]) as prober:
        for those in sent.values():
            for namespace in spaces.values():
                forget(namespace)  # neither what was sent before, nor what came in another way, is continued
            where_to = prober.arrivals([probe for _, _, probe in those])
            entered = [one for one, where in zip(those, where_to, strict=True) if one[1].space in where]
            answers = prober.arrivals([answer(one, probe) for _, one, probe in entered])
            for (index, _, begun), where in zip(entered, answers, strict=True):
                # By the gateway by which it came: what two gateways make of half a connection each is theirs to say.
                yield index, f"{OUTSIDE} {begun.device}" in where


def _ways_in(top: Topology, one: Interface) -> list[str]:
    """The devices outside that lead into an interface's subnet."""
    return [x.right[1] for x in top.links if x.left[0] == subnet_space(one.subnet) and x.right[0] == OUTSIDE]


def _ports(question: Question, index: int) -> tuple[int, ...]:
    ported = question.service >> 16 in (TCP, UDP)
    return _THEIR_PORTS if ported else (_FIRST_PORT + index,)


def answer(one: Interface, probe: Probe) -> Probe:
    """What the place sends back: for TCP the second packet of the handshake, for an echo request its reply."""
    protocol, low = probe.service >> 16, probe.service & 0xFFFF
    echoed = {ICMP: 0, ICMPV6: 129 << 8}.get(protocol)
    service = protocol << 16 | (probe.source_port if echoed is None else echoed)
    port = low if echoed is None else probe.source_port
    if protocol not in (*PORTED, ICMP, ICMPV6):
        service, port = probe.service, 0
    return Probe(one.space, probe.target, probe.source, service, port, answer=True)


def is_exact(net: Network, question: Question, found: Iterable[reach.Opening]) -> bool:
    """Whether the prover must be right both ways.

    It may open more than there is where a device forwards: what the device lets in, and which protocols it carries, is
    not asked. Somebody who begins outside may have to do with an answer in another protocol's form: asked of TCP and
    UDP only.
    """
    protocol = question.service >> 16
    forwarded = any(hop.how == "forwards" for o in found for hop in o.way.hops)
    if question.inbound:
        return not forwarded and protocol in (TCP, UDP)
    begins = protocol != ICMP or question.service >> 8 & 0xFF in _ICMP_ASKS
    return not forwarded or (net.exact_devices and protocol in _CARRIED_BY_NAT and begins)


@cache
def asked(seed: int) -> Asked:
    net = network(seed)
    those = tuple(questions(net.model, random.Random(seed)))
    return Asked(seed, net, those, ask_kernel(net.model, those))


@dataclass(frozen=True)
class Disagreements:
    """What the prover or the simulator says otherwise than the kernel, one line each."""

    missed: tuple[str, ...]
    """It arrived, and the prover says that it is closed."""
    invented: tuple[str, ...]
    """The prover says that it is open, and it did not arrive."""
    simulator: tuple[str, ...]


def disagreements(one: Asked) -> Disagreements:
    model, prover = one.net.model, reach.Network(one.net.model)
    missed, invented, simulator = list[str](), list[str](), list[str]()
    for question, arrived in zip(one.questions, one.arrived, strict=True):
        ways = openings(prover, question)
        text = f"seed {one.seed}: {question}"
        exact = is_exact(one.net, question, ways)
        if arrived and not ways:
            missed.append(text)
        if ways and not arrived and exact:
            invented.append(f"{text}: {[h.resource for h in ways[0].way.hops]}")
        through = walked(model, question)
        if (arrived and not through) or (through and not arrived and exact and not ways):
            simulator.append(text)
        if question.inbound is False and through != bool(ways):
            simulator.append(f"{text}: not as the prover")
    return Disagreements(tuple(missed), tuple(invented), tuple(simulator))
