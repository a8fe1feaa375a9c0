"""The target `cluster`: a deployed one. Each program is a run in the tenant's sandbox namespace, as the agent makes it.

Nothing else of the cluster is touched. Programs aim at the sink that the user names, at instance metadata, or at the
kernel; their baselines run on this machine, in a network of their own. Alarms and quarantine are the account's: they
are looked up there, and not claimed here.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from sequester.drill.attempt import Attempt, Sight
from sequester.drill.eyes import Eyes
from sequester.drill.outcome import Outcome, Target, Technique
from sequester.drill.program import program
from sequester.drill.run import outcome
from sequester.drill.sandboxed import attempt_of, baselines
from sequester.drill.sink import V4, V4_SECOND, V6
from sequester.drill.table import PROGRAMS
from sequester.sandbox.errors import RunFailed, SandboxError
from sequester.sandbox.executor import IsolatedExecutor
from sequester.sandbox.guest import syscalls

RUN_SECONDS: Final = 60.0


class BadSinkError(ValueError):
    """`--sink` is not an address and a port; the message names the mend."""


@dataclass(frozen=True)
class NamedSink:
    """A server of the user's. Whoever reads its log looks for the canaries that the drill's result names."""

    address: str
    port: int

    @classmethod
    def read(cls, text: str) -> "NamedSink":
        """`192.0.2.7:8080` or `[2001:db8::7]:8080`. Raises BadSinkError."""
        host, _, port = text.rpartition(":")
        try:
            return cls(str(ip_address(host.strip("[]"))), int(port))
        except ValueError:
            raise BadSinkError(f"--sink {text}: give an address and a port, such as 192.0.2.7:8080") from None

    def to(self) -> Mapping[str, Any]:
        """What programs are told: the sink where it has such an address, else one reserved for documentation."""
        v6 = ":" in self.address
        return {
            "v4": V4 if v6 else self.address,
            "v4_b": V4_SECOND,
            "v6": self.address if v6 else V6,
            "port": self.port,
            "abstract": "sequester-drill",
            "abstract_datagram": "sequester-drill",
            "unix": "/run/sequester-drill",
            "unix_datagram": "/run/sequester-drill",
            "engine": "/var/run/docker.sock",
            "host_file": "/var/lib/kubelet/config.yaml",
        }


@dataclass(frozen=True)
class InCluster:
    """executor: of the tenant's sandboxes there. machine: what the sandbox nodes are, as `uname -m` says it."""

    eyes: Eyes
    executor: IsolatedExecutor
    sink: NamedSink
    tenant: str
    machine: str = "x86_64"

    @property
    def target(self) -> Target:
        return Target.CLUSTER

    def hold(self, techniques: Sequence[Technique], tell: Callable[[Attempt], None]) -> list[Attempt]:
        names = [technique.id for technique in techniques]
        bare = baselines(names, self.machine)
        numbers = dict(syscalls.numbers(self.machine))
        found: list[Attempt] = []
        for name in names:
            to = {**self.sink.to(), "canary": secrets.token_hex(8), "sandboxed": True}
            said = self._run(program(PROGRAMS[name], numbers), to)
            attempt = attempt_of(PROGRAMS[name], said, bare[name], to, (), self.tenant)
            found.append(attempt)
            tell(attempt)
        return found

    def judge(self, technique: Technique, attempt: Attempt) -> Outcome:
        sight = Sight() if attempt.not_run else self.eyes.counted(technique, attempt.records)
        return outcome(Target.CLUSTER, technique, attempt, sight)

    def _run(self, source: str, to: Mapping[str, Any]) -> Mapping[str, Any]:
        started, failed = time.time(), ""
        try:
            result = self.executor.run_untrusted_code(source, dict(to), timeout=RUN_SECONDS)
        except RunFailed as error:
            result, failed = error.result, f"{type(error).__name__}: {error}"
        except SandboxError as error:
            return {"value": None, "events": [], "stderr": "", "failed": str(error), "started": started}
        return {
            "value": result.value,
            "events": [vars(event) for event in result.events],
            "stderr": result.stderr,
            "failed": failed,
            "started": started,
        }
