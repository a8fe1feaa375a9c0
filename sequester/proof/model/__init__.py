"""Engine-neutral facts about a deployment: what the claims are decided on, and nothing else."""

from sequester.proof.model.access import Document, Endpoint, EventBinding, Function, Identity, ResourcePolicy
from sequester.proof.model.deployment import CLAIMS, Gap, Model
from sequester.proof.model.names import Association, FirewallRule, ForwardRule, NameService, ResolverEndpoint
from sequester.proof.model.network import (
    Device,
    GroupRef,
    ListRef,
    Nacl,
    NaclRule,
    Peer,
    Place,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Target,
    Vpc,
)
from sequester.proof.model.watch import Alarm, MetricFilter, Sensor

__all__ = [
    "CLAIMS",
    "Alarm",
    "Association",
    "Device",
    "Document",
    "Endpoint",
    "EventBinding",
    "FirewallRule",
    "ForwardRule",
    "Function",
    "Gap",
    "GroupRef",
    "Identity",
    "ListRef",
    "MetricFilter",
    "Model",
    "Nacl",
    "NaclRule",
    "NameService",
    "Peer",
    "Place",
    "PrefixList",
    "ResolverEndpoint",
    "ResourcePolicy",
    "Route",
    "RouteTable",
    "SecurityGroup",
    "SecurityRule",
    "Sensor",
    "Subnet",
    "Target",
    "Vpc",
]
