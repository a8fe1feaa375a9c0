"""Claim E2: which names resolve, and whether any query can leave by another way than the VPC's resolver."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.export import namespaces
from sequester.proof.facts import mapping
from sequester.proof.model import FirewallRule, Model, NameService
from sequester.proof.netpol import Allowed, egress_of, policies
from sequester.proof.selector import Selector
from sequester.proof.space import TCP, UDP, intersection, services, show_address, union
from sequester.proof.verdict import Hop, Packet, Verdict, Witness

_DNS = union(services(UDP, 53, 53), services(TCP, 53, 53))
_OURS = "AmazonProvidedDNS"
# Suffixes under which only AWS makes names; anything else that an allow list names can be somebody else's zone.
_AWS_SUFFIXES = ("amazonaws.com", "api.aws", "ec2.internal", "compute.internal")
_ASSUMED = (
    "names below AWS's own suffixes answer only with what AWS put there",
    "CoreDNS runs with the configuration of its add-on",
)


def names(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    for vpc in model.vpcs.values():
        service = model.names.get(vpc.id)
        findings.take(_vpc(vpc.name, service) if service else iter([f"{vpc.name}: nothing is known of its resolver"]))
    findings.take(_pods(model, selector))
    findings.take(_coredns(model))
    return findings.verdict("E2", model, selector, _ASSUMED)


def _vpc(name: str, service: NameService) -> Iterator[Finding]:
    foreign = [s for s in service.servers if s != _OURS]
    if foreign:
        yield _way(
            f"nodes of {name} ask {foreign[0]} for names", service.dhcp_name, f"hands out {', '.join(service.servers)}",
            f"set domainNameServers of {service.dhcp_name} to [{_OURS}]",
        )  # fmt: skip
    for forward in service.forwards:
        if forward.kind.upper() != "SYSTEM":
            yield _way(
                f"queries for {forward.domain} from {name} go elsewhere", forward.name, f"forwards {forward.domain}",
                f"remove {forward.name}",
            )  # fmt: skip
    for endpoint in service.endpoints:
        if endpoint.outbound:
            yield _way(
                f"{name} has an outbound resolver endpoint", endpoint.name, "carries queries out of the VPC",
                f"remove {endpoint.name}",
            )  # fmt: skip
    if service.fail_open:
        yield _way(
            f"the DNS firewall of {name} lets every query pass when it fails", service.fail_open_name,
            "firewallFailOpen: ENABLED", f"set firewallFailOpen of {service.fail_open_name} to DISABLED",
        )  # fmt: skip
    yield from _firewall(name, service)


def _firewall(name: str, service: NameService) -> Iterator[Finding]:
    """In order of priority, up to the first rule that blocks every name."""
    for association in sorted(service.firewall, key=lambda a: a.priority):
        for rule in sorted(association.rules, key=lambda r: r.priority):
            every = rule.domains is not None and "*" in (d.rstrip(".") for d in rule.domains)
            if rule.action == "BLOCK" and every:
                yield Obligation(name, f"{rule.name} blocks every name that was not allowed before it")
                return
            if rule.action in ("ALLOW", "ALERT"):
                yield from _passing(name, rule)
    yield _way(
        f"every name resolves in {name}",
        service.firewall[-1].name if service.firewall else f"{name}'s resolver",
        "no firewall rule blocks every name",
        "associate a DNS firewall rule group that ends with BLOCK for *.",
        absent=True,
    )


def _passing(name: str, rule: FirewallRule) -> Iterator[Finding]:
    if rule.domains is None:
        yield f"{rule.name}: the domains it lets pass are not in the plan"
        return
    for domain in rule.domains:
        bare = domain.rstrip(".").removeprefix("*").removeprefix(".").lower()
        if not any(bare == suffix or bare.endswith(f".{suffix}") for suffix in _AWS_SUFFIXES) or (
            domain.startswith("*") and bare in ("amazonaws.com", "api.aws")
        ):
            yield _way(
                f"nodes of {name} resolve {domain}: a query's name carries data to whoever answers for it", rule.name,
                f"{rule.action} {domain}", f"remove {domain} from {rule.name}",
            )  # fmt: skip
            return
    yield Obligation(rule.name, f"lets {len(rule.domains)} names of AWS pass")


def _pods(model: Model, selector: Selector) -> Iterator[Finding]:
    every = policies(model.manifests)
    for namespace in namespaces(model):
        if selector.role_of_namespace(namespace) != "sandbox":
            continue
        allowed, _ = egress_of(namespace, every)
        hit = next(((one, both) for one in allowed if (both := intersection(one.services, _DNS))), None)
        if hit:
            one, both = hit
            yield Witness(
                f"a pod of {namespace} can ask for names",
                (Hop(f"a pod of {namespace}", "sends a query"), Hop(one.rule, "allows port 53")),
                f"remove or narrow {one.rule}",
                packet=Packet(f"pods:{namespace}", one.axis, _some_pod(model, one), both[0][0]),
            )
        else:
            yield Obligation(f"namespace {namespace}", "no policy lets its pods send a query")


def _some_pod(model: Model, one: Allowed) -> int:
    """An address of the rule; where it names pods, one of the VPC."""
    inside = [c.low + 10 for vpc in model.vpcs.values() for c in vpc.cidrs if c.axis == one.axis]
    return inside[0] if one.pods and inside else one.low


def _coredns(model: Model) -> Iterator[Finding]:
    for name, cluster in model.clusters.items():
        addons = mapping(cluster.get("addons"), name)
        if "coredns" not in addons:
            yield f"{name}: CoreDNS's configuration is not in the plan"
            continue
        corefile = str(mapping(addons["coredns"], name).get("corefile") or "")
        if not corefile:
            yield _way(
                f"CoreDNS of {name} forwards every name to its node's resolver",
                f"{name} coredns",
                "the default Corefile",
                "state a corefile that forwards named zones only",
            )  # fmt: skip
            continue
        yield from _zones(name, corefile, _resolvers(model))


def _resolvers(model: Model) -> frozenset[str]:
    """The VPCs' own resolver: the second address of the first block, and the link-local one."""
    first = [vpc.cidrs[0] for vpc in model.vpcs.values() if vpc.cidrs]
    return frozenset({"169.254.169.253", *(show_address(p.axis, p.low + 2) for p in first)})


