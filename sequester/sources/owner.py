"""Whose deployment it is: the account and region of the network that holds the sandboxes, by what its ARNs say.

A state may hold resources of several accounts and regions, each made by a provider of its own. What has no ARN (a
route, a rule, a policy that hangs on a role's name) is where its provider's other resources are.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sequester.proof.model import Gap
from sequester.proof.selector import Selector
from sequester.sources.resource import Resource
from sequester.sources.selection import chosen_subnets
from sequester.sources.types import EVERY_CLAIM

Place = tuple[str, str]
"""Account and region; the empty text where that is not told."""

_PROVIDER = "pulumi:providers:aws"
# Types whose ARN has both, the most telling first.
_TELLING = ("aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:eks/cluster:Cluster", "aws:lambda/function:Function")
# Services without regions (and buckets, which any region may use).
_EVERYWHERE = ("aws:iam/", "aws:s3/", "aws:cloudfront/", "aws:organizations/", "aws:ram/")
# What other resources are in, or hang on.
_NETWORK = frozenset(
    f"aws:ec2/{kind}"
    for kind in (
        "vpc:Vpc",
        "subnet:Subnet",
        "routeTable:RouteTable",
        "securityGroup:SecurityGroup",
        "networkAcl:NetworkAcl",
        "networkInterface:NetworkInterface",
    )
)


@dataclass(frozen=True, slots=True)
class Owned:
    """The resources of that account and region (and those that have none), and what cannot be told."""

    resources: tuple[Resource, ...]
    account: str
    region: str
    gaps: tuple[Gap, ...] = ()
    assumptions: tuple[str, ...] = ()


def owner_of(resources: Iterable[Resource], selector: Selector, *, account: str, region: str) -> Owned:
    """`account` and `region` win where they are given. Resources of others are left out: another proof's."""
    those = tuple(resources)
    by_provider = provider_places(those)
    told = _told(those, selector, by_provider)
    gaps: list[Gap] = []
    fitting = [pair for pair in told if account in ("", pair[0]) and region in ("", pair[1])]
    if told and not fitting:
        where = ", ".join(f"{a} in {r}" for a, r in told)
        gaps.append(
            Gap(EVERY_CLAIM, f"the facts are of {where}, not of {account or 'any account'} in {region or 'any region'}")
        )
    elif len(fitting) > 1:
        where = ", ".join(f"{a} in {r}" for a, r in fitting)
        gaps.append(
            Gap(EVERY_CLAIM, f"sandboxes in several places ({where}): prove one at a time, with --account and --region")
        )
    own = fitting[0] if fitting else ("", "")
    account, region = account or own[0], region or own[1]
    if not account and any(one.type.startswith("aws:") for one in those):
        gaps.append(Gap(EVERY_CLAIM, "whose account this is cannot be told from the facts: name it (--account)"))
    kept: list[Resource] = []
    others: list[Resource] = []
    for one in those:
        its_account, its_region = _place(one, by_provider)
        here = its_account in ("", account) and its_region in ("", region)
        (kept if here else others).append(one)
    several = len({place for place in by_provider.values() if all(place)}) > 1
    where = "its account or region is not in the facts"
    untold = list(_untold(by_provider))
    if several:
        mend = "give it region and allowedAccountIds"
        gaps += [Gap(EVERY_CLAIM, f"provider {one}: {where}, and others are of several: {mend}") for one in untold]
    gaps += _reaching_in(kept, others)
    assumed = (
        () if several else tuple(f"provider {one} is of the same account and region as the others" for one in untold)
    )
    return Owned(tuple(kept), account, region, tuple(gaps), assumed)


def provider_urn(reference: object) -> str:
    """The URN in a state's reference to a provider, which is `<urn>::<id>`; the empty text for anything else."""
    return reference.rpartition("::")[0] if isinstance(reference, str) else ""


