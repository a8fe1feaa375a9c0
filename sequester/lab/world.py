"""A deployment as namespaces, with an internet to send to and the sensors that see attempts: see `sequester.lab`."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final, TypeVar

from infra.tripwire_table import Sensor
from sequester.eyes.records import SensorRecord
from sequester.lab.endpoints import Services
from sequester.lab.facts import Facts, service_range
from sequester.lab.namespaces import LabError, Namespace
from sequester.lab.parts import OUTSIDE, Options, PodRequest, Topology, gateway_space
from sequester.lab.resolver import Resolver
from sequester.lab.sensors import Sensors
from sequester.lab.serving import Servers
from sequester.lab.sink import Sink, prepare
from sequester.lab.topology import topology
from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.proof.space import prefix

_T = TypeVar("_T")
STAND_INS = ("198.51.100.0/25", "198.51.100.128/25", "192.0.2.128/25")
"""For lists of addresses that AWS keeps: documentation addresses (RFC 5737), one block a list."""
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_NAME_SECONDS: Final = 10
"""How long programs wait for a name: a resolver here answers at once, unless the machine is busy."""


@dataclass(frozen=True)
class Ran:
    """What a program in a place did. `code` is None where the time was up and it was killed."""

    code: int | None
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Spot:
    """A place of the world by the name that `run` takes. `resolver`: what its /etc/resolv.conf names."""

    name: str
    space: str
    addresses: tuple[str, ...]
    resolver: str
    instance: str = ""


@dataclass
class World:
    """See `sequester.lab`. Whatever it started ends with it."""

    facts: Facts
    topology: Topology
    places: Mapping[str, Spot]
    spaces: Mapping[str, Namespace]
    sink: Sink
    services: Services
    gateway: Sink
    """What stands behind gateway endpoints (S3)."""
    trust: Path
    """The authority of every certificate in the lab, as PEM."""
    resolver: Resolver
    servers: Servers
    _sensors: Sensors
    _directory: Path
    _running: set[subprocess.Popen[str]] = field(default_factory=set[subprocess.Popen[str]])
    _labels: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Of each pod that was given some, by `namespace/name`."""

    def place(self, name: str) -> Spot:
        if name not in self.places:
            raise LabError(f"there is no place called {name}: use {', '.join(self.places)}")
        return self.places[name]

    def run(
        self,
        place: str,
        program: Sequence[str | os.PathLike[str]],
        *,
        input: str | None = None,  # noqa: A002 (as subprocess calls it)
        environment: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Ran:
        """Run a program in a place's network, with its own /etc/resolv.conf; it is killed when its time is up."""
        spot, began = self.place(place), time.monotonic()
        # Who asks to die with a parent that is dead already does not: so it looks, after it has asked.
        command = [
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-c"),
            f'[ $PPID = {os.getpid()} ] && mount --bind "$0" /etc/resolv.conf && exec "$@"',
            str(self._resolver_file(spot)),
            *map(str, program),
        ]
        with self.spaces[spot.space].inside():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self._running.add(process)
        try:
            out, err = process.communicate(input, timeout)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            _end(process)
            (out, err), code = process.communicate(), None
        finally:
            _end(process)
            self._running.discard(process)
        return Ran(code, out, err, time.monotonic() - began)

    def call(self, place: str, function: Callable[[], _T]) -> _T:
        """Call a function of this process, in this thread, in a place's network: its sockets are that place's."""
        with self.spaces[self.place(place).space].inside():
            return function()

    def attach(self, place: str, port: int, to: tuple[str, int]) -> None:
        """What connects to a place's addresses at `port` speaks with a server on this machine's loopback.

        A server of the lab's own on that port must not be there: ask `lab(..., attached=...)` to leave it out.
        """
        spot = self.place(place)
        for address in spot.addresses:
            self.servers.relay(self.spaces[spot.space], address, port, to)

    def label(self, pod: str, labels: Mapping[str, str]) -> None:
        """Give a pod labels, and let its node's policies follow, as the agent does when a label changes."""
        self._labels[self.place(pod).space.removeprefix("pod:")] = labels
        self._reload(self.facts)

    def change(self, facts: Facts) -> None:
        """Let other facts about filters hold from now on (groups, ACLs, policies); routes, links and labels stay."""
        self._reload(facts)
        self.facts = facts

    def _reload(self, facts: Facts) -> None:
        requests = tuple(
            replace(one, labels=self._labels.get(f"{one.namespace}/{one.name}", one.labels))
            for one in pods_of(facts.model)
        )
        new = deployed_topology(facts, requests)
        for name, space in new.spaces.items():
            if name in self.spaces and space.rules != self.topology.spaces[name].rules and name != OUTSIDE:
                self.spaces[name].nft("flush ruleset\n" + space.rules)
                self.topology.spaces[name].rules = space.rules

    def mark(self) -> float:
        """Now: what `records` and `sink.since` take."""
        return time.time()

    def records(self, since: float = 0.0) -> list[SensorRecord]:
        """What the sensors have written since a mark, oldest first, after the last packet has been counted."""
        self._sensors.settle()
        found = [SensorRecord(Sensor.FLOW, line, at) for at, line in self._sensors.flow_lines(since)]
        found += [SensorRecord(Sensor.POLICY_AGENT, line, at) for at, line in self._sensors.denial_lines(since)]
        found += [SensorRecord(Sensor.RESOLVER, line, at) for at, line in self.resolver.records if at >= since]
        return sorted(found, key=lambda one: one.at)

    def close(self) -> None:
        for process in list(self._running):
            _end(process)

    def _resolver_file(self, spot: Spot) -> Path:
        path = self._directory / spot.name.replace("/", "-")
        path.write_text(f"nameserver {spot.resolver}\noptions timeout:{_NAME_SECONDS} attempts:2\n")
        return path


def pods_of(model: Model) -> tuple[PodRequest, ...]:
    """One pod for each tenant's namespace, on a node of its kind, and CoreDNS."""
    selector, nodes = Selector(), {p.role: p for p in model.places.values() if p.runs_pods and p.role}
    found: list[PodRequest] = []
    namespaces = sorted(
        str(m["metadata"]["name"])  # type: ignore[index]
        for m in model.manifests
        if m.get("kind") == "Namespace"
    )
    for namespace in namespaces:
        role = selector.role_of_namespace(namespace)
        if role in nodes:
            found.append(PodRequest(namespace, "run" if role == "sandbox" else "agent", {}, nodes[role].id))
    if "agent" in nodes:
        dns = prefix(str(IPv4Network(service_range(model))[10]))
        found.append(PodRequest("kube-system", "coredns", {"k8s-app": "kube-dns"}, nodes["agent"].id, service=dns))
    return tuple(found)


def deployed_topology(facts: Facts, requests: Sequence[PodRequest]) -> Topology:
    model = facts.model
    kept = [key for key, one in model.lists.items() if one.entries is None]
    stand_ins = {key: (prefix(block),) for key, block in zip(sorted(kept), STAND_INS, strict=False)}
    control = [p for p in model.places.values() if p.kind == "control plane"]
    plain = topology(model, Options(pods=requests, stand_ins=stand_ins, pods_have_v6=facts.pods_have_v6))
    api = prefix(str(IPv4Network(facts.service_range)[1]))
    targets = tuple(
        a for one in plain.interfaces.values() if control and one.owner == control[0].id for a in one.addresses
    )
    top = topology(
        model,
        Options(
            pods=requests,
            stand_ins=stand_ins,
            node_rules=facts.node_rules,
            strict=facts.strict,
            pods_have_v6=facts.pods_have_v6,
            dual_stack_agent=False,
            shared_addresses=facts.shared_addresses,
            logged=True,
            services={api: targets} if targets else {},
        ),
    )
    prepare(top.spaces[OUTSIDE])
    for space in top.spaces.values():
        if space.name.startswith(gateway_space("")):
            prepare(space)
    return top


def _end(process: subprocess.Popen[str]) -> None:
    """With everything of its session that has not left its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
