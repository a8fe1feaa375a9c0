"""Reads the deployed cluster back from AWS and checks it against the design, as `controls` does for the network."""

import base64
import email
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from infra.admission import SECCOMP_PROFILE
from infra.agents import agent_role
from infra.door import ALIAS
from infra.labels import POOL_LABEL, SANDBOX_TAINT, agent_namespace
from infra.noderoles import POOLS, node_role
from infra.rbac import RESPONDER_GROUP
from infra.settings import Settings
from infra.settings.addresses import Tier
from infra.userdata import POD_RULES
from sequester.readback.control import Control, Finding, Mistakes, judge
from sequester.readback.observe import Client, Layout

# What would let root on a node open a way of its own: make, attach or regroup interfaces, become someone else.
FORBIDDEN_TO_NODES: Final = (
    "ec2:AttachNetworkInterface",
    "ec2:AuthorizeSecurityGroup",
    "ec2:CreateNetworkInterface",
    "ec2:ModifyInstance",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:RunInstances",
    "iam:",
    "lambda:",
    "logs:CreateLogGroup",
    "logs:Delete",
    "sts:",
)
_LOGS: Final = frozenset({"api", "audit", "authenticator", "controllerManager", "scheduler"})


@dataclass(frozen=True)
class PoolSeen:
    """One node group, with its launch template's data as EC2 has it. groups: names of its security groups."""

    group: Mapping[str, Any]
    template: Mapping[str, Any]
    tiers: frozenset[Tier | None]
    groups: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of its user data."""
        message = email.message_from_bytes(base64.b64decode(self.template.get("UserData", "")))
        return tuple(str(part.get_payload()) for part in message.walk() if not part.is_multipart())


@dataclass(frozen=True)
class ClusterSeen:
    """The cluster and what belongs to it, as AWS tells. statements: by role, of all its inline policies."""

    cluster: Mapping[str, Any]
    pools: Mapping[str, PoolSeen]
    addons: Mapping[str, Mapping[str, Any]]
    statements: Mapping[str, Sequence[Mapping[str, Any]]]
    managed_policies: Mapping[str, Sequence[str]]
    trusts: Mapping[str, Sequence[Mapping[str, Any]]]
    identities: Sequence[Mapping[str, Any]]
    access: Mapping[str, Sequence[str]]
    """Access entries: who, and which Kubernetes groups and access policies it has."""
    repositories: Sequence[Mapping[str, Any]]
    layout: Layout
    settings: Settings


def observe_cluster(client: Client, settings: Settings) -> ClusterSeen:
    """Everything by describe calls; nothing is taken from the program's word."""
    layout = Layout.of(settings)
    names, eks, iam = layout.names, client("eks"), client("iam")
    here = {"clusterName": names.cluster}
    roles = [names.role(node_role(pool)) for pool in POOLS]
    roles += [names.role(agent_role(tenant)) for tenant in settings.tenants]
    identities = [
        eks.describe_pod_identity_association(**here, associationId=item["associationId"])["association"]
        for item in eks.list_pod_identity_associations(**here)["associations"]
    ]
    return ClusterSeen(
        cluster=eks.describe_cluster(name=names.cluster)["cluster"],
        pools={
            name: _pool(client, layout, eks.describe_nodegroup(**here, nodegroupName=name)["nodegroup"])
            for name in eks.list_nodegroups(**here)["nodegroups"]
        },
        addons={
            name: eks.describe_addon(**here, addonName=name)["addon"] for name in eks.list_addons(**here)["addons"]
        },
        statements={role: tuple(_statements(iam, role)) for role in roles},
        managed_policies={
            role: [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]]
            for role in roles
        },
        trusts={
            role: _listed(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"])
            for role in roles
        },
        identities=identities,
        access={arn: _access(eks, here, arn) for arn in eks.list_access_entries(**here)["accessEntries"]},
        repositories=client("ecr").describe_repositories()["repositories"],
        layout=layout,
        settings=settings,
    )


