"""Each way out by a call is a call: the second evaluator, which shares nothing with the prover, lets it through."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from proof_ways_out import CASES
from proof_world import ACCOUNT, World
from ways_edits import WORLDS, Case, based
from ways_policies import HARMLESS

from sequester.proof.check_calls import Call, Written, decision, permitted
from sequester.proof.model import Model
from sequester.proof.prove import facts_for, prove
from sequester.proof.verdict import Escapes, Request

EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
# Witnesses that are no call of AWS's API, or whose policy is not in the plan (or is none at all).
OTHER_KINDS = (
    "AWS's default", "another endpoint", "dynamodb gateway", "other region service", "policy empty string",
    "variable in resource", "a denial of a variable", "every bucket", "the CNI's recommended policy",
    "session manager", "managedPolicyArns", "policyAttachment", "PowerUser", "role managed",
)  # fmt: skip


def _through(model: Model, request: Request) -> bool:
    """A call through an endpoint, by its policy."""
    policy = next(e.policy for e in model.endpoints if e.name == request.through)
    known: dict[str, Any] = {key: values[0] for key, values in request.context.items()}
    account = known.get("aws:principalaccount")
    call = Call(request.action, request.resource, account, known.get("aws:principalarn", ""), known)
    return policy is not None and decision([policy], call) == "Allow"


def _by_role(facts: Mapping[str, Any], request: Request) -> bool:
    """A call with a role's credentials: by its own policies and all that narrows them, or by a resource's."""
    role = facts["identities"][request.principal]
    guards = [[EVERYTHING, c["document"]] for c in facts["ceilings"] if c["sure"] and c["kind"] == "service"]
    told = {key: values[0] for key, values in request.context.items()}
    known = {**told, "aws:PrincipalAccount": ACCOUNT, "aws:PrincipalArn": request.principal}
    limits = [role["boundary"]] if role["boundary"] else []
    own = [document for _, document in role["policies"]]
    for resource in (request.resource, f"arn:aws:x:x:{ACCOUNT}:x", "arn:aws:s3:::x/y", *facts["functions"]):
        for account, arn in ((ACCOUNT, request.principal), (ACCOUNT, _session(facts, request.principal))):
            call = Call(request.action, resource, account, arn, known)
            if any(
                permitted(Written(own, hung, limits, guards), call, ACCOUNT)
                for hung in ((), *([p["document"]] for p in facts["resource_policies"]))
            ):
                return True
    return False


def _session(facts: Mapping[str, Any], arn: str) -> str:
    """A session of a role that some policy names, or one that none does."""
    role = arn.rpartition("/")[2]
    said = json.dumps(facts["resource_policies"], default=list)
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/" + ("i-0abc" if "i-0abc" in said else "s")


def _is_replayed(case: Case) -> bool:
    return case.claim in ("E3", "E4") and not any(name in case.name for name in OTHER_KINDS)


@pytest.mark.parametrize("case", filter(_is_replayed, CASES), ids=lambda c: c.name)
def test_the_call_of_a_witness_gets_through(world: World, case: Case) -> None:
    WORLDS[id(world)] = world
    model = case.edit(based(id(world), case.base)).model()
    verdict = prove(model, [case.claim])[case.claim]
    assert isinstance(verdict, Escapes)
    request = verdict.witness.request
    if request is None or "*" in request.action:
        return
    if request.through:
        assert _through(model, request), request
    elif request.principal in model.identities and ":" in request.action:
        facts = json.loads(json.dumps(facts_for(model, "E4"), default=list))["model"]
        assert _by_role(facts, request), request


def test_enough_calls_are_replayed() -> None:
    assert sum(map(_is_replayed, CASES)) >= 150


def test_a_call_that_a_boundary_takes_away_does_not_get_through(world: World) -> None:
    """The counterpart: what is proved harmless is not let through by the evaluator either."""
    _, _, edit = HARMLESS["a boundary that takes it away"]
    model = edit(world).model()
    facts = json.loads(json.dumps(facts_for(model, "E4"), default=list))["model"]
    node = f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node"
    call = Request(node, "lambda:InvokeFunction", next(iter(model.functions)))
    assert not _by_role(facts, call)
    bare = {**facts, "identities": {node: {**facts["identities"][node], "boundary": None}}}
    assert _by_role(bare, call)
