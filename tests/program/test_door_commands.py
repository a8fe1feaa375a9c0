"""`sequester fetch` and `sequester audit verify` as people call them: a deployed door and one run here say the same."""

import base64
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from typer.testing import CliRunner, Result

from sequester.audit import Fault
from sequester.cli import app
from sequester.embedded_door import EmbeddedDoor, embedded_door
from sequester.standing import doors_standing
from sequester.tampering import TAMPERINGS

FUNCTION = "sequester-door-research"
URL = "https://api.github.com/repos/example"
CONFIG = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:tenants": {
        "research": {
            "allow": [
                {"host": "api.github.com", "paths": ["/repos/*"]},
                {
                    "host": "api.github.com",
                    "paths": ["/repos/*"],
                    "methods": ["POST"],
                    "content_types": ["text/plain"],
                },
            ],
        },
    },
}
CASES: tuple[tuple[list[str], int], ...] = (
    ([URL], 0),
    ([URL, "--max-size", "10"], 0),
    ([URL, "-X", "POST", "-H", "Content-Type: text/plain", "-d", "hello"], 0),
    (["https://example.com/"], 1),
    (["http://api.github.com/"], 1),
    ([URL, "-X", "BREW"], 1),
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def said(result: Result) -> tuple[int, str, str]:
    """Exit code, what goes to standard output, and what is noted (without what no two fetches share)."""
    notes = re.sub(r"[0-9a-f]{64}|record \d+|the door of .*\n", "", result.stderr)
    return result.exit_code, result.stdout, notes


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "Pulumi.test.yaml"
    path.write_text(yaml.safe_dump({"config": CONFIG}))
    return path


@pytest.fixture(scope="module")
def here(settings: Path) -> list[tuple[int, str, str]]:
    """What the command says of each case when the door is run here."""
    return [said(run("fetch", *case, "-s", str(settings))) for case, _ in CASES]


@dataclass
class LambdaApi:
    """The Invoke API of AWS Lambda, with one function behind it: what boto3 sends is kept."""

    door: EmbeddedDoor
    invocations: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                api.invocations.append((unquote(url.path), parse_qs(url.query)))
                context = base64.b64decode(self.headers["X-Amz-Client-Context"])
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                answer = api.door.invoke(payload, context)
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


@pytest.fixture(scope="module")
def deployed(here: object) -> Iterator[LambdaApi]:
    """A deployed door: after `here`, which has clouds of its own."""
    del here
    with doors_standing(CONFIG) as standing, embedded_door(standing.cloud.client, FUNCTION) as door:
        api = LambdaApi(door)
        server = ThreadingHTTPServer(("127.0.0.1", 0), api.handler())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.server_port}")
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            yield api
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_deployed_door_says_what_one_run_here_says(
    here: list[tuple[int, str, str]], deployed: LambdaApi, number: int
) -> None:
    arguments, code = CASES[number]
    result = run("fetch", *arguments, "--function", FUNCTION)
    assert result.exit_code == code, result.output
    assert said(result) == here[number]
    path, query = deployed.invocations[-1]
    assert path.endswith(f"/functions/{FUNCTION}/invocations")
    assert query == {"Qualifier": ["live"]}
    assert "Traceback" not in result.output
    if code == 1:
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("denied by")]
        assert result.stdout == ""
        assert re.match(r"denied by [a-z_]+\.[a-z_]+: .* \(record \d+\)\Z", line)


def test_status_headers_and_body_go_to_standard_output(here: list[tuple[int, str, str]]) -> None:
    head, _, body = here[0][1].partition("\n\n")
    assert head.splitlines()[0] == "200"
    assert "content-type: application/json" in head.splitlines()
    assert '"path": "/repos/example"' in body


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-H", "no colon"], 2, "is no header"),
        (["-d", "@/nowhere"], 2, "No such file"),
        (["--tenant", "nobody", "-s", "{settings}"], 69, "nobody has no door: name one of research"),
        (["--stack", "there-is-none"], 69, "is it deployed?"),
    ],
)
def test_wrong_use_is_a_line(settings: Path, arguments: list[str], code: int, words: str) -> None:
    given = [one.format(settings=settings) for one in arguments]
    result = run("fetch", URL, *given)
    assert result.exit_code == code, result.output
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_deployed_chain_is_verified_by_its_functions_own_names(
    deployed: LambdaApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_LAMBDA")  # the function's configuration is moto's to say
    run_once: Any = deployed.door.invoke
    run_once(b'{"url": "https://example.com/"}', b"{}")
    result = run("audit", "verify", "--function", FUNCTION)
    assert result.exit_code == 0, result.output
    last = re.search(r"the last is (\d+:[0-9a-f]{64})", result.output)
    assert last is not None
    assert run("audit", "verify", "--function", FUNCTION, "--since", last[1]).exit_code == 0
    beyond = f"9999:{'0' * 64}"
    gone = run("audit", "verify", "--function", FUNCTION, "--since", beyond)
    assert (gone.exit_code, Fault.TRUNCATED in gone.output) == (1, True)
    assert run("audit", "verify", "--function", FUNCTION, "--since", "3").exit_code == 2
    assert run("audit", "verify", "--function", "nobody").exit_code == 69


def test_a_chain_that_was_touched_is_exit_code_one(deployed: LambdaApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_LAMBDA")
    store, tenant = deployed.door.store, deployed.door.tenant
    foreign = next(one for one in TAMPERINGS if Fault.FOREIGN in one.faults)
    foreign.act(store, tenant)
    result = run("audit", "verify", "--function", FUNCTION)
    assert result.exit_code == 1, result.output
    assert "foreign" in result.output
