"""A small report with every kind of outcome in it, made by hand: fast, and with hostile words where data can stand."""

from dataclasses import replace
from typing import Final

from sequester.drill.outcome import (
    Alarm,
    Baseline,
    Chain,
    Drill,
    Family,
    Outcome,
    Response,
    Result,
    Target,
    Technique,
)
from sequester.drill.outcome import Link as ChainLink
from sequester.report.document import Claim, Control, Link, Origin, Report, Wire
from sequester.report.flows import Flow, Quiet

HOSTILE: Final = '</style></svg><img src="https://attacker.example/x"><script>document.title="run"</script>&\'"'


_MADE: Final = "2026-11-25T00:00:00+00:00"


CHAINS: Final = (
    Chain("pod", "a pod's packet", (ChainLink("stopped", "held", HOSTILE), ChainLink("recorded", "held", "1"))),
    Chain("node", HOSTILE, (ChainLink("stopped", "broken", HOSTILE), ChainLink("recorded", "not-reached", ""))),
    Chain("door", "a request", not_run=HOSTILE),
)


def technique(name: str, tripwire: str = "network-call", unseen: str = "") -> Technique:
    return Technique(name, Family.DIRECT, f"{name} {HOSTILE}", HOSTILE, "seccomp:connect", tripwire, (Target.LOCAL,),
                     unseen=unseen)  # fmt: skip


def drill() -> Drill:
    """One technique of each result."""
    techniques = (technique("stopped"), technique("leak"), technique("not-run", "none", HOSTILE), technique("baseline"))
    alarm = Alarm("sequester-network-call-research", "ALARM", 61.5, 180.0)
    answer = Response("delete pod", "research-sandbox/x", True, 3.2)
    outcomes = (
        Outcome("stopped", Target.LOCAL, Result.STOPPED, stopped_by="seccomp:connect", seen_by="network-call",
                seconds_to_seen=0.2, alarm=alarm, response=answer, baseline=Baseline(True, "arrived")),
        Outcome("leak", Target.LOCAL, Result.LEAK, evidence=(HOSTILE,), baseline=Baseline(True, "arrived")),
        Outcome("not-run", Target.LOCAL, Result.NOT_RUN, reason=HOSTILE),
        Outcome("baseline", Target.LOCAL, Result.BASELINE_FAILED, reason="no sink"),
    )  # fmt: skip
    return Drill(
        Target.LOCAL, "2026-11-25T00:00:00+00:00", 12.0, {"sequester": "0.1.0"}, techniques, outcomes, chains=CHAINS
    )


def report(stack: str = "sequester") -> Report:
    """Hostile words in all that comes from a plan, a drill or settings."""
    link = Link("tests/program/test_controls.py", "no-nat", 1)
    return Report(
        origin=Origin(stack, "123456789012", "us-east-1", "a test", _MADE, "", dirty=False, versions={"x": HOSTILE}),
        claims=(
            Claim("E1", "packets", "pods reach nothing", "proved", "0" * 64, 3, 99, ((HOSTILE, HOSTILE),), (HOSTILE,)),
            Claim("E2", "names", "only listed names", "escapes", ways=(HOSTILE,)),
            Claim("E3", "endpoints", "ours only", "unknown", reasons=(HOSTILE,)),
        ),
        flows=(
            Flow(HOSTILE, "the API server", "tcp port 443", HOSTILE),
            Flow("pods of a", "S3", "tcp port 443", "a list", leaves=True),
            Flow("door d", HOSTILE, "tcp port 443", "the allowlist", leaves=True, outside=True),
            Flow(HOSTILE * 2, HOSTILE * 3, "tcp port 443", HOSTILE, leaves=True, outside=True),
        ),
        quiet=(Quiet("pods of b-sandbox", HOSTILE),),
        controls=(
            Control("no-nat", "network", "no way", "E1", "holds", (), link, link),
            Control("no-vpn", "network", "no way", "E1", "broken", (HOSTILE,), link, link),
            Control("filter", "sandbox", HOSTILE, "E2", "tested", (), link, Link("tests/x.py", "y", 0)),
        ),
        tripwires=(
            Wire("a", HOSTILE, "flow log", "high", "isolate", 480, 61.5, ""),
            Wire("b", "unseen", "none", "medium", "observe", None, None, HOSTILE),
        ),
        drill=drill(),
        declared_only=(HOSTILE,),
    )  # fmt: skip


def calm(one: Report) -> Report:
    """The same, with nothing that leaks or is open."""
    return replace(
        one,
        claims=tuple(claim for claim in one.claims if claim.state == "proved"),
        controls=tuple(control for control in one.controls if control.state != "broken"),
        drill=None,
    )
