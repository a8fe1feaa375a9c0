"""Ways out of pods: network policies, the node beside them, and metadata (E1, E6)."""

import base64

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false
from typing import Any

from proof_world import World, decoded
from ways_edits import (
    SANDBOX,
    Change,
    Rows,
    addon,
    allow,
    block,
    deny_all,
    open_groups,
    policy,
    ports,
)

from sequester.sources.resource import Resource

AGENT = "research-agent"


def opened(**more: Any) -> Change:
    return lambda w: w.apply(policy("opened", **more))


def applied(manifest: dict[str, Any]) -> Change:
    return lambda w: w.apply(manifest)


PODS: dict[str, Change] = {
    "no policy": lambda w: w.unapply("NetworkPolicy", "deny-all", SANDBOX),
    "selector typo": deny_all(lambda m: m["spec"].update(podSelector={"matchLabels": {"app": "sandbx"}})),
    "selector by expression": deny_all(
        lambda m: m["spec"].update(podSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]})
    ),
    "wrong namespace": deny_all(lambda m: m["metadata"].update(namespace="default")),
    "policyTypes without Egress": deny_all(lambda m: m["spec"].update(policyTypes=["Ingress"])),
    "policyTypes left out": deny_all(lambda m: [m["spec"].pop(k) for k in ("policyTypes", "egress")]),
    "an empty rule": allow({}),
    "a rule with ports only": allow({"ports": ports(("TCP", 443))}),
    "a rule with an empty to": allow({"to": [], "ports": ports(("UDP", 53))}),
    "the whole of IPv4": allow(block("0.0.0.0/0")),
    "the VPC": allow(block("10.42.0.0/16")),
    "all but the VPC, and a hole": allow(block("10.42.0.0/16", "10.42.0.0/17")),
    "an agent's pods": allow({"to": [{"namespaceSelector": {"matchLabels": {"sequester.dev/role": "agent"}}}]}),
    "every pod": allow({"to": [{"namespaceSelector": {}}]}),
    "its own namespace": allow({"to": [{"podSelector": {}}]}),
    "CoreDNS": allow(
        {
            "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
            "ports": ports(("UDP", 53)),
        }
    ),
    "metadata": allow(block("169.254.169.254/32")),
    "a port range": allow({"to": [{"ipBlock": {"cidr": "10.42.0.0/16"}}], "ports": [{"port": 8000, "endPort": 9000}]}),
    "a named port": allow({"to": [{"ipBlock": {"cidr": "10.42.0.0/16"}}], "ports": [{"port": "https"}]}),
    "the service range": allow(block("172.20.0.0/16")),
    "two policies together": lambda w: w.unapply("NetworkPolicy", "deny-all", SANDBOX).apply(
        policy("a", select={"matchLabels": {"tier": "a"}}, egress=[]),
        policy("b", select={"matchLabels": {"tier": "b"}}, egress=[]),
    ),
    "for some labels only": allow(block("10.42.0.0/16"), select={"matchLabels": {"debug": "true"}}),
    "no rules on the node": lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=""),
    "IPv6 in pods": lambda w: addon(w, "DISABLE_POD_V6", "false"),
    "an agent anywhere": lambda w: open_groups(w).apply(
        policy("opened", namespace="research-agent", egress=[block("169.254.169.254/32")])
    ),
    "a tenant nobody closed": lambda w: w.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new-sandbox"}}
    ),
}


METADATA: dict[str, Change] = {
    "two hops": lambda w: w.set(
        "LaunchTemplate", "sequester-sandbox", metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2}
    ),
    "version 1": lambda w: w.set(
        "LaunchTemplate", "sequester-sandbox", metadataOptions={"httpTokens": "optional", "httpPutResponseHopLimit": 1}
    ),
    "by default": lambda w: w.set("LaunchTemplate", "sequester-sandbox", metadataOptions=None),
    "by policy": allow(block("169.254.169.254/32")),
    "by policy, IPv6": allow(block("fd00:ec2::254/128")),
    "Pod Identity": allow(block("169.254.170.23/32")),
    "link-local": allow(block("169.254.0.0/16")),
}


