"""The network: one that the blueprint makes, or one that is there already; and what goes in front of it."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from infra.settings.addresses import LARGEST_VPC_PREFIX, MOST_ZONES, SMALLEST_VPC_PREFIX, Plan, Tier, plan, read_off
from infra.settings.values import AvailabilityZone, Ipv4Cidr, Ipv6Cidr, ModelId, RoleArn, VpcCidr, prefixed

FEWEST_ZONES: Final = 2
"""EKS wants the control plane in two zones at least."""
_SMALLEST_EXISTING: Final = {Tier.SANDBOX: 25, Tier.SYSTEM: 26, Tier.ENDPOINT: 27, Tier.CONTROL: 28}
_IPV6_PREFIX: Final = 56

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html, from a month on.
RetentionDays = Literal[30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]

ServiceName = Literal[
    "ec2", "ecr.api", "ecr.dkr", "logs", "lambda", "eks-auth", "bedrock-runtime", "sts", "autoscaling", "eks"
]
"""Services with an interface endpoint: `infra.services` says what each is for."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _false_is_none(value: object) -> object:
    return None if value is False else value


class Ipv6Settings(_Frozen):
    """An IPv6 range for the VPC; without one there is no IPv6. Literal, so that a preview knows every subnet."""

    cidr: Ipv6Cidr
    """A /56 of the pool."""
    pool: Annotated[str, prefixed("ipam-pool")]
    """The IPAM pool that the range is taken from."""

    @model_validator(mode="after")
    def _a_56(self) -> "Ipv6Settings":
        if self.cidr.prefixlen != _IPV6_PREFIX:
            raise ValueError(f"cidr: {self.cidr} cannot be cut: use a /{_IPV6_PREFIX}")
        return self


class ExistingSubnet(_Frozen):
    """One subnet that is there already."""

    id: Annotated[str, prefixed("subnet")]
    cidr: Ipv4Cidr
    az: AvailabilityZone
    route_table: Annotated[str, prefixed("rtb")]
    """Its own: no other subnet may use it."""


class ExistingNetwork(_Frozen):
    """A VPC that is there already, as literals. What it contains is the owner's: see `infra.ownership`."""

    vpc: Annotated[str, prefixed("vpc")]
    subnets: Mapping[Tier, tuple[ExistingSubnet, ...]]

    @model_validator(mode="after")
    def _complete(self) -> "ExistingNetwork":
        for tier in Tier:
            zones = [subnet.az for subnet in self.subnets.get(tier, ())]
            if len(set(zones)) < FEWEST_ZONES or len(set(zones)) != len(zones):
                raise ValueError(
                    f"subnets.{tier}: {', '.join(zones) or 'none'} is not one subnet in each of {FEWEST_ZONES} zones or"
                    " more: list one for each zone"
                )
            for subnet in self.subnets[tier]:
                if subnet.cidr.prefixlen > _SMALLEST_EXISTING[tier]:
                    raise ValueError(
                        f"subnets.{tier}: {subnet.cidr} is too small for this tier: use"
                        f" /{_SMALLEST_EXISTING[tier]} or larger"
                    )
        every = [subnet for tier in Tier for subnet in self.subnets[tier]]
        for key, values in (("id", [s.id for s in every]), ("route_table", [s.route_table for s in every])):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice:
                raise ValueError(f"subnets: {twice} is named twice: give each subnet its own {key}")
        for index, one in enumerate(every):
            for other in every[index + 1 :]:
                if one.cidr.overlaps(other.cidr):
                    raise ValueError(f"subnets: {one.cidr} and {other.cidr} overlap: correct the one that is wrong")
        return self


class NetworkSettings(_Frozen):
    """`sequester:network`."""

    cidr: VpcCidr
    azs: tuple[AvailabilityZone, ...]
    """Append only: a zone's addresses are those of its place in the list."""
    ipv6: Annotated[Ipv6Settings | None, BeforeValidator(_false_is_none)] = None
    existing: ExistingNetwork | None = None
    block_public_access: bool = False
    """VPC Block Public Access for the whole account and region, not for this VPC alone: hence off by default."""
    endpoint_zones: Mapping[ServiceName, Literal["all", "one"]] = Field(
        default_factory=dict[ServiceName, Literal["all", "one"]]
    )
    """Availability per endpoint, which is most of the cost: `one` puts it in the first zone only. Default: all."""
    s3_ranges: tuple[Ipv4Cidr, ...] = ()
    """The region's S3 ranges (ip-ranges.json), to make the network ACLs exact; they cannot name a prefix list."""
    models: tuple[ModelId, ...] = ()
    """Bedrock models that agents may invoke; naming one adds the `bedrock-runtime` endpoint."""
    web_identity_roles: tuple[RoleArn, ...] = ()
    """Roles that pods assume by web identity (IRSA); naming one adds the `sts` endpoint."""
    log_retention_days: RetentionDays = 365

    @model_validator(mode="after")
    def _fits(self) -> "NetworkSettings":
        for range_ in self.s3_ranges:
            if not range_.is_global or range_.prefixlen < 8:
                raise ValueError(f"s3_ranges: {range_} is no range of S3: copy them from AWS's ip-ranges.json")
        if len(set(self.azs)) != len(self.azs):
            raise ValueError(f"azs: {', '.join(self.azs)} names a zone twice: name each once")
        if len(self.azs) < FEWEST_ZONES:
            raise ValueError(
                f"azs: {', '.join(self.azs) or 'none'} is too few: EKS wants {FEWEST_ZONES} zones or more, name another"
            )
        if len(self.azs) > MOST_ZONES:
            raise ValueError(f"azs: {len(self.azs)} zones are too many: name {MOST_ZONES} at most")
        if self.existing is None:
            self._can_be_cut()
        else:
            self._matches(self.existing)
        return self

    def _can_be_cut(self) -> None:
        if self.cidr.prefixlen > SMALLEST_VPC_PREFIX:
            raise ValueError(
                f"cidr: {self.cidr} is too small for {len(Tier)} tiers in {MOST_ZONES} zones: use"
                f" /{SMALLEST_VPC_PREFIX} or larger"
            )
        if self.cidr.prefixlen < LARGEST_VPC_PREFIX:
            raise ValueError(f"cidr: {self.cidr} is too large for a VPC: use /{LARGEST_VPC_PREFIX} or smaller")

    def _matches(self, existing: ExistingNetwork) -> None:
        if self.ipv6 is not None:
            raise ValueError("ipv6: a range cannot be added to an existing VPC here: leave ipv6 out")
        for tier, subnets in existing.subnets.items():
            zones = sorted(subnet.az for subnet in subnets)
            if zones != sorted(self.azs):
                raise ValueError(
                    f"existing.subnets.{tier}: {', '.join(zones)} are not the zones of azs ({', '.join(self.azs)}):"
                    " list one subnet for each"
                )
            for subnet in subnets:
                if not subnet.cidr.subnet_of(self.cidr):
                    raise ValueError(
                        f"existing.subnets.{tier}: {subnet.cidr} is outside of cidr ({self.cidr}): correct either"
                    )

    def plan(self) -> Plan:
        """The address plan: computed for a network of ours, read off for an existing one."""
        if self.existing is None:
            return plan(self.cidr, self.azs, self.ipv6.cidr if self.ipv6 else None)
        zones = {(tier, s.az): s.cidr for tier, subnets in self.existing.subnets.items() for s in subnets}
        return read_off(self.cidr, {(tier, zone): zones[tier, zone] for tier in Tier for zone in self.azs})
