"""What SARIF 2.1.0 lets the properties be that are written here, and no other property: OASIS's schema, errata 01.

Read off https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json: every object of it is
closed, so a property that is not in it makes a file that viewers refuse. Here each object is closed around what is
written; one that is added has to be looked up there first.
"""

from typing import Any

TEXT = {"type": "string"}


def closed(required: str, **properties: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def listed(of: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, **more}


# A URI reference: no space, no control character, `%` only before two digits (RFC 3986).
_REFERENCE = {"type": "string", "pattern": r"^([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$"}
_MESSAGE = closed("text", text=TEXT)
_RULE = closed("id", id=TEXT, name=TEXT, shortDescription=_MESSAGE)
_PHYSICAL = closed(
    "artifactLocation",
    artifactLocation=closed("uri", uri=_REFERENCE),
    region=closed("startLine", startLine={"type": "integer", "minimum": 1}),
)
_LOGICAL = closed("name", name=TEXT, kind=TEXT)
_SUPPRESSION = closed(
    "kind",
    kind={"enum": ["inSource", "external"]},
    status={"enum": ["accepted", "underReview", "rejected"]},
    justification=TEXT,
)
# `ruleId`, a physical location and fingerprints are what GitHub's code scanning requires on top.
_RESULT: dict[str, Any] = {
    **closed(
        "message ruleId locations partialFingerprints",
        ruleId=TEXT,
        level={"enum": ["none", "note", "warning", "error"]},
        kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
        message=_MESSAGE,
        locations=listed(
            closed("physicalLocation", physicalLocation=_PHYSICAL, logicalLocations=listed(_LOGICAL, uniqueItems=True)),
            minItems=1,
        ),
        partialFingerprints={"type": "object", "additionalProperties": TEXT},
        suppressions=listed(_SUPPRESSION, uniqueItems=True),
    ),
    # 3.27.10: another kind than `fail` has the level `none`.
    "if": {"properties": {"kind": {"not": {"const": "fail"}}}, "required": ["kind"]},
    "then": {"properties": {"level": {"const": "none"}}},
}
_DRIVER = closed("name rules", name=TEXT, rules=listed(_RULE, uniqueItems=True))
SARIF = closed(
    "version runs",
    version={"const": "2.1.0"},
    **{"$schema": {"type": "string", "pattern": "^https://"}},
    runs=listed(closed("tool results", tool=closed("driver", driver=_DRIVER), results=listed(_RESULT))),
)
