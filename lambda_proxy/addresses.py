"""Which addresses are not public: an explicit table, since `ipaddress.is_global` lets thirteen of these pass.

Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and updates), and the cloud's own
addresses. An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo) is refused whole: a public host
has no need of it.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType

SPECIAL_RANGES: Mapping[str, str] = MappingProxyType(
    {
        "0.0.0.0/8": "this network (RFC 791)",
        "10.0.0.0/8": "private (RFC 1918)",
        "100.64.0.0/10": "carrier-grade NAT (RFC 6598)",
        "127.0.0.0/8": "loopback (RFC 1122)",
        "168.63.129.16/32": "Azure's host",
        "169.254.0.0/16": "link-local (RFC 3927), instance metadata, Pod Identity",
        "172.16.0.0/12": "private (RFC 1918)",
        "192.0.0.0/24": "IETF protocol assignments (RFC 6890)",
        "192.0.2.0/24": "documentation (RFC 5737)",
        "192.31.196.0/24": "AS112 (RFC 7535)",
        "192.52.193.0/24": "AMT (RFC 7450)",
        "192.88.99.0/24": "6to4 relay, deprecated (RFC 7526)",
        "192.168.0.0/16": "private (RFC 1918)",
        "192.175.48.0/24": "AS112 (RFC 7534)",
        "198.18.0.0/15": "benchmarking (RFC 2544)",
        "198.51.100.0/24": "documentation (RFC 5737)",
        "203.0.113.0/24": "documentation (RFC 5737)",
        "224.0.0.0/4": "multicast (RFC 5771)",
        "240.0.0.0/4": "reserved and broadcast (RFC 1112, RFC 919)",
        "::/96": "unspecified, loopback, IPv4-compatible (RFC 4291)",
        "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
        "::ffff:0:0:0/96": "IPv4-translated (RFC 7915)",
        "64:ff9b::/96": "NAT64 (RFC 6052)",
        "64:ff9b:1::/48": "local NAT64 (RFC 8215)",
        "100::/64": "discard (RFC 6666)",
        "100:0:0:1::/64": "dummy prefix (RFC 9780)",
        "2001::/23": "IETF protocol assignments, Teredo, ORCHID (RFC 2928)",
        "2001:db8::/32": "documentation (RFC 3849)",
        "2002::/16": "6to4 (RFC 3056)",
        "2620:4f:8000::/48": "AS112 (RFC 7534)",
        "3fff::/20": "documentation (RFC 9637)",
        "5f00::/16": "segment routing (RFC 9602)",
        "fc00::/7": "unique local (RFC 4193), among them the cloud's metadata",
        "fe80::/10": "link-local (RFC 4291)",
        "fec0::/10": "site-local, deprecated (RFC 3879)",
        "ff00::/8": "multicast (RFC 4291)",
    }
)

_NETWORKS: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, SPECIAL_RANGES))
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")


def is_special(address: str) -> bool:
    """Whether `address`, a numeric IPv4 or IPv6 address, is anything but public; what does not parse is."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return True
    if parsed.version == 6 and (parsed.scope_id is not None or parsed not in _GLOBAL_UNICAST_V6):
        return True
    return any(parsed in network for network in _NETWORKS if network.version == parsed.version)
