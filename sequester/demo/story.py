"""The order of the demo: each step shows one thing and returns what did not hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequester.demo import cluster, code, door, drill, evidence, eyes, network, outside, proof
from sequester.demo.scene import Scene


@dataclass(frozen=True)
class Step:
    """`showed` is said after the step, if it held; `play` returns a line for each thing that did not hold."""

    title: str
    showed: str
    play: Callable[[Scene], Sequence[str]]


STEPS: Sequence[Step] = (
    Step("Up: the network, as AWS describes it", "what stands is what was designed", network.play),
    Step("Up: the cluster and its tenants", "sandboxes run apart, without network or identity", cluster.play),
    Step(
        "Up: doors, tripwires, responders",
        "a door answers its own tenant; an attempt that can be seen has an alarm",
        outside.play,
    ),
    Step("Prove", "no packet, name, call or identity has another way out", proof.proved),
    Step("Break it", "the layers hold one for another; when all have fallen, the way out is drawn", proof.broken),
    Step("Run untrusted code", "it computed, and reached nothing", code.play),
    Step("Fetch", "one fetch was made, the others never left, and the chain of records says so", door.play),
    Step("Drill", "ways out of every family were tried, stopped, seen and answered", drill.play),
    Step(
        "Tripwire, quarantine, release",
        "what the code tried set off its tripwire and was answered, until the release",
        eyes.play,
    ),
    Step("Report", "all of this on one page, and the tests that hold it", evidence.play),
)
