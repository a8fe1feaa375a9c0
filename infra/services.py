"""The AWS services that the network lets its nodes call: why, who, at which address, and exactly what (claim E3).

Every policy names actions and our resources and wants caller and resource to be of this account. Where that cannot be,
the statement says why: these are the exceptions to review.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.iam import Conditions, Statement
from infra.names import Names
from infra.settings import Settings
from infra.settings.addresses import Tier

# EKS's registry of add-on images, by region; the rest use the first. Sources: awslabs/amazon-eks-ami, get-ecr-uri.sh;
# https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html.
_ADDON_REGISTRY: Final = "602401143452"
_ADDON_REGISTRIES: Final = {
    "af-south-1": "877085696533",
    "ap-east-1": "800184023465",
    "ap-south-2": "900889452093",
    "ap-southeast-3": "296578399912",
    "ap-southeast-4": "491585149902",
    "ap-southeast-5": "151610086707",
    "ap-southeast-6": "333609536671",
    "ap-southeast-7": "121268973566",
    "ca-west-1": "761377655185",
    "eu-central-2": "900612956339",
    "eu-south-1": "590381155156",
    "eu-south-2": "455263428931",
    "il-central-1": "066635153087",
    "me-central-1": "759879836304",
    "me-south-1": "558608220178",
    "mx-central-1": "730335286997",
}
_ADDON_REPOSITORIES: Final = ("eks/*", "amazon-k8s-cni", "amazon-k8s-cni-init", "amazon/aws-network-policy-agent")
_PULL: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")

AGENT_LOG_STREAMS: Final = "aws-network-policy-agent-audit-"
"""Prefix of the streams that network policy agents write in the cluster's log group; EKS prescribes it."""
CONTAINER_LOG_STREAMS: Final = "container-"
"""Prefix of the streams that the log shipper writes."""

_NODE_READS: Final = (
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcs",
)
_AUTOSCALER_READS: Final = (
    "ec2:DescribeImages",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:GetInstanceTypesFromInstanceRequirements",
)


@dataclass(frozen=True)
class Scope:
    """What a policy speaks about."""

    names: Names
    settings: Settings

    @property
    def ours(self) -> Conditions:
        """Caller and resource are of this account: neither stolen nor brought credentials reach another's."""
        account = self.names.account
        return {"StringEquals": {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}}

    @property
    def callers(self) -> Conditions:
        """The caller is of this account; the resource is AWS's, by name."""
        return {"StringEquals": {"aws:PrincipalAccount": self.names.account}}


@dataclass(frozen=True)
class Service:
    """One endpoint. `nodes`: whose nodes may call it. `host`: its address's number in each endpoint subnet.

    `hosts` are the names that lead to it. `event_source` is set where CloudTrail has network activity events of calls
    that its policy denies (AWS CloudTrail user guide, "Network activity events"); elsewhere nobody sees those.
    """

    name: str
    why: str
    nodes: frozenset[Tier]
    host: int
    hosts: Callable[[Names], tuple[str, ...]]
    statements: Callable[[Scope], tuple[Statement, ...]]
    wanted: Callable[[Settings], bool] = lambda _: True
    event_source: str | None = None
    pods: bool = False
    """Agents call it themselves."""

    @property
    def gateway(self) -> bool:
        """S3's: routes instead of addresses, free of charge."""
        return self.host == 0


def addon_registry(region: str) -> str:
    """The account whose ECR holds EKS's add-on images in a region."""
    return _ADDON_REGISTRIES.get(region, _ADDON_REGISTRY)


def layer_bucket(region: str) -> str:
    """Where ECR keeps image layers: https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html."""
    return f"prod-{region}-starport-layer-bucket"


def _host(pattern: str) -> Callable[[Names], tuple[str, ...]]:
    return lambda names: (pattern.format(region=names.region),)


