"""Tenants on a cluster that is there already: namespaces, policies, quotas, rights and admission (E4, E5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pulumi

from infra.labels import agent_namespace, sandbox_namespace
from infra.names import Names
from infra.netpol import Reach
from infra.settings import SettingsError
from infra.workloads import Site, Workloads, WorkloadsArgs
from pulumi_sequester.given import given, settings


@dataclass
class SandboxTenantsArgs:
    """How `SandboxTenants` is made. The cluster must have a CNI that enforces NetworkPolicy."""

    account: pulumi.Input[str]
    """The account's 12 digits."""
    region: pulumi.Input[str]
    """Such as us-east-1."""
    kubeconfig: pulumi.Input[str]
    """Of somebody who may administer the cluster; may be an output, and should be a secret."""
    kubernetes_version: pulumi.Input[str]
    """Such as 1.35: the Pod Security Standard is pinned to it."""
    api_service: pulumi.Input[str]
    """Address of the service `kubernetes`: the first of the service range."""
    control_plane: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Ranges in which the API server's interfaces lie."""
    resolver: pulumi.Input[str]
    """Address of the VPC's resolver: the range's second."""
    endpoints: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Addresses of the Lambda endpoint."""
    endpoint_subnets: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Ranges in which all endpoints lie."""
    repositories: pulumi.Input[str]
    """`<registry>/<prefix>`, below which the images `sandbox` and `agent` lie."""
    tenants: pulumi.Input[Mapping[str, Any]]
    """By name, as `sequester:tenants` has them."""
    stack: pulumi.Input[str] | None = None
    """What names begin with."""
    gvisor: pulumi.Input[bool] | None = None
    """Sandboxes run under the RuntimeClass `gvisor`."""


class SandboxTenants(pulumi.ComponentResource):
    """Two namespaces a tenant, and everything that holds them."""

    sandbox_namespaces: pulumi.Output[dict[str, str]]
    """The namespace of each tenant's sandboxes, by tenant."""
    agent_namespaces: pulumi.Output[dict[str, str]]
    """The namespace of each tenant's agents, by tenant."""

    def __init__(self, name: str, args: SandboxTenantsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:SandboxTenants", name, {}, opts)
        told = given(args, "kubeconfig")
        version = str(told["kubernetes_version"])
        cluster = {"version": version, "gvisor": told.get("gvisor", False)}
        if version != "1.35":  # the add-on is not deployed here, but its pin must fit
            cluster["addons"] = {"kube-proxy": f"v{version}.0-eksbuild.1"}
        chosen = settings(told, cluster=cluster, tenants=told["tenants"])
        names = Names.of(chosen)
        site = Site(
            region=chosen.region,
            cluster=names.cluster,
            repositories=str(told["repositories"]),
            container_log_group=names.container_log_group,
            reach=_reach(told),
        )
        Workloads(
            name,
            WorkloadsArgs(site, chosen.cluster, chosen.tenants, "apply", told["kubeconfig"], None),
            pulumi.ResourceOptions(parent=self),
        )
        self.sandbox_namespaces = pulumi.Output.from_input({t: sandbox_namespace(t) for t in chosen.tenants})
        self.agent_namespaces = pulumi.Output.from_input({t: agent_namespace(t) for t in chosen.tenants})
        self.register_outputs({"sandboxNamespaces": self.sandbox_namespaces, "agentNamespaces": self.agent_namespaces})


def _reach(told: dict[str, Any]) -> Reach:
    def read(key: str, kind: type[IPv4Address | IPv4Network], value: object) -> Any:
        try:
            return kind(str(value))
        except ValueError as error:
            raise SettingsError([f"{key}: {value} will not do ({error}): write it as in 10.42.0.0/16"]) from None

    return Reach(
        api_service=read("api_service", IPv4Address, told["api_service"]),
        control_plane=tuple(read("control_plane", IPv4Network, one) for one in told["control_plane"]),
        resolver=read("resolver", IPv4Address, told["resolver"]),
        agent_endpoints=tuple(read("endpoints", IPv4Address, one) for one in told["endpoints"]),
        endpoint_subnets=tuple(read("endpoint_subnets", IPv4Network, one) for one in told["endpoint_subnets"]),
    )