def _zones(name: str, corefile: str, resolvers: frozenset[str]) -> Iterator[Finding]:
    for zones, body in _blocks(corefile):
        for line in body:
            words = line.split()
            if not words or words[0] not in ("forward", "proxy"):
                continue
            wide = any(z.split(":")[0].strip(".") == "" for z in zones)
            strange = [to for to in words[2:] if to not in resolvers]
            if wide or strange:
                yield _way(
                    f"CoreDNS of {name} forwards {zones[0]} to {words[-1]}", f"{name} coredns", line,
                    "forward AWS's named zones to the VPC's resolver",
                )  # fmt: skip
            else:
                yield Obligation(f"{name} coredns {' '.join(zones)}", "goes to the VPC's resolver")


def _blocks(corefile: str) -> Iterator[tuple[list[str], list[str]]]:
    """Server blocks: their zones, and the lines inside."""
    zones: list[str] = []
    body: list[str] = []
    depth = 0
    for raw in corefile.splitlines():
        line = raw.partition("#")[0].strip()
        opens, closes = line.endswith("{"), line == "}"
        if depth == 0 and opens:
            zones, body = line[:-1].replace(",", " ").split(), []
        elif depth > 0 and not (closes and depth == 1):
            body.append(line)
        depth += opens - closes
        if closes and depth == 0:
            yield zones, body


def _way(summary: str, resource: str, how: str, mend: str, *, absent: bool = False) -> Witness:
    return Witness(summary, (Hop(resource, how),), mend, absent)
