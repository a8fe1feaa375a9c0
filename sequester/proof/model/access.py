"""Facts of identity and access: policy documents as AWS takes them, and whom they are attached to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Document: TypeAlias = Mapping[str, object]
"""A policy document, parsed JSON. It is read by iam/document.py, which refuses what it does not understand."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A VPC endpoint. `service` is the short name (``s3``, ``ecr.api``); a `policy` of None is AWS's allow-all."""

    id: str
    name: str
    vpc: str
    service: str
    kind: str
    """``Interface``, ``Gateway``, ``GatewayLoadBalancer``, ``Resource`` or ``ServiceNetwork``."""
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    policy: Document | None
    tables: tuple[str, ...] = ()
    service_name: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """A role (or user) with every policy that speaks for it."""

    arn: str
    name: str
    policies: tuple[tuple[str, Document], ...]
    """(resource name, document): inline and attached."""
    trust: Document | None
    boundary: Document | None = None
    unread: tuple[str, ...] = ()
    """Attached policies whose text is not in the plan (AWS managed ones)."""


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """A policy that hangs on a resource (bucket, key, queue, function) and may let principals in by itself."""

    resource: str
    name: str
    document: Document


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. `vpc` is set if it has interfaces in one; `tenant` if it is a door."""

    arn: str
    name: str
    role: str
    in_vpc: bool
    environment: tuple[tuple[str, str], ...] = ()
    url: bool = False
    concurrency: int | None = None
    door: bool = False


@dataclass(frozen=True, slots=True)
class EventBinding:
    """Anything but the Invoke API that makes a function run: event sources, schedules, topics, URLs."""

    name: str
    function: str
    kind: str
