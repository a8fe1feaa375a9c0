"""Everything that can be read back from a deployment, and every control over it, part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.settings import Settings
from sequester.readback.cluster import CLUSTER_CONTROLS, ClusterSeen, check_cluster, observe_cluster
from sequester.readback.control import Control, Finding
from sequester.readback.controls import CONTROLS, check
from sequester.readback.doors import DOOR_CONTROLS, check_doors
from sequester.readback.doors_seen import DoorsSeen, observe_doors
from sequester.readback.eyes import EYES_CONTROLS, EyesSeen, check_eyes, observe_eyes
from sequester.readback.observe import Client, observe
from sequester.readback.seen import Layout, Observed

EVERY_CONTROL: Final[Mapping[str, Sequence[Control[Any]]]] = {
    "network": CONTROLS,
    "cluster": CLUSTER_CONTROLS,
    "doors": DOOR_CONTROLS,
    "eyes": EYES_CONTROLS,
}
"""By part, in the order in which the parts are built."""


@dataclass(frozen=True)
class Whole:
    """A deployment as it was at one moment."""

    network: Observed
    cluster: ClusterSeen
    doors: DoorsSeen
    eyes: EyesSeen

    def findings(self) -> list[Finding]:
        """Every control that does not hold; empty if all do."""
        return [
            *check(self.network),
            *check_cluster(self.cluster),
            *check_doors(self.doors),
            *check_eyes(self.eyes),
        ]


def observe_whole(client: Client, settings: Settings) -> Whole:
    """Read all of it back. Raises NotFoundError where a part is not there at all."""
    return Whole(
        observe(client, Layout.of(settings)),
        observe_cluster(client, settings),
        observe_doors(client, settings),
        observe_eyes(client, settings),
    )
