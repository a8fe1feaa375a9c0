"""Bucket policies in moto, which denies whatever a conditional Deny names without looking at the condition.

Every call here goes over TLS and none says more about itself than moto keeps, so a conditional Deny is left out of
moto's decision: what it says is for who reads the policy back to judge.
"""

import json
from typing import Protocol, cast

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


class _Bucket(Protocol):
    policy: bytes | None


def _permission(bucket: _Bucket, action: str, resource: str) -> PermissionResult:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = cast("dict[str, object]", json.loads(bucket.policy))
    listed = policy["Statement"]
    statements = [
        statement
        for statement in cast("list[dict[str, object]]", listed if isinstance(listed, list) else [listed])
        if not (statement["Effect"] == "Deny" and "Condition" in statement)
    ]
    return IAMPolicy(json.dumps({**policy, "Statement": statements})).is_action_permitted(action, resource)


def read_apart_from_conditions() -> None:
    """Have moto decide by the statements whose conditions it need not read."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign,assignment]
