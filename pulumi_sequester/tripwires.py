"""Tripwires on log groups that are there already: filters, alarms, and whom they tell (E8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi

from infra.names import Names
from infra.sensors import trail_log_group
from infra.tripwire_patterns import Declared
from infra.tripwires import Tripwires as Wired
from infra.tripwires import TripwiresArgs as WiredArgs
from pulumi_sequester.given import STACK, bare, given, settings


@dataclass
class TripwiresArgs:
    """How `Tripwires` is made. The log groups of `watched_log_groups` exist."""

    account: pulumi.Input[str]
    """The account's 12 digits."""
    region: pulumi.Input[str]
    """Such as us-east-1."""
    cidr: pulumi.Input[str]
    """The VPC's range, /16 to /20: a packet to anywhere else has left."""
    tenants: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Whose doors are watched, too."""
    stack: pulumi.Input[str] | None = None
    """What names begin with, those of the log groups too."""
    notify: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    """E-mail addresses that are sent every alarm."""
    resolvable: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    """Names that nodes may resolve, `*.` for all below; those of the blueprint if not given."""


class Tripwires(pulumi.ComponentResource):
    """A filter and an alarm for each class of attempt that a sensor sees, one topic for all."""

    topic: pulumi.Output[str]
    """ARN of the topic that every alarm tells."""

    def __init__(self, name: str, args: TripwiresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Tripwires", name, {}, opts)
        told = given(args)
        tripwires = {"notify": told["notify"]} if "notify" in told else {}
        network = {"cidr": told["cidr"], "azs": [f"{told['region']}{zone}" for zone in "ab"]}
        chosen = settings(told, network, tenants=bare(told["tenants"]), tripwires=tripwires)
        declared = Declared.of(chosen)
        if "resolvable" in told:
            declared = replace(declared, listed=told["resolvable"])
        names = Names.of(chosen)
        made = Wired(
            names.name,
            WiredArgs(names, chosen.tripwires, sorted(chosen.tenants), declared),
            pulumi.ResourceOptions(parent=self),
        )
        self.topic = pulumi.Output.from_input(made.topic_arn)
        self.register_outputs({"topic": self.topic})


def watched_log_groups(account: str, region: str, tenants: Sequence[str], stack: str = STACK) -> list[str]:
    """Names of every log group that the tripwires read."""
    names = Names(stack, account, region)
    own = (names.flow_log_group, names.resolver_log_group, trail_log_group(names))
    doors = [names.door_log_group(tenant) for tenant in sorted(tenants)]
    return [*own, names.cluster_log_group, names.container_log_group, *doors]
