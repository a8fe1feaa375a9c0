"""What the API server admits into a tenant's namespaces, beyond the `restricted` standard (claim E5).

Each rule is one line of a table: a name that appears in the denial, and a CEL expression that must hold. The same rules
judge pods and the templates of Jobs, Deployments and ReplicaSets, so that a bad Job is refused when it is submitted and
not when its pod silently fails to appear. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.labels import (
    AGENT_ACCOUNT,
    POOL_LABEL,
    QUARANTINE_LABEL,
    ROLE_LABEL,
    SANDBOX_ACCOUNT,
    SANDBOX_TAINT,
    TENANT_LABEL,
)
from infra.manifests import Json, Manifest, manifest
from infra.rbac import RESPONDER_GROUP

# Where the node's user data puts the profile, relative to the kubelet's seccomp directory.
SECCOMP_PROFILE = "sequester/sandbox.json"
GVISOR_RUNTIME_CLASS = "gvisor"
LONGEST_JOB_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Rule:
    """A CEL expression that must be true; `name` starts the message of the denial."""

    name: str
    must: str
    why: str

    def validation(self) -> Json:
        return {"expression": self.must, "message": f"{self.name}: {self.why}", "reason": "Forbidden"}


@dataclass(frozen=True)
class Target:
    """What a policy looks at: one line of a policy's match constraints."""

    group: str
    version: str
    resources: tuple[str, ...]
    operations: tuple[str, ...] = ("CREATE", "UPDATE")

    def rule(self) -> Json:
        return {
            "apiGroups": [self.group],
            "apiVersions": [self.version],
            "operations": list(self.operations),
            "resources": list(self.resources),
            "scope": "*",
        }


@dataclass(frozen=True)
class Policy:
    """A ValidatingAdmissionPolicy and its binding. It fails closed: an expression that errors is a denial."""

    name: str
    targets: tuple[Target, ...]
    rules: tuple[Rule, ...]
    namespaces: dict[str, str]  # labels of the namespaces it governs; empty: everywhere
    variables: tuple[tuple[str, str], ...] = ()
    only_when: tuple[tuple[str, str], ...] = ()

    def manifests(self) -> list[Manifest]:
        selector: dict[str, Json] = {"matchLabels": dict(self.namespaces)}
        return [
            manifest(
                "admissionregistration.k8s.io/v1",
                "ValidatingAdmissionPolicy",
                self.name,
                spec={
                    "failurePolicy": "Fail",
                    "matchConstraints": {"resourceRules": [target.rule() for target in self.targets]},
                    "matchConditions": _pairs(self.only_when),
                    "variables": _pairs(self.variables),
                    "validations": [rule.validation() for rule in self.rules],
                },
            ),
            manifest(
                "admissionregistration.k8s.io/v1",
                "ValidatingAdmissionPolicyBinding",
                self.name,
                spec={
                    "policyName": self.name,
                    # Audit as well: the annotation on the audit event is what tripwires read.
                    "validationActions": ["Deny", "Audit"],
                    "matchResources": {"namespaceSelector": selector},
                },
            ),
        ]


def policies(repositories: str, *, gvisor: bool) -> list[Policy]:
    """All of them. `repositories`: the registry path that holds ours, such as `<registry>/<name>`."""
    sandbox, agent = {ROLE_LABEL: "sandbox"}, {ROLE_LABEL: "agent"}
    sandbox_rules = (
        *_common_rules(f"{repositories}/sandbox", SANDBOX_ACCOUNT, "sandbox"),
        *_SANDBOX_RULES,
        _runtime_rule(gvisor=gvisor),
    )
    agent_rules = _common_rules(f"{repositories}/agent", AGENT_ACCOUNT, "system")
    return [
        *_of_pods("sequester-sandbox", sandbox_rules, sandbox),
        *_of_pods("sequester-agent", agent_rules, agent),
        Policy("sequester-sandbox-jobs", (Target("batch", "v1", ("jobs",)),), _JOB_RULES, sandbox),
        Policy("sequester-sandbox-kinds", _FOREIGN_KINDS, (_NO_SUCH_KIND,), sandbox),
        Policy("sequester-sandbox-doors", _SIDE_DOORS, (_NO_SIDE_DOOR,), sandbox),
        Policy("sequester-sandbox-tokens", _TOKENS, (_NO_TOKENS,), sandbox),
        Policy(
            "sequester-sandbox-attach",
            (Target("", "v1", ("pods/attach",), ("CONNECT",)),),
            (_OWN_AGENT_ATTACHES,),
            sandbox,
        ),
        Policy("sequester-agent-doors", _SIDE_DOORS, (_NO_SIDE_DOOR,), agent),
        Policy("sequester-agent-tokens", _TOKENS, (_ONLY_KUBELETS_ASK,), agent),
        Policy("sequester-agent-services", _SERVICES, _SERVICE_RULES, agent),
        Policy("sequester-agent-ingresses", _INGRESSES, (_NO_INGRESS,), agent),
        Policy("sequester-nodes", (Target("", "v1", ("nodes",), ("UPDATE",)),), _NODE_RULES, {}),
        Policy(
            "sequester-responder",
            (Target("", "v1", ("pods",), ("UPDATE",)),),
            _RESPONDER_RULES,
            {},
            only_when=(("is-responder", f"'{RESPONDER_GROUP}' in request.userInfo.groups"),),
        ),
    ]


