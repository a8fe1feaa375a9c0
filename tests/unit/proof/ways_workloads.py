"""Ways out by what is admitted or exists already in a sandbox namespace (E5)."""

from collections.abc import Callable
from typing import Any

from ways_edits import SANDBOX, Change, Rows, addon, pods_admission

PODS_POLICY = "sequester-sandbox-pods"


def admission(name: str, change: Callable[[Any], object]) -> Change:
    return lambda w: w.edit("ValidatingAdmissionPolicy", name, "", change)


def binding(name: str, change: Callable[[Any], object]) -> Change:
    return lambda w: w.edit("ValidatingAdmissionPolicyBinding", name, "", change)


def namespace(**labels: str) -> Change:
    return lambda w: w.edit("Namespace", SANDBOX, "", lambda m: m["metadata"]["labels"].update(labels))


def without_rule(word: str) -> Change:
    def change(policy: Any) -> None:
        kept = [v for v in policy["spec"]["validations"] if not v["message"].startswith(f"{word}:")]
        assert len(kept) < len(policy["spec"]["validations"]), word
        policy["spec"]["validations"] = kept

    return admission(PODS_POLICY, change)


def rule(word: str, edit: Callable[[str], str]) -> Change:
    """Another expression for a rule of the pods' policy."""

    def change(policy: Any) -> None:
        for validation in policy["spec"]["validations"]:
            if validation["message"].startswith(word):
                validation["expression"] = edit(validation["expression"])

    return admission(PODS_POLICY, change)


def thing(kind: str, spec: dict[str, Any], api: str = "v1") -> Change:
    meta = {"name": "x", "namespace": SANDBOX}
    return lambda w: w.apply({"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec})


def pod(**spec: Any) -> Change:
    return thing("Pod", {"containers": [{"name": "c", "image": "x"}], **spec})


def container(**fields: Any) -> Change:
    return pod(containers=[{"name": "c", "image": "x", **fields}])


# Rules of the pods' policy that are missed when they are gone, and those beside which another rule refuses the same.
NEEDED = (
    "service-account",
    "image-repository",
    "no-pull-secret",
    "node-pool",
    "no-node-name",
    "tolerations",
    "linux",
    "no-user-namespace",
    "no-hooks",
    "no-devices",
    "no-token",
    "empty-volumes",
    "seccomp",
    "seccomp-everywhere",
    "runtime-class",
)
BESIDE = (
    "image-digest",
    "no-priority",
    "dns",
    "no-host-aliases",
    "no-probe-host",
    "no-host-port",
    "no-sysctl",
    "bounded-volumes",
    "literal-environment",
    "no-probes",
)


WORKLOADS: dict[str, Change] = {
    "not strict": lambda w: addon(w, "NETWORK_POLICY_ENFORCING_MODE", None),
    "standard mode": lambda w: addon(w, "NETWORK_POLICY_ENFORCING_MODE", "standard"),
    "no enforcement": lambda w: w.set("Addon", "sequester-vpc-cni", configurationValues="{}"),
    "no plugin": lambda w: w.without("Addon", "sequester-vpc-cni"),
    "baseline standard": lambda w: w.edit(
        "Namespace",
        SANDBOX,
        "",
        lambda m: m["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "baseline"}),
    ),
    "no standard": lambda w: w.edit("Namespace", SANDBOX, "", lambda m: m["metadata"].update(labels={})),
    "a warning only": lambda w: w.edit(
        "Namespace",
        SANDBOX,
        "",
        lambda m: m["metadata"].update(labels={"pod-security.kubernetes.io/warn": "restricted"}),
    ),
    "fails open": pods_admission(lambda m: m["spec"].update(failurePolicy="Ignore")),
    "no validations": pods_admission(lambda m: m["spec"].update(validations=[])),
    "a pod in the host's network": lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"hostNetwork": True},
        }
    ),
    "a job in the host's network": lambda w: w.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"template": {"spec": {"hostNetwork": True}}},
        }
    ),
    "an external name": lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"type": "ExternalName", "externalName": "collector.example.com"},
        }
    ),
    "a token": lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"automountServiceAccountToken": True},
        }
    ),
}


