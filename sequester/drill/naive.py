"""What a proxy without a door's rules does: reads the URL as urllib does, sends what it is given, follows redirects.

The baseline of every request to the door: it must arrive by this, or that the door denies it proves nothing.
"""

import base64
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urljoin, urlsplit

MAX_REDIRECTS = 3
READ_BYTES = 65536

Dial = Callable[[str], socket.socket]
"""Host → a connection to where its name leads."""


def fetch(request: Mapping[str, object], dial: Dial) -> bytes:
    """The body of the answer. Raises OSError or ValueError where not even this can be sent."""
    url, method = str(request["url"]), str(request.get("method", "GET"))
    headers = cast(Mapping[str, str], request.get("headers", {}))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    body = base64.b64decode(str(request.get("body_b64", "")))
    for _ in range(MAX_REDIRECTS):
        # As WHATWG's URL parser, and so browsers and most clients, do with backslashes and tabs.
        parts = urlsplit(url.replace("\\", "/").replace("\t", ""))
        host = (parts.hostname or "").rstrip(".")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *lines]
        status, location, answer = _exchange(dial(host), host, "\r\n".join(head).encode() + b"\r\n\r\n" + body)
        if not 300 <= status < 400 or not location:
            return answer
        url = urljoin(url, location)
    return b""


def _exchange(plain: socket.socket, host: str, sent: bytes) -> tuple[int, str, bytes]:
    """One request over TLS that believes any certificate: status, Location, body."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # it is what a careless client does
    name = host.encode("idna").decode() if host and not host.replace(".", "").isdigit() and ":" not in host else None
    data = b""
    with plain, tls.wrap_socket(plain, server_hostname=name) as connection:
        connection.sendall(sent)
        while piece := connection.recv(READ_BYTES):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    location = next((line[9:].strip() for line in lines if line.lower().startswith("location:")), "")
    return int(lines[0].split()[1]), location, rest
