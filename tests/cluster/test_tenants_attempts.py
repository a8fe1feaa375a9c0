"""Everything in the table of attempts is tried on a real API server, with every control and with each one gone."""

from collections.abc import Generator
from typing import Any

import pytest
from loosened import without_each_rule

import tools
from infra.labels import AGENT_ACCOUNT
from infra.rbac import AGENT_GRANTS, tenant_roles
from sequester.cloud import control_plane as planes
from sequester.drill import pods as table
from sequester.drill.api_requests import ALLOWED, REQUESTS, Request
from sequester.drill.pods import AGENT_POD_ATTEMPTS, POD_ATTEMPTS, SANDBOX, PodAttempt, edited
from sequester.drill.tenants import Tenants, build, every_policy, settle

pytestmark = [pytest.mark.lane("cluster", *planes.EXECUTABLES), pytest.mark.xdist_group("tenants")]

_EVERY_POD = tuple((table.BENIGN_POD, attempt) for attempt in POD_ATTEMPTS) + tuple(
    (table.BENIGN_AGENT_POD, attempt) for attempt in AGENT_POD_ATTEMPTS
)
_PODS = [pytest.param(base, attempt, id=attempt.name) for base, attempt in _EVERY_POD]


@pytest.fixture(scope="module")
def cluster() -> Generator[Tenants]:
    with planes.running(tools.find, nodes=(table.NODE, table.AGENT_NODE), service_cidr="172.20.0.0/16") as plane:
        made = build(plane, (table.TENANT, table.OTHER), table.BENIGN_POD, table.BENIGN_AGENT_POD,
                     edited(table.job(table.BENIGN_POD), {"spec.suspend": True}))  # fmt: skip
        settle(lambda: bool(made.pod_refused_by(edited(table.BENIGN_POD, {"spec.hostAliases": [{"ip": "192.0.2.1"}]}))),
               "the policies hold")  # fmt: skip
        settle(lambda: not made.pod_refused_by(table.BENIGN_POD), "the quota is counted")
        yield made


@pytest.fixture(scope="module")
def loosened(cluster: Tenants) -> dict[str, str]:
    """Rule → a namespace where all but this rule holds."""
    made = without_each_rule(cluster, table.BENIGN_POD, table.BENIGN_AGENT_POD)
    for role, base in (("sandbox", table.BENIGN_POD), ("agent", table.BENIGN_AGENT_POD)):
        metadata = {**base["metadata"], "namespace": made[f"{role}/no-sysctl"], "name": "probe"}
        probe = edited(base, {"metadata": metadata, "spec.hostAliases": [{"ip": "192.0.2.1"}]})
        settle(lambda probe=probe: bool(cluster.pod_refused_by(probe)), "the loosened policies hold")
    return made


def test_the_table_is_as_wide_as_it_should_be() -> None:
    names = [attempt.name for attempt in (*POD_ATTEMPTS, *AGENT_POD_ATTEMPTS, *REQUESTS)]
    assert len(names) == len(set(names))
    assert len(names) >= 150


@pytest.mark.parametrize(("base", "attempt"), _PODS)
def test_a_pod_is_refused(cluster: Tenants, base: dict[str, Any], attempt: PodAttempt) -> None:
    assert attempt.by in cluster.pod_refused_by(edited(base, attempt.edits) | _named("attempt", base))


@pytest.mark.parametrize("attempt", POD_ATTEMPTS, ids=lambda attempt: attempt.name)
def test_a_job_makes_no_such_pod(cluster: Tenants, attempt: PodAttempt) -> None:
    """The agent submits it as it can: the Job is refused, or else the pod that the controller makes from it."""
    pod = edited(table.BENIGN_POD, attempt.edits) | _named("attempt", table.BENIGN_POD)
    early = cluster.refused_by("agent", "POST", f"/apis/batch/v1/namespaces/{SANDBOX}/jobs", table.job(pod))
    if attempt.by.startswith("VAP:") and attempt.by != "VAP:no-node-name":
        assert attempt.by in early, "a rule of ours refuses the Job at once, not its pod later"
    assert early or cluster.pod_refused_by(pod)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_a_request_is_refused(cluster: Tenants, request_: Request) -> None:
    found = _try(cluster, request_)
    assert found & set(request_.by.split("|")), found


@pytest.mark.parametrize("request_", ALLOWED, ids=lambda request: request.name)
def test_daily_work_goes_on(cluster: Tenants, request_: Request) -> None:
    assert _try(cluster, request_) == set()


@pytest.mark.parametrize("base", [table.BENIGN_POD, table.BENIGN_AGENT_POD], ids=["sandbox", "agent"])
def test_the_benign_pod_is_admitted(cluster: Tenants, base: dict[str, Any]) -> None:
    assert cluster.pod_refused_by(base | _named("one-more", base)) == set()


