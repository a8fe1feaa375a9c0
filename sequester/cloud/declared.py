"""What moto lacks: records that are made, shown, listed, changed and dropped by AWS's own operations, and kept here.

botocore validates each call before it comes here (see `hooks`), and shapes the answer; nothing acts on the records.
Beside them the store keeps members that moto drops of things which it does have, to be put back in its answers.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import Any, Protocol, TypeAlias

from sequester.cloud.shapes import fill
from sequester.cloud.shelves import OPERATIONS, Shelf

Record: TypeAlias = dict[str, Any]


class RecordError(Exception):
    """An operation that AWS would refuse: the record exists already, or does not exist."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Store(Protocol):
    """Where the records are: in this process, or beside moto in the server's."""

    def operate(self, service: str, operation: str, parameters: Record, scope: Mapping[str, str]) -> list[Record]:
        """Do an operation; returns the records that it is about. Raises `RecordError`."""
        ...

    def keep(self, thing: str, identity: str, members: Record) -> None:
        """Keep members that moto drops of a thing of its own."""
        ...

    def kept(self, thing: str, identity: str) -> Record:
        """What is kept of a thing."""
        ...

    def held(self) -> list[str]:
        """A line for every record that is there."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class Memory:
    """The store in this process; safe for threads."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._members: dict[tuple[str, str], Record] = {}
        self._lock = Lock()

    def operate(self, service: str, operation: str, parameters: Record, scope: Mapping[str, str]) -> list[Record]:
        shelf, verb = OPERATIONS[service, operation]
        asked = {shelf.by.get(name, name): value for name, value in parameters.items()}
        with self._lock:
            records = self._records.setdefault(f"{service}:{shelf.record}", {})
            match verb:
                case "make" | "put":
                    return [_put(shelf, records, asked, scope, may_exist=verb == "put")]
                case "list":
                    return _listed(shelf, records, asked)
                case _:
                    return [_found(shelf, records, asked, verb)]

    def keep(self, thing: str, identity: str, members: Record) -> None:
        with self._lock:
            self._members[thing, identity] = self._members.get((thing, identity), {}) | members

    def kept(self, thing: str, identity: str) -> Record:
        with self._lock:
            return dict(self._members.get((thing, identity), {}))

    def held(self) -> list[str]:
        with self._lock:
            return sorted(f"{shelf} {key}" for shelf, records in self._records.items() for key in records)

    def clear(self) -> None:
        with self._lock:
            self._records.clear()
            self._members.clear()


def _key(shelf: Shelf, record: Record) -> str:
    return json.dumps([record.get(name) for name in shelf.key])


def _put(
    shelf: Shelf, records: dict[str, Record], asked: Record, scope: Mapping[str, str], *, may_exist: bool
) -> Record:
    old = records.get(_key(shelf, asked)) if all(name in asked for name in shelf.key) else None
    if old is not None and not may_exist:
        raise RecordError("ResourceInUseException", f"the {shelf.record} {_key(shelf, asked)} exists already")
    if old is not None:
        old |= asked
        return dict(old)
    seed = json.dumps([shelf.record, asked, len(records)], sort_keys=True, default=str)
    state = {**scope, **asked, "hex": sha256(seed.encode()).hexdigest()[:17]}
    made: Record = {name: fill(template, state) for name, template in shelf.makes.items()}
    record = made | asked
    records[_key(shelf, record)] = record
    return dict(record)


def _listed(shelf: Shelf, records: dict[str, Record], asked: Record) -> list[Record]:
    plurals = {f"{name}s": name for name in shelf.key}  # ExclusionIds
    found = list(records.values())
    for name, value in asked.items():
        if name in plurals:
            found = [r for r in found if r.get(plurals[name]) in value]
        elif isinstance(value, str) and name not in ("MaxResults", "NextToken", "maxResults", "nextToken"):
            found = [r for r in found if r.get(name) == value]
    return [dict(record) for record in found]


def _found(shelf: Shelf, records: dict[str, Record], asked: Record, verb: str) -> Record:
    key = _key(shelf, asked)
    if key not in records:
        raise RecordError("ResourceNotFoundException", f"there is no {shelf.record} {key}")
    record = records[key]
    if verb == "drop":
        del records[key]
    elif verb == "change":
        if "Domains" in asked:  # UpdateFirewallDomains: Operation is ADD, REMOVE or REPLACE
            asked = dict(asked) | {"Domains": _domains(record["Domains"], asked)}
            asked["DomainCount"] = len(asked["Domains"])
        record |= {name: value for name, value in asked.items() if name != "Operation"}
    return dict(record)


def _domains(held: list[str], asked: Record) -> list[str]:
    match asked.get("Operation"):
        case "ADD":
            return [*held, *(domain for domain in asked["Domains"] if domain not in held)]
        case "REMOVE":
            return [domain for domain in held if domain not in asked["Domains"]]
        case _:
            return list(asked["Domains"])
