"""Claim E5: whatever is admitted to a sandbox namespace stays under the policies, from its first packet on."""

from collections.abc import Iterator, Mapping

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.export import namespaces
from sequester.proof.facts import items, mapping
from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.proof.verdict import Hop, Verdict, Witness

_ENFORCE = "pod-security.kubernetes.io/enforce"
_STRICT = "NETWORK_POLICY_ENFORCING_MODE"
# What the `restricted` standard does not refuse, and a validation must: words that its expression has to speak of.
# An expression is read for these only; that it refuses is tried on a real API server (tests/cluster).
_BEYOND = {
    "a service account token": "automountserviceaccounttoken",
    "a foreign service account": "serviceaccountname",
    "a host port": "hostport",
    "a foreign seccomp profile": "seccompprofile",
    "an image from elsewhere": "image",
    "another runtime class": "runtimeclassname",
}
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_ASSUMED = (
    "the API server enforces the `restricted` Pod Security Standard as documented",
    "admission expressions are recognised by the fields they speak of; that they refuse is tried, not proved",
)


def workloads(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    sandboxes = [n for n in namespaces(model) if selector.role_of_namespace(n) == "sandbox"]
    findings.take(_standard(model, sandboxes))
    findings.take(_admission(model, sandboxes))
    findings.take(_pods(model, sandboxes))
    if sandboxes:
        findings.take(_enforcement(model))
    return findings.verdict("E5", model, selector, _ASSUMED)


def _standard(model: Model, sandboxes: list[str]) -> Iterator[Finding]:
    labels = {
        str(mapping(m.get("metadata"), "metadata").get("name")): mapping(
            mapping(m.get("metadata"), "metadata").get("labels"), "labels"
        )
        for m in model.manifests
        if m.get("kind") == "Namespace"
    }
    for name in sandboxes:
        if name not in labels:
            yield f"namespace {name} is used but not defined in the facts: its labels are not known"
            continue
        level = labels[name].get(_ENFORCE)
        if level != "restricted":
            yield Witness(
                f"{name} admits pods in the host's network",
                (
                    Hop(f"namespace {name}", f"{_ENFORCE}: {level or 'not set'}"),
                    Hop("a pod with hostNetwork", "has no policy"),
                ),
                f"label namespace {name} {_ENFORCE}: restricted",
            )
        else:
            yield Obligation(f"namespace {name}", "enforces the restricted standard")


def _admission(model: Model, sandboxes: list[str]) -> Iterator[Finding]:
    bound: dict[str, Mapping[str, object]] = {}
    for m in model.manifests:
        if m.get("kind") == "ValidatingAdmissionPolicyBinding":
            spec = mapping(m.get("spec"), "binding")
            if "Deny" in [str(a) for a in items(spec.get("validationActions"), "validationActions")]:
                bound[str(spec.get("policyName"))] = spec
    text = ""
    for m in model.manifests:
        name = str(mapping(m.get("metadata"), "metadata").get("name"))
        if m.get("kind") != "ValidatingAdmissionPolicy" or name not in bound:
            continue
        spec = mapping(m.get("spec"), name)
        if spec.get("failurePolicy", "Fail") != "Fail":
            yield Witness(
                f"{name} admits whatever it fails to judge",
                (Hop(name, "failurePolicy: Ignore"),),
                f"set failurePolicy of {name} to Fail",
            )
        if _on_pods(spec):
            text += " ".join(
                str(mapping(v, name).get("expression")) for v in items(spec.get("validations"), f"{name} validations")
            ).lower()
    for what, word in _BEYOND.items() if sandboxes else ():
        if word in text:
            yield Obligation(what, f"a validation of pods speaks of {word}")
        else:
            yield Witness(
                f"a sandbox pod may have {what}",
                (
                    Hop("the restricted standard", f"does not refuse {what}"),
                    Hop("admission", f"no validation of {word}"),
                ),
                f"add a ValidatingAdmissionPolicy on pods that judges {word}",
                absent=True,
            )


def _on_pods(spec: Mapping[str, object]) -> bool:
    constraints = mapping(spec.get("matchConstraints"), "matchConstraints")
    rules = [mapping(r, "resourceRules") for r in items(constraints.get("resourceRules"), "resourceRules")]
    return any("pods" in [str(x) for x in items(r.get("resources"), "resources")] for r in rules)


def _pods(model: Model, sandboxes: list[str]) -> Iterator[Finding]:
    """Pods and templates that the facts hold already: those of other ways in (static, older than admission)."""
    for m in model.manifests:
        meta = mapping(m.get("metadata"), "metadata")
        if meta.get("namespace") not in sandboxes:
            continue
        spec = mapping(m.get("spec"), "spec")
        where = f"{m.get('kind')} {meta.get('namespace')}/{meta.get('name')}"
        if m.get("kind") == "Service" and spec.get("type") in ("ExternalName", "LoadBalancer", "NodePort"):
            yield Witness(f"{where} is a {spec['type']}", (Hop(where, f"type: {spec['type']}"),), f"remove {where}")
        pod = spec if m.get("kind") == "Pod" else mapping(mapping(spec.get("template"), where).get("spec"), where)
        for key in _HOST:
            if pod.get(key):
                yield Witness(
                    f"{where} shares the host's {key[4:].lower()}", (Hop(where, f"{key}: true"),), f"remove {key}"
                )
        if pod.get("automountServiceAccountToken") is True:
            yield Witness(
                f"{where} mounts a service account token",
                (Hop(where, "automountServiceAccountToken"),),
                "set it to false",
            )


def _enforcement(model: Model) -> Iterator[Finding]:
    if not model.clusters:
        yield "which network plugin enforces policies, and from when on, is not in the facts"
    for name, cluster in model.clusters.items():
        addons = mapping(cluster.get("addons"), name)
        if "vpc-cni" not in addons:
            yield Witness(
                f"nothing enforces network policies on {name}",
                (Hop(name, "has no vpc-cni add-on with enableNetworkPolicy"),),
                "add the vpc-cni add-on with enableNetworkPolicy and strict mode",
                absent=True,
            )
            continue
        settings = mapping(addons["vpc-cni"], name)
        if str(settings.get("enableNetworkPolicy")).lower() != "true":
            yield Witness(
                f"{name} does not enforce network policies",
                (Hop(f"{name} vpc-cni", f"enableNetworkPolicy: {settings.get('enableNetworkPolicy', 'not set')}"),),
                'set enableNetworkPolicy: "true"',
            )
            continue
        mode = mapping(settings.get("env"), name).get(_STRICT)
        if mode != "strict":
            yield Witness(
                f"a new pod on {name} sends freely until its policies arrive",
                (Hop(f"{name} vpc-cni", f"{_STRICT}: {mode or 'standard, the default'}"),),
                f"set {_STRICT}: strict in the add-on's configuration values",
            )
        else:
            yield Obligation(name, "denies a pod's packets until its policies are in place")
