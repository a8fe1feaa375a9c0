"""What `sequester prove` writes for other programs, and what it makes of a baseline and of an earlier plan."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from sarif_form import SARIF
from typer.testing import CliRunner, Result

from sequester.cli import app
from sequester.proof.render import as_sarif
from sequester.proof.verdict import Unknown

DENY_ALL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "research-sandbox"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}
OPEN = {
    **DENY_ALL,
    "metadata": {"name": "careless", "namespace": "research-sandbox"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}],
    },
}
Prove = Callable[..., Result]


@pytest.fixture
def prove(tmp_path: Path) -> Prove:
    """`sequester prove` on manifests."""

    def run(*objects: dict[str, Any], more: tuple[str, ...] = ()) -> Result:
        path = tmp_path / "now.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        return CliRunner().invoke(app, ["prove", "--source", "manifests", str(path), "--claim", "E1", *more])

    return run


@pytest.mark.parametrize("objects", [(DENY_ALL,), (DENY_ALL, OPEN), ()], ids=["as it is", "a way out", "nothing"])
def test_sarif_is_sarif(prove: Prove, objects: tuple[dict[str, Any], ...]) -> None:
    result = prove(*objects, more=("--format", "sarif"))
    said = json.loads(result.stdout)
    assert list(Draft202012Validator(SARIF).iter_errors(said)) == []
    results = said["runs"][0]["results"]
    assert bool(results) == (result.exit_code != 0), "what fails is an error, and nothing else is"
    rules = {rule["id"] for rule in said["runs"][0]["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in results} <= rules


@pytest.mark.parametrize("name", ["a file.json", "100%.json", "a#b?.json", "ü.json", "[x].json"])
def test_the_file_of_a_result_is_a_uri_reference(name: str) -> None:
    verdicts = {"E1": Unknown("E1", ("a reason",))}
    said = json.loads(as_sarif(verdicts, source=f"plans/{name}"))
    assert list(Draft202012Validator(SARIF).iter_errors(said)) == []
    place = said["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == f"plans/{name}"


@pytest.mark.parametrize("key", ["ruleid", "severity", "suppression"])
def test_a_property_that_sarif_does_not_have_is_no_sarif(key: str) -> None:
    said = json.loads(as_sarif({"E1": Unknown("E1", ("a reason",))}))
    assert list(Draft202012Validator(SARIF).iter_errors(said)) == []
    said["runs"][0]["results"][0][key] = "x"
    assert list(Draft202012Validator(SARIF).iter_errors(said))


def test_an_open_question_may_not_pass_for_a_note() -> None:
    wrong = {"ruleId": "E1", "kind": "open", "level": "error", "message": {"text": "x"}}
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "rules": []}}, "results": [wrong]}]}
    assert list(Draft202012Validator(SARIF).iter_errors(document))


def test_junit_counts_what_fails(prove: Prove) -> None:
    result = prove(DENY_ALL, OPEN, more=("--format", "junit"))
    whole = ET.fromstring(result.stdout)
    assert whole.tag == "testsuites"
    (suite,) = whole
    assert suite.tag == "testsuite"
    assert int(suite.get("tests", "")) == len(suite.findall("testcase")) == 1
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == 1
    assert result.exit_code == 1


def _accepted(tmp_path: Path, prove: Prove, days: int) -> tuple[str, ...]:
    found = json.loads(prove(DENY_ALL, OPEN, more=("--format", "json")).stdout)["E1"]
    ways = [found["witness"], *found["more"]]
    day = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    listed = [
        {"claim": "E1", "summary": one["summary"], "owner": "platform", "reason": "a test", "expires": day}
        for one in ways
    ]
    path = tmp_path / "accepted.json"
    path.write_text(json.dumps(listed))
    return ("--baseline", str(path))


def test_an_exception_counts_until_its_day(prove: Prove, tmp_path: Path) -> None:
    assert prove(DENY_ALL, OPEN, more=_accepted(tmp_path, prove, 1)).exit_code == 0
    assert prove(DENY_ALL, OPEN, more=_accepted(tmp_path, prove, 0)).exit_code == 0
    assert prove(DENY_ALL, OPEN, more=_accepted(tmp_path, prove, -1)).exit_code == 1


def test_what_is_accepted_is_still_shown_and_fails_nowhere(prove: Prove, tmp_path: Path) -> None:
    accepted = _accepted(tmp_path, prove, 1)
    assert "accepted by platform until" in " ".join(prove(DENY_ALL, OPEN, more=accepted).stdout.split())
    suite = ET.fromstring(prove(DENY_ALL, OPEN, more=(*accepted, "--format", "junit")).stdout)[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    sarif = json.loads(prove(DENY_ALL, OPEN, more=(*accepted, "--format", "sarif")).stdout)
    assert list(Draft202012Validator(SARIF).iter_errors(sarif)) == []
    assert all(one["suppressions"][0]["status"] == "accepted" for one in sarif["runs"][0]["results"])
    assert "escapes (accepted)" in prove(DENY_ALL, OPEN, more=(*accepted, "--format", "markdown")).stdout


def test_an_exception_that_has_ended_or_is_not_needed_is_told(prove: Prove, tmp_path: Path) -> None:
    ended = _accepted(tmp_path, prove, -1)
    assert "ended on" in prove(DENY_ALL, OPEN, more=ended).stderr
    needless = _accepted(tmp_path, prove, 1)
    assert "is no way out any more: take it off the list" in prove(DENY_ALL, more=needless).stderr


SELECTORS = {
    "nothing": "sandbox_subnets: null",
    "a tag without a value": "sandbox_subnets: ['tag:tier']",
    "a block that is none": "sandbox_subnets: ['10.0.0.0/99']",
    "half of an account": "trusted_accounts: ['12']",
    "a key twice": "sandbox_subnets: [a]\nsandbox_subnets: [b]",
    "a key that there is none of": "sandbox_subnet: [a]",
}


@pytest.mark.parametrize("name", SELECTORS)
def test_a_bad_selector_is_one_line(prove: Prove, tmp_path: Path, name: str) -> None:
    path = tmp_path / "selector.yaml"
    path.write_text(SELECTORS[name])
    result = prove(DENY_ALL, more=("--selector", str(path)))
    assert result.exit_code == 64
    assert result.stderr.startswith("sequester prove: selector.yaml")
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_selector_that_finds_nothing_is_named(prove: Prove, tmp_path: Path) -> None:
    path = tmp_path / "selector.yaml"
    path.write_text("sandbox_subnets: ['tag:tier=none']\nsandbox_namespaces: ['nowhere-*']")
    result = prove(DENY_ALL, more=("--selector", str(path), "--format", "json"))
    assert result.exit_code == 2
    assert "sandbox_subnets (tag:tier=none)" in result.stdout
    assert "sandbox_namespaces (nowhere-*)" in result.stdout


@pytest.mark.parametrize("form", ["table", "json", "sarif", "junit", "markdown"])
def test_no_name_breaks_what_is_said(prove: Prove, form: str) -> None:
    """Half of a surrogate pair, a terminal's commands, the end of a text."""
    name = "careless\ud800\x1b[2J\x00"
    bad = {**OPEN, "metadata": {"name": name, "namespace": "research-sandbox"}}
    result = prove(DENY_ALL, bad, more=("--format", form))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "\x1b[2J" not in result.stdout


