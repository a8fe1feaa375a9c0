"""Who can become which role: what is on a sandbox node, a sandbox's web identity, and whom those roles lead to (E4)."""

from collections.abc import Iterator
from dataclasses import replace

from sequester.proof.decide import Finding
from sequester.proof.export import sandbox_namespaces
from sequester.proof.facts import items, mapping
from sequester.proof.iam.condition import Truth, Value, all_hold
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.evaluation import Policies, decided
from sequester.proof.iam.request import Caller, Region
from sequester.proof.model import Identity, Model
from sequester.proof.rights import on_every_node
from sequester.proof.selector import Selector
from sequester.proof.shared import lets_in
from sequester.proof.strangers import accounts, callers
from sequester.proof.verdict import Hop, Request, Witness

_ASSUME = "sts:AssumeRole"
_BECOME = "sts:AssumeRole*"
"""Likewise with a token that some provider gave: everybody, where a trust policy names no provider."""


def obtainable(model: Model, selector: Selector) -> dict[str, str]:
    """Role → how it is to be had at T0 and T1: of sandbox nodes and what runs there, by web identity, in chains."""
    found: dict[str, str] = {}
    for place in model.places.values():
        if place.role == "sandbox" and place.identity:
            found.setdefault(place.identity, f"root on {place.name} has it")
    on_nodes = on_every_node(model)
    for account, role in _pod_roles(model):
        if account in on_nodes:
            found.setdefault(role, f"root on a sandbox node has the token of {'/'.join(account)}, which runs there")
    sandboxes = sandbox_namespaces(model, selector)
    subjects = [f"system:serviceaccount:{namespace}:*" for namespace in sandboxes]
    subjects += [f"system:serviceaccount:{':'.join(account)}" for account in sorted(on_nodes)]
    for one in model.identities.values():
        subject = _web_subject(one, subjects)
        if subject:
            found.setdefault(one.arn, f"its trust policy lets {subject} in")
    todo = list(found)
    while todo:
        arn = todo.pop()
        for one in model.identities.values():
            if one.arn not in found and _names(one, arn):
                found[one.arn] = f"{arn.rpartition('/')[2]} may become it, since its trust policy names that role"
                todo.append(one.arn)
    return found


def _pod_roles(model: Model) -> Iterator[tuple[tuple[str, str], str]]:
    """((namespace, service account), role) of every Pod Identity association; a target role comes with its first."""
    for cluster in model.clusters.values():
        for raw in items(cluster.get("podIdentities"), "podIdentities"):
            one = mapping(raw, "podIdentities")
            account = (str(one.get("namespace")), str(one.get("serviceAccount")))
            yield from ((account, str(one[key])) for key in ("role", "targetRole") if one.get(key))


def _trust(one: Identity) -> tuple[Statement, ...]:
    return statements(one.trust, f"{one.name} trust") if one.trust else ()


def _web_subject(one: Identity, subjects: list[str]) -> str:
    """A pod's name whose tokens a role's trust policy takes. A provider of another kind knows none of them."""
    for statement in _trust(one):
        providers = [p for p in statement.principals or () if p.startswith("Federated:") and "oidc.eks" in p]
        if not statement.allow or not providers:
            continue
        for subject in subjects:
            known = {c.key: Value(subject) for c in statement.conditions if c.key.endswith(":sub")}
            known |= {c.key: Value("sts.amazonaws.com") for c in statement.conditions if c.key.endswith(":aud")}
            if all_hold(statement.conditions, known)[0] is not Truth.FALSE:
                return subject
    return ""


def _names(one: Identity, arn: str) -> bool:
    """A trust policy that names a role of the same account lets it in, without a word in that role's own policies."""
    account = arn.split(":")[4] if arn.count(":") >= 5 else None
    known = {"aws:principalarn": Value(arn), "aws:principalaccount": Value(account)}
    region = Region(_ASSUME, "*", known, Caller(account, arn))
    return decided(Policies(resource=_trust(one)), region, same_account=True).truth is not Truth.FALSE


