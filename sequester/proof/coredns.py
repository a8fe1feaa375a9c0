"""What CoreDNS does with names: server blocks of a Corefile, and whether any hands a query to somebody else.

Plugins are known by name; one that nobody has reviewed is Unknown. A block runs from a line that ends in ``{`` to a
line that is ``}``: https://coredns.io/manual/toc/ has the syntax.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.facts import items, mapping
from sequester.proof.model import Model
from sequester.proof.space import show_address
from sequester.proof.verdict import Hop, Witness

# Plugins that answer by themselves, from the cluster, or not at all.
ANSWERS_HERE = frozenset(
    {
        "acl", "any", "autopath", "bind", "bufsize", "cache", "cancel", "chaos", "debug", "errors", "header", "health",
        "hosts", "kubernetes", "lameduck", "loadbalance", "local", "log", "loop", "metadata", "minimal", "nsid",
        "prometheus", "ready", "reload", "rewrite", "template", "whoami",
    }
)  # fmt: skip
_FORWARDS = frozenset({"forward", "proxy"})
# Plugins that ask somebody else than a resolver: each is a way out by itself.
_LEAVES = frozenset({"grpc", "secondary", "etcd", "route53", "azure", "clouddns", "dnstap", "transfer", "k8s_external"})
# Suffixes under which only AWS makes names; anything else that is let pass can be somebody else's zone.
AWS_SUFFIXES = ("amazonaws.com", "api.aws", "ec2.internal", "compute.internal")


@dataclass(frozen=True, slots=True)
class Block:
    """A server block: its zones, and each plugin with its own line."""

    zones: tuple[str, ...]
    plugins: tuple[tuple[str, str], ...]


def coredns(model: Model) -> Iterator[Finding]:
    resolvers = vpc_resolvers(model)
    for name, cluster in model.clusters.items():
        addons = mapping(cluster.get("addons"), name)
        if "coredns" not in addons:
            yield f"{name}: CoreDNS's configuration is not in the plan"
            continue
        corefile = str(mapping(addons["coredns"], name).get("corefile") or "")
        if not corefile:
            yield _way(f"CoreDNS of {name} forwards every name to its node's resolver", f"{name} coredns",
                       "the default Corefile", "state a corefile that forwards named zones only")  # fmt: skip
            continue
        yield from judge(f"{name} coredns", corefile, resolvers)
    cluster_dns = frozenset({*_CLUSTER_DNS, *(str(spec.get("clusterIP")) for _, spec in _services(model))})
    for manifest in model.manifests:
        meta = mapping(manifest.get("metadata"), "metadata")
        if manifest.get("kind") != "ConfigMap":
            continue
        name, told = str(meta.get("name")), mapping(manifest.get("data"), "data")
        if name.startswith(("coredns", _NODE_LOCAL)):
            inner = cluster_dns if name.startswith(_NODE_LOCAL) else frozenset[str]()
            for key, text in told.items():
                yield from judge(f"ConfigMap {name} {key}", str(text), resolvers, inner)
        elif (name, meta.get("namespace")) == ("kube-dns", "kube-system"):
            for key in sorted(_STUBS & told.keys()):
                yield _way(f"{key} of kube-dns hand names to others", f"ConfigMap {name}", key, f"remove {key}")
    yield from _served(model)
    yield from _selected(model)


_COREFILE = "/etc/coredns"
# The cache on each node, what stands in its Corefile for CoreDNS's own service, and its older way to name others.
# https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
_NODE_LOCAL = "node-local-dns"
_CLUSTER_DNS = ("__PILLAR__CLUSTER__DNS__", "__PILLAR__DNS__SERVER__")
_STUBS = frozenset({"stubDomains", "upstreamNameservers"})
_SELECTS = {"k8s-app": "kube-dns"}


def _services(model: Model) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The services by which pods, or their node's cache, ask for names: each name with its specification."""
    for one in model.manifests:
        meta = mapping(one.get("metadata"), "metadata")
        name = str(meta.get("name"))
        if one.get("kind") == "Service" and meta.get("namespace") == "kube-system" and name.startswith("kube-dns"):
            yield name, mapping(one.get("spec"), name)


def _selected(model: Model) -> Iterator[Finding]:
    """They lead to CoreDNS's pods: without a selector, or by another, it is somebody else who answers."""
    for name, spec in _services(model):
        said = ", ".join(f"{key}: {value}" for key, value in mapping(spec.get("selector"), name).items())
        if mapping(spec.get("selector"), name) == _SELECTS and spec.get("type") != "ExternalName":
            yield Obligation(f"Service kube-system/{name}", "leads to CoreDNS's pods")
        else:
            yield f"Service kube-system/{name} selects {said or 'nothing'}: what answers there is not in the facts"


