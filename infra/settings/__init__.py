"""All settings, read once and checked before any resource is made.

>>> parse({"account": "123456789012", "region": "us-east-1", "network": {"cidr": "10.42.0.0/16", "azs": [...]}})

Whatever is wrong is reported together, a line each: `sequester:network.cidr: 10.42.0.0/29 is too small ...: use ...`.
"""

import json
from collections.abc import Mapping
from typing import Literal

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.settings.cluster import ClusterSettings
from infra.settings.door import DoorSettings
from infra.settings.errors import SettingsError, explain
from infra.settings.network import NetworkSettings
from infra.settings.tenants import TenantName, TenantSettings
from infra.settings.tripwires import TripwireSettings
from infra.settings.values import AccountId, Region, StackName
from infra.settings.viewer import ViewerSettings

__all__ = ["Settings", "SettingsError", "load", "parse"]


class Settings(BaseModel):
    """Everything that a stack can be told. `region` is `aws:region`; the rest are keys of `sequester:`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StackName = "sequester"
    """What the names of all resources begin with: two stacks of one account and region need two."""
    account: AccountId
    region: Region
    network: NetworkSettings
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)
    tenants: Mapping[TenantName, TenantSettings] = Field(default_factory=dict[str, TenantSettings])
    door: DoorSettings = Field(default_factory=DoorSettings)
    tripwires: TripwireSettings = Field(default_factory=TripwireSettings)
    viewer: ViewerSettings | None = None
    """Where people look at what agents made; there is none unless it is named here."""
    kubernetes: Literal["apply", "render"] = "apply"
    """`render` writes Kubernetes objects to a directory of YAML, for GitOps, instead of applying them."""
    tags: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Put on every AWS resource, beside the blueprint's own."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        for zone in self.network.azs:
            if zone[:-1] != self.region:
                raise ValueError(f"network.azs: {zone} is not in {self.region}: name zones of aws:region")
        if self.network.cidr.overlaps(self.cluster.service_cidr):
            raise ValueError(
                f"cluster.service_cidr: {self.cluster.service_cidr} overlaps network.cidr ({self.network.cidr}):"
                " use another, such as 172.20.0.0/16"
            )
        for arn in self.network.web_identity_roles:
            if arn.split(":")[4] != self.account:
                raise ValueError(f"network.web_identity_roles: {arn} is not of account {self.account}: name our roles")
        ours = f":role/{self.name}-"
        for arn in self.viewer.writers if self.viewer else ():
            if arn.split(":")[4] != self.account or ours in arn:
                raise ValueError(f"viewer.writers: {arn} is not a role of yours in account {self.account}: name one")
        for key in self.tags:
            if key.lower().startswith(("aws:", "sequester:")):
                raise ValueError(f"tags: {key} begins with a reserved prefix: choose another key")
        return self


def parse(given: Mapping[str, object]) -> Settings:
    """Settings from plain values. Raises SettingsError with a line for each mistake."""
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError(explain(error, Settings)) from None


def load() -> Settings:
    """The settings of the Pulumi stack that is running: `sequester:*` and `aws:region`. Raises SettingsError."""
    # `pulumi.Config` reads a key that one knows; a misspelt one is found only by looking at all of them.
    every = {*get_config_env(), *CONFIG.get()}
    config = pulumi.Config("sequester")
    keys = sorted(key.partition(":")[2] for key in every if key.startswith("sequester:"))
    given: dict[str, object] = {key: _plain(config.get(key)) for key in keys}
    region = pulumi.Config("aws").get("region")
    if "region" in given:
        raise SettingsError(["sequester:region: is not a key here: set aws:region"])
    return parse(given | ({"region": region} if region else {}))


def _plain(text: str | None) -> object:
    """Pulumi gives a structured value as JSON, and a scalar as it was written."""
    if text is None or text[:1] not in ("{", "[", '"'):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