def _statement(sid: str, actions: tuple[str, ...], resources: tuple[str, ...], conditions: Conditions,
               wildcard: str = "") -> Statement:  # fmt: skip
    """An Allow for every principal that the conditions let: endpoint policies know no other."""
    return Statement(sid, actions, resources, conditions=conditions, principals="*", wildcard=wildcard)


def _ec2(scope: Scope) -> tuple[Statement, ...]:
    reads = _NODE_READS + (_AUTOSCALER_READS if scope.settings.cluster.autoscaling else ())
    return (
        _statement("Describe", reads, ("*",), scope.ours, wildcard="EC2's reads take no resource"),
        _statement(
            "PodAddresses",
            ("ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
            (scope.names.arn("ec2", "network-interface/*"),),
            scope.ours,
        ),
    )


def _ecr(scope: Scope) -> tuple[Statement, ...]:
    names = scope.names
    registry = addon_registry(names.region)
    return (
        _statement("Login", ("ecr:GetAuthorizationToken",), ("*",), scope.ours, wildcard="it takes no resource"),
        _statement("PullOurs", _PULL, (names.arn("ecr", f"repository/{names.repositories}/*"),), scope.ours),
        # An exception: the resource is EKS's own. Reading tells it nothing but which public image was read.
        _statement(
            "PullAddons",
            _PULL,
            tuple(f"arn:aws:ecr:{names.region}:{registry}:repository/{name}" for name in _ADDON_REPOSITORIES),
            {"StringEquals": {"aws:PrincipalAccount": names.account, "aws:ResourceAccount": registry}},
        ),
    )


def _s3(scope: Scope) -> tuple[Statement, ...]:
    # An exception: ECR presigns the address, so the caller is ECR's and no condition on callers can bind.
    bucket = f"arn:aws:s3:::{layer_bucket(scope.names.region)}/*"
    return (_statement("ImageLayers", ("s3:GetObject",), (bucket,), {}, wildcard="anyone may, but only read layers"),)


def _eks_auth(scope: Scope) -> tuple[Statement, ...]:
    return (_statement("PodIdentity", ("eks-auth:AssumeRoleForPodIdentity",), (scope.names.cluster_arn,), scope.ours),)


def _logs(scope: Scope) -> tuple[Statement, ...]:
    names = scope.names
    streams = (
        f"{names.log_group_arn(names.cluster_log_group)}:log-stream:{AGENT_LOG_STREAMS}*",
        f"{names.log_group_arn(names.container_log_group)}:log-stream:{CONTAINER_LOG_STREAMS}*",
    )
    return (
        _statement("OwnStreams", ("logs:CreateLogStream", "logs:PutLogEvents"), streams, scope.ours),
        _statement("FindGroup", ("logs:DescribeLogGroups",), (names.arn("logs", "log-group:*"),), scope.ours),
    )


def _lambda(scope: Scope) -> tuple[Statement, ...]:
    doors = [scope.names.door_arn(tenant) for tenant in sorted(scope.settings.tenants)]
    if not doors:
        return (
            Statement(
                "NoDoor", ("lambda:*",), ("*",), effect="Deny", principals="*", wildcard="without tenants nobody calls"
            ),
        )
    resources = tuple(arn for door in doors for arn in (door, f"{door}:*"))
    return (_statement("InvokeDoors", ("lambda:InvokeFunction",), resources, scope.ours),)


def _bedrock(scope: Scope) -> tuple[Statement, ...]:
    models = tuple(
        f"arn:aws:bedrock:{scope.names.region}::foundation-model/{model}" for model in scope.settings.network.models
    )
    # An exception: foundation models are AWS's; those named are all that can be reached.
    actions = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
    return (_statement("NamedModels", actions, models, scope.callers),)


def _sts(scope: Scope) -> tuple[Statement, ...]:
    # An exception: who comes with a web identity has no account yet. The roles are ours, by name.
    roles = scope.settings.network.web_identity_roles
    return (_statement("WebIdentity", ("sts:AssumeRoleWithWebIdentity",), roles, {},
                       wildcard="a web identity has no account; the roles' own trust policies decide"),)  # fmt: skip


def _autoscaling(scope: Scope) -> tuple[Statement, ...]:
    groups = scope.names.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/eks-*")
    reads = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
    )
    return (
        _statement("Describe", reads, ("*",), scope.ours, wildcard="Auto Scaling's reads take no resource"),
        _statement(
            "Scale",
            ("autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"),
            (groups,),
            scope.ours,
        ),
    )


