"""Which packets pods may send and receive: everything is denied, then exact addresses are let through (E1, E2, E6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from infra.labels import QUARANTINE_LABEL, ROLE_LABEL, agent_namespace, sandbox_namespace
from infra.manifests import Json, Manifest, manifest

# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
POD_IDENTITY = IPv4Address("169.254.170.23")
_DNS_PORT, _HTTP_PORT, _TLS_PORT = 53, 80, 443
_DNS_LABEL: dict[str, Json] = {"k8s-app": "kube-dns"}
_AUTOSCALER_LABEL: dict[str, Json] = {"app.kubernetes.io/name": "cluster-autoscaler"}

# Namespaces that exist in every cluster. In strict mode a pod that no policy selects has no network at all;
# these say so explicitly, so that a pod placed there by mistake stays shut under any enforcing mode.
_BUILT_IN = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True)
class Reach:
    """Where pods may send packets to: literal addresses, known before anything is deployed."""

    api_service: IPv4Address  # first address of the service CIDR: `kubernetes.default` has no selector to name it by
    control_plane: tuple[IPv4Network, ...]  # subnets of the control plane's network interfaces
    resolver: IPv4Address  # the VPC's own resolver
    agent_endpoints: tuple[IPv4Address, ...]  # fixed addresses of the endpoints that agents call
    endpoint_subnets: tuple[IPv4Network, ...]  # for system pods that call AWS


def tenant_policies(tenant: str, reach: Reach) -> list[Manifest]:
    """Sandbox: nothing, either way. Agent: its five destinations, until it is quarantined."""
    agent, sandbox = agent_namespace(tenant), sandbox_namespace(tenant)
    return [
        deny_all(sandbox),
        deny_all(agent),
        _policy(
            agent,
            "agent-egress",
            # Policies only add: quarantine works because this one stops selecting the pod.
            select={"matchExpressions": [{"key": QUARANTINE_LABEL, "operator": "DoesNotExist"}]},
            egress=[
                _to_addresses([reach.api_service, *reach.control_plane], _TLS_PORT),
                _to_dns(),
                _to_addresses([POD_IDENTITY], _HTTP_PORT),
                _to_addresses(reach.agent_endpoints, _TLS_PORT),
            ],
        ),
    ]


def system_policies(reach: Reach, *, autoscaling: bool) -> list[Manifest]:
    """What strict mode makes necessary: CoreDNS answers agents, asks the VPC's resolver and watches the API server."""
    api = _to_addresses([reach.api_service, *reach.control_plane], _TLS_PORT)
    askers: list[Json] = [{"namespaceSelector": {"matchLabels": {ROLE_LABEL: "agent"}}}]
    if autoscaling:
        askers.append({"podSelector": {"matchLabels": _AUTOSCALER_LABEL}})
    policies = [
        *map(deny_all, _BUILT_IN),
        _policy(
            "kube-system",
            "coredns",
            select={"matchLabels": _DNS_LABEL},
            ingress=[{"from": askers, "ports": _ports(_DNS_PORT, "UDP", "TCP")}],
            egress=[api, _to_addresses([reach.resolver], _DNS_PORT, "UDP", "TCP")],
        ),
    ]
    if autoscaling:
        policies.append(
            _policy(
                "kube-system",
                "cluster-autoscaler",
                select={"matchLabels": _AUTOSCALER_LABEL},
                egress=[
                    api,
                    _to_dns(),
                    _to_addresses([POD_IDENTITY], _HTTP_PORT),
                    _to_addresses(reach.endpoint_subnets, _TLS_PORT),
                ],
            )
        )
    return policies


def admin_policy() -> Manifest:
    """A second, independent deny above every NetworkPolicy: whoever edits those still opens nothing for sandboxes.

    Needs a network policy agent that knows the admin tier (VPC CNI 1.21.1 or later), so it is a setting.
    """
    subject: Json = {"namespaces": {"matchLabels": {ROLE_LABEL: "sandbox"}}}
    any_pod: Json = {"namespaces": {"matchLabels": {}}}
    return manifest(
        "networking.k8s.aws/v1alpha1",
        "ClusterNetworkPolicy",
        "sandboxes-have-no-network",
        spec={
            "tier": "Admin",
            "priority": 1,
            "subject": subject,
            "egress": [
                {
                    "name": "deny-all",
                    "action": "Deny",
                    "to": [{"networks": ["0.0.0.0/0", "::/0"]}, any_pod],
                }
            ],
            "ingress": [{"name": "deny-all", "action": "Deny", "from": [any_pod]}],
        },
    )


def deny_all(namespace: str) -> Manifest:
    return _policy(namespace, "deny-all", select={})


def _policy(
    namespace: str,
    name: str,
    *,
    select: Json,
    ingress: Sequence[Json] = (),
    egress: Sequence[Json] = (),
) -> Manifest:
    """Both directions are always governed: what is not listed is denied."""
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name,
        namespace=namespace,
        spec={
            "podSelector": select,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(ingress),
            "egress": list(egress),
        },
    )


def _to_addresses(targets: Iterable[IPv4Address | IPv4Network], port: int, *protocols: str) -> Json:
    peers: list[Json] = [{"ipBlock": {"cidr": str(IPv4Network(target))}} for target in targets]
    if not peers:  # an empty `to` would mean everywhere
        raise ValueError("a rule without destinations would allow every destination")
    return {"to": peers, "ports": _ports(port, *(protocols or ("TCP",)))}


def _to_dns() -> Json:
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": _DNS_LABEL},
            }
        ],
        "ports": _ports(_DNS_PORT, "UDP", "TCP"),
    }


def _ports(port: int, *protocols: str) -> list[Json]:
    return [{"protocol": protocol, "port": port} for protocol in protocols]
