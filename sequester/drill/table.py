"""The drill's table: every technique, made from the tables of what is really tried."""

from collections.abc import Iterable, Mapping
from typing import Final

from sequester.drill import host, straight
from sequester.drill.asks import ASKS, Ask
from sequester.drill.broken_out import OUTBREAKS, Outbreak
from sequester.drill.calls import CALLS, COUNTED, Call
from sequester.drill.outcome import NO_TRIPWIRE, Family, Target, Technique
from sequester.drill.program import Bare, Program
from sequester.drill.through_door import DROPPED, FETCHES, Fetch

PROGRAMS: Final[Mapping[str, Program]] = {
    row.id: row for row in (*straight.PROGRAMS, *host.PROGRAMS) if row.bare is not Bare.UNSAFE
}
"""What would harm the machine, were it not stopped, is no drill: the kernel lane's tests hold the filter to it."""

# Which tripwire counts the supervisor's events of a kind (infra.tripwire_table).
_TRIPWIRES: Final[Mapping[str, str]] = {
    "network": "network-call",
    **dict.fromkeys(("trace", "namespace", "kernel", "memory", "device", "foreign_abi", "resource"), "kernel-call"),
    **dict.fromkeys(("blind", "supervisor"), "supervisor-attacked"),
}
_NO_EVENT: Final = "no filtered system call is made: there is nothing for the supervisor to see"
_LIBC_DOES: Final = (
    "libc asks the same before it resolves a name: the event is kept, marked as noise, and nobody is woken"
)


def _of_program(row: Program) -> Technique:
    tripwire, unseen = NO_TRIPWIRE, _NO_EVENT
    if row.event is not None:
        noise = bool(row.event.get("noise"))
        tripwire, unseen = (NO_TRIPWIRE, _LIBC_DOES) if noise else (_TRIPWIRES[str(row.event["kind"])], "")
    needs = ("bubblewrap", "a network namespace of its own")
    return Technique(
        row.id,
        Family(row.family),
        row.name,
        row.does or _does(row),
        f"sandbox:{row.layer}",
        tripwire,
        (Target.LOCAL, Target.LAB) if "lateral" in row.id else (Target.LOCAL, Target.LAB, Target.CLUSTER),
        needs,
        unseen,
    )


def _does(row: Program) -> str:
    if row.event is None:
        return f"asks the kernel for it: {row.error.split('|')[0]}"
    event = row.event
    call = str(event.get("syscall", "socket"))
    towards = str(event.get("address") or event.get("name") or event.get("family") or "")
    return f"calls {call}" + (f" towards {towards}".replace("{", "").replace("}", "") if towards else "")


# Which tripwire counts a rule of the door's: the first of these that the rule begins with.
_DOOR_TRIPWIRES: Final = (
    ("allow.", "door-denied"),
    ("url.", "door-probed"),
    ("request.", "door-probed"),
    ("redirect.", "door-probed"),
    ("resolve.special", "door-probed"),
    ("connect.peer", "door-probed"),
    ("inspect.secret", "door-secret"),
    ("inspect.canary", "door-secret"),
    ("inspect.credential", "door-secret"),
    ("response.credential", "door-secret"),
    ("inspect.unavailable", "door-unrecorded"),
    ("inspect.", "door-denied"),
    ("budget.", "door-spent"),
)
_ANYBODY: Final = "the door records it; no tripwire counts it, since any server may be at fault by itself"
_NOT_DENIED: Final = "the request is made, without what it forged: nothing is denied"


def _of_fetch(row: Fetch) -> Technique:
    tripwire = next((name for start, name in _DOOR_TRIPWIRES if row.rule.startswith(start)), NO_TRIPWIRE)
    unseen = _NOT_DENIED if row.rule == DROPPED else _ANYBODY if tripwire == NO_TRIPWIRE else ""
    needs = ("the embedded cloud",)
    targets = (Target.LOCAL, Target.LAB)
    return Technique(
        row.id, Family(row.family), row.name, row.does, f"door:{row.rule}", tripwire, targets, needs, unseen
    )


