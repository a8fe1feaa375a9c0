"""What a drill says can be written, read back and checked by a stranger; nothing undecided passes."""

import io
import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from rich.console import Console

from sequester.drill.junit import to_junit
from sequester.drill.outcome import (
    SCHEMA_FILE,
    Alarm,
    Baseline,
    Chain,
    Drill,
    Family,
    Link,
    MalformedDrillError,
    Outcome,
    Response,
    Result,
    Target,
    Technique,
    from_json,
    json_schema,
    to_json,
)
from sequester.drill.session import Asked
from sequester.drill.show import told

TECHNIQUE = Technique(
    "direct-tcp", Family.DIRECT, "TCP", "connects", "sandbox:seccomp", "network-call", (Target.LOCAL, Target.LAB)
)
STOPPED = Outcome(
    "direct-tcp",
    Target.LOCAL,
    Result.STOPPED,
    stopped_by="sandbox:seccomp",
    seen_by="network-call",
    seconds_to_seen=0.01,
    alarm=Alarm("sequester-network-call-research", "ALARM", 120.0, 180.0),
    response=Response("quarantine pod", "research-sandbox/x", True, 0.5),
    evidence=("connect 192.0.2.1:443: EPERM",),
    baseline=Baseline(True, "the canary arrived"),
)


def drill(*outcomes: Outcome) -> Drill:
    techniques = tuple(replace(TECHNIQUE, id=outcome.technique) for outcome in outcomes)
    return Drill(Target.LOCAL, "2026-01-01T00:00:00Z", 1.0, {"sequester": "0"}, techniques, outcomes)


def one(result: Result, name: str = "direct-tcp", **changes: object) -> Outcome:
    return replace(STOPPED, technique=name, result=result, **changes)  # type: ignore[arg-type]


LEAK = one(Result.LEAK, "leaks", evidence=("canary \x1b[31m\x00 \U0001f600 at the sink",))
UNSEEN = one(Result.STOPPED, "unseen", problems=("unseen: no record of network-call",))
NOT_RUN = one(Result.NOT_RUN, "not-run", reason="no bwrap on PATH")
NO_BASELINE = one(Result.BASELINE_FAILED, "no-baseline", reason="did not arrive without the controls either")


def test_what_is_written_is_read_back() -> None:
    whole = drill(STOPPED, LEAK, UNSEEN, NOT_RUN, NO_BASELINE)
    assert from_json(to_json(whole)) == whole


def test_the_schema_in_the_repository_is_the_classes_own() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == json_schema()


def test_the_schema_takes_what_is_written_and_nothing_else() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    written = json.loads(to_json(drill(STOPPED, LEAK, NOT_RUN)))
    jsonschema.validate(written, schema, cls=jsonschema.Draft202012Validator)
    for break_it in (
        lambda d: d["outcomes"][0].update(result="fine"),
        lambda d: d["outcomes"][0].pop("technique"),
        lambda d: d.update(more=1),
        lambda d: d["techniques"][0].update(family="other"),
    ):
        broken = json.loads(to_json(drill(STOPPED)))
        break_it(broken)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"target": "moon"}', "\udcff".encode("utf-8", "surrogatepass")])
def test_what_is_no_drill_is_refused_in_a_line(text: str | bytes) -> None:
    with pytest.raises(MalformedDrillError) as refused:
        from_json(text)
    assert "\n" not in str(refused.value)


def test_an_outcome_without_its_technique_is_refused() -> None:
    written = json.loads(to_json(drill(STOPPED)))
    written["outcomes"] = []
    with pytest.raises(MalformedDrillError, match="exactly one outcome"):
        from_json(json.dumps(written))


def test_no_tripwire_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="unseen"):
        replace(TECHNIQUE, tripwire="none")
    assert replace(TECHNIQUE, tripwire="none", unseen="flow logs leave it out").unseen


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([STOPPED], 0),
        ([STOPPED, NOT_RUN], 0),
        ([STOPPED, LEAK], 1),
        ([STOPPED, UNSEEN], 1),
        ([LEAK, NO_BASELINE], 1),
        ([STOPPED, NO_BASELINE], 2),
        ([NOT_RUN], 2),
        ([], 2),
    ],
)
def test_the_exit_code_says_the_worst(outcomes: list[Outcome], code: int) -> None:
    assert drill(*outcomes).exit_code == code


def test_junit_counts_and_quotes() -> None:
    document = ET.fromstring(to_junit(drill(STOPPED, LEAK, UNSEEN, NOT_RUN, NO_BASELINE)))
    [suite] = document
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "direct-tcp": ["system-out"],
        "leaks": ["failure"],
        "unseen": ["failure"],
        "not-run": ["skipped"],
        "no-baseline": ["error"],
    }
    assert "\\x1b[31m\\x00" in (suite.find("testcase[@name='leaks']/failure").text or "")  # type: ignore[union-attr]


HELD = Chain("pod", "a packet", (Link("stopped", "held", "refused"), Link("recorded", "held", "1 record")))
BROKEN = Chain(
    "node", "a packet", (Link("stopped", "broken", "it \x1b[31m arrived"), Link("recorded", "not-reached", ""))
)
UNTRIED = Chain("door", "a request", not_run="etcd not found")


@pytest.mark.parametrize(("chains", "code"), [((HELD, UNTRIED), 0), ((HELD, BROKEN), 1)])
def test_a_broken_chain_fails_the_drill(chains: tuple[Chain, ...], code: int) -> None:
    whole = replace(drill(STOPPED), chains=chains)
    assert whole.exit_code == code
    assert from_json(to_json(whole)) == whole


def test_a_chain_has_links_or_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Chain("pod", "a packet")
    with pytest.raises(ValueError, match="reason"):
        replace(HELD, not_run="no etcd")


def test_junit_has_the_chains_as_a_suite() -> None:
    document = ET.fromstring(to_junit(replace(drill(STOPPED), chains=(HELD, BROKEN, UNTRIED))))
    suite = document[-1]
    assert suite.get("name") == "local.whole-chain"
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "3", "failures": "1", "skipped": "1",
    }  # fmt: skip
    assert [[child.tag for child in case] for case in suite] == [["system-out"], ["failure"], ["skipped"]]
    assert suite[1][0].get("message") == "stopped: it \\x1b[31m arrived"


def test_the_chains_are_shown_and_summed_up() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    told(console, replace(drill(STOPPED), chains=(HELD, BROKEN, UNTRIED)), details=False)
    shown = console.export_text()
    assert "The whole chain" in shown
    assert "it \\x1b[31m arrived" in shown
    assert "etcd not found" in shown
    assert "1 BROKEN of the whole chains, 1 of 3 whole chains held" in shown


@pytest.mark.parametrize(
    ("asked", "chained"),
    [
        (Asked(Target.LAB), True),
        (Asked(Target.LOCAL), False),
        (Asked(Target.LAB, fast=True), False),
        (Asked(Target.LAB, only=("direct-tcp",)), False),
        (Asked(Target.LAB, families=(Family.DNS,)), False),
        (Asked(Target.LAB, without=("sandbox:seccomp",)), False),
    ],
)
def test_whole_chains_belong_to_a_whole_drill_in_the_lab(asked: Asked, chained: bool) -> None:
    assert asked.chained is chained
