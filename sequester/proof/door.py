"""Claim E7: who can make the door run, and by which way. What its code then does is tested, not proved."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.facts import items, mapping
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import statements
from sequester.proof.iam.request import Region, allowed, covers
from sequester.proof.model import Function, Model
from sequester.proof.selector import Selector
from sequester.proof.verdict import Hop, Request, Verdict, Witness

_INVOKE = "lambda:InvokeFunction"
_ASSUMED = ("the door's code keeps to its allowlist and writes the record before it sends: tested, not proved",)


def door(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    doors = [f for f in model.functions.values() if f.door]
    for one in doors:
        findings.take(_callers(model, one))
        findings.take(_ways(model, one))
    findings.take(_tenants(model, doors))
    if not doors:
        findings.doubts.append("no door function is in the facts")
    return findings.verdict("E7", model, selector, _ASSUMED)


def _callers(model: Model, one: Function) -> Iterator[Finding]:
    """A Deny must take away every call that does not come through our endpoint from the tenant's own role."""
    denials = [
        s
        for p in model.resource_policies
        if p.resource and (p.resource.startswith(one.arn) or p.resource in (one.name, one.arn.rpartition(":")[2]))
        for s in statements(p.document, p.name)
        if not s.allow
    ]
    elsewhere = {
        "aws:sourcevpce": Value(None),
        "aws:principalaccount": Value(model.account),
        "aws:principalarn": Value(f"arn:aws:iam::{model.account}:role/*"),
        "aws:principalisawsservice": Value("false"),
    }
    region = Region(_INVOKE, one.arn, elsewhere)
    truth = max((covers(s, region) for s in denials), key=lambda t: t.value, default=Truth.FALSE)
    if truth is Truth.TRUE:
        yield Obligation(one.name, "its resource policy denies every call that is not made through our endpoint")
    elif truth is Truth.UNKNOWN:
        yield f"{one.name}: whether its resource policy denies calls from elsewhere hangs on a condition"
    else:
        yield Witness(
            f"{one.name} can be invoked from outside of the VPC by whoever in the account may invoke functions",
            (Hop(one.name, "has no resource policy that denies calls without our aws:SourceVpce"),),
            f"deny {_INVOKE} on {one.name} unless aws:SourceVpce is our endpoint",
            absent=True,
            request=Request("any role of the account", _INVOKE, one.arn),
        )


def _ways(model: Model, one: Function) -> Iterator[Finding]:
    for binding in model.bindings:
        if binding.function and (binding.function in (one.arn, one.name) or one.arn.endswith(f":{binding.function}")):
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
    """Each role that pods get by Pod Identity may invoke one door at most."""
    for cluster in model.clusters.values():
        for raw in items(cluster.get("podIdentities"), "podIdentities"):
            arn = str(mapping(raw, "podIdentities").get("role"))
            one = model.identities.get(arn)
            if one is None:
                yield f"{arn} is given to pods, and is not in the facts"
                continue
            document = [s for name, policy in one.policies for s in statements(policy, name)]
            context = {"aws:principalarn": Value(arn), "aws:principalaccount": Value(model.account)}
            open_ = [
                d for d in doors if allowed(document, Region(_INVOKE, d.arn, context)).truth is not Truth.FALSE
                or allowed(document, Region(_INVOKE, f"{d.arn}:*", context)).truth is not Truth.FALSE
            ]  # fmt: skip
            if len(open_) > 1:
                yield Witness(
                    f"{one.name} may invoke the doors of several tenants",
                    (Hop(one.name, f"may invoke {', '.join(d.name for d in open_)}"),),
                    f"name one door in {one.name}'s policy",
                    request=Request(arn, _INVOKE, open_[1].arn),
                )
            else:
                yield Obligation(one.name, "may invoke one door at most")