FURTHER: Rows = {
    "pods binding gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicyBinding", PODS_POLICY)),
    "pods policy gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicy", PODS_POLICY)),
    "doors binding gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicyBinding", "sequester-sandbox-doors")),
    "tokens binding gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicyBinding", "sequester-sandbox-tokens")),
    "attach binding gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicyBinding", "sequester-sandbox-attach")),
    "kinds binding gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicyBinding", "sequester-sandbox-kinds")),
    "nodes binding gone": ("E5", "blueprint", lambda w: w.unapply("ValidatingAdmissionPolicyBinding", "sequester-nodes")),
    "warn": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"].update(validationActions=["Warn"]))),
    "audit": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"].update(validationActions=["Audit"]))),
    "binding other namespace": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"]["matchResources"].update(namespaceSelector={"matchLabels": {"sequester.dev/role": "agent"}}))),
    "binding excludes tenant": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"]["matchResources"].update(namespaceSelector={"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [SANDBOX]}]}))),
    "binding object selector": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"]["matchResources"].update(objectSelector={"matchLabels": {"app": "x"}}))),
    "binding object selector NotIn": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"]["matchResources"].update(objectSelector={"matchExpressions": [{"key": "debug", "operator": "DoesNotExist"}]}))),
    "binding resource rules": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"]["matchResources"].update(resourceRules=[{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}]))),
    "binding exclude rules": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"]["matchResources"].update(excludeResourceRules=[{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]))),
    "binding param": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"].update(paramRef={"name": "x"}))),
    "policy param kind": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(paramKind={"kind": "X"}))),
    "policy name typo in binding": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"].update(policyName="sequester-sandbox-pod"))),
    "match condition on label": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(matchConditions=[{"name": "x", "expression": "!('debug' in object.metadata.?labels.orValue({}))"}]))),
    "match condition on user": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(matchConditions=[{"name": "x", "expression": "request.userInfo.username != 'system:serviceaccount:kube-system:job-controller'"}]))),
    "match condition on name": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(matchConditions=[{"name": "x", "expression": "object.metadata.name != 'debug'"}]))),
    "match condition false": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(matchConditions=[{"name": "x", "expression": "false"}]))),
    "only create": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"]["resourceRules"][0].update(operations=["CREATE"]))),
    "only update": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"]["resourceRules"][0].update(operations=["UPDATE"]))),
    "wrong resource": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"]["resourceRules"][0].update(resources=["pod"]))),
    "wrong group": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"]["resourceRules"][0].update(apiGroups=["apps"]))),
    "resource names": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"]["resourceRules"][0].update(resourceNames=["x"]))),
    "scope cluster": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"]["resourceRules"][0].update(scope="Cluster"))),
    "policy namespace selector": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["matchConstraints"].update(namespaceSelector={"matchLabels": {"x": "y"}}))),
    "failure ignore": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(failurePolicy="Ignore"))),
    "all to exists": ("E5", "blueprint", rule("image-repository", lambda e: e.replace(".all(", ".exists("))),
    "prefix shortened": ("E5", "blueprint", rule("image-repository", lambda e: e.replace("/sequester/sandbox@", ""))),
    "contains": ("E5", "blueprint", rule("image-repository", lambda e: e.replace("startsWith", "contains"))),
    "spec containers only": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"]["variables"][1].update(expression="variables.spec.containers"))),
    "or true": ("E5", "blueprint", rule("seccomp:", lambda e: e+" || true")),
    "or label": ("E5", "blueprint", rule("seccomp:", lambda e: f"({e}) || has(object.metadata.labels) && 'trusted' in object.metadata.labels")),
    "or name": ("E5", "blueprint", rule("service-account", lambda e: f"({e}) || object.metadata.name.startsWith('debug')")),
    "negated token": ("E5", "blueprint", rule("no-token", lambda e: "!has(variables.spec.automountServiceAccountToken) || !variables.spec.automountServiceAccountToken")),
    "sa by prefix": ("E5", "blueprint", rule("service-account", lambda e: "variables.spec.serviceAccountName.startsWith('s')")),
    "volumes allow csi": ("E5", "blueprint", rule("empty-volumes", lambda e: e.replace("has(v.emptyDir)", "has(v.emptyDir) || has(v.csi)"))),
    "volumes allow projected": ("E5", "blueprint", rule("empty-volumes", lambda e: e.replace("has(v.emptyDir)", "has(v.emptyDir) || has(v.projected)"))),
    "unknown function": ("E5", "blueprint", rule("seccomp:", lambda e: "authorizer.group('').resource('pods').check('create').allowed()")),
    "syntax error": ("E5", "blueprint", rule("seccomp:", lambda e: "has(")),
    "psa version": ("E5", "blueprint", namespace(**{"pod-security.kubernetes.io/enforce-version": "v1.18"})),
    "psa privileged": ("E5", "blueprint", namespace(**{"pod-security.kubernetes.io/enforce": "privileged"})),
    "psa upper-case": ("E5", "blueprint", namespace(**{"pod-security.kubernetes.io/enforce": "Restricted"})),
    "role label gone": ("E5", "blueprint", lambda w: w.edit("Namespace", SANDBOX, "", lambda m: m["metadata"]["labels"].pop("sequester.dev/role"))),
    "role label changed": ("E5", "blueprint", namespace(**{"sequester.dev/role": "agent"})),
    "namespace not in plan": ("E5", "blueprint", lambda w: w.unapply("Namespace", SANDBOX)),
    "hostPID": ("E5", "blueprint", pod(hostPID=True)),
    "privileged": ("E5", "blueprint", container(securityContext={"privileged": True})),
    "caps": ("E5", "blueprint", container(securityContext={"capabilities": {"add": ["NET_RAW"]}})),
    "procMount": ("E5", "blueprint", container(securityContext={"procMount": "Unmasked"})),
    "hostPort": ("E5", "blueprint", container(ports=[{"containerPort": 80, "hostPort": 80}])),
    "hostPath": ("E5", "blueprint", pod(volumes=[{"name": "x", "hostPath": {"path": "/"}}])),
    "projected token": ("E5", "blueprint", pod(volumes=[{"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}])),
    "cron job host network": ("E5", "blueprint", thing("CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"hostNetwork": True}}}}}, "batch/v1")),
    "daemon set privileged": ("E5", "blueprint", thing("DaemonSet", {"template": {"spec": {"containers": [{"name": "c", "image": "x", "securityContext": {"privileged": True}}]}}}, "apps/v1")),
    "stateful set": ("E5", "blueprint", thing("StatefulSet", {"template": {"spec": {"hostIPC": True}}}, "apps/v1")),
    "init container caps": ("E5", "blueprint", pod(initContainers=[{"name": "i", "image": "x", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}])),
    "service LB": ("E5", "blueprint", thing("Service", {"type": "LoadBalancer"})),
    "service externalIPs": ("E5", "blueprint", thing("Service", {"externalIPs": ["203.0.113.7"]})),
    "endpoint slice": ("E5", "blueprint", thing("EndpointSlice", {}, "discovery.k8s.io/v1")),
    "ingress": ("E5", "blueprint", thing("Ingress", {}, "networking.k8s.io/v1")),
    "webhook url": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "x"}, "webhooks": [{"name": "a", "clientConfig": {"url": "https://collector.example/"}}]})),
    "mutating webhook url": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "x"}, "webhooks": [{"name": "a", "clientConfig": {"url": "https://collector.example/"}}]})),
    "crd conversion url": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}, "spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://collector.example"}}}}})),
    "np mode upper": ("E5", "blueprint", lambda w: addon(w, "NETWORK_POLICY_ENFORCING_MODE", "Strict")),
} | {f"rule dropped: {n}": ("E5", "blueprint", without_rule(n)) for n in NEEDED}  # fmt: skip

