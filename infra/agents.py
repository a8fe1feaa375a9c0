"""Identities for pods: each tenant's agent may open its own door, and nothing else on AWS (claims E4, E7)."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.autoscaler import ACCOUNT as AUTOSCALER
from infra.door import ALIAS
from infra.iam import Conditions, Statement, document, trust
from infra.labels import AGENT_ACCOUNT, agent_namespace
from infra.names import Names
from infra.settings import Settings
from infra.settings.addresses import Tier

_AUTOSCALER_NAMESPACE: Final = "kube-system"
_SCALING_READS: Final = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeScalingActivities",
    "autoscaling:DescribeTags",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:GetInstanceTypesFromInstanceRequirements",
)


def agent_role(tenant: str) -> str:
    """What `Names.role` calls a tenant's role."""
    return f"agent-{tenant}"


def agent_policy(settings: Settings, tenant: str) -> str:
    """Invoke the live version of the tenant's own door, from a system subnet, through an endpoint.

    Which endpoint is the door's own policy to say (`infra.door`): its id is made by AWS, and nothing here waits for an
    output. So credentials that leave the VPC are of no use, and neither are another network's with the same addresses.
    """
    names = Names.of(settings)
    from_inside: Conditions = {
        "IpAddress": {"aws:VpcSourceIp": [str(cidr) for cidr in settings.network.plan().cidrs(Tier.SYSTEM)]},
        "Null": {"aws:SourceVpc": "false"},
    }
    door = Statement(
        "OwnDoor", ("lambda:InvokeFunction",), (f"{names.door_arn(tenant)}:{ALIAS}",), conditions=from_inside
    )
    if not settings.network.models:
        return document(door)
    models = tuple(f"arn:aws:bedrock:{names.region}::foundation-model/{model}" for model in settings.network.models)
    actions = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
    return document(door, Statement("NamedModels", actions, models, conditions=from_inside))


def pod_trust(names: Names, namespace: str, account: str) -> str:
    """Assumed by EKS Pod Identity for one service account of our cluster: the session tags say for which.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    tags = {
        "eks-cluster-arn": names.cluster_arn,
        "kubernetes-namespace": namespace,
        "kubernetes-service-account": account,
    }
    conditions: Conditions = {"StringEquals": {f"aws:RequestTag/{key}": value for key, value in tags.items()}}
    return trust("pods.eks.amazonaws.com", conditions, tag_session=True)


def autoscaler_policy(names: Names) -> str:
    """Read about groups; change the size of this cluster's, which EKS tags with its name."""
    ours: Conditions = {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{names.cluster}": "owned"}}
    return document(
        Statement("Describe", _SCALING_READS, ("*",), wildcard="these reads take no resource"),
        Statement(
            "Scale",
            ("autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"),
            (names.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/eks-*"),),
            conditions=ours,
        ),
        Statement("NodeGroups", ("eks:DescribeNodegroup",), (names.arn("eks", f"nodegroup/{names.cluster}/*"),)),
    )


@dataclass(frozen=True)
class IdentitiesArgs:
    """How `Identities` is made."""

    settings: Settings
    cluster: aws.eks.Cluster


class Identities(pulumi.ComponentResource):
    """Roles and their Pod Identity associations: one a tenant, and one for the autoscaler where there is one."""

    def __init__(self, name: str, args: IdentitiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Identities", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args = args
        self._names = names = Names.of(args.settings)
        for tenant in sorted(args.settings.tenants):
            policy = agent_policy(args.settings, tenant)
            self._identity(agent_role(tenant), agent_namespace(tenant), AGENT_ACCOUNT, policy)
        if args.settings.cluster.autoscaling:
            self._identity(AUTOSCALER, _AUTOSCALER_NAMESPACE, AUTOSCALER, autoscaler_policy(names))
        self.register_outputs({})

    def _identity(self, what: str, namespace: str, account: str, policy: str) -> None:
        names, title = self._names, self._names.role(what)
        role = aws.iam.Role(
            title,
            name=title,
            assume_role_policy=pod_trust(names, namespace, account),
            tags=names.tags(title),
            opts=self._own,
        )
        own = aws.iam.RolePolicy(title, name="own", role=role.name, policy=policy, opts=self._own)
        aws.eks.PodIdentityAssociation(
            title,
            cluster_name=self._args.cluster.name,
            namespace=namespace,
            service_account=account,
            role_arn=names.role_arn(what),
            tags=names.tags(title),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role, own]),
        )
