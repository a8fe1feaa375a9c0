"""What policies let AWS's own services do, and what roles may do: publish, invoke, use a key, take a role (claim E8).

An answer that hangs on a condition nobody knows counts as yes: what is said no to here is refused for certain.
"""

from collections.abc import Iterable, Mapping

from sequester.proof.grants import bounded, narrowed, written
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.request import Region, allowed, covers, reaches
from sequester.proof.model import Identity, Model

# Keys that AWS keeps for its services let only those in, and no alarm: CloudWatch is told so where a topic has one.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
_KEPT_BY_AWS = "alias/aws/"


def hung_on(model: Model, *names: str) -> list[Statement]:
    """The statements of the policies that hang on a resource, by any of its names."""
    return [s for p in model.resource_policies if p.resource in names for s in statements(p.document, p.name)]


def lets(hung: Iterable[Statement], service: str, action: str, resource: str, said: Mapping[str, str]) -> bool:
    """Whether these statements let a service make a call. `said`: condition keys, in lower case."""
    principal, hung = f"Service:{service}", tuple(hung)
    call = Region(action, resource, {key: Value(text) for key, text in said.items()})
    if any(not s.allow and _means(s, principal) and covers(s, call) is Truth.TRUE for s in hung):
        return False
    return any(s.allow and _means(s, principal) and reaches(s, call)[0] is not Truth.FALSE for s in hung)


def _means(one: Statement, principal: str) -> bool:
    if one.but_principals is not None:
        return not one.allow and principal not in one.but_principals
    return bool({principal, "*"} & {*(one.principals or ())})


def log_group_arn(model: Model, name: str) -> str:
    return f"arn:aws:logs:{model.region}:{model.account}:log-group:{name}"


def may(model: Model, one: Identity, action: str, resource: str = "*") -> bool:
    """Whether a role may make some such call, within its boundary and the organization's denials."""
    document, limits, call = written(one), bounded(one), Region(action, resource, {})
    answer = narrowed(model, ("service",), lambda guards: allowed(document, call, (*limits, *guards)))
    return answer.truth is not Truth.FALSE


def trusts(one: Identity, service: str, said: Mapping[str, str]) -> bool:
    trusted = statements(one.trust, one.name) if one.trust else ()
    return lets(trusted, service, "sts:AssumeRole", one.arn, said)


def key_refuses(model: Model, key: str, service: str, actions: Iterable[str], said: Mapping[str, str]) -> str:
    """Why a service cannot use a key that is in the facts; the empty text if it can."""
    if _KEPT_BY_AWS in key:
        return f"its key {key} is AWS's own, which lets no other service use it"
    if not model.watch.keys[key]:
        return f"its key {key} is disabled"
    hung = hung_on(model, key)  # one without a policy is its account's alone, and no service's
    refused = [action for action in actions if not lets(hung, service, action, key, said)]
    return f"its key {key} does not let {service} use it ({refused[0]})" if refused else ""


def is_strange(model: Model, key: str) -> bool:
    """Whether nothing is known of a key."""
    return bool(key) and key not in model.watch.keys and _KEPT_BY_AWS not in key
