"""Connections to an API server: TLS as kubeconfig says, proxies, and reads that never wait beyond a deadline."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Protocol
from urllib.parse import SplitResult

import msgspec

from askew.collectors.connections import Proxy, proxy, proxy_url, timed
from askew.collectors.k8s.access import AccessError

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 20.0


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


def connection(place: Place, login: Login, seconds: float) -> Connection:
    """A connection that is not yet open. Raises AccessError for certificates and proxies that cannot be used."""
    between = _proxy(place)
    to, at = (between.host, between.port) if between else (place.host, place.port)
    made = Connection(to, at, timeout=max(min(seconds, CONNECT_SECONDS), 0.05))
    timed(made, lambda: made.deadline, IDLE_SECONDS)
    if place.url.scheme == "https":
        made.context = login.context()
        made.server_name = place.server_name
        if between:
            made.set_tunnel(place.host, place.port, headers=between.headers)
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


def _proxy(place: Place) -> Proxy | None:
    """The proxy of kubeconfig, else that of the environment; none without TLS."""
    url = place.proxy_url or proxy_url(place.url.scheme, place.host, place.port)
    if not url or place.url.scheme != "https":
        return None
    try:
        return proxy(url)
    except ValueError:
        raise AccessError(
            f"the proxy of {place.shown} is no http:// URL, and only such are supported",
            "set another, or let kubectl proxy stand in between and name http://127.0.0.1:8001 in kubeconfig",
        ) from None
