"""Claim E4: what every identity that is to be had in a sandbox may do, and that the door's role stays outside."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from sequester.proof.certificate import Certificate, Obligation, digest
from sequester.proof.export import all_facts, namespaces
from sequester.proof.facts import BadFactError, items, mapping, texts
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.pattern import TooHardError, includes, intersects
from sequester.proof.iam.request import Region, allowed
from sequester.proof.model import Identity, Model
from sequester.proof.reviewed import DANGEROUS, HARMLESS, KNOWN_MANAGED
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Hop, Proved, Request, Unknown, Verdict, Witness

# Services with which a door's role could reach into the execution context.
_INSIDE = ("ec2:*", "eks:*", "ssm:*", "ssmmessages:*", "iam:*", "sts:AssumeRole", "ecs:*", "lambda:InvokeFunction")
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")
# Bindings that every cluster has for everybody: discovery and reviews of one's own rights.
_BUILT_IN_ROLES = (
    "system:basic-user",
    "system:discovery",
    "system:public-info-viewer",
    "system:service-account-issuer-discovery",
)
_ASSUMED = ("the reviewed table of dangerous and harmless actions (proof/reviewed.py) is read as of its review",)


def identity(model: Model, selector: Selector) -> Verdict:
    reasons = list(model.gaps_for("E4"))
    witnesses: list[Witness] = []
    holds: list[Obligation] = []
    try:
        for arn, why in _obtainable(model, selector):
            found, doubts, fine = _harm(model, arn, why)
            witnesses += found
            reasons += doubts
            holds += fine
        for source in (_bindings(model, selector), _pod_identities(model, selector), _doors(model)):
            for one in source:
                if isinstance(one, Witness):
                    witnesses.append(one)
                elif isinstance(one, Obligation):
                    holds.append(one)
                else:
                    reasons.append(one)
    except (BadFactError, TooHardError) as error:
        reasons.append(str(error))
    if witnesses:
        return Escapes("E4", witnesses[0], tuple(witnesses[1:]))
    if not holds and not reasons:
        reasons.append("no identity of a sandbox was recognised: neither sandbox nodes nor sandbox namespaces")
    if reasons:
        return Unknown("E4", tuple(dict.fromkeys(reasons)))
    certificate = Certificate(
        "E4", digest(all_facts(model, selector)), (), tuple(holds), (*_ASSUMED, *model.assumptions)
    )
    return Proved("E4", certificate)


def _obtainable(model: Model, selector: Selector) -> Iterator[tuple[str, str]]:
    """Roles to be had at T0 and T1: of sandbox nodes, and of web identities of sandbox service accounts."""
    seen: set[str] = set()
    for place in model.places.values():
        if place.role == "sandbox" and place.identity and place.identity not in seen:
            seen.add(place.identity)
            yield place.identity, f"root on {place.name} has it"
    for one in model.identities.values():
        for subject in _web_subjects(one):
            namespace = subject.removeprefix("system:serviceaccount:").partition(":")[0]
            sandboxes = [n for n in namespaces(model) if selector.role_of_namespace(n) == "sandbox"]
            if any(fnmatchcase(s, namespace) for s in sandboxes) and one.arn not in seen:
                seen.add(one.arn)
                yield one.arn, f"its trust policy names {subject}"


def _web_subjects(one: Identity) -> Iterator[str]:
    if one.trust is None:
        return
    for statement in items(one.trust.get("Statement"), one.name):
        for keys in mapping(mapping(statement, one.name).get("Condition"), one.name).values():
            for key, values in mapping(keys, one.name).items():
                if key.endswith(":sub"):
                    yield from texts(values, one.name)


def _harm(model: Model, arn: str, why: str) -> tuple[list[Witness], list[str], list[Obligation]]:
    one = model.identities.get(arn)
    if one is None:
        return [], [f"{arn} ({why}) is not in the facts"], []
    doubts: list[str] = []
    for policy in one.unread:
        name = policy.rpartition("/")[2]
        if name in KNOWN_MANAGED:
            action = KNOWN_MANAGED[name]
            return [_harmful(one, why, f"managed policy {name}", action, dict(DANGEROUS).get(action, ""))], [], []
        doubts.append(f"{one.name}: the text of {policy} is not in the plan")
    document = tuple(s for name, raw in one.policies for s in statements(raw, name))
    context = {"aws:principalaccount": Value(model.account), "aws:principalarn": Value(arn)}
    for action, opens in DANGEROUS:
        answer = allowed(document, Region(action, "*", context))
        if answer.truth is Truth.TRUE and not _layers(document, action, answer.by, model.region):
            return [_harmful(one, why, answer.by, action, opens)], [], []
        if answer.truth is Truth.UNKNOWN and not _layers(document, action, answer.by, model.region):
            doubts.append(f"{one.name}: whether it may {action} hangs on {', '.join(answer.keys)}")
    lower = tuple(a.lower() for a in HARMLESS)
    for s in document:
        if not s.allow:
            continue
        if s.but_actions is not None:
            doubts.append(f"{s.name}: NotAction in an Allow leaves every other action open")
        doubts += [
            f"{s.name}: {action} is on neither reviewed table"
            for action in s.actions
            if not includes(lower, action) and not _layers(document, action, s.name, model.region)
        ]
    if doubts:
        return [], doubts, []
    return [], [], [Obligation(one.name, f"{why}; its actions are all on the reviewed harmless table")]


def _layers(document: tuple[Statement, ...], action: str, name: str, region: str) -> bool:
    """Reads of ECR's layer bucket are the one S3 call that a node needs."""
    layers = (f"arn:aws:s3:::prod-{region}-starport-layer-bucket/*",)
    return action.lower() == "s3:getobject" and all(
        includes(layers, r) for s in document if s.allow and s.name == name for r in s.resources
    )