def test_no_rule_is_without_an_attempt() -> None:
    tried = {attempt.by.removeprefix("VAP:") for attempt in (*POD_ATTEMPTS, *AGENT_POD_ATTEMPTS, *REQUESTS)}
    assert {rule.name for policy in every_policy() for rule in policy.rules} - tried == _SHADOWED.keys()


# Rules that another control always precedes: a second layer. The first two are tried with the first one gone.
_SHADOWED = {"no-host-port": "host-port", "no-probe-host": "probe-to-metadata"}
_ALWAYS_PRECEDED = {*((role, rule) for role in ("sandbox", "agent") for rule in _SHADOWED), ("sandbox", "linux")}

_RULES = sorted(
    {(role, rule.name) for policy in every_policy() for role in policy.namespaces.values() for rule in policy.rules}
)


@pytest.mark.parametrize(("role", "rule"), _RULES, ids=["-".join(key) for key in _RULES])
def test_without_a_rule_its_attempts_get_through(
    cluster: Tenants, loosened: dict[str, str], role: str, rule: str
) -> None:
    """Each rule is what stops something: the same attempt, all else being equal, is admitted where it is missing."""
    namespace, home = loosened[f"{role}/{rule}"], f"{table.TENANT}-{role}"
    base, every = (
        (table.BENIGN_POD, POD_ATTEMPTS) if role == "sandbox" else (table.BENIGN_AGENT_POD, AGENT_POD_ATTEMPTS)
    )
    edits = [attempt.edits for attempt in every if attempt.by == f"VAP:{rule}"]
    if role == "agent" and not edits:  # the rules are the same as the sandbox's, tried there one by one
        edits = [attempt.edits for attempt in POD_ATTEMPTS if attempt.by == f"VAP:{rule}"]
    found = [
        cluster.pod_refused_by(edited(base, {**edit, "metadata.namespace": namespace, "metadata.name": "attempt"}))
        for edit in edits
    ]
    for request in REQUESTS:
        if request.by == f"VAP:{rule}" and f"/namespaces/{home}/" in request.path:
            body = request.body
            if body and "namespace" in body.get("metadata", {}):
                body = edited(body, {"metadata.namespace": namespace})
            path = request.path.replace(home, namespace)
            found.append(cluster.refused_by("admin", request.method, path, body, headers=request.headers))
    if (role, rule) in _ALWAYS_PRECEDED:
        assert all(rule not in " ".join(by) for by in found)
    else:
        assert set() in found, found


def test_without_the_standard_its_attempts_meet_the_second_layer_or_get_through(cluster: Tenants) -> None:
    standard = [attempt for attempt in POD_ATTEMPTS if attempt.by == "PSA"]
    key = "pod-security.kubernetes.io/enforce"
    namespace = next(item for item in cluster.manifests if item["kind"] == "Namespace" and _name(item) == SANDBOX)
    first = edited(table.BENIGN_POD, standard[0].edits) | _named("attempt", table.BENIGN_POD)
    try:
        cluster.apply([edited(namespace, {"metadata.labels": {**_labels(namespace), key: "privileged"}})])
        settle(lambda: "PSA" not in cluster.pod_refused_by(first), "the standard is off")
        found = {
            attempt.name: cluster.pod_refused_by(
                edited(table.BENIGN_POD, attempt.edits) | _named("attempt", table.BENIGN_POD)
            )
            for attempt in standard
        }
    finally:
        cluster.apply([namespace])
        settle(lambda: "PSA" in cluster.pod_refused_by(first), "the standard is on again")
    assert not any("PSA" in by for by in found.values())
    through = {name for name, by in found.items() if not by}
    assert through >= {"host-network", "host-pid", "host-ipc", "privileged", "net-admin", "net-raw", "root-user"}
    for rule, name in _SHADOWED.items():
        assert f"VAP:{rule}" in found[name]


def test_without_the_rules_on_nodes_and_the_responder_their_attempts_get_through(cluster: Tenants) -> None:
    names = {"sequester-nodes", "sequester-responder"}
    bindings = [
        item
        for item in cluster.manifests
        if item["kind"] == "ValidatingAdmissionPolicyBinding" and _name(item) in names
    ]
    rules = {f"VAP:{rule.name}" for policy in every_policy() if policy.name in names for rule in policy.rules}
    concerned = [request for request in REQUESTS if request.by in rules]
    assert {request.by for request in concerned} == rules
    try:
        for item in bindings:
            cluster.plane.admin.request("DELETE", cluster.plane.admin.path(item)).or_raise()
        for request in concerned:
            settle(lambda request=request: _try(cluster, request) == set(), f"{request.name} gets through")
    finally:
        cluster.apply(bindings)
        for request in concerned:
            settle(lambda request=request: request.by in _try(cluster, request), f"{request.name} is refused again")


