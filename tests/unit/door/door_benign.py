"""Requests as real APIs have them, which must pass: shapes from public documentation, with made-up values."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from door_shapes import SHAPES

JSON = {"content-type": "application/json", "accept": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
SHA = hashlib.sha1(b"commit", usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(b"layer").hexdigest()
UUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


@dataclass(frozen=True)
class Benign:
    name: str
    method: str
    target: str
    """Path and query, as the upstream must see them."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def _get(name: str, target: str, **headers: str) -> Benign:
    return Benign(name, "GET", target, {key.replace("_", "-"): value for key, value in headers.items()})


def _json(name: str, target: str, value: object, method: str = "POST") -> Benign:
    return Benign(name, method, target, JSON, json.dumps(value).encode())


def _multipart(parts: Mapping[str, bytes]) -> bytes:
    head = b'--frontier\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    return b"".join(head % (name.encode(), content) for name, content in parts.items()) + b"--frontier--\r\n"


PROSE = (
    "The quick brown fox jumps over the lazy dog. When in the course of human events it becomes necessary to test an "
    "inspection, ordinary sentences must pass whatever their length, punctuation; or (parentheses). "
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M10 10 H 90 V 90 H 10 L 10 10'/></svg>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64)) * 20
TREE = [{"path": f"src/module_{i}.py", "mode": "100644", "type": "blob", "sha": SHA} for i in range(50)]
NOTEBOOK = {"cells": [{"cell_type": "code", "source": ["import os\n", "print(os.getcwd())\n"]}], "nbformat": 4}
VECTOR = [round(0.001 * i - 0.37, 6) for i in range(768)]

BENIGN: Sequence[Benign] = (
    *(
        Benign(f"shape: {name}", "POST", "/repos/o/r/issues", {"content-type": kind}, write(PROSE[:96]).encode())
        for name, (kind, write) in SHAPES.items()
    ),
    _get("a semicolon in a value", "/search?q=one%3Btwo"),
    Benign(
        "emoji", "POST", "/notes", {"content-type": "text/plain"}, "Done \u2714\ufe0f, thank you \u2764\ufe0f".encode()
    ),
    _json(
        "GitHub: hashes of a file",
        "/repos/o/r/issues",
        {"sha512": hashlib.sha512(b"file").hexdigest(), "sha256": SHA256},
    ),
    _get("GitHub: repository", "/repos/python/cpython", accept="application/vnd.github+json"),
    _get("GitHub: issues, filtered", "/repos/python/cpython/issues?state=open&labels=bug,3.13&per_page=100&page=2"),
    _get("GitHub: search", "/search/code?q=addClass+in:file+language:js+repo:jquery/jquery"),
    _get("GitHub: commit", f"/repos/python/cpython/commits/{SHA}"),
    _get("GitHub: compare", "/repos/python/cpython/compare/v3.12.0...v3.13.0"),
    _get("GitHub: contents at a branch", "/repos/python/cpython/contents/Lib/ssl.py?ref=feature%2Ftls"),
    _json("GitHub: open an issue", "/repos/o/r/issues", {"title": "Found a bug", "body": PROSE, "labels": ["bug"]}),
    _json("GitHub: make a tree", "/repos/o/r/git/trees", {"base_tree": SHA, "tree": TREE}),
    _json(
        "GitHub: blob",
        "/repos/o/r/git/blobs",
        {"content": base64.b64encode(PROSE.encode()).decode(), "encoding": "base64"},
    ),
    _json(
        "GitHub: GraphQL",
        "/graphql",
        {"query": "query($n:Int!){viewer{repositories(first:$n){nodes{name}}}}", "variables": {"n": 3}},
    ),
    _get("conditional", "/repos/o/r", if_none_match=f'W/"{SHA256}"', if_modified_since="Wed, 21 Oct 2015 07:28:00 GMT"),
    _get("PyPI: project", "/pypi/requests/json"),
    _get("PyPI: simple index", "/simple/requests/", accept="application/vnd.pypi.simple.v1+json"),
    _get("PyPI: file", f"/packages/{SHA256[:2]}/{SHA256[2:4]}/{SHA256[4:]}/requests-2.32.3-py3-none-any.whl"),
    _get("npm: package", "/lodash/4.17.21"),
    _get("npm: search", "/-/v1/search?text=keywords:backend&size=20&from=0"),
    _get("crates: versions", "/api/v1/crates/serde/versions"),
    _get("Go proxy", "/golang.org/x/net/@v/v0.30.0.info"),
    _get("Maven", "/maven2/org/slf4j/slf4j-api/2.0.16/slf4j-api-2.0.16.pom"),
    _get(
        "Docker: manifest",
        f"/v2/library/python/manifests/sha256:{SHA256}",
        accept="application/vnd.oci.image.index.v1+json",
    ),
    _get("Docker: tags", "/v2/library/python/tags/list?n=50&last=3.12"),
    _get("Wikipedia: extract", "/w/api.php?action=query&format=json&prop=extracts&titles=Alan%20Turing&exintro=1"),
    _get("Wikipedia: non-ASCII title", "/wiki/Z%C3%BCrich"),
    _get("Wikidata: SPARQL", "/sparql?query=SELECT%20%3Fitem%20WHERE%20%7B%20%3Fitem%20wdt%3AP31%20wd%3AQ146%20%7D"),
    _get("arXiv: query", "/api/query?search_query=all:electron+AND+cat:quant-ph&start=0&max_results=10"),
    _get("Crossref: filter", "/works?filter=from-pub-date:2024-01,type:journal-article&rows=20"),
    _get("OpenStreetMap: geocode", "/search?q=221B+Baker+Street%2C+London&format=jsonv2&addressdetails=1"),
    _get(
        "weather: forecast",
        "/v1/forecast?latitude=52.52&longitude=13.41&hourly=temperature_2m,wind_speed_10m&timezone=Europe%2FBerlin",
    ),
    _get("currency: rates", "/latest?base=EUR&symbols=USD,GBP,JPY"),
    _get("time range", "/query_range?query=rate(http_requests_total%5B5m%5D)&start=2024-01-01T00:00:00Z&step=15s"),
    _get("signed page token", "/v3/items?pageToken=CAUQAA&maxResults=50&part=snippet,contentDetails"),
    _get("cursor", "/items?cursor=eyJpZCI6MTIzNDUsImRpciI6Im5leHQifQ%3D%3D&limit=50"),
    _get("range", "/data/big.csv", range="bytes=0-65535"),
    _get(
        "languages",
        "/page",
        accept_language="de-CH,de;q=0.9,en;q=0.8",
        user_agent="agent/1.0 (+https://example.com/bot)",
    ),
    _get("trace headers", "/page", traceparent=f"00-{SHA256[:32]}-{SHA256[:16]}-01", x_request_id=UUID),
    _get("matrix parameters", "/map/layer;z=3;x=4/tile.png"),
    _get("at sign and colon in a path", "/users/@octocat/tags:latest"),
    _get("tilde and star", "/~user/files/*"),
    _get("deep path", "/a/b/c/d/e/f/g/h/i/j/k/l/m"),
    _get("trailing slash", "/collection/"),
    _get("root", "/"),
    _get("file name with dots", "/releases/v1.2.3/app-1.2.3.tar.gz"),
    _get("hidden file", "/raw/.github/workflows/test.yml"),
    _get("percent sign", "/search?q=100%25%20cotton"),
    _get("empty value and bare key", "/search?q=&exact"),
    _get("array parameters", "/search?ids[]=1&ids[]=2&filter[status]=open"),
    _get("repeated key", "/search?tag=a&tag=b&tag=c"),
    _json(
        "chat completion",
        "/v1/chat/completions",
        {"model": "m-1", "messages": [{"role": "user", "content": PROSE * 20}]},
    ),
    _json("embedding", "/v1/embeddings", {"model": "m-1", "input": [PROSE, PROSE.upper()]}),
    _json(
        "vectors", "/collections/docs/points", {"points": [{"id": UUID, "vector": VECTOR, "payload": {"n": 1}}]}, "PUT"
    ),
    _json(
        "message with an image",
        "/v1/messages",
        {"content": [{"type": "image", "data": base64.b64encode(PNG).decode()}]},
    ),
    _json(
        "Elasticsearch",
        "/logs-*/_search",
        {"query": {"bool": {"must": [{"match": {"message": "timeout"}}]}}, "size": 50},
    ),
    _json(
        "Slack-like message",
        "/api/chat.postMessage",
        {"channel": "C024BE91L", "blocks": [{"type": "section", "text": PROSE}]},
    ),
    _json(
        "Jira-like issue",
        "/rest/api/3/issue",
        {"fields": {"project": {"key": "ABC"}, "summary": "It breaks", "labels": ["x"]}},
    ),
    _json(
        "payment intent, shape only",
        "/v1/payment_intents",
        {"amount": 2000, "currency": "eur", "metadata": {"order": UUID}},
    ),
    _json(
        "webhook event",
        "/hooks/push",
        {"ref": "refs/heads/main", "before": SHA, "after": SHA[::-1], "pusher": {"name": "a"}},
    ),
    _json("telemetry", "/v1/traces", {"resourceSpans": [{"spans": [{"traceId": SHA256[:32], "spanId": SHA[:16]}]}]}),
    _json("notebook", "/api/contents/a.ipynb", NOTEBOOK, "PUT"),
    _json(
        "emoji and CJK",
        "/notes",
        {"text": "\u6771\u4eac \U0001f600 na\u00efve caf\u00e9 \u2014 \u041f\u0440\u0438\u0432\u0435\u0442"},
    ),
    _json("JSON patch", "/items/1", [{"op": "replace", "path": "/name", "value": "new"}], "PATCH"),
    _json(
        "package lock",
        "/audits",
        {"lodash": {"integrity": "sha512-" + base64.b64encode(hashlib.sha512(b"x").digest()).decode()}},
    ),
    _json(
        "public key", "/keys", {"key": "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519" + bytes(36)).decode()}
    ),
    _json("stack trace", "/errors", {"trace": 'File "/usr/lib/python3.11/ssl.py", line 1379, in do_handshake\n' * 30}),
    Benign("form", "POST", "/login", FORM, b"name=Jane+Doe&city=Z%C3%BCrich&agree=on"),
    Benign(
        "multipart",
        "POST",
        "/upload",
        {"content-type": "multipart/form-data; boundary=frontier"},
        _multipart({"title": b"x", "file": SVG}),
    ),
    Benign(
        "CSV",
        "POST",
        "/import",
        {"content-type": "text/csv"},
        b"id,name,score\n" + b"".join(b"%d,name-%d,0.%d\n" % (i, i, i) for i in range(500)),
    ),
    Benign(
        "XML",
        "POST",
        "/soap",
        {"content-type": "application/xml"},
        b"<?xml version='1.0'?><a><b c='1'>text &amp; more</b></a>",
    ),
    Benign(
        "gzipped JSON", "POST", "/bulk", {**JSON, "content-encoding": "gzip"}, gzip.compress(json.dumps(TREE).encode())
    ),
    Benign(
        "Markdown",
        "POST",
        "/render",
        {"content-type": "text/markdown"},
        b"# Title\n\n```python\nprint('x' * 40)\n```\n" * 20,
    ),
    Benign(
        "source code",
        "PUT",
        "/files/x.py",
        {"content-type": "text/plain"},
        (PROSE * 5 + "\ndef f(a: int) -> int:\n    return a << 2\n").encode(),
    ),
    Benign("small image", "PUT", "/files/x.png", {"content-type": "image/png"}, PNG),
    Benign("delete", "DELETE", "/items/1", {}),
    Benign("head", "HEAD", "/items/1", {}),
)
