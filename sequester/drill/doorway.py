"""Tries the requests of the table at the deployed door, run here: real code, real stores, real TLS; and without it."""

import base64
import hashlib
import json
import secrets
import socket
import ssl
import time
import unicodedata
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import trustme

import lambda_proxy.path
from infra.names import Names
from infra.tripwire_table import Sensor
from lambda_proxy.addresses import is_special
from lambda_proxy.allow import Rule, decide
from lambda_proxy.config import Configuration, Credential
from lambda_proxy.connect import Internet
from lambda_proxy.denial import RULES, DeniedError
from lambda_proxy.handler import serve
from lambda_proxy.inspection import inspect
from lambda_proxy.parse import Request, Target, parse_request
from lambda_proxy.path import Door, follow
from lambda_proxy.respond import Response
from sequester.drill.attempt import Attempt
from sequester.drill.eyes import ROWS, Eyes
from sequester.drill.naive import fetch
from sequester.drill.outcome import NO_TRIPWIRE, Baseline, Technique
from sequester.drill.through_door import BROKERED, DROPPED, FETCHES, HOST, IMPOSTOR, INSIDE, PUBLIC, Fetch
from sequester.embedded_door import EmbeddedDoor, embedded_door
from sequester.eyes.records import SensorRecord
from sequester.loopback import Upstream, http, trusting

CONTENT_TYPES: Final = frozenset({"application/json", "text/plain"})
PLENTY: Final = 10**9
SECRET: Final = "sequester-drill"  # noqa: S105 (the name of one)

REMOVABLE: Final = frozenset(
    rule
    for rule in RULES
    if rule.startswith(("allow.", "url.", "request.", "inspect.", "budget."))
    or rule in ("resolve.special", "connect.peer", "connect.tls")
) | {DROPPED}
"""What can be taken away from the door on purpose, rule by rule."""


T = TypeVar("T")

_METERED: Final = {"requests_per_minute": "budget.requests", "bytes_out_per_day": "budget.bytes_out"}


@dataclass(frozen=True)
class _Context:
    client_context: object | None = True


