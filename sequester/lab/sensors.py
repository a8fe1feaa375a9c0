"""What the filters of a world log, read all the time, and told as the deployed sensors tell it."""

import selectors
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sequester.lab import denials, flows
from sequester.lab.namespaces import Namespace
from sequester.lab.nflog import Log, Logged
from sequester.lab.rules import DENIAL_GROUP, FLOW_GROUP
from sequester.lab.serving import Servers

_SETTLE_SECONDS, _LONGEST_SECONDS = 0.05, 2.0


@dataclass
class Sensors:
    """Reads what the filters log, all the time, so that no buffer runs over."""

    account: str
    fields: Sequence[str]
    wires: Mapping[tuple[str, str], flows.Wire]
    nodes: Mapping[str, str]
    logs: dict[str, Log] = field(default_factory=dict[str, Log])
    seen: list[tuple[str, Logged]] = field(default_factory=list[tuple[str, Logged]])
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False)
    _closed: bool = field(default=False, init=False)

    def watch(self, spaces: Mapping[str, Namespace], servers: Servers) -> None:
        for name in {space for space, _ in self.wires}:
            self.logs[name] = Log(spaces[name], FLOW_GROUP)
        for name in self.nodes:
            self.logs[name] = Log(spaces[name], DENIAL_GROUP)
        servers.run(self._read, servers)

    def _read(self, servers: Servers) -> None:
        with selectors.DefaultSelector() as chosen:
            for name, log in self.logs.items():
                chosen.register(log.socket, selectors.EVENT_READ, name)
            while not servers.closed:
                if chosen.select(0.2):
                    self._drain()
        with self._reading:
            self._closed = True
            for log in self.logs.values():
                log.close()

    def _drain(self) -> None:
        """Keeps all that the kernel has logged by now."""
        with self._reading:
            if not self._closed:
                for name, log in self.logs.items():
                    self.seen += [(name, one) for one in log.read()]

    def settle(self) -> None:
        """Until nothing more is logged. Reads here: on a busy machine the reading thread can be behind."""
        until, known = time.monotonic() + _LONGEST_SECONDS, -1
        while known != len(self.seen) and time.monotonic() < until:
            known = len(self.seen)
            time.sleep(_SETTLE_SECONDS)
            self._drain()

    def flow_lines(self, since: float) -> Iterable[tuple[float, str]]:
        logged: list[tuple[flows.Wire, Logged]] = []
        for space, one in list(self.seen):
            device = one.entered if one.words.endswith("egress") else one.left
            wire = self.wires.get((space, device))
            if wire is not None and one.at >= since:
                logged.append((wire, one))
        return flows.records(logged, self.fields, self.account)

    def denial_lines(self, since: float) -> Iterable[tuple[float, str]]:
        for space, one in list(self.seen):
            if space in self.nodes and one.at >= since:
                line = denials.line(self.nodes[space], one)
                if line is not None:
                    yield one.at, line
