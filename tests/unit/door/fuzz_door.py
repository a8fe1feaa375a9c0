"""A longer fuzz, guided by coverage: `python tests/unit/door/fuzz_door.py -max_total_time=600`.

Optional: atheris is not in the lock (`pip install atheris`). What must hold is what the hypothesis tests say: any
payload is a request or a denial, and inspecting one ends with a number of bytes or a denial, never with another error.
"""

import base64
import contextlib
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

atheris: Any = import_module("atheris")
with atheris.instrument_imports(include=["lambda_proxy"]):
    from lambda_proxy.canaries import KnownValue
    from lambda_proxy.denial import DeniedError
    from lambda_proxy.inspection import Known, inspect
    from lambda_proxy.parse import parse_request
    from lambda_proxy.respond import sent_headers

TYPES = ("application/json", "text/plain", "multipart/form-data; boundary=B", "application/x-www-form-urlencoded")


class NoWindow:
    """Remembers nothing."""

    def add(self, canary: str, places: Any) -> set[int]:
        del canary
        return set(places)


KNOWN = Known.of([KnownValue.of("planted", "zq7Kp2mX" + "9vT4bR8sW1nD6hJ3")])
WINDOW: Any = NoWindow()


def one(data: bytes) -> None:
    """The first byte chooses the type of the body, the next line is the rest of the URL."""
    kind = TYPES[data[0] % len(TYPES)] if data else TYPES[0]
    path, _, body = data[1:].partition(b"\n")
    event = {
        "method": "POST",
        "url": f"https://api.example.test/{path.decode('latin-1')}",
        "headers": {"content-type": kind},
        "body_b64": base64.b64encode(body).decode(),
    }
    with contextlib.suppress(DeniedError):
        request = parse_request(event)
        assert inspect(request, sent_headers(request), KNOWN, WINDOW) >= 0


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