BAD = {
    "digits of another script": (("--account", "١٢٣٤٥٦٧٨٩٠١٢"), ": is no account: write its 12 digits"),
    "a claim": (("--claim", "E9"), "E9: is no claim: use E1, "),
    "a claim to explain": (("--explain", "nine"), "NINE: is no claim: use E1, "),
    "an account": (("--account", "12"), "--account 12: is no account: write its 12 digits"),
    "a region": (("--region", "moon"), "--region moon: is no region: write it as us-east-1"),
    "a selector": (("--selector", "/nowhere/s.yaml"), "/nowhere/s.yaml: No such file or directory: name a file"),
    "a baseline": (("--baseline", "/nowhere/b.json"), "/nowhere/b.json: No such file or directory: name a file"),
    "a diff": (("--diff", "/nowhere/d.yaml"), "/nowhere/d.yaml: No such file or directory: name a file"),
    "a source twice": (("-", "--diff", "-"), "-: standard input can be read once: name the other file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_option_is_one_line(prove: Prove, name: str) -> None:
    options, line = BAD[name]
    result = prove(DENY_ALL, more=options)
    assert result.exit_code == 64
    assert line in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1


def test_claims_are_named_in_either_case_and_explained_beside_others(prove: Prove) -> None:
    result = prove(DENY_ALL, more=("--explain", "e6"))
    assert "E6: metadata" in result.stdout


def test_facts_may_come_by_standard_input() -> None:
    told = [
        sys.executable,
        "-m",
        "sequester",
        "prove",
        "--source",
        "manifests",
        "-",
        "--claim",
        "E6",
        "--format",
        "json",
    ]
    done = subprocess.run(told, input=json.dumps(DENY_ALL), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 2), done.stderr
    assert "research-sandbox" in done.stdout


SOON = '[{"claim": "E1", "summary": "s", "owner": "o", "reason": "r", "expires": "soon"}]'


@pytest.mark.parametrize(
    "raw",
    ["{", "{}", "[1]", '[{"claim": "E1"}]', SOON, SOON.replace("E1", "E9"), SOON.replace("[{", '[{"until": "x", ')],
)
def test_a_bad_baseline_is_one_line(prove: Prove, tmp_path: Path, raw: str) -> None:
    path = tmp_path / "accepted.json"
    path.write_text(raw)
    result = prove(DENY_ALL, more=("--baseline", str(path)))
    assert result.exit_code == 64
    assert "baseline" in result.output
    assert "Traceback" not in result.output


def test_a_change_is_said_both_ways(prove: Prove, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text(json.dumps(DENY_ALL))
    opened = prove(DENY_ALL, OPEN, more=("--diff", str(before)))
    assert "E1: this change opens" in opened.output
    before.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [DENY_ALL, OPEN]}))
    assert "E1: this change closes" in prove(DENY_ALL, more=("--diff", str(before))).output
    same = prove(DENY_ALL, OPEN, more=("--diff", str(before)))
    assert "this change opens nothing and closes nothing" in same.output


def test_an_earlier_file_that_was_not_decided_closes_nothing(prove: Prove, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text("{")
    said = prove(DENY_ALL, more=("--diff", str(before))).output
    assert "E1: was not decided before: before.json" in said
    assert "closes before.json" not in said
    before.write_text(json.dumps(DENY_ALL))
    admin = {"apiVersion": "crd.projectcalico.org/v1", "kind": "GlobalNetworkPolicy", "metadata": {"name": "x"}}
    assert (
        "E1: this change leaves it open: GlobalNetworkPolicy x"
        in prove(DENY_ALL, admin, more=("--diff", str(before))).output
    )
