"""HTTP connections that never wait beyond a deadline, whatever answers, and the proxies on the way.

The standard library's client reads headers and bodies as slowly as a server sends them; here every read of a socket has
what is left of a deadline.
"""

from __future__ import annotations

import base64
import http.client
import io
import socket
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import msgspec

_BUFFER = 256 * 1024


class _Timed(io.RawIOBase):
    """The reading side of a socket."""

    def __init__(self, sock: socket.socket, deadline: Callable[[], float], idle: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self._idle = idle

    def makefile(self, mode: str) -> io.BufferedReader:
        """What ``http.client`` reads from."""
        return io.BufferedReader(self, _BUFFER)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]  # any buffer will do
        left = self._deadline() - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing came in time")
        self._sock.settimeout(min(left, self._idle))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def timed(connection: http.client.HTTPConnection, deadline: Callable[[], float], idle: float) -> None:
    """Let no read of a connection wait beyond a deadline (of ``time.monotonic``), nor for ``idle`` seconds without a
    byte: neither those of answers nor that of a proxy's. Such a read raises TimeoutError."""

    def response(sock: socket.socket, *words: object, **named: object) -> http.client.HTTPResponse:
        reading = _Timed(sock, deadline, idle)
        return http.client.HTTPResponse(reading, *words, **named)  # type: ignore[arg-type]  # makefile is all it needs

    connection.response_class = response  # type: ignore[assignment]  # called as a class is


class Proxy(msgspec.Struct, frozen=True):
    """A proxy that speaks HTTP. ``authorization`` is the header that it wants, or empty."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"<Proxy {self.host}:{self.port}>"

    @property
    def headers(self) -> dict[str, str]:
        """What to send to the proxy alone."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy(url: str) -> Proxy:
    """The proxy that a URL names. Raises ValueError where that is none that is supported; the URL may hold a password,
    and is not in the message."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("no http:// URL")
    login = basic(unquote(parts.username), unquote(parts.password or "")) if parts.username else ""
    return Proxy(parts.hostname, parts.port or 80, login)


def proxy_url(scheme: str, host: str, port: int) -> str:
    """The URL of the proxy that the environment names for a server (``HTTPS_PROXY``, ``NO_PROXY``), or empty. None is
    asked for what this machine itself serves."""
    from urllib.request import getproxies, proxy_bypass

    if host in ("localhost", "::1") or host.startswith("127."):
        return ""
    return "" if proxy_bypass(f"{host}:{port}") or proxy_bypass(host) else getproxies().get(scheme, "")


def basic(user: str, password: str) -> str:
    """The header of a user and a password. https://www.rfc-editor.org/rfc/rfc7617"""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass")).decode()
