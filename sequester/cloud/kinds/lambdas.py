"""Lambda functions with their aliases, policies and permissions; code signing."""

from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props

KEPT = ("snapStart", "loggingConfig", "fileSystemConfig", "imageConfig")
"""What moto drops of a function: kept, and put back into its answers."""
_CONFIGURATION = (
    "description",
    "environment",
    "handler",
    "kmsKeyArn",
    "layers",
    "loggingConfig",
    "memorySize",
    "role",
    "runtime",
    "snapStart",
    "timeout",
    "tracingConfig",
    "vpcConfig",
    "deadLetterConfig",
    "ephemeralStorage",
)
_NAMES = {
    "name": "FunctionName",
    "code": "Code.ZipFile",
    "imageUri": "Code.ImageUri",
    "s3Bucket": "Code.S3Bucket",
    "s3Key": "Code.S3Key",
    "s3ObjectVersion": "Code.S3ObjectVersion",
    "sourceKmsKeyArn": "Code.SourceKMSKeyArn",
    "kmsKeyArn": "KMSKeyArn",
    "fileSystemConfig": "FileSystemConfigs",
    "codeSha256": "",
}
_CREATE = Call(
    "lambda.create_function",
    names=_NAMES,
    outputs={"arn": "FunctionArn", "sourceCodeSize": "to_string(CodeSize)", "codeSha256": "CodeSha256"},
    without=("codeSigningConfigArn",),
)
PUBLISHERS_NEED = "the code signing configuration enforces signatures: the code must come from S3, signed"


@code(
    takes=" ".join(
        (*_CONFIGURATION, "name", "code", "imageUri", "s3Bucket", "s3Key", "s3ObjectVersion", "publish", "packageType")
    )
    + " architectures tags fileSystemConfig imageConfig sourceKmsKeyArn codeSha256",
    gives="arn invokeArn lastModified qualifiedArn qualifiedInvokeArn responseStreamingInvokeArn version "
    "sourceCodeSize",
)
def create_function(aws: Aws, state: Props) -> Props:
    """A function; what moto drops of it is kept beside."""
    made = _CREATE(aws, state, FUNCTION.schema)
    _keep(aws, state)
    return made | _arns(aws, state, str(made.get("version") or "$LATEST"))


def _keep(aws: Aws, state: Props) -> None:
    kept = {name[0].upper() + name[1:]: state[name] for name in KEPT if state.get(name) is not None}
    if "LoggingConfig" in kept:
        logging = cast(Props, kept["LoggingConfig"])
        kept["LoggingConfig"] = {name[0].upper() + name[1:]: value for name, value in logging.items()}
    if "SnapStart" in kept:
        kept["SnapStart"] = {"ApplyOn": cast(Props, kept["SnapStart"])["applyOn"], "OptimizationStatus": "On"}
    if kept:
        aws.keep("lambda:FunctionName", str(state["name"]), **kept)


def _arns(aws: Aws, state: Props, version: str) -> Props:
    arn = f"arn:{aws.partition}:lambda:{aws.region}:{aws.account}:function:{state['name']}"
    invoke = f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path/2015-03-31/functions"
    return {
        "arn": arn,
        "qualifiedArn": f"{arn}:{version}",
        "invokeArn": f"{invoke}/{arn}/invocations",
        "qualifiedInvokeArn": f"{invoke}/{arn}:{version}/invocations",
        "responseStreamingInvokeArn": f"{invoke}/{arn}/response-streaming-invocations",
        "version": version,
    }


@code(takes=" ".join(_CONFIGURATION))
def configure(aws: Aws, state: Props) -> None:
    """A function's configuration; a published function gets a new version from it."""
    Call(
        "lambda.update_function_configuration",
        names={"kmsKeyArn": "KMSKeyArn"},
        fixed={"FunctionName": "{name}"},
        only=_CONFIGURATION,
    )(aws, state, FUNCTION.schema)
    _keep(aws, state)


@code(takes="code imageUri s3Bucket s3Key s3ObjectVersion sourceCodeHash", gives="version qualifiedArn")
def new_code(aws: Aws, state: Props) -> Props | None:
    """New code; `sourceCodeHash` alone says that it changed."""
    if not any(state.get(name) for name in ("code", "imageUri", "s3Bucket")):
        return None
    names = {"code": "ZipFile", "imageUri": "ImageUri", "s3Bucket": "S3Bucket", "s3Key": "S3Key"}
    if "qualifiedArn" not in state:  # creation gave it the code already
        return None
    Call(
        "lambda.update_function_code",
        names=names,
        fixed={"FunctionName": "{name}", "Publish": "{publish}"},
        only=tuple(names),
    )(aws, state, FUNCTION.schema)
    return None


