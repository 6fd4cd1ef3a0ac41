"""One question over one connection, in bounded time and memory, whatever the server does.

TLS certificates are verified, against ``SSL_CERT_FILE`` where it is set. ``HTTP_PROXY``, ``HTTPS_PROXY`` and
``NO_PROXY`` are honoured as by other clients.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from askew import __version__
from askew.collectors.asking import MAX_BYTES, Reply
from askew.collectors.connections import timed
from askew.collectors.http.address import PORTS, Address
from askew.engines.live import Ask

_CONNECT = 5.0  # seconds until a connection stands
_IDLE = 15.0  # seconds without a byte: vLLM runs several programs before it answers /server_info the first time
_ANSWER = 25.0  # seconds for one answer
TOTAL = 60.0  # seconds for all answers of one endpoint
_REDIRECTS = 3
_CHUNK = 64 * 1024
_NOBODY = "see whether it runs, and whether this machine reaches it"


class _TooLargeError(Exception):
    pass


class Transport:
    """Asks one endpoint. ``get`` is what ``collectors.asking`` wants; ``total`` bounds the seconds of all questions,
    ``answer`` those of one, ``limit`` its bytes. ``headers`` go with every question."""

    def __init__(
        self,
        address: Address,
        *,
        total: float = TOTAL,
        answer: float = _ANSWER,
        limit: int = MAX_BYTES,
        headers: Mapping[str, str] = {},
    ) -> None:
        self._limit = limit
        self._more = headers
        self._address = address
        self._answer = answer
        self._end = time.monotonic() + total
        self._context: ssl.SSLContext | None = None

    def get(self, question: Ask) -> Reply:
        """One question. Never raises for what the server does."""
        path = self._address.prefix + question.path
        for _ in range(_REDIRECTS + 1):
            reply, target = self._guarded(path, question.body)
            if not target:
                return reply
            there = self._followed(target, path)
            if not there:
                shown = _joined(self._address.shown + question.path, target)
                return Reply(
                    status=reply.status,
                    fault=f"{reply.status}, it sends elsewhere: {shown}",
                    hint="ask that address itself, if it is the engine's",
                )
            path = there
        return Reply(status=310, fault=f"more than {_REDIRECTS} redirects")

    def _followed(self, target: str, path: str) -> str:
        """The path of a redirect that stays on this host, else empty: credentials and questions go nowhere else."""
        address = self._address
        try:
            there = urlsplit(urljoin(f"{address.scheme}://{address.netloc}{path}", target))
            if (there.scheme, there.hostname, there.port or PORTS.get(there.scheme)) == (
                address.scheme,
                address.host,
                address.port,
            ):
                return (there.path or "/") + (f"?{there.query}" if there.query else "")
        except ValueError:
            pass
        return ""

    def _guarded(self, path: str, body: str) -> tuple[Reply, str]:
        now = time.monotonic()
        deadline = min(now + self._answer, self._end)
        if now >= self._end:
            return Reply(status=0, fault="the time for this endpoint was up", over=True), ""
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._connection(deadline)
            return self._exchange(connection, path, body)
        except _TooLargeError:
            return Reply(status=200, fault=f"more than {self._limit:,} bytes"), ""
        except TimeoutError:
            waited = time.monotonic() - now
            fault = f"no whole answer within {waited:.0f} s"
            return Reply(status=0, fault=fault, hint=_NOBODY, over=time.monotonic() >= self._end), ""
        except ssl.SSLCertVerificationError as error:
            fault = f"its certificate is not trusted: {error.verify_message}"
            hint = "set SSL_CERT_FILE to the file of the authority that signed it"
            return Reply(status=0, fault=fault, hint=hint, over=True), ""
        except ssl.SSLError as error:
            fault = f"TLS failed: {error.reason or 'no TLS is spoken there'}"
            return Reply(status=0, fault=fault, hint="write http:// if it speaks no TLS", over=True), ""
        except socket.gaierror as error:
            fault = f"the name {self._address.host} is not known: {error.strerror}"
            return Reply(status=0, fault=fault, hint="see whether the name is right", over=True), ""
        except (http.client.HTTPException, ValueError, zlib.error) as error:
            fault = f"no HTTP answer that can be read: {type(error).__name__}"
            return Reply(status=0, fault=fault, hint="see whether this port speaks HTTP, or write https://"), ""
        except OSError as error:
            fault = f"no connection: {error.strerror or str(error) or 'it was closed'}"
            refused = not isinstance(error, (ConnectionResetError, BrokenPipeError))
            return Reply(status=0, fault=fault, hint=_NOBODY, over=refused), ""
        finally:
            if connection is not None:
                connection.close()

    def _connection(self, deadline: float) -> http.client.HTTPConnection:
        address, proxy = self._address, self._address.proxy
        host, port = (proxy.host, proxy.port) if proxy is not None else (address.host, address.port)
        wait = max(min(_CONNECT, deadline - time.monotonic()), 0.05)
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            self._context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=wait, context=self._context)
            if proxy is not None:
                connection.set_tunnel(address.host, address.port, proxy.headers)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=wait)
        timed(connection, lambda: deadline, _IDLE)
        return connection

    def _exchange(self, connection: http.client.HTTPConnection, path: str, body: str) -> tuple[Reply, str]:
        connection.request(
            "POST" if body else "GET",
            self._target(path),
            body=body.encode() if body else None,
            headers=self._headers(bool(body)),
        )
        response = connection.getresponse()
        try:
            target = response.headers.get("Location", "") if response.status in _MOVED else ""
            if target and (not body or response.status in (307, 308)):
                return Reply(status=response.status), target
            media = response.headers.get("Content-Type", "").lower()
            data, fault = _body(response, self._limit)
            return Reply(status=response.status, media=media, body=data, fault=fault), ""
        finally:
            response.close()

    def _target(self, path: str) -> str:
        if self._address.proxy is not None and self._address.scheme == "http":
            return f"http://{self._address.netloc}{path}"
        return path

    def _headers(self, posted: bool) -> dict[str, str]:
        headers = {
            "Host": self._address.netloc,
            "User-Agent": f"askew/{__version__}",
            "Accept": "application/json, text/plain;q=0.9, */*;q=0.1",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **self._more,
        }
        if posted:
            headers["Content-Type"] = "application/json"
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization
        if self._address.proxy is not None and self._address.scheme == "http":
            headers.update(self._address.proxy.headers)
        return headers


_MOVED = (301, 302, 303, 307, 308)


def _body(response: http.client.HTTPResponse, limit: int) -> tuple[bytes, str]:
    """The body, unpacked, and what is wrong with it. Raises _TooLargeError."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    unpack = None
    if coding in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(47 if "gzip" in coding else 15)
    elif coding not in ("identity", ""):
        return b"", f"it is packed as {coding[:40]!r}, although that was not asked for"
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := response.read1(_CHUNK):
            if unpack is not None:
                chunk = unpack.decompress(chunk, limit - size + 1)
            size += len(chunk)
            if size > limit:
                raise _TooLargeError
            parts.append(chunk)
    except http.client.IncompleteRead:
        return b"".join(parts), "the answer was cut off"
    if response.length:  # fewer bytes than it said
        return b"".join(parts), "the answer was cut off"
    return b"".join(parts), ""


def _joined(url: str, target: str) -> str:
    """Scheme, host, port and path of where a server sends, without credentials."""
    try:
        parts = urlsplit(urljoin(url, target))
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
    except ValueError:
        return "what is no URL"
