"""Names for the values that settings are made of: each says, in one line, what is wrong and what to write instead."""

import re
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html: the shape; the list grows.
_REGION = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-(?:north|south|east|west|central)(?:east|west)?-\d\Z")
_ZONE = re.compile(r"[a-z]{2}-[a-z]+-\d[a-z]\Z")
_ACCOUNT = re.compile(r"\d{12}\Z")
_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_MODEL = re.compile(r"[a-z0-9-]+\.[A-Za-z0-9.:-]+\Z")
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+\Z")
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
# EKS's control plane and Docker use it for themselves (Amazon EKS user guide, "VPC and subnet considerations").
_TAKEN_BY_EKS: Final = IPv4Network("172.17.0.0/16")
_LONGEST_NAME: Final = 20
"""Role names hold at most 64 characters: the stack's name, a tenant's and what the role is for."""


def _region(value: str) -> str:
    if not _REGION.match(value):
        raise ValueError(f"{value!r} is no region of the commercial partition: write it as us-east-1")
    return value


def _zone(value: str) -> str:
    if not _ZONE.match(value):
        raise ValueError(f"{value!r} is no availability zone: write it as us-east-1a")
    return value


def _account(value: object) -> object:
    # YAML reads an unquoted account id as a number, and one that begins with 0 as another number.
    if not isinstance(value, str) or not _ACCOUNT.match(value):
        raise ValueError(f"{value!r} is no account id: write its 12 digits, in quotes")
    return value


def _label(value: str) -> str:
    if not _LABEL.match(value) or "--" in value:
        raise ValueError(f"{value!r} is no DNS label: use lower-case letters, digits and single inner dashes")
    return value


def _name(value: str) -> str:
    if len(value) > _LONGEST_NAME:
        raise ValueError(f"{value!r} is too long: use at most {_LONGEST_NAME} characters, other names are built on it")
    return _label(value)


def _role(value: str) -> str:
    if not _ROLE.match(value):
        raise ValueError(f"{value!r} is no role: write arn:aws:iam::<account>:role/<name>, without a wildcard")
    return value


def _model(value: str) -> str:
    if not _MODEL.match(value):
        raise ValueError(f"{value!r} is no model: write its id, as anthropic.claude-3-haiku-20240307-v1:0")
    return value


def _network(kind: type[IPv4Network] | type[IPv6Network], example: str) -> BeforeValidator:
    def read(value: object) -> object:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str) or "/" not in value:
            raise ValueError(f"{value!r} is no CIDR: write it as {example}")
        try:
            network = kind(value, strict=False)
        except (AddressValueError, NetmaskValueError, ValueError) as error:
            raise ValueError(f"{value!r} is no CIDR: write it as {example}") from error
        if str(network) != value.lower():
            raise ValueError(f"{value!r} is not written as its first address: use {network}")
        return network

    return BeforeValidator(read)


def _vpc_range(network: IPv4Network) -> IPv4Network:
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(f"{network} is not private: use a range of RFC 1918 or RFC 6598, as 10.42.0.0/16")
    if network.overlaps(_TAKEN_BY_EKS):
        raise ValueError(f"{network} overlaps {_TAKEN_BY_EKS}, which EKS uses itself: use 10.42.0.0/16")
    return network


def prefixed(prefix: str) -> AfterValidator:
    """An AWS id of one kind, such as `vpc-0a1b2c3d`."""
    shape = re.compile(rf"{prefix}-[0-9a-f]{{8,17}}\Z")

    def check(value: str) -> str:
        if not shape.match(value):
            raise ValueError(f"{value!r} is no id of this kind: write it as {prefix}-0123456789abcdef0")
        return value

    return AfterValidator(check)


Region = Annotated[str, AfterValidator(_region)]
AvailabilityZone = Annotated[str, AfterValidator(_zone)]
AccountId = Annotated[str, BeforeValidator(_account)]
DnsLabel = Annotated[str, AfterValidator(_label)]
StackName = Annotated[str, AfterValidator(_name)]
RoleArn = Annotated[str, AfterValidator(_role)]
Ipv4Cidr = Annotated[IPv4Network, _network(IPv4Network, "10.42.0.0/16")]
VpcCidr = Annotated[Ipv4Cidr, AfterValidator(_vpc_range)]
"""A VPC's own range: addresses that are nobody else's, and not EKS's."""
Ipv6Cidr = Annotated[IPv6Network, _network(IPv6Network, "fd00:ec2:42::/56")]
ModelId = Annotated[str, AfterValidator(_model)]
"""A Bedrock foundation model; not an inference profile, which may call other regions."""
