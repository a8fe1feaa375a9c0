"""The order of the demo: each step shows one thing and returns what did not hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequester.demo import cluster, code, network, records
from sequester.demo.scene import Scene


@dataclass(frozen=True)
class Step:
    """`showed` is said after the step, if it held; `play` returns a line for each thing that did not hold."""

    title: str
    showed: str
    play: Callable[[Scene], Sequence[str]]


STEPS: Sequence[Step] = (
    Step("The network, as AWS describes it", "what stands is what was designed", network.play),
    Step("The cluster and its tenants", "sandboxes run apart, without network or identity", cluster.play),
    Step("Untrusted code", "it computed, and reached nothing", code.play),
    Step("What was written", "open network.svg in a browser", records.play),
)
