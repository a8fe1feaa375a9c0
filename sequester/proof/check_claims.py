"""The checker's concrete questions for claims E2 to E8: a few requests and names a fact, each judged by itself.

It shares nothing with the prover: the deployment's own documents are asked about calls that an attacker would make. One
that gets through refuses the certificate, and so does a fact that the certificate has no reason for.
"""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from sequester.proof.check_calls import Call, Written, decision, permitted, texts
from sequester.proof.check_lookup import HOSTS

Facts = Mapping[str, Any]
Refusal = str

_FOREIGN = "999999999999"
_LAYERS = "-starport-layer-bucket/"
_LINK_LOCAL = ("169.254.169.254", "fd00:ec2::254", "169.254.170.23", "fd00:ec2::23")
_NAMES = ("c2VjcmV0.collector.example.", "example.com.", "attacker.net.")
_RESOLVERS = ("AmazonProvidedDNS", "169.254.169.253", "fd00:ec2::253")
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:anonymous")
# Calls with which a sandbox node's role would open a way out.
_HARM = ("lambda:InvokeFunction", "sts:AssumeRole", "iam:PassRole", "ec2:CreateRoute", "ec2:ModifyVpcEndpoint",
         "ec2:ModifyNetworkInterfaceAttribute", "ec2:AuthorizeSecurityGroupEgress", "s3:PutObject", "sqs:SendMessage",
         "ssmmessages:CreateDataChannel", "kms:CreateGrant", "secretsmanager:GetSecretValue")  # fmt: skip


def wanted(claim: str, facts: Facts) -> set[str]:
    """The subjects that a certificate of a claim must have a reason for."""
    return set(_WANTED[claim](facts["model"], facts["selector"])) if claim in _WANTED else set()


def refusals(claim: str, facts: Facts) -> Iterator[Refusal]:
    """What gets through and must not."""
    yield from _ASKED[claim](facts["model"], facts["selector"])


def _role_of(selector: Facts, namespace: str) -> str:
    for role in ("sandbox", "agent"):
        if any(fnmatchcase(namespace, pattern) for pattern in selector[f"{role}_namespaces"]):
            return role
    return ""


def sandboxes_of(model: Facts, selector: Facts) -> set[str]:
    found: set[str] = set()
    for one in model["manifests"]:
        meta = one.get("metadata") or {}
        name = meta.get("name") if one.get("kind") == "Namespace" else meta.get("namespace")
        if name and _role_of(selector, name) == "sandbox":
            found.add(name)
    return found


# E2 -----------------------------------------------------------------------------------------------------------------


def _names(model: Facts, _selector: Facts) -> Iterator[Refusal]:
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
    for cluster, properties in model["clusters"].items():
        corefile = str(((properties.get("addons") or {}).get("coredns") or {}).get("corefile") or ". {\nforward . ?\n}")
        zones: list[str] = []
        for line in corefile.splitlines():
            words = line.split()
            if words and words[-1] == "{" and not line[:1].isspace():
                zones = words[:-1]
            if words[:1] in (["forward"], ["proxy"]) and (
                not set(words[2:]) <= {*second, *_RESOLVERS} or not all(_is_aws(z.split(":")[0]) for z in zones)
            ):
                yield f"{cluster}: CoreDNS sends {' '.join(zones)} to {' '.join(words[2:])}"


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


# E3 -----------------------------------------------------------------------------------------------------------------


def _statements(document: Any) -> list[Any]:
    raw = document["Statement"]
    return [raw] if isinstance(raw, Mapping) else list(raw)


def _statement_names(model: Facts, _selector: Facts) -> Iterator[str]:
    for endpoint in model["endpoints"]:
        for i, one in enumerate(_statements(endpoint["policy"]) if endpoint["policy"] else ()):
            name = f"{endpoint['name']}: {endpoint['name']}[{i}]"
            yield f"{name} {one['Sid']}" if one.get("Sid") else name


def _instance(pattern: str, account: str) -> str:
    """A text that a pattern matches; an account that it leaves open is the one given."""
    fields = pattern.split(":", 5)
    if len(fields) == 6 and fields[2] != "s3":
        fields[4] = account if set(fields[4]) & set("*?") else fields[4]
        pattern = ":".join(fields)
    elif pattern == "*":
        return f"arn:aws:x:x:{account}:x"
    return pattern.replace("*", "x").replace("?", "x")


