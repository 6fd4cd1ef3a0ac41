"""Connections to an API server: TLS as kubeconfig says, proxies, and reads that never wait beyond a deadline."""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import time
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from askew.collectors.k8s.access import AccessError

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 20.0
_LOCAL = ("localhost", "127.0.0.1", "::1")


class LateError(TimeoutError):
    """A deadline has passed."""


class Login(Protocol):
    """What a connection needs to know of who asks."""

    def context(self) -> ssl.SSLContext:
        """How TLS is spoken."""
        ...


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an API server is. ``server_name`` is whom its certificate has to name, if not its host."""

    url: SplitResult
    server_name: str = ""
    proxy_url: str = ""

    @property
    def host(self) -> str:
        return self.url.hostname or ""

    @property
    def port(self) -> int:
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    @property
    def shown(self) -> str:
        """Host and port, without credentials."""
        return self.url.netloc.rpartition("@")[2]


class Connection(http.client.HTTPConnection):
    """HTTP with a deadline for everything that is read. ``deadline`` is of ``time.monotonic``."""

    deadline = 0.0
    context: ssl.SSLContext | None = None
    server_name = ""

    def connect(self) -> None:
        """Connect, through the tunnel where there is one, and speak TLS where the server does."""
        super().connect()
        if self.context is not None:
            name = self.server_name or getattr(self, "_tunnel_host", None) or self.host
            self.sock = self.context.wrap_socket(self.sock, server_hostname=name)
        self.response_class = self._response  # type: ignore[assignment]  # called as a class is

    def _response(self, sock: socket.socket, *words: object, **named: object) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Timed(sock, self), *words, **named)  # type: ignore[arg-type]  # makefile is all


class _Timed(io.RawIOBase):
    """The reading side of a socket."""

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._connection = connection

    def makefile(self, mode: str) -> io.BufferedReader:
        """What ``http.client`` reads from."""
        return io.BufferedReader(self, 256 * 1024)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]  # any buffer will do
        left = self._connection.deadline - time.monotonic()
        if left <= 0:
            raise LateError
        self._sock.settimeout(min(left, IDLE_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def connection(place: Place, login: Login, seconds: float) -> Connection:
    """A connection that is not yet open. Raises AccessError for certificates and proxies that cannot be used."""
    proxy = _proxy(place)
    to, at = (proxy.host, proxy.port) if proxy else (place.host, place.port)
    made = Connection(to, at, timeout=max(min(seconds, CONNECT_SECONDS), 0.05))
    if place.url.scheme == "https":
        made.context = login.context()
        made.server_name = place.server_name
        if proxy:
            made.set_tunnel(place.host, place.port, headers=proxy.headers)
    return made


def unreachable(place: Place, error: Exception) -> str:
    """Why nothing came back."""
    if isinstance(error, TimeoutError):
        return f"{place.shown} did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return f"{place.shown} refuses connections"
    if isinstance(error, ssl.SSLError):
        return (
            f"no TLS connection to {place.shown}: {(error.reason or 'the handshake failed').lower().replace('_', ' ')}"
        )
    if isinstance(error, socket.gaierror):
        return f"the name {place.host} is not known"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{place.shown} cannot be asked: {said}"[:300]


class _Proxy(msgspec.Struct, frozen=True):
    host: str
    port: int
    headers: dict[str, str]


def _proxy(place: Place) -> _Proxy | None:
    """The proxy of kubeconfig, else that of the environment; none for this machine itself, and none without TLS."""
    from urllib.request import getproxies, proxy_bypass

    url = place.proxy_url
    if not url:
        if place.host in _LOCAL or place.host.startswith("127.") or proxy_bypass(place.host):
            return None
        url = getproxies().get(place.url.scheme, "")
    if not url or place.url.scheme != "https":
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme != "http" or not host:
        raise AccessError(
            f"the proxy of {place.shown} is no http:// URL, and only such are supported",
            "set another, or let kubectl proxy stand in between and name http://127.0.0.1:8001 in kubeconfig",
        )
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    headers = {"Proxy-Authorization": "Basic " + base64.b64encode(login).decode()} if parts.username else {}
    return _Proxy(host, port, headers)
