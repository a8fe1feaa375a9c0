"""The two node groups: `system` for CoreDNS and agents, `sandbox` for untrusted code (claims E1, E6).

A sandbox node has its own role, security group, subnets, taint and user data; nothing but sandboxes is placed on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.filters import Group
from infra.labels import POOL_LABEL, SANDBOX_TAINT
from infra.names import Names
from infra.network import Ground
from infra.noderoles import POOLS, Pool, make_node_role, node_role
from infra.settings.addresses import Tier
from infra.settings.cluster import ClusterSettings, NodeGroupSettings
from infra.userdata import encode, mime, node_config, sandbox_script, system_script
from sequester.sandbox.seccomp import oci_profile

# AL2023's root device.
_ROOT_DEVICE: Final = "/dev/xvda"
_MAX_UNAVAILABLE_PERCENT: Final = 33


@dataclass(frozen=True)
class NodesArgs:
    """How `Nodes` is made. before: what must hold before a node joins, such as the CNI in strict mode."""

    names: Names
    settings: ClusterSettings
    ground: Ground
    groups: Mapping[Group, aws.ec2.SecurityGroup]
    cluster: aws.eks.Cluster
    before: tuple[pulumi.Resource, ...]


class Nodes(pulumi.ComponentResource):
    """Managed node groups. `groups` are by pool."""

    def __init__(self, name: str, args: NodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Nodes", name, None, opts)
        self._args = args
        self.groups = {pool: self._group(pool) for pool in POOLS}
        self.register_outputs({})

    def _group(self, pool: Pool) -> aws.eks.NodeGroup:
        args, own = self._args, pulumi.ResourceOptions(parent=self)
        names, title = args.names, f"{args.names.name}-{pool}"
        size = _size(args.settings, pool)
        role = make_node_role(names, pool, own)
        template = self._template(title, pool, size, own)
        return aws.eks.NodeGroup(
            title,
            cluster_name=args.cluster.name,
            node_group_name=title,
            node_role_arn=names.role_arn(node_role(pool)),
            subnet_ids=[subnet.id for subnet in args.ground.tier(Tier(pool))],
            ami_type=size.ami_type,
            version=args.settings.version,
            release_version=args.settings.ami_release,
            instance_types=[size.instance],
            scaling_config={"min_size": size.min, "max_size": size.max, "desired_size": size.min},
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            labels={POOL_LABEL: pool},
            taints=[{"key": SANDBOX_TAINT, "value": "true", "effect": "NO_SCHEDULE"}] if pool == "sandbox" else None,
            update_config={"max_unavailable_percentage": _MAX_UNAVAILABLE_PERCENT},
            node_repair_config={"enabled": True},
            tags=names.tags(title),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[role, *args.before],
                # The autoscaler's to change.
                ignore_changes=["scalingConfig.desiredSize"] if args.settings.autoscaling else None,
            ),
        )

    def _template(
        self, title: str, pool: Pool, size: NodeGroupSettings, own: pulumi.ResourceOptions
    ) -> aws.ec2.LaunchTemplate:
        args = self._args
        script = sandbox_script(oci_profile("node")) if pool == "sandbox" else system_script()
        group = args.groups[Group.SANDBOX_NODE if pool == "sandbox" else Group.SYSTEM_NODE]
        tags = args.names.tags(title)
        return aws.ec2.LaunchTemplate(
            title,
            name=title,
            update_default_version=True,
            user_data=encode(mime(script, node_config(args.settings.processes_per_pod))),
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,  # an answer dies on the way to a pod
                "http_protocol_ipv6": "disabled",
                "instance_metadata_tags": "disabled",
            },
            network_interfaces=[
                {
                    "device_index": 0,
                    "associate_public_ip_address": "false",
                    "delete_on_termination": "true",
                    "security_groups": [group.id],
                }
            ],
            block_device_mappings=[
                {
                    "device_name": _ROOT_DEVICE,
                    "ebs": {
                        "volume_size": size.disk_gib,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[
                {"resource_type": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
            ],
            tags=tags,
            opts=own,
        )


def _size(settings: ClusterSettings, pool: Pool) -> NodeGroupSettings:
    return settings.sandbox if pool == "sandbox" else settings.system
