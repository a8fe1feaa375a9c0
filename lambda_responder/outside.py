"""The function outside the VPC: alarm in, evidence kept, steps done, each recorded before and after; and release.

It has no network of ours and speaks to AWS only. What concerns Kubernetes it asks of `inside`.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from .aws_acts import AwsActs, Clients, RefusedError
from .config import Config, Level, Wire, load
from .incident import EARLIER_SECONDS, Incident, alarm_names, confirmed, in_alarm, incident
from .ledger import ChainBusyError, Ledger
from .logs import MOST_READ, MOST_SUBJECTS, Findings, findings, holders
from .plan import Step, lower, steps
from .subject import Address, Claim, Node, Pod, Record, Subject, Tenant, owner, subjects

_LONGEST_WORDS: Final = 500
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9.-]+")
_FAILURES: Final = (BotoCoreError, ClientError, ChainBusyError, OSError)


class UnfinishedError(Exception):
    """Something could not be done. Lambda delivers the event again; what is done is not done twice."""


class InsideError(OSError):
    """The function inside the VPC failed or refused."""


@dataclass(frozen=True)
class Responder:
    config: Config
    clients: Clients
    acts: AwsActs
    ledger: Ledger
    clock: Callable[[], float] = time.time

    def handle(self, event: Mapping[str, object]) -> dict[str, object]:
        """An SNS event; `{"sweep": true}` from the schedule; or `{"release": tenant, "by": who, "why": reason}`.

        Raises UnfinishedError when something could not be done yet, RefusedError for a release that cannot be.
        """
        if "release" in event:
            return self._release(event)
        if event.get("sweep") is True:
            return self._through(self._standing())
        names = dict.fromkeys(alarm_names(event, self.config.topic))
        told = [confirmed(self.clients.cloudwatch, self.config, name) for name in names]
        return self._through(incident for incident in told if incident is not None)

    def _standing(self) -> list[Incident]:
        """What is in alarm now, told or not, and what was begun and never finished.

        CloudWatch tells of a change only: whoever tries while an alarm stands already is seen by looking again.
        """
        found = {each.id: each for each in in_alarm(self.clients.cloudwatch, self.config)}
        for name, began in self.ledger.unended():
            if wire := self.config.wires.get(name):
                one = incident(name, wire, began)
                found.setdefault(one.id, one)
        return list(found.values())

    def _through(self, incidents: Iterable[Incident]) -> dict[str, object]:
        """Each incident by itself: what one cannot do keeps nobody from the next."""
        handled: list[str] = []
        unfinished: list[str] = []
        for each in incidents:
            try:
                self._respond(each)
                handled.append(each.id)
            except UnfinishedError as error:
                unfinished.append(str(error))
            except _FAILURES as error:
                unfinished.append(f"{each.alarm} {each.id}: {type(error).__name__}")
        if unfinished:
            raise UnfinishedError("; ".join(unfinished))
        return {"incidents": handled}

    def _respond(self, incident: Incident) -> None:
        self.ledger.begin(incident)
        now = self.clock()
        found = findings(self.clients.logs, self._unseen(incident, now), partial(self._who, incident.wire, {}))
        self.ledger.keep(incident.id, "records", [asdict(record) for record in found.records])
        who, failures = self._resolved(incident, found.subjects)
        failures += self._keep_state(incident, who)
        level = lower(self.config.level, incident.wire.response)
        self._notice(incident, level, who, found)
        for step in steps(level, who):
            released = self._released(owner(step.subject))
            key = f"{step.name} after {released}" if released else step.name  # after a release it may be due again
            if released >= now:  # after the look that the step comes from: then it is looked at again
                failures.append(f"{step.name}: released meanwhile")
            elif not self.ledger.done(incident.id, key):
                failures += self._take(incident, step, key, now)
        if failures:
            raise UnfinishedError(f"{incident.alarm} {incident.id}: {'; '.join(failures)}")
        self.ledger.look(incident.id, now)
        self.ledger.end(incident)

    def _unseen(self, incident: Incident, now: float) -> Incident:
        """The first look takes what set the alarm off; a later one whatever may have come since the last."""
        last = self.ledger.looked(incident.id)
        if last is None:
            return replace(incident, until=max(incident.until, now + EARLIER_SECONDS))
        return replace(incident, since=last - incident.wire.window_seconds, until=now + EARLIER_SECONDS)

    def _who(self, wire: Wire, released: dict[str | None, float], record: Record) -> list[Subject]:
        """Who made this record, but for tenants that were released since.

        `released` is what is known already: a flood must not cost a request for each of its records.
        """
        found = subjects(self.config, wire, [record])
        for name in {owner(one) for one in found} - released.keys():
            released[name] = self._released(name)
        return [one for one in found if record.at > released[owner(one)]]

    def _released(self, tenant: str | None) -> float:
        return self.ledger.released(tenant) if tenant else 0.0

    def _notice(self, incident: Incident, level: Level, who: list[Subject], found: Findings) -> None:
        """Into the chain: the incident once, and each subject that is new in it."""
        new = [subject for subject in who if not self.ledger.done(incident.id, f"noticed {subject}")]
        if new or not self.ledger.done(incident.id, "noticed"):
            entry = {"kind": "incident", "incident": incident.id, "alarm": incident.alarm, "level": level}
            self.ledger.append({**entry, "subjects": [str(each) for each in new], "records": len(found.records)})
            for subject in new:
                self.ledger.finish(incident.id, f"noticed {subject}")
            self.ledger.finish(incident.id, "noticed")
        if found.cut_short:
            self._page_once(
                incident,
                f"more than {MOST_READ} records of one kind, or {MOST_SUBJECTS} accused: not all were looked at",
            )

    def _resolved(self, incident: Incident, seen: Iterable[Subject]) -> tuple[list[Subject], list[str]]:
        """Addresses and claims become pods and nodes; and what could not be asked."""
        who: list[Subject] = []
        failures: list[str] = []
        claimed: dict[Pod, list[str]] = {}
        for subject in seen:
            match subject:
                case Address():
                    who += self._at(incident, subject)
                case Claim(pod=pod, stream=stream):
                    claimed.setdefault(pod, []).append(stream)
                case _:
                    who.append(subject)
        for pod, streams in claimed.items():
            try:
                who += self._claimed(incident, pod, streams)
            except _FAILURES as error:
                failures.append(f"node of {pod}: {type(error).__name__}")
        return list(dict.fromkeys(who)), failures

    def _claimed(self, incident: Incident, pod: Pod, streams: list[str]) -> list[Subject]:
        """The pod, if it runs on a node in whose stream it is accused. One that is gone costs no act of the hour."""
        found = cast("dict[str, object]", self._inside("node_of", namespace=pod.namespace, pod=pod.name))
        if not found["there"]:  # whoever was noticed when it was there is ended, and that is to be said
            return [pod] if self.ledger.done(incident.id, f"noticed {pod}") else []
        if any(stream.startswith(f"{incident.wire.streams}{found['node']}-") for stream in streams):
            return [pod]
        self._page_once(incident, f"{pod} is accused by a node that it is not on: forged? Nothing is done to it")
        return []

    def _at(self, incident: Incident, address: Address) -> list[Subject]:
        """Whose the address was: the pod; its node where several pods had it; else a person has to look."""
        held = holders(self.clients.logs, self.config, address)
        nodes = {holder.node for holder in held}
        if len(held) == 1 and held[0].pod:
            return [held[0].pod]
        if len(nodes) == 1:
            return [Node(name=node) for node in nodes]
        if not held:
            return self._node_now(incident, address)
        self._page_once(incident, f"{address} was of several nodes at about that time")
        return []

    def _node_now(self, incident: Incident, address: Address) -> list[Subject]:
        """Who has the address now, if the interface was attached before the record: else it was somebody else's."""
        answer = self.clients.ec2.describe_network_interfaces(
            Filters=[{"Name": "addresses.private-ip-address", "Values": [address.ip]}]
        )
        attached = [each.get("Attachment", {}) for each in answer["NetworkInterfaces"]]
        nodes = [(one.get("InstanceId"), one.get("AttachTime")) for one in attached]
        if any(node and (since is None or since.timestamp() > address.at) for node, since in nodes):
            self._page_once(incident, f"{address} was somebody else's then: its machine of now came later")
            return []
        return [Node(instance=node) for node, _ in nodes if node]

    def _keep_state(self, incident: Incident, who: list[Subject]) -> list[str]:
        """Evidence about each, before anything is changed; what cannot be read is said and does not stop quarantine."""
        failures: list[str] = []
        for subject in who:
            if self.ledger.done(incident.id, f"kept {subject}"):
                continue
            try:
                match subject:
                    case Pod():
                        state: object = self._inside("evidence", namespace=subject.namespace, pod=subject.name)
                    case Node():
                        state = self.acts.state(subject)
                    case _:
                        continue
                name = _NOT_PLAIN.sub("-", str(subject))
                self.ledger.keep(incident.id, name, {"subject": str(subject), "state": state})
                self.ledger.finish(incident.id, f"kept {subject}")
            except _FAILURES as error:
                failures.append(f"evidence of {subject}: {type(error).__name__}")
        return failures

    def _take(self, incident: Incident, step: Step, key: str, looked: float) -> list[str]:
        """One step, recorded before and after. What failed is returned, not raised: the others are still done.

        A step takes one action from the limit, however often it is tried: what fails for an hour is not given up.
        """
        entry = {"incident": incident.id, "act": step.act, "subject": str(step.subject)}
        try:
            if self.config.dry_run:
                self.ledger.append({"kind": "dry run", **entry})
                self.ledger.finish(incident.id, key)
                return []
            counted = f"counted {key}"
            if not self.ledger.done(incident.id, counted) and not self.ledger.within_limit(
                self.config.actions_per_hour, step.name
            ):
                self.ledger.append({"kind": "limit", **entry})
                self._page_once(incident, f"{self.config.actions_per_hour} actions an hour are spent: no more is done")
                self.ledger.finish(incident.id, key)
                return []
            self.ledger.finish(incident.id, counted)
            self.ledger.append({"kind": "action", **entry})
            self._do(step, incident.id)
            if self._released(owner(step.subject)) >= looked:  # it had opened already what this closed again
                self.acts.undo(step)
                self.ledger.append({"kind": "outcome", "outcome": "undone", **entry})
                return [f"{step.name}: released meanwhile"]
            self.ledger.append({"kind": "outcome", "outcome": "done", **entry})
            self.ledger.finish(incident.id, key)
        except RefusedError as refusal:
            self.ledger.append({"kind": "outcome", "outcome": "refused", "why": str(refusal), **entry})
            self._page_once(incident, f"{step.name}: {refusal}")
            self.ledger.finish(incident.id, key)
        except _FAILURES as error:
            why = type(error).__name__
            self._say_once(incident, {"kind": "outcome", "outcome": "failed", "why": why, **entry})
            return [f"{step.name}: {why}"]
        return []

    def _do(self, step: Step, incident: str) -> None:
        match step.subject:
            case Pod(namespace=namespace, name=name):
                self._inside("delete_pod", namespace=namespace, pod=name, incident=incident)
            case Node() if step.act == "cordon":
                instance = self.acts.instance(step.subject)
                self._inside("cordon", node=instance.get("PrivateDnsName", ""))
            case Node() | Tenant():
                act = cast("Callable[[Subject, str], None]", getattr(self.acts, step.act))
                act(step.subject, incident)
            case Address() | Claim():
                raise RefusedError(f"{step.subject}: not known whose")

    def _release(self, event: Mapping[str, object]) -> dict[str, object]:
        """What quarantine closed for a tenant is opened again; who asked and why is recorded first.

        The Pod Identity association is not made again here: that would take the right to pass the agent's role on.
        """
        tenant, by, why = (str(event.get(key) or "").strip() for key in ("release", "by", "why"))
        if tenant not in self.config.tenants:
            known = ", ".join(sorted(self.config.tenants))
            raise RefusedError(f"{tenant[:63]!r} is no tenant here: use one of {known}")
        if not by or not why or max(len(by), len(why)) > _LONGEST_WORDS:
            raise RefusedError(f"release of {tenant}: say who (by) and why, in up to {_LONGEST_WORDS} characters each")
        said = {"subject": str(Tenant(tenant)), "by": by, "why": why}
        self.ledger.append({"kind": "release", **said})
        self.ledger.release(tenant)
        self.acts.restore_sessions(Tenant(tenant))
        self.acts.open_door(Tenant(tenant))
        number = self.ledger.append({"kind": "outcome", "act": "release", "outcome": "done", **said})
        associated = self.acts.associated(Tenant(tenant))
        return {"released": tenant, "record": number, "associated": associated}

    def _inside(self, op: str, **arguments: str) -> object:
        answer = self.clients.functions.invoke(
            FunctionName=self.config.inside, Payload=json.dumps({"op": op, **arguments}).encode()
        )
        body: object = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise InsideError(f"{op}: {str(body)[:200]}")
        return body

    def _page_once(self, incident: Incident, what: str) -> None:
        """To people, by the topic; the same thing once an incident."""
        if self.ledger.done(incident.id, f"paged {what}"):
            return
        text = f"Quarantine of {incident.alarm} needs a person. {what}. Incident {incident.id}."
        self.clients.sns.publish(
            TopicArn=self.config.topic, Subject="Sequester: quarantine needs a person", Message=text
        )
        self.ledger.finish(incident.id, f"paged {what}")

    def _say_once(self, incident: Incident, entry: Mapping[str, str]) -> None:
        """A failure into the chain and to people, or to the function's own log where even that fails."""
        key = f"said {entry['act']} {entry['subject']} {entry['why']}"
        try:
            if not self.ledger.done(incident.id, key):
                self.ledger.append(entry)
                self._page_once(incident, f"{entry['act']} {entry['subject']}: failed ({entry['why']}), tried again")
                self.ledger.finish(incident.id, key)
        except _FAILURES:
            print(json.dumps(entry), flush=True)


def compose(config: Config, clients: Clients, quarantine_group: str) -> Responder:
    return Responder(
        config,
        clients,
        AwsActs(config, clients, quarantine_group),
        Ledger(clients.s3, clients.dynamodb, config.bucket, config.table),
    )


def handler(event: Mapping[str, object], context: object) -> dict[str, object]:
    """Where Lambda starts."""
    config = load()
    return compose(config, Clients(config.region), os.environ["QUARANTINE_GROUP"]).handle(event)
