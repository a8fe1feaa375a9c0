"""The fields of our flow log records, in order: what the log is configured with and what filter patterns count on.

`pkt-*` tells a pod from its node; `traffic-path` tells what left the VPC. https://docs.aws.amazon.com/vpc/latest/userguide/
flow-log-records.html
"""

from collections.abc import Mapping
from typing import Final

FLOW_LOG_FIELDS: Final = (
    "version",
    "interface-id",
    "instance-id",
    "subnet-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "protocol",
    "tcp-flags",
    "type",
    "packets",
    "bytes",
    "start",
    "end",
    "flow-direction",
    "traffic-path",
    "pkt-dst-aws-service",
    "reject-reason",
    "action",
    "log-status",
)

FLOW_LOG_FORMAT: Final = " ".join(f"${{{field}}}" for field in FLOW_LOG_FIELDS)
"""As `log_format` of a flow log takes it."""


def flow_pattern(conditions: Mapping[str, str]) -> str:
    """A space-delimited filter pattern: field → condition, in which `@` stands for the field's name.

    >>> flow_pattern({"action": "@ = REJECT"})[-38:]
    'reject_reason, action = REJECT, log_status]'
    """
    unknown = sorted(set(conditions) - set(FLOW_LOG_FIELDS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not in our flow log format: use one of {', '.join(FLOW_LOG_FIELDS)}")
    names = {field: field.replace("-", "_") for field in FLOW_LOG_FIELDS}
    fields = [conditions.get(field, "@").replace("@", name) for field, name in names.items()]
    return f"[{', '.join(fields)}]"