UNDECIDED: Rows = {
}  # fmt: skip

HARMLESS: Rows = {
    "deny only": ("E5", "blueprint", binding(PODS_POLICY, lambda m: m["spec"].update(validationActions=["Deny"]))),
    "match condition true": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(matchConditions=[{"name": "x", "expression": "true"}]))),
    "match condition namespaced": ("E5", "blueprint", admission(PODS_POLICY, lambda m: m["spec"].update(matchConditions=[{"name": "x", "expression": "request.namespace != 'kube-system'"}]))),
    "digest optional": ("E5", "blueprint", rule("image-digest", lambda e: "variables.containers.all(c, c.image.contains('@') || c.image.endsWith(':latest'))")),
    "psa version latest": ("E5", "blueprint", namespace(**{"pod-security.kubernetes.io/enforce-version": "latest"})),
    "psa version recent": ("E5", "blueprint", namespace(**{"pod-security.kubernetes.io/enforce-version": "v1.34"})),
    "service plain": ("E5", "blueprint", thing("Service", {"selector": {"a": "b"}})),
    "webhook service": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "x"}, "webhooks": [{"name": "a", "clientConfig": {"service": {"name": "x", "namespace": "kube-system"}}}]})),
    "runtime class elsewhere": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "x"}, "handler": "runc"})),
    "deny all extra policy": ("E5", "blueprint", lambda w: w.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "n"}, "spec": {"matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}]}, "validations": [{"expression": "false"}]}}, {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "n"}, "spec": {"policyName": "n", "validationActions": ["Deny"]}})),
} | {f"rule dropped: {n}": ("E5", "blueprint", without_rule(n)) for n in BESIDE}  # fmt: skip
