"""A drill as JUnit XML: one suite a family, one case a technique, for CI servers.

The format is the one that Jenkins and GitLab read (`testsuites/testsuite/testcase`, with `failure`, `error`,
`skipped`): https://github.com/jenkinsci/xunit-plugin, `junit-10.xsd`.
"""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from sequester.drill.outcome import Chain, Drill, Family, Outcome, Result, Technique


def to_junit(drill: Drill) -> str:
    """A leak or an unseen attempt is a failure, a baseline that failed an error, what was not run is skipped."""
    root = ET.Element("testsuites", name=f"sequester drill {drill.target}", time=f"{drill.seconds:.3f}")
    by_id = {outcome.technique: outcome for outcome in drill.outcomes}
    for family in Family:
        pairs = [(t, by_id[t.id]) for t in drill.techniques if t.family is family]
        if not pairs:
            continue
        outcomes = [outcome for _, outcome in pairs]
        counts = {
            "tests": len(pairs),
            "failures": sum(outcome.failed for outcome in outcomes),
            "errors": sum(outcome.result is Result.BASELINE_FAILED for outcome in outcomes),
            "skipped": sum(outcome.result is Result.NOT_RUN for outcome in outcomes),
        }
        suite = _suite(root, drill, family, counts)
        for technique, outcome in pairs:
            _case(suite, technique, outcome)
    if drill.chains:
        counts = {
            "tests": len(drill.chains),
            "failures": sum(chain.broken is not None for chain in drill.chains),
            "errors": 0,
            "skipped": sum(bool(chain.not_run) for chain in drill.chains),
        }
        suite = _suite(root, drill, "whole-chain", counts)
        for chain in drill.chains:
            _followed(suite, chain)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ET.Element, drill: Drill, name: str, counts: Mapping[str, int]) -> ET.Element:
    told = {key: str(count) for key, count in counts.items()}
    return ET.SubElement(
        root, "testsuite", {"name": f"{drill.target}.{name}", "timestamp": drill.started.removesuffix("Z"), **told}
    )


def _case(suite: ET.Element, technique: Technique, outcome: Outcome) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"drill.{outcome.target}.{technique.family}",
        name=technique.id,
        time=f"{outcome.seconds_to_seen or 0:.3f}",
    )
    said = "\n".join(_clean(line) for line in (technique.does, outcome.reason, *outcome.problems, *outcome.evidence))
    if outcome.result is Result.NOT_RUN:
        ET.SubElement(case, "skipped", message=_clean(outcome.reason))
    elif outcome.result is Result.BASELINE_FAILED:
        ET.SubElement(case, "error", type="baseline-failed", message=_clean(outcome.reason)).text = said
    elif outcome.failed:
        kind = "leak" if outcome.result is Result.LEAK else "not as expected"
        headline = "LEAK" if outcome.result is Result.LEAK else "; ".join(outcome.problems)
        ET.SubElement(case, "failure", type=kind, message=_clean(headline)).text = said
    else:
        ET.SubElement(case, "system-out").text = said


def _followed(suite: ET.Element, chain: Chain) -> None:
    case = ET.SubElement(suite, "testcase", classname="drill.whole-chain", name=chain.id, time="0")
    said = "\n".join(_clean(f"{link.name}: {link.state}: {link.said}") for link in chain.links)
    if chain.not_run:
        ET.SubElement(case, "skipped", message=_clean(chain.not_run))
    elif chain.broken:
        message = _clean(f"{chain.broken.name}: {chain.broken.said}")
        ET.SubElement(case, "failure", type="broken chain", message=message).text = said
    else:
        ET.SubElement(case, "system-out").text = said


def _clean(text: str) -> str:
    """XML 1.0 has no control characters, not even escaped; evidence may quote what untrusted code chose."""
    return "".join(c if c in "\t\n" or (c.isprintable() and c <= "\uffff") else ascii(c)[1:-1] for c in text)
