"""One audited way out, for one role of yours: it may be invoked by that role only, through one endpoint only."""

import pulumi

from pulumi_sequester import Door, DoorArgs

config = pulumi.Config()
door = Door(
    "door",
    DoorArgs(
        account=config.require("account"),
        region="us-east-1",
        stack="reader",
        tenant="research",
        allow=[{"host": "api.github.com", "paths": ["/repos/*"], "max_response": config.get("limit") or "1MiB"}],
        budget={"requests_per_minute": 30, "bytes_out_per_day": "1MiB"},
        caller_role_arn=config.require("caller"),
        endpoint=config.require("endpoint"),
        code=config.require("code"),
        deletion_protection=config.get_bool("protect") is not False,  # say false and `up` before `destroy`
    ),
)

pulumi.export("function", door.function)
pulumi.export("auditBucket", door.audit_bucket)
