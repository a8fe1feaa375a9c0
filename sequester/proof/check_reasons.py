"""What a certificate of reasons must hold: one for each fact that its claim is about, in these words, and none besides.

Which reasons those are, each claim's file tells from the facts (`reasons`). Here are the comparison with what the
certificate gives, and the few readings of facts that several claims need.
"""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sequester.proof.certificate import Obligation

Facts = Mapping[str, Any]
Refusal = str

FOREIGN = "999999999999"
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that is wanted: about what, and the texts of which it must say one."""

    subject: str
    holds: tuple[str, ...]
    needed: bool = True
    """Whether a certificate without it is refused."""
    ends: bool = False
    """Whether a text need only end so."""

    def is_given(self, one: Obligation) -> bool:
        return one.holds.endswith(self.holds) if self.ends else one.holds in self.holds


def mismatches(wanted: Iterable[Reason], given: Iterable[Obligation]) -> Iterator[Refusal]:
    """What is given and not wanted, or wanted and not given. Each wanted reason answers for one that is given."""
    waiting: dict[str, list[Reason]] = {}
    for reason in wanted:
        waiting.setdefault(reason.subject, []).append(reason)
    for one in given:
        there = waiting.get(one.subject, [])
        fitting = next((i for i, reason in enumerate(there) if reason.is_given(one)), None)
        if fitting is not None:
            del there[fitting]
        elif not one.holds:
            yield f"the reason for {one.subject} is empty"
        else:
            yield f"no fact asks for this reason for {one.subject}, or not twice: {one.holds!r}"
    missing = [reason.subject for those in waiting.values() for reason in those if reason.needed]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield f"there is no reason for {', '.join(missing[:3])}{more}"


def sandboxes_of(model: Facts, selector: Facts) -> list[str]:
    """The namespaces that manifests define or lie in, of those in which untrusted code runs."""
    return [name for name in namespaces_of(model) if role_of(selector, name) == "sandbox"]


def namespaces_of(model: Facts) -> list[str]:
    found: set[str] = set()
    for one in model["manifests"]:
        meta = one.get("metadata") or {}
        name = meta.get("name") if one.get("kind") == "Namespace" else meta.get("namespace")
        found |= {name} if name else set()
    return sorted(found)


def role_of(selector: Facts, namespace: str) -> str:
    for role in ("sandbox", "agent"):
        if any(fnmatchcase(namespace, pattern) for pattern in selector[f"{role}_namespaces"]):
            return role
    return ""


def statements(document: Any) -> list[Any]:
    raw = document["Statement"]
    return [raw] if isinstance(raw, Mapping) else list(raw)


def ceilings(model: Facts, kind: str, action: str = "") -> list[list[Any]]:
    """Denials of the organization that are in force: each beside a document that allows everything."""
    controlled = kind == "service" or action.partition(":")[0] in ("s3", "sts", "kms", "sqs", "secretsmanager")
    return [
        [EVERYTHING, one["document"]] for one in model["ceilings"] if one["sure"] and one["kind"] == kind and controlled
    ]