def admission(repositories: str, *, gvisor: bool) -> list[Manifest]:
    return [item for policy in policies(repositories, gvisor=gvisor) for item in policy.manifests()]


def runtime_class() -> Manifest:
    """gVisor for all sandboxes. runsc ignores a pod's seccomp profile unless it runs with `--oci-seccomp`."""
    return manifest(
        "node.k8s.io/v1",
        "RuntimeClass",
        GVISOR_RUNTIME_CLASS,
        handler="runsc",
        scheduling={"nodeSelector": {POOL_LABEL: "sandbox"}},
    )


def _of_pods(name: str, rules: Sequence[Rule], namespaces: dict[str, str]) -> Iterable[Policy]:
    """The same rules on a pod and on the template that makes pods."""
    containers = "variables.spec.containers + (has(variables.spec.initContainers) ? variables.spec.initContainers : [])"
    pods = Target("", "v1", ("pods",))
    templates = (Target("batch", "v1", ("jobs",)), Target("apps", "v1", ("deployments", "replicasets")))
    for suffix, targets, spec in (
        ("pods", (pods,), "object.spec"),
        ("templates", templates, "object.spec.template.spec"),
    ):
        yield Policy(
            f"{name}-{suffix}",
            targets,
            tuple(rules),
            namespaces,
            variables=(("spec", spec), ("containers", containers)),
        )


def _common_rules(repository: str, account: str, pool: str) -> tuple[Rule, ...]:
    """What holds for every pod of a tenant, sandbox or agent."""
    keys = [SANDBOX_TAINT] if pool == "sandbox" else []
    allowed = [*keys, "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    return (
        Rule(
            "service-account",
            f"has(variables.spec.serviceAccountName) && variables.spec.serviceAccountName == '{account}'",
            f"pods here run as the service account {account}",
        ),
        Rule(
            "image-repository",
            f"variables.containers.all(c, c.image.startsWith('{repository}@'))",
            f"images come from {repository}",
        ),
        Rule(
            "image-digest",
            "variables.containers.all(c, c.image.matches('@sha256:[0-9a-f]{64}$'))",
            "images are named by digest (repository@sha256:...), since a tag can be moved",
        ),
        Rule(
            "no-pull-secret",
            "!has(variables.spec.imagePullSecrets) || size(variables.spec.imagePullSecrets) == 0",
            "the node pulls with its own role; a pod brings no registry credentials",
        ),
        Rule(
            "node-pool",
            f"has(variables.spec.nodeSelector) && '{POOL_LABEL}' in variables.spec.nodeSelector"
            f" && variables.spec.nodeSelector['{POOL_LABEL}'] == '{pool}'",
            f"pods here select the node pool {pool}",
        ),
        Rule(
            "no-node-name",
            "request.operation != 'CREATE' || !has(variables.spec.nodeName) || variables.spec.nodeName == ''",
            "the scheduler places pods: a named node skips its taints",
        ),
        Rule(
            "tolerations",
            f"!has(variables.spec.tolerations) || variables.spec.tolerations.all(t, has(t.key) && t.key in {allowed})",
            f"pods here tolerate only {', '.join(allowed)}",
        ),
        Rule(
            "no-priority",
            "!has(variables.spec.priorityClassName) || variables.spec.priorityClassName == ''",
            "a priority class could evict the system's pods",
        ),
        Rule(
            "linux",
            "!has(variables.spec.os) || variables.spec.os.name == 'linux'",
            "the restricted standard asks less of other systems",
        ),
        Rule(
            "no-user-namespace",
            "!has(variables.spec.hostUsers) || variables.spec.hostUsers",
            "the restricted standard asks less of pods in user namespaces",
        ),
        Rule(
            "dns",
            "(!has(variables.spec.dnsPolicy) || variables.spec.dnsPolicy == 'ClusterFirst')"
            " && !has(variables.spec.dnsConfig)",
            "names are CoreDNS's matter",
        ),
        Rule(
            "no-host-aliases",
            "!has(variables.spec.hostAliases) || size(variables.spec.hostAliases) == 0",
            "names are CoreDNS's matter",
        ),
        Rule(
            "no-probe-host",
            "variables.containers.all(c, "
            + " && ".join(
                f"!has(c.?{probe}.httpGet.host) && !has(c.?{probe}.tcpSocket.host)"
                for probe in ("livenessProbe", "readinessProbe", "startupProbe")
            )
            + ")",
            "the kubelet makes probes from the node's own network, to whatever host they name",
        ),
        Rule(
            "no-hooks",
            "variables.containers.all(c, !has(c.lifecycle))",
            "the kubelet makes hook requests from the node's own network",
        ),
        Rule(
            "no-host-port",
            "variables.containers.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))",
            "a port of the node is open to everyone who reaches the node",
        ),
        Rule(
            "no-devices",
            "!has(variables.spec.resourceClaims) || size(variables.spec.resourceClaims) == 0",
            "devices are not part of the model",
        ),
        Rule(
            "no-sysctl",
            "!has(variables.spec.securityContext) || !has(variables.spec.securityContext.sysctls)"
            " || size(variables.spec.securityContext.sysctls) == 0",
            "kernel settings are the node's",
        ),
    )


