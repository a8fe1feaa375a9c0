"""Claim E4: what every identity that is to be had in a sandbox may do, and that the door's role stays outside."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.door_role import door_roles
from sequester.proof.export import sandbox_namespaces
from sequester.proof.facts import items, mapping
from sequester.proof.grants import bounded, except_for, narrowed, written
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.evaluation import Layer, Policies, decided
from sequester.proof.iam.request import Answer, Region
from sequester.proof.model import Identity, Model
from sequester.proof.reviewed import DANGEROUS, EKS_REGISTRIES, HARMLESS
from sequester.proof.rights import rights
from sequester.proof.selector import Selector
from sequester.proof.shared import TO_PEOPLE, deliveries, handed_out, shared
from sequester.proof.strangers import at_any_time, instance, of_ours
from sequester.proof.trusts import obtainable, open_trusts
from sequester.proof.verdict import Hop, Request, Verdict, Witness

_HARMLESS = tuple(a.lower() for a in HARMLESS)
_ASSUMED = ("the reviewed table of dangerous and harmless actions (proof/reviewed.py) is read as of its review",)


def identity(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    findings.take(_roles(model, selector))
    findings.take(rights(model, selector))
    findings.take(_pod_identities(model, selector))
    findings.take(_clusters(model))
    findings.take(open_trusts(model, selector))
    findings.take(shared(model, selector))
    findings.take(deliveries(model, selector))
    findings.take(door_roles(model))
    if not any(p.role == "sandbox" for p in model.places.values()) and not sandbox_namespaces(model, selector):
        findings.doubts.append("no identity of a sandbox was recognised: neither sandbox nodes nor sandbox namespaces")
    people = (f"{d.to} may have the {d.what} of {d.name}" for d in model.deliveries if d.what in TO_PEOPLE)
    return findings.verdict("E4", model, selector, (*_ASSUMED, *people))


def _roles(model: Model, selector: Selector) -> Iterator[Finding]:
    held = obtainable(model, selector)
    for arn, why in held.items():
        yield from _harm(model, arn, why)
    yield from handed_out(model, held)


def _harm(model: Model, arn: str, why: str) -> Iterator[Finding]:
    """The first dangerous thing that a role may do, else whatever nobody has reviewed, else that all is harmless."""
    one = model.identities.get(arn)
    if one is None:
        yield f"{arn} ({why}) is not in the facts"
        return
    document = written(one)
    policies = Policies(identity=document, limits=bounded(one))
    known = at_any_time({"aws:principalaccount": Value(model.account), "aws:principalarn": Value(arn)})
    layers = except_for(("s3:getobject",), (f"arn:aws:s3:::prod-{model.region}-starport-layer-bucket/*",))
    doubts: list[str] = []
    for action, opens in DANGEROUS:
        region = Region(action, "*", known)
        answer = _may(model, policies, region, layers)
        if answer.truth is Truth.UNKNOWN:
            answer, region = _asked_closely(model, arn, policies, region, answer, layers)
        if answer.truth is Truth.TRUE:
            yield _harmful(one, why, answer, action, opens, instance(model.account, region.context))
            return
        if answer.truth is Truth.UNKNOWN:
            unread = [key for key in answer.keys if _is_unread(key)]
            hangs = f"{one.name}: whether it may {action} hangs on {', '.join(answer.keys)}"
            doubts.append(f"{one.name}: {unread[0]} is not in the plan" if unread else hangs)
    denied = tuple(s for s in document if not s.allow)
    for s in document:
        if not s.allow or s.name in one.unread:
            continue
        alone = replace(policies, identity=(s, *denied))
        left = _may(model, alone, Region("*", "*", known), layers, except_for(_HARMLESS))
        if left.truth is not Truth.FALSE:
            what = s.actions[0] if len(s.actions) == 1 and s.but_actions is None else left.action
            doubts.append(f"{s.name}: {what} is on neither reviewed table")
        foreign = next((r for r in s.resources if _of_another(model, r)), None)
        if foreign and _may(model, alone, Region("*", foreign, known)).truth is not Truth.FALSE:
            opens = f"reaches {foreign}, which is another account's"
            reached = Answer(Truth.TRUE, s.name, (), s.actions[0], foreign)
            yield _harmful(one, why, reached, s.actions[0], opens, {})
            return
    if doubts:
        yield from dict.fromkeys(doubts)
    else:
        yield Obligation(one.name, f"{why}; its actions are all on the reviewed harmless table")


def _may(model: Model, policies: Policies, region: Region, *beside: Layer) -> Answer:
    def ask(guards: tuple[Layer, ...]) -> Answer:
        return decided(replace(policies, guards=(*guards, *beside)), region, same_account=True)

    return narrowed(model, ("service",), ask)


def _asked_closely(
    model: Model, arn: str, policies: Policies, region: Region, answer: Answer, *beside: Layer
) -> tuple[Answer, Region]:
    """The answer where it hangs on what the caller chooses: whence he calls, what he sends, on whose resource."""
    speaking = [s for layer in (policies.identity, *policies.limits) for s in layer]
    for known in of_ours(model, arn, speaking) if any(not _is_unread(key) for key in answer.keys) else ():
        closer = replace(region, context=known)
        found = _may(model, policies, closer, *beside)
        if found.truth is Truth.TRUE:
            return found, closer
    return answer, region


def _is_unread(key: str) -> bool:
    return key.startswith("the text of ")


def _of_another(model: Model, resource: str) -> bool:
    """A resource of an account that is neither ours nor that of EKS's own images."""
    fields = resource.split(":", 5)
    named = fields[4] if len(fields) == 6 else ""
    return named.isdigit() and named != model.account and named not in EKS_REGISTRIES


