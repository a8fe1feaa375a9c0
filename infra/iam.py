"""Policy documents from typed statements: exact actions and resources, and a written reason for each wildcard.

>>> document(Statement("InvokeDoors", actions=("lambda:InvokeFunction",), resources=(door, f"{door}:*")))
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

_ACTION = re.compile(r"[a-z0-9-]+:(?:[A-Z][A-Za-z0-9]*\*?|\*)\Z")
_SID = re.compile(r"[A-Za-z0-9]{1,64}\Z")
_ARN = re.compile(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:\S+\Z")
_S3_BUCKET_ARN = re.compile(r"arn:aws:s3:::[a-z0-9.-]+(?:/\S+)?\Z")
_VERSION: Final = "2012-10-17"

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]
"""Operator → key → value or values, as in a policy."""


class PolicyError(ValueError):
    """A statement that says more than it has a reason for."""


@dataclass(frozen=True)
class Statement:
    """One statement. A `*` as resource or principal, or in an action, needs `wildcard`: why it must be one.

    `principals` is for resource policies and trust policies: type (`Service`, `AWS`) → names.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    effect: Literal["Allow", "Deny"] = "Allow"
    conditions: Conditions = field(default_factory=dict[str, Mapping[str, str | Sequence[str]]])
    principals: Mapping[str, tuple[str, ...]] | Literal["*"] | None = None
    wildcard: str = ""

    def __post_init__(self) -> None:
        if not _SID.match(self.sid):
            raise PolicyError(f"{self.sid!r} is no statement id: use letters and digits")
        if not self.actions:
            raise PolicyError(f"{self.sid}: names no action")
        for action in self.actions:
            if not _ACTION.match(action):
                raise PolicyError(f"{self.sid}: {action!r} is no action: write service:Action")
            if action.endswith("*") and self.effect == "Allow" and not self.wildcard:
                raise PolicyError(f"{self.sid}: {action!r} allows whatever is added later: name actions, or say why")
        for resource in self.resources:
            if resource == "*":
                if self.effect == "Allow" and not self.wildcard:
                    raise PolicyError(f"{self.sid}: resource * without a reason: name resources, or say why")
            elif not (_ARN.match(resource) or _S3_BUCKET_ARN.match(resource)):
                raise PolicyError(f"{self.sid}: {resource!r} is no ARN of a known account and service")
        if self.principals == "*" and self.effect == "Allow" and not self.conditions and not self.wildcard:
            raise PolicyError(f"{self.sid}: allows anyone: add a condition, or say why")

    def render(self) -> dict[str, object]:
        """The statement as JSON has it."""
        out: dict[str, object] = {"Sid": self.sid, "Effect": self.effect}
        if self.principals is not None:
            out["Principal"] = (
                self.principals
                if isinstance(self.principals, str)
                else {kind: _one_or_many(names) for kind, names in self.principals.items()}
            )
        out["Action"] = _one_or_many(self.actions)
        if self.resources:
            out["Resource"] = _one_or_many(self.resources)
        if self.conditions:
            out["Condition"] = {
                operator: {key: value if isinstance(value, str) else list(value) for key, value in keys.items()}
                for operator, keys in self.conditions.items()
            }
        return out


def document(*statements: Statement) -> str:
    """A policy as JSON text. Same statements, same text. Raises PolicyError for a statement id used twice."""
    sids = [statement.sid for statement in statements]
    twice = next((sid for sid in sids if sids.count(sid) > 1), None)
    if twice:
        raise PolicyError(f"{twice}: two statements have this id: give each its own")
    return json.dumps({"Version": _VERSION, "Statement": [statement.render() for statement in statements]})


def trust(service: str, conditions: Conditions | None = None, *, tag_session: bool = False) -> str:
    """A role's trust policy: which AWS service may assume it, such as `vpc-flow-logs.amazonaws.com`."""
    actions = ("sts:AssumeRole", "sts:TagSession") if tag_session else ("sts:AssumeRole",)
    return document(
        Statement("Assume", actions=actions, principals={"Service": (service,)}, conditions=conditions or {})
    )


def _one_or_many(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