_SANDBOX_RULES = (
    Rule(
        "no-token",
        "has(variables.spec.automountServiceAccountToken) && !variables.spec.automountServiceAccountToken",
        "a sandbox has no identity: set automountServiceAccountToken: false",
    ),
    Rule(
        "empty-volumes",
        "!has(variables.spec.volumes) || variables.spec.volumes.all(v, has(v.emptyDir))",
        "a sandbox mounts empty directories only: no token, secret, config, claim, image or host path",
    ),
    Rule(
        "bounded-volumes",
        "!has(variables.spec.volumes) || variables.spec.volumes.all(v, !has(v.emptyDir) || has(v.emptyDir.sizeLimit))",
        "an empty directory has a sizeLimit",
    ),
    Rule(
        "literal-environment",
        "variables.containers.all(c, !has(c.envFrom) && (!has(c.env) || c.env.all(e, !has(e.valueFrom))))",
        "environment values are literal: no secrets, no addresses of the node",
    ),
    Rule(
        "seccomp",
        "has(variables.spec.securityContext) && has(variables.spec.securityContext.seccompProfile)"
        " && variables.spec.securityContext.seccompProfile.type == 'Localhost'"
        f" && variables.spec.securityContext.seccompProfile.localhostProfile == '{SECCOMP_PROFILE}'",
        f"a sandbox runs under the node's profile {SECCOMP_PROFILE}",
    ),
    Rule(
        "seccomp-everywhere",
        "variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.seccompProfile))",
        "no container has a profile of its own",
    ),
    Rule(
        "no-probes",
        "variables.containers.all(c, !has(c.livenessProbe) && !has(c.readinessProbe) && !has(c.startupProbe))",
        "nothing speaks to a sandbox but the stream that is attached to it",
    ),
)


def _runtime_rule(*, gvisor: bool) -> Rule:
    if gvisor:
        return Rule(
            "runtime-class",
            f"has(variables.spec.runtimeClassName) && variables.spec.runtimeClassName == '{GVISOR_RUNTIME_CLASS}'",
            f"sandboxes run under the runtime class {GVISOR_RUNTIME_CLASS}",
        )
    return Rule(
        "runtime-class",
        "!has(variables.spec.runtimeClassName)",
        "sandboxes run under the node's default runtime, whose filter is the one that was tried",
    )


_JOB_RULES = (
    Rule(
        "job-deadline",
        f"has(object.spec.activeDeadlineSeconds) && object.spec.activeDeadlineSeconds <= {LONGEST_JOB_SECONDS}",
        f"a Job ends: set activeDeadlineSeconds to at most {LONGEST_JOB_SECONDS}",
    ),
)

