"""Every AWS call of a request that makes all of them fails in every way, found by counting: nothing falls open.

Whatever fails, once or on and on: the answer is one of a door, nothing was sent without a record, no more was spent
than there is, none was given back twice, and the chain verifies or says that a request did not end.
"""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import door_lane
import pytest
from door_lane import AUDIT, HOST, TABLE, Lane, configuration, put_secret
from door_wire import FAILURES, NO_ERRORS, UNHEARD, Wire
from test_door_budget import budget_of
from test_door_runtime import RESPONSE

from lambda_proxy.audit import object_key
from lambda_proxy.budget import Allowance, Limits
from lambda_proxy.handler import Clients, compose
from sequester.audit import HARMLESS, AuditStore, verify
from sequester.loopback import http

CANARY = "canary-" + "Zx12Cv34Bn56Mq78"
PIECE = "zx12cv34bn"
UNREADABLE = hashlib.sha512(b"unreadable").hexdigest()
REPLY, LIMIT, MOST = b"0123456789", 1000, 1_000_000
ONE_HOP, TWO_HOPS = "/v1/there", "/v1/here"
FULL = {
    "dynamodb GetItem": 2,  # the window before, the head
    "dynamodb TransactWriteItems": 3,  # reserve, unreadable bytes, settle
    "dynamodb UpdateItem": 3,  # the window, the head for intent and outcome
    "kms Sign": 2,
    "s3 GetObject": 1,
    "s3 PutObject": 2,
    "secrets-manager GetSecretValue": 2,
}
# Which tries of which calls fail, of those from number `first` on.
MODES: Mapping[str, Callable[[int], Callable[[int, int], bool]]] = {
    "once": lambda first: lambda number, attempt: number == first and attempt == 1,
    "at every try": lambda first: lambda number, _: number == first,
    "from here on": lambda first: lambda number, _: number >= first,
}
CASES = [
    *((failure, "at every try", ONE_HOP) for failure in FAILURES),
    (UNHEARD, "once", ONE_HOP),
    ("no right", "from here on", ONE_HOP),
    (UNHEARD, "at every try", TWO_HOPS),
]
# A write of DynamoDB that went well says nothing more than that: an answer of 200 cannot be told from one.
SAYS_NOTHING = frozenset({"dynamodb TransactWriteItems", "dynamodb UpdateItem"})


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("lambda_proxy.budget._CONFLICT_PAUSE_SECONDS", 0)


@dataclass
class Tenant:
    """One that uses everything; `read`: how many of its records have been looked at."""

    lane: Lane
    wire: Wire
    key: str
    read: int = 0

    @property
    def store(self) -> AuditStore:
        clients = self.lane.clients
        return AuditStore(clients.s3, clients.dynamodb, AUDIT, TABLE, clients.kms, self.key)

    def ask(self, path: str) -> tuple[dict[str, Any], list[str]]:
        """The answer of a new instance, and the calls that it made."""
        environ = {**self.lane.environ, "DOOR_SIGNING_KEY": self.key}
        self.lane._door = compose(environ, self.lane.clients, self.lane.internet())
        self.lane.upstream.received.clear()
        body, url = UNREADABLE.encode() * 3, f"https://{HOST}{path}?q={PIECE}"
        answer = self.lane.post(body, "text/plain", url=url, max_bytes=LIMIT)
        calls = list(self.wire.calls)
        self.wire.begin()
        return answer, calls

    def check(self, answer: dict[str, Any]) -> None:
        """What was sent has its intent, and what was given its outcome."""
        RESPONSE.validate(answer)
        s3 = self.lane.clients.s3
        bodies: list[bytes] = []
        while True:
            try:
                found = s3.get_object(Bucket=AUDIT, Key=object_key(self.lane.tenant, self.read + 1))
            except s3.exceptions.NoSuchKey:
                break
            bodies.append(found["Body"].read())
            self.read += 1
        records = [json.loads(body) for body in bodies]
        assert len(self.lane.upstream.received) <= sum(record["kind"] == "intent" for record in records)
        if "status" in answer:
            assert records[-1]["status"] == 200
            assert answer["audit"] == {"seq": self.read, "hash": hashlib.sha256(bodies[-1]).hexdigest()}

    def spent(self) -> Mapping[str, int]:
        """Of each meter in all windows."""
        total = Counter[str]()
        for item in self.lane.items():
            total[str(item["item"].get("S")).rpartition("#")[0]] += int(item.get("spent", {}).get("N", "0"))
        return total


