"""The cluster: its version, its two node groups, its add-ons, and who administers it."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from infra.settings.images import ImageDigest
from infra.settings.values import Ipv4Cidr

# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html, standard or extended support, 2026-11.
OFFERED_VERSIONS: Final = ("1.32", "1.33", "1.34", "1.35", "1.36")

# From here on the agent of the VPC CNI knows ClusterNetworkPolicy.
_ADMIN_TIER_CNI: Final = (1, 21, 1)

# `aws eks describe-addon-versions --kubernetes-version <v>` lists what EKS has for yours (a first-deploy check).
DEFAULT_ADDONS: Final = {
    "vpc-cni": "v1.21.1-eksbuild.8",
    "coredns": "v1.14.2-eksbuild.4",
    "kube-proxy": "v1.35.3-eksbuild.5",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
}

# From here on the EKS AMI has `nft`, which loads the nodes' rules: https://github.com/awslabs/amazon-eks-ami/pull/2547
_FIRST_AMI_WITH_NFT: Final = "20251210"

# https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
_SERVICE_RANGES: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))

_INSTANCE = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\Z")
_GRAVITON = re.compile(r"(?:a1|[a-z]+\d+g)")
_BEFORE_NITRO = frozenset({"c3", "c4", "d2", "g3", "i2", "m3", "m4", "p2", "p3", "r3", "r4", "t2", "x1"})
_ADDON_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)-eksbuild\.\d+\Z")
_RELEASE = re.compile(r"\d+\.\d+\.\d+-\d{8}\Z")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(?:role|user)/[\w+=,.@/-]+\Z")


def _offered(version: str) -> str:
    if version not in OFFERED_VERSIONS:
        raise ValueError(f"{version!r} is not offered by EKS (2026-11): use one of {', '.join(OFFERED_VERSIONS)}")
    return version


def _nitro(instance: str) -> str:
    if not _INSTANCE.match(instance):
        raise ValueError(f"{instance!r} is no instance type: write it as m7i.large")
    if instance[:2] in _BEFORE_NITRO:
        raise ValueError(
            f"{instance!r} is not a Nitro instance, and prefix delegation needs one: use m7i.large or later"
        )
    return instance


def _addon_version(version: str) -> str:
    if not _ADDON_VERSION.match(version):
        raise ValueError(f"{version!r} is no pinned add-on version: write it as v1.21.1-eksbuild.1")
    return version


def _release(version: str) -> str:
    if not _RELEASE.match(version):
        raise ValueError(f"{version!r} is no AMI release: write it as 1.35.2-20260415")
    if version[-8:] < _FIRST_AMI_WITH_NFT:
        raise ValueError(
            f"{version!r} has no nft, which closes sandbox nodes: use a release of {_FIRST_AMI_WITH_NFT} or later"
        )
    return version


def _principal(arn: str) -> str:
    if not _PRINCIPAL.match(arn):
        raise ValueError(f"{arn!r} is no role or user: write arn:aws:iam::<account>:role/<name>, without a wildcard")
    return arn


KubernetesVersion = Annotated[str, AfterValidator(_offered)]
AmiRelease = Annotated[str, AfterValidator(_release)]
InstanceType = Annotated[str, AfterValidator(_nitro)]
AddonVersion = Annotated[str, AfterValidator(_addon_version)]
Principal = Annotated[str, AfterValidator(_principal)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeGroupSettings(_Frozen):
    """One managed node group."""

    instance: InstanceType = "m7i.large"
    min: int = Field(default=1, ge=0, le=450)
    max: int = Field(default=10, ge=1, le=450)
    disk_gib: int = Field(default=50, ge=20, le=16384)

    @property
    def ami_type(self) -> str:
        """EKS's name for the AMI family: the `g` after the generation says Graviton."""
        arm = _GRAVITON.match(self.instance) is not None
        return "AL2023_ARM_64_STANDARD" if arm else "AL2023_x86_64_STANDARD"

    @model_validator(mode="after")
    def _ordered(self) -> "NodeGroupSettings":
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is above max ({self.max}): lower it")
        return self


class OperatorAccess(_Frozen):
    """How people reach the private API server. Off by default: then only what runs in the VPC does."""

    cidrs: tuple[Ipv4Cidr, ...] = ()
    """Networks that are routed to the VPC by means of your own, such as a VPN: may open TCP 443 to the API server."""


class ClusterSettings(_Frozen):
    """`sequester:cluster`."""

    version: KubernetesVersion = "1.35"
    service_cidr: Ipv4Cidr = IPv4Network("172.20.0.0/16")
    """Addresses of services: never routed, must not overlap the VPC's."""
    system: NodeGroupSettings = NodeGroupSettings(min=2, max=4)
    sandbox: NodeGroupSettings = NodeGroupSettings()
    ami_release: AmiRelease | None = None
    """Release of the AL2023 AMI, `<kubernetes>-<date>`; a change rotates all nodes. None: EKS's newest at creation."""
    processes_per_pod: int = Field(default=256, ge=32, le=32768)
    addons: Mapping[Literal["vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent"], AddonVersion] = Field(
        default_factory=lambda: dict(DEFAULT_ADDONS), validate_default=True
    )
    """Pinned versions; one that is not named keeps its default."""
    admins: tuple[Principal, ...] = ()
    """Roles that administer the cluster, the one that runs `pulumi up` among them. There is no hidden creator admin."""
    operator_access: OperatorAccess = OperatorAccess()
    log_shipper: ImageDigest | None = None
    """Mirrored image of Fluent Bit for AWS. None: container output stays on the nodes."""
    autoscaling: ImageDigest | None = None
    """Mirrored image of the cluster autoscaler. None: groups stay at the size that they were given."""
    gvisor: bool = False
    """Sandboxes run under the RuntimeClass `gvisor`; the AMI must bring runsc, with --oci-seccomp."""
    admin_network_policy: bool = False
    """A second deny for sandboxes, in the admin tier of the VPC CNI (1.21.1 or later)."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ClusterSettings":
        cidr = self.service_cidr
        if not (12 <= cidr.prefixlen <= 24 and any(cidr.subnet_of(private) for private in _SERVICE_RANGES)):
            raise ValueError(f"service_cidr: {cidr} is no range EKS takes: use a private one between /12 and /24")
        if self.ami_release and not self.ami_release.startswith(f"{self.version}."):
            raise ValueError(
                f"ami_release: {self.ami_release} is not for Kubernetes {self.version}:"
                f" use {self.version}.<patch>-<date>"
            )
        if not self.addon("kube-proxy").startswith(f"v{self.version}."):
            raise ValueError(
                f"addons.kube-proxy: {self.addon('kube-proxy')} is not for Kubernetes {self.version}:"
                f" set addons.kube-proxy to v{self.version}.<patch>-eksbuild.<n>"
            )
        if self.admin_network_policy and _numbers(self.addon("vpc-cni")) < _ADMIN_TIER_CNI:
            raise ValueError(
                f"admin_network_policy: vpc-cni {self.addon('vpc-cni')} does not know it: set addons.vpc-cni to"
                " v1.21.1-eksbuild.1 or later"
            )
        return self

    def addon(self, name: str) -> str:
        """The pinned version of an add-on."""
        return {**DEFAULT_ADDONS, **self.addons}[name]


def _numbers(addon_version: str) -> tuple[int, ...]:
    match = _ADDON_VERSION.match(addon_version)
    return tuple(int(part) for part in match.groups()) if match else ()
