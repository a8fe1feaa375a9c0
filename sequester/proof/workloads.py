"""Claim E5: whatever is admitted to a sandbox namespace stays under the policies, from its first packet on."""

import json
from collections.abc import Iterator, Mapping

from sequester.proof.admission import Attempt, Policy, Site, policies
from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.enforcement import from_the_first_packet
from sequester.proof.export import sandbox_namespaces
from sequester.proof.facts import items, mapping
from sequester.proof.model import Model
from sequester.proof.probes import attempts, node_attempts, plain
from sequester.proof.selector import Selector
from sequester.proof.verdict import Hop, Verdict, Witness

_ENFORCE = "pod-security.kubernetes.io/enforce"
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_ASSUMED = (
    "the API server enforces the `restricted` Pod Security Standard as documented",
    "pods are judged by one change from a pod that is let in: no rule lets a field pass for the sake of another",
)


def workloads(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    sandboxes = sandbox_namespaces(model, selector)
    findings.take(_standard(model, sandboxes))
    findings.take(_admission(model, sandboxes))
    findings.take(_webhooks(model))
    findings.take(_pods(model, frozenset(sandboxes)))
    if sandboxes:
        findings.take(from_the_first_packet(model))
    return findings.verdict("E5", model, selector, _ASSUMED)


def _standard(model: Model, sandboxes: list[str]) -> Iterator[Finding]:
    labels = _labels(model)
    for name in sandboxes:
        if name not in labels:
            yield f"namespace {name} is used but not defined in the facts: its labels are not known"
            continue
        level, version = labels[name].get(_ENFORCE), str(labels[name].get(f"{_ENFORCE}-version") or "latest")
        old = version != "latest" and not _recent(version)
        if level != "restricted" or old:
            said = f"{_ENFORCE}: {level or 'not set'}" + (f" of {version}" if old else "")
            yield Witness(
                f"{name} admits pods that share the host, or asks of them what an old version asked",
                (Hop(f"namespace {name}", said), Hop("a pod with hostNetwork", "has no policy")),
                f"label namespace {name} {_ENFORCE}: restricted, of the latest version",
            )
        else:
            yield Obligation(f"namespace {name}", "enforces the restricted standard")


def _recent(version: str) -> bool:
    """Since 1.25 the standard is what it is now."""
    parts = version.removeprefix("v").split(".")
    return len(parts) == 2 and all(p.isdigit() for p in parts) and (int(parts[0]), int(parts[1])) >= (1, 25)


def _admission(model: Model, sandboxes: list[str]) -> Iterator[Finding]:
    """Every probe in every sandbox namespace, as far as the namespaces' labels make a difference."""
    every = policies(model.manifests)
    for one in every:
        if not one.closed:
            yield Witness(
                f"{one.name} admits whatever it fails to judge",
                (Hop(one.name, "failurePolicy: Ignore"),),
                f"set failurePolicy of {one.name} to Fail",
            )
        for expression in one.unknown:
            yield f"{one.name}: {expression[:60]!r} cannot be judged here"
    labels = _labels(model)
    judged: dict[str, list[tuple[str, str | None]]] = {}
    for name in sandboxes:
        # Two namespaces whose labels match the same bindings are admitted to alike, but for their own names.
        site = Site(name, {k: str(v) for k, v in labels.get(name, {}).items()})
        shape = json.dumps([sorted(_bound(every, site)), sorted(site.labels)])
        if shape not in judged:
            judged[shape] = list(_tried(every, site))
        for what, by in judged[shape]:
            yield _refused(name, what, by)


def _bound(every: tuple[Policy, ...], site: Site) -> Iterator[str]:
    """The policies that look at a namespace's pods, and at all else that is tried."""
    for what, attempt in attempts({"metadata": {}, "spec": {"containers": [{"image": ""}]}}):
        yield from (f"{what} {p.name}" for p in every if p.matches(attempt, site))


def _tried(every: tuple[Policy, ...], site: Site) -> Iterator[tuple[str, str | None]]:
    pod = plain(every, site)
    start = Attempt("pods", pod)
    lets_in = {p.name: frozenset(e for e in p.validations if p.holds(e, start, site)) for p in every}
    for what, attempt in (*attempts(pod), *node_attempts(pod)):
        # Of pods, only a rule that lets the plain one in shows by refusing that it is the change it refuses.
        sound = lets_in if attempt.resource == "pods" else {}
        yield what, next((p.name for p in every if p.refuses(attempt, site, sound.get(p.name)) is not None), None)


def _refused(namespace: str, what: str, by: str | None) -> Finding:
    if by:
        return Obligation(f"namespace {namespace}: {what}", f"{by} refuses it")
    return Witness(
        f"{namespace} admits {what}",
        (Hop("the restricted standard", f"does not refuse {what}"), Hop("admission", "no expression refuses it")),
        f"add a ValidatingAdmissionPolicy that refuses {what}",
        absent=True,
    )


def _labels(model: Model) -> dict[str, Mapping[str, object]]:
    return {
        str(mapping(m.get("metadata"), "metadata").get("name")): mapping(
            mapping(m.get("metadata"), "metadata").get("labels"), "labels"
        )
        for m in model.manifests
        if m.get("kind") == "Namespace"
    }


def _webhooks(model: Model) -> Iterator[Finding]:
    """The API server sends what it is given to the address of a webhook, wherever that is.

    And what it is asked of an aggregated API, to that API's service. Either may be a name of somebody outside:
    https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#service-reference
    """
    outside = {
        (str(meta.get("namespace") or "default"), str(meta.get("name"))): str(spec.get("externalName"))
        for m in model.manifests
        if m.get("kind") == "Service"
        and (spec := mapping(m.get("spec"), "Service")).get("type") == "ExternalName"
        and (meta := mapping(m.get("metadata"), "Service"))
    }
    for m in model.manifests:
        kind = str(m.get("kind"))
        name = f"{kind} {mapping(m.get('metadata'), 'metadata').get('name')}"
        hooks = [mapping(h, name) for h in items(m.get("webhooks"), name)] if kind.endswith("Configuration") else []
        if kind == "APIService":
            hooks.append({"clientConfig": {"service": mapping(m.get("spec"), name).get("service")}})
        if kind == "CustomResourceDefinition":
            hooks.append(mapping(mapping(mapping(m.get("spec"), name).get("conversion"), name).get("webhook"), name))
        for hook in hooks:
            config = mapping(hook.get("clientConfig"), name)
            url = config.get("url") or outside.get(_service(config, name))
            if url:
                yield Witness(
                    f"the API server sends objects to {url}",
                    (Hop("the API server", "calls its webhooks"), Hop(name, f"clientConfig leads to {url}")),
                    f"remove {name}, or name a service of the cluster",
                )


def _service(config: Mapping[str, object], name: str) -> tuple[str, str]:
    service = mapping(config.get("service"), name)
    return str(service.get("namespace")), str(service.get("name"))


def _pods(model: Model, sandboxes: frozenset[str]) -> Iterator[Finding]:
    """Pods and templates that the facts hold already: those of other ways in (static, older than admission)."""
    for m in model.manifests:
        meta = mapping(m.get("metadata"), "metadata")
        if meta.get("namespace") not in sandboxes:
            continue
        spec = mapping(m.get("spec"), "spec")
        where = f"{m.get('kind')} {meta.get('namespace')}/{meta.get('name')}"
        if m.get("kind") in ("Endpoints", "EndpointSlice", "Ingress", "Service") and (
            m.get("kind") != "Service" or spec.get("externalIPs") or spec.get("type", "ClusterIP") != "ClusterIP"
        ):
            how = f"type: {spec.get('type', 'not set')}, externalIPs: {spec.get('externalIPs', 'none')}"
            yield Witness(f"{where} names somebody outside", (Hop(where, how),), f"remove {where}")
        for pod in _specs(m, spec, where):
            for how, mend in _breaks(pod, where):
                yield Witness(f"{where} {how}", (Hop(where, mend),), f"remove {mend} from {where}")


def _specs(manifest: Mapping[str, object], spec: Mapping[str, object], where: str) -> Iterator[Mapping[str, object]]:
    """A pod's own specification, or that of the template (of a job's template) that pods are made from."""
    if manifest.get("kind") == "Pod":
        yield spec
    job = mapping(mapping(spec.get("jobTemplate"), where).get("spec"), where)
    for holder in (spec, job):
        template = mapping(holder.get("template"), where)
        if template:
            yield mapping(template.get("spec"), where)


def _breaks(pod: Mapping[str, object], where: str) -> Iterator[tuple[str, str]]:
    """What a specification has that the restricted standard, or a sandbox, must not have."""
    for key in _HOST:
        if pod.get(key):
            yield f"shares the host's {key[4:].lower()}", f"{key}: true"
    if pod.get("automountServiceAccountToken") is True:
        yield "mounts a service account token", "automountServiceAccountToken: true"
    for raw in items(pod.get("volumes"), where):
        volume = mapping(raw, where)
        sources = [mapping(s, where) for s in items(mapping(volume.get("projected"), where).get("sources"), where)]
        if volume.get("hostPath") or any(s.get("serviceAccountToken") for s in sources):
            kind = "a directory of the host" if volume.get("hostPath") else "a service account token"
            yield f"mounts {kind}", f"volume {volume.get('name')}"
    for key in ("containers", "initContainers", "ephemeralContainers"):
        for raw in items(pod.get(key), where):
            one = mapping(raw, where)
            yield from _container_breaks(one, f"{where} {one.get('name')}")


def _container_breaks(one: Mapping[str, object], where: str) -> Iterator[tuple[str, str]]:
    context = mapping(one.get("securityContext"), where)
    added = items(mapping(context.get("capabilities"), where).get("add"), where)
    if context.get("privileged"):
        yield "has all rights of the node", "privileged: true"
    if added:
        yield f"has the capabilities {', '.join(map(str, added))}", "capabilities.add"
    if context.get("procMount") not in (None, "Default"):
        yield "sees the node's /proc", f"procMount: {context.get('procMount')}"
    if any(mapping(p, where).get("hostPort") for p in items(one.get("ports"), where)):
        yield "listens on the node's address", "hostPort"
