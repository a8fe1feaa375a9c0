"""Tries pods and requests on a real API server that holds two tenants as they are deployed; first without controls.

Requests that would change something are dry runs: everything decides, nothing is stored. The baseline asks the same as
an administrator, in namespaces without a label and before any admission policy stands.
"""

import copy
import json
import secrets
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.labels import ROLE_LABEL
from infra.manifests import Manifest
from infra.tripwire_table import Sensor
from sequester.cloud import control_plane as planes
from sequester.cloud.executables import find, missing
from sequester.cloud.kubernetes_api import Answer
from sequester.drill import pods
from sequester.drill.asks import ASKS, BARE, Ask, control
from sequester.drill.attempt import Attempt
from sequester.drill.eyes import ROWS
from sequester.drill.outcome import NO_TRIPWIRE, Baseline, Technique
from sequester.drill.pods import edited
from sequester.drill.tenants import TO_KUBELET, Tenants, build, controls, every_policy, settle
from sequester.eyes.records import SensorRecord

AUDIT_SECONDS: Final = 5.0


class NoApiServerError(RuntimeError):
    """The tools are not built; the message says how."""


@dataclass
class ApiServer:
    """Two tenants that stand, and what each baseline said."""

    cluster: Tenants
    tenant: str
    baselines: dict[str, Baseline]
    audit: "AuditLog"

    def attempt(self, technique: Technique) -> Attempt:
        """As often as its tripwire wants it; what the server's own audit log says of it are the records."""
        ask = ASKS[technique.id].of(self.tenant)
        times = 1 if technique.tripwire == NO_TRIPWIRE else ROWS[technique.tripwire].threshold
        ids = [f"drill-{secrets.token_hex(8)}" for _ in range(times)]
        began = time.monotonic()
        answers = [_answer(self.cluster, ask, each) for each in ids]
        seconds = (time.monotonic() - began) / times
        found = [control(each) for each in sorted(_refusals(ask, answers[0]))]
        proof = "" if found else f"HTTP {answers[0].status}: the API server let it through"
        by = next((each for each in found if each in ask.by), found[0] if found else None)
        return Attempt(
            technique.id,
            reached=proof,
            # Where the table names two, either is the expected one.
            stopped_by=technique.control if by in ask.by else by,
            evidence=(proof or f"HTTP {answers[0].status}: {_line(answers[0].message)}",),
            baseline=self.baselines[technique.id],
            records=self._records(ids),
            seconds=seconds,
        )

    def _records(self, ids: Sequence[str]) -> list[SensorRecord]:
        """The server writes its record when the answer is already out."""
        until = time.monotonic() + AUDIT_SECONDS
        while not self.audit.has(ids) and time.monotonic() < until:
            time.sleep(0.005)
        return [SensorRecord(Sensor.AUDIT, line, time.time()) for line in self.audit.of(ids)]


class AuditLog:
    """The API server's audit log, read on from where it was."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0
        self._lines: dict[str, list[str]] = {}

    def has(self, ids: Sequence[str]) -> bool:
        """Whether there is a record for each of these requests by now."""
        with self._file.open("rb") as log:
            log.seek(self._at)
            whole, _, _ = log.read().rpartition(b"\n")
        if whole:
            self._at += len(whole) + 1
        for line in whole.decode().splitlines():
            self._lines.setdefault(str(json.loads(line)["auditID"]), []).append(line)
        return all(each in self._lines for each in ids)

    def of(self, ids: Sequence[str]) -> list[str]:
        return [line for each in ids for line in self._lines.get(each, [])]


def hold(techniques: Sequence[Technique], removed: Sequence[str], tenant: str) -> list[Attempt]:
    """Each of these techniques. removed: controls that are taken away on purpose, as `admission:seccomp`."""
    try:
        with standing(techniques, removed, tenant) as server:
            return [server.attempt(technique) for technique in techniques]
    except NoApiServerError as error:
        return [Attempt(technique.id, not_run=str(error)) for technique in techniques]


@contextmanager
def standing(techniques: Sequence[Technique], removed: Sequence[str], tenant: str) -> Generator[ApiServer]:
    """A control plane of its own with both tenants. Raises NoApiServerError."""
    if absent := missing(planes.EXECUTABLES):
        raise NoApiServerError(absent)
    baselines: dict[str, Baseline] = {}

    def before(cluster: Tenants) -> None:
        _make_bare(cluster)
        for technique in techniques:
            baselines[technique.id] = _baseline(cluster, ASKS[technique.id].bare())

    victim, agent = _of(pods.BENIGN_POD, tenant), _of(pods.BENIGN_AGENT_POD, tenant)
    idle = edited(pods.job(victim), {"spec.suspend": True})
    with planes.running(find, nodes=(pods.NODE, pods.AGENT_NODE), service_cidr="172.20.0.0/16") as plane:
        cluster = build(
            plane,
            (tenant, pods.OTHER),
            victim,
            agent,
            idle,
            edit=lambda items: without(items, removed),
            before_admission=before,
        )
        if "kubernetes:rbac" in removed:
            cluster.apply([_EVERYBODY_MAY])
        _settle(cluster, tenant, removed)
        yield ApiServer(cluster, tenant, baselines, AuditLog(plane.folder / "audit.log"))


def _settle(cluster: Tenants, tenant: str, removed: Sequence[str]) -> None:
    """The server looks at its policies once a second; the quota's controller counts when it comes to it."""
    for policy in every_policy():
        left = {f"admission:{rule.name}" for rule in policy.rules} - set(removed)
        role = policy.namespaces.get(ROLE_LABEL, "")
        probe = next((ask for ask in ASKS.values() if left & set(ask.by) and f"-{role}" in ask.path), None)
        if probe is None or policy.name.endswith("-templates"):  # those hold as soon as the same rules do for pods
            continue
        ask = probe.of(tenant)

        def refused(ask: Ask = ask, left: set[str] = left) -> bool:
            answer = _answer(cluster, ask, f"drill-{secrets.token_hex(8)}")
            return bool(left & {control(each) for each in _refusals(ask, answer)})

        settle(refused, f"{policy.name} holds")
    one_more = edited(_of(pods.BENIGN_POD, tenant), {"metadata.name": "one-more"})
    settle(lambda: not cluster.pod_refused_by(one_more), "the quota is counted")


