"""Tables for docs/who-may-do-what.md, made from the objects that are deployed: who may call what, what is admitted."""

from collections.abc import Iterable

from infra.admission import policies
from infra.autoscaler import GRANTS as AUTOSCALER_GRANTS
from infra.labels import ROLE_LABEL
from infra.rbac import AGENT_GRANTS, RESPONDER_CLUSTER_GRANTS, RESPONDER_GRANTS, Grant

_WHO = (
    ("agent, in its own sandbox namespace", AGENT_GRANTS),
    ("responder, in both namespaces of each tenant", RESPONDER_GRANTS),
    ("responder, in the cluster", RESPONDER_CLUSTER_GRANTS),
    ("cluster autoscaler (optional), in the cluster", AUTOSCALER_GRANTS),
)


def rights() -> str:
    """One row a grant; what is not here is nobody's."""
    rows = (_row(who, grant) for who, grants in _WHO for grant in grants)
    return "\n".join(["| who | what | may | why |", "|---|---|---|---|", *rows])


def admission() -> str:
    """One row a rule of our admission policies, with the namespaces that it governs."""
    seen: dict[tuple[str, str], list[str]] = {}
    for policy in policies("<registry>/<name>", gvisor=False):
        where = policy.namespaces.get(ROLE_LABEL, "everywhere")
        for rule in policy.rules:
            seen.setdefault((rule.name, rule.why), []).append(where)
    rows = (f"| `{name}` | {', '.join(dict.fromkeys(where))} | {why} |" for (name, why), where in seen.items())
    return "\n".join(["| rule | namespaces | why |", "|---|---|---|", *rows])


def _row(who: str, grant: Grant) -> str:
    verbs: Iterable[str] = grant.verbs
    group = f" ({grant.group})" if grant.group else ""
    return f"| {who} | `{grant.resource}`{group} | {', '.join(verbs)} | {grant.why} |"
