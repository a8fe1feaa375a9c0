"""Flow-log records in the deployed format, from the packets that the interfaces' filters logged.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html. As on AWS, nothing is recorded of the resolver,
of instance metadata, or of what a pod's node drops.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sequester.lab.headers import Headers, headers
from sequester.lab.nflog import Logged
from sequester.proof.space import Prefix, prefix

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
# The kind of a route's target → how AWS numbers the path.
_PATHS: Mapping[str, str] = {
    "internet gateway": "8",
    "egress-only internet gateway": "8",
    "carrier gateway": "8",
    "virtual private gateway": "3",
    "VPC peering connection": "4",
    "local gateway": "6",
    "gateway-endpoint": "7",
    "NAT gateway": "1",
    "network interface": "1",
    "firewall or load balancer endpoint": "1",
    "transit gateway": "1",
    "core network": "1",
}
_INSIDE, _NOWHERE = "1", "-"


Listed: TypeAlias = tuple[tuple[Prefix, str], ...]
"""Which AWS service has the addresses of a range: for those that stand for lists that AWS keeps."""


@dataclass(frozen=True)
class Wire:
    """What is known of one interface of a subnet. paths: device → kind of the target behind it."""

    interface: str
    instance: str
    vpc: str
    subnet: str
    address: str
    paths: Mapping[str, str]
    services: Listed


@dataclass
class _Flow:
    packets: int
    length: int
    start: float
    end: float
    flags: int
    path: str


def identifier(kind: str, *parts: str) -> str:
    """An id of AWS's form, the same for the same parts."""
    return f"{kind}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:17]}"


def records(logged: Iterable[tuple[Wire, Logged]], fields: Sequence[str], account: str) -> Iterator[tuple[float, str]]:
    """(start, line) of each flow: one for an interface, direction, action and pair of addresses and ports."""
    flows: dict[tuple[str, ...], tuple[Wire, Headers, _Flow]] = {}
    for wire, one in logged:
        seen = headers(one.data)
        if seen is None:
            continue
        action, _, direction = one.words.partition(" ")
        key = (wire.interface, direction, action, seen.source, seen.target, str(seen.protocol), str(seen.source_port))
        key = (*key, str(seen.port))
        _, _, flow = flows.setdefault(key, (wire, seen, _Flow(0, 0, one.at, one.at, 0, _path(wire, one, direction))))
        flow.packets += 1
        flow.length += seen.length
        flow.end = one.at
        flow.flags |= _flags(seen.flags)
    for key, (wire, seen, flow) in flows.items():
        values = {**_of(wire, seen, flow, key[1], key[2]), "account-id": account}
        yield flow.start, " ".join(values.get(field, "-") for field in fields)


def _of(wire: Wire, seen: Headers, flow: _Flow, direction: str, action: str) -> Mapping[str, str]:
    ported = seen.protocol in (6, 17, 132)
    # The interface's primary address hides a pod's: only the pkt- fields show it.
    own = {"egress": "srcaddr", "ingress": "dstaddr"}[direction]
    same = (":" in wire.address) == (":" in seen.target)
    return {
        "version": "5",
        "interface-id": wire.interface,
        "srcaddr": seen.source,
        "dstaddr": seen.target,
        **({own: wire.address} if same else {}),
        "srcport": str(seen.source_port) if ported else "0",
        "dstport": str(seen.port) if ported else "0",
        "protocol": str(seen.protocol),
        "packets": str(flow.packets),
        "bytes": str(flow.length),
        "start": str(int(flow.start)),
        "end": str(int(flow.end)),
        "action": action,
        "log-status": "OK",
        "vpc-id": wire.vpc,
        "subnet-id": wire.subnet,
        "instance-id": wire.instance or "-",
        "tcp-flags": str(flow.flags),
        "type": "IPv6" if seen.version == 6 else "IPv4",
        "pkt-srcaddr": seen.source,
        "pkt-dstaddr": seen.target,
        "pkt-src-aws-service": _service(wire, seen.source),
        "pkt-dst-aws-service": _service(wire, seen.target),
        "flow-direction": direction,
        "traffic-path": flow.path,
    }


def _service(wire: Wire, address: str) -> str:
    one = prefix(address)
    return next((name for block, name in wire.services if block.covers(one)), "-")


def _path(wire: Wire, one: Logged, direction: str) -> str:
    if direction != "egress" or not one.left or one.left == "void":
        return _NOWHERE
    if one.left == "core" or one.left.startswith("eni"):
        return _INSIDE
    kind = wire.paths.get(one.left, "").rsplit(" ", 1)[0]
    return _PATHS.get(kind, _NOWHERE)


def _flags(flags: int) -> int:
    """As AWS counts them: ACK only beside SYN."""
    return flags & (_FIN | _SYN | _RST) | (_ACK if flags & _SYN and flags & _ACK else 0)
