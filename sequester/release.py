"""Ends a tenant's quarantine, by asking the deployed responder: who asks and why goes into its audit chain first."""

import json
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError


class ReleaseError(RuntimeError):
    """Nothing was released, or not everything; the message says why and what to do, in a line."""


@dataclass(frozen=True)
class Released:
    """`record`: number of the record in the responder's chain. associated: whether the agent has its identity."""

    tenant: str
    record: int
    associated: bool


def release(functions: Any, function: str, tenant: str, by: str, why: str) -> Released:
    """functions: a Lambda client. Raises ReleaseError."""
    payload = json.dumps({"release": tenant, "by": by, "why": why}).encode()
    try:
        answer = functions.invoke(FunctionName=function, Payload=payload)
        said: object = json.loads(answer["Payload"].read() or b"null")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            raise ReleaseError(f"{function}: is not there: give the settings and the region of the stack") from error
        raise ReleaseError(f"{function}: {code}: you need lambda:InvokeFunction on it") from error
    except (BotoCoreError, ValueError) as error:
        raise ReleaseError(f"{function}: {error}") from error
    found = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    if answer.get("FunctionError"):
        what = str(found.get("errorMessage", "it failed"))
        mend = "" if found.get("errorType") == "RefusedError" else ": look at its log, then ask again"
        raise ReleaseError(f"{tenant}: not released: {what}{mend}")
    try:
        return Released(str(found["released"]), int(found["record"]), bool(found["associated"]))
    except (KeyError, TypeError, ValueError):
        raise ReleaseError(f"{function}: answers as no responder does: {json.dumps(said)[:200]}") from None
