"""Everybody who is not us: the accounts, callers and resources that a policy document is asked about.

A condition compares an account with what the document names, by text or wildcard. So it is enough to ask for each
account that the document names, one that matches each of its wildcards, one that it cannot name, and nobody at all.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from sequester.proof.iam.chosen import choices
from sequester.proof.iam.condition import Value
from sequester.proof.iam.document import Statement
from sequester.proof.iam.pattern import intersects
from sequester.proof.iam.request import Caller
from sequester.proof.iam.words import PART, Clauses, word
from sequester.proof.model import Model

# Stands for every account that no document names. (Documentation uses 123456789012 and such.)
FOREIGN = "999999999999"
_ANY_ACCOUNT = "?" * 12
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_ACCOUNT_KEYS = frozenset({"aws:principalaccount", "aws:resourceaccount", "aws:sourceaccount", "s3:resourceaccount"})


def accounts(ours: Iterable[str], document: Iterable[Statement]) -> tuple[str, ...]:
    """Accounts besides ours that stand for all others: FOREIGN first, then those that the document can tell apart."""
    known = set(ours)
    found: dict[str, None] = {FOREIGN: None}
    for one in document:
        texts = [*one.resources, *(one.but_resources or ()), *(one.principals or ())]
        for condition in one.conditions:
            texts += condition.values
            if condition.key in _ACCOUNT_KEYS:
                found |= dict.fromkeys(_instance(v, known) for v in condition.values if "*" in v or "?" in v)
        found |= dict.fromkeys(match for text in texts for match in _ACCOUNT.findall(text))
        parts = [text.split(":", 5)[4] for text in texts if text.count(":") > 4]
        found |= dict.fromkeys(_instance(part, known) for part in parts if part != "*" and set(part) & set("*?"))
    return tuple(account for account in found if account and account not in known)


def _instance(pattern: str, known: set[str]) -> str:
    """An account that matches a pattern and is none of ours; the empty text if there is none."""
    for digit in "0123456789":
        bare = pattern.replace("?", digit)
        filled = bare.replace("*", digit * (12 - len(bare.replace("*", ""))), 1).replace("*", "")
        if _ACCOUNT.fullmatch(filled) and filled not in known:
            return filled
    return ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who calls. `sure` is False for the class of all accounts, of which a condition may hold for some only."""

    who: str
    caller: Caller
    account: Value
    arn: Value
    sure: bool = True


def callers(
    ours: str, others: Iterable[str], document: Iterable[Statement], trusted: Iterable[str] = ()
) -> Iterator[Stranger]:
    """Our credentials, the attacker's of each account, those of any account, and none.

    Of an account they are those that the document can tell apart by their ARNs.
    """
    named = _named(document)
    yield from _of("our credentials", ours, named)
    for account in others:
        yield from _of("the attacker's own credentials", account, named)
    everyone = Value(_ANY_ACCOUNT, (ours, *trusted))
    # Whom a document names has been asked already: here it speaks of nobody but everybody.
    nobody = Caller(FOREIGN, f"arn:aws:*::{FOREIGN}:*")
    yield Stranger("credentials of some account", nobody, everyone, Value(nobody.arn), sure=False)
    yield Stranger("a caller without credentials", Caller(None, ""), Value(None), Value(None))


# Patterns of ARNs are told apart up to this number; with more, or others than of IAM, an account is one class.
_MOST_NAMES = 4
# What aws:PrincipalArn may be: a session of a role has its role's.
_KINDS = ("iam::{account}:role/?*", "iam::{account}:user/?*", "iam::{account}:root", "sts::{account}:federated-user/?*")


def _named(document: Iterable[Statement]) -> tuple[str, ...]:
    """What a document calls identities by: in conditions, and as principals (an account as a whole aside)."""
    found: dict[str, None] = {}
    for one in document:
        found |= dict.fromkeys(v for c in one.conditions if c.key == "aws:principalarn" for v in c.values)
        found |= dict.fromkeys(
            p for p in (*(one.principals or ()), *(one.but_principals or ())) if p.startswith("arn:")
        )
    return tuple(name for name in found if not name.endswith(":root"))


