"""From resources to facts of functions: what they run, what makes them run, and the buckets they keep things in."""

import hashlib
from collections.abc import Mapping

from sequester.proof.facts import items, mapping, number
from sequester.proof.model import Bucket, EventBinding, Function
from sequester.proof.selector import Selector
from sequester.sources.resource import Resource, Stack, block, single

# What Lambda takes where nothing is said: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_SECONDS, _MEBIBYTES = 3, 128


def functions(stack: Stack, selector: Selector) -> dict[str, Function]:
    urls = {u.maybe("functionName") for u in stack.of("lambda/functionUrl:FunctionUrl")}
    found: dict[str, Function] = {}
    for one in stack.of("lambda/function:Function"):
        name = one.maybe("name") or one.name
        arn = one.maybe("arn") or f"arn:aws:lambda:{stack.region}:{stack.account}:function:{name}"
        variables = mapping(block(one, "environment").get("variables"), one.name)
        limit = one.get("reservedConcurrentExecutions")
        reserved = None if limit is None else number(limit, f"{one.name} reservedConcurrentExecutions")
        aliases = [a for a in stack.of("lambda/alias:Alias") if a.maybe("functionName") in (name, arn, one.id)]
        found[arn] = Function(
            arn,
            one.name,
            one.maybe("role"),
            bool(items(block(one, "vpcConfig").get("subnetIds"), one.name)),
            tuple(sorted((k, str(v)) for k, v in variables.items())),
            bool({name, arn, one.id} & urls),
            None if reserved is None or reserved < 0 else reserved,
            selector.is_door(one.name, name),
            tuple(sorted(a.maybe("name") or a.name for a in aliases)),
            tuple(a.name for a in aliases if block(a, "routingConfig")),
            tuple(a.name for a in aliases if _stale(a, one)),
            one.several("layers"),
            _code(one),
            _signed(stack, one),
            _runs(one),
            bool(block(one, "fileSystemConfig")),
            str(block(one, "loggingConfig").get("logGroup") or f"/aws/lambda/{name}"),
            _drops(one),
            one.maybe("handler"),
            number(one.get("timeout") or _SECONDS, f"{one.name} timeout"),
            number(one.get("memorySize") or _MEBIBYTES, f"{one.name} memorySize"),
        )
    return found


def _stale(alias: Resource, one: Resource) -> bool:
    """Where both versions are known and published: a first preview knows none."""
    versions = {_known(alias, "functionVersion"), _known(one, "version")}
    return len(versions) == 2 and all(v.isdigit() for v in versions)


def _known(one: Resource, key: str) -> str:
    return "" if key in one.unknown else one.maybe(key)


def _code(one: Resource) -> str:
    if one.maybe("s3Bucket"):
        return f"s3://{one.maybe('s3Bucket')}/{one.maybe('s3Key')}"
    return one.maybe("imageUri")


def _signed(stack: Stack, one: Resource) -> bool:
    for config in stack.of("lambda/codeSigningConfig:CodeSigningConfig"):
        if one.maybe("codeSigningConfigArn") in (config.maybe("arn") or config.id, config.id):
            return block(config, "policies").get("untrustedArtifactOnDeployment") == "Enforce"
    return False


def _drops(one: Resource) -> str:
    """Levels are of JSON logs alone: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    config = block(one, "loggingConfig")
    level = str(config.get("applicationLogLevel") or "INFO") if config.get("logFormat") == "JSON" else "INFO"
    return "" if level in ("TRACE", "DEBUG", "INFO") else level


def _runs(one: Resource) -> str:
    archive = hashlib.sha256(str(one.get("code") or "").encode()).hexdigest()[:16]
    return f"{one.maybe('handler')} {one.maybe('runtime')} {archive}"


def bindings(stack: Stack) -> tuple[EventBinding, ...]:
    """Everything that makes a function run without an Invoke by its tenant."""
    found = [
        EventBinding(one.name, one.maybe("functionName"), "event source")
        for one in stack.of("lambda/eventSourceMapping:EventSourceMapping")
    ]
    found += [
        EventBinding(one.name, one.maybe("functionName"), "URL") for one in stack.of("lambda/functionUrl:FunctionUrl")
    ]
    found += [
        EventBinding(one.name, str(one.get("function")), f"permission for {one.maybe('principal')}")
        for one in stack.of("lambda/permission:Permission")
    ]
    return tuple(found)


def buckets(stack: Stack) -> dict[str, Bucket]:
    """By name. Versions and locks are resources of their own, or (older) properties of the bucket."""
    versioned = {
        one.maybe("bucket")
        for one in stack.of("s3/bucketVersioning:BucketVersioning", "s3/bucketVersioningV2:BucketVersioningV2")
        if block(one, "versioningConfiguration").get("status") == "Enabled"
    }
    locked = {
        one.maybe("bucket")
        for one in stack.of("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
        if _retains(block(one, "rule"))
    }
    objects: dict[str, list[tuple[str, str]]] = {}
    for one in stack.of("s3/bucketObjectv2:BucketObjectv2", "s3/bucketObject:BucketObject"):
        objects.setdefault(one.maybe("bucket"), []).append((one.maybe("key"), one.maybe("content")))
    found: dict[str, Bucket] = {}
    for one in stack.of("s3/bucket:Bucket", "s3/bucketV2:BucketV2"):
        name = one.maybe("bucket") or one.id
        here = {name, one.id}
        whole = one.flag("objectLockEnabled", default=True)
        found[name] = Bucket(
            name,
            bool(here & versioned) or str(block(one, "versioning").get("enabled")).lower() == "true",
            bool(here & locked) and whole,
            tuple(sorted(o for key in here for o in objects.get(key, ()))),
        )
    return found


def _retains(rule: Mapping[str, object]) -> bool:
    kept = single(rule.get("defaultRetention"), "rule")
    return kept.get("mode") in ("GOVERNANCE", "COMPLIANCE") and bool(kept.get("days") or kept.get("years"))
