"""What every provider plugin of ours shares: how it serves the engine, and where the engine finds it."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

_THREADS = 8
_MESSAGE_BYTES = 400 * 1024 * 1024
"""The engine's own limit on a message (pulumi/pulumi, sdk/go/common/util/rpcutil)."""
_ORPHANED_AFTER_SECONDS = 1


def serve(provider: provider_pb2_grpc.ResourceProviderServicer) -> None:
    """Serve on a free loopback port, named on the first line of standard output, until the engine goes away.

    The engine ends its plugins itself; one whose engine was killed ends by seeing that it has another parent.
    """
    limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=limits)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    engine = os.getppid()
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while os.getppid() == engine:
        time.sleep(_ORPHANED_AFTER_SECONDS)
    server.stop(grace=None).wait()


def install(pulumi_home: Path, name: str, version: str, module: str) -> Path:
    """Write `plugins/resource-<name>-v<version>` under a PULUMI_HOME, to run a module; returns the executable.

    `version` is that of the SDK that the program uses: the engine wants a plugin of the same.
    """
    folder = pulumi_home / "plugins" / f"resource-{name}-v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / f"pulumi-resource-{name}"
    executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
    executable.chmod(0o755)
    return executable
