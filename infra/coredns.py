"""What names exist in the cluster: its own, and those of the endpoints that pods call; all others do not (claim E2)."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

_CLUSTER_ZONES = "cluster.local in-addr.arpa ip6.arpa"
_CACHE_SECONDS = 30

# Health and readiness are one server for the whole process; the add-on's probes ask for them on these ports.
_DEFAULT = """\
.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    prometheus :9153
    template ANY ANY {
        rcode NXDOMAIN
    }
}
"""


def corefile(endpoint_names: Iterable[str], resolver: IPv4Address) -> str:
    """CoreDNS's configuration. endpoint_names: those of the endpoints that pods call. resolver: the VPC's own.

    Only the exact name is forwarded: a name below it would be a channel (`<data>.lambda.<region>.amazonaws.com`).
    The longest matching zone serves a query, so the last block sees only what no other zone holds.
    """
    own = f"""\
{_CLUSTER_ZONES} {{
    errors
    kubernetes {_CLUSTER_ZONES} {{
        pods disabled
        ttl {_CACHE_SECONDS}
    }}
    cache {_CACHE_SECONDS}
    loop
    reload
    loadbalance
}}
"""
    return "".join((own, *(_forwarded(name, resolver) for name in sorted(set(endpoint_names))), _DEFAULT))


def _forwarded(name: str, resolver: IPv4Address) -> str:
    below = rf"^.+\.{re.escape(name)}\.$"
    return f"""\
{name}:53 {{
    errors
    template ANY ANY {{
        match "{below}"
        rcode NXDOMAIN
        fallthrough
    }}
    forward . {resolver}
    cache {_CACHE_SECONDS}
}}
"""
