"""AWS calls that an endpoint must not let through, decided on the deployed endpoint policies by the prover's evaluator.

Nothing that runs here enforces endpoint policies, so nothing is tried: the outcome says that it was computed. The
baseline is AWS's default policy, which allows everything. What stops a call is the first control without which it would
pass.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.names import Names
from sequester.drill.attempt import Attempt
from sequester.drill.eyes import Eyes
from sequester.drill.outcome import Baseline, How
from sequester.drill.program import slug
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import statements
from sequester.proof.iam.request import Answer, Caller, Region, allowed
from sequester.readback import Layout, observe
from sequester.readback.seen import EndpointSeen

STRANGER: Final = "999988887777"
"""Whose account nobody's is: the attacker's, here."""
DEFAULT_POLICY: Final[Mapping[str, Any]] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
COUNTED: Final = frozenset({"ec2", "s3", "lambda"})
"""Of the services here, those whose denied calls CloudTrail records (network activity events)."""

REMOVABLE: Final = frozenset({"network:endpoint-account", "network:endpoint-doors", "network:endpoint-policy"})


@dataclass(frozen=True)
class Call:
    """One call. `ours`: with credentials of this account, such as the node's; else with the attacker's own.

    resource: an ARN in which {region}, {account}, {stack} and {stranger} stand. owner: whose it is.
    """

    name: str
    does: str
    service: str
    action: str
    resource: str
    owner: str
    control: str
    ours: bool = True

    @property
    def id(self) -> str:
        return slug(f"allowed {self.name}")


_ACCOUNT, _DOORS, _POLICY = "network:endpoint-account", "network:endpoint-doors", "network:endpoint-policy"

CALLS: Final = (
    Call("loot by our own key", "writes into the attacker's bucket with the node's credentials", "s3", "s3:PutObject",
         "arn:aws:s3:::loot-{stranger}/x", "{stranger}", _POLICY),
    Call("loot by the attackers key", "writes into the attacker's bucket with credentials brought along", "s3",
         "s3:PutObject", "arn:aws:s3:::loot-{stranger}/x", "{stranger}", _POLICY, ours=False),
    Call("the layer bucket written", "writes into the bucket from which image layers are read", "s3", "s3:PutObject",
         "arn:aws:s3:::prod-{region}-starport-layer-bucket/x", "{stranger}", _POLICY),
    Call("another function", "invokes a function of ours that is no door", "lambda", "lambda:InvokeFunction",
         "arn:aws:lambda:{region}:{account}:function:other", "{account}", _DOORS),
    Call("the attackers function", "invokes a function of the attacker's, by ARN", "lambda", "lambda:InvokeFunction",
         "arn:aws:lambda:{region}:{stranger}:function:relay", "{stranger}", _POLICY),
    Call("a door by the attackers key", "invokes a door with credentials brought along", "lambda",
         "lambda:InvokeFunction", "arn:aws:lambda:{region}:{account}:function:{stack}-door-{tenant}:live", "{account}",
         _ACCOUNT, ours=False),
    Call("a door changed", "puts other code into a door", "lambda", "lambda:UpdateFunctionCode",
         "arn:aws:lambda:{region}:{account}:function:{stack}-door-{tenant}", "{account}", _POLICY),
    Call("another interface", "makes a network interface in a subnet of its choice", "ec2",
         "ec2:CreateNetworkInterface", "arn:aws:ec2:{region}:{account}:network-interface/*", "{account}", _POLICY),
    Call("other groups", "gives its interface other security groups", "ec2", "ec2:ModifyNetworkInterfaceAttribute",
         "arn:aws:ec2:{region}:{account}:network-interface/*", "{account}", _POLICY),
    Call("another machine", "starts an instance outside", "ec2", "ec2:RunInstances",
         "arn:aws:ec2:{region}:{account}:instance/*", "{account}", _POLICY),
    Call("an image pushed", "pushes data as an image into the attacker's registry", "ecr.api", "ecr:PutImage",
         "arn:aws:ecr:{region}:{stranger}:repository/loot", "{stranger}", _POLICY),
    Call("a foreign image", "pulls an image of the attacker's", "ecr.api", "ecr:BatchGetImage",
         "arn:aws:ecr:{region}:{stranger}:repository/tools", "{stranger}", _POLICY),
    Call("foreign logs", "writes records into the attacker's log group", "logs", "logs:PutLogEvents",
         "arn:aws:logs:{region}:{stranger}:log-group:loot:log-stream:x", "{stranger}", _POLICY),
    Call("our logs by the attackers key", "forges records with credentials brought along", "logs", "logs:PutLogEvents",
         "arn:aws:logs:{region}:{account}:log-group:/sequester/{stack}/containers:log-stream:container-x", "{account}",
         _ACCOUNT, ours=False),
    Call("a foreign cluster's credentials", "asks eks-auth for credentials of the attacker's cluster", "eks-auth",
         "eks-auth:AssumeRoleForPodIdentity", "arn:aws:eks:{region}:{stranger}:cluster/loot", "{stranger}", _POLICY),
)  # fmt: skip
BY_ID: Final[Mapping[str, Call]] = {call.id: call for call in CALLS}


def hold(names: Sequence[str], removed: Sequence[str], eyes: Eyes) -> list[Attempt]:
    """What the deployed policies say of each call. removed: controls that are taken out of them on purpose."""
    seen = observe(eyes.cloud.client, Layout.of(eyes.settings)).endpoints
    calls = [BY_ID[name] for name in names]
    return [
        _attempt(call, [each for each in seen if each.service == call.service], frozenset(removed), eyes)
        for call in calls
    ]


def _attempt(call: Call, endpoints: Sequence[EndpointSeen], removed: frozenset[str], eyes: Eyes) -> Attempt:
    if not endpoints:
        return Attempt(call.id, not_run=f"no endpoint of {call.service} stands: nothing here takes such a call")
    region = _region(call, endpoints[0], Names.of(eyes.settings), eyes.tenant)
    usual = allowed(statements(DEFAULT_POLICY, "AWS's default policy"), region)
    baseline = Baseline(usual.truth is Truth.TRUE, "AWS's default endpoint policy lets it through")
    answers = [_answer(endpoint, removed, region) for endpoint in endpoints]
    through = next((answer for answer in answers if answer.truth is not Truth.FALSE), None)
    if through is not None:
        how = "lets it through" if through.truth is Truth.TRUE else f"may let it through: {', '.join(through.keys)}"
        proof = f"statement {through.by} of the {call.service} endpoint's policy {how}"
        return Attempt(call.id, proof, None, (proof,), baseline, how=How.COMPUTED)
    said = f"no statement of {call.service}'s endpoint allows {region.action} on {region.resource}"
    control = next((each for each in (_ACCOUNT, _DOORS, _POLICY) if _opens(each, endpoints, removed, region)), None)
    return Attempt(call.id, "", control, (said,), baseline, how=How.COMPUTED)


def _opens(control: str, endpoints: Sequence[EndpointSeen], removed: frozenset[str], region: Region) -> bool:
    if control in removed:
        return False
    answers = (_answer(endpoint, removed | {control}, region) for endpoint in endpoints)
    return any(answer.truth is not Truth.FALSE for answer in answers)


def _answer(endpoint: EndpointSeen, removed: frozenset[str], region: Region) -> Answer:
    return allowed(statements(_without(endpoint.policy, removed), endpoint.id), region)


def _without(policy: Mapping[str, Any], removed: frozenset[str]) -> Mapping[str, Any]:
    """The document without what a control wants of it."""
    if _POLICY in removed:
        return DEFAULT_POLICY
    edited = copy.deepcopy(dict(policy))
    for statement in edited["Statement"]:
        if _ACCOUNT in removed and statement["Effect"] == "Allow":
            statement.pop("Condition", None)
        if _DOORS in removed and "lambda:InvokeFunction" in str(statement["Action"]):
            statement["Resource"] = "*"
    return edited


def _region(call: Call, endpoint: EndpointSeen, names: Names, tenant: str) -> Region:
    account = names.account
    words = {"region": names.region, "account": account, "stack": names.name, "stranger": STRANGER, "tenant": tenant}
    who = account if call.ours else STRANGER
    caller = Caller(who, f"arn:aws:iam::{who}:role/anyone")
    owner = Value(call.owner.format(**words))
    context = {
        "aws:principalaccount": Value(who),
        "aws:principalarn": Value(caller.arn),
        "aws:resourceaccount": owner,
        "s3:resourceaccount": owner,
        "aws:sourcevpce": Value(endpoint.id),
        "aws:securetransport": Value("true"),
        "aws:principalisawsservice": Value("false"),
        "aws:viaawsservice": Value("false"),
    }
    return Region(call.action, call.resource.format(**words), context, caller)
