"""What a door runs, reads and keeps: the plan's code, its own tenant's settings, records that nobody can undo (E7)."""

import json
from collections.abc import Iterator, Mapping

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.facts import BadFactError, items, mapping
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import statements
from sequester.proof.iam.request import Caller, Region, covers
from sequester.proof.model import Bucket, Function, Model
from sequester.proof.verdict import Hop, Request, Witness

# Variables that change what code runs, whom it trusts or where it connects.
_CHANGES_CODE = frozenset(
    {
        "ALL_PROXY", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_LAMBDA_EXEC_WRAPPER", "CURL_CA_BUNDLE", "HOSTALIASES",
        "HTTPS_PROXY", "HTTP_PROXY", "JAVA_TOOL_OPTIONS", "LD_LIBRARY_PATH", "LD_PRELOAD", "NODE_EXTRA_CA_CERTS",
        "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED", "OPENSSL_CONF", "PYTHONHOME", "PYTHONHTTPSVERIFY",
        "PYTHONPATH", "PYTHONSTARTUP", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE",
    }
)  # fmt: skip
# What two doors must not have in common.
_OWN = ("DOOR_TENANT", "DOOR_CONFIG_KEY")
_NEVER = ("s3:DeleteObject", "s3:DeleteObjectVersion")


def keeps(model: Model, doors: list[Function]) -> Iterator[Finding]:
    for one in doors:
        yield from _code(model, one)
        yield from _variables(one)
        yield from _settings(model, one)
        yield from _records(model, one)
    yield from _apart(doors)


def _code(model: Model, one: Function) -> Iterator[Finding]:
    for layer in one.layers:
        account = layer.split(":")[4] if layer.count(":") > 4 else ""
        if account != model.account:
            yield _way(one, f"runs code of account {account} (a layer)", layer, "remove the layer")
        else:
            yield f"{one.name}: what the layer {layer} puts into its code is not in the plan"
    if one.code.startswith("s3://"):
        bucket = one.code[5:].partition("/")[0]
        if not one.signed and bucket not in model.buckets:
            yield f"{one.name}: its code comes from {one.code}, unsigned, and is not in the plan"
    elif one.code:
        yield f"{one.name}: its code is the image {one.code}, which is not in the plan"
    if one.mounts:
        yield f"{one.name}: what lies on the file system it mounts is not in the plan"
    for alias in one.stale:
        yield f"{one.name}: the alias {alias} stays at another version, whose code and settings are not in the plan"
    for alias in one.routed:
        yield f"{one.name}: the alias {alias} sends part of its calls to another version, whose code is not in the plan"


def _variables(one: Function) -> Iterator[Finding]:
    for name, value in one.environment:
        if name.upper() in _CHANGES_CODE or name.upper().startswith("AWS_ENDPOINT_URL"):
            yield _way(one, f"runs or trusts what {name} says", f"environment {name}: {value[:40]}", f"remove {name}")


def _settings(model: Model, one: Function) -> Iterator[Finding]:
    """The allowlist that it reads: its own tenant's, with hosts written out or below a name of somebody's own."""
    name = one.variable("DOOR_CONFIG_BUCKET")
    store = model.buckets.get(name)
    if store is None:
        yield f"{one.name}: the bucket of its settings ({name or 'none is named'}) is not in the facts"
        return
    text = dict(store.objects).get(one.variable("DOOR_CONFIG_KEY"))
    if not text:
        yield f"{one.name}: its settings {one.variable('DOOR_CONFIG_KEY')} are not in the facts"
        return
    try:
        said = mapping(json.loads(text), f"{one.name} settings")
    except ValueError as error:
        raise BadFactError(f"{one.name}: its settings are not JSON") from error
    if said.get("tenant") != one.variable("DOOR_TENANT"):
        yield _way(
            one, f"goes by the settings of tenant {said.get('tenant')}", "DOOR_CONFIG_KEY", "name its own settings"
        )
    hosts = [str(mapping(raw, one.name).get("host")) for raw in items(said.get("allow"), f"{one.name} allow")]
    for host in hosts:
        if host.startswith("*") and "." not in host.removeprefix("*").strip("."):
            yield _way(one, f"fetches from {host}", f"its settings allow {host}", "write hosts out")
            return
    yield Obligation(one.name, f"its settings allow {len(hosts)} rules, each for hosts below a name of somebody's own")


def _records(model: Model, one: Function) -> Iterator[Finding]:
    name = one.variable("DOOR_AUDIT_BUCKET")
    store = model.buckets.get(name)
    if store is None:
        yield f"{one.name}: the bucket of its records ({name or 'none is named'}) is not in the facts"
        return
    if not store.versioned or not store.locked:
        lacks = "keeps no versions" if not store.versioned else "has no Object Lock with a default retention"
        yield _way(one, "keeps records that can be undone", f"{name} {lacks}", f"lock {name}, and keep its versions")
        return
    open_ = [action for action in _NEVER if not _denied(model, store, action, {})]
    # A put that does not say that nothing may be there yet replaces what is there.
    open_ += (
        [] if _denied(model, store, "s3:PutObject", {"s3:if-none-match": Value(None)}) else ["s3:PutObject (again)"]
    )
    if open_:
        yield _way(one, "keeps records that can be undone", f"nothing denies {open_[0]} on {name}",
                   f"deny {open_[0]} in the policy of {name}")  # fmt: skip
    else:
        yield Obligation(one.name, f"its records in {name} are written once, versioned and locked")


def _denied(model: Model, store: Bucket, action: str, known: Mapping[str, Value]) -> bool:
    caller = Caller(model.account, f"arn:aws:iam::{model.account}:role/*")
    context = {"aws:principalaccount": Value(model.account), "aws:securetransport": Value("true"), **known}
    region = Region(action, f"arn:aws:s3:::{store.name}/*", context, caller)
    return any(
        not s.allow and covers(s, region) is Truth.TRUE
        for p in model.resource_policies
        if p.resource == store.name
        for s in statements(p.document, p.name)
    )


def _apart(doors: list[Function]) -> Iterator[Finding]:
    """A door belongs to one tenant by its own function, role and settings."""
    seen: dict[tuple[str, str], Function] = {}
    for one in doors:
        for key, value in (*((key, one.variable(key)) for key in _OWN), ("role", one.role)):
            other = seen.setdefault((key, value), one)
            if value and other is not one:
                yield _way(one, f"is of the same tenant as {other.name}", f"{key}: {value}", f"give it its own {key}")
    runs = {one.runs for one in doors}
    if len(runs) > 1:
        yield f"doors run different code: {', '.join(sorted(runs))}"


def _way(one: Function, what: str, how: str, mend: str) -> Witness:
    return Witness(
        f"{one.name} {what}", (Hop(one.name, how),), f"{one.name}: {mend}", request=Request(one.role, "fetch", one.arn)
    )