_FOREIGN_KINDS = (
    Target(
        "",
        "v1",
        ("services", "endpoints", "persistentvolumeclaims", "podtemplates", "replicationcontrollers", "secrets"),
    ),
    Target("apps", "v1", ("daemonsets", "statefulsets", "controllerrevisions")),
    Target("batch", "v1", ("cronjobs",)),
    Target("discovery.k8s.io", "v1", ("endpointslices",)),
    Target("networking.k8s.io", "v1", ("ingresses",)),
)
_NO_SUCH_KIND = Rule(
    "kind", "false", "a sandbox namespace holds Jobs, warm Deployments, their pods and Leases; no names, no storage"
)

_SIDE_DOORS = (
    Target("", "v1", ("pods/exec", "pods/portforward", "pods/proxy", "services/proxy"), ("CONNECT",)),
    Target("", "v1", ("pods/ephemeralcontainers",), ("UPDATE",)),
)
_TOKENS = (Target("", "v1", ("serviceaccounts/token",), ("CREATE",)),)
_NO_SIDE_DOOR = Rule("side-door", "false", "no second process and no tunnel: code goes in over attach, and only there")
_NO_TOKENS = Rule("no-tokens", "false", "nobody gets a token for a sandbox's service account")
_ONLY_KUBELETS_ASK = Rule(
    "kubelet-tokens",
    "'system:nodes' in request.userInfo.groups",
    "an agent's token is issued to the kubelet that runs its pod, and to nobody else",
)

_OWN_AGENT_ATTACHES = Rule(
    "own-agent",
    "request.userInfo.username == 'system:serviceaccount:'"
    f" + namespaceObject.metadata.labels['{TENANT_LABEL}'] + '-agent:{AGENT_ACCOUNT}'",
    "only the tenant's own agent attaches",
)

_SERVICES = (Target("", "v1", ("services",)),)
_SERVICE_RULES = (
    Rule(
        "cluster-service",
        "!has(object.spec.type) || object.spec.type == 'ClusterIP'",
        "only ClusterIP services: no load balancer, no node port, no name of a foreign host",
    ),
    Rule(
        "no-external-ips",
        "!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0",
        "a service cannot claim addresses of others (CVE-2020-8554)",
    ),
)

_INGRESSES = (Target("networking.k8s.io", "v1", ("ingresses",)),)
_NO_INGRESS = Rule("no-ingress", "false", "nothing is published from here")

# Nobody converts a node, whatever credentials root on a sandbox node finds there: nodes are replaced.
_NODE_RULES = (
    Rule(
        "node-pool-for-life",
        f"oldObject.metadata.?labels[?'{POOL_LABEL}'] == object.metadata.?labels[?'{POOL_LABEL}']",
        "a node stays in its pool",
    ),
    Rule(
        "taint-for-life",
        "!has(oldObject.spec.taints) ||"
        f" !oldObject.spec.taints.exists(t, t.key == '{SANDBOX_TAINT}') ||"
        f" (has(object.spec.taints) && object.spec.taints.exists(t, t.key == '{SANDBOX_TAINT}'"
        " && t.effect == 'NoSchedule'))",
        "a sandbox node keeps its taint",
    ),
)

_OLD_LABELS, _NEW_LABELS = "oldObject.metadata.?labels.orValue({})", "object.metadata.?labels.orValue({})"
_RESPONDER_RULES = (
    Rule(
        "responder-spec",
        "object.spec == oldObject.spec && object.metadata.?annotations == oldObject.metadata.?annotations"
        " && object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences"
        " && object.metadata.?finalizers == oldObject.metadata.?finalizers",
        "quarantine changes labels, nothing else",
    ),
    Rule(
        "responder-label",
        f"{_NEW_LABELS}.all(k, k == '{QUARANTINE_LABEL}' || {_OLD_LABELS}[?k] == {_NEW_LABELS}[?k])"
        f" && {_OLD_LABELS}.all(k, k == '{QUARANTINE_LABEL}' || k in {_NEW_LABELS})",
        f"quarantine sets or clears {QUARANTINE_LABEL} and changes no other label",
    ),
)


def _pairs(pairs: Iterable[tuple[str, str]]) -> Json:
    return [{"name": name, "expression": expression} for name, expression in pairs]
