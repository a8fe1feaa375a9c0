"""One tenant's door alone: the function, who may invoke it, its allowlist, budget and audit records (E7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from infra.door import Doors, DoorsArgs, TenantDoor
from infra.logs import Logs, LogsArgs
from infra.names import Names
from infra.settings import SettingsError
from pulumi_sequester.given import given, settings


@dataclass
class DoorArgs:
    """How `Door` is made."""

    account: pulumi.Input[str]
    """The account's 12 digits."""
    region: pulumi.Input[str]
    """Such as us-east-1."""
    tenant: pulumi.Input[str]
    """Whose door it is: what names are made from, with `stack`."""
    allow: pulumi.Input[Sequence[Any]]
    """Rows of the allowlist, as `sequester:tenants` has them: host, paths, methods, ..."""
    caller_role_arn: pulumi.Input[str]
    """The only role that may invoke it."""
    endpoint: pulumi.Input[str]
    """Id of the Lambda endpoint, through which alone it may be invoked."""
    code: pulumi.Input[str]
    """Path of the zip that `sequester door-zip` builds."""
    stack: pulumi.Input[str] | None = None
    """What names begin with, as the network's do; two doors of one account and region need two."""
    budget: pulumi.Input[Mapping[str, Any]] | None = None
    """Requests a minute and bytes a day, as `sequester:tenants` has it."""
    credentials: pulumi.Input[Mapping[str, Any]] | None = None
    """By host: a secret that the door adds, and that the agent never sees."""
    deletion_protection: pulumi.Input[bool] | None = None
    """Whether `destroy` is refused, as if not given: say false, `up`, and then `destroy` can."""
    canaries: pulumi.Input[str] | None = None
    """Name of a secret with planted values that must not leave."""


class Door(pulumi.ComponentResource):
    """A Lambda function outside the VPC that fetches what its tenant may, and records each request first."""

    function: pulumi.Output[str]
    """The function's name; agents invoke its alias `live`."""
    audit_bucket: pulumi.Output[str]
    """Where its records are."""

    def __init__(self, name: str, args: DoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Door", name, {}, opts)
        told = given(args, "endpoint")
        tenant, code = str(told["tenant"]), Path(str(told["code"]))
        if not code.is_file():
            raise SettingsError([f"code: {code} is not there: build it by `sequester door-zip FILE`, or name the zip"])
        own = {key: told[key] for key in ("allow", "budget", "credentials", "canaries") if key in told}
        kept = {"deletion_protection": told.get("deletion_protection", True)}
        chosen = settings(told, tenants={tenant: own}, door=kept)
        names, rules = Names.of(chosen), chosen.tenants[tenant]
        parent = pulumi.ResourceOptions(parent=self)
        # Names and aliases of keys begin with the stack's, as the rights that speak of them expect: not with `name`.
        days = {names.door_log_group(tenant): chosen.door.log_retention_days}
        logs = Logs(names.door(tenant), LogsArgs(names, days), parent)
        door = TenantDoor(rules.allow, rules.budget, rules.credentials, rules.canaries, str(told["caller_role_arn"]))
        made = Doors(
            names.name,
            DoorsArgs(names, chosen.door, pulumi.FileArchive(str(code)), {tenant: door}, told["endpoint"], logs.groups),
            parent,
        )
        self.function = made.by_tenant[tenant].function.name
        self.audit_bucket = made.store.audit.bucket
        self.register_outputs({"function": self.function, "auditBucket": self.audit_bucket})
