"""A server in front of the API server that fails as told: overload, errors, slow and broken answers, expired pages."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import msgspec

from tests.cluster.server import Cluster


class Fault(msgspec.Struct, kw_only=True):
    """What happens to requests whose path with query matches ``path``: the first ``after`` pass, then so many fail as
    ``times`` says (all of them, by default).

    With ``code`` the answer is a Status of that code, with ``body`` that. Else the real answer comes, after ``first``
    is done. It begins after ``wait`` seconds, is cut off after ``cut`` of its bytes where that is not negative, comes a
    byte each ``drip`` seconds where that is not 0, and where it is ``endless`` starts over and over.
    """

    path: str
    code: int = 0
    reason: str = ""
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    wait: float = 0.0
    drip: float = 0.0
    cut: int = -1
    endless: bool = False
    first: Callable[[], object] | None = None
    after: int = 0
    times: int = 1_000_000
    seen: int = 0

    def strikes(self, path: str) -> bool:
        if not re.search(self.path, path):
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


class Front(msgspec.Struct, frozen=True):
    """``url`` is where it listens; ``asked`` is every request it had: time, path with query."""

    url: str
    asked: list[tuple[float, str]]


@contextmanager
def front(cluster: Cluster, *faults: Fault) -> Iterator[Front]:
    """Stand in front of the cluster, with its certificate, as long as the block runs."""
    parts = urlsplit(cluster.url)
    trust = ssl.create_default_context(cafile=str(cluster.folder / "ca.crt"))
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(cluster.folder / "server.crt", cluster.folder / "server.key")
    asked: list[tuple[float, str]] = []
    lock = threading.Lock()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def log_message(self, format: str, *args: object) -> None:
            pass

        def setup(self) -> None:
            self.request = own.wrap_socket(self.request, server_side=True)
            super().setup()

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()
            self.request.close()

        def do_GET(self) -> None:
            with lock:
                asked.append((time.monotonic(), self.path))
                fault = next((one for one in faults if one.strikes(self.path)), None)
            if fault is not None and (fault.code or fault.body is not None):
                self.answer(fault.code or 200, fault.body or _status(fault), fault, fault.headers)
                return
            if fault is not None and fault.first is not None:
                fault.first()
            connection = HTTPSConnection(parts.hostname or "", parts.port, timeout=60, context=trust)
            try:
                wanted = ("Authorization", "Accept", "Impersonate-User", "Impersonate-Group")
                headers = {name: value for name in wanted if (value := self.headers.get(name))}
                connection.request("GET", self.path, headers=headers)
                got = connection.getresponse()
                body, code, kind = got.read(), got.status, got.getheader("Content-Type", "")
            finally:
                connection.close()
            self.answer(code, body, fault, {"Content-Type": kind})

        def answer(self, code: int, body: bytes, fault: Fault | None, headers: Mapping[str, str]) -> None:
            if fault is not None and fault.wait:
                over.wait(fault.wait)
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            if not any(name.lower() == "content-type" for name in headers):
                self.send_header("Content-Type", "application/json")
            endless = fault is not None and fault.endless
            self.send_header("Connection", "close") if endless else self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            while endless and not over.is_set():
                self.wfile.write(body)
            if fault is not None and fault.cut >= 0:
                body = body[: fault.cut]
                self.close_connection = True
            if fault is None or not fault.drip:
                self.wfile.write(body)
                return
            for byte in body:
                if over.wait(fault.drip):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that had enough and left

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Front(f"https://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _status(fault: Fault) -> bytes:
    reason = fault.reason or {429: "TooManyRequests", 500: "InternalError", 410: "Expired", 401: "Unauthorized"}.get(
        fault.code, "Unknown"
    )
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": fault.code}
    return json.dumps({**status, "reason": reason, "message": f"made to fail: {reason}"}).encode()
