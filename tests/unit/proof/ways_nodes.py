"""What nodes start from, which interfaces they have, and what the network plugin on them is told (E1, E2, E5, E6)."""

import json
from collections.abc import Callable
from typing import Any

from proof_world import World
from ways_edits import ANY4, SANDBOX, Change, Rows, addon, may, nat, policy

INTERFACE = "ec2/networkInterface:NetworkInterface"
OPEN = [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]


def outside(w: World) -> World:
    """An interface with a public address in a public subnet, in a group that lets everything out."""
    w = nat(w).with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=OPEN, ingress=[])
    w = w.with_(INTERFACE, "eni2", "eni-2", subnetId="subnet-public", securityGroups=["sg-open"])
    return w.with_("ec2/eip:Eip", "eip", "eipalloc-1", networkInterface="eni-2")


def box(w: World, **more: object) -> World:
    """An instance in a sandbox's subnet that is as shut as a sandbox node."""
    template = w.one("LaunchTemplate", "sequester-sandbox").properties
    given = {
        "subnetId": w.subnet("sandbox").id,
        "vpcSecurityGroupIds": [w.group("sandbox-node")],
        "userDataBase64": template["userData"],
        "metadataOptions": template["metadataOptions"],
        **more,
    }
    return w.with_("ec2/instance:Instance", "box", "i-box", **given)


def template(w: World, *interfaces: dict[str, Any], **more: object) -> World:
    """The sandbox nodes' launch template with further interfaces."""
    mine = list(w.one("LaunchTemplate", "sequester-sandbox").properties["networkInterfaces"])  # type: ignore[call-overload]
    return w.set("LaunchTemplate", "sequester-sandbox", networkInterfaces=[*mine, *interfaces], **more)


def plugin(change: Callable[[dict[str, Any]], object]) -> Change:
    def edit(w: World) -> World:
        values = json.loads(w.one("Addon", "sequester-vpc-cni").properties["configurationValues"])  # type: ignore[arg-type]
        change(values)
        return w.set("Addon", "sequester-vpc-cni", configurationValues=json.dumps(values))

    return edit


def daemon(arguments: list[str], **env: str) -> dict[str, Any]:
    """aws-node, as a manifest or a live API server has it."""
    containers = [
        {"name": "aws-node", "image": "x", "env": [{"name": key, "value": value} for key, value in env.items()]},
        {"name": "aws-eks-nodeagent", "image": "x", "args": arguments},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"hostNetwork": True, "containers": containers}}},
    }


def running(arguments: list[str], **env: str) -> Change:
    return lambda w: w.apply(daemon(arguments, **env))


