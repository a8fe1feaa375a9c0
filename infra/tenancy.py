"""A tenant's two namespaces: who may run in them, how much, and under which pod security standard (claims E4, E5)."""

from infra.labels import (
    AGENT_ACCOUNT,
    ROLE_LABEL,
    SANDBOX_ACCOUNT,
    TENANT_LABEL,
    agent_namespace,
    sandbox_namespace,
)
from infra.manifests import Json, Manifest, manifest
from infra.settings.tenants import TenantSettings

# What a sandbox namespace may never hold: the quota says so to everyone, even where admission is misconfigured.
_NONE_OF = (
    "count/secrets",
    "count/services",
    "count/persistentvolumeclaims",
    "count/ingresses.networking.k8s.io",
    "count/cronjobs.batch",
    "count/statefulsets.apps",
)
# Kubernetes itself publishes its CA (`kube-root-ca.crt`) into every namespace; nothing else belongs there.
_CONFIG_MAPS = 1
# A claim that comes second is charged before it is refused, until the quota is counted anew.
_LEASES_PER_SANDBOX = 20


def namespaces(tenant: str, kubernetes_version: str) -> list[Manifest]:
    """Both namespaces, under the `restricted` standard as it was in the cluster's own version."""
    return [
        manifest(
            "v1",
            "Namespace",
            name,
            labels={TENANT_LABEL: tenant, ROLE_LABEL: role, **_restricted(kubernetes_version)},
        )
        for name, role in ((agent_namespace(tenant), "agent"), (sandbox_namespace(tenant), "sandbox"))
    ]


def accounts(tenant: str) -> list[Manifest]:
    """The only two identities. The sandbox's exists so that no pod runs as `default`; it never gets a token."""
    return [
        manifest(
            "v1", "ServiceAccount", AGENT_ACCOUNT,
            namespace=agent_namespace(tenant), automountServiceAccountToken=True,
        ),
        manifest(
            "v1", "ServiceAccount", SANDBOX_ACCOUNT,
            namespace=sandbox_namespace(tenant), automountServiceAccountToken=False,
        ),
    ]  # fmt: skip


def quotas(tenant: str, settings: TenantSettings) -> list[Manifest]:
    """What all sandboxes of the tenant may use together, and what one may use. Processes are bounded by the node."""
    names = {"cpu": "cpu", "memory": "memory", "disk": "ephemeral-storage"}
    shares = {names[key]: share for key, share in settings.shares().items()}
    count = str(settings.quota.sandboxes)
    hard: dict[str, Json] = {
        "pods": count,
        **{f"{side}.{name}": together for side in ("requests", "limits") for name, (together, _) in shares.items()},
        "count/jobs.batch": count,
        "count/leases.coordination.k8s.io": str(_LEASES_PER_SANDBOX * settings.quota.sandboxes),
        "count/configmaps": str(_CONFIG_MAPS),
        **dict.fromkeys(_NONE_OF, "0"),
    }
    one: dict[str, Json] = {name: single for name, (_, single) in shares.items()}
    return [
        manifest("v1", "ResourceQuota", "sandboxes", namespace=sandbox_namespace(tenant), spec={"hard": hard}),
        manifest(
            "v1",
            "LimitRange",
            "one-sandbox",
            namespace=sandbox_namespace(tenant),
            spec={
                "limits": [
                    {"type": "Pod", "max": one},
                    {"type": "Container", "default": one, "defaultRequest": one, "max": one},
                ]
            },
        ),
    ]


def _restricted(kubernetes_version: str) -> dict[str, str]:
    modes = ("enforce", "audit", "warn")
    return {
        **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes},
        **{f"pod-security.kubernetes.io/{mode}-version": f"v{kubernetes_version}" for mode in modes},
    }