def _harmful(one: Identity, why: str, policy: str, action: str, opens: str) -> Witness:
    return Witness(
        f"{one.name} may {action}: it {opens}",
        (Hop(one.name, why), Hop(policy, f"allows {action}")),
        f"remove {action} from {policy}",
        request=Request(one.arn, action, "*"),
    )


def _bindings(model: Model, selector: Selector) -> Iterator[Witness | Obligation]:
    """No Kubernetes right for service accounts of sandbox namespaces, by name or by group."""
    sandboxes = [n for n in namespaces(model) if selector.role_of_namespace(n) == "sandbox"]
    for manifest in model.manifests:
        if manifest.get("kind") not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        meta = mapping(manifest.get("metadata"), "metadata")
        name = f"{manifest['kind']} {meta.get('namespace', '')}/{meta.get('name')}".replace(" /", " ")
        role = str(mapping(manifest.get("roleRef"), name).get("name"))
        for raw in items(manifest.get("subjects"), name):
            subject = mapping(raw, name)
            who = str(subject.get("name"))
            hit = next((n for n in sandboxes if _speaks_of(subject, who, n)), None)
            if hit and role not in _BUILT_IN_ROLES:
                yield Witness(
                    f"service accounts of {hit} get the rights of {role}",
                    (Hop(f"a pod of {hit}", "with any service account token"), Hop(name, f"binds {who} to {role}")),
                    f"remove {who} from {name}",
                    request=Request(f"system:serviceaccount:{hit}:*", "the verbs of " + role, "the Kubernetes API"),
                )
    for namespace in sandboxes:
        yield Obligation(f"namespace {namespace}", "no role is bound to its service accounts")


def _speaks_of(subject: Mapping[str, object], who: str, namespace: str) -> bool:
    if subject.get("kind") == "ServiceAccount":
        return subject.get("namespace") == namespace
    if subject.get("kind") == "Group":
        return who in _EVERYBODY or who == f"system:serviceaccounts:{namespace}"
    return who.startswith(f"system:serviceaccount:{namespace}:") or who == "system:anonymous"


def _pod_identities(model: Model, selector: Selector) -> Iterator[Witness]:
    for cluster in model.clusters.values():
        for raw in items(cluster.get("podIdentities"), "podIdentities"):
            one = mapping(raw, "podIdentities")
            if selector.role_of_namespace(str(one.get("namespace"))) == "sandbox":
                yield Witness(
                    f"pods of {one.get('namespace')} get {one.get('role')}",
                    (
                        Hop(
                            f"service account {one.get('namespace')}/{one.get('serviceAccount')}",
                            f"→ {one.get('role')}",
                        ),
                    ),
                    "remove the Pod Identity association",
                    request=Request(str(one.get("role")), "*", "*"),
                )


def _doors(model: Model) -> Iterator[Witness | Obligation | str]:
    for function in model.functions.values():
        if not function.door:
            continue
        if function.in_vpc:
            yield Witness(
                f"{function.name} has interfaces in a VPC",
                (Hop(function.name, "vpcConfig"),),
                f"take {function.name} out of the VPC",
                request=Request(function.name, "connect", "the VPC"),
            )
        one = model.identities.get(function.role)
        if one is None:
            yield f"{function.name}: its role {function.role} is not in the facts"
            continue
        document = tuple(s for name, raw in one.policies for s in statements(raw, name))
        reached = next(
            (a for s in document if s.allow for a in s.actions for i in _INSIDE if intersects(a, i.lower())), None
        )
        if reached:
            yield Witness(
                f"{function.name}'s role may {reached}",
                (Hop(one.name, "the door's role"), Hop(one.name, f"allows {reached}")),
                f"remove {reached} from {one.name}",
                request=Request(one.arn, reached, "*"),
            )
        else:
            yield Obligation(function.name, "its role reaches no part of the execution context")
