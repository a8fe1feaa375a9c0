"""What the responder is told at deployment: its names, its limits, and every alarm with the records behind it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from infra.door_store import audit_bucket, table
from infra.logs import FLOW_FIELDS
from infra.names import Names
from infra.sensors import AUDIT_LOG_STREAMS, EVALUATION_SECONDS, SOURCES
from infra.settings.tripwires import TripwireSettings
from infra.tripwire_patterns import Declared
from infra.tripwire_table import Tripwire, patterns
from infra.tripwires import topic_name, wires


def inside_name(names: Names) -> str:
    return f"{names.name}-responder-inside"


def outside_name(names: Names) -> str:
    return f"{names.name}-responder"


def deny_policy_arn(names: Names) -> str:
    return f"arn:aws:iam::{names.account}:policy/{names.name}-quarantined"


def log_groups(names: Names) -> tuple[str, str]:
    """Of the functions; Lambda prescribes the names."""
    return f"/aws/lambda/{outside_name(names)}", f"/aws/lambda/{inside_name(names)}"


def configuration(names: Names, settings: TripwireSettings, agent_roles: Mapping[str, str], declared: Declared) -> str:
    """What both functions read (lambda_responder.config): everything is known before anything is made."""
    own = {
        "stack": names.name,
        "account": names.account,
        "region": names.region,
        "cluster": names.cluster,
        "topic": names.arn("sns", topic_name(names)),
        "bucket": audit_bucket(names),
        "table": table(names),
        "inside": inside_name(names),
        "audit_log_group": names.cluster_log_group,
        "sandbox_node_group": f"{names.name}-sandbox",
        "deny_policy": deny_policy_arn(names),
        "audit_streams": AUDIT_LOG_STREAMS,
        "flow_fields": FLOW_FIELDS,
        "level": settings.response,
        "dry_run": settings.dry_run,
        "actions_per_hour": settings.actions_per_hour,
        "never_touch": sorted(settings.never_touch),
        "tenants": {
            tenant: {"agent_role": role, "door_table": table(names)} for tenant, role in sorted(agent_roles.items())
        },
        "wires": {
            wire.name(names.name): asdict(_Wire.of(names, wire.row, wire.tenant, declared))
            for wire in wires(sorted(agent_roles))
            if not wire.row.silent_group
        },
    }
    return json.dumps(own, sort_keys=True)


@dataclass(frozen=True)
class _Wire:
    """As lambda_responder.config.Wire; the window reaches back as far as a record may be late."""

    sensor: str
    log_group: str
    streams: str
    patterns: tuple[str, ...]
    response: str
    tenant: str | None
    window_seconds: int

    @classmethod
    def of(cls, names: Names, row: Tripwire, tenant: str | None, declared: Declared) -> "_Wire":
        source = SOURCES[row.sensor]
        window = source.delivery_seconds + row.period_seconds * row.periods + 2 * EVALUATION_SECONDS
        found = patterns(row, names, tenant, declared)
        rest = (found, row.response, tenant, window)
        return cls(str(row.sensor), source.log_group(names, tenant or ""), source.stream, *rest)
