"""Two tenants on a cluster that is there already: namespaces, deny-all policies, quotas, rights, admission."""

import pulumi

from pulumi_sequester import SandboxTenants, SandboxTenantsArgs

config = pulumi.Config()
account = config.require("account")
names = (config.get("tenants") or "research,support").split(",")
tenants = SandboxTenants(
    "tenants",
    SandboxTenantsArgs(
        account=account,
        region="us-east-1",
        kubeconfig=config.require_secret("kubeconfig"),
        kubernetes_version="1.35",
        api_service="172.20.0.1",
        control_plane=["10.60.200.0/28", "10.60.200.16/28"],
        resolver="10.60.0.2",
        endpoints=["10.60.192.24", "10.60.196.24"],
        endpoint_subnets=["10.60.192.0/22", "10.60.196.0/22"],
        repositories=f"{account}.dkr.ecr.us-east-1.amazonaws.com/agents",
        tenants={name: {"quota": {"sandboxes": 5}} for name in names},
    ),
)

pulumi.export("sandboxNamespaces", tenants.sandbox_namespaces)
