"""The EKS cluster: reached from inside the VPC only, secrets encrypted, everything logged, nobody admin by accident."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.addons import AFTER_NODES, BEFORE_NODES, configuration
from infra.filters import Group
from infra.iam import Statement, document, trust
from infra.logs import KEY_DELETION_DAYS
from infra.names import Names
from infra.network import Ground
from infra.nodes import Nodes, NodesArgs
from infra.settings import Settings
from infra.settings.addresses import Tier
from infra.settings.cluster import Principal

_LOG_TYPES: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# What the cloud controller reads of nodes. EKS's service-linked role makes the network interfaces; AWS's managed policy
# for this role also creates load balancers, volumes and security group rules, none of which this cluster has.
_CONTROL_PLANE_READS: Final = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTopology",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
_ADMIN_POLICY: Final = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
_ROLE: Final = "control-plane"


def secrets_key_policy(names: Names) -> str:
    """Who may use the key that encrypts Kubernetes secrets: the control plane, and whom the account's IAM lets.

    https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html
    """
    return document(
        Statement(
            "AccountDecides",
            ("kms:*",),
            ("*",),
            principals={"AWS": (f"arn:aws:iam::{names.account}:root",)},
            wildcard="a key policy speaks of its own key only; without this the key cannot be administered",
        ),
        Statement(
            "ControlPlane",
            ("kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"),
            ("*",),
            principals={"AWS": (names.role_arn(_ROLE),)},
            wildcard="a key policy speaks of its own key only",
        ),
    )


@dataclass(frozen=True)
class ClusterArgs:
    """How `Cluster` is made. log_group: the control plane's, which must exist before EKS makes its own."""

    settings: Settings
    ground: Ground
    groups: Mapping[Group, aws.ec2.SecurityGroup]
    log_group: aws.cloudwatch.LogGroup


class Cluster(pulumi.ComponentResource):
    """Control plane, add-ons, nodes. `eks` is the cluster; `reachable` what must exist before objects are applied."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Cluster", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args = args
        self._names = Names.of(args.settings)
        self.eks = self._control_plane()
        before = [self._addon(addon, []) for addon in BEFORE_NODES]
        nodes = Nodes(
            name,
            NodesArgs(self._names, args.settings.cluster, args.ground, args.groups, self.eks, tuple(before)),
            self._own,
        )
        for addon in AFTER_NODES:
            self._addon(addon, list(nodes.groups.values()))
        self.reachable = [self._admin(arn) for arn in args.settings.cluster.admins]
        self.kubeconfig = pulumi.Output.all(self.eks.endpoint, self.eks.certificate_authority).apply(
            lambda known: kubeconfig(self._names, known[0], known[1]["data"])
        )
        self.register_outputs({"endpoint": self.eks.endpoint})

    def _control_plane(self) -> aws.eks.Cluster:
        args, names, title = self._args, self._names, self._names.cluster
        cluster, tags = args.settings.cluster, names.tags(title)
        role_name = names.role(_ROLE)
        role = aws.iam.Role(
            role_name,
            name=role_name,
            assume_role_policy=trust("eks.amazonaws.com", {"StringEquals": {"aws:SourceAccount": names.account}}),
            tags=names.tags(role_name),
            opts=self._own,
        )
        reads = Statement("Describe", _CONTROL_PLANE_READS, ("*",), wildcard="EC2's reads take no resource")
        rights = aws.iam.RolePolicy(role_name, name="own", role=role.name, policy=document(reads), opts=self._own)
        key = aws.kms.Key(
            f"{title}-secrets",
            description=f"Kubernetes secrets of {title}",
            policy=secrets_key_policy(names),
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            tags=names.tags(f"{title}-secrets"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),  # a key policy names roles that exist
        )
        return aws.eks.Cluster(
            title,
            name=title,
            version=cluster.version,
            role_arn=names.role_arn(_ROLE),
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            vpc_config={
                "subnet_ids": [subnet.id for subnet in args.ground.tier(Tier.CONTROL)],
                "security_group_ids": [args.groups[Group.CONTROL].id],
                "endpoint_private_access": True,
                "endpoint_public_access": False,
            },
            kubernetes_network_config={"ip_family": "ipv4", "service_ipv4_cidr": str(cluster.service_cidr)},
            encryption_config={"provider": {"key_arn": key.arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(_LOG_TYPES),
            bootstrap_self_managed_addons=False,  # EKS would start an unpinned CNI without policy
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role, rights, args.log_group]),
        )

    def _addon(self, addon: str, after: list[aws.eks.NodeGroup]) -> aws.eks.Addon:
        title = f"{self._names.name}-{addon}"
        return aws.eks.Addon(
            title,
            cluster_name=self.eks.name,
            addon_name=addon,
            addon_version=self._args.settings.cluster.addon(addon),
            configuration_values=configuration(addon, self._args.settings),
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",  # what was changed by hand is changed back
            tags=self._names.tags(title),
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _admin(self, arn: Principal) -> aws.eks.AccessPolicyAssociation:
        title = f"{self._names.name}-admin-{arn.partition(':iam::')[2].replace(':', '-').replace('/', '-')}"
        entry = aws.eks.AccessEntry(
            title,
            cluster_name=self.eks.name,
            principal_arn=arn,
            type="STANDARD",
            tags=self._names.tags(title),
            opts=self._own,
        )
        return aws.eks.AccessPolicyAssociation(
            title,
            cluster_name=self.eks.name,
            principal_arn=entry.principal_arn,
            policy_arn=_ADMIN_POLICY,
            access_scope={"type": "cluster"},
            opts=self._own,
        )


def kubeconfig(names: Names, endpoint: str, certificate_authority: str) -> str:
    """A kubeconfig for whoever has AWS credentials: `aws eks get-token` signs each session; nothing secret is in it."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": names.cluster,
                    "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority},
                }
            ],
            "users": [
                {
                    "name": names.cluster,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "aws",
                            "args": [
                                *("--region", names.region, "eks", "get-token", "--output", "json"),
                                *("--cluster-name", names.cluster),
                            ],
                        }
                    },
                }
            ],
            "contexts": [{"name": names.cluster, "context": {"cluster": names.cluster, "user": names.cluster}}],
            "current-context": names.cluster,
        }
    )
