"""Who did it, by the sensor's record. Records quote what an attacker chose: each field is checked before use."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from .config import Config, Wire

_POD = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\Z")
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}\Z")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}\Z")
_ACCOUNT_USER = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):[a-z0-9.-]{1,253}\Z")
NODE_USER = re.compile(r"system:node:([a-z0-9.-]{1,253})\Z")
_POLICY_LINE = re.compile(r"Node: [a-z0-9.-]{1,253};SIP: ([0-9.]{7,15});")  # as the agent itself begins it
_LONGEST_RECORD: Final = 256 * 1024  # CloudWatch Logs' own limit of an event


@dataclass(frozen=True)
class Pod:
    tenant: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Node:
    """By instance id or, from audit records, by the name that it has in the cluster."""

    instance: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return f"node {self.instance or self.name}"


@dataclass(frozen=True)
class Tenant:
    """The tenant's agent: its door and its role's sessions."""

    name: str

    def __str__(self) -> str:
        return f"tenant {self.name}"


@dataclass(frozen=True)
class Address:
    """An address in the VPC at a time (seconds): whose it was then, the audit log knows."""

    ip: str
    at: float

    def __str__(self) -> str:
        return f"address {self.ip}"


@dataclass(frozen=True)
class Claim:
    """What a stream of the log shipper says a pod did. Root on a node can write it: it counts for pods of that node."""

    pod: Pod
    stream: str

    def __str__(self) -> str:
        return f"{self.pod} by {self.stream}"


Subject = Pod | Node | Tenant | Address | Claim


@dataclass(frozen=True)
class Record:
    """A log event: its text, when it happened (seconds), and the stream that it came by."""

    message: str
    at: float
    stream: str


def _dig(value: object, *keys: str) -> str:
    """The text below nested objects, empty where the record is not so made."""
    for key in keys:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _json(record: Record) -> object:
    try:
        return json.loads(record.message) if len(record.message) <= _LONGEST_RECORD else None
    except (ValueError, RecursionError):
        return None


def pod_of(config: Config, namespace: str, name: str) -> Pod | None:
    """A pod of one of our tenants, or nothing: no other namespace is ever acted upon."""
    for tenant in config.tenants:
        if namespace in (f"{tenant}-sandbox", f"{tenant}-agent") and _POD.match(name):
            return Pod(tenant, namespace, name)
    return None


def _node(instance: str) -> list[Subject]:
    return [Node(instance=instance)] if _INSTANCE.match(instance) else []


def _flow(config: Config, record: Record) -> list[Subject]:
    """The sender: of what went out the interface's own node; of what came in whoever has the source address."""
    values = record.message.split(" ")
    if len(values) != len(config.flow_fields):
        return []
    fields = dict(zip(config.flow_fields, values, strict=True))
    if fields["flow-direction"] != "ingress":
        return _node(fields["instance-id"])
    sources = [fields[name] for name in ("pkt-srcaddr", "srcaddr") if _ADDRESS.match(fields[name])]
    return [Address(sources[0], record.at)] if sources else []


def _resolver(config: Config, record: Record) -> list[Subject]:
    return _node(_dig(_json(record), "srcids", "instance"))


def _policy_agent(config: Config, record: Record) -> list[Subject]:
    source = _POLICY_LINE.match(record.message)
    return [Address(source[1], record.at)] if source and _ADDRESS.match(source[1]) else []


def _supervisor(config: Config, record: Record) -> list[Subject]:
    event = _json(record)
    pod = pod_of(config, _dig(event, "kubernetes", "namespace_name"), _dig(event, "kubernetes", "pod_name"))
    return [Claim(pod, record.stream)] if pod else []


def _audit(config: Config, record: Record) -> list[Subject]:
    """The caller: an agent, or a pod's or node's stolen identity. The object named in the request did nothing."""
    user = _dig(_json(record), "user", "username")
    if node := NODE_USER.match(user):
        return [Node(name=node[1])]
    account = _ACCOUNT_USER.match(user)
    owners = [t for t in config.tenants if account and account[1] in (f"{t}-agent", f"{t}-sandbox")]
    return [Tenant(name) for name in owners]


def _trail(config: Config, record: Record) -> list[Subject]:
    event = _json(record)
    role = _dig(event, "userIdentity", "sessionContext", "sessionIssuer", "arn")
    ours = f"arn:aws:iam::{config.account}:role/"  # a foreign account may call its own roles as it likes
    owners: list[Subject] = [Tenant(name) for name, of in config.tenants.items() if ours + of["agent_role"] == role]
    address = _dig(event, "sourceIPAddress")
    return owners or ([Address(address, record.at)] if _ADDRESS.match(address) else [])


def _door(config: Config, record: Record) -> list[Subject]:
    tenant = _dig(_json(record), "tenant")
    return [Tenant(tenant)] if tenant in config.tenants else []


_READERS: Final[Mapping[str, Callable[[Config, Record], list[Subject]]]] = {
    "flow log": _flow,
    "Resolver log": _resolver,
    "NP agent log": _policy_agent,
    "seccomp event": _supervisor,
    "K8s audit": _audit,
    "CloudTrail VPCE": _trail,
    "door audit": _door,
}


def subjects(config: Config, wire: Wire, records: Iterable[Record]) -> list[Subject]:
    """Each subject once, in order of appearance. A tenant's alarm never touches another tenant.

    A record from another stream than the sensor's own is somebody's who may write into the group, and accuses nobody.
    """
    read = _READERS.get(wire.sensor)
    own = [record for record in records if record.stream.startswith(wire.streams)]
    found = [subject for record in own for subject in read(config, record)] if read else []
    ours = [one for one in found if wire.tenant is None or owner(one) in (None, wire.tenant)]
    return list(dict.fromkeys(ours))


def owner(subject: Subject) -> str | None:
    """The tenant whose a pod or an agent is; nodes and addresses are nobody's."""
    match subject:
        case Pod(tenant=tenant) | Tenant(name=tenant) | Claim(pod=Pod(tenant=tenant)):
            return tenant
        case _:
            return None
