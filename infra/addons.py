"""EKS's add-ons at pinned versions: network policy is strict from a pod's first packet (claims E1, E5)."""

import json
from typing import Final

from infra.coredns import corefile
from infra.endpoints import agent_hosts
from infra.labels import POOL_LABEL
from infra.names import Names
from infra.services import services
from infra.settings import Settings

# These must run before the first node joins: without them a node is never ready, or has a network without policy.
BEFORE_NODES: Final = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
AFTER_NODES: Final = ("coredns",)


def configuration(addon: str, settings: Settings) -> str | None:
    """An add-on's configuration values, as JSON text."""
    values = {"vpc-cni": _cni, "coredns": _coredns}.get(addon)
    return json.dumps(values(settings), sort_keys=True) if values else None


def pod_hosts(settings: Settings) -> tuple[str, ...]:
    """The names that pods resolve: of the endpoints that agents call, and of those that the autoscaler does."""
    names = Names.of(settings)
    scaling = {"autoscaling", "ec2", "eks"} if settings.cluster.autoscaling else set[str]()
    return (
        *agent_hosts(settings),
        *(host for service in services(settings) if service.name in scaling for host in service.hosts(names)),
    )


def _cni(_: Settings) -> dict[str, object]:
    """https://github.com/aws/amazon-vpc-cni-k8s#configuration-options, .../charts/aws-vpc-cni/values.yaml."""
    return {
        "enableNetworkPolicy": "true",
        "nodeAgent": {
            "enablePolicyEventLogs": "true",
            "enableCloudWatchLogs": "true",
            "logLevel": "info",  # the default, `debug`, ships every packet that is let through
        },
        "env": {
            "NETWORK_POLICY_ENFORCING_MODE": "strict",  # until its policies are known, a new pod has no network
            "DISABLE_POD_V6": "true",  # the agent's IPv4 program passes every other kind of packet
            # One interface a node and addresses by prefix: so the node's role needs no right to make or attach any.
            "ENABLE_PREFIX_DELEGATION": "true",
            "WARM_PREFIX_TARGET": "1",
            "MAX_ENI": "1",
            "AWS_VPC_K8S_CNI_EXTERNALSNAT": "true",  # pods keep their address: logs name the pod, not the node
        },
    }


def _coredns(settings: Settings) -> dict[str, object]:
    return {
        "corefile": corefile(pod_hosts(settings), settings.network.plan().resolver),
        "nodeSelector": {POOL_LABEL: "system"},
        "tolerations": [],
    }
