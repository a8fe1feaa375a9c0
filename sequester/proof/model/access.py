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
class Ceiling:
    """A policy of the organization. It grants nothing, so only its denials are read.

    `kind` is ``service`` (it narrows what our identities may do) or ``resource`` (what anybody may do to what is ours).
    `sure`: the facts say that it is in force for our account; else no proof may rest on it.
    """

    name: str
    kind: str
    document: Document
    sure: bool


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """A policy that hangs on a resource (bucket, key, queue, function) and may let principals in by itself."""

    resource: str
    name: str
    document: Document


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. `in_vpc` is set if it has interfaces in one; `door` if the selector says so."""

    arn: str
    name: str
    role: str
    in_vpc: bool
    environment: tuple[tuple[str, str], ...] = ()
    url: bool = False
    concurrency: int | None = None
    """Reserved; None where it shares the account's."""
    door: bool = False
    aliases: tuple[str, ...] = ()
    routed: tuple[str, ...] = ()
    """Aliases that send part of their calls to another version."""
    stale: tuple[str, ...] = ()
    """Aliases of a version that is known not to be the one that the function describes."""
    layers: tuple[str, ...] = ()
    code: str = ""
    """Where its code comes from: the empty text for an archive of the plan, else a bucket's or an image's address."""
    signed: bool = False
    """Only code of a trusted signer is taken (Enforce)."""
    runs: str = ""
    """Handler, runtime and archive: equal for two functions that run the same."""
    mounts: bool = False
    log_group: str = ""
    drops: str = ""
    """The level below which Lambda drops what it says: lines that state no level, too."""
    handler: str = ""
    timeout: int = 3
    """Seconds that it may run; Lambda's own default where nothing is said."""
    memory: int = 128
    """MiB, likewise; a function's share of a CPU grows with it."""

    def variable(self, name: str) -> str:
        return dict(self.environment).get(name, "")


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """Whom an EKS cluster takes a role for. `policies`: EKS's own, by name, each with its namespaces (none: all)."""

    name: str
    cluster: str
    principal: str
    groups: tuple[str, ...] = ()
    policies: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3 bucket: whether versions are kept and locked, and the objects that the plan writes (key, content)."""

    name: str
    versioned: bool
    locked: bool
    objects: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EventBinding:
    """Anything but the Invoke API that makes a function run: event sources, schedules, topics, URLs."""

    name: str
    function: str
    kind: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records or events that a resource sends on by itself: `what` to the ARN `to` (of `account`, where it says so)."""

    name: str
    what: str
    to: str
    account: str = ""
