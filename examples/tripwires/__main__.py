"""Alarms on log groups that are there already: here they are made first, elsewhere your own sensors write to them."""

import pulumi
import pulumi_aws as aws

from pulumi_sequester import Tripwires, TripwiresArgs, watched_log_groups

config = pulumi.Config()
account, tenants = config.require("account"), ["research"]
groups = [
    aws.cloudwatch.LogGroup(name.strip("/").replace("/", "-"), name=name, retention_in_days=30)
    for name in watched_log_groups(account, "us-east-1", tenants, stack="watched")
]
wires = Tripwires(
    "tripwires",
    TripwiresArgs(
        account=account,
        region="us-east-1",
        cidr="10.42.0.0/16",
        stack="watched",
        tenants=tenants,
        notify=[config.get("notify") or "security@example.com"],
    ),
    pulumi.ResourceOptions(depends_on=groups),
)

pulumi.export("topic", wires.topic)
