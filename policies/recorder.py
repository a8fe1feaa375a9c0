"""What each resource is given and what the engine knows of it: the facts of the stack policies.

The stack policies see Kubernetes objects without properties when the provider's kubeconfig is not known yet, so a
resource policy records the inputs of everything, and they are joined here by URN.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pulumi_policy import PolicyResource, ReportViolation, ResourceValidationArgs, StackValidationArgs
from pulumi_policy.proxy import UnknownValueError

from sequester.marks import UNKNOWN
from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.sources.preview import Planned, asked, id_in_arn, preview_model


class Recorder:
    """What resource policies have seen, by URN: inputs are there even where a provider is not known yet."""

    def __init__(self) -> None:
        self._seen: dict[str, Mapping[str, object]] = {}
        self._last: tuple[object, Model] | None = None
        self.settings: Mapping[str, object] = {}
        """What this policy's configuration says: it holds for every claim that does not say otherwise."""

    def record(self, args: ResourceValidationArgs, _report: ReportViolation) -> None:
        self.settings = args.get_config()
        self._seen[args.urn] = plain(args.props)

    def model(self, args: StackValidationArgs, selector: Selector, account: str, region: str) -> Model:
        """The facts, made once for all claims that ask about the same stack in the same way."""
        planned = [self._joined(one) for one in args.resources]
        asked_for = (planned, selector, account, region)
        if self._last is None or self._last[0] != asked_for:
            self._last = (asked_for, preview_model(planned, selector, account=account, region=region))
        return self._last[1]

    def _joined(self, one: PolicyResource) -> Planned:
        """Inputs, overlaid with what the engine knows by now: at the end of `up` that is everything, ids as well.

        Without inputs (the policy that records is disabled) nobody can say what was asked for: then all was.
        """
        final = plain(one.props)
        known = {key: value for key, value in final.items() if value != UNKNOWN}
        key = known.pop("id", "") or id_in_arn(known.get("arn"))
        return Planned(
            one.urn,
            one.resource_type,
            one.name,
            key if isinstance(key, str) else "",
            {**asked(one.resource_type, self._seen.get(one.urn, final), final), **known},
            {slot: [d.urn for d in found] for slot, found in one.property_dependencies.items()},
            component=one.provider is None and not one.resource_type.startswith("pulumi:"),
            provider=one.provider.urn if one.provider else "",
        )


def plain(raw: Mapping[str, Any]) -> dict[str, object]:
    """Properties out of the SDK's proxies, in which reading an unknown raises: to read is the only way to ask."""
    return {str(key): _read(raw, key) for key in raw}


def _read(holder: Any, key: object) -> object:
    try:
        return _plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return plain(cast("Mapping[str, Any]", value))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        listed = cast("Sequence[object]", value)
        return [_read(listed, i) for i in range(len(listed))]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # numbers arrive as floats
    return value