def _of(who: str, account: str, named: tuple[str, ...]) -> Iterator[Stranger]:
    arn = f"arn:aws:*::{account}:*"
    near = tuple(name for name in named if "${" in name or name.count(":") < 5 or intersects(name, arn))
    odd = any("${" in name or name.count(":") != 5 or not name.startswith("arn:aws:iam:") for name in near)
    if not near or odd or len(near) > _MOST_NAMES:
        yield Stranger(who, Caller(account, arn), Value(account), Value(arn))
        return
    for kind, wanted in product(_KINDS, product((True, False), repeat=len(near))):
        shape: Clauses = (
            ((f"arn:aws:{kind}".format(account=account), True),),
            ((f"arn:aws:{PART}::{PART}:{PART}", True),),
        )
        text = word((*shape, *(((name, yes),) for name, yes in zip(near, wanted, strict=True))))
        if text is not None:
            yield Stranger(who, Caller(account, text), Value(account), Value(text))


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a call comes: through which endpoint of whose account, and with which address."""

    vpce: Value
    vpc: Value
    owner: Value
    address: Value
    inner: Value
    """The address inside of the VPC, which only a call through an endpoint has."""


def through(endpoint: str, vpc: str, account: str, ranges: tuple[str, ...]) -> Origin:
    """Through one endpoint, from the ranges of its VPC. Then a call has no public address.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourceip
    """
    inner = Value("*", ranges=ranges) if ranges else Value("*")
    return Origin(Value(endpoint), Value(vpc), Value(account), Value(None), inner)


def at_any_time(known: Mapping[str, Value]) -> Mapping[str, Value]:
    """What is known of a call, and that it is made after this was written."""
    return {**known, "aws:currenttime": Value("*", since=_SINCE), "aws:epochtime": Value("*", since=_SINCE_SECONDS)}


def origins(account: Value, endpoints: tuple[str, ...], vpcs: tuple[str, ...]) -> tuple[Origin, ...]:
    """Where strangers call from: the internet, and endpoints of other VPCs, with addresses that they choose.

    Through an endpoint of ours they come from inside: that is claim E3's matter.
    """
    nothing = Value(None)
    return (
        Origin(nothing, nothing, nothing, Value("*", ranges=_PUBLIC), nothing),
        Origin(Value("vpce-*", endpoints), Value("vpc-*", vpcs), account, nothing, Value("*", ranges=_ANYWHERE)),
    )


_ANYWHERE = ("0.0.0.0/0", "::/0")
_INNER = ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


def _public() -> tuple[str, ...]:
    """Everything but what is not routed on the internet."""
    left = [ipaddress.ip_network(_ANYWHERE[0])]
    for inner in map(ipaddress.ip_network, _INNER):
        left = [
            part
            for one in left
            for part in (one.address_exclude(inner) if inner.subnet_of(one) else (one,))  # pyright: ignore[reportArgumentType]
        ]
    return (*map(str, left), "2000::/3")


_PUBLIC = _public()
# A moment that has certainly passed: the proof does not hang on the day on which it is made.
_SINCE, _SINCE_SECONDS = "2026-01-01T00:00:00Z", "1767225600"


def instance(account: str | None, known: Mapping[str, Value]) -> Mapping[str, tuple[str, ...]]:
    """One request's keys, out of what is known of a class: what a person needs to replay it."""
    found: dict[str, tuple[str, ...]] = {}
    for key, value in known.items():
        if key == "aws:principalarn" and account:
            exact = value.text if value.text and not set(value.text) & set("*?") else f"arn:aws:iam::{account}:role/x"
            found[key] = (exact,)
        elif value.ranges or value.since:
            found[key] = (value.ranges[0].partition("/")[0] if value.ranges else value.since,)
        elif value.text is not None:
            found[key] = (value.text.replace("*", "x").replace("?", "9"),)
    return found


