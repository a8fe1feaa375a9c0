"""Two kinds of policies: what a single resource may never be, and the claims over the whole stack."""

from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

from policies import claims, rules
from policies.recorder import Recorder


def pack() -> PolicyPack:
    recorder = Recorder()
    record = ResourceValidationPolicy(
        name="record",
        description="Notes what each resource is given. Its configuration holds for all claims.",
        validate=recorder.record,
        config_schema=claims.SCHEMA,
        enforcement_level=EnforcementLevel.ADVISORY,
    )
    policies = [record, *rules.policies(), *claims.policies(recorder)]
    return PolicyPack(name="sequester", policies=[*policies], enforcement_level=EnforcementLevel.MANDATORY)
