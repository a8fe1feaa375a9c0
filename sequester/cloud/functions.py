"""The provider functions that a program may call (`aws.get_caller_identity()` and others), answered from the cloud."""

from collections.abc import Callable, Mapping
from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.wire import Props


class UnmappedFunctionError(LookupError):
    """A program calls a function that the embedded cloud does not answer."""


def _caller(aws: Aws, _: Props) -> Props:
    me = aws.call("sts.get_caller_identity")
    return {"accountId": me["Account"], "arn": me["Arn"], "userId": me["UserId"], "id": me["Account"]}


def _region(aws: Aws, asked: Props) -> Props:
    region = str(asked.get("region") or asked.get("name") or aws.region)
    return {
        "id": region,
        "name": region,
        "region": region,
        "endpoint": f"ec2.{region}.amazonaws.com",
        "description": region,
    }


def _zones(aws: Aws, asked: Props) -> Props:
    filters = [{"Name": "state", "Values": [asked["state"]]}] if asked.get("state") else []
    found = aws.call("ec2.describe_availability_zones", Filters=filters)["AvailabilityZones"]
    zones = [z for z in found if z["ZoneName"] not in cast(list[str], asked.get("excludeNames") or [])]
    return {
        "id": aws.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": [aws.region],
    } | {name: asked[name] for name in ("state", "filters") if asked.get(name)}


def _partition(aws: Aws, _: Props) -> Props:
    suffix = "amazonaws.com"
    return {"id": aws.partition, "partition": aws.partition, "dnsSuffix": suffix, "reverseDnsPrefix": "com.amazonaws"}


def _prefix_list(aws: Aws, asked: Props) -> Props:
    named = [{"Name": "prefix-list-name", "Values": [asked["name"]]}] if asked.get("name") else []
    found = aws.call("ec2.describe_managed_prefix_lists", Filters=named)["PrefixLists"]
    if len(found) != 1:
        raise RefusedError("InvalidPrefixListID.NotFound", f"{len(found)} prefix lists are called {asked.get('name')}")
    one = found[0]
    entries = aws.call("ec2.get_managed_prefix_list_entries", PrefixListId=one["PrefixListId"])["Entries"]
    return {
        "id": one["PrefixListId"],
        "prefixListId": one["PrefixListId"],
        "name": one["PrefixListName"],
        "cidrBlocks": [entry["Cidr"] for entry in entries],
        "entries": [{"cidr": e["Cidr"], "description": e.get("Description", "")} for e in entries],
        "arn": one["PrefixListArn"],
        "addressFamily": one.get("AddressFamily", "IPv4"),
        "maxEntries": one.get("MaxEntries", len(entries)),
        "ownerId": one["OwnerId"],
        "version": one.get("Version", 1),
        "tags": {},
    }


def _cluster_auth(aws: Aws, asked: Props) -> Props:
    aws.call("eks.describe_cluster", name=asked["name"])
    return {"id": asked["name"], "name": asked["name"], "token": "embedded"}


def _cluster(aws: Aws, asked: Props) -> Props:
    cluster = aws.call("eks.describe_cluster", name=asked["name"])["cluster"]
    return {
        "id": cluster["name"],
        "name": cluster["name"],
        "arn": cluster["arn"],
        "endpoint": cluster["endpoint"],
        "certificateAuthorities": [cluster["certificateAuthority"]],
        "version": cluster["version"],
        "status": cluster["status"],
    }


def _parameter(aws: Aws, asked: Props) -> Props:
    held = aws.call("ssm.get_parameter", Name=asked["name"], WithDecryption=asked.get("withDecryption") is not False)
    one = held["Parameter"]
    return {"id": one["Name"], "arn": one["ARN"], "name": one["Name"], "type": one["Type"], "value": one["Value"]}


FUNCTIONS: Mapping[str, Callable[[Aws, Props], Props]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getPartition:getPartition": _partition,
    "aws:ec2/getPrefixList:getPrefixList": _prefix_list,
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": _prefix_list,
    "aws:eks/getClusterAuth:getClusterAuth": _cluster_auth,
    "aws:eks/getCluster:getCluster": _cluster,
    "aws:ssm/getParameter:getParameter": _parameter,
}
"""By token. Policy documents are not here: the program writes them out, so that a preview knows them."""


def answer(aws: Aws, token: str, asked: Props) -> Props:
    """Answer one function; what the answer leaves out is null to the program."""
    function = FUNCTIONS.get(token)
    if function is None:
        raise UnmappedFunctionError(
            f"{token}: the embedded cloud does not answer this; add it to FUNCTIONS of {__name__}"
        )
    return function(aws, {name: value for name, value in asked.items() if value is not None})
