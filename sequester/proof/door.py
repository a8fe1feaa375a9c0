"""Claim E7: who can make the door run, and by which way. What its code then does is tested, not proved."""

from collections.abc import Iterator, Mapping

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.door_keeps import keeps
from sequester.proof.facts import items, mapping
from sequester.proof.grants import bounded, narrowed, written
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.evaluation import Layer, Policies, decided
from sequester.proof.iam.request import Answer, Caller, Region, covers
from sequester.proof.model import Function, Identity, Model
from sequester.proof.selector import Selector
from sequester.proof.verdict import Hop, Request, Verdict, Witness

_INVOKE = "lambda:InvokeFunction"
# Calls that change a door or who may open it.
_CHANGES = (
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "lambda:AddPermission",
    "lambda:PutResourcePolicy",
    "lambda:UpdateAlias",
    "lambda:CreateFunction",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "sts:AssumeRole",
    "s3:PutObject",
    "ec2:ModifyVpcEndpoint",
)
_ASSUMED = (
    "the door's code keeps to its allowlist and writes the record before it sends: tested, not proved",
    "an alias whose version is not in the facts (a first preview) runs what its function describes",
)


def door(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    doors = [f for f in model.functions.values() if f.door]
    agents = _agent_roles(model)
    for one in doors:
        for target in (one.arn, *(f"{one.arn}:{alias}" for alias in one.aliases)):
            findings.take(_callers(model, one, target, agents))
        findings.take(_ways(model, one))
    findings.take(keeps(model, doors))
    findings.take(_tenants(model, doors))
    findings.take(_shared_roles(model, selector))
    if not doors:
        findings.doubts.append("no door function is in the facts")
    return findings.verdict("E7", model, selector, _ASSUMED)


def _agent_roles(model: Model) -> tuple[str, ...]:
    """Roles that pods get, by themselves or from the role that they get first."""
    return tuple(dict.fromkeys(str(one[key]) for one in _associations(model) for key in _KEYS if one.get(key)))


_KEYS = ("role", "targetRole")


def _associations(model: Model) -> Iterator[Mapping[str, object]]:
    for cluster in model.clusters.values():
        for raw in items(cluster.get("podIdentities"), "podIdentities"):
            yield mapping(raw, "podIdentities")


def _shared_roles(model: Model, selector: Selector) -> Iterator[Finding]:
    """A role of two namespaces is one caller for its door, whichever tenant's pod has it."""
    homes: dict[str, set[str]] = {}
    for one in _associations(model):
        for key in _KEYS:
            if one.get(key):
                homes.setdefault(str(one[key]), set()).add(str(one.get("namespace")))
    for role, spaces in homes.items():
        if len(spaces) > 1 and any(selector.role_of_namespace(space) == "agent" for space in spaces):
            yield Witness(
                f"pods of {' and of '.join(sorted(spaces))} have one role, and so one door",
                (Hop(role, "is given by Pod Identity to both"),),
                "give each tenant's agent a role of its own",
                request=Request(role, _INVOKE, "the door of either"),
            )


def _sessions(model: Model, arn: str) -> tuple[Layer, ...]:
    """The policies of a role's sessions, one for each way in which pods get it; none where a way has none."""
    found: list[Layer] = []
    for one in _associations(model):
        if arn in (one.get(key) for key in _KEYS):
            raw = one.get("policy")
            if not raw or one.get("targetRole"):
                return ((),)
            found.append(statements(mapping(raw, "policy"), f"the session policy of {one.get('serviceAccount')}"))
    return tuple(found) or ((),)


def _callers(model: Model, one: Function, target: str, agents: tuple[str, ...]) -> Iterator[Finding]:
    """Denials must take away every call but that of one tenant's role through our endpoint; each alias has its own."""
    name = target.rpartition(":function:")[2]
    denials = [
        s
        for p in model.resource_policies
        if p.resource in (target, name, one.name if target == one.arn else "")
        for s in statements(p.document, p.name)
        if not s.allow
    ]
    ours = [e.id for e in model.endpoints if e.service == "lambda"]
    anyone = f"arn:aws:iam::{model.account}:role/"
    roles = (Value(f"{anyone}somebody-else"), Value(f"{anyone}*", agents))
    inside = [("by a role that is no agent's", Value(vpce), role) for vpce in ours for role in roles]
    outside = [
        (how, vpce, role)
        for how, vpce in (
            ("from outside of the VPC", Value(None)),
            ("through somebody else's endpoint", Value("vpce-*", tuple(ours))),
        )
        for role in (*map(Value, dict.fromkeys(agents)), *roles)
    ]
    doubt = ""
    for how, vpce, role in (*outside, *inside):
        truth = _denied(model, denials, target, vpce, role)
        if truth is Truth.FALSE:
            yield _open(one, target, how)
            return
        doubt = doubt or ("" if truth is Truth.TRUE else f"{name}: whether calls {how} are denied hangs on a condition")
    let = [
        a
        for a in dict.fromkeys(agents)
        for v in ours
        if _denied(model, denials, target, Value(v), Value(a)) is not Truth.TRUE
    ]
    if len(set(let)) > 1:
        yield _open(one, target, f"by the agents {' and '.join(a.rpartition('/')[2] for a in let[:2])}")
    elif doubt:
        yield doubt
    else:
        yield Obligation(name, "its resource policy denies every call but one agent's through our endpoint")


def _denied(model: Model, denials: list[Statement], target: str, vpce: Value, role: Value) -> Truth:
    context = {
        "aws:sourcevpce": vpce,
        "aws:principalaccount": Value(model.account),
        "aws:principalarn": role,
        "aws:principalisawsservice": Value("false"),
    }
    region = Region(_INVOKE, target, context, Caller(model.account, role.text or ""))
    return max((covers(s, region) for s in denials), key=lambda t: t.value, default=Truth.FALSE)


def _open(one: Function, target: str, how: str) -> Witness:
    name = target.rpartition(":function:")[2]
    return Witness(
        f"{name} can be invoked {how} by whoever in the account may invoke functions",
        (Hop(name, f"has no resource policy that denies calls {how}"),),
        f"deny {_INVOKE} on {name} unless aws:SourceVpce is our endpoint and aws:PrincipalArn its tenant's agent",
        absent=True,
        request=Request("any role of the account", _INVOKE, target),
    )


def _ways(model: Model, one: Function) -> Iterator[Finding]:
    for binding in model.bindings:
        bare = binding.function.rpartition(":function:")[2] or binding.function
        if binding.function and one.arn.rpartition(":function:")[2] in (bare, bare.partition(":")[0]):
            yield Witness(
                f"{one.name} runs by {binding.kind}",
                (Hop(binding.name, binding.kind), Hop(one.name, "runs")),
                f"remove {binding.name}",
                request=Request(binding.kind, _INVOKE, one.arn),
            )
    if one.concurrency is None:
        yield Witness(
            f"{one.name} takes as many calls at once as the account has",
            (Hop(one.name, "reservedConcurrentExecutions is not set"),),
            f"set reservedConcurrentExecutions of {one.name}",
        )


def _tenants(model: Model, doors: list[Function]) -> Iterator[Finding]:
    """Each role that pods get may invoke one door at most, and change none."""
    for arn in dict.fromkeys(_agent_roles(model)):
        one = model.identities.get(arn)
        if one is None:
            yield f"{arn} is given to pods, and is not in the facts"
            continue
        document = written(one)
        context = {"aws:principalarn": Value(arn), "aws:principalaccount": Value(model.account)}

        def may(
            action: str, target: str, one: Identity = one, arn: str = arn, document: Layer = document,
            context: Mapping[str, Value] = context,
        ) -> Answer:  # fmt: skip
            def ask(guards: tuple[Layer, ...]) -> Answer:
                """The best of its sessions."""
                each = (
                    decided(
                        Policies(document, (), bounded(one, session), guards),
                        Region(action, target, context),
                        same_account=True,
                    )
                    for session in _sessions(model, arn)
                )
                return max(each, key=lambda a: a.truth.value)

            return narrowed(model, ("service",), ask)

        for action in _CHANGES:
            answer = may(action, "*")
            unread = [key for key in answer.keys if key.startswith("the text of ")]
            if unread:
                yield f"{one.name}: {unread[0]} is not in the plan"
                break
            if answer.truth is not Truth.FALSE:
                yield _too_much(one, answer.by, action)
                break
        open_ = [
            d for d in doors if any(may(_INVOKE, target).truth is not Truth.FALSE for target in (d.arn, f"{d.arn}:*"))
        ]
        if len(open_) > 1:
            yield Witness(
                f"{one.name} may invoke the doors of several tenants",
                (Hop(one.name, f"may invoke {', '.join(d.name for d in open_)}"),),
                f"name one door in {one.name}'s policy",
                request=Request(arn, _INVOKE, open_[1].arn),
            )
        else:
            yield Obligation(one.name, "may invoke one door at most, and change none")


def _too_much(one: Identity, policy: str, action: str) -> Witness:
    return Witness(
        f"{one.name}, which pods get, may {action}",
        (Hop(one.name, "is given to pods"), Hop(policy, f"allows {action}")),
        f"remove {action} from {policy}",
        request=Request(one.arn, action, "*"),
    )