def context(stranger: Stranger, origin: Origin, *, owner: Value) -> Mapping[str, Value]:
    """What is known of a signed request: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    known = {
        "aws:principalaccount": stranger.account,
        "aws:principalarn": stranger.arn,
        "aws:resourceaccount": owner,
        "s3:resourceaccount": owner,
        "aws:sourcevpce": origin.vpce,
        "aws:sourcevpc": origin.vpc,
        "aws:vpceaccount": origin.owner,
        "aws:sourceip": origin.address,
        "aws:vpcsourceip": origin.inner,
        "aws:sourceaccount": Value(None),
        "aws:sourcearn": Value(None),
        "aws:principalisawsservice": Value("false"),
        "aws:viaawsservice": Value("false"),
        "aws:calledvia": Value(None),
        "aws:sourceowner": stranger.account,
        "kms:calleraccount": stranger.account,
    }
    return at_any_time(known)


def of_ours(model: Model, arn: str, document: Iterable[Statement]) -> Iterator[Mapping[str, Value]]:
    """Calls that somebody with a role of ours can make: from anywhere, on anybody's resources, sent as he likes.

    They are some of all calls, told by the keys that the document speaks of: to be let through is to be open, but to be
    denied all of them proves nothing.
    """
    said = tuple(document)
    spoken = {condition.key for one in said for condition in one.conditions}
    ours = Value(model.account)
    caller = Stranger("our credentials", Caller(model.account, arn), ours, Value(arn))
    ranges = {key: tuple(map(str, vpc.cidrs)) for key, vpc in model.vpcs.items()}
    inside = [through(e.id, e.vpc, model.account, ranges.get(e.vpc, ())) for e in model.endpoints]
    outside = origins(ours, tuple(e.id for e in model.endpoints), tuple(model.vpcs))
    owners = (model.account, *accounts((model.account,), said))
    seen: set[tuple[tuple[str, Value], ...]] = set()
    for origin, owner in product((*outside, *inside), owners):
        known = context(caller, origin, owner=Value(owner))
        for chosen in choices(said, known, owns=False):
            told = tuple(sorted((item for item in chosen.items() if item[0] in spoken), key=lambda item: item[0]))
            if told not in seen:
                seen.add(told)
                yield chosen


def shape_of(account: str | None) -> str:
    """The ARNs of an account, part by part; all texts if there is none to tell."""
    return f"arn:{PART}:{PART}:{PART}:{account}:*" if account else "*"


def foreign_forms(ours: str, account: str, resource: str) -> Iterator[str]:
    """ARNs of an account that a resource pattern can match, and those of S3 buckets, which name no account."""
    fields = resource.split(":", 5)
    named = fields[4] if len(fields) > 4 else ""
    if named.isdigit() and named != ours:
        if named == account:
            yield resource
        return
    if resource.startswith("arn:aws:s3:::"):
        yield resource  # a bucket's ARN does not say whose it is
        return
    if named == ours and ":accesspoint/" in resource:
        yield resource  # an access point of ours may stand before a bucket of somebody else
        return
    if named == ours and not any(c in field for field in fields[:4] for c in "*?"):
        return  # written out up to the account: ours. (A wildcard before it might be read across colons.)
    form = f"arn:aws:*:*:{account}:*"
    if intersects(resource, form):
        # An ARN pattern with an open account is that of the foreign account; anything looser is any foreign ARN.
        exact = len(fields) == 6 and any(c in named for c in "*?")
        yield ":".join((*fields[:4], account, fields[5])) if exact else form
    elif intersects(resource, "arn:aws:*:*::*") and not intersects(resource, "arn:aws:*:*:?*:*"):
        yield resource  # a resource without an account is AWS's
    if resource == "*":
        yield "arn:aws:s3:::*"


def our_forms(ours: str, resource: str) -> Iterator[str]:
    """The resources of our account that a pattern can match."""
    if resource.startswith("arn:") and f":{ours}:" in resource:
        yield resource
    elif resource == "*" or intersects(resource, f"arn:aws:*:*:{ours}:*"):
        yield f"arn:aws:*:*:{ours}:*"
