"""CloudFront: distributions, origin access, functions, policies and keys."""

from typing import cast

from botocore.model import StructureShape

from sequester.cloud.api import Aws
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.shapes import parameters
from sequester.cloud.wire import Props

_CONFIG = "DistributionConfig"
_CACHE = {
    "cachedMethods": "AllowedMethods.CachedMethods",
    "lambdaFunctionAssociations": "LambdaFunctionAssociations",
    "forwardedValues": "ForwardedValues",
}
_BEHAVIORS = ("defaultCacheBehavior", "orderedCacheBehaviors")
_NAMES = {
    "isIpv6Enabled": "IsIPV6Enabled",
    "orderedCacheBehaviors": "CacheBehaviors",
    "loggingConfig": "Logging",
    "webAclId": "WebACLId",
    "customErrorResponses": "CustomErrorResponses",
    "origins.originId": "Id",
    "origins.customOriginConfig.originSslProtocols": "OriginSslProtocols",
    "origins.s3OriginConfig.originAccessIdentity": "OriginAccessIdentity",
    "viewerCertificate.cloudfrontDefaultCertificate": "CloudFrontDefaultCertificate",
    "viewerCertificate.acmCertificateArn": "ACMCertificateArn",
    "restrictions.geoRestriction": "GeoRestriction",
    **{f"{behavior}.functionAssociations.functionArn": "FunctionARN" for behavior in _BEHAVIORS},
}
_LOCAL = frozenset({"tags", "retainOnDelete", "waitForDeployment"})


def _configuration(aws: Aws, state: Props) -> Props:
    """A distribution's inputs as CloudFront's one large structure."""
    schema = DISTRIBUTION.schema
    given = {k: v for k, v in state.items() if k in schema.inputs - _LOCAL and v is not None}
    for name in _BEHAVIORS:
        if name in given:
            behaviors = given[name] if isinstance(given[name], list) else [given[name]]
            shaped = [_behavior(one) for one in cast(list[Props], behaviors)]
            given[name] = shaped if isinstance(given[name], list) else shaped[0]
    given["origins"] = [_origin(one) for one in cast(list[Props], given["origins"])]
    restrictions = cast(Props, given["restrictions"])
    geo = cast(Props, restrictions["geoRestriction"])
    locations = cast(list[str], geo.get("locations") or [])
    given["restrictions"] = {
        "geoRestriction": {"restrictionType": geo["restrictionType"], "quantity": len(locations), "items": locations}
    }
    given.setdefault("comment", "")
    shape = cast(StructureShape, aws.model("cloudfront.create_distribution").input_shape)
    wanted = cast(Props, parameters(shape.members[_CONFIG], given, _NAMES))
    return wanted | {"CallerReference": str(state.get("callerReference") or "sequester")}


def _behavior(one: Props) -> Props:
    """Methods nest in CloudFront, trusted groups and signers carry a switch."""
    shaped = {k: v for k, v in one.items() if v is not None and k not in ("allowedMethods", "cachedMethods")}
    allowed, cached = cast(list[str], one["allowedMethods"]), cast(list[str], one["cachedMethods"])
    shaped["allowedMethods"] = {
        "quantity": len(allowed),
        "items": allowed,
        "cachedMethods": {"quantity": len(cached), "items": cached},
    }
    for name in ("trustedKeyGroups", "trustedSigners"):
        members = cast(list[str], one.get(name) or [])
        if members:
            shaped[name] = {"enabled": True, "quantity": len(members), "items": members}
        else:
            shaped.pop(name, None)
    return shaped


def _origin(one: Props) -> Props:
    """An S3 origin behind an access control has an empty S3 configuration."""
    shaped = {k: v for k, v in one.items() if v is not None}
    if shaped.get("originAccessControlId"):
        shaped.setdefault("s3OriginConfig", {"originAccessIdentity": ""})
    return shaped


@code(
    takes="aliases comment customErrorResponses defaultCacheBehavior defaultRootObject enabled httpVersion "
    "isIpv6Enabled loggingConfig orderedCacheBehaviors originGroups origins priceClass restrictions tags "
    "viewerCertificate webAclId",
    gives="arn callerReference domainName etag lastModifiedTime status hostedZoneId trustedKeyGroups",
)
def create_distribution(aws: Aws, state: Props) -> Props:
    """A distribution; CloudFront's own zone is the same for all (Route 53 API, alias targets)."""
    made = aws.call("cloudfront.create_distribution", DistributionConfig=_configuration(aws, state))
    one = made["Distribution"]
    return {
        "id": one["Id"],
        "arn": one["ARN"],
        "domainName": one["DomainName"],
        "etag": made["ETag"],
        "status": one["Status"],
        "callerReference": one["DistributionConfig"]["CallerReference"],
        "hostedZoneId": "Z2FDTNDATAQYW2",
    }