def without(items: list[Manifest], removed: Sequence[str]) -> list[Manifest]:
    """The objects of the tenants without some controls."""
    gone = set(removed)
    kept: list[Manifest] = []
    for item in items:
        made: Any = copy.deepcopy(item)
        if (made["kind"] == "LimitRange" and "kubernetes:limits" in gone) or (
            made["kind"] == "ResourceQuota" and "kubernetes:quota" in gone
        ):
            continue
        if made["kind"] == "Namespace" and "kubernetes:pod-security" in gone:
            labels = made["metadata"]["labels"]
            made["metadata"]["labels"] = {key: value for key, value in labels.items() if "pod-security" not in key}
        if made["kind"] == "ValidatingAdmissionPolicy":
            rules = made["spec"]["validations"]
            rules = [each for each in rules if f"admission:{each['message'].partition(':')[0]}" not in gone]
            made["spec"]["validations"] = rules or [{"expression": "true", "message": "nothing is left"}]
        kept.append(made)
    return kept


_IDLE: Final[Mapping[str, Any]] = {"spec.suspend": True, "metadata.name": "victim"}


def _make_bare(cluster: Tenants) -> None:
    """Namespaces without any control, with what requests speak of."""
    for role in ("sandbox", "agent"):
        namespace = f"{BARE}-{role}"
        base = pods.BENIGN_POD if role == "sandbox" else pods.BENIGN_AGENT_POD
        pod = edited(
            base, {"metadata.namespace": namespace, "metadata.name": "victim" if role == "sandbox" else "agent"}
        )
        cluster.apply(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
                *({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
                  for name in ("sandbox", "agent")),
                pod,
                *([edited(pods.job(pod), _IDLE)] if role == "sandbox" else []),
            ]
        )  # fmt: skip


def _baseline(cluster: Tenants, ask: Ask) -> Baseline:
    answer = _answer(cluster, ask, f"drill-{secrets.token_hex(8)}")
    refused = _refusals(ask, answer)
    # Not there, or there already: that is found out behind every control. No kubelet answers here.
    arrived = not refused and (answer.status < 400 or answer.status in (404, 409) or bool(TO_KUBELET.search(ask.path)))
    return Baseline(arrived, f"HTTP {answer.status}" + ("" if arrived else f": {_line(answer.message)}"))


def _answer(cluster: Tenants, ask: Ask, audit_id: str) -> Answer:
    headers = {**ask.headers, "Audit-ID": audit_id}
    return cluster.ask(ask.who, ask.method, ask.path, ask.body, headers=headers)


def _refusals(ask: Ask, answer: Answer) -> set[str]:
    # What is let through to a kubelet fails there, since none answers: only 403 is a refusal.
    return set() if TO_KUBELET.search(ask.path) and answer.status != 403 else controls(answer)


def _of(pod: Mapping[str, Any], tenant: str) -> dict[str, Any]:
    return json.loads(json.dumps(pod).replace(f'"{pods.TENANT}-', f'"{tenant}-'))


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


_EVERYBODY_MAY: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "drill-everybody-may"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [
        {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name}
        for name in ("system:authenticated", "system:unauthenticated")
    ],
}
