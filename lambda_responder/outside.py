"""The function outside the VPC: alarm in, evidence kept, steps done, each recorded before and after; and release.

It has no network of ours and speaks to AWS only. What concerns Kubernetes it asks of `inside`.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from .aws_acts import AwsActs, Clients, RefusedError
from .config import Config, load
from .incident import Incident, alarm_names, confirmed
from .ledger import ChainBusyError, Ledger
from .logs import pods_at, records
from .plan import Step, lower, steps
from .subject import Address, Node, Pod, Subject, Tenant, subjects

_ALL: Final = "all"
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

    def handle(self, event: Mapping[str, object]) -> dict[str, object]:
        """An SNS event, or `{"release": tenant, "by": who}` from a person who may invoke the function."""
        if "release" in event:
            return self._release(str(event["release"]), str(event.get("by", "")))
        handled: list[str] = []
        for name in dict.fromkeys(alarm_names(event, self.config.topic)):
            incident = confirmed(self.clients.cloudwatch, self.config, name)
            if incident is None:
                continue
            if not self.ledger.done(incident.id, _ALL):
                self._respond(incident)
                self.ledger.finish(incident.id, _ALL)
            handled.append(incident.id)
        return {"incidents": handled}

    def _respond(self, incident: Incident) -> None:
        found = records(self.clients.logs, incident)
        self.ledger.keep(incident.id, "records", [asdict(record) for record in found])
        seen = subjects(self.config, incident.wire.sensor, incident.wire.tenant, found)
        who = self._resolved(seen)
        failures = self._keep_state(incident, who)
        level = lower(self.config.level, incident.wire.response)
        if not self.ledger.done(incident.id, "noticed"):
            entry = {"kind": "incident", "incident": incident.id, "alarm": incident.alarm, "level": level}
            self.ledger.append({**entry, "subjects": [str(each) for each in who], "records": len(found)})
            self.ledger.finish(incident.id, "noticed")
        for step in steps(level, who):
            if not self.ledger.done(incident.id, step.name):
                failures += self._take(incident, step)
        if failures:
            raise UnfinishedError(f"{incident.alarm} {incident.id}: {'; '.join(failures)}")

    def _resolved(self, seen: list[Subject]) -> list[Subject]:
        """Addresses become pods; where two pods may have had one, their node is what is left, and a person is told."""
        who: list[Subject] = []
        for subject in seen:
            if not isinstance(subject, Address):
                who.append(subject)
                continue
            pods = pods_at(self.clients.logs, self.config, subject)
            if len(pods) == 1:
                who += pods
                continue
            who += self._node_at(subject)
        return list(dict.fromkeys(who))

    def _node_at(self, address: Address) -> list[Subject]:
        answer = self.clients.ec2.describe_network_interfaces(
            Filters=[{"Name": "addresses.private-ip-address", "Values": [address.ip]}]
        )
        found = [each.get("Attachment", {}).get("InstanceId") for each in answer["NetworkInterfaces"]]
        return [Node(instance=instance) for instance in found if instance]

    def _keep_state(self, incident: Incident, who: list[Subject]) -> list[str]:
        """Evidence about each, before anything is changed; what cannot be read is said and does not stop quarantine."""
        failures: list[str] = []
        for number, subject in enumerate(who):
            try:
                match subject:
                    case Pod():
                        state: object = self._inside("evidence", namespace=subject.namespace, pod=subject.name)
                    case Node():
                        state = self.acts.state(subject)
                    case _:
                        continue
                self.ledger.keep(incident.id, f"subject-{number}", {"subject": str(subject), "state": state})
            except _FAILURES as error:
                failures.append(f"evidence of {subject}: {type(error).__name__}")
        return failures

    def _take(self, incident: Incident, step: Step) -> list[str]:
        """One step, recorded before and after. What failed is returned, not raised: the others are still done."""
        entry = {"incident": incident.id, "act": step.act, "subject": str(step.subject)}
        try:
            if self.config.dry_run:
                self.ledger.append({"kind": "dry run", **entry})
                self.ledger.finish(incident.id, step.name)
                return []
            if not self.ledger.within_limit(self.config.actions_per_hour):
                self.ledger.append({"kind": "limit", **entry})
                self._page(incident, f"{step.name}: not done, {self.config.actions_per_hour} actions an hour are spent")
                self.ledger.finish(incident.id, step.name)
                return []
            self.ledger.append({"kind": "action", **entry})
            self._do(step, incident.id)
            self.ledger.append({"kind": "outcome", "outcome": "done", **entry})
            self.ledger.finish(incident.id, step.name)
        except RefusedError as refusal:
            self.ledger.append({"kind": "outcome", "outcome": "refused", "why": str(refusal), **entry})
            self._page(incident, f"{step.name}: {refusal}")
            self.ledger.finish(incident.id, step.name)
        except _FAILURES as error:
            why = type(error).__name__
            self._say({"kind": "outcome", "outcome": "failed", "why": why, **entry})
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
            case Address():
                raise RefusedError(f"{step.subject}: nobody's address")

    def _release(self, tenant: str, by: str) -> dict[str, object]:
        """What quarantine closed for a tenant is opened again. The association comes back by `pulumi up`."""
        if tenant not in self.config.tenants:
            raise RefusedError(f"{tenant!r} is no tenant here: use one of {', '.join(sorted(self.config.tenants))}")
        self.ledger.append({"kind": "release", "subject": str(Tenant(tenant)), "by": by})
        self.acts.open_door(Tenant(tenant))
        self.acts.restore_sessions(Tenant(tenant))
        self.ledger.append({"kind": "outcome", "outcome": "released", "subject": str(Tenant(tenant)), "by": by})
        return {"released": tenant}

    def _inside(self, op: str, **arguments: str) -> object:
        answer = self.clients.functions.invoke(
            FunctionName=self.config.inside, Payload=json.dumps({"op": op, **arguments}).encode()
        )
        body: object = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise InsideError(f"{op}: {str(body)[:200]}")
        return body

    def _page(self, incident: Incident, what: str) -> None:
        text = f"Quarantine of {incident.alarm} needs a person. {what}. Incident {incident.id}."
        self.clients.sns.publish(
            TopicArn=self.config.topic, Subject="Sequester: quarantine needs a person", Message=text
        )

    def _say(self, entry: Mapping[str, object]) -> None:
        """To the chain, and to the function's own log where even that fails."""
        try:
            self.ledger.append(entry)
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
