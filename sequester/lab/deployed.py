"""Facts for a lab from a blueprint that stands in the embedded cloud; DNS Firewall is read back over the AWS API."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sequester.lab.facts import Facts, facts_of
from sequester.proof.model import Association, FirewallRule
from sequester.sources.program import resources_of
from sequester.standing import Standing


def deployed(here: Standing) -> Facts:
    """What was deployed, while its cloud is open."""
    aws = here.cloud.aws
    facts = facts_of(resources_of(here.run.resources), account=aws.account, region=aws.region)
    resolver = here.cloud.client("route53resolver")
    found = tuple(one for vpc in facts.model.vpcs for one in firewall(resolver, vpc))
    return replace(facts, firewall=found)


def firewall(client: Any, vpc: str) -> Iterator[Association]:
    """The rule groups on a VPC, with their rules and lists, as the resolver has them."""
    for one in _pages(client, "list_firewall_rule_group_associations", "FirewallRuleGroupAssociations", VpcId=vpc):
        group = one["FirewallRuleGroupId"]
        rules = tuple(
            FirewallRule(
                str(rule["FirewallDomainListId"]), int(rule["Priority"]), str(rule["Action"]), _domains(client, rule)
            )
            for rule in _pages(client, "list_firewall_rules", "FirewallRules", FirewallRuleGroupId=group)
        )
        yield Association(str(group), vpc, int(one["Priority"]), rules)


def _domains(client: Any, rule: Any) -> tuple[str, ...]:
    listed = rule["FirewallDomainListId"]
    return tuple(_pages(client, "list_firewall_domains", "Domains", FirewallDomainListId=listed))


def _pages(client: Any, operation: str, key: str, **arguments: str) -> Iterator[Any]:
    token: dict[str, str] = {}
    while True:
        page = getattr(client, operation)(**arguments, **token)
        yield from page[key]
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