def _access(eks: Any, here: Mapping[str, str], arn: str) -> list[str]:
    entry = eks.describe_access_entry(**here, principalArn=arn)["accessEntry"]
    policies = eks.list_associated_access_policies(**here, principalArn=arn).get("associatedAccessPolicies", [])
    return [*entry.get("kubernetesGroups", []), *(policy["policyArn"] for policy in policies)]


def _pool(client: Client, layout: Layout, group: Mapping[str, Any]) -> PoolSeen:
    ec2 = client("ec2")
    template = ec2.describe_launch_template_versions(
        LaunchTemplateId=group["launchTemplate"]["id"], Versions=[str(group["launchTemplate"]["version"])]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    subnets = ec2.describe_subnets(SubnetIds=group["subnets"])["Subnets"]
    ids = [g for interface in template.get("NetworkInterfaces", []) for g in interface.get("Groups", [])]
    ids += template.get("SecurityGroupIds", [])
    found: list[Any] = ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"] if ids else []
    tiers = frozenset(layout.tier(subnet["CidrBlock"]) for subnet in subnets)
    return PoolSeen(group, template, tiers, tuple(g["GroupName"] for g in found))


def _statements(iam: Any, role: str) -> Iterator[Mapping[str, Any]]:
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        yield from _listed(document["Statement"])


def _listed(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]


def check_cluster(seen: ClusterSeen) -> list[Finding]:
    """Every way in which the cluster is not as designed; empty if it is."""
    return judge(CLUSTER_CONTROLS, seen)


def _private(seen: ClusterSeen) -> Mistakes:
    network = seen.cluster["resourcesVpcConfig"]
    if network["endpointPublicAccess"]:
        yield seen.cluster["name"], "its API server has a public endpoint"
    if not network["endpointPrivateAccess"]:
        yield seen.cluster["name"], "its API server has no private endpoint"


def _encrypted(seen: ClusterSeen) -> Mistakes:
    configs: list[Any] = seen.cluster.get("encryptionConfig") or []
    if not any("secrets" in config["resources"] for config in configs):
        yield seen.cluster["name"], "secrets are not encrypted by a key of ours"


def _logged(seen: ClusterSeen) -> Mistakes:
    logging = seen.cluster.get("logging", {}).get("clusterLogging", [])
    on = {kind for entry in logging if entry["enabled"] for kind in entry["types"]}
    for kind in sorted(_LOGS - on):
        yield seen.cluster["name"], f"the control plane's {kind} log is off"


def _admins(seen: ClusterSeen) -> Mistakes:
    access: Mapping[str, Any] = seen.cluster.get("accessConfig") or {}
    if access.get("authenticationMode") != "API":
        yield seen.cluster["name"], "the aws-auth ConfigMap can still grant access"
    if access.get("bootstrapClusterCreatorAdminPermissions"):
        yield seen.cluster["name"], "whoever created it is admin for ever"
    responder = seen.layout.names.role_arn("responder-inside")
    for arn in sorted(set(seen.access) - set(seen.settings.cluster.admins) - {responder}):
        yield arn, "has an access entry that no setting names"
    for right in sorted(set(seen.access.get(responder, ())) - {RESPONDER_GROUP}):
        yield responder, f"has {right} on the cluster, beside what quarantine needs"


def _pools_of(seen: ClusterSeen) -> Iterator[tuple[str, str, PoolSeen]]:
    for name, pool in seen.pools.items():
        yield name, str(pool.group.get("labels", {}).get(POOL_LABEL, "")), pool


def _placed(seen: ClusterSeen) -> Mistakes:
    names = seen.layout.names
    for name, label, pool in _pools_of(seen):
        if label not in POOLS:
            yield name, f"is labelled as no pool of ours ({label or 'no label'})"
            continue
        if pool.tiers != frozenset[Tier | None]({Tier(label)}):
            yield name, "is in subnets of another tier"
        if pool.groups != (f"{names.name}-{label}-node",):
            yield name, f"has other security groups: {', '.join(pool.groups) or 'none'}"
        if pool.group["nodeRole"] != names.role_arn(node_role("sandbox" if label == "sandbox" else "system")):
            yield name, f"has another role: {pool.group['nodeRole']}"


def _tainted(seen: ClusterSeen) -> Mistakes:
    wanted = {"key": SANDBOX_TAINT, "value": "true", "effect": "NO_SCHEDULE"}
    for name, label, pool in _pools_of(seen):
        if label == "sandbox" and wanted not in (pool.group.get("taints") or []):
            yield name, "has no taint: any pod may be placed beside sandboxes"


def _metadata(seen: ClusterSeen) -> Mistakes:
    for name, pool in seen.pools.items():
        options = pool.template.get("MetadataOptions", {})
        if options.get("HttpTokens") != "required":
            yield name, "instance metadata answers without a token"
        if int(options.get("HttpPutResponseHopLimit", 2)) != 1:
            yield name, "instance metadata answers beyond the node itself"
        if options.get("HttpProtocolIpv6", "disabled") != "disabled":
            yield name, "instance metadata answers over IPv6"


def _machines(seen: ClusterSeen) -> Mistakes:
    for name, pool in seen.pools.items():
        data = pool.template
        if data.get("KeyName"):
            yield name, "has an SSH key"
        disks: list[Any] = data.get("BlockDeviceMappings") or [{}]
        if not all(disk.get("Ebs", {}).get("Encrypted") for disk in disks):
            yield name, "has a disk that is not encrypted"
        interfaces: list[Any] = data.get("NetworkInterfaces") or [{"AssociatePublicIpAddress": True}]
        if any(interface.get("AssociatePublicIpAddress", True) for interface in interfaces):
            yield name, "does not refuse a public address"


def _user_data(seen: ClusterSeen) -> Mistakes:
    for name, label, pool in _pools_of(seen):
        if label != "sandbox":
            continue
        script = pool.parts[0] if pool.parts else ""
        if POD_RULES not in script or "systemctl enable --now sequester-pods.service" not in script:
            yield name, "does not drop what pods send to the node"
        if SECCOMP_PROFILE not in script:
            yield name, "does not bring the seccomp profile"
        if "systemctl poweroff" not in script:
            yield name, "joins although its user data failed"


def _cni(seen: ClusterSeen) -> Mistakes:
    values = json.loads(seen.addons.get("vpc-cni", {}).get("configurationValues") or "{}")
    env, agent = values.get("env", {}), values.get("nodeAgent", {})
    for wrong, said in (
        (values.get("enableNetworkPolicy") != "true", "network policy is off"),
        (env.get("NETWORK_POLICY_ENFORCING_MODE") != "strict", "a new pod has a network before it has a policy"),
        (env.get("DISABLE_POD_V6") != "true", "pods have IPv6, which the policy agent's IPv4 program passes"),
        (agent.get("enablePolicyEventLogs") != "true", "denied packets are not logged"),
        (agent.get("enableCloudWatchLogs") != "true", "denied packets are not shipped"),
        (env.get("MAX_ENI") != "1", "nodes need a right to attach interfaces"),
    ):
        if wrong:
            yield "vpc-cni", said


def _names(seen: ClusterSeen) -> Mistakes:
    corefile = json.loads(seen.addons.get("coredns", {}).get("configurationValues") or "{}").get("corefile", "")
    if "rcode NXDOMAIN" not in corefile:
        yield "coredns", "answers names that are on no list"
    if "forward . /etc/resolv.conf" in corefile:
        yield "coredns", "asks whatever the node asks"


def _pinned(seen: ClusterSeen) -> Mistakes:
    for name in ("vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent"):
        have = seen.addons.get(name, {}).get("addonVersion")
        if have != seen.settings.cluster.addon(name):
            yield name, f"is not at the pinned version ({have or 'not there'})"


def _node_rights(seen: ClusterSeen) -> Mistakes:
    for pool in POOLS:
        role = seen.layout.names.role(node_role(pool))
        for arn in seen.managed_policies[role]:
            yield role, f"has a policy that AWS may widen: {arn}"
        forbidden = (*FORBIDDEN_TO_NODES, *(("eks-auth:",) if pool == "sandbox" else ()))
        for action in _allowed(seen.statements[role]):
            if action == "*" or action.startswith(forbidden) or action.endswith("*"):
                yield role, f"may {action}"


def _node_logs(seen: ClusterSeen) -> Mistakes:
    for pool in POOLS:
        role = seen.layout.names.role(node_role(pool))
        for statement in seen.statements[role]:
            if "logs:PutLogEvents" in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    if not resource.partition(":log-stream:")[2].rstrip("*"):
                        yield role, f"may write to any stream of {resource}: it could forge audit records"


def _agents(seen: ClusterSeen) -> Mistakes:
    names = seen.layout.names
    for tenant in seen.settings.tenants:
        role = names.role(agent_role(tenant))
        for statement in seen.statements[role]:
            if statement["Effect"] != "Allow":
                continue
            conditions = statement.get("Condition", {})
            if "aws:VpcSourceIp" not in conditions.get("IpAddress", {}) or "Null" not in conditions:
                yield role, "may be used from outside of the VPC"
            for resource in _listed(statement["Resource"]):
                if ":lambda:" in resource and resource != f"{names.door_arn(tenant)}:{ALIAS}":
                    yield role, f"may invoke {resource}, which is not its own door"
        spaces = {
            value
            for statement in seen.trusts[role]
            for value in [
                statement.get("Condition", {}).get("StringEquals", {}).get("aws:RequestTag/kubernetes-namespace")
            ]
        }
        if spaces != {agent_namespace(tenant)}:
            yield role, "is for other namespaces than the tenant's agent"


def _identities(seen: ClusterSeen) -> Mistakes:
    for item in seen.identities:
        if str(item["namespace"]).endswith("-sandbox"):
            yield str(item["associationId"]), f"gives {item['namespace']} an identity"
    for tenant in seen.settings.tenants:
        arn = seen.layout.names.role_arn(agent_role(tenant))
        found = [(i["namespace"], i["serviceAccount"]) for i in seen.identities if i["roleArn"] == arn]
        if found != [(agent_namespace(tenant), "agent")]:
            yield arn, f"is given to {found or 'nobody'}"


def _registry(seen: ClusterSeen) -> Mistakes:
    for repository in seen.repositories:
        name = str(repository["repositoryName"])
        if repository["imageTagMutability"] != "IMMUTABLE":
            yield name, "lets tags be moved"
        if not repository["imageScanningConfiguration"]["scanOnPush"]:
            yield name, "does not scan images"


def _allowed(statements: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for statement in statements:
        if statement["Effect"] == "Allow":
            yield from _listed(statement["Action"])


CLUSTER_CONTROLS: Final = (
    Control("api-private", "the API server is reached from inside the VPC only", "E1", _private),
    Control("secrets-encrypted", "Kubernetes secrets are encrypted by a key of the stack", "E4", _encrypted),
    Control("control-plane-logged", "every log of the control plane is on", "E8", _logged),
    Control("admins-named", "only named roles administer the cluster", "E4", _admins),
    Control("pools-apart", "each pool has its own subnets, security group and role", "E1", _placed),
    Control("sandbox-taint", "nothing but sandboxes is placed on sandbox nodes", "E5", _tainted),
    Control("metadata-shut", "instance metadata is out of reach of pods", "E6", _metadata),
    Control("machines-shut", "nodes have no key, no public address and encrypted disks", "E1", _machines),
    Control("node-drops", "sandbox nodes drop what pods send, and do not join without", "E1", _user_data),
    Control("policy-strict", "network policy holds from a pod's first packet, and is logged", "E1", _cni),
    Control("pod-names-listed", "pods resolve listed names only", "E2", _names),
    Control("addons-pinned", "add-ons are at pinned versions", "E5", _pinned),
    Control("node-rights", "root on a node cannot change the network or become someone", "E4", _node_rights),
    Control("node-logs", "a node writes to its own log streams only", "E8", _node_logs),
    Control("agent-rights", "an agent opens its own door only, from inside only", "E7", _agents),
    Control("identities", "agents have an identity, sandboxes have none", "E4", _identities),
    Control("registry-fixed", "what a digest names in the registry is what was scanned", "E5", _registry),
)
