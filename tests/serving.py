"""Endpoints on loopback: what a server answered once, or what it should never answer."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """One answer of a server."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Served(msgspec.Struct):
    """A running server: its URL, and the questions that it was asked, with their headers."""

    url: str
    questions: list[str] = []
    headers: list[dict[str, str]] = []


def as_json(value: object, status: int = 200) -> Answer:
    """An answer that is JSON."""
    return Answer(status, json.dumps(value).encode(), (("Content-Type", "application/json"),))


def as_text(text: str, status: int = 200, media: str = "text/plain; charset=utf-8") -> Answer:
    """An answer that is text."""
    return Answer(status, text.encode(), (("Content-Type", media),))


def transcript(path: Path) -> Answer:
    """A recorded answer: the status line, the headers, the body."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n" if b"\r\n\r\n" in path.read_bytes() else b"\n\n")
    lines = head.decode().splitlines()
    media = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("content-type:")), "")
    match = re.match(r"HTTP/[\d.]+ (\d+)", lines[0])
    assert match is not None
    return Answer(int(match[1]), body, (("Content-Type", media),) if media else ())


@contextmanager
def serving(
    answers: Mapping[str, Answer], missing: Answer | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Served]:
    """A server that gives ``answers`` by path and query; for a POST by ``POST path``, or ``POST path body``.

    ``context`` is that of TLS, where it is spoken.
    """
    served = Served("")
    nothing = missing or as_json({"detail": "Not Found"}, 404)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.give(self.path)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            full = f"POST {self.path} {body}"
            self.give(full if full in answers else f"POST {self.path}")

        def give(self, name: str) -> None:
            served.questions.append(name)
            served.headers.append(dict(self.headers.items()))
            answer = answers.get(name, nothing)
            self.send_response(answer.status)
            for key, value in answer.headers:
                self.send_header(key, value)
            if not any(key.lower() == "content-length" for key, _ in answer.headers):
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what is tested
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    served.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