def provider_places(resources: Iterable[Resource]) -> Mapping[str, Place]:
    """For each AWS provider in use, by URN: what it is held to, else what all ARNs of its resources say."""
    those = tuple(resources)
    stated = {one.urn: _held_to(one) for one in those if one.type == _PROVIDER}
    seen: dict[str, tuple[set[str], set[str]]] = {}
    for one in those:
        if one.type.startswith("aws:") and one.provider:
            account, region = _of_arn(one.maybe("arn") if "arn" not in one.unknown else "")
            accounts, regions = seen.setdefault(one.provider, (set(), set()))
            accounts.update({account} - {""})
            regions.update({region} - {""})
    found: dict[str, Place] = {}
    for urn in {*stated, *seen}:
        account, region = stated.get(urn, ("", ""))
        accounts, regions = seen.get(urn, (set[str](), set[str]()))
        found[urn] = (account or _only(accounts), region or _only(regions))
    return found


def _only(those: set[str]) -> str:
    return next(iter(those)) if len(those) == 1 else ""


def _told(resources: tuple[Resource, ...], selector: Selector, by_provider: Mapping[str, Place]) -> list[Place]:
    """(account, region) of each network with a sandbox; of any network where there is none, by how many say so."""
    chosen = chosen_subnets(resources, selector)
    mine = [one for one in resources if one.id in chosen and one.type == _TELLING[1]]
    for group in (mine, *([one for one in resources if one.type == kind] for kind in _TELLING)):
        pairs = Counter(pair for one in group if all(pair := _place(one, by_provider)))
        if pairs:
            return [pair for pair, _ in pairs.most_common()]
    stated = [pair for one in resources if one.type == _PROVIDER and all(pair := _held_to(one))]
    return list(dict.fromkeys(stated))  # nothing is made yet, so nothing has an ARN


def _held_to(one: Resource) -> Place:
    """The account that a provider is held to, and its region; a provider's properties are JSON in texts."""
    accounts = set(re.findall(r"\d{12}", str(one.properties.get("allowedAccountIds") or "")))
    roles = str(one.properties.get("assumeRoles") or one.properties.get("assumeRole") or "")
    # The last role of a chain is whose rights it has.
    assumed = re.findall(r"arn:aws[a-z-]*:iam::(\d{12}):role/", roles)[-1:]
    region = one.properties.get("region")
    return _only(accounts or set(assumed)), region if isinstance(region, str) else ""


def _place(one: Resource, by_provider: Mapping[str, Place]) -> Place:
    if not one.type.startswith("aws:"):
        return "", ""
    arn = one.properties.get("arn")
    account, region = _of_arn(arn)
    by_account, by_region = by_provider.get(one.provider, ("", ""))
    stated = one.properties.get("region")  # pulumi-aws 7 has it on each resource, over the provider's
    if one.type.startswith(_EVERYWHERE):
        region = ""
    elif not region:
        region = stated if isinstance(stated, str) and stated else by_region
    return account or by_account, region


def _of_arn(arn: object) -> Place:
    parts = arn.split(":") if isinstance(arn, str) else []
    if len(parts) < 6 or parts[0] != "arn":
        return "", ""
    return parts[4] if parts[4].isdigit() else "", parts[3]


def _untold(by_provider: Mapping[str, Place]) -> Iterator[str]:
    """Of several providers, the names of those of which nobody can say where they make things."""
    if len(by_provider) > 1:
        yield from sorted(urn.rpartition("::")[2] for urn, place in by_provider.items() if not all(place))


def _reaching_in(kept: list[Resource], others: list[Resource]) -> Iterator[Gap]:
    """What is somebody else's, and in or on this network all the same (subnets that are shared, say)."""
    network = {one.id: one.name for one in kept if one.type in _NETWORK and one.id}
    for one in others:
        named = next((value for value in _texts(one.properties) if value in network), None)
        if named:
            where = "/".join(part for part in _place(one, {}) if part) or "elsewhere"
            yield Gap(EVERY_CLAIM, f"{one.name} of {where} names {network[named]}: what it does there is not modelled")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(inner)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list | tuple):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(inner)  # pyright: ignore[reportUnknownArgumentType]