@code(takes="reservedConcurrentExecutions")
def reserve(aws: Aws, state: Props) -> None:
    """Reserved concurrency is a call of its own; -1 means none, 0 throttles everything."""
    reserved = cast(int, state.get("reservedConcurrentExecutions", -1))
    if reserved >= 0:
        aws.call("lambda.put_function_concurrency", FunctionName=state["name"], ReservedConcurrentExecutions=reserved)
    else:
        aws.call("lambda.delete_function_concurrency", FunctionName=state["name"])


@code(takes="codeSigningConfigArn")
def sign(aws: Aws, state: Props) -> None:
    """Tie the function to a code signing configuration, which must exist."""
    if state.get("codeSigningConfigArn"):
        aws.call("lambda.get_code_signing_config", CodeSigningConfigArn=state["codeSigningConfigArn"])
        aws.call(
            "lambda.put_function_code_signing_config",
            FunctionName=state["name"],
            CodeSigningConfigArn=state["codeSigningConfigArn"],
        )
    else:
        aws.call("lambda.delete_function_code_signing_config", FunctionName=state["name"])


def sound_function(_: Aws, state: Props) -> None:
    """AWS's bounds on a function (CreateFunction)."""
    if not 1 <= cast(int, state.get("timeout", 3)) <= 900:
        raise RefusedError("InvalidParameterValueException", f"timeout: {state['timeout']} is not 1 to 900 seconds")
    if not 128 <= cast(int, state.get("memorySize", 128)) <= 10240:
        raise RefusedError(
            "InvalidParameterValueException", f"memorySize: {state['memorySize']} is not 128 to 10240 MB"
        )


FUNCTION = Kind(
    "aws:lambda/function:Function",
    create=create_function,
    read=Call(
        "lambda.get_function_configuration",
        fixed={"FunctionName": "{id}"},
        outputs={"arn": "FunctionArn"},
        only=(),
        without=("version", "lastModified", "codeSha256", "sourceCodeSize"),
    ),
    changes=(configure, new_code, reserve, sign),
    delete=Call("lambda.delete_function", fixed={"FunctionName": "{id}"}, only=()),
    id="{name}",
    absent=frozenset({"signingJobArn", "signingProfileVersionArn", "lastModified"}),
    rules=(sound_function,),
    local=frozenset(
        {"useResourceTimeoutForPropagation", "replaceSecurityGroupsOnDestroy", "replacementSecurityGroupIds"}
    ),
)
_ALIAS = Call("lambda.create_alias", outputs={"arn": "AliasArn"})
ALIAS = Kind(
    "aws:lambda/alias:Alias",
    create=_ALIAS,
    read=Call(
        "lambda.get_alias",
        fixed={"FunctionName": "{functionName}", "Name": "{name}"},
        outputs={"arn": "AliasArn"},
        only=(),
    ),
    changes=(
        Call(
            "lambda.update_alias",
            fixed={"FunctionName": "{functionName}", "Name": "{name}"},
            only=("functionVersion", "description", "routingConfig"),
        ),
    ),
    delete=Call("lambda.delete_alias", only=("functionName", "name")),
    id="{arn}",
    computed={"invokeArn": "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"},
)


def function_exists(aws: Aws, state: Props) -> None:
    """AWS refuses a policy on a function that does not exist."""
    arn = str(state.get("resourceArn") or state.get("functionName"))
    aws.call("lambda.get_function_configuration", FunctionName=arn.split(":function:")[-1].split(":")[0])


