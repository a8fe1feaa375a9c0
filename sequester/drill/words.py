"""The drill's words as enumerations; importing this costs nothing, so that every command can name them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """What kind of way out it is."""

    DIRECT = "direct"
    DNS = "dns"
    METADATA = "metadata"
    DOOR = "door"
    ALLOWED = "allowed"
    HOST = "host"
    KUBERNETES = "kubernetes"

    @property
    def heading(self) -> str:
        return _HEADINGS[self]


_HEADINGS: Final[Mapping[Family, str]] = {
    Family.DIRECT: "Straight out",
    Family.DNS: "Names",
    Family.METADATA: "Instance metadata",
    Family.DOOR: "Through the door",
    Family.ALLOWED: "Allowed things abused",
    Family.HOST: "Kernel and host",
    Family.KUBERNETES: "Kubernetes",
}


class Target(StrEnum):
    """Where the drill is held."""

    LOCAL = "local"
    LAB = "lab"
    CLUSTER = "cluster"


class Result(StrEnum):
    """What became of one technique."""

    STOPPED = "stopped"
    LEAK = "leak"
    NOT_RUN = "not-run"
    BASELINE_FAILED = "baseline-failed"


class How(StrEnum):
    """`computed`: nothing was tried; the prover's own evaluator decided on the deployed documents."""

    TRIED = "tried"
    COMPUTED = "computed"
