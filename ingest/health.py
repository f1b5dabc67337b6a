"""What the daemon answers over HTTP: /metrics, /healthz, /readyz and /status.

A thread of its own for each request, a deadline for each, and a limit to their number:
no client, however slow or broken, gets in the way of recording.
"""

from __future__ import annotations

import errno
import json
import socket
import socketserver
import threading
import time
from http import HTTPStatus
from typing import Any

from ingest import alarms, logs, metrics
from ingest.alarms import Limits
from ingest.errors import UsageError
from ingest.metrics import Metrics
from ingest.state import State
from ingest.status_document import document

#: Seconds that a client has for its request, and again for taking the answer.
PATIENCE = 5.0

#: Bytes of a request's head; nobody who asks for a page needs as much.
LONGEST_HEAD = 16_384

#: Requests that are answered at the same time; others are hung up on.
MOST_CLIENTS = 32

TEXT = "text/plain; charset=utf-8"

Reply = tuple[HTTPStatus, str, bytes]

logger = logs.get(__name__)


class HealthServer:
    """Serves a State over HTTP from construction until ``close``.

    Args:
        state: What is told.
        metrics: What /metrics renders.
        host: Where to listen; an address of this machine.
        port: 0 takes a free one; ``port`` tells which.
        limits: From when on something is late.

    Raises:
        UsageError: The port is in use, or host and port cannot be listened on.
    """

    def __init__(
        self,
        state: State,
        metrics: Metrics,
        host: str = "127.0.0.1",
        port: int = 9464,
        limits: Limits | None = None,
    ) -> None:
        self._state = state
        self._metrics = metrics
        self._limits = limits or Limits()
        self._server = _listen(host, port, self._answer)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )
        self._thread.start()

    def alive(self) -> None:
        """The event loop says that it runs; at least every few seconds."""
        self._state.loop_seen_at = time.monotonic()

    def close(self) -> None:
        """Answer no more; requests that are being answered are left to end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=1)

    def _answer(self, path: str) -> Reply:
        state, limits = self._state, self._limits
        if path == "/metrics":
            return HTTPStatus.OK, metrics.CONTENT_TYPE, self._metrics.render()
        if path == "/healthz":
            return _lines(alarms.not_healthy(state, limits))
        if path == "/readyz":
            return _lines(alarms.not_ready(state, limits))
        if path == "/status":
            said = json.dumps(logs.redact(document(state, limits)), indent=1)
            return HTTPStatus.OK, "application/json", f"{said}\n".encode()
        pages = "/metrics /healthz /readyz /status"
        return HTTPStatus.NOT_FOUND, TEXT, f"there are: {pages}\n".encode()


def _lines(problems: list[str]) -> Reply:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    lines = [" ".join(logs.redact(line).split()) for line in problems or ["ok"]]
    return status, TEXT, "".join(f"{line}\n" for line in lines).encode()


def _listen(host: str, port: int, answer: Any) -> _Server:
    try:
        [(family, *_, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return _Server(family, address, answer)
    except socket.gaierror:
        raise UsageError(
            f"http_host {host} is no address of this machine: 127.0.0.1 is the default"
        ) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use: set http_port"
                " (EXCURSION_HTTP_PORT) to a free one"
            ) from None
        raise UsageError(
            f"cannot listen on port {port} of {host} ({error.strerror}): correct"
            " http_host and http_port"
        ) from None


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, family: int, address: Any, answer: Any) -> None:
        self.address_family = family
        self.answer = answer
        self._free = threading.BoundedSemaphore(MOST_CLIENTS)
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            # No file descriptor left: the connection stays pending, so wait for one
            # without taking the processor away from recording.
            time.sleep(0.1)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away or was too slow is its own affair.
        logger.debug("http_request_failed", client=str(client_address))


class _Handler(socketserver.BaseRequestHandler):
    """One request, one answer, then the connection is closed (HTTP/1.0's way)."""

    request: socket.socket
    server: _Server

    def handle(self) -> None:
        head = self._head()
        if head is None:
            return
        words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        status, kind, body = self._reply(words)
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: GET, HEAD")
        answer = "\r\n".join([*lines, "", ""]).encode()
        # One deadline for all of it, as sendall counts.
        self.request.settimeout(PATIENCE)
        self.request.sendall(answer if words[0] == "HEAD" else answer + body)

    def _head(self) -> bytes | None:
        """The request up to its empty line; None where there is none in time."""
        deadline = time.monotonic() + PATIENCE
        head = b""
        while b"\r\n\r\n" not in head:
            left = deadline - time.monotonic()
            if left <= 0 or len(head) > LONGEST_HEAD:
                return None
            self.request.settimeout(left)
            received = self.request.recv(4096)
            if not received:
                return None
            head += received
        return head

    def _reply(self, words: list[str]) -> Reply:
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            return HTTPStatus.BAD_REQUEST, TEXT, b"this is not HTTP\n"
        method, target, _ = words
        if method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"GET and HEAD only\n"
        try:
            reply: Reply = self.server.answer(target.partition("?")[0])
        except Exception:
            logger.exception("http_answer_failed", path=target)
            said = b"the answer could not be made; the log tells why\n"
            return HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, said
        return reply
