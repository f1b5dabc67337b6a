"""A server that claims to be an old PostgreSQL, as far as a client that logs in sees.

Not a PostgreSQL: it speaks the start of the protocol (version 3.0) and states a
version. Old servers cannot be installed beside this project; what a client learns of
their age is this one parameter.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


@contextmanager
def claiming(version: str) -> Iterator[int]:
    """Listen on a port of this machine until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, version), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        # Wakes the thread out of accept().
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def _serve(listener: socket.socket, version: str) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.settimeout(10)
            _log_in(client, version)


def _log_in(client: socket.socket, version: str) -> None:
    while True:
        length, code = struct.unpack("!ii", client.recv(8, socket.MSG_WAITALL))
        if code not in (SSL_REQUEST, GSS_REQUEST):
            break
        client.sendall(b"N")
    client.recv(length - 8, socket.MSG_WAITALL)
    stated = {
        "server_version": version,
        "server_encoding": "UTF8",
        "client_encoding": "UTF8",
        "DateStyle": "ISO, MDY",
        "integer_datetimes": "on",
        "standard_conforming_strings": "on",
    }
    answer = _message(b"R", struct.pack("!i", 0))
    for name, value in stated.items():
        answer += _message(b"S", f"{name}\0{value}\0".encode())
    answer += _message(b"K", struct.pack("!ii", 1, 1)) + _message(b"Z", b"I")
    client.sendall(answer)
    # Until the client is gone; it should have nothing to say to a server this old.
    client.recv(1)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