@pytest.fixture
def tenant(lane: Lane) -> Tenant:
    wire = Wire()
    clients = Clients(wire.under(door_lane.session()))
    canaries = put_secret(clients, f"{lane.tenant}/canaries", json.dumps({"one": CANARY}))
    credential = put_secret(clients, f"{lane.tenant}/credential", "every-call-" + "Qw81Er27Ty34")
    key = clients.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"].get("Arn", "")
    lane.clients = clients
    lane.configure(
        configuration(
            canaries=canaries,
            credentials={HOST: {"secret": credential, "header": "Authorization", "prefix": "Bearer "}},
            **budget_of(bytes_in_per_day=MOST),
        )
    )
    lane.upstream.reply = lambda request: (
        http(b"", "307 Temporary Redirect", {"Location": ONE_HOP}) if TWO_HOPS.encode() in request else http(REPLY)
    )
    wire.begin()
    return Tenant(lane, wire, key)


def test_the_request_makes_every_call_there_is(tenant: Tenant) -> None:
    answer, calls = tenant.ask(ONE_HOP)
    assert "status" in answer, answer
    tenant.check(answer)
    assert {name: calls.count(name) for name in sorted(set(calls))} == FULL
    answer, calls = tenant.ask(TWO_HOPS)
    tenant.check(answer)
    assert (calls.count("s3 PutObject"), answer["status"]) == (4, 200)


@pytest.mark.parametrize(("failure", "mode", "path"), CASES, ids=lambda one: one)
def test_whatever_fails_nothing_falls_open(tenant: Tenant, failure: str, mode: str, path: str) -> None:
    fetched = sent = 0
    answer, first = dict[str, Any](), 0
    for first in itertools.count():
        tenant.wire.begin(FAILURES[failure], MODES[mode](first))
        answer, calls = tenant.ask(path)
        if len(calls) <= first:
            break  # the request has no such call
        if not (failure in NO_ERRORS and calls[first] in SAYS_NOTHING):
            try:
                tenant.check(answer)
            except Exception as error:
                error.add_note(f"call {first} of {calls}: {answer}")
                raise
        sent += len(tenant.lane.upstream.received)
        fetched += "status" in answer
    assert answer.get("status") == 200, "nothing failed any more"
    assert first >= sum(FULL.values())
    report = verify(tenant.store, tenant.lane.tenant)
    assert {finding.fault for finding in report.findings} <= HARMLESS, report
    used = tenant.spent()
    assert sent <= used["requests#all"]
    assert fetched * len(REPLY) <= used["in#all"] <= MOST


@pytest.mark.parametrize("keeps_tokens", [True, False])
def test_what_is_not_heard_is_not_given_back_twice(tenant: Tenant, keeps_tokens: bool) -> None:
    """With the counterpart: if the token of a transaction did not hold, less would be counted than came."""
    _, calls = tenant.ask(ONE_HOP)
    allowance = Allowance(Limits(9, MOST, MOST), 0, {})
    tenant.lane.door.budget.reserve(allowance, HOST, 1, 5 * LIMIT)  # another request's, still under way
    tenant.wire.keeps_tokens = keeps_tokens
    tenant.wire.begin(FAILURES[UNHEARD], lambda number, attempt: number == len(calls) - 1 and attempt < 3)
    answer, again = tenant.ask(ONE_HOP)
    assert (answer["status"], again) == (200, calls)
    assert (tenant.spent()["in#all"] == 5 * LIMIT + 2 * len(REPLY)) == keeps_tokens