def _harmful(
    one: Identity, why: str, answer: Answer, action: str, opens: str, context: Mapping[str, tuple[str, ...]]
) -> Witness:
    return Witness(
        f"{one.name} may {action}: it {opens}",
        (Hop(one.name, why), Hop(answer.by, f"allows {action}")),
        f"remove {action} from {answer.by}",
        request=Request(one.arn, action, answer.resource, context=context),
    )


def _pod_identities(model: Model, selector: Selector) -> Iterator[Finding]:
    for cluster in model.clusters.values():
        for raw in items(cluster.get("podIdentities"), "podIdentities"):
            one = mapping(raw, "podIdentities")
            account = f"service account {one.get('namespace')}/{one.get('serviceAccount')}"
            target = str(one.get("targetRole") or "")
            if selector.role_of_namespace(str(one.get("namespace"))) == "sandbox":
                yield Witness(
                    f"pods of {one.get('namespace')} get {one.get('role')}",
                    (Hop(account, f"→ {one.get('role')}"),),
                    "remove the Pod Identity association",
                    request=Request(str(one.get("role")), "*", "*"),
                )
            elif target and target not in model.identities:
                yield f"{account} goes on to {target}, which is not in the facts"


def _clusters(model: Model) -> Iterator[Finding]:
    """Credentials that are stolen inside must not work outside; who may do what is in access entries alone."""
    for name, cluster in model.clusters.items():
        network = mapping(cluster.get("vpcConfig"), f"{name} vpcConfig")
        if str(network.get("endpointPublicAccess", True)).lower() != "false":
            yield Witness(
                f"the API server of {name} answers from the internet",
                (
                    Hop("a node's credentials", "are taken out of the sandbox node"),
                    Hop(name, f"endpointPublicAccess: {network.get('endpointPublicAccess', 'not set, so true')}"),
                ),
                f"set endpointPublicAccess of {name} to false",
                request=Request("system:node:*", "any request", name),
            )
        mode = mapping(cluster.get("accessConfig"), f"{name} accessConfig").get("authenticationMode")
        if mode != "API":
            said = mode or "is not set"
            yield f"{name}: authenticationMode {said}: what the aws-auth ConfigMap gives is not in the plan"
