"""The report in a real browser: it renders, asks for nothing, logs no error, prints, and is accessible."""

import base64
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import axe_core_python
import pytest

from sequester.report.document import Report
from sequester.report.page import page

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "docs")]
_PICTURES = _HERE.parents[1] / "out" / "report"
_LOADS_SECONDS = 60

pytestmark = [pytest.mark.lane("browser", "chromium"), pytest.mark.xdist_group("report-browser")]


class Seen(NamedTuple):
    """What one visit came to."""

    requests: list[str]
    errors: list[str]
    title: str
    pictures: dict[str, bytes]
    pdf: bytes
    axe: list[str]
    widths: tuple[int, int]


def look(browser: Any, path: Path) -> Seen:
    window = browser.open()
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.call(f"{domain}.enable", window)
    browser.events.clear()
    browser.visit(window, path.as_uri())
    wait(browser, window)
    pictures: dict[str, bytes] = {}
    axe: list[str] = []
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", window, features=[{"name": "prefers-color-scheme", "value": scheme}])
        pictures[scheme] = browser.picture(window)
        axe += [f"{scheme}: {line}" for line in violations(browser, window)]
    browser.call("Emulation.setDeviceMetricsOverride", window, width=390, height=800, deviceScaleFactor=1, mobile=True)
    widths = tuple(
        evaluate(browser, window, f"document.documentElement.{name}") for name in ("scrollWidth", "clientWidth")
    )
    pictures["phone"] = browser.picture(window)
    browser.call("Emulation.clearDeviceMetricsOverride", window)
    pdf = base64.b64decode(browser.call("Page.printToPDF", window, preferCSSPageSize=True)["data"])
    sent = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    errors = [str(e["params"]) for e in browser.events if is_error(e)]
    return Seen(sent, errors, str(evaluate(browser, window, "document.title")), pictures, pdf, axe, widths)  # type: ignore[arg-type]


def is_error(event: dict[str, Any]) -> bool:
    if event["method"] == "Log.entryAdded":
        return event["params"]["entry"]["level"] in ("error", "warning")
    return event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled")


def wait(browser: Any, window: str) -> None:
    deadline = time.monotonic() + _LOADS_SECONDS
    while evaluate(browser, window, "document.readyState + location.protocol") != "completefile:":
        assert time.monotonic() < deadline, "the page did not load"
        time.sleep(0.05)


def evaluate(browser: Any, window: str, expression: str) -> Any:
    told = browser.call("Runtime.evaluate", window, expression=expression, awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in told, told
    return told["result"].get("value")


def violations(browser: Any, window: str) -> list[str]:
    """What axe-core finds, WCAG 2.1 A and AA and its best practices."""
    source = Path(axe_core_python.__file__).with_name("axe.min.js").read_text()
    browser.call("Runtime.evaluate", window, expression=source)
    found = evaluate(browser, window, "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))")
    return [f"{name}: {nodes[:2]}" for name, nodes in found]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from chromium import Browser

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        made = Browser(profile, "https://unused.example")
        yield made
        made.close()


@pytest.fixture(scope="module")
def sample() -> Report:
    from sample_report import report  # pyright: ignore[reportMissingImports]

    return report()


@pytest.fixture(scope="module")
def seen(browser: Any, sample: Report, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(sample, "0" * 64))
    found = look(browser, path)
    _PICTURES.mkdir(parents=True, exist_ok=True)
    for name, picture in found.pictures.items():
        (_PICTURES / f"{name}.png").write_bytes(picture)
    (_PICTURES / "report.pdf").write_bytes(found.pdf)
    return found


def test_it_asks_for_nothing_but_itself(seen: Seen) -> None:
    assert [url for url in seen.requests if not url.endswith("/report.html")] == []
    assert len(seen.requests) == 1


def test_no_error_and_no_script(seen: Seen) -> None:
    assert seen.errors == []
    assert seen.title == "Evidence report: sequester"


def test_it_prints(seen: Seen) -> None:
    assert seen.pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", seen.pdf)) > 3


def test_it_is_accessible_in_light_and_dark(seen: Seen) -> None:
    assert seen.axe == []


def test_it_fits_a_phone(seen: Seen) -> None:
    scroll, client = seen.widths
    assert scroll <= client


def test_the_looks_are_of_something(seen: Seen) -> None:
    assert len(set(seen.pictures.values())) == 3
    assert all(len(picture) > 10_000 for picture in seen.pictures.values())


def test_what_is_asked_for_would_be_seen(browser: Any, tmp_path: Path) -> None:
    """The same eyes on a page that fetches, logs, lacks a caption and says nothing of its language."""
    path = tmp_path / "bad.html"
    path.write_text('<html><img src="missing.png"><p style="color:#ccc">faint</p><script>console.error("x")</script>')
    found = look(browser, path)
    assert [url for url in found.requests if url.endswith("missing.png")]
    assert found.errors
    assert {line.split(": ")[1] for line in found.axe} >= {"image-alt", "html-has-lang", "color-contrast"}
