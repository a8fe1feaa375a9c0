"""The controls of the network: what each protects, which claim rests on it, and the check that it is there.

The README's list of what is protected, `sequester demo` and the mutation tests are all made from CONTROLS.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final, cast

from infra.settings.addresses import ENDPOINT_BLOCK_OF, Tier, endpoint_block
from sequester.readback import acl
from sequester.readback.control import Control, Finding, Mistakes, judge
from sequester.readback.seen import EndpointSeen, GroupSeen, Observed

NEEDED_FLOW_FIELDS: Final = frozenset(
    {"action", "instance-id", "subnet-id", "tcp-flags", "flow-direction", "traffic-path"}
    | {"pkt-srcaddr", "pkt-dstaddr", "pkt-dst-aws-service", "srcaddr", "dstaddr", "dstport", "protocol"}
)
"""What the tripwires read."""
LEAST_RETENTION_DAYS: Final = 30


def check(observed: Observed) -> list[Finding]:
    """Every way in which the network is not as designed; empty if it is."""
    return judge(CONTROLS, observed)


def _no(kind: str) -> Callable[[Observed], Mistakes]:
    return lambda o: ((one, f"is a way out of {o.vpc}") for one in o.ways_out[kind])


def _public_on_launch(o: Observed) -> Mistakes:
    for subnet in o.subnets:
        if subnet.public_ipv4_on_launch:
            yield subnet.id, "gives public addresses on launch"


def _ipv6_on_launch(o: Observed) -> Mistakes:
    for subnet in o.subnets:
        if subnet.ipv6_on_launch:
            yield subnet.id, "gives IPv6 addresses on launch"


def _routes(o: Observed) -> Mistakes:
    """Local routes; S3's gateway endpoint too, in the tables of nodes."""
    s3 = {endpoint.id for endpoint in o.endpoints if endpoint.kind == "Gateway" and endpoint.service == "s3"}
    nodes = {subnet.id for subnet in o.subnets if subnet.tier in (Tier.SANDBOX, Tier.SYSTEM)}
    for table in o.tables:
        for route in table.routes:
            to_s3 = route.target in s3 and set(table.subnets) <= nodes and not table.main
            if route.target != "local" and not to_s3:
                yield table.id, f"has a route to {route.destination} by {route.target}"


def _own_table(o: Observed) -> Mistakes:
    for subnet in o.subnets:
        tables = [table for table in o.tables if subnet.id in table.subnets]
        if len(tables) != 1 or tables[0].main or len(tables[0].subnets) != 1:
            yield subnet.id, "has no route table of its own"


def _s3_routed(o: Observed) -> Mistakes:
    s3 = {endpoint.id for endpoint in o.endpoints if endpoint.service == "s3"}
    for subnet in o.subnets:
        targets = {route.target for t in o.tables if subnet.id in t.subnets for route in t.routes}
        if subnet.tier in (Tier.SANDBOX, Tier.SYSTEM) and not targets & s3:
            yield subnet.id, "has no route to S3's gateway endpoint: nodes cannot pull images"


def _default_table(o: Observed) -> Mistakes:
    for table in o.tables:
        if table.main and (table.subnets or any(route.target != "local" for route in table.routes)):
            yield table.id, "the main route table has routes or subnets"


def _default_group(o: Observed) -> Mistakes:
    for group in o.groups:
        if group.name == "default" and group.rules:
            yield group.id, f"the default security group has {len(group.rules)} rules"


def _default_acl(o: Observed) -> Mistakes:
    for one in o.acls:
        if one.default and any(entry.allow for entry in one.entries):
            yield one.id, "the default network ACL allows something"
        if one.default and one.subnets:
            yield one.id, f"the default network ACL is that of {', '.join(one.subnets)}"