class _Configured:
    """A configuration source that holds one; it may not be empty."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def current(self) -> Configuration:
        return self._configuration


class _Said(socket.socket):
    """A connection whose other end is said to be `address`."""

    def __init__(self, made: socket.socket, address: tuple[str, int]) -> None:
        super().__init__(fileno=made.detach())
        self._address = address

    def getpeername(self) -> tuple[str, int]:
        return self._address


@dataclass
class Doorway:
    """The door, three servers, and what is planted."""

    door: EmbeddedDoor
    servers: Mapping[str, Upstream]
    tls: ssl.SSLContext
    canary: str
    credential: str
    removed: frozenset[str]

    def attempt(self, technique: Technique, row: Fetch, tenant: str) -> Attempt:
        """The baseline, then the door, as often as its tripwire wants it."""
        baseline = self._baseline(row)
        mark = self._mark(row)
        times = 1 if technique.tripwire == NO_TRIPWIRE else ROWS[technique.tripwire].threshold
        function = self._function(row)
        lines: list[str] = []
        rules: list[str] = []
        proofs: list[str] = []
        began = time.monotonic()
        for _ in range(times):
            self._script(row, mark)
            answer = serve(function, dict(row.build(mark)), _Context(), lines.append)
            denied: Any = answer.get("denied")
            rules.append(str(denied["rule"]) if denied else "")
            proofs.append(self._arrived(row, mark, answer))
        seconds = (time.monotonic() - began) / times
        proof = next(filter(None, proofs), "")
        same = rules[0] if len(set(rules)) == 1 else ""
        if not any(rules) and not proof and self.servers[PUBLIC].received:
            same = DROPPED  # it went, and what it forged did not
        said = (
            f"denied by {', '.join(dict.fromkeys(filter(None, rules)))}" if any(rules) else "answered, without the mark"
        )
        return Attempt(
            technique.id,
            reached=proof,
            stopped_by=f"door:{same}" if same else None,
            evidence=(proof or said,),
            baseline=baseline,
            records=[SensorRecord(Sensor.DOOR, line, time.time(), tenant) for line in lines],
            seconds=seconds,
        )

    def _mark(self, row: Fetch) -> str:
        return self.credential if row.in_answer else self.canary if row.planted else secrets.token_hex(10)

    def _script(self, row: Fetch, mark: str) -> None:
        for server in self.servers.values():
            server.reset()
            server.reply = http() if row.reply is None else _once(row.reply(mark))

    def _baseline(self, row: Fetch) -> Baseline:
        mark = self._mark(row)
        self._script(row, mark)

        def dial(host: str) -> socket.socket:
            address = (row.names.get(host) or [PUBLIC])[-1].removeprefix("::ffff:")
            return socket.create_connection((address, self.servers[address].port), 5)

        try:
            answer = fetch(row.build(mark), dial)
        except (OSError, ValueError, UnicodeError) as error:
            return Baseline(arrived=False, said=f"it cannot even be sent: {error}")
        proof = self._arrived(row, mark, {"body_b64": base64.b64encode(answer).decode()})
        return Baseline(bool(proof), proof or "it was sent, and the mark did not arrive")

    def _arrived(self, row: Fetch, mark: str, answer: Mapping[str, object]) -> str:
        """Where the mark is, in whatever form the row writes it."""
        if row.in_answer:
            body = base64.b64decode(str(answer.get("body_b64", "")))
            return "the credential came back in the answer" if mark.encode() in body else ""
        forms = _forms(row, mark)
        for name, address in (("the public server", PUBLIC), ("the inside", INSIDE), ("the impostor", IMPOSTOR)):
            for request in self.servers[address].received:
                if any(form in request for form in forms):
                    return f"canary {mark} arrived at {name}"
        return ""

    def _function(self, row: Fetch) -> Door:
        def resolve(host: str, _port: int) -> Sequence[str]:
            return row.names.get(host) or _literal(host) or [PUBLIC]

        def refuse(address: str) -> bool:
            return address not in (PUBLIC, IMPOSTOR) and is_special(address)

        def dial(address: tuple[str, int], seconds: float) -> socket.socket:
            # The server inside stands for every address that is not public.
            meant = INSIDE if refuse(address[0]) else address[0]
            at = INSIDE if row.detour else meant
            made = socket.create_connection((at, self.servers[at].port), seconds)
            # A kernel says the address that was asked for; who does not look takes any other for it.
            return _Said(made, address) if at == meant or "connect.peer" in self.removed else made

        tls = self.tls
        if "connect.tls" in self.removed:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        never = "resolve.special" in self.removed
        internet = Internet(resolve, (lambda _: False) if never else refuse, tls, dial)
        source: Any = _Configured(self._configuration(row))
        return replace(self.door.function, configurations=source, internet=internet)

    def _configuration(self, row: Fetch) -> Configuration:
        """The tenant's own, and beside it a host, a canary and a credential of the drill's; plenty of budget."""
        own = self.door.configuration
        methods = frozenset({"GET", "POST"})
        query = frozenset({"q", "a", "b"})
        plenty = dict.fromkeys(("requests_per_minute", "bytes_out_per_day", "bytes_in_per_day"), PLENTY)
        little = {name: value for name, value in row.budget.items() if _METERED[name] not in self.removed}
        allowance = replace(
            own.allowance,
            total=replace(own.allowance.total, **plenty | little),
            hosts={},
            unreadable_bytes_per_day=PLENTY,
        )
        return replace(
            own,
            digest=hashlib.sha256(f"{row.id}{self.removed}{self.canary}".encode()).hexdigest(),
            rules=(
                *own.rules,
                Rule(HOST, methods, ("/v1/*",), query=query, content_types=CONTENT_TYPES),
                Rule(BROKERED, frozenset({"GET"}), ("/public/*",)),
            ),
            allowance=allowance,
            credentials={BROKERED: Credential(f"{SECRET}/credential", "Authorization", "Bearer ")},
            canaries=None if "inspect.canary" in self.removed else f"{SECRET}/canaries",
        )


def hold(techniques: Sequence[Technique], removed: Sequence[str], eyes: Eyes) -> list[Attempt]:
    """Each request of these techniques. removed: the door's rules that are taken away on purpose."""
    with standing(eyes, frozenset(removed)) as doorway:
        return [doorway.attempt(technique, FETCHES[technique.id], eyes.tenant) for technique in techniques]


@contextmanager
def standing(eyes: Eyes, removed: frozenset[str]) -> Generator[Doorway]:
    """The tenant's door with the three servers, for as long as the cloud is open."""
    client = eyes.cloud.client
    authority = trustme.CA()
    with ExitStack() as stack:
        door = stack.enter_context(embedded_door(client, Names.of(eyes.settings).door(eyes.tenant)))
        servers = {
            address: stack.enter_context(Upstream(authority, names, address))
            for address, names in ((PUBLIC, ()), (INSIDE, ()), (IMPOSTOR, ("someone-else.example",)))
        }
        # Whoever drilled here before may have had it closed: that is the quarantine's work, and undone for this one.
        control = {"tenant": {"S": door.tenant}, "item": {"S": "control"}}
        client("dynamodb").delete_item(TableName=door.environ["DOOR_TABLE"], Key=control)
        canary, credential = secrets.token_hex(12), secrets.token_hex(16)
        for name, value in (("canaries", json.dumps({"planted": canary})), ("credential", credential)):
            client("secretsmanager").create_secret(Name=f"{SECRET}/{name}", SecretString=value)
            stack.callback(
                client("secretsmanager").delete_secret, SecretId=f"{SECRET}/{name}", ForceDeleteWithoutRecovery=True
            )
        stack.enter_context(_weakened(removed))
        yield Doorway(door, servers, trusting(authority), canary, credential, removed)


