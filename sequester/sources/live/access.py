"""Identity and access in a live account: roles with every policy that speaks for them, functions, bucket policies."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from sequester.proof.iam.document import statements
from sequester.proof.selector import Selector
from sequester.sources.access import document
from sequester.sources.live.network import formed
from sequester.sources.live.reader import MALFORMED, Raw, Reader, part, parts
from sequester.sources.live.stores import door_settings
from sequester.sources.resource import Resource


def read(reader: Reader, selector: Selector) -> Iterator[Resource]:
    yield from _roles(reader)
    yield from formed(reader, "lambda.list_functions", lambda raw: _function(reader, selector, raw))
    yield from formed(reader, "lambda.list_event_source_mappings", _mapping)


def _roles(reader: Reader) -> Iterator[Resource]:
    """Roles and the text of every managed policy in use, AWS's own as well."""
    kinds = ["Role", "LocalManagedPolicy", "AWSManagedPolicy"]
    for page in reader.pages("iam.get_account_authorization_details", Filter=kinds):
        for form, key in ((_policy, "Policies"), (_role, "RoleDetailList")):
            for raw in page.get(key, ()):
                try:
                    yield form(raw)
                except MALFORMED as error:
                    reader.unreadable(f"iam {key} {str(raw)[:40]}", error)


def _policy(raw: Raw) -> Resource:
    current = next(v for v in raw["PolicyVersionList"] if v.get("IsDefaultVersion"))
    name = raw.get("PolicyName") or raw["Arn"].rpartition("/")[2]
    return Resource(
        "aws:iam/policy:Policy", name, raw["Arn"], {"name": name, "arn": raw["Arn"], "policy": current["Document"]}
    )


def _role(raw: Raw) -> Resource:
    boundary = cast("Mapping[str, Any]", part(raw, "PermissionsBoundary"))
    properties = {
        "name": raw["RoleName"],
        "arn": raw["Arn"],
        "assumeRolePolicy": raw["AssumeRolePolicyDocument"],
        "inlinePolicies": [
            {"name": one["PolicyName"], "policy": one["PolicyDocument"]} for one in parts(raw, "RolePolicyList")
        ],
        "managedPolicyArns": [one["PolicyArn"] for one in parts(raw, "AttachedManagedPolicies")],
        "permissionsBoundary": boundary.get("PermissionsBoundaryArn") or "",
    }
    return Resource("aws:iam/role:Role", raw["RoleName"], raw["RoleName"], properties)


def _function(reader: Reader, selector: Selector, raw: Raw) -> Iterator[Resource]:
    """What can make it run, and how long, is asked of every function (alarms tell responders); its code, of doors."""
    name, arn = raw["FunctionName"], raw["FunctionArn"]
    config, logging = part(raw, "VpcConfig"), part(raw, "LoggingConfig")
    properties: dict[str, object] = {
        "name": name,
        "arn": arn,
        "role": raw.get("Role") or "",
        "vpcConfig": {"subnetIds": config.get("SubnetIds", []), "securityGroupIds": config.get("SecurityGroupIds", [])},
        "environment": {"variables": part(raw, "Environment").get("Variables") or {}},
        "handler": raw.get("Handler") or "",
        "timeout": raw.get("Timeout"),
        "memorySize": raw.get("MemorySize"),
        "loggingConfig": {
            "logGroup": logging.get("LogGroup"),
            "logFormat": logging.get("LogFormat"),
            "applicationLogLevel": logging.get("ApplicationLogLevel"),
        },
    }
    limit = reader.one("lambda.get_function_concurrency", FunctionName=name).get("ReservedConcurrentExecutions")
    properties["reservedConcurrentExecutions"] = limit
    door = selector.is_door(name)
    yield from _callers(reader, name, arn, raw if door else None)
    if door:
        properties |= {**_what_runs(reader, raw), "version": _AS_DESCRIBED}
        yield from _signing(reader, properties)
        variables = part(part(raw, "Environment"), "Variables")
        if variables.get("DOOR_CONFIG_BUCKET") and variables.get("DOOR_CONFIG_KEY"):
            yield from door_settings(reader, variables["DOOR_CONFIG_BUCKET"], variables["DOOR_CONFIG_KEY"])
    yield Resource("aws:lambda/function:Function", name, name, properties)