def _groups(o: Observed) -> Mistakes:
    """Security groups say exactly what the design says: other groups and S3's prefix list, never a range."""
    stack = o.layout.names.name
    for group in o.groups:
        kind = group.name.removeprefix(f"{stack}-")
        if group.name == "default":
            continue
        if group.name == f"eks-cluster-sg-{o.layout.names.cluster}":
            # EKS makes it, and lets it send anywhere: only the control plane's own interfaces may have it.
            for holder in group.holders:
                if not holder.startswith("Amazon EKS"):
                    yield group.id, f"{group.name} is held by {holder or 'an interface'}, not by EKS alone"
            continue
        if kind not in _FLOWS:
            yield group.id, f"{group.name} is no group of the design"
            continue
        seen = {_as_text(o, rule, stack) for rule in _rules(group)}
        wanted = {*_FLOWS[kind], *(f"in {cidr} tcp 443" for cidr in o.layout.operators if kind == "control")}
        for rule in sorted(seen - wanted):
            yield group.id, f"{group.name} lets through: {rule}"
        for rule in sorted(wanted - seen):
            yield group.id, f"{group.name} lacks: {rule}"


def _rules(group: GroupSeen) -> Iterable[tuple[bool, str, str, str]]:
    for rule in group.rules:
        ports = str(rule.first_port) if rule.first_port == rule.last_port else f"{rule.first_port}-{rule.last_port}"
        yield rule.egress, rule.peer, rule.protocol, ports


def _as_text(o: Observed, rule: tuple[bool, str, str, str], stack: str) -> str:
    egress, peer, protocol, ports = rule
    listed = o.prefix_lists.get(peer, peer).rpartition(".")[2] if peer.startswith("pl-") else peer
    return f"{'out' if egress else 'in'} {listed.removeprefix(f'{stack}-')} {protocol} {ports}"


_FLOWS: Final[Mapping[str, Sequence[str]]] = {
    "sandbox-node": (
        "in control tcp 10250",
        "out control tcp 443",
        "out sandbox-endpoint tcp 443",
        "out s3 tcp 443",
    ),
    "system-node": (
        "in control tcp 10250",
        "in system-node tcp 53",
        "in system-node udp 53",
        "out control tcp 443",
        "out sandbox-endpoint tcp 443",
        "out system-endpoint tcp 443",
        "out system-node tcp 53",
        "out system-node udp 53",
        "out s3 tcp 443",
    ),
    "control": (
        "in responder tcp 443",
        "in sandbox-node tcp 443",
        "in system-node tcp 443",
        "out sandbox-node tcp 10250",
        "out system-node tcp 10250",
    ),
    "sandbox-endpoint": ("in sandbox-node tcp 443", "in system-node tcp 443"),
    "system-endpoint": ("in system-node tcp 443",),
    "responder": ("out control tcp 443",),
    "quarantine": (),
}
"""The design's picture, written out a second time on purpose: the program's own table would agree with itself."""


def _statements(endpoint: EndpointSeen) -> list[Mapping[str, Any]]:
    found = endpoint.policy.get("Statement", [])
    return cast("list[Mapping[str, Any]]", found if isinstance(found, list) else [found])


def _many(value: object) -> list[str]:
    return [str(v) for v in cast("list[object]", value)] if isinstance(value, list) else [str(value)]


def _policies_exist(o: Observed) -> Mistakes:
    for endpoint in o.endpoints:
        statements = _statements(endpoint)
        if not statements or any("*" in _many(s.get("Action")) and s["Effect"] == "Allow" for s in statements):
            yield endpoint.id, f"{endpoint.service}: has AWS's default policy, or one that allows every action"


def _policies_bind(o: Observed) -> Mistakes:
    """Callers and resources of this account only, but for the exceptions that `infra.services` names."""
    account = o.layout.names.account
    for endpoint in o.endpoints:
        for statement in _statements(endpoint):
            if statement["Effect"] != "Allow" or statement.get("Sid") in _EXCEPTIONS.get(endpoint.service, ()):
                continue
            bound = statement.get("Condition", {}).get("StringEquals", {})
            for key in ("aws:PrincipalAccount", "aws:ResourceAccount"):
                if bound.get(key) != account:
                    yield endpoint.id, f"{endpoint.service}: {statement.get('Sid')} does not bind {key} to {account}"