# Providers of identities for everybody → the key that must say whose, and how its values begin to.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html
_FOR_EVERYBODY = {
    "accounts.google.com": ":aud",
    "cognito-identity.amazonaws.com": ":aud",
    "graph.facebook.com": ":app_id",
    "www.amazon.com": ":app_id",
    "token.actions.githubusercontent.com": ":sub",
    "gitlab.com": ":sub",
    "app.terraform.io": ":sub",
    "api.pulumi.com": ":aud",
}


def _anybody_of(statement: Statement, account: str) -> tuple[Truth, str]:
    """Whether anybody can have an identity that the statement lets in, and at which provider.

    Of a provider that is on no table nobody knows to whom it gives identities: only a subject that is named is told.
    """
    for principal in statement.principals or () if statement.allow else ():
        kind, _, provider = principal.partition(":")
        host = provider.rpartition("oidc-provider/")[2]
        if kind != "Federated" or host.startswith("oidc.eks.") or _is_ours(provider, account):
            continue
        reviewed = _FOR_EVERYBODY.get(host.partition("/")[0])
        suffix = reviewed or ":sub"
        for strange in (_STRANGE, *_near(statement)):
            # The audience that everybody's token for AWS has says nothing.
            said = {":sub": strange, suffix: strange}
            known = {
                c.key: Value(next((v for s, v in said.items() if c.key.endswith(s)), "sts.amazonaws.com"))
                for c in statement.conditions
                if c.key.endswith((":sub", ":aud", suffix))
            }
            truth = all_hold(statement.conditions, known)[0]
            if truth is not Truth.FALSE:
                return truth if reviewed else Truth.UNKNOWN, host
    return Truth.FALSE, ""


def _is_ours(provider: str, account: str) -> bool:
    """A provider of SAML of this account, whose identities are those that the account's owner let in."""
    return provider.startswith(f"arn:aws:iam::{account}:saml-provider/")


def _near(statement: Statement) -> Iterator[str]:
    """Subjects of owners that a careless pattern takes in: `repo:ours*` is also for `ours-9-nobody`."""
    for condition in statement.conditions:
        for value in condition.values if condition.key.endswith(":sub") else ():
            if any(c in value.partition("/")[0] for c in "*?"):
                yield value.replace("*", "9-nobody/x").replace("?", "9")


_STRANGE = "repo:9-nobody-we-know/9-nobody:ref:refs/heads/main"
"""What no policy names: as a subject of GitHub it is one, as an audience none."""


def open_trusts(model: Model, selector: Selector) -> Iterator[Finding]:
    """Roles that somebody of another account, or without any, can become."""
    for one in model.identities.values():
        document = _trust(one)
        for statement in document:
            truth, host = _anybody_of(statement, model.account)
            if truth is Truth.TRUE:
                yield Witness(
                    f"anybody with an identity of {host} can become {one.name}",
                    (Hop(host, "gives identities to everybody"), Hop(statement.name, "does not say to whose")),
                    f"require whose identity it is in the trust policy of {one.name}",
                    request=Request("anybody", "sts:AssumeRoleWithWebIdentity", one.arn),
                )
            elif truth is Truth.UNKNOWN:
                yield f"{statement.name}: whether {host} gives anybody an identity that it lets in is not known"
        for stranger in callers(
            model.account, accounts((model.account, *selector.trusted_accounts), document), document
        ):
            if stranger.who == "our credentials":
                continue
            answer, request = lets_in(model, document, stranger, _BECOME)
            if answer.truth is Truth.TRUE and stranger.sure:
                who = stranger.caller.account or "anybody"
                yield Witness(
                    f"{who} can become {one.name}",
                    (Hop(f"account {who}", f"calls {request.action}"), Hop(one.name, f"{answer.by} lets it in")),
                    f"name roles of this account in the trust policy of {one.name}",
                    request=replace(request, resource=one.arn),
                )
                break
            if answer.truth is not Truth.FALSE:
                keys = ", ".join(answer.keys) or "the account"
                yield f"{one.name}: whether strangers can become it hangs on {keys}"
                break