def _eks(scope: Scope) -> tuple[Statement, ...]:
    groups = scope.names.arn("eks", f"nodegroup/{scope.names.cluster}/*")
    return (_statement("NodeGroups", ("eks:DescribeNodegroup",), (groups,), scope.ours),)


_ALL_NODES: Final = frozenset({Tier.SANDBOX, Tier.SYSTEM})
_SYSTEM_NODES: Final = frozenset({Tier.SYSTEM})

SERVICES: Final = (
    Service(
        "ec2", "nodes read about themselves; the CNI gives pods addresses", _ALL_NODES, 16,
        _host("ec2.{region}.amazonaws.com"), _ec2, event_source="ec2.amazonaws.com",
    ),
    Service(
        "ecr.api", "nodes log in to the registry", _ALL_NODES, 17,
        _host("api.ecr.{region}.amazonaws.com"), _ecr,
    ),
    Service(
        "ecr.dkr", "nodes pull images", _ALL_NODES, 18,
        lambda n: (n.registry, f"{addon_registry(n.region)}.dkr.ecr.{n.region}.amazonaws.com"), _ecr,
    ),
    Service(
        "logs", "policy agents and the log shipper write", _ALL_NODES, 19,
        _host("logs.{region}.amazonaws.com"), _logs,
    ),
    Service(
        "s3", "nodes pull image layers, which ECR keeps in S3", _ALL_NODES, 0,
        lambda n: (f"{layer_bucket(n.region)}.s3.{n.region}.amazonaws.com",), _s3, event_source="s3.amazonaws.com",
    ),
    Service(
        "lambda", "agents open the door", _SYSTEM_NODES, 24,
        _host("lambda.{region}.amazonaws.com"), _lambda, event_source="lambda.amazonaws.com", pods=True,
    ),
    Service(
        "eks-auth", "agents get their tenant's identity", _SYSTEM_NODES, 25,
        _host("eks-auth.{region}.api.aws"), _eks_auth,
    ),
    Service(
        "bedrock-runtime", "agents ask the models that are named", _SYSTEM_NODES, 26,
        _host("bedrock-runtime.{region}.amazonaws.com"), _bedrock,
        wanted=lambda s: bool(s.network.models), event_source="bedrock.amazonaws.com", pods=True,
    ),
    Service(
        "sts", "pods assume roles by web identity (IRSA)", _SYSTEM_NODES, 27,
        _host("sts.{region}.amazonaws.com"), _sts,
        wanted=lambda s: bool(s.network.web_identity_roles),
    ),
    Service(
        "autoscaling", "the cluster autoscaler sets how many nodes there are", _SYSTEM_NODES, 28,
        _host("autoscaling.{region}.amazonaws.com"), _autoscaling,
        wanted=lambda s: s.cluster.autoscaling is not None,
    ),
    Service(
        "eks", "the cluster autoscaler reads about node groups", _SYSTEM_NODES, 29,
        _host("eks.{region}.amazonaws.com"), _eks,
        wanted=lambda s: s.cluster.autoscaling is not None,
    ),
)  # fmt: skip
"""Host numbers 16 to 23 are for what sandbox nodes may call, 24 to 31 for system nodes only: filters go by them."""


def services(settings: Settings) -> tuple[Service, ...]:
    """Those that a stack with these settings has."""
    return tuple(service for service in SERVICES if service.wanted(settings))
