"""Who sees attempts: each sensor's log group, and how long its record takes to CloudWatch at worst (claim E8)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from infra.names import Names
from infra.services import AGENT_LOG_STREAMS, CONTAINER_LOG_STREAMS

EVALUATION_SECONDS: Final = 60
"""CloudWatch evaluates a standard alarm once a minute."""


class Sensor(StrEnum):
    FLOW = "flow log"
    RESOLVER = "Resolver log"
    POLICY_AGENT = "NP agent log"
    SUPERVISOR = "seccomp event"
    AUDIT = "K8s audit"
    TRAIL = "CloudTrail VPCE"
    DOOR = "door audit"
    INGESTION = "log ingestion"
    NONE = "none"


@dataclass(frozen=True)
class Source:
    """Where a sensor writes, and the seconds until its record is in CloudWatch: the worst that AWS states.

    `stream`: how the names of its streams begin, where others write into the same group.
    """

    log_group: Callable[[Names, str], str]
    delivery_seconds: int
    why: str
    stream: str = ""


AUDIT_LOG_STREAMS: Final = "kube-apiserver-audit-"
"""Prefix of EKS's own streams in the cluster's log group: the only writer there that is not a node."""


def trail_log_group(names: Names) -> str:
    return f"/sequester/{names.name}/trail"


SOURCES: Final[Mapping[Sensor, Source]] = MappingProxyType(
    {
        Sensor.FLOW: Source(
            lambda names, _: names.flow_log_group, 360, "aggregated over a minute, published within about five"
        ),
        Sensor.RESOLVER: Source(lambda names, _: names.resolver_log_group, 300, "no figure published: as flow logs"),
        Sensor.POLICY_AGENT: Source(
            lambda names, _: names.cluster_log_group, 60, "sent by the node itself", AGENT_LOG_STREAMS
        ),
        Sensor.SUPERVISOR: Source(
            lambda names, _: names.container_log_group,
            60,
            "supervisor and shipper a second each, and ingestion",
            CONTAINER_LOG_STREAMS,
        ),
        Sensor.AUDIT: Source(
            lambda names, _: names.cluster_log_group, 300, "EKS: within a few minutes", AUDIT_LOG_STREAMS
        ),
        Sensor.TRAIL: Source(lambda names, _: trail_log_group(names), 900, "CloudTrail: about 5 minutes, 15 at most"),
        Sensor.DOOR: Source(lambda names, tenant: names.door_log_group(tenant), 60, "Lambda sends its log at once"),
        Sensor.INGESTION: Source(lambda _names, _tenant: "", 120, "CloudWatch's own metric, a minute apart"),
    }
)