@code(
    takes="aliases comment customErrorResponses defaultCacheBehavior defaultRootObject enabled httpVersion "
    "isIpv6Enabled loggingConfig orderedCacheBehaviors originGroups origins priceClass restrictions "
    "viewerCertificate webAclId",
    gives="etag",
)
def update_distribution(aws: Aws, state: Props) -> Props:
    """CloudFront takes a whole configuration and the tag of the one that it replaces."""
    tag = aws.call("cloudfront.get_distribution", Id=state["id"])["ETag"]
    configuration = _configuration(aws, state)
    made = aws.call("cloudfront.update_distribution", Id=state["id"], IfMatch=tag, DistributionConfig=configuration)
    return {"etag": made["ETag"]}


@code()
def delete_distribution(aws: Aws, state: Props) -> None:
    """A distribution is switched off before it is deleted."""
    tag = aws.call("cloudfront.get_distribution", Id=state["id"])["ETag"]
    aws.call("cloudfront.delete_distribution", Id=state["id"], IfMatch=tag)


DISTRIBUTION = Kind(
    "aws:cloudfront/distribution:Distribution",
    create=create_distribution,
    changes=(update_distribution,),
    delete=delete_distribution,
    local=_LOCAL,
    absent=frozenset({"inProgressValidationBatches", "lastModifiedTime", "loggingV1Enabled", "trustedKeyGroups"})
    | {"trustedSigners"},
)


def _config(token: str, noun: str, member: str, names: dict[str, str], inputs: str, *, declared_only: bool) -> Kind:
    """A thing that CloudFront makes from one configuration structure."""
    paths = {name: f"{member}.{names.get(name, name[0].upper() + name[1:])}" for name in inputs.split()}
    nested = {name: path for name, path in names.items() if "." in name}
    fixed: dict[str, object] = {"Id": "{id}", "IfMatch": "{etag}"}
    reference: dict[str, object] = {member: {"CallerReference": "{name}"}} if noun == "public_key" else {}
    record = "".join(part.capitalize() for part in noun.split("_"))
    outputs = {"id": f"{record}.Id", "etag": "ETag"}
    return Kind(
        token,
        create=Call(f"cloudfront.create_{noun}", names=paths | nested, fixed=reference, outputs=outputs),
        changes=(
            Call(f"cloudfront.update_{noun}", names=paths | nested, fixed=fixed | reference, outputs={"etag": "ETag"}),
        ),
        delete=Call(f"cloudfront.delete_{noun}", fixed=fixed, only=()),
        absent=frozenset({"arn", "callerReference"}),
        declared_only=declared_only,
    )


@code(takes="name code runtime comment publish keyValueStoreAssociations tags", gives="arn etag liveStageEtag status")
def create_function(aws: Aws, state: Props) -> Props:
    """A function at the edge, published where the program says so."""
    given: Props = {"Comment": state.get("comment") or "", "Runtime": state["runtime"]}
    made = aws.call(
        "cloudfront.create_function",
        Name=state["name"],
        FunctionConfig=given,
        FunctionCode=str(state["code"]).encode(),
    )
    return {
        "id": state["name"],
        "arn": f"arn:{aws.partition}:cloudfront::{aws.account}:function/{state['name']}",
        "etag": made["ETag"],
        "status": made["FunctionSummary"].get("Status", "UNPUBLISHED"),
    }


FUNCTION = Kind(
    "aws:cloudfront/function:Function",
    create=create_function,
    delete=Call("cloudfront.delete_function", fixed={"Name": "{id}", "IfMatch": "{etag}"}, only=()),
    absent=frozenset({"liveStageEtag"}),
)

KINDS = (
    DISTRIBUTION,
    FUNCTION,
    _config(
        "aws:cloudfront/originAccessControl:OriginAccessControl",
        "origin_access_control",
        "OriginAccessControlConfig",
        {},
        "name description originAccessControlOriginType signingBehavior signingProtocol",
        declared_only=False,
    ),
    _config(
        "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy",
        "response_headers_policy",
        "ResponseHeadersPolicyConfig",
        {
            "securityHeadersConfig.strictTransportSecurity.accessControlMaxAgeSec": "AccessControlMaxAgeSec",
            "securityHeadersConfig.xssProtection": "XSSProtection",
        },
        "name comment corsConfig customHeadersConfig removeHeadersConfig securityHeadersConfig "
        "serverTimingHeadersConfig",
        declared_only=True,
    ),
    _config(
        "aws:cloudfront/keyGroup:KeyGroup", "key_group", "KeyGroupConfig", {}, "name comment items", declared_only=True
    ),
    _config(
        "aws:cloudfront/publicKey:PublicKey",
        "public_key",
        "PublicKeyConfig",
        {},
        "name comment encodedKey",
        declared_only=False,
    ),
    _config(
        "aws:cloudfront/cachePolicy:CachePolicy",
        "cache_policy",
        "CachePolicyConfig",
        {"defaultTtl": "DefaultTTL", "maxTtl": "MaxTTL", "minTtl": "MinTTL"},
        "name comment defaultTtl maxTtl minTtl parametersInCacheKeyAndForwardedToOrigin",
        declared_only=True,
    ),
    _config(
        "aws:cloudfront/originRequestPolicy:OriginRequestPolicy",
        "origin_request_policy",
        "OriginRequestPolicyConfig",
        {"queryStringsConfig": "QueryStringsConfig"},
        "name comment cookiesConfig headersConfig queryStringsConfig",
        declared_only=True,
    ),
)
