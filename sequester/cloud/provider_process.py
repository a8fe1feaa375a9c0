"""A Pulumi provider as a process: it tells the engine its port and ends with the engine."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

_THREADS = 32
_ENGINE_CHECK_SECONDS = 1.0
_GRACE_SECONDS = 2.0
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


def serve(servicer: provider_pb2_grpc.ResourceProviderServicer, ended: threading.Event) -> None:
    """Serves on a free loopback port, printed first as the engine expects, until `ended` or the engine has gone."""
    engine = os.getppid()
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_UNLIMITED)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while os.getppid() == engine and not ended.wait(_ENGINE_CHECK_SECONDS):
        pass
    server.stop(_GRACE_SECONDS).wait()