def test_without_rbac_its_attempts_meet_admission_or_get_through(cluster: Tenants) -> None:
    concerned = [request for request in REQUESTS if request.by == "RBAC" and request.who == "agent"]
    everything: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "agent-may-do-everything"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": AGENT_ACCOUNT, "namespace": table.AGENT}],
    }
    # Of these nothing is stored: dry runs, reads, and connections to a kubelet that is not there.
    try:
        cluster.apply([everything])
        settle(lambda: _try(cluster, concerned[0]) != {"RBAC"}, "the agent may do everything")
        found = {request.name: _try(cluster, request) for request in concerned}
    finally:
        cluster.plane.admin.request("DELETE", cluster.plane.admin.path(everything))
        settle(lambda: _try(cluster, concerned[0]) == {"RBAC"}, "the agent may do little again")
    assert not any("RBAC" in by for by in found.values())
    through = {name for name, by in found.items() if not by}
    assert through >= {
        "create-namespace",
        "read-secrets",
        "delete-network-policy",
        "impersonate-admin",
        "read-all-pods",
    }
    assert found["exec"] == {"VAP:side-door"}
    assert found["external-name"] == {"VAP:kind"}


@pytest.mark.parametrize("grant", AGENT_GRANTS, ids=lambda grant: grant.resource.replace("/", "-"))
def test_each_grant_is_needed(cluster: Tenants, grant: Any) -> None:
    """Without it, something that agents do every day is refused: the table holds no right too many."""
    role = next(item for item in tenant_roles(table.TENANT) if item["kind"] == "Role" and _name(item) == "agent")
    concerned = [request for request in ALLOWED if request.who == "agent" and _resource(request) == grant.resource]
    assert concerned
    rules: Any = role["rules"]
    try:
        cluster.apply([edited(role, {"rules": [rule for rule in rules if rule["resources"] != [grant.resource]]})])
        for request in concerned:
            settle(lambda request=request: _try(cluster, request) == {"RBAC"}, f"{request.name} is refused")
    finally:
        cluster.apply([role])
        for request in concerned:
            settle(lambda request=request: _try(cluster, request) == set(), f"{request.name} is allowed again")


def test_the_server_finds_no_fault_in_the_expressions(cluster: Tenants) -> None:
    """The controller checks each expression's types against the schemas of all that the policy matches."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"

    def checked() -> list[Any]:
        items: Any = cluster.plane.admin.request("GET", path).or_raise()["items"]
        return [item for item in items if item["metadata"]["name"] in {policy.name for policy in every_policy()}]

    settle(lambda: all("typeChecking" in item.get("status", {}) for item in checked()), "all are checked")
    assert {item["metadata"]["name"]: item["status"]["typeChecking"] for item in checked()} == {
        policy.name: {} for policy in every_policy()
    }


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("exec", "authorization.k8s.io/decision"),
        ("exec-as-admin", "validation.policy.admission.k8s.io/validation_failure"),
        ("endless-job", "validation.policy.admission.k8s.io/validation_failure"),
    ],
)
def test_a_refusal_is_in_the_audit_log_with_what_tripwires_read(cluster: Tenants, name: str, annotation: str) -> None:
    request = next(request for request in REQUESTS if request.name == name)
    assert _try(cluster, request)
    user = "admin" if request.who == "admin" else f"system:serviceaccount:{table.AGENT}:{AGENT_ACCOUNT}"

    event = cluster.plane.audited(
        lambda event: (
            event.user == user
            and event.namespace == SANDBOX
            and event.resource == _resource(request)
            and event.code == 403
            and (request.by.removeprefix("VAP:") if "VAP" in request.by else "forbid")
            in event.annotations.get(annotation, "")
        )
    )
    assert event.verb == "create"


def test_a_pod_that_the_standard_refuses_is_in_the_audit_log(cluster: Tenants) -> None:
    assert cluster.pod_refused_by(edited(table.BENIGN_POD, {"spec.hostNetwork": True, "metadata.name": "seen"}))
    event = cluster.plane.audited(lambda event: "violates PodSecurity" in event.message)
    assert (event.resource, event.code) == ("pods", 403)
    assert event.annotations["pod-security.kubernetes.io/enforce-policy"] == "restricted:v1.35"


def _name(item: Any) -> str:
    return str(item["metadata"]["name"])


def _labels(item: Any) -> dict[str, str]:
    return item["metadata"]["labels"]


def _resource(request: Request) -> str:
    """`pods/attach` of a path such as `.../namespaces/x/pods/victim/attach?stdin=true`."""
    kind, *rest = request.path.partition("?")[0].partition(f"/namespaces/{SANDBOX}/")[2].split("/")
    return "/".join((kind, *rest[1:]))


def _named(name: str, base: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {**base["metadata"], "name": name}}


def _try(cluster: Tenants, request: Request) -> set[str]:
    return cluster.refused_by(request.who, request.method, request.path, request.body, headers=request.headers)