_EXCEPTIONS: Final[Mapping[str, Sequence[str]]] = {
    "ecr.api": ("PullAddons",),
    "ecr.dkr": ("PullAddons",),
    "s3": ("ImageLayers",),
    "bedrock-runtime": ("NamedModels",),
    "sts": ("WebIdentity",),
}


def _exceptions_read(o: Observed) -> Mistakes:
    """What is not bound to this account may only read, and only what is AWS's by name."""
    region = o.layout.names.region
    allowed = {
        "s3": ({"s3:GetObject"}, (f"arn:aws:s3:::prod-{region}-starport-layer-bucket/",)),
        "ecr.api": (_ECR_READS, (f"arn:aws:ecr:{region}:",)),
        "ecr.dkr": (_ECR_READS, (f"arn:aws:ecr:{region}:",)),
    }
    for endpoint in o.endpoints:
        for statement in _statements(endpoint):
            if endpoint.service not in allowed or statement.get("Sid") not in _EXCEPTIONS[endpoint.service]:
                continue
            actions, prefixes = allowed[endpoint.service]
            if not set(_many(statement["Action"])) <= actions:
                yield endpoint.id, f"{endpoint.service}: {statement['Sid']} does more than read"
            if not all(r.startswith(prefixes) for r in _many(statement["Resource"])):
                yield endpoint.id, f"{endpoint.service}: {statement['Sid']} reaches more than AWS's own"


_ECR_READS: Final = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


def _doors_only(o: Observed) -> Mistakes:
    doors = f"{o.layout.names.arn('lambda', 'function')}:{o.layout.names.name}-door-"
    for endpoint in o.endpoints:
        for statement in _statements(endpoint) if endpoint.service == "lambda" else ():
            if statement["Effect"] != "Allow":
                continue
            resources = _many(statement["Resource"])
            functions = {r.removesuffix(":*") for r in resources}
            if _many(statement["Action"]) != ["lambda:InvokeFunction"]:
                yield endpoint.id, "lambda: allows more than invoking"
            if any(not f.startswith(doors) or "*" in f or "?" in f for f in functions):
                yield endpoint.id, "lambda: allows more than the tenants' doors"


def _fixed_addresses(o: Observed) -> Mistakes:
    """What sandbox nodes may call is in one block, what they may not in another: ACLs go by it."""
    by_name = {f"{o.layout.names.name}-{tier}-endpoint": tier for tier in ENDPOINT_BLOCK_OF}
    tiers = {group.id: by_name[group.name] for group in o.groups if group.name in by_name}
    subnets = [p.cidr for (tier, _), p in o.layout.plan.places.items() if tier == Tier.ENDPOINT]
    for endpoint in (e for e in o.endpoints if e.kind == "Interface"):
        for address in endpoint.addresses:
            blocks = [endpoint_block(cidr, tiers[g]) for cidr in subnets for g in endpoint.groups if g in tiers]
            if not any(address in block for block in blocks):
                yield endpoint.id, f"{endpoint.service}: {address} is outside of its block"
        if not endpoint.addresses:
            yield endpoint.id, f"{endpoint.service}: has no address"


def _endpoint_groups(o: Observed) -> Mistakes:
    stack = o.layout.names.name
    names = {group.id: group.name for group in o.groups}
    for endpoint in (e for e in o.endpoints if e.kind == "Interface"):
        tier = "sandbox" if endpoint.service in _SANDBOX_SERVICES else "system"
        if [names.get(g) for g in endpoint.groups] != [f"{stack}-{tier}-endpoint"]:
            yield endpoint.id, f"{endpoint.service}: is not held to the group {stack}-{tier}-endpoint"


_SANDBOX_SERVICES: Final = frozenset({"ec2", "ecr.api", "ecr.dkr", "logs"})
"""All that a sandbox node may call by an interface endpoint."""
_KNOWN_SERVICES: Final = _SANDBOX_SERVICES | {
    *("s3", "lambda", "eks-auth", "bedrock-runtime", "sts", "autoscaling", "eks"),
}