def _what_runs(reader: Reader, raw: Raw) -> dict[str, object]:
    """The code by its digest: AWS answers with a new address for the archive each time."""
    signing = reader.one("lambda.get_function_code_signing_config", FunctionName=raw["FunctionName"])
    return {
        "runtime": raw.get("Runtime") or "",
        "code": raw.get("CodeSha256") or "",
        "imageUri": "an image" if raw.get("PackageType") == "Image" else "",
        "layers": [layer["Arn"] for layer in parts(raw, "Layers")],
        "fileSystemConfig": {"arn": one["Arn"]} if (one := next(iter(parts(raw, "FileSystemConfigs")), None)) else {},
        "codeSigningConfigArn": signing.get("CodeSigningConfigArn") or "",
        "deadLetterConfig": {"targetArn": part(raw, "DeadLetterConfig").get("TargetArn")},
    }


def _signing(reader: Reader, function: Mapping[str, object]) -> Iterator[Resource]:
    arn = str(function["codeSigningConfigArn"])
    if arn:
        told = part(reader.one("lambda.get_code_signing_config", CodeSigningConfigArn=arn), "CodeSigningPolicies")
        policies = {"untrustedArtifactOnDeployment": told.get("UntrustedArtifactOnDeployment")}
        yield Resource("aws:lambda/codeSigningConfig:CodeSigningConfig", arn, arn, {"arn": arn, "policies": policies})


# The number of no version: that of an alias which runs what its function describes.
_AS_DESCRIBED = "0"
_RUNS = ("CodeSha256", "Environment", "FileSystemConfigs", "Handler", "Layers", "Role", "Runtime", "VpcConfig")


def _version(reader: Reader, name: str, alias: Raw, door: Raw) -> str:
    """What an alias runs is another version's, as far as that differs from what the function describes."""
    told = reader.one("lambda.get_function_configuration", FunctionName=name, Qualifier=alias["Name"])
    same = all((told.get(key) or None) == (door.get(key) or None) for key in _RUNS)
    return _AS_DESCRIBED if same else str(alias.get("FunctionVersion") or "")


def _callers(reader: Reader, name: str, arn: str, door: Raw | None) -> Iterator[Resource]:
    for raw in reader.each("lambda.list_function_url_configs", FunctionName=name):
        url = {"functionName": name, "authorizationType": raw.get("AuthType")}
        yield Resource("aws:lambda/functionUrl:FunctionUrl", f"the URL of {name}", f"{name} URL", url)
    qualified = [(name, arn)]
    for raw in reader.each("lambda.list_aliases", FunctionName=name):
        routing = part(part(raw, "RoutingConfig"), "AdditionalVersionWeights")
        alias: dict[str, object] = {"functionName": arn, "name": raw["Name"]}
        alias["routingConfig"] = {"weights": routing} if routing else {}
        alias["functionVersion"] = _version(reader, name, raw, door) if door else ""
        yield Resource("aws:lambda/alias:Alias", f"{name}:{raw['Name']}", f"{name}:{raw['Name']}", alias)
        qualified.append((f"{name}:{raw['Name']}", f"{arn}:{raw['Name']}"))
    for what, whose in qualified:
        yield from _policies(reader, what, whose)


def _policies(reader: Reader, name: str, arn: str) -> Iterator[Resource]:
    """A resource policy, and what permissions say where it is not the same: of a function or of an alias."""
    kind = "aws:lambda/resourcePolicy:ResourcePolicy"
    whole = reader.one("lambda.get_resource_policy", ResourceArn=arn).get("Policy")
    if whole:
        yield Resource(kind, f"{name}'s resource policy", f"{name} policy", {"resourceArn": arn, "policy": whole})
    function, _, qualifier = name.partition(":")
    asked = {"Qualifier": qualifier} if qualifier else {}
    said = reader.one("lambda.get_policy", FunctionName=function, **asked).get("Policy")
    if said and said != whole:
        yield Resource(kind, f"{name}'s permissions", f"{name} permissions", {"resourceArn": arn, "policy": said})
        yield from _permissions(name, arn, str(said))


def _permissions(name: str, arn: str, policy: str) -> Iterator[Resource]:
    """Whom the permissions let in: each is another way by which the function runs."""
    for raw in statements(document(policy, name), name):
        if raw.allow:
            properties = {"function": arn, "principal": ", ".join(raw.principals or ())}
            yield Resource("aws:lambda/permission:Permission", raw.name, f"{arn} {raw.name}", properties)


def _mapping(raw: Raw) -> Iterator[Resource]:
    kind = "aws:lambda/eventSourceMapping:EventSourceMapping"
    properties = {"functionName": raw.get("FunctionArn"), "eventSourceArn": raw.get("EventSourceArn")}
    yield Resource(kind, raw.get("EventSourceArn") or raw["UUID"], raw["UUID"], properties)
