"""Sequester's parts for other Pulumi programs: a sealed network, tenants on a cluster that is there, a door, tripwires.

>>> from pulumi_sequester import SealedNetwork, SealedNetworkArgs
>>> SealedNetwork("agents", SealedNetworkArgs(account="123456789012", region="us-east-1", cidr="10.42.0.0/16",
...                                           zones=["us-east-1a", "us-east-1b"]))

Arguments are checked before any resource is made: a mistake is one line with the key, the value and the mend. What
names are made from must be known then; ids of resources may be outputs.
"""

from pathlib import Path

import infra

if Path(infra.__file__ or "").resolve().parent.parent != Path(__file__).resolve().parent.parent:
    raise ImportError(
        f"pulumi_sequester needs the `infra` it came with, and found {infra.__file__}: name that folder otherwise"
    )

from pulumi_sequester.door import Door, DoorArgs
from pulumi_sequester.network import SealedNetwork, SealedNetworkArgs
from pulumi_sequester.tenants import SandboxTenants, SandboxTenantsArgs
from pulumi_sequester.tripwires import Tripwires, TripwiresArgs, watched_log_groups

__all__ = [
    "Door",
    "DoorArgs",
    "SandboxTenants",
    "SandboxTenantsArgs",
    "SealedNetwork",
    "SealedNetworkArgs",
    "Tripwires",
    "TripwiresArgs",
    "watched_log_groups",
]