FURTHER: Rows = {
    "a value that no policy speaks of": ("E1", "blueprint", lambda w: w.unapply("NetworkPolicy", "deny-all", SANDBOX).apply(
        policy("a", select={"matchLabels": {"tier": "other"}}, egress=[]),
        policy("b", select={"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, egress=[]))),
    "an image that takes no scripts": ("E1", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", amiType="BOTTLEROCKET_x86_64")),
    "Windows": ("E1", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", amiType="WINDOWS_CORE_2022_x86_64")),
    "an image without nft": ("E1", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", amiType="AL2_x86_64")),
    "additional policy everything": ("E1", "blueprint", opened(egress=[{}])),
    "policy for one pod by expression": ("E1", "blueprint", opened(select={"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["y"]}]}, egress=[block("10.42.0.0/16")])),
    "policy in upper-case api": ("E1", "blueprint", applied({"apiVersion": "networking.k8s.io/v1beta1", "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": SANDBOX}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}})),
    "selector by expression never": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(podSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}))),
    "selector NotIn": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(podSelector={"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]}))),
    "egress [{}]": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(egress=[{}]))),
    "SCTP": ("E1", "blueprint", opened(egress=[{"to": [{"ipBlock": {"cidr": "10.42.0.0/16"}}], "ports": [{"protocol": "SCTP"}]}])),
    "node address": ("E1", "blueprint", opened(egress=[block("10.42.0.5/32")])),
    "v6 link local": ("E1", "blueprint", opened(egress=[block("fe80::/10")])),
    "service range": ("E1", "blueprint", opened(egress=[block("172.20.0.1/32")])),
    "other tenant pods": ("E1", "blueprint", opened(egress=[{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "billing-sandbox"}}}]}])),
    "another sandbox namespace": ("E1", "blueprint", lambda w: w.unapply("NetworkPolicy", "deny-all", "billing-sandbox")),
    "agent everywhere + open": ("E1", "blueprint", lambda w: w.apply(policy("x", namespace=AGENT, egress=[{}]))),
    "agent metadata": ("E1", "blueprint", lambda w: w.apply(policy("x", namespace=AGENT, egress=[block("169.254.169.254/32")]))),
    "agent no policy": ("E1", "blueprint", lambda w: w.unapply("NetworkPolicy", "deny-all", AGENT)),
    "agent v6": ("E1", "blueprint", lambda w: w.apply(policy("x", namespace=AGENT, egress=[block("::/0")]))),
    "nft missing v6": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=base64.b64encode(decoded(w.one("LaunchTemplate", "sequester-sandbox").properties["userData"]).replace("table inet", "table ip").encode()).decode())),
    "nft accept before": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=base64.b64encode(decoded(w.one("LaunchTemplate", "sequester-sandbox").properties["userData"]).replace('iifname "eni*"', 'tcp dport 10250 accept\n    iifname "eni*"', 1).encode()).decode())),
    "nft other interface": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=base64.b64encode(decoded(w.one("LaunchTemplate", "sequester-sandbox").properties["userData"]).replace('"eni*"', '"eth*"').encode()).decode())),
    "nft drop to accept": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=base64.b64encode(decoded(w.one("LaunchTemplate", "sequester-sandbox").properties["userData"]).replace(' drop', ' accept').encode()).decode())),
    "nft never loaded": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=base64.b64encode(decoded(w.one("LaunchTemplate", "sequester-sandbox").properties["userData"]).replace('nft -f', 'echo nft').encode()).decode())),
    "nft flushed after": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=base64.b64encode((decoded(w.one("LaunchTemplate", "sequester-sandbox").properties["userData"])+"\nnft flush ruleset\n").encode()).decode())),
    "node group in system subnets": ("E1", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", subnetIds=[w.subnet("system").id])),
    "metadata by extra node group": ("E6", "blueprint", lambda w: w.with_("eks/nodeGroup:NodeGroup", "x", "x", clusterName="sequester", subnetIds=[w.subnet("sandbox").id])),
    "imds tokens optional": ("E6", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", metadataOptions={"httpTokens": "optional", "httpPutResponseHopLimit": 1})),
    "pod identity v6": ("E6", "blueprint", allow(block("fd00:ec2::23/128"))),
    "link local except imds": ("E6", "blueprint", allow(block("169.254.0.0/16", "169.254.169.254/32"))),
}  # fmt: skip

UNDECIDED: Rows = {
    "a selector in another spelling": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(podselector={"matchLabels": {"a": "b"}}))),
    "labels in another spelling": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(podSelector={"matchlabels": {"a": "b"}}))),
    "a rule in another spelling": ("E1", "blueprint", opened(egress=[{"To": [{"ipBlock": {"cidr": "10.42.0.0/16"}}]}])),
    "a block in another spelling": ("E1", "blueprint", opened(egress=[{"to": [{"ipBlock": {"cidr": "10.42.0.0/16", "exclude": ["10.42.0.0/16"]}}]}])),
    "template version pinned older": ("E1", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", launchTemplate={**w.one("NodeGroup", "sequester-sandbox").properties["launchTemplate"], "version": "1"}).set("LaunchTemplate", "sequester-sandbox", latestVersion=3)),
    "template other": ("E1", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", launchTemplate={"id": "lt-elsewhere", "version": "1"})),
    "a policy endpoint by hand": ("E1", "blueprint", applied({"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "PolicyEndpoint", "metadata": {"name": "deny-all-x1", "namespace": SANDBOX, "labels": {}}, "spec": {"egress": [{"cidr": "0.0.0.0/0"}]}})),
    "a policy endpoint of no policy there is": ("E1", "blueprint", applied({"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "PolicyEndpoint", "metadata": {"name": "deny-all-x1", "namespace": SANDBOX, "ownerReferences": [{"kind": "NetworkPolicy", "name": "elsewhere"}]}, "spec": {"egress": [{"cidr": "0.0.0.0/0"}]}})),
    "extensions api": ("E1", "blueprint", applied({"apiVersion": "extensions/v1beta1", "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": SANDBOX}, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}})),
    "egress to {}": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(egress=[{"to": [{}]}]))),
    "AdminNetworkPolicy Allow": ("E1", "blueprint", applied({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy", "metadata": {"name": "x"}, "spec": {"egress": [{"action": "Allow"}]}})),
    "Cilium": ("E1", "blueprint", applied({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "x"}, "spec": {}})),
    "Calico": ("E1", "blueprint", applied({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "x"}, "spec": {"egress": [{"action": "Allow"}]}})),
    "Cilium clusterwide": ("E1", "blueprint", applied({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "x"}, "spec": {}})),
    "ENIConfig": ("E1", "blueprint", applied({"apiVersion": "crd.k8s.amazonaws.com/v1alpha1", "kind": "ENIConfig", "metadata": {"name": "x"}, "spec": {}})),
    "unknown custom resource": ("E1", "blueprint", applied({"apiVersion": "x.example/v1", "kind": "Tunnel", "metadata": {"name": "x"}, "spec": {}})),
    "helm release": ("E1", "blueprint", lambda w: World((*w.resources, Resource('kubernetes:helm.sh/v3:Release', 'n', 'n', {})), w.manifests)),
    "yaml v2 config": ("E1", "blueprint", lambda w: World((*w.resources, Resource('kubernetes:yaml/v2:ConfigFile', 'n', 'n', {})), w.manifests)),
    "kustomize": ("E1", "blueprint", lambda w: World((*w.resources, Resource('kubernetes:kustomize/v2:Directory', 'n', 'n', {})), w.manifests)),
}  # fmt: skip

HARMLESS: Rows = {
    "a policy for a pod that cannot be": ("E1", "blueprint", opened(select={"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, egress=[{}])),
    "ANP Pass": ("E1", "blueprint", applied({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy", "metadata": {"name": "x"}, "spec": {"egress": [{"action": "Pass"}]}})),
    "an image of one's own": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", imageId="ami-0123456789abcdef0")),
    "a policy endpoint of the controller's": ("E1", "blueprint", applied({"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "PolicyEndpoint", "metadata": {"name": "deny-all-x1", "namespace": SANDBOX, "ownerReferences": [{"kind": "NetworkPolicy", "name": "deny-all"}]}, "spec": {"egress": []}})),
    "egress null": ("E1", "blueprint", deny_all(lambda x: x["spec"].update(egress=None, policyTypes=["Egress", "Ingress"]))),
    "BANP Deny": ("E1", "blueprint", applied({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "default"}, "spec": {"egress": [{"action": "Deny"}]}})),
    "taint gone": ("E5", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", taints=[])),
    "extra untainted group in sandbox subnets": ("E5", "blueprint", lambda w: w.with_("eks/nodeGroup:NodeGroup", "x", "x", clusterName="sequester", subnetIds=[w.subnet("sandbox").id], labels={"sequester.dev/pool": "sandbox"})),
    "imds ipv6": ("E6", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", metadataOptions={**w.one("LaunchTemplate", "sequester-sandbox").properties["metadataOptions"], "httpProtocolIpv6": "enabled"})),
    "link local except both": ("E6", "blueprint", allow(block("169.254.0.0/16", "169.254.169.254/32", "169.254.170.23/32"))),
    "imds other port": ("E6", "blueprint", allow({"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}], "ports": [{"port": 443}]})),
    "eksctl component": ("E1", "blueprint", lambda w: World((*w.resources, Resource('eks:index:Cluster', 'n', '', {})), w.manifests)),
}  # fmt: skip
