"""From a control to the test that fails without it: what the controls page and the report are made from.

Controls that are read back from the cloud come from `sequester.readback`, admission rules and tripwires from the tables
that are deployed. The rest is listed here. A test holds that every place named here exists.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

from infra.admission import policies
from infra.tripwire_table import TRIPWIRES, Sensor
from sequester.readback.whole import EVERY_CONTROL

ROOT: Final = Path(__file__).resolve().parent.parent.parent


class NoEvidenceError(LookupError):
    """A place that is not there; the message names the file and what was looked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file of the repository, and in it a function, a class or a text in quotes."""

    path: str
    symbol: str

    @property
    def link(self) -> str:
        """Relative to the repository's root; the site and the report lead to the line."""
        return f"{self.path}#{quote(self.symbol, safe=':-')}"

    def line(self, root: Path = ROOT) -> int:
        """From 1. Raises NoEvidenceError if the file or the symbol is not there."""
        found = _symbols(root / self.path).get(self.symbol)
        if found is None:
            raise NoEvidenceError(f"{self.path}: has no {self.symbol!r}")
        return found


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control. `check` says that it is there; `without` is the test that takes it away and expects the way out."""

    id: str
    part: str
    holds: str
    claim: str
    check: Place
    without: Place
    read_back: bool = False
    """The check reads it back from the cloud; else it is code, and its tests run it."""


@cache
def _symbols(path: Path) -> dict[str, int]:
    """Every function, class and text of a Python file, with the line on which it first stands."""
    if not path.is_file():
        raise NoEvidenceError(f"{path.name}: there is no such file in {path.parent}")
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Constant(value=str(name)):
                found[name] = min(node.lineno, found.get(name, node.lineno))
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                found.setdefault(name, node.lineno)
            case _:
                pass
    return found


def _defined(thing: object) -> Place:
    """Where a function stands; that of a lambda is the function around it."""
    code = inspect.unwrap(thing).__code__  # type: ignore[arg-type, attr-defined]
    name = code.co_qualname.partition(".<locals>")[0]
    return Place(str(Path(code.co_filename).resolve().relative_to(ROOT)), name)


_LAYERS: Final = "tests/kernel/test_sandbox_layers.py"
_LIMITS: Final = "tests/kernel/test_sandbox_limits.py"
_DOOR_GONE: Final = "tests/unit/door/test_door_controls.py"
_RULES: Final = "tests/kernel/test_userdata_rules.py"
_QUARANTINE: Final = "tests/unit/eyes/test_responder_quarantine.py"

LISTED: Final = (
    ControlRow(
        "seccomp-filter", "sandbox", "system calls that could reach a network or another process are refused", "E5",
        Place("sequester/sandbox/seccomp.py", "Profile"), Place(_LAYERS, "test_the_filter_alone"),
    ),
    ControlRow(
        "namespaces", "sandbox", "a local sandbox has no network interface but its own loopback", "E1",
        Place("sequester/sandbox/builders.py", "--unshare-net"), Place(_LAYERS, "test_the_namespaces_alone"),
    ),
    ControlRow(
        "landlock", "sandbox", "files and TCP are bounded a third time, by Landlock", "E5",
        Place("sequester/sandbox/guest/kernel.py", "restrict_files"), Place(_LAYERS, "test_landlock_alone"),
    ),
    ControlRow(
        "supervisor-memory", "sandbox", "untrusted code cannot read or write its supervisor", "E5",
        Place("sequester/sandbox/guest/entry.py", "main"), Place(_LAYERS, "test_the_supervisors_memory"),
    ),
    ControlRow(
        "memory-limit", "sandbox", "memory is bounded, with and without cgroups", "E5",
        Place("sequester/sandbox/cgroup.py", "Cgroup"), Place(_LIMITS, "test_memory_without_cgroups"),
    ),
    ControlRow(
        "pods-begin-nothing", "node", "a pod on a sandbox node begins no connection, IPv4 or IPv6", "E1",
        Place("infra/userdata.py", "POD_RULES"), Place(_RULES, "test_each_chain_is_needed"),
    ),
    ControlRow(
        "door-parsing", "door", "a request that has more than one reading is refused", "E7",
        Place("lambda_proxy/parse.py", "parse_request"), Place(_DOOR_GONE, "url: user information"),
    ),
    ControlRow(
        "door-allowlist", "door", "only hosts, methods, paths and types that are listed are fetched", "E7",
        Place("lambda_proxy/allow.py", "decide"), Place(_DOOR_GONE, "host: not listed"),
    ),
    ControlRow(
        "door-inspection", "door", "secrets, canaries and what cannot be read do not leave", "E7",
        Place("lambda_proxy/inspection.py", "inspect"), Place(_DOOR_GONE, "canary in a JSON body: base64"),
    ),
    ControlRow(
        "door-budget", "door", "requests and bytes are counted before anything is sent", "E7",
        Place("lambda_proxy/budget.py", "Budget"),
        Place("tests/unit/door/test_door_budget.py", "test_without_the_condition_callers_over_spend"),
    ),
    ControlRow(
        "door-addresses", "door", "a listed name that resolves to a special address is not followed", "E7",
        Place("lambda_proxy/addresses.py", "is_special"),
        Place(_DOOR_GONE, "test_without_the_address_table_a_name_leads_inside"),
    ),
    ControlRow(
        "door-peer", "door", "the connection leads to the address that was checked", "E7",
        Place("lambda_proxy/connect.py", "connect.peer"),
        Place(_DOOR_GONE, "test_without_the_peer_check_a_detour_arrives"),
    ),
    ControlRow(
        "door-answer", "door", "a credential that the door adds does not come back to the agent", "E7",
        Place("lambda_proxy/credentials.py", "response.credential"),
        Place(_DOOR_GONE, "test_without_the_answer_search_a_credential_comes_back"),
    ),
    ControlRow(
        "door-audit", "door", "no request is sent before it is on record, in a chain that shows tampering", "E7",
        Place("lambda_proxy/audit.py", "Chain"),
        Place("tests/unit/door/test_door_audit.py", "test_no_condition_no_chain"),
    ),
    ControlRow(
        "quarantine", "quarantine", "what tried is contained, once, within a limit, evidence first", "E8",
        Place("lambda_responder/outside.py", "handler"),
        Place(_QUARANTINE, "test_evidence_is_kept_before_the_first_act"),
    ),
    ControlRow(
        "viewer", "viewer", "a result that is shown in a browser reaches nothing", "E7",
        Place("sequester/render/headers.py", "HEADERS"),
        Place("tests/browser/test_viewer_exfiltration.py", "test_the_page_reaches_the_sink_where_nothing_holds_it"),
    ),
)  # fmt: skip
"""Controls that are code and not a resource; their tests run the code."""


_TAKEN_AWAY: Final = {
    "network": "tests/program/test_controls.py",
    "cluster": "tests/program/test_cluster_controls.py",
    "doors": "tests/program/test_door_controls_deployed.py",
    "eyes": "tests/unit/eyes/test_eyes_controls.py",
}
"""By part: the test that takes each of its controls away in the cloud."""


def _read_back() -> Iterator[ControlRow]:
    for part, those in EVERY_CONTROL.items():
        for one in those:
            check, gone = _defined(one.mistakes), Place(_TAKEN_AWAY[part], one.id)
            yield ControlRow(one.id, part, one.protects, one.claim, check, gone, read_back=True)


_PRECEDED: Final = frozenset({"no-host-port", "no-probe-host"})
"""Rules that the Pod Security Standard precedes: their test takes the standard away first."""
_OF_ALL_NAMESPACES: Final = frozenset({"sequester-nodes", "sequester-responder"})
"""Policies whose test takes their bindings away; of the others it leaves out one rule at a time."""


def _admission() -> Iterator[ControlRow]:
    seen: set[str] = set()
    for policy in policies("<registry>/<name>", gvisor=False):
        for rule in policy.rules:
            if rule.name in seen:
                continue
            seen.add(rule.name)
            gone = "test_without_a_rule_its_attempts_get_through"
            if policy.name in _OF_ALL_NAMESPACES:
                gone = "test_without_the_rules_on_nodes_and_the_responder_their_attempts_get_through"
            if rule.name in _PRECEDED:
                gone = "test_without_the_standard_its_attempts_meet_the_second_layer_or_get_through"
            test = Place("tests/cluster/test_tenants_attempts.py", gone)
            check = Place("infra/admission.py", rule.name)
            yield ControlRow(f"admission-{rule.name}", "admission", rule.why, "E5", check, test)


def _tripwires() -> Iterator[ControlRow]:
    gone = Place("tests/unit/eyes/test_tripwire_deployed.py", "test_without_its_filters_the_attempt_sets_nothing_off")
    stops = Place("tests/unit/eyes/test_tripwire_deployed.py", "test_a_sensor_that_stops_sets_its_own_alarm_off")
    for row in TRIPWIRES:
        if row.sensor is not Sensor.NONE:
            yield ControlRow(
                f"tripwire-{row.id}",
                "tripwire",
                f"seen and alarmed on: {row.attempt}",
                "E8",
                Place("infra/tripwire_table.py", "TRIPWIRES" if row.silent_group else row.id),
                stops if row.silent_group else gone,
            )


@cache
def controls() -> tuple[ControlRow, ...]:
    """Every control of the blueprint, by part."""
    return (*_read_back(), *_admission(), *LISTED, *_tripwires())