@contextmanager
def _weakened(removed: frozenset[str]) -> Generator[None]:
    """For the time being: where one of these rules would deny, the step goes on as a careless proxy would."""
    if not removed:
        yield
        return

    def careless_parse(event: object) -> Request:
        return _unless(removed, lambda: parse_request(event), lambda: _naive_request(event))

    def careless_decide(rules: Sequence[Rule], request: Request, size: int) -> Rule:
        def instead() -> Rule:
            return decide([_wide(request, removed)], request, size)

        return _unless(removed, lambda: decide(rules, request, size), instead)

    def careless_inspect(*args: Any) -> int:
        return _unless(removed, lambda: inspect(*args), lambda: 0)

    def careless_follow(request: Request, response: Response) -> Request:
        def instead() -> Request:
            where = urljoin(request.target.url, response.location or "")
            return replace(request, target=_naive_target(where))

        return _unless(removed, lambda: follow(request, response), instead)

    careless: dict[str, Callable[..., Any]] = {
        "follow": careless_follow,
        "parse_request": careless_parse,
        "decide": careless_decide,
        "inspect": careless_inspect,
    }
    if DROPPED in removed:
        careless["sent_headers"] = _all_headers
    steps = {name: getattr(lambda_proxy.path, name) for name in careless}
    try:
        for name, step in careless.items():
            setattr(lambda_proxy.path, name, step)
        yield
    finally:
        for name, step in steps.items():
            setattr(lambda_proxy.path, name, step)


def _all_headers(request: Request) -> dict[str, str]:
    return dict(request.headers)


def _unless(removed: frozenset[str], step: Callable[[], T], instead: Callable[[], T]) -> T:
    try:
        return step()
    except DeniedError as denied:
        if denied.rule not in removed:
            raise
        return instead()


def _naive_request(event: object) -> Request:
    """As a proxy without the first step would have it: believes the payload, and reads the URL as urllib does."""
    given: Any = event
    body = base64.b64decode(given.get("body_b64", ""))
    target = _naive_target(str(given["url"]))
    return Request(given.get("method", "GET"), target, given.get("headers", {}), body, 10**6, "")


def _naive_target(url: str) -> Target:
    parts = urlsplit(url.replace("\\", "/").replace("\t", ""))
    host = unicodedata.normalize("NFKC", parts.hostname or "").rstrip(".")
    return Target(host, parts.port or 443, parts.path, parts.query, is_address=False)


def _wide(request: Request, removed: frozenset[str]) -> Rule:
    """A rule that allows this request in every way that was taken away, and else what the drill's own rule allows."""
    target = request.target
    kinds = (
        {request.headers.get("content-type", "").partition(";")[0]} if "allow.content_type" in removed else set[str]()
    )
    wide = Rule(
        HOST,
        frozenset({"GET", "POST"}),
        ("/*",) if removed & {"allow.path", "allow.host"} else ("/v1/*",),
        port=target.port if "allow.port" in removed else 443,
        query=frozenset({"*"} if "allow.query" in removed else {"q", "a", "b"}),
        content_types=CONTENT_TYPES | kinds,
    )
    # No rule may name these, and a careless proxy's may.
    if "allow.host" in removed:
        object.__setattr__(wide, "host", target.host)
    if "allow.method" in removed:
        object.__setattr__(wide, "methods", wide.methods | {request.method})
    return wide


def _literal(host: str) -> list[str]:
    """The address that C's resolver reads in this name (inet_aton(3): also octal, hexadecimal, full-width), if any."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]


def _forms(row: Fetch, mark: str) -> set[bytes]:
    """How the row writes the mark: as it is, or as the request that it builds has it."""
    plain = mark.encode()
    built = row.build(mark)
    body = base64.b64decode(str(built.get("body_b64", "")))
    headers: Any = built.get("headers", {})
    written = {plain, plain[::-1], plain.hex().encode(), base64.b64encode(plain)}
    if row.planted:
        written |= {body} - {b""}
        written |= {str(value).encode() for value in headers.values() if str(value) in (mark[:10], mark[10:])}
    return written


def _once(first: bytes) -> Callable[[bytes], bytes]:
    """The first request is answered by it, all later ones plainly."""
    answers = [first]
    return lambda _: answers.pop() if answers else http()
