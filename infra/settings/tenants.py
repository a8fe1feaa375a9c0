"""A tenant: how big one sandbox is, how much all of them may use, and what its door lets through."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from infra.settings.door import AllowRule, Budget, Credential, OneHost, SecretName
from infra.settings.images import ImageDigest
from infra.settings.quantities import Bytes, Cores, amount, times

# `<tenant>-sandbox` must be a DNS label of at most 63 characters; a role name with the stack's name at most 64.
_LONGEST_TENANT = 32
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
# Their namespaces would be, or look like, those of the cluster, of AWS or of the blueprint itself.
_RESERVED_PREFIXES = ("kube", "aws", "amazon", "eks", "sequester", "default")


def _tenant_name(name: str) -> str:
    if len(name) > _LONGEST_TENANT:
        raise ValueError(f"{name!r} is too long for a tenant: use at most {_LONGEST_TENANT} characters")
    if not _TENANT.match(name):
        raise ValueError(f"{name!r} is no DNS label: use lower-case letters, digits and inner dashes")
    if name.startswith(_RESERVED_PREFIXES):
        raise ValueError(
            f"{name!r} begins like a system namespace ({', '.join(_RESERVED_PREFIXES)}): choose another name"
        )
    return name


TenantName = Annotated[str, AfterValidator(_tenant_name)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# The supervisor takes 48Mi, an interpreter 32Mi; /dev/shm 16Mi, and as much again is left for files.
_LEAST = {"memory": "80Mi", "disk": "32Mi"}


class SandboxSize(_Frozen):
    """What one sandbox may use."""

    cpu: Cores = "1"
    memory: Bytes = "1Gi"
    disk: Bytes = "1Gi"

    @model_validator(mode="after")
    def _supervised(self) -> "SandboxSize":
        for key, least in _LEAST.items():
            if amount(getattr(self, key)) < amount(least):
                raise ValueError(f"{key}: {getattr(self, key)} is too little for code and its supervisor: use {least}")
        return self


class Quota(_Frozen):
    """What all sandboxes of the tenant may use together; an amount that is not given is `sandboxes` times one."""

    sandboxes: int = Field(default=10, ge=1, le=1000)
    cpu: Cores | None = None
    memory: Bytes | None = None
    disk: Bytes | None = None


class TenantSettings(_Frozen):
    """One tenant, as `sequester:tenants` has it under the tenant's name."""

    sandbox: SandboxSize = SandboxSize()
    quota: Quota = Quota()
    warm_pool: int = Field(default=0, ge=0, le=100)
    """Sandboxes that wait, already started, for code."""
    image: ImageDigest | None = None
    """What the warm pool runs: `<registry>/<name>/sandbox@sha256:...`."""
    allow: tuple[AllowRule, ...] = ()
    budget: Budget = Budget()
    credentials: Mapping[OneHost, Credential] = Field(default_factory=dict[str, Credential])
    canaries: SecretName | None = None
    """Name of a secret that holds {id: canary}: values planted among the tenant's data, which must not leave."""

    @model_validator(mode="after")
    def _one_fits(self) -> "TenantSettings":
        for key, (have, need) in self.shares().items():
            if amount(have) < amount(need):
                raise ValueError(
                    f"quota.{key}: {have} is less than one sandbox needs ({need}): raise it, or lower sandbox.{key}"
                )
        if self.warm_pool > self.quota.sandboxes:
            raise ValueError(
                f"warm_pool: {self.warm_pool} is more than quota.sandboxes ({self.quota.sandboxes}): lower it"
            )
        if self.warm_pool and self.image is None:
            raise ValueError("warm_pool: waiting sandboxes need an image: set image to <registry>/...@sha256:...")
        return self

    def shares(self) -> dict[str, tuple[str, str]]:
        """For cpu, memory and disk: (what all sandboxes may use together, what one may use)."""
        quota, one = self.quota, self.sandbox
        return {
            key: (together or times(single, quota.sandboxes), single)
            for key, together, single in (
                ("cpu", quota.cpu, one.cpu),
                ("memory", quota.memory, one.memory),
                ("disk", quota.disk, one.disk),
            )
        }
