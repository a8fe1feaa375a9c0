"""The claims over the whole stack: a policy each, decided by the prover and taken only if its checker takes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    StackValidationArgs,
    StackValidationPolicy,
)

from infra.settings.values import AccountId, Region
from policies.recorder import Recorder
from policies.rules import said_of
from sequester.proof.check import RefusedError, check
from sequester.proof.facts import BadFactError
from sequester.proof.model import CLAIMS
from sequester.proof.prove import facts_for, prove
from sequester.proof.render import lines, path
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Proved, Verdict
from sequester.sources.selection import by_name, selector_of

# These need parts that not every stack has: a stack that has them makes them mandatory by configuration.
_ADVISORY = frozenset({"E7", "E8"})
_MOST_LINES = 5
SCHEMA = PolicyConfigSchema(
    properties={
        "account": {"type": "string"},
        "region": {"type": "string"},
        "selector": {"type": "object"},
        "certificates": {"type": "string"},
    }
)


@dataclass(frozen=True)
class Configured:
    """What a claim is told: whose stack it is, what its sandboxes are, and where certificates are kept."""

    selector: Selector
    account: str
    region: str
    certificates: Path | None


def configured(given: Mapping[str, object]) -> Configured:
    """Raises BadFactError naming the key, the value and the mend."""
    for key in given:
        if key not in (SCHEMA.properties or {}):
            raise BadFactError(f"{key}: is no key: use {', '.join(SCHEMA.properties or {})}")
    folder = given.get("certificates")
    return Configured(
        selector_of(given.get("selector"), "selector"),
        _value(given, "account", AccountId),
        _value(given, "region", Region),
        Path(str(folder)) if folder else None,
    )


def _value(given: Mapping[str, object], key: str, form: object) -> str:
    value = given.get(key, "")
    wrong = value != "" and said_of(form, value)
    if wrong:
        raise BadFactError(f"{key}: {wrong}")
    return str(value)


def policies(recorder: Recorder) -> list[StackValidationPolicy]:
    return [_claim(recorder, claim, what) for claim, what in CLAIMS.items()]


def _claim(recorder: Recorder, claim: str, what: str) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for said in _failures(recorder, claim, args):
            report(f"{claim}: {said}", None)

    return StackValidationPolicy(
        name=f"claim-{claim.lower()}",
        description=what,
        validate=validate,
        config_schema=SCHEMA,
        enforcement_level=EnforcementLevel.ADVISORY if claim in _ADVISORY else EnforcementLevel.MANDATORY,
    )


def _failures(recorder: Recorder, claim: str, args: StackValidationArgs) -> Iterator[str]:
    try:
        asked = configured({**recorder.settings, **args.get_config()})
    except BadFactError as error:
        yield f"policy configuration: {error}"
        return
    facts = recorder.model(args, asked.selector, asked.account, asked.region)
    chosen = by_name(asked.selector, facts.manifests)
    verdict = prove(facts, [claim], chosen)[claim]
    if not isinstance(verdict, Proved):
        yield from _said(verdict)
        return
    try:
        check(facts_for(facts, claim, chosen), verdict.certificate)
        if asked.certificates:
            asked.certificates.mkdir(parents=True, exist_ok=True)
            (asked.certificates / f"{claim}.json").write_text(verdict.certificate.to_json())
    except RefusedError as error:
        yield f"the checker refuses the proof: {error}"
    except OSError as error:
        yield f"policy configuration: certificates: {error}"


def _said(verdict: Verdict) -> Iterator[str]:
    """The first way out hop by hop, then others or reasons, a line each."""
    every = lines(verdict)
    if isinstance(verdict, Escapes):
        yield f"{verdict.witness.summary}\n{path(verdict.witness)}\nmend: {verdict.witness.mend}"
        yield from every[1:_MOST_LINES]
    else:
        yield from (f"not decided: {one}" for one in every[:_MOST_LINES])
    if len(every) > _MOST_LINES:
        yield f"and {len(every) - _MOST_LINES} more: `sequester prove` says them all"
