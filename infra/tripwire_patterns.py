"""What tripwires count, as CloudWatch filter patterns: one builder for each sensor's records (claim E8).

TENANT, REGION, UNLISTED, OUTSIDE and RESPONDER stand for what a stack declares: `filled` puts it in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from infra.dns import resolvable
from infra.logs import FLOW_FIELDS
from infra.names import Names
from infra.settings import Settings

TCP: Final = "6"
SYN: Final = " || ".join(f"@ = {flags}" for flags in (2, 3, 6, 7, 18, 19, 22, 23))
"""SYN, or SYN and ACK, with whatever FIN and RST came in the same minute: the field is all of them together."""
LEFT: Final = "@ = 2 || @ = 3 || @ = 4 || @ = 5 || @ = 6 || @ = 8"
"""Internet gateway, VPN, peering, local gateway: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html"""
EGRESS: Final = {"flow_direction": "@ = egress", "action": "@ = ACCEPT"}

# Addresses that no router passes on: a packet to one stays on the link.
_ON_THE_LINK: Final = ("169.254.*", "224.0.0.*", "fe80:*", "ff02:*")
_MOST_PREFIXES: Final = 16  # what fits into a pattern, which has 1024 characters at most

# What Amazon Linux asks for by itself on a node without these endpoints. Exact names: none can carry a message.
_NODES_ASK_FOR: Final = ("ssm", "ssmmessages", "ec2messages")
_TIME_SERVERS: Final = tuple(f"{number}.amazon.pool.ntp.org." for number in range(4))

_OVER: Final = '$.stage = "ResponseComplete"'
BEGUN: Final = '($.stage = "ResponseStarted" || $.stage = "ResponseComplete")'
_CHANGES: Final = '($.verb = "create" || $.verb = "update" || $.verb = "patch" || $.verb = "delete*")'
"""`deletecollection` is the verb of many at once."""
ITSELF: Final = "$.objectRef.subresource NOT EXISTS"
"""The object, not its status: that says what a controller found, and changes nothing."""


@dataclass(frozen=True)
class Declared:
    """What is ordinary in a stack. listed: names that nodes may resolve, `*.` for all below; networks: the VPC's."""

    listed: Sequence[str]
    networks: Sequence[str]

    @classmethod
    def of(cls, settings: Settings) -> "Declared":
        network = settings.network
        return cls(resolvable(settings), [str(network.cidr), *([str(network.ipv6.cidr)] if network.ipv6 else [])])


def flow(**conditions: str) -> str:
    """A space-delimited pattern on our flow log format: field (with `_`) → condition, in which `@` is the field."""
    names = [field.replace("-", "_") for field in FLOW_FIELDS]
    if unknown := sorted(set(conditions) - set(names)):
        raise ValueError(f"{', '.join(unknown)}: not in our flow log format: use one of {', '.join(names)}")
    return f"[{', '.join(conditions.get(name, name).replace('@', name) for name in names)}]"


def supervisor(*kinds: str, action: str = "denied") -> str:
    """Events of the supervisor, as the log shipper wraps them; what code prints on stdout is another stream."""
    of_kind = " || ".join(f'$.event.kind = "{kind}"' for kind in kinds)
    namespace = '$.kubernetes.namespace_name = "TENANT-sandbox"'
    return (
        f'{{ $.stream = "stderr" && {namespace} && $.event.sequester = 1 && $.event.action = "{action}"'
        f" && $.event.noise IS FALSE && ({of_kind}) }}"
    )


def audit(condition: str, stage: str = _OVER) -> str:
    """Requests to the Kubernetes API by the tenant's identities, or to its namespaces."""
    tenant = (
        '$.user.username = "system:serviceaccount:TENANT-agent:*" || '
        '$.user.username = "system:serviceaccount:TENANT-sandbox:*" || '
        '$.objectRef.namespace = "TENANT-agent" || $.objectRef.namespace = "TENANT-sandbox"'
    )
    return f'{{ $.kind = "Event" && {stage} && ({condition}) && ({tenant}) }}'


def answered(condition: str) -> str:
    """Requests to the Kubernetes API by whomever, to whatever."""
    return f'{{ $.kind = "Event" && {_OVER} && {condition} }}'


def by_others(condition: str, *users: str) -> str:
    """Requests by anybody but these users, who make them in a working cluster.

    `eks:*` is EKS itself: no access entry may give such a name
    (https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html).
    """
    others = [f'$.user.username != "{user}"' for user in ("eks:*", *users)]
    return answered(" && ".join([condition, *others]))


def changed(resources: Sequence[str], condition: str, *users: str) -> str:
    """By anybody but these users, one of these resources, which may hold `*`, was changed or made."""
    which = " || ".join(f'$.objectRef.resource = "{resource}"' for resource in resources)
    return by_others(f"$.responseStatus.code < 300 && {_CHANGES} && ({which}) && {condition}", *users)


def door(*rules: str) -> str:
    return f'{{ $.event = "fetch" && $.verdict = "denied" && ({" || ".join(f"$.rule = {rule}" for rule in rules)}) }}'


def blocked() -> str:
    known = [f'$.query_name != "{name}.REGION.amazonaws.com."' for name in _NODES_ASK_FOR]
    known += [f'$.query_name != "{name}"' for name in _TIME_SERVERS]
    return f'{{ $.firewall_rule_action = "BLOCK" && {" && ".join(known)} }}'


def within(network: str) -> list[str]:
    """Texts with `*` that all of its addresses match. Filters know no ranges, so it is rounded.

    IPv4 goes by whole numbers between the dots, and up to the next larger such network where those would be too many:
    exact for /16 and /20, all of the /16 in between. IPv6 goes by its first three groups, a /48.
    """
    match ip_network(network):
        case IPv4Network() as v4:
            whole = min(24, -(-v4.prefixlen // 8) * 8)
            if 2 ** (whole - v4.prefixlen) > _MOST_PREFIXES:
                whole -= 8
            parts = v4.subnets(new_prefix=whole) if whole > v4.prefixlen else [v4]
            return [".".join(str(part.network_address).split(".")[: whole // 8]) + ".*" for part in parts]
        case IPv6Network() as v6:
            groups = v6.network_address.exploded.split(":")[:3]
            return [":".join(f"{int(group, 16):x}" for group in groups) + ":*"]


def _quoted(text: str) -> str:
    """What holds a colon must be in quotes."""
    return f'"{text}"' if ":" in text else text


def filled(pattern: str, names: Names, tenant: str | None, declared: Declared) -> str:
    """The pattern for this stack."""
    inside = [text for network in declared.networks for text in within(network)]
    given = {
        "TENANT": tenant or "",
        "REGION": names.region,
        "UNLISTED": " && ".join(f'$.query_name != "{name}."' for name in declared.listed),
        "OUTSIDE": " && ".join(f"pkt_dstaddr != {_quoted(text)}" for text in (*inside, *_ON_THE_LINK)),
        "RESPONDER": f"arn:aws:sts::{names.account}:assumed-role/{names.role('responder-inside')}/*",
    }
    for placeholder, text in given.items():
        pattern = pattern.replace(placeholder, text)
    return pattern
