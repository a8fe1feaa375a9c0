"""The checker of names (E2): hostile and listed names at the firewall, and where CoreDNS sends what it is asked."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

from collections.abc import Iterator
from typing import Any

from sequester.proof.check_reasons import Facts, Reason, Refusal, sandboxes_of

_NAMES = ("c2VjcmV0.collector.example.", "example.com.", "attacker.net.")
_RESOLVERS = ("AmazonProvidedDNS", "169.254.169.253", "fd00:ec2::253")


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    for key, vpc in model["vpcs"].items():
        yield from _until_all_is_blocked(vpc["name"], model["names"][key]["firewall"])
    for namespace in sandboxes_of(model, selector):
        yield Reason(f"namespace {namespace}", ("no policy lets its pods send a query",))
    for name, _ in _answering(model):
        yield Reason(name, ("reads the Corefile of a ConfigMap that is judged",))
    for name, corefile in _corefiles(model):
        blocks = list(_blocks(corefile))
        yield Reason(name, (f"{len(blocks)} server blocks of reviewed plugins",))
        for zones, forwards in blocks:
            for targets in forwards:
                by = "the cluster's CoreDNS" if _is_inner(model, name, targets) else "the VPC's resolver"
                yield Reason(f"{name} {' '.join(zones)}", (f"goes to {by}",))
    for name in _services(model):
        yield Reason(f"Service kube-system/{name}", ("leads to CoreDNS's pods",))


def _services(model: Facts) -> dict[str, Any]:
    """The services at which pods ask for names."""
    those = (one for one in model["manifests"] if one.get("kind") == "Service")
    named = {one["metadata"]["name"]: one["spec"] for one in those if one["metadata"].get("namespace") == "kube-system"}
    return {name: spec for name, spec in named.items() if name.startswith("kube-dns")}


def _is_inner(model: Facts, name: str, targets: list[str]) -> bool:
    """Whether a node's cache asks nobody but the cluster's own server."""
    inner = {"__PILLAR__CLUSTER__DNS__", "__PILLAR__DNS__SERVER__"}
    inner |= {str(spec.get("clusterIP")) for spec in _services(model).values()}
    return name.startswith("ConfigMap node-local-dns") and bool(targets) and inner >= {*targets}


def _answering(model: Facts) -> Iterator[tuple[str, Any]]:
    """What answers in CoreDNS's place beside its add-on: a name, and its pods' specification."""
    for one in model["manifests"]:
        spec, meta = one.get("spec") or {}, one.get("metadata") or {}
        template = spec.get("template") or {"metadata": meta, "spec": spec}
        labels = (template.get("metadata") or {}).get("labels") or {}
        told = labels.get("k8s-app") == "kube-dns" or str(meta.get("name")).startswith("coredns")
        if told and meta.get("namespace") == "kube-system" and (template.get("spec") or {}).get("containers"):
            yield f"{one['kind']} kube-system/{meta['name']}", template["spec"]


def _until_all_is_blocked(vpc: str, associations: Any) -> Iterator[Reason]:
    for association in sorted(associations, key=lambda a: a["priority"]):
        for rule in sorted(association["rules"], key=lambda r: r["priority"]):
            domains = rule["domains"] or ()
            if rule["action"] == "BLOCK" and {"*", "*."} & {*domains}:
                yield Reason(vpc, (f"{rule['name']} blocks every name that was not allowed before it",))
                return
            if rule["action"] in ("ALLOW", "ALERT"):
                yield Reason(rule["name"], (f"lets {len(domains)} names of AWS pass",))


def _corefiles(model: Facts) -> Iterator[tuple[str, str]]:
    """What CoreDNS is told, by the add-on and by ConfigMaps."""
    for cluster, properties in model["clusters"].items():
        corefile = ((properties.get("addons") or {}).get("coredns") or {}).get("corefile")
        yield f"{cluster} coredns", str(corefile or ". {\nforward . /etc/resolv.conf\n}")
    for one in model["manifests"]:
        if one.get("kind") == "ConfigMap" and str(one["metadata"]["name"]).startswith(("coredns", "node-local-dns")):
            for key, text in (one.get("data") or {}).items():
                yield f"ConfigMap {one['metadata']['name']} {key}", str(text)


def _blocks(corefile: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Each server block: its zones, and whom each of its forwards names."""
    zones: list[str] = []
    forwards: list[list[str]] = []
    depth = 0
    for raw in corefile.splitlines():
        words = raw.partition("#")[0].replace(",", " ").split() if depth == 0 else raw.partition("#")[0].split()
        if words[:1] == ["}"]:
            depth -= 1
            if depth == 0:
                yield zones, forwards
            continue
        if depth == 0 and words:
            zones, forwards = [w for w in (*words[:-1], words[-1].rstrip("{")) if w], []
        if depth == 1 and words[:1] in (["forward"], ["proxy"]):
            forwards.append([w for w in words[2:] if w != "{"])
        depth += bool(words) and words[-1].endswith("{")