_POLICY = Call("lambda.put_resource_policy")
RESOURCE_POLICY = Kind(
    "aws:lambda/resourcePolicy:ResourcePolicy",
    create=_POLICY,
    read=Call("lambda.get_resource_policy", fixed={"ResourceArn": "{resourceArn}"}, only=()),
    changes=(Call("lambda.put_resource_policy", fixed={"ResourceArn": "{resourceArn}"}, only=("policy",)),),
    delete=Call("lambda.delete_resource_policy", fixed={"ResourceArn": "{resourceArn}"}, only=()),
    id="{resourceArn}",
    rules=(function_exists,),
    declared_only=True,
)
PERMISSION = Kind(
    "aws:lambda/permission:Permission",
    create=Call("lambda.add_permission", names={"function": "FunctionName", "statementIdPrefix": ""}),
    delete=Call("lambda.remove_permission", names={"function": "FunctionName"}, only=("function", "statementId")),
    id="{statementId}",
)
_SIGNING = {
    "policies": "CodeSigningPolicies",
    "policies.untrustedArtifactOnDeployment": "UntrustedArtifactOnDeployment",
}
CODE_SIGNING = Kind(
    "aws:lambda/codeSigningConfig:CodeSigningConfig",
    create=Call(
        "lambda.create_code_signing_config",
        names=_SIGNING,
        at="CodeSigningConfig",
        outputs={"id": "CodeSigningConfigArn", "arn": "CodeSigningConfigArn", "configId": "CodeSigningConfigId"},
    ),
    changes=(
        Call(
            "lambda.update_code_signing_config",
            names=_SIGNING,
            fixed={"CodeSigningConfigArn": "{id}"},
            only=("policies", "allowedPublishers", "description"),
        ),
    ),
    delete=Call("lambda.delete_code_signing_config", fixed={"CodeSigningConfigArn": "{id}"}, only=()),
    declared_only=True,
)
_INVOKE = Call(
    "lambda.put_function_event_invoke_config", names={"maximumEventAgeInSeconds": "MaximumEventAgeInSeconds"}
)
EVENT_INVOKE = Kind(
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    create=_INVOKE,
    changes=(
        Call(
            "lambda.put_function_event_invoke_config",
            fixed={"FunctionName": "{functionName}", "Qualifier": "{qualifier}"},
            without=("functionName", "qualifier"),
        ),
    ),
    delete=Call("lambda.delete_function_event_invoke_config", only=("functionName", "qualifier")),
    id="{functionName}:{qualifier?}",
)
RECURSION = Kind(
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig",
    create=Call("lambda.put_function_recursion_config"),
    changes=(
        Call("lambda.put_function_recursion_config", fixed={"FunctionName": "{functionName}"}, only=("recursiveLoop",)),
    ),
    delete=None,
    id="{functionName}",
    declared_only=True,
)
EVENT_SOURCE = Kind(
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    create=Call("lambda.create_event_source_mapping", outputs={"id": "UUID", "arn": "EventSourceMappingArn"}),
    delete=Call("lambda.delete_event_source_mapping", fixed={"UUID": "{id}"}, only=()),
    computed={"arn": "arn:{partition}:lambda:{region}:{account}:event-source-mapping:{id}"},
    absent=frozenset({"lastProcessingResult", "state", "stateTransitionReason", "lastModified"}),
    local=frozenset({"useResourceTimeoutForPropagation"}),
)
LAYER = Kind(
    "aws:lambda/layerVersion:LayerVersion",
    create=Call(
        "lambda.publish_layer_version",
        names={"code": "Content.ZipFile", "s3Bucket": "Content.S3Bucket", "s3Key": "Content.S3Key"},
        outputs={
            "id": "LayerVersionArn",
            "arn": "LayerVersionArn",
            "layerArn": "LayerArn",
            "codeSha256": "Content.CodeSha256",
            "sourceCodeSize": "Content.CodeSize",
        },
    ),
    delete=Call(
        "lambda.delete_layer_version", fixed={"LayerName": "{layerName}", "VersionNumber": "{version}"}, only=()
    ),
    absent=frozenset({"signingJobArn", "signingProfileVersionArn"}),
    local=frozenset({"sourceCodeHash", "skipDestroy"}),
)
SIGNING_PROFILE = Kind(
    "aws:signer/signingProfile:SigningProfile",
    create=Call(
        "signer.put_signing_profile",
        names={"name": "profileName", "namePrefix": "", "signatureValidityPeriod.type": "type"},
        outputs={"version": "profileVersion", "versionArn": "profileVersionArn"},
    ),
    delete=Call("signer.cancel_signing_profile", fixed={"profileName": "{name}"}, only=()),
    id="{name}",
    computed={
        "arn": "arn:{partition}:signer:{region}:{account}:/signing-profiles/{name}",
        "platformDisplayName": "AWS Lambda",
        "status": "Active",
    },
    absent=frozenset({"revocationRecords"}),
)

KINDS = (
    FUNCTION,
    ALIAS,
    RESOURCE_POLICY,
    PERMISSION,
    CODE_SIGNING,
    EVENT_INVOKE,
    RECURSION,
    EVENT_SOURCE,
    LAYER,
    SIGNING_PROFILE,
)