def controller(flag: str) -> Change:
    """The ConfigMap by which the control plane's policy controller is turned on and off."""
    meta = {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    data = {"enable-network-policy-controller": flag}
    return lambda w: w.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


def above(kind: str, version: str, **spec: object) -> Change:
    """A policy above network policies."""
    return lambda w: w.apply({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec})


def aggregated(w: World) -> World:
    """An aggregated API whose service is a name outside."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "default"}}
    return w.apply(
        {**service, "spec": {"type": "ExternalName", "externalName": "collector.example"}},
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1.x.example"},
            "spec": {"group": "x.example", "version": "v1", "service": {"namespace": "default", "name": "x"}},
        },
    )


def hook(service: dict[str, str]) -> Change:
    webhook = {"name": "x.y.example", "clientConfig": {"service": service}, "rules": []}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return lambda w: w.apply({**kind, "metadata": {"name": "w"}, "webhooks": [webhook]})


def tagged_subnet(w: World, value: str = "1") -> World:
    """A subnet that leads to a transit gateway, tagged for pods."""
    w = w.with_(
        "ec2/subnet:Subnet",
        "pods",
        "subnet-pods",
        vpcId=w.vpc.id,
        cidrBlock="10.42.252.0/24",
        tags={"kubernetes.io/role/cni": value},
    )
    w = w.with_(
        "ec2/routeTable:RouteTable", "pods", "rtb-pods", vpcId=w.vpc.id, routes=[{**ANY4, "transitGatewayId": "tgw-1"}]
    )
    w = w.with_(
        "ec2/routeTableAssociation:RouteTableAssociation", "pods", subnetId="subnet-pods", routeTableId="rtb-pods"
    )
    allow = {"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}
    return w.with_(
        "ec2/networkAcl:NetworkAcl",
        "pods",
        "acl-pods",
        vpcId=w.vpc.id,
        subnetIds=["subnet-pods"],
        egress=[allow],
        ingress=[allow],
    )


ENFORCED = ["--enable-network-policy=true", "--enable-ipv6=false"]
STRICT = {"NETWORK_POLICY_ENFORCING_MODE": "strict", "DISABLE_POD_V6": "true"}
EGRESS = [{"action": "Accept", "to": [{"networks": ["0.0.0.0/0"]}]}]
ADMIN = ("ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2")
ELSEWHERE = {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
EVERYWHERE = {"namespaces": {}}

FURTHER: Rows = {
    "a template's interface in a public subnet": ("E1", "by_routes", lambda w: template(nat(w), {"deviceIndex": 1, "subnetId": "subnet-public", "securityGroups": [w.group("sandbox-node")], "associatePublicIpAddress": "true"})),
    "a template's interface that is there already": ("E1", "by_routes", lambda w: template(outside(w), {"deviceIndex": 1, "networkInterfaceId": "eni-2"})),
    "an interface attached by itself": ("E1", "by_routes", lambda w: box(outside(w)).set("NetworkInterface", "eni2", attachments=[{"instance": "i-box", "deviceIndex": 1}])),
    "an interface attached apart": ("E1", "by_routes", lambda w: box(outside(w)).with_("ec2/networkInterfaceAttachment:NetworkInterfaceAttachment", "a", instanceId="i-box", networkInterfaceId="eni-2", deviceIndex=1)),
    "an instance's second interface": ("E1", "by_routes", lambda w: box(outside(w), networkInterfaces=[{"networkInterfaceId": "eni-2", "deviceIndex": 1}])),
    "a template's second interface, with the default group": ("E1", "by_groups", lambda w: template(w.set("DefaultSecurityGroup", "sequester", egress=[*OPEN, {"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}]), {"deviceIndex": 1})),
    "pods in a subnet that the plugin finds by its tag": ("E1", "by_routes", tagged_subnet),
    "pods with a group that the plugin finds by its tag": ("E1", "by_groups", lambda w: tagged_subnet(w).with_("ec2/securityGroup:SecurityGroup", "pods", "sg-pods", vpcId=w.vpc.id, egress=OPEN, tags={"kubernetes.io/role/cni": "1"})),
    "a mixed group's template": ("E1", "by_routes", lambda w: nat(w).with_("ec2/launchTemplate:LaunchTemplate", "lt", "lt-9", networkInterfaces=[{"deviceIndex": 0, "subnetId": "subnet-public", "securityGroups": [w.group("sandbox-node")], "associatePublicIpAddress": "true"}]).with_("autoscaling/group:Group", "g", "asg-1", vpcZoneIdentifiers=[w.subnet("sandbox").id], mixedInstancesPolicy={"launchTemplate": {"launchTemplateSpecification": {"launchTemplateId": "lt-9"}}})),
    "pods' interfaces of another name": ("E1", "blueprint", lambda w: addon(w, "AWS_VPC_K8S_CNI_VETHPREFIX", "veth")),
    **{
        f"policies that nothing enforces, {how} ({claim})": (claim, "blueprint", edit)
        for claim in ("E1", "E2", "E5", "E6")
        for how, edit in (
            ("by the add-on", plugin(lambda v: v.update(enableNetworkPolicy="false"))),
            ("by the node agent", plugin(lambda v: v["nodeAgent"].update(enabled=False))),
            ("by the DaemonSet", running(["--enable-network-policy=false"], **STRICT)),
            ("by the ConfigMap", controller("false")),
        )
    },
    "a DaemonSet that is not strict": ("E5", "blueprint", running(ENFORCED, DISABLE_POD_V6="true")),
    "an aggregated API outside": ("E5", "blueprint", aggregated),
    "a webhook's service outside": ("E5", "blueprint", lambda w: hook({"namespace": "default", "name": "x"})(aggregated(w))),
    **{
        f"a node may {action}": ("E4", "blueprint", may(action))
        for action in ("events:PutEvents", "states:InvokeHTTPEndpoint", "ssm:PutParameter", "vpc-lattice-svcs:Invoke", "execute-api:Invoke", "oam:CreateLink", "rolesanywhere:CreateSession", "ec2-instance-connect:OpenTunnel", "eks:UpdateAddon", "route53:ChangeResourceRecordSets", "ecr:BatchImportUpstreamImage")
    },
}  # fmt: skip

UNDECIDED: Rows = {
    "a template's default version is older": ("E1", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", latestVersion=3, defaultVersion=1).set("NodeGroup", "sequester-sandbox", launchTemplate={"id": w.id("LaunchTemplate", "sequester-sandbox"), "version": "$Default"})),
    "a template that is not in the facts (E6)": ("E6", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", launchTemplate={"id": "lt-elsewhere", "version": "1"})),
    "a secondary network": ("E1", "blueprint", lambda w: template(w, secondaryInterfaces=[{"deviceIndex": 1, "secondarySubnetId": "ss-1"}])),
    "an instance on a secondary network": ("E1", "blueprint", lambda w: box(w, secondaryNetworkInterfaces=[{"secondarySubnetId": "ss-1"}])),
    "a template's interface that is not in the facts": ("E1", "blueprint", lambda w: template(w, {"deviceIndex": 1, "networkInterfaceId": "eni-elsewhere"})),
    "an interface of an instance that is not in the facts": ("E1", "by_routes", lambda w: outside(w).set("NetworkInterface", "eni2", attachments=[{"instance": "i-elsewhere", "deviceIndex": 1}])),
    "overrides with templates of their own": ("E1", "blueprint", lambda w: w.with_("autoscaling/group:Group", "g", "asg-1", vpcZoneIdentifiers=[w.subnet("sandbox").id], mixedInstancesPolicy={"launchTemplate": {"launchTemplateSpecification": {"launchTemplateId": w.id("LaunchTemplate", "sequester-sandbox")}, "overrides": [{"launchTemplateSpecification": {"launchTemplateId": "lt-x"}}]}})),
    "several interfaces for a pod": ("E1", "blueprint", lambda w: addon(w, "ENABLE_MULTI_NIC", "true")),
    "custom networking": ("E1", "blueprint", lambda w: addon(w, "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")),
    "IPv6 egress beside IPv4": ("E1", "blueprint", lambda w: addon(w, "ENABLE_V6_EGRESS", "true")),
    "ENIConfigs by the add-on": ("E1", "blueprint", plugin(lambda v: v.update(eniConfig={"create": True, "subnets": {"a": {"id": "subnet-1"}}}))),
    "a setting that nobody reviewed": ("E1", "blueprint", lambda w: addon(w, "SOMETHING_NEW", "true")),
    "a value that nobody reviewed": ("E5", "blueprint", plugin(lambda v: v.update(extraVolumes=[{"name": "x"}]))),
    "a DaemonSet that leaves pods IPv6": ("E1", "blueprint", running(ENFORCED, NETWORK_POLICY_ENFORCING_MODE="strict")),
    "a DaemonSet that renames interfaces": ("E1", "blueprint", running(ENFORCED, AWS_VPC_K8S_CNI_VETHPREFIX="veth", **STRICT)),
    "an admin policy for every namespace": ("E1", "by_routes", above(*ADMIN, tier="Admin", subject=EVERYWHERE, egress=EGRESS)),
    "an admin policy for pods of a sandbox": ("E1", "by_routes", above(*ADMIN, tier="Admin", subject={"pods": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SANDBOX}}, "podSelector": {}}}, egress=EGRESS)),
    "an admin policy by names": ("E2", "blueprint", above("ClusterNetworkPolicy", "networking.k8s.aws/v1alpha1", tier="Admin", subject=EVERYWHERE, egress=[{"action": "Accept", "to": [{"domainNames": ["*.example.com"]}]}])),
}  # fmt: skip

# Types that hold data, names, people's rights or settings of the account.
SETTINGS = (
    "accessanalyzer/analyzer:Analyzer", "acm/certificate:Certificate", "budgets/budget:Budget", "cfg/recorder:Recorder",
    "ebs/encryptionByDefault:EncryptionByDefault", "ebs/volume:Volume", "ec2/placementGroup:PlacementGroup",
    "ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter", "ec2transitgateway/route:Route",
    "ec2transitgateway/routeTable:RouteTable", "iam/openIdConnectProvider:OpenIdConnectProvider", "route53/zone:Zone",
    "iam/accountPasswordPolicy:AccountPasswordPolicy", "iam/group:Group", "iam/serviceLinkedRole:ServiceLinkedRole",
    "iam/user:User", "iam/userPolicyAttachment:UserPolicyAttachment",
    "s3/accountPublicAccessBlock:AccountPublicAccessBlock", "securityhub/account:Account", "wafv2/webAcl:WebAcl",
)  # fmt: skip

HARMLESS: Rows = {
    "a subnet that the plugin is told not to look for": ("E1", "by_routes", lambda w: addon(tagged_subnet(w), "ENABLE_SUBNET_DISCOVERY", "false")),
    "a subnet that its tag keeps from pods": ("E1", "by_routes", lambda w: tagged_subnet(w, "0")),
    "a subnet for pods that is as shut": ("E1", "blueprint", lambda w: w.set("Subnet", w.subnet("control").name, tags={"kubernetes.io/role/cni": "1"})),
    "a template's second interface, with a shut default group": ("E1", "by_groups", lambda w: template(w, {"deviceIndex": 1})),
    **{f"{kind} ({claim})": (claim, "blueprint", (lambda w, kind=kind: w.with_(kind, "more"))) for kind in SETTINGS for claim in ("E1", "E4")},
    "a bare interface in a sandbox's subnet": ("E1", "blueprint", lambda w: w.with_(INTERFACE, "bare", "eni-9", subnetId=w.subnet("sandbox").id, securityGroups=[w.group("sandbox-node")])),
    "an instance as shut as a node": ("E1", "blueprint", box),
    "a public interface that no sandbox has": ("E1", "by_groups", outside),
    "a template's further interface, shut": ("E1", "blueprint", lambda w: template(w, {"deviceIndex": 1, "subnetId": w.subnet("sandbox").id, "securityGroups": [w.group("sandbox-node")]})),
    "addresses kept warm, and logs": ("E1", "blueprint", lambda w: addon(addon(w, "WARM_IP_TARGET", "5"), "AWS_VPC_K8S_CNI_LOGLEVEL", "DEBUG")),
    "what is off stays off": ("E1", "blueprint", lambda w: addon(w, "ENABLE_MULTI_NIC", "false")),
    "the plugin's resources and tolerations": ("E5", "blueprint", plugin(lambda v: v.update(resources={"limits": {"cpu": "1"}}, tolerations=[{"operator": "Exists"}]))),
    **{f"a DaemonSet that says the same ({claim})": (claim, "blueprint", running(ENFORCED, **STRICT)) for claim in ("E1", "E2", "E5", "E6")},
    "the policy controller is on": ("E1", "blueprint", controller("true")),
    "another ConfigMap": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "amazon-vpc-cni", "namespace": "default"}, "data": {"enable-network-policy-controller": "false"}})),
    "an admin policy that passes on": ("E1", "by_routes", above(*ADMIN, tier="Admin", subject=EVERYWHERE, egress=[{"action": "Pass", "to": [{"networks": ["0.0.0.0/0"]}]}])),
    "an admin policy for another namespace": ("E1", "by_routes", above(*ADMIN, tier="Admin", subject=ELSEWHERE, egress=EGRESS)),
    "an admin policy for what comes in": ("E1", "by_routes", above(*ADMIN, tier="Admin", subject=EVERYWHERE, ingress=[{"action": "Accept", "from": [{"namespaces": {}}]}])),
    "a baseline policy that allows": ("E1", "by_routes", above(*ADMIN, tier="Baseline", subject=EVERYWHERE, egress=EGRESS)),
    "an older baseline policy that allows": ("E1", "by_routes", above("BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1", subject=EVERYWHERE, egress=[{"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}]}])),
    "a webhook in the cluster": ("E5", "blueprint", hook({"namespace": "kube-system", "name": "x"})),
    "a second policy that denies": ("E1", "blueprint", lambda w: w.apply(policy("again", types=("Ingress", "Egress")))),
}  # fmt: skip
