"""`moto_server` in a process of its own, with the declared-only store beside it: the cloud that an engine deploys to.

    python -m sequester.cloud.server [port]

prints its URL as the first line on standard output, and ends when its standard input does. The store answers under
`/sequester/`, which is no path of any AWS service that is used here.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any, cast

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sequester.cloud.bucket_policies import read_apart_from_conditions
from sequester.cloud.declared import Memory, RecordError

PREFIX = "/sequester/"


class Application:
    """The WSGI application: the store under its prefix, moto for everything else."""

    def __init__(self) -> None:
        self.store = Memory()
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        if not request.path.startswith(PREFIX):
            return cast(Iterable[bytes], self._moto(environ, start_response))
        method = request.path.removeprefix(PREFIX)
        try:
            answer = {"answer": getattr(self.store, method)(*json.loads(request.get_data()))}
        except RecordError as error:
            answer = {"code": error.code, "message": str(error)}
        return Response(json.dumps(answer), content_type="application/json")(environ, start_response)


def main() -> None:
    """Serve on loopback until standard input ends."""
    read_apart_from_conditions()
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    server = make_server("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0, Application(), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
