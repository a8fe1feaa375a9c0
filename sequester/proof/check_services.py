"""The checker's reading of what lets an AWS service in: policies of topics, functions, keys and roles' trust (E8)."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sequester.proof.check_calls import Call, decision, matches, texts
from sequester.proof.check_reasons import Facts, statements


def lets(documents: Iterable[Any], service: str, call: Call) -> bool:
    """Whether these policies let a service make a call: they are read as if they spoke of nobody else."""
    of_it = [one for document in documents for one in statements(document) if _means(one, service)]
    plain = [{k: v for k, v in one.items() if k not in ("Principal", "NotPrincipal")} for one in of_it]
    return decision([{"Statement": plain}], call) == "Allow"


def _means(one: Any, service: str) -> bool:
    principal = one.get("Principal")
    named = texts(principal.get("Service")) if isinstance(principal, Mapping) else []
    everybody = principal == "*" or (isinstance(principal, Mapping) and "*" in texts(principal.get("AWS")))
    return service in named or everybody


def hung_on(model: Facts, *names: str) -> list[Any]:
    return [p["document"] for p in model["resource_policies"] if p["resource"] in names]


def function_of(arn: str) -> str:
    """The ARN of a function without the version or alias that is named with it."""
    return ":".join(arn.split(":")[:7])


def log_group_arn(model: Facts, name: str) -> str:
    return f"arn:aws:logs:{model['region']}:{model['account']}:log-group:{name}"


def runs(model: Facts, arn: str, service: str, source: str) -> str:
    """The ARN of the function that a service makes run by this ARN; the empty text if it does not."""
    key = function_of(arn)
    one = model["functions"].get(key)
    rest = arn[len(key) :]
    if not one or one["concurrency"] == 0 or (rest and rest[1:] not in (*one["aliases"], "$LATEST")):
        return ""
    hung = hung_on(model, *(f"{name}{rest}" for name in (key, one["name"], key.split(":")[6])))
    context = {"aws:SourceArn": source, "aws:SourceAccount": model["account"]}
    return key if lets(hung, service, Call("lambda:InvokeFunction", arn, None, "", context)) else ""


def written(model: Facts, arn: str) -> list[Any]:
    """The statements of a role."""
    role = model["identities"].get(arn)
    return [one for _, document in role["policies"] for one in statements(document)] if role else []


def trusted(model: Facts, arn: str, service: str) -> bool:
    """Whether a role trusts a service, for our account; for which resource of the service is not asked."""
    role = model["identities"].get(arn)
    if not role or not role["trust"]:
        return False
    trust = [{"Statement": [_for_any_source(one) for one in statements(role["trust"])]}]
    context = {"aws:SourceAccount": model["account"]}
    return lets(trust, service, Call("sts:AssumeRole", arn, None, "", context))


def _for_any_source(one: Any) -> Any:
    conditions = {
        operator: {key: value for key, value in keys.items() if key.lower() != "aws:sourcearn"}
        for operator, keys in (one.get("Condition") or {}).items()
    }
    return {**one, "Condition": conditions} if one["Effect"] == "Allow" else one


def may(model: Facts, arn: str, action: str, within: str = "*") -> bool:
    """Whether something grants a role an action on what `within` matches, and nothing unconditional takes it away."""
    role = model["identities"].get(arn)
    if role and role["unread"]:
        return True
    given = written(model, arn)
    against = [{"Statement": [one for one in given if one["Effect"] == "Deny" and not one.get("Condition")]}]
    bounds = [role["boundary"]] if role and role["boundary"] else []
    return any(
        decision(against, Call(action, resource, model["account"])) != "Deny"
        and all(decision([bound], Call(action, resource, model["account"])) == "Allow" for bound in bounds)
        for resource in _granted(given, action)
        if matches(within, resource) or matches(resource, within)
    )


def _granted(given: Iterable[Any], action: str) -> Iterator[str]:
    for one in given:
        named = [matches(a.lower(), action.lower()) for a in texts(one.get("Action"))]
        if one["Effect"] == "Allow" and (any(named) or "NotAction" in one):
            yield from texts(one.get("Resource")) or ["*"]