def _calls(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    """For each Allow: our callers on a foreign resource, and foreign callers or none on any."""
    for endpoint in model["endpoints"]:
        if not endpoint["policy"]:
            yield f"{endpoint['name']} has no policy"
            continue
        for one in _statements(endpoint["policy"]):
            if one["Effect"] != "Allow":
                continue
            for action in _carried(endpoint["service"], texts(one.get("Action")) or ["*"]):
                for pattern in texts(one.get("Resource")) or ["*"]:
                    yield from _asked_of(model, endpoint, action.replace("*", "X"), pattern)


def _carried(service: str, actions: list[str]) -> Iterator[str]:
    """The actions that an endpoint carries: those of its own service (CloudWatch's endpoint has another name)."""
    for action in actions:
        prefix = action.partition(":")[0].lower()
        if action == "*" or "*" in prefix:
            yield f"{service.partition('.')[0]}:Anything"
        elif service.startswith(prefix) or service == "monitoring":
            yield action


def _asked_of(model: Facts, endpoint: Any, action: str, pattern: str) -> Iterator[Refusal]:
    ours = model["account"]
    cidrs = [c for c in (model["vpcs"].get(endpoint["vpc"]) or {}).get("cidrs", ()) if c["axis"] == "4"]
    inside = {"aws:VpcSourceIp": str(ipaddress.IPv4Address(cidrs[0]["low"] + 10))} if cidrs else {}
    if _LAYERS in pattern or action == "sts:AssumeRoleWithWebIdentity":
        return  # the reviewed exceptions: nobody signs these
    for owner in (ours, _FOREIGN):
        resource = _instance(pattern, owner)
        named = resource.split(":")[4] if resource.count(":") > 4 else ""
        whose = named or owner
        for caller in (ours, _FOREIGN, None):
            if caller == ours and (whose == ours or named not in ("", _FOREIGN)):
                continue  # our callers may use what is ours, and AWS's own accounts by name (reviewed)
            context = {"aws:ResourceAccount": whose, "aws:SourceVpce": endpoint["id"], "aws:SourceVpc": endpoint["vpc"],
                       "aws:SecureTransport": "true", "aws:CurrentTime": "2026-06-01T00:00:00Z"} | inside  # fmt: skip
            if caller:
                context |= {"aws:PrincipalAccount": caller, "aws:PrincipalArn": f"arn:aws:iam::{caller}:role/x"}
            call = Call(action, resource, caller, f"arn:aws:iam::{caller}:role/x", context)
            takes_none = pattern == "*" and caller == ours
            kind = "service" if caller == ours else "resource" if whose == ours else ""
            levels = [[endpoint["policy"]], *_ceilings(model, kind, action)]
            if not takes_none and all(decision(level, call) == "Allow" for level in levels):
                yield f"{endpoint['name']}: {action} on {resource} by {caller or 'nobody'} passes"


# E4 -----------------------------------------------------------------------------------------------------------------


def _node_roles(model: Facts, _selector: Facts) -> Iterator[str]:
    for place in model["places"].values():
        if place["role"] == "sandbox" and place["identity"]:
            yield model["identities"][place["identity"]]["name"]


def _identities(model: Facts, selector: Facts) -> Iterator[Refusal]:
    ours = model["account"]
    sandboxes = sandboxes_of(model, selector)
    for place in model["places"].values():
        if place["role"] == "sandbox" and place["identity"]:
            role = model["identities"][place["identity"]]
            if role["unread"] and not role["boundary"]:
                yield f"{role['name']}: nobody has read {', '.join(role['unread'])}"
            own = [document for _, document in role["policies"]] + [_ALL for _ in role["unread"]]
            written = Written(own, (), [role["boundary"]] if role["boundary"] else [], _ceilings(model, "service"))
            known = {"aws:PrincipalAccount": ours, "aws:PrincipalArn": role["arn"]}
            for action in _HARM:
                for resource in (f"arn:aws:x:x:{ours}:x", "arn:aws:s3:::x/y", *model["functions"]):
                    call = Call(action, resource, ours, role["arn"], known)
                    if permitted(written, call, ours):
                        yield f"{role['name']} may {action} on {resource}"
    for hung in (*model["resource_policies"], *_trusts(model)):
        named = set(re.findall(r"(?<!\d)\d{12}(?!\d)", json.dumps(hung["document"], default=list))) - {ours}
        for account in (_FOREIGN, *sorted(named - set(selector["trusted_accounts"])), None):
            arn = f"arn:aws:iam::{account}:root" if account else ""
            known = {"aws:PrincipalAccount": account, "aws:PrincipalArn": arn} if account else {}
            for one in _statements(hung["document"]):
                for action in texts(one.get("Action")):
                    resource = next(iter(texts(one.get("Resource"))), "x").replace("*", "x")
                    call = Call(
                        action.replace("*", "X"), resource, account, arn, {**known, "aws:SecureTransport": "true"}
                    )
                    levels = [[hung["document"]], *_ceilings(model, "resource", action)]
                    if all(decision(level, call) == "Allow" for level in levels):
                        yield f"{hung['name']} lets {account or 'anybody'} {action}"
    for one in model["deliveries"]:
        if (one["account"] or (one["to"].split(":") + [""] * 5)[4]) not in ("", ours, *selector["trusted_accounts"]):
            yield f"{one['name']} sends {one['what']} to {one['to']}"
    for name, cluster in model["clusters"].items():
        if str((cluster.get("vpcConfig") or {}).get("endpointPublicAccess", True)).lower() != "false":
            yield f"the API server of {name} is public"
    for one in model["manifests"]:
        if one.get("kind") in ("RoleBinding", "ClusterRoleBinding"):
            home = one["metadata"].get("namespace")
            for subject in one.get("subjects") or ():
                everybody = subject.get("name") in _EVERYBODY and not str(one["roleRef"]["name"]).startswith("system:")
                account = subject.get("kind") == "ServiceAccount" and (subject.get("namespace") or home) in sandboxes
                if everybody or account:
                    yield f"{one['kind']} {one['metadata']['name']} binds {subject.get('name')}"


_ALL = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def _ceilings(model: Facts, kind: str, action: str = "") -> list[list[Any]]:
    """Denials of the organization that are in force: each beside a document that allows everything."""
    controlled = kind == "service" or action.partition(":")[0] in ("s3", "sts", "kms", "sqs", "secretsmanager")
    return [[_ALL, one["document"]] for one in model["ceilings"] if one["sure"] and one["kind"] == kind and controlled]


def _trusts(model: Facts) -> Iterator[dict[str, Any]]:
    for one in model["identities"].values():
        if one["trust"]:
            yield {"name": f"{one['name']} trust", "document": one["trust"]}


# E5, E6 -------------------------------------------------------------------------------------------------------------


def _namespace_reasons(model: Facts, selector: Facts) -> Iterator[str]:
    return (f"namespace {name}" for name in sandboxes_of(model, selector))


def _workloads(model: Facts, selector: Facts) -> Iterator[Refusal]:
    labels = {
        m["metadata"]["name"]: m["metadata"].get("labels") or {} for m in model["manifests"] if m["kind"] == "Namespace"
    }
    for name in sandboxes_of(model, selector):
        if labels.get(name, {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name} does not enforce the restricted standard"
    denying = {
        m["spec"]["policyName"]
        for m in model["manifests"]
        if m["kind"] == "ValidatingAdmissionPolicyBinding" and "Deny" in (m["spec"].get("validationActions") or ())
    }
    closed = [
        m
        for m in model["manifests"]
        if m["kind"] == "ValidatingAdmissionPolicy"
        and m["metadata"]["name"] in denying
        and (m["spec"].get("failurePolicy") or "Fail") == "Fail"
    ]
    every = [m for m in model["manifests"] if m["kind"] == "ValidatingAdmissionPolicy"]
    for m in every:
        if m not in closed:
            yield f"{m['metadata']['name']} denies nothing, or nothing that it fails to judge"
    if not any("pods" in json.dumps(m["spec"].get("matchConstraints"), default=list) for m in closed):
        yield "no admission policy that denies looks at pods"
    for name, cluster in model["clusters"].items():
        cni = (cluster.get("addons") or {}).get("vpc-cni") or {}
        if (cni.get("env") or {}).get("NETWORK_POLICY_ENFORCING_MODE") != "strict":
            yield f"{name}: network policies do not hold from the first packet on"


def _serves_http(rule: Any) -> bool:
    """Whether a rule lets TCP port 80 pass; a named port may be it."""
    listed: list[Any] = list(rule.get("ports") or [{}])
    ports = [p for p in listed if (p.get("protocol") or "TCP") == "TCP"]
    firsts = [(str(p.get("port") or 80), p.get("endPort") or p.get("port") or 80) for p in ports]
    return any(not first.isdigit() or int(first) <= 80 <= int(last) for first, last in firsts)


def _metadata(model: Facts, selector: Facts) -> Iterator[Refusal]:
    sandboxes = sandboxes_of(model, selector)
    for one in model["manifests"]:
        name = (one.get("metadata") or {}).get("namespace") or "default"
        if one.get("kind") != "NetworkPolicy" or name not in sandboxes:
            continue
        for rule in (r for r in one["spec"].get("egress") or () if _serves_http(r)):
            for peer in rule.get("to") or ({"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}):
                block = peer.get("ipBlock")
                holes = [ipaddress.ip_network(h, strict=False) for h in (block or {}).get("except") or ()]
                for text in _LINK_LOCAL if block else ():
                    address = ipaddress.ip_address(text)
                    inside = address in ipaddress.ip_network(block["cidr"], strict=False)
                    if inside and not any(address in hole for hole in holes):
                        yield f"{name}: {one['metadata']['name']} lets pods reach {text}"
    for place in model["places"].values():
        nodes = place["kind"] in HOSTS and place["role"] == "sandbox"
        hops = place["metadata_hops"]
        if nodes and hops is not None and (hops > 1 or not place["metadata_token"]):
            yield f"{place['name']}: metadata answers across a pod's hop, or without a token"


# E7, E8 -------------------------------------------------------------------------------------------------------------


def _door_names(model: Facts, _selector: Facts) -> Iterator[str]:
    for one in model["functions"].values():
        if one["door"]:
            name = one["arn"].rpartition(":function:")[2]
            yield from (name, *(f"{name}:{alias}" for alias in one["aliases"]))


def _doors(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    ours = model["account"]
    vpces = [e["id"] for e in model["endpoints"] if e["service"] == "lambda"]
    agents = [p["role"] for c in model["clusters"].values() for p in c.get("podIdentities") or ()]
    for one in model["functions"].values():
        if not one["door"]:
            continue
        if one["concurrency"] is None or one["in_vpc"] or one["url"]:
            yield f"{one['name']} takes calls without bound, by URL, or is in a VPC"
        for binding in model["bindings"]:
            if one["arn"].rpartition(":")[2] in binding["function"].split(":"):
                yield f"{one['name']} runs by {binding['kind']}"
        records = model["buckets"].get(dict(one["environment"]).get("DOOR_AUDIT_BUCKET"))
        if not records or not records["versioned"] or not records["locked"]:
            yield f"{one['name']} keeps no locked records"
        for target in (one["arn"], *(f"{one['arn']}:{alias}" for alias in one["aliases"])):
            name = target.rpartition(":function:")[2]
            hung = [p["document"] for p in model["resource_policies"] if p["resource"] in (target, name)]
            passing: list[str] = []
            for vpce in (None, "vpce-0somebody-elses", *vpces):
                for arn in (*agents, f"arn:aws:iam::{ours}:role/somebody-else"):
                    context = {"aws:PrincipalAccount": ours, "aws:PrincipalArn": arn}
                    context |= {"aws:SourceVpce": vpce} if vpce else {}
                    if decision(hung, Call("lambda:InvokeFunction", target, ours, arn, context)) != "Deny":
                        passing.append(arn if vpce in vpces else f"{arn} from elsewhere")
            if len(set(passing)) > 1 or any(p not in agents for p in passing):
                yield f"{name} does not deny {', '.join(sorted(set(passing))[:3])}"


def _eyes(model: Facts, _selector: Facts) -> Iterator[Refusal]:
    watch = model["watch"]
    metrics = {tuple(f["metric"]) for f in watch["filters"]}
    told = {
        tuple(m)
        for a in watch["alarms"]
        if a["enabled"] and set(a["actions"]) & set(watch["topics"])
        for m in a["metrics"]
    }
    for sensor in watch["sensors"]:
        here = {tuple(f["metric"]) for f in watch["filters"] if f["log_group"] == sensor["sink"]}
        if not sensor["complete"] or not here & told:
            yield f"{sensor['name']} is not complete, or nobody is told of what it sees"
    if not metrics:
        yield "nothing is counted"


_WANTED: dict[str, Callable[[Facts, Facts], Iterator[str]]] = {
    "E3": _statement_names,
    "E4": _node_roles,
    "E5": _namespace_reasons,
    "E6": _namespace_reasons,
    "E7": _door_names,
}
_ASKED: dict[str, Callable[[Facts, Facts], Iterator[Refusal]]] = {
    "E2": _names,
    "E3": _calls,
    "E4": _identities,
    "E5": _workloads,
    "E6": _metadata,
    "E7": _doors,
    "E8": _eyes,
}
