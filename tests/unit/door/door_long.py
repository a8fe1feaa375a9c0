"""A megabyte each of what people send: written at run time, of the standard library and of made-up records."""

import base64
import difflib
import hashlib
import html
import json
import random
import sysconfig
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

MEGABYTE = 1_000_000


@cache
def modules() -> Mapping[str, str]:
    """Name → source, of two megabytes or so of the standard library."""
    found: dict[str, str] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        found[path.name] = path.read_text("utf-8")
        if sum(map(len, found.values())) > 2 * MEGABYTE:
            break
    return found


@cache
def words() -> list[str]:
    return sorted({word for source in modules().values() for word in source.split() if word.isalpha()})


def _python() -> str:
    return "".join(modules().values())


def _markdown() -> str:
    """A page of links, entities and code for each module."""
    return "".join(
        f"## {name}\n\nSee [the source](https://example.com/a%20b/{name}?at=1&line=2) &mdash; *{len(text)}* bytes, "
        f"<b>as is</b>:\n\n```python\n{text[:3000]}\n```\n\n> “It is what it is”, `x\\n`, 50%25.\n\n"
        for name, text in [*modules().items()] * 5
    )


def _diff() -> str:
    """What `git diff` would say of another standard library."""
    draw, out = random.Random(1), list[str]()
    for name, text in modules().items():
        before = text.splitlines(keepends=True)
        after = [line for line in before if draw.random() > 0.1]
        index = f"index {hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:10]}..0123456789 100644\n"
        out += [
            f"diff --git a/{name} b/{name}\n",
            index,
            *difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"),
        ]
    return "".join(out)


def _minified() -> str:
    draw = random.Random(2)
    return "".join(
        f"function f{n}(e,t){{var n=e.{draw.choice(words())};return n&&t<n.length?'{draw.choice(words())}\\n':"
        f'"<b>\\u00e9 "+t(n[{n}])+"</b>"}}'
        for n in range(MEGABYTE // 70)
    )


def _html() -> str:
    draw = random.Random(3)
    return "<!doctype html><html><body>" + "".join(
        f'<div class="c{n}" id="x"><a href="/p%20q?n={n}&amp;of=2">{" ".join(draw.choices(words(), k=12))}</a>'
        f"<p>&nbsp;caf&eacute; &#8217;s</p></div>\n"
        for n in range(MEGABYTE // 120)
    )


def _records(line: Callable[[random.Random, int], str]) -> str:
    draw = random.Random(4)
    return "".join(line(draw, n) + "\n" for n in range(MEGABYTE // 50))


def _json_line(draw: random.Random, n: int) -> str:
    trace = uuid.UUID(int=draw.getrandbits(128)).hex
    return json.dumps({"at": n, "level": "INFO", "text": " ".join(draw.choices(words(), k=9)), "trace": trace})


def _log_line(draw: random.Random, n: int) -> str:
    digest = hashlib.sha256(b"%d" % n).hexdigest()
    return f"2026-01-01 00:00:{n % 60:02} INFO [{uuid.UUID(int=draw.getrandbits(128))}] GET /v1/{digest} 200 0.{n} ms"


def _row(draw: random.Random, n: int) -> str:
    return f'{n},{draw.choice(words())},2026-01-{n % 28 + 1:02}T00:00:00Z,{draw.random():.6f},"{draw.choice(words())}"'


def _image() -> str:
    return json.dumps({"type": "image", "data": base64.b64encode(random.Random(5).randbytes(700_000)).decode()})


def _lock() -> str:
    hashes = [base64.b64encode(hashlib.sha512(b"%d" % n).digest()).decode() for n in range(MEGABYTE // 160)]
    return json.dumps(
        {
            f"node_modules/{words()[n % 1000]}-{n}": {"version": f"1.{n}", "integrity": f"sha512-{h}"}
            for n, h in enumerate(hashes)
        },
        indent=2,
    )


def _prose() -> str:
    some = ["l’été", "où", "naïve", "garçon", "déjà", "«vu»", "élève", "œuvre", "50\xa0%", "—", "…", "maïs", "à"]
    return " ".join(random.Random(6).choices(some, k=MEGABYTE // 6))


LONG: Mapping[str, tuple[str, Callable[[], str]]] = {
    "Python": ("text/plain", _python),
    "Python in JSON": ("application/json", lambda: json.dumps({"files": modules()})),
    "Python in HTML": ("text/html", lambda: f"<pre>{html.escape(_python())}</pre>"),
    "Markdown": ("text/markdown", _markdown),
    "a diff": ("text/plain", _diff),
    "minified JavaScript": ("text/plain", _minified),
    "HTML": ("text/html", _html),
    "HTML in JSON": ("application/json", lambda: json.dumps({"page": _html()})),
    "CSV": ("text/csv", lambda: _records(_row)),
    "JSON lines": ("application/json", lambda: _records(_json_line)),
    "a log of hashes and UUIDs": ("text/plain", lambda: _records(_log_line)),
    "an image in JSON": ("application/json", _image),
    "a lock of packages": ("application/json", _lock),
    "French": ("text/plain", _prose),
}
"""Type, and what writes a body: the first MEGABYTE of it is sent."""
