"""Waiting sandboxes of a tenant: a Deployment, each of whose pods is claimed once, serves once, and is replaced."""

from typing import cast

from infra.admission import GVISOR_RUNTIME_CLASS
from infra.manifests import Manifest
from infra.settings.cluster import ClusterSettings
from infra.settings.quantities import amount
from infra.settings.tenants import TenantSettings
from sequester.sandbox import pods


def warm_pool(tenant: str, settings: TenantSettings, cluster: ClusterSettings) -> list[Manifest]:
    """As many as `warm_pool` says, each of the tenant's sandbox size; nothing for 0."""
    if not settings.warm_pool or settings.image is None:
        return []
    pod = pods.PodSettings(
        tenant=tenant,
        image=settings.image,
        cpu=settings.sandbox.cpu,
        runtime_class=GVISOR_RUNTIME_CLASS if cluster.gvisor else "",
    )
    limits = pods.limits_of(int(amount(settings.sandbox.memory)), int(amount(settings.sandbox.disk)))
    made = pods.warm_pool(pod, limits, settings.warm_pool)
    metadata = cast(pods.Object, made["metadata"])
    # The first `up` makes the repository that the image is pushed to: it must not wait for pods that run it.
    return [cast(Manifest, {**made, "metadata": {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}})]