def refusals(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    second = {_second(vpc["cidrs"]) for vpc in model["vpcs"].values() if vpc["cidrs"]}
    for key, one in model["names"].items():
        if key not in model["vpcs"]:
            continue
        if any(server not in (*_RESOLVERS, *second) for server in one["servers"]):
            yield f"{key}: DHCP hands out {', '.join(one['servers'])}"
        if one["fail_open"] or any(f["kind"].upper() != "SYSTEM" for f in one["forwards"]):
            yield f"{key}: queries pass when the firewall fails, or are forwarded"
        if any(e["outbound"] for e in one["endpoints"]):
            yield f"{key}: there is an outbound resolver endpoint"
        spoken_of = {d for a in one["firewall"] for r in a["rules"] for d in r["domains"] or ()}
        others = {d.lower().rstrip(".").replace("*", "x") + "." for d in spoken_of if not _is_aws(d)}
        for name in (*_NAMES, *sorted(others - {"x."})):
            if _answer(one["firewall"], name) != "BLOCK":
                yield f"{key}: {name} is not blocked"
    for name, spec in _services(model).items():
        if spec.get("selector") != {"k8s-app": "kube-dns"} or spec.get("type") == "ExternalName":
            yield f"Service {name} does not lead to CoreDNS's pods"
    for one in model["manifests"]:
        name, kind = str((one.get("metadata") or {}).get("name")), one.get("kind")
        if kind == "DaemonSet" and name.startswith("node-local-dns"):
            yield f"{name} answers for CoreDNS on each node"
        if kind == "ConfigMap" and name == "kube-dns" and {"stubDomains", "upstreamNameservers"} & {*one["data"]}:
            yield f"ConfigMap {name} hands names to others"
    for name, pod in _answering(model):
        for one in pod["containers"]:
            if [*(one.get("command") or ()), *(one.get("args") or ())] != ["-conf", "/etc/coredns/Corefile"]:
                yield f"{name} does not run as CoreDNS of the add-on does"
    for name, corefile in _corefiles(model):
        for zones, forwards in _blocks(corefile):
            for targets in forwards:
                if _is_inner(model, name, targets):
                    continue
                if not {*targets} <= {*second, *_RESOLVERS} or not all(_is_aws(z.split(":")[0]) for z in zones):
                    yield f"{name}: CoreDNS sends {' '.join(zones)} to {' '.join(targets)}"


def _is_aws(domain: str) -> bool:
    return f".{domain.lower().strip('*.')}".endswith(
        (".amazonaws.com", ".api.aws", ".ec2.internal", ".compute.internal")
    )


def _second(cidrs: Any) -> str:
    first = cidrs[0]["low"] + 2
    return ".".join(str(first >> shift & 0xFF) for shift in (24, 16, 8, 0)) if cidrs[0]["axis"] == "4" else ""


def _answer(associations: Any, name: str) -> str:
    """The action of the first rule that speaks of a name, in order of priority."""
    for association in sorted(associations, key=lambda a: a["priority"]):
        for rule in sorted(association["rules"], key=lambda r: r["priority"]):
            for domain in rule["domains"] if rule["domains"] is not None else ("*",):
                bare = domain.lower().rstrip(".") + "."
                if domain in ("*", "*.") or name == bare or (bare.startswith("*.") and name.endswith(bare[1:])):
                    return str(rule["action"])
    return ""
