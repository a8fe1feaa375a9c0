"""The labels, taints and names by which nodes, namespaces, policies and roles know one another."""

TENANT_LABEL = "sequester.dev/tenant"
ROLE_LABEL = "sequester.dev/role"
POOL_LABEL = "sequester.dev/pool"
QUARANTINE_LABEL = "sequester.dev/quarantine"
SANDBOX_TAINT = "sequester.dev/sandbox"

AGENT_ACCOUNT = "agent"
SANDBOX_ACCOUNT = "sandbox"


def agent_namespace(tenant: str) -> str:
    return f"{tenant}-agent"


def sandbox_namespace(tenant: str) -> str:
    return f"{tenant}-sandbox"


def agent_user(tenant: str) -> str:
    """The name under which the API server knows the tenant's agent."""
    return f"system:serviceaccount:{agent_namespace(tenant)}:{AGENT_ACCOUNT}"
