"""What admission policies refuse: bindings that deny, the namespaces and requests they match, their expressions (E5).

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ has the rules. A binding that hangs
on the labels of the object, or on parameters, binds nobody: who submits the object chooses its labels.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sequester.proof.cel import CelError, evaluate, known
from sequester.proof.facts import items, mapping
from sequester.proof.labels import selects

_LITERAL = re.compile(r"'([^']*)'|\"([^\"]*)\"")
# What a submitter chooses beside the specification itself.
_CHOSEN = re.compile(r"\bmetadata\b|\brequest\b|\boldObject\b|\bparams\b")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request to the API server: an operation on a resource (``pods``, ``pods/exec``) of a group."""

    resource: str
    new: Mapping[str, object]
    group: str = ""
    version: str = "v1"
    operation: str = "CREATE"
    old: Mapping[str, object] | None = None
    user: str = "system:serviceaccount:somewhere:somebody"
    namespaced: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """A namespace: its name and labels."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Policy:
    """A ValidatingAdmissionPolicy with the bindings that deny by it."""

    name: str
    spec: Mapping[str, object]
    bindings: tuple[Mapping[str, object], ...]

    @cached_property
    def validations(self) -> tuple[str, ...]:
        return tuple(
            str(mapping(v, self.name).get("expression")) for v in items(self.spec.get("validations"), self.name)
        )

    @cached_property
    def variables(self) -> tuple[tuple[str, str], ...]:
        listed = [mapping(v, self.name) for v in items(self.spec.get("variables"), self.name)]
        return tuple((str(v.get("name")), str(v.get("expression"))) for v in listed)

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        return tuple(
            str(mapping(c, self.name).get("expression")) for c in items(self.spec.get("matchConditions"), self.name)
        )

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        every = (*self.validations, *self.conditions, *(e for _, e in self.variables))
        return tuple(e for e in every if not known(e))

    @property
    def closed(self) -> bool:
        """What it fails to judge is denied."""
        return self.spec.get("failurePolicy", "Fail") == "Fail"

    def matches(self, attempt: Attempt, site: Site) -> bool:
        constraints = mapping(self.spec.get("matchConstraints"), self.name)
        if self.spec.get("paramKind") or not _within(constraints, attempt, site, self.name):
            return False
        return any(self._bound(one, attempt, site) for one in self.bindings)

    def _bound(self, binding: Mapping[str, object], attempt: Attempt, site: Site) -> bool:
        raw = mapping(binding.get("matchResources"), self.name)
        if not raw.get("resourceRules"):
            raw = {**raw, "resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"],
                                            "resources": ["*", "*/*"]}]}  # fmt: skip
        return _within(raw, attempt, site, self.name)

    def refuses(self, attempt: Attempt, site: Site, sound: frozenset[str] | None = None) -> str | None:
        """The expression that denies the attempt, however its submitter names and labels it; None if none does.

        `sound`: only these expressions count (those that let something through).
        """
        if not self.closed or not self.matches(attempt, site):
            return None
        for one in self.validations:
            if (sound is None or one in sound) and self._denies(one, attempt, site):
                return one
        return None

    def holds(self, expression: str, attempt: Attempt, site: Site) -> bool:
        """Whether one expression is true of an attempt."""
        try:
            return evaluate(expression, self._data(attempt, site)) is True
        except CelError:
            return False

    def _denies(self, expression: str, attempt: Attempt, site: Site) -> bool:
        guards = (*self.conditions, expression)
        chosen = any(_CHOSEN.search(e) for e in guards)
        tried = _disguises(attempt, guards) if chosen else iter((attempt,))
        return all(self._denies_this(expression, one, site) for one in tried)

    def _denies_this(self, expression: str, attempt: Attempt, site: Site) -> bool:
        try:
            data = self._data(attempt, site)
            if any(evaluate(c, data) is not True for c in self.conditions):
                return False
            return evaluate(expression, data) is False
        except CelError:
            return True  # it fails closed

    def _data(self, attempt: Attempt, site: Site) -> dict[str, object]:
        namespace = {"metadata": {"name": site.name, "labels": dict(site.labels)}} if attempt.namespaced else None
        user = {"username": attempt.user, "groups": ["system:authenticated"]}
        data: dict[str, object] = {
            "object": attempt.new,
            "oldObject": attempt.old,
            "request": {"operation": attempt.operation, "userInfo": user, "namespace": site.name},
            "namespaceObject": namespace,
            "params": None,
            "variables": {},
        }
        variables: dict[str, object] = {}
        for name, expression in self.variables:
            variables[name] = evaluate(expression, {**data, "variables": variables})
        return {**data, "variables": variables}


def _disguises(attempt: Attempt, expressions: tuple[str, ...]) -> Iterator[Attempt]:
    """The attempt as it is, and under every name, label, annotation and user that the expressions speak of."""
    yield attempt
    said = sorted({a or b for e in expressions for a, b in _LITERAL.findall(e)})
    meta = mapping(attempt.new.get("metadata"), "metadata")
    for one in said:
        yield _with(attempt, {**meta, "name": one})
        for value in (*said, "true"):
            for key in ("labels", "annotations"):
                yield _with(attempt, {**meta, key: {**mapping(meta.get(key), key), one: value}})
        if attempt.resource == "pods":
            yield replace(attempt, user=one)


def _with(attempt: Attempt, meta: Mapping[str, object]) -> Attempt:
    return replace(attempt, new={**attempt.new, "metadata": meta})


def _within(rules: Mapping[str, object], attempt: Attempt, site: Site, where: str) -> bool:
    if attempt.namespaced:
        labels = {"kubernetes.io/metadata.name": site.name, **site.labels}
        if not selects(mapping(rules.get("namespaceSelector"), where), labels):
            return False
    if any(mapping(rules.get("objectSelector"), where).values()):
        return False
    listed = [mapping(r, where) for r in items(rules.get("resourceRules"), where)]
    left_out = [mapping(r, where) for r in items(rules.get("excludeResourceRules"), where)]
    return any(_speaks_of(r, attempt, where) for r in listed) and not any(
        _speaks_of({"operations": ["*"], **r, "resourceNames": None}, attempt, where) for r in left_out
    )


def _speaks_of(rule: Mapping[str, object], attempt: Attempt, where: str) -> bool:
    def has(key: str, *values: str) -> bool:
        return bool({str(x) for x in items(rule.get(key), where)} & {"*", *values})

    kind, _, sub = attempt.resource.partition("/")
    resources = {str(x) for x in items(rule.get("resources"), where)}
    whole = {attempt.resource, "*/*", f"{kind}/*" if sub else kind, f"*/{sub}" if sub else "*"}
    scope = str(rule.get("scope") or "*")
    return (
        bool(resources & whole)
        and not rule.get("resourceNames")
        and has("apiGroups", attempt.group)
        and has("apiVersions", attempt.version)
        and has("operations", attempt.operation)
        and scope in ("*", "Namespaced" if attempt.namespaced else "Cluster")
    )


def policies(manifests: tuple[Mapping[str, object], ...]) -> tuple[Policy, ...]:
    """Every policy that some binding denies by."""
    bound: dict[str, list[Mapping[str, object]]] = {}
    for m in manifests:
        if m.get("kind") == "ValidatingAdmissionPolicyBinding":
            spec = mapping(m.get("spec"), "binding")
            denies = "Deny" in [str(a) for a in items(spec.get("validationActions"), "validationActions")]
            if denies and not spec.get("paramRef"):
                bound.setdefault(str(spec.get("policyName")), []).append(spec)
    found: list[Policy] = []
    for m in manifests:
        name = str(mapping(m.get("metadata"), "metadata").get("name"))
        if m.get("kind") == "ValidatingAdmissionPolicy" and name in bound:
            found.append(Policy(name, mapping(m.get("spec"), name), tuple(bound[name])))
    return tuple(found)
