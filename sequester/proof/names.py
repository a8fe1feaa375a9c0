"""Claim E2: which names resolve, and whether any query can leave by another way than the VPC's resolver."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.coredns import coredns, is_aws, vpc_resolvers
from sequester.proof.decide import Finding, Findings
from sequester.proof.enforcement import unenforced
from sequester.proof.export import sandbox_namespaces
from sequester.proof.model import FirewallRule, Model, NameService
from sequester.proof.netpol import Allowed, by_namespace, egress_of, policies
from sequester.proof.selector import Selector
from sequester.proof.space import TCP, UDP, intersection, prefix, services, union
from sequester.proof.verdict import Hop, Packet, Verdict, Witness

_DNS = union(services(UDP, 53, 53), services(TCP, 53, 53))
_RESOLVERS = (prefix("169.254.169.253/32"), prefix("fd00:ec2::253/128"))
_OURS = "AmazonProvidedDNS"
_ASSUMED = (
    "names below AWS's own suffixes answer only with what AWS put there",
    "CoreDNS runs with the configuration of its add-on",
)


def names(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    ours = vpc_resolvers(model) | {_OURS}
    for vpc in model.vpcs.values():
        service = model.names.get(vpc.id)
        findings.take(
            _vpc(vpc.name, service, ours) if service else iter([f"{vpc.name}: nothing is known of its resolver"])
        )
    findings.take(_pods(model, selector))
    if sandbox_namespaces(model, selector):
        findings.take(unenforced(model, "pods of sandboxes can ask for names"))
    findings.take(coredns(model))
    return findings.verdict("E2", model, selector, _ASSUMED)


def _vpc(name: str, service: NameService, ours: frozenset[str]) -> Iterator[Finding]:
    foreign = [s for s in service.servers if s not in ours]
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
    elif service.fail_open is None and service.fail_open_name:
        yield f"{service.fail_open_name}: whether the DNS firewall lets queries pass when it fails is settled elsewhere"
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
        if not is_aws(bare) or (domain.startswith("*") and bare in ("amazonaws.com", "api.aws")):
            yield _way(
                f"nodes of {name} resolve {domain}: a query's name carries data to whoever answers for it", rule.name,
                f"{rule.action} {domain}", f"remove {domain} from {rule.name}",
            )  # fmt: skip
            return
    yield Obligation(rule.name, f"lets {len(rule.domains)} names of AWS pass")


def _pods(model: Model, selector: Selector) -> Iterator[Finding]:
    every = by_namespace(policies(model.manifests))
    for namespace in sandbox_namespaces(model, selector):
        allowed, free = egress_of(namespace, every)
        hit = next(((one, both) for one in allowed if (both := intersection(one.services, _DNS))), None)
        if hit:
            one, both = hit
            mend = f"add a NetworkPolicy with podSelector {{}} and policyTypes [Egress] to {namespace}"
            yield Witness(
                f"a pod of {namespace} can ask for names",
                (Hop(f"a pod of {namespace}", "sends a query"), Hop(one.rule, "allows port 53")),
                mend if free else f"remove or narrow {one.rule}",
                packet=Packet(f"pods:{namespace}", one.axis, _somebody(model, one), both[0][0]),
            )
        else:
            yield Obligation(f"namespace {namespace}", "no policy lets its pods send a query")


def _somebody(model: Model, one: Allowed) -> int:
    """Whom the query goes to: where the rule takes in an address of the VPC, that; else a resolver's; else any."""
    inside = [c.low + 10 for vpc in model.vpcs.values() for c in vpc.cidrs if c.axis == one.axis]
    if one.pods:
        return (inside or [one.low])[0]
    near = [*inside, *(p.low for p in _RESOLVERS if p.axis == one.axis)]
    return next((address for address in near if one.low <= address < one.end), one.low)


def _way(summary: str, resource: str, how: str, mend: str, *, absent: bool = False) -> Witness:
    return Witness(summary, (Hop(resource, how),), mend, absent)
