"""A network without a way out, for a workload of your own: an endpoint for each AWS service that it may call."""

import pulumi

from pulumi_sequester import SealedNetwork, SealedNetworkArgs

config = pulumi.Config()
network = SealedNetwork(
    "agents",
    SealedNetworkArgs(
        account=config.require("account"),
        region="us-east-1",
        cidr=config.get("cidr") or "10.60.0.0/16",
        zones=["us-east-1a", "us-east-1b"],
        stack="agents",
        tenants=["research"],
        log_retention_days=config.get_int("retention") or 365,
    ),
)

pulumi.export("vpc", network.vpc)
pulumi.export("sandboxSubnets", network.sandbox_subnets)
pulumi.export("securityGroups", network.security_groups)
