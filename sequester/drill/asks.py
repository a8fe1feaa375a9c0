"""Every attempt on the Kubernetes API as a request, with the control that refuses it named as the drill names it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sequester.drill import pods
from sequester.drill.api_requests import REQUESTS, Request
from sequester.drill.pods import AGENT_POD_ATTEMPTS, POD_ATTEMPTS, PodAttempt, edited

CONTROLS: Final[Mapping[str, str]] = {
    "PSA": "kubernetes:pod-security",
    "RBAC": "kubernetes:rbac",
    "node": "kubernetes:node-restriction",
    "quota": "kubernetes:quota",
    "limits": "kubernetes:limits",
    "schema": "kubernetes:schema",
}
"""How the tables and the server's answers name a control → how the drill does."""

BARE: Final = "bare"
"""The tenant of the baseline: its namespaces have no label, no quota and no policy."""


def control(by: str) -> str:
    """`VAP:seccomp` → `admission:seccomp`."""
    return f"admission:{by.removeprefix('VAP:')}" if by.startswith("VAP:") else CONTROLS.get(by, by)


@dataclass(frozen=True)
class Ask:
    """One attempt as a request. by: what refuses it, one of several where the server may name either."""

    name: str
    who: str
    method: str
    path: str
    by: tuple[str, ...]
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    does: str = ""

    @property
    def id(self) -> str:
        return f"kubernetes-{self.name}"

    def of(self, tenant: str) -> "Ask":
        """The same among the namespaces of another tenant."""
        body = json.loads(json.dumps(self.body).replace(f'"{pods.TENANT}-', f'"{tenant}-'))
        return Ask(self.name, self.who, self.method, self._moved(tenant), self.by, body, self.headers, self.does)

    def _moved(self, tenant: str) -> str:
        return self.path.replace(f"/{pods.TENANT}-", f"/{tenant}-")

    def bare(self) -> "Ask":
        """The same for an administrator, where nothing is in the way."""
        text = json.dumps(self.body)
        for tenant in (pods.TENANT, pods.OTHER):
            text = text.replace(f'"{tenant}-', f'"{BARE}-')
        path = self._moved(BARE).replace(f"/{pods.OTHER}-", f"/{BARE}-")
        return Ask(self.name, "admin", self.method, path, self.by, json.loads(text), self.headers, self.does)


def _pod(attempt: PodAttempt, base: Mapping[str, Any]) -> Ask:
    body = edited(base, {**attempt.edits, "metadata.name": "drill"})
    namespace = base["metadata"]["namespace"]
    edits = ", ".join(
        f"{path} {'left out' if value is pods.DROP else _said(value)}" for path, value in attempt.edits.items()
    )
    return Ask(
        attempt.name,
        "job-controller",
        "POST",
        f"/api/v1/namespaces/{namespace}/pods",
        (control(attempt.by),),
        body,
        does=f"a pod whose {edits}",
    )


def _said(value: object) -> str:
    text = json.dumps(value) if not isinstance(value, str) else value
    return text if len(text) <= 60 else text[:59] + "…"


def _request(row: Request) -> Ask:
    by = tuple(control(each) for each in row.by.split("|"))
    verb = {"GET": "reads", "POST": "makes", "PUT": "replaces", "PATCH": "changes", "DELETE": "deletes"}[row.method]
    path = row.path.partition("?")[0].removeprefix("/api/v1/")
    return Ask(row.name, row.who, row.method, row.path, by, row.body, row.headers, f"{row.who} {verb} {path}")


# What the server refuses by its own rules, whatever stands, shows nothing: their tests keep them.
_NO_WAY_OUT: Final = frozenset({"kubernetes:schema"})
_NEEDS_MORE: Final = frozenset({"certificate-request"})  # a real request for a certificate: of no use to a drill

ASKS: Final[Mapping[str, Ask]] = {
    ask.id: ask
    for ask in (
        *(_pod(attempt, pods.BENIGN_POD) for attempt in POD_ATTEMPTS),
        *(_pod(attempt, pods.BENIGN_AGENT_POD) for attempt in AGENT_POD_ATTEMPTS),
        *map(_request, REQUESTS),
    )
    if not _NO_WAY_OUT & set(ask.by) and ask.name not in _NEEDS_MORE
}