def _served(model: Model) -> Iterator[Finding]:
    """Whatever answers in CoreDNS's place beside the add-on: it must read the Corefile that is judged, and no other."""
    for one in model.manifests:
        meta, spec = mapping(one.get("metadata"), "metadata"), mapping(one.get("spec"), "spec")
        if meta.get("namespace") != "kube-system":
            continue
        template = mapping(spec.get("template"), "template") or {"metadata": meta, "spec": spec}
        labels = mapping(mapping(template.get("metadata"), "metadata").get("labels"), "labels")
        pod = mapping(template.get("spec"), "spec")
        called = str(meta.get("name"))
        if called.startswith(_NODE_LOCAL) and pod.get("containers"):
            yield f"{one.get('kind')} kube-system/{called} answers in CoreDNS's place: what it does is not modelled"
            continue
        told = labels.get("k8s-app") == "kube-dns" or called.startswith("coredns")
        if not told or not pod.get("containers"):
            continue
        name = f"{one.get('kind')} kube-system/{meta.get('name')}"
        odd = next(_otherwise(pod, name), None)
        if odd:
            yield f"{name} {odd}: what answers there for CoreDNS is not in the facts"
        else:
            yield Obligation(name, "reads the Corefile of a ConfigMap that is judged")


def _otherwise(pod: Mapping[str, object], name: str) -> Iterator[str]:
    """What a pod does otherwise than EKS's CoreDNS: one container, told to read the ConfigMap `coredns`."""
    containers = [mapping(c, name) for c in items(pod.get("containers"), name)]
    if len(containers) != 1:
        yield f"has {len(containers)} containers"
    maps = {
        str(volume.get("name"))
        for volume in (mapping(v, name) for v in items(pod.get("volumes"), name))
        if mapping(volume.get("configMap"), name).get("name") == "coredns"
    }
    for one in containers:
        args = [str(a) for key in ("command", "args") for a in items(one.get(key), name)]
        if args != ["-conf", f"{_COREFILE}/Corefile"]:
            yield f"runs with {' '.join(args) or 'no arguments'}"
        mounts = [mapping(m, name) for m in items(one.get("volumeMounts"), name)]
        read = {str(m.get("name")) for m in mounts if str(m.get("mountPath")).startswith(_COREFILE)}
        if not read or not read <= maps:
            yield "mounts another Corefile"


def vpc_resolvers(model: Model) -> frozenset[str]:
    """The VPCs' own resolver: the second address of the first block, and the link-local ones."""
    first = [vpc.cidrs[0] for vpc in model.vpcs.values() if vpc.cidrs]
    return frozenset({"169.254.169.253", "fd00:ec2::253", *(show_address(p.axis, p.low + 2) for p in first)})


def judge(
    name: str, corefile: str, resolvers: frozenset[str], cluster_dns: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Findings about one Corefile; a line that is not understood is a doubt. `cluster_dns`: CoreDNS, judged itself."""
    found = list(blocks(corefile))
    for one in found:
        if isinstance(one, str):
            yield f"{name}: {one}"
            continue
        for plugin, line in one.plugins:
            if plugin in _FORWARDS:
                yield _forward(name, one.zones, line, resolvers, cluster_dns)
            elif plugin in _LEAVES:
                yield _way(f"CoreDNS hands {one.zones[0]} to others by {plugin}", name, line, f"remove {plugin}")
            elif plugin not in ANSWERS_HERE:
                yield f"{name}: what the plugin {plugin!r} does with names has not been reviewed"
    if all(isinstance(one, Block) for one in found):
        yield Obligation(name, f"{len(found)} server blocks of reviewed plugins")


def _forward(
    name: str, zones: tuple[str, ...], line: str, resolvers: frozenset[str], cluster_dns: frozenset[str]
) -> Finding:
    """`forward FROM TO...`: only AWS's names, and only to the VPC's resolver; to the cluster's own server, any."""
    targets = line.split()[2:]
    if targets and cluster_dns.issuperset(targets):
        return Obligation(f"{name} {' '.join(zones)}", "goes to the cluster's CoreDNS")
    foreign = [z for z in zones if not is_aws(z.split(":")[0])]
    strange = [to for to in targets if to not in resolvers]
    if foreign or strange or not targets:
        zone, where = (foreign or list(zones))[0], " ".join(strange or targets) or "nowhere known"
        return _way(
            f"CoreDNS forwards {zone} to {where}", name, line, "forward AWS's named zones to the VPC's resolver"
        )
    return Obligation(f"{name} {' '.join(zones)}", "goes to the VPC's resolver")


def is_aws(zone: str) -> bool:
    bare = zone.strip(".").lower()
    return any(bare == suffix or bare.endswith(f".{suffix}") for suffix in AWS_SUFFIXES)


def blocks(corefile: str) -> Iterator[Block | str]:
    """Server blocks in order; a text instead for what is no server block."""
    zones: tuple[str, ...] = ()
    plugins: list[tuple[str, str]] = []
    depth = 0
    for raw in corefile.splitlines():
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        opens, closes = line.endswith("{"), line == "}"
        if not opens and not closes and ("{" in line or "}" in line) and '"' not in line:
            yield f"{line!r} opens and closes a block on one line"
        if depth == 0 and not opens:
            yield f"{line!r} stands outside of a server block"
            continue
        if depth == 0:
            zones, plugins = tuple(line[:-1].replace(",", " ").split()), []
            if not zones or zones[0].startswith("("):
                yield f"{line!r} is no server block"
                zones = zones or (".",)
        elif depth == 1 and not closes:
            plugins.append((line.split()[0].rstrip("{").strip(), line.removesuffix("{").strip()))
        depth += opens - closes
        if closes and depth == 0:
            yield Block(zones, tuple(plugins))
    if depth:
        yield "a block is not closed"


def _way(summary: str, resource: str, how: str, mend: str) -> Witness:
    return Witness(summary, (Hop(resource, how),), mend)
