"""What nodes may call on AWS: one role a group, since a node's role is what root on that node has (claim E4).

A node joins with less than AWS's own managed policies give: those let it change any security group's membership
(`ec2:ModifyNetworkInterfaceAttribute`), which is a way out for whoever broke out of a container.
"""

from typing import Final, Literal

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document, trust
from infra.names import Names
from infra.services import AGENT_LOG_STREAMS, CONTAINER_LOG_STREAMS, addon_registry

Pool = Literal["sandbox", "system"]
POOLS: Final[tuple[Pool, ...]] = ("sandbox", "system")

# kubelet, nodeadm and the CNI read about instances, subnets, groups and interfaces; EC2's reads take no resource.
_READS: Final = (
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcs",
)
_PULL: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def node_role(pool: Pool) -> str:
    """What `Names.role` calls a pool's role."""
    return f"{pool}-node"


def node_policy(names: Names, pool: Pool) -> str:
    """What a pool's nodes need to join and run, and nothing else. Only where agents run are identities handed out."""
    stack = {"StringEquals": {"aws:ResourceTag/sequester:stack": names.name}}
    base = (
        Statement("Describe", _READS, ("*",), wildcard="EC2's reads take no resource"),
        Statement(
            "PodAddresses",
            ("ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
            (names.arn("ec2", "network-interface/*"),),
            conditions=stack,  # the launch template tags the interfaces of our nodes
        ),
        Statement("Login", ("ecr:GetAuthorizationToken",), ("*",), wildcard="it takes no resource"),
        Statement("PullOurs", _PULL, (names.arn("ecr", f"repository/{names.repositories}/*"),)),
        Statement("PullAddons", _PULL, (f"arn:aws:ecr:{names.region}:{addon_registry(names.region)}:repository/*",)),
        # The cluster's group holds the API server's audit log too: without the prefix a node could forge it.
        Statement(
            "OwnStreams",
            ("logs:CreateLogStream", "logs:PutLogEvents"),
            (
                f"{names.log_group_arn(names.cluster_log_group)}:log-stream:{AGENT_LOG_STREAMS}*",
                f"{names.log_group_arn(names.container_log_group)}:log-stream:{CONTAINER_LOG_STREAMS}*",
            ),
        ),
        Statement("FindGroup", ("logs:DescribeLogGroups",), (names.arn("logs", "log-group:*"),)),
    )
    if pool == "sandbox":
        return document(*base)
    identities = Statement("PodIdentity", ("eks-auth:AssumeRoleForPodIdentity",), (names.cluster_arn,))
    return document(*base, identities)


def make_node_role(names: Names, pool: Pool, opts: pulumi.ResourceOptions) -> aws.iam.RolePolicy:
    """A pool's role; what is returned is made when the role is complete."""
    title = names.role(node_role(pool))
    role = aws.iam.Role(
        title,
        name=title,
        assume_role_policy=trust("ec2.amazonaws.com"),
        tags=names.tags(title),
        opts=opts,
    )
    return aws.iam.RolePolicy(title, name="own", role=role.name, policy=node_policy(names, pool), opts=opts)
