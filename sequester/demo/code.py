"""Step: code that computes, then tries to leave; each attempt is refused and shown with its address."""

from collections.abc import Sequence

from sequester.demo.scene import NotShownError, Scene
from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.executor import IsolatedExecutor
from sequester.sandbox.report import attempts_table

CODE = """
import socket

result = {"mean": sum(data["xs"]) / len(data["xs"]), "reached": []}

def attempt(what, call):
    try:
        call()
    except OSError:
        return
    result["reached"].append(what)

attempt("TCP", lambda: socket.create_connection(("192.0.2.1", 443), timeout=2))
attempt("DNS", lambda: socket.getaddrinfo("secret.exfil.example", 443))
attempt("metadata", lambda: socket.create_connection(("169.254.169.254", 80), timeout=2))
"""
WANTED = {"192.0.2.1:443", "secret.exfil.example", "169.254.169.254:80"}


def play(scene: Scene) -> Sequence[str]:
    """Run it; a failure for each thing reached and for each attempt that nobody saw."""
    try:
        with IsolatedExecutor.local() as executor:
            result = executor.run_untrusted_code(CODE, {"xs": [1, 2, 3]}, timeout=20)
    except SandboxUnavailable as error:
        raise NotShownError(str(error)) from None
    scene.tried.extend(result.events)
    scene.console.print(f"the code returned {result.value}", markup=False)
    scene.console.print(attempts_table(result.attempts))
    if not isinstance(result.value, dict) or result.value.get("mean") != 2.0:
        return [f"the code did not compute its result: exit {result.exit}, {result.stderr.strip()}"]
    reached = result.value.get("reached")
    unseen = WANTED - {attempt.target for attempt in result.attempts if attempt.action == "denied"}
    return [
        *([f"the code reached {reached}"] if reached else []),
        *(f"no event names the attempt on {target}" for target in sorted(unseen)),
    ]