def _known_services(o: Observed) -> Mistakes:
    for endpoint in o.endpoints:
        if endpoint.service not in _KNOWN_SERVICES:
            yield endpoint.id, f"{endpoint.service}: is no service of the design"


def _private_dns(o: Observed) -> Mistakes:
    for endpoint in o.endpoints:
        if endpoint.kind == "Interface" and not endpoint.private_dns:
            yield endpoint.id, f"{endpoint.service}: its name still leads to public addresses"


def _resolver(o: Observed) -> Mistakes:
    if o.resolvers != ("AmazonProvidedDNS",) or not o.dns_support:
        yield o.vpc, f"resolves by {', '.join(o.resolvers) or 'nobody'}, not by AWS's resolver alone"


def _no_forward(o: Observed) -> Mistakes:
    for rule in o.resolver_rules:
        yield rule, "forwards names to a resolver elsewhere"


def _names_listed(o: Observed) -> Mistakes:
    if not o.firewall:
        yield o.vpc, "has no DNS Firewall"
        return
    last = o.firewall[-1]
    if last.action != "BLOCK" or "*." not in last.domains:
        yield o.vpc, "the last DNS Firewall rule does not block every name"
    for rule in o.firewall:
        for domain in rule.domains if rule.action != "BLOCK" else ():
            if not _aws_name(domain, o.layout.names.region):
                yield o.vpc, f"{domain} may be resolved, and is no name of AWS's that a node needs"


def _aws_name(domain: str, region: str) -> bool:
    """A name whose servers are AWS's; a wildcard only where AWS chooses the labels below."""
    wildcards = {f"*.{region}.eks.amazonaws.com.", "*.ec2.internal.", f"*.{region}.compute.internal."}
    exact = domain.endswith((f".{region}.amazonaws.com.", f".{region}.api.aws.")) and "*" not in domain
    return exact or domain in wildcards


def _fails_closed(o: Observed) -> Mistakes:
    if o.firewall_fails_open != "DISABLED":
        yield o.vpc, f"firewall fail open is {o.firewall_fails_open}: say DISABLED"


def _queries_logged(o: Observed) -> Mistakes:
    if o.layout.names.resolver_log_group not in o.query_log_groups:
        yield o.vpc, "nobody logs which names are asked for"


def _all_traffic(o: Observed) -> Mistakes:
    if not any(log.traffic == "ALL" and log.log_group == o.layout.names.flow_log_group for log in o.flow_logs):
        yield o.vpc, "has no flow log of all traffic"


def _flow_fields(o: Observed) -> Mistakes:
    for log in o.flow_logs:
        missing = NEEDED_FLOW_FIELDS - set(log.format.replace("${", "").replace("}", "").split())
        if missing:
            yield o.vpc, f"flow logs lack {', '.join(sorted(missing))}"


def _groups_exist(o: Observed) -> Mistakes:
    names = o.layout.names
    have = {group.name for group in o.log_groups}
    for name in (names.flow_log_group, names.resolver_log_group, names.cluster_log_group, names.container_log_group):
        if name not in have:
            yield name, "does not exist: the service would make its own, without a key or a retention"


def _encrypted(o: Observed) -> Mistakes:
    for group in o.log_groups:
        if not group.key:
            yield group.name, "is not encrypted by a key of ours"


def _retained(o: Observed) -> Mistakes:
    for group in o.log_groups:
        if group.retention_days is None or group.retention_days < LEAST_RETENTION_DAYS:
            yield group.name, f"keeps records for {group.retention_days or 'ever, without saying so:'} days"


def _keys(o: Observed) -> Mistakes:
    arns = {o.layout.names.log_group_arn(group.name) for group in o.log_groups}
    for key in o.keys:
        if not key.rotates:
            yield key.arn, "does not rotate"
        for statement in cast("list[Mapping[str, Any]]", key.policy["Statement"]):
            service = cast("Mapping[str, Any]", statement["Principal"]).get("Service")
            context = statement.get("Condition", {}).get("ArnEquals", {}).get("kms:EncryptionContext:aws:logs:arn")
            if service and (context is None or not set(_many(context)) <= arns):
                yield key.arn, f"{service} may use it for more than our log groups"