_UNWATCHED: Final = "refused and in the audit log; requests about nodes are counted for kubelets' identities only"
_UNLOGGED: Final = "the audit policy leaves reads of events out"


def _of_ask(ask: Ask) -> Technique:
    tripwire, unseen = "api-refused", ""
    if ask.who == "node":
        tripwire = "node-refused"
    elif ask.path.partition("?")[0].endswith("/events"):
        tripwire, unseen = NO_TRIPWIRE, _UNLOGGED
    elif ask.who in ("cni", "responder") and "/namespaces/" not in ask.path:
        tripwire, unseen = NO_TRIPWIRE, _UNWATCHED
    elif ask.path.partition("?")[0].endswith(("/exec", "/portforward", "/ephemeralcontainers")):
        tripwire = "api-exec"
    return Technique(
        ask.id,
        Family.KUBERNETES,
        ask.name.replace("-", " "),
        ask.does,
        ask.by[0],
        tripwire,
        (Target.LOCAL, Target.LAB),
        ("kube-apiserver",),
        unseen,
    )


_UNSENT: Final = "CloudTrail has no network activity events for this service"


def _of_call(call: Call) -> Technique:
    counted = call.service in COUNTED
    return Technique(
        call.id,
        Family.ALLOWED,
        call.name,
        call.does,
        call.control,
        "endpoint-denied" if counted else NO_TRIPWIRE,
        (Target.LOCAL, Target.LAB),
        ("an endpoint of the service",),
        "" if counted else _UNSENT,
    )


def _of_outbreak(row: Outbreak) -> Technique:
    return Technique(
        row.id,
        Family(row.family),
        f"from the {row.place}: {row.name}",
        row.does,
        row.held_by[0],
        row.tripwire or NO_TRIPWIRE,
        (Target.LAB,),
        ("root", "network namespaces", "nftables"),
        row.unseen,
    )


def _all() -> Iterable[Technique]:
    yield from map(_of_program, PROGRAMS.values())
    yield from map(_of_fetch, FETCHES.values())
    yield from map(_of_call, CALLS)
    yield from map(_of_ask, ASKS.values())
    yield from map(_of_outbreak, OUTBREAKS)


TECHNIQUES: Final[tuple[Technique, ...]] = tuple(_all())
BY_ID: Final[Mapping[str, Technique]] = {technique.id: technique for technique in TECHNIQUES}

FAST: Final = frozenset(
    {
        "direct-tcp-v4",
        "direct-udp-v6",
        "direct-raw-https-to-an-approved-host",
        "dns-query-by-libc",
        "dns-query-by-hand",
        "metadata-version-2",
        "metadata-over-ipv6",
        "host-io-uring",
        "host-i386-socket-by-int-0x80",
        "host-the-container-engines-socket",
        "host-the-hosts-files",
        "door-a-host-that-is-not-listed",
        "door-mapped-literal",
        "door-redirect-elsewhere",
        "door-rebinding",
        "door-canary-in-json-base64",
        "allowed-attackers-key-on-an-allowed-api",
        "allowed-provider-side-fetch",
        "allowed-loot-by-our-own-key",
        "kubernetes-host-network",
        "kubernetes-seccomp-unconfined",
        "kubernetes-token-mounted",
        "kubernetes-exec",
        "kubernetes-add-network-policy",
    }
)
"""A few of every family, for the demo."""


def chosen(families: Iterable[Family], only: Iterable[str], *, target: Target) -> list[Technique]:
    """The techniques of a target, narrowed; nothing given narrows nothing. Raises UnknownTechniqueError."""
    wanted, names = set(families), set(only)
    if unknown := sorted(names - BY_ID.keys()):
        raise UnknownTechniqueError(f"--only {unknown[0]}: no such technique: `sequester drill --list` names them")
    return [
        technique
        for technique in TECHNIQUES
        if target in technique.targets
        and (not wanted or technique.family in wanted)
        and (not names or technique.id in names)
    ]


class UnknownTechniqueError(ValueError):
    """No technique is called so; the message names it and the mend."""