def _ipv6_filtered(o: Observed) -> Mistakes:
    for subnet in o.subnets:
        entries = [entry for one in o.acls if subnet.id in one.subnets for entry in one.entries]
        if any(e.allow and ip_network(e.cidr).version == 6 for e in entries):
            yield subnet.id, "its network ACL allows IPv6"


CONTROLS: Final = (
    Control("no-internet-gateway", "nothing connects the VPC to the internet", "E1", _no("internet gateway")),
    Control("no-egress-only-gateway", "nor over IPv6", "E1", _no("egress-only internet gateway")),
    Control("no-nat", "no address translation leads out", "E1", _no("NAT gateway")),
    Control("no-vpn", "no VPN leads to another network", "E1", _no("VPN gateway")),
    Control("no-transit", "no transit gateway leads to another network", "E1", _no("transit gateway attachment")),
    Control("no-peering", "no peering leads to another VPC", "E1", _no("peering")),
    Control("no-public-address", "nothing in the VPC has a public address", "E1", _no("public address")),
    Control("no-public-on-launch", "nothing gets a public address when it starts", "E1", _public_on_launch),
    Control("no-ipv6-on-launch", "nothing gets an IPv6 address when it starts", "E1", _ipv6_on_launch),
    Control("local-routes", "packets are routed within the VPC, and to S3's gateway endpoint", "E1", _routes),
    Control("own-route-table", "a route added for one subnet changes no other's", "E1", _own_table),
    Control("s3-routed", "nodes reach S3 by the endpoint that has the policy", "E3", _s3_routed),
    Control("default-table-empty", "a subnet without a table of its own leads nowhere", "E1", _default_table),
    Control("default-group-empty", "what is made without a security group has no network", "E1", _default_group),
    Control("default-acl-empty", "a subnet without an ACL of its own has no network", "E1", _default_acl),
    Control("acl-exact", "a second layer that decides by address, and not by group", "E1", acl.mistakes),
    Control("acl-no-ipv6", "the second layer lets no IPv6 through", "E1", _ipv6_filtered),
    Control(
        "groups-exact", "nodes, control plane and endpoints open the connections of the design only", "E1", _groups
    ),
    Control("endpoint-known", "no other AWS service can be called", "E3", _known_services),
    Control("endpoint-policy", "no endpoint has AWS's default policy, which allows everything", "E3", _policies_exist),
    Control("endpoint-account", "neither brought credentials nor another's bucket work", "E3", _policies_bind),
    Control("endpoint-exceptions", "what is not bound to the account only reads what is AWS's", "E3", _exceptions_read),
    Control("endpoint-doors", "the Lambda endpoint invokes the tenants' doors and nothing else", "E7", _doors_only),
    Control("endpoint-group", "sandbox nodes cannot call what only agents need", "E1", _endpoint_groups),
    Control("endpoint-address", "addresses that policies and ACLs name do not move", "E1", _fixed_addresses),
    Control("endpoint-private-dns", "services' own names lead to the endpoints", "E3", _private_dns),
    Control("aws-resolver", "names are resolved by AWS's resolver alone, which the firewall guards", "E2", _resolver),
    Control("no-forwarding", "no name is forwarded to a resolver elsewhere", "E2", _no_forward),
    Control("names-listed", "only listed names are resolved", "E2", _names_listed),
    Control("names-fail-closed", "when the firewall cannot decide, nothing is resolved", "E2", _fails_closed),
    Control("queries-logged", "every query is on record", "E8", _queries_logged),
    Control("flows-logged", "all traffic is on record, accepted and rejected", "E8", _all_traffic),
    Control("flow-fields", "records name the pod, the way and the service", "E8", _flow_fields),
    Control("log-groups", "no service makes a log group without key and retention", "E8", _groups_exist),
    Control("logs-encrypted", "logs are encrypted by a key of ours", "E8", _encrypted),
    Control("logs-retained", "logs are kept for a stated time", "E8", _retained),
    Control("log-key", "the key rotates, and serves our log groups only", "E8", _keys),
)
