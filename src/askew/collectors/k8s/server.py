"""One API server: GET, pages of lists, bounded in time and bytes, and honest about what failed.

Plain ``http.client``: what makes lists of a large cluster fast is to decode only the fields that matter.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from askew.collectors.k8s.access import Access, AccessError
from askew.collectors.k8s.login import Login

PAGE = 500
MAX_ANSWER = 64 * 2**20
MAX_TOTAL = 2 * 2**30
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 20.0
_ATTEMPTS = 5
_LONGEST_WAIT = 8.0
_CHUNK = 256 * 1024
_MOST_PAGES = 10_000
_AGAIN = frozenset((429, 500, 502, 503, 504))
_LOCAL = ("localhost", "127.0.0.1", "::1")


class RequestError(Exception):
    """A request that gave no answer. ``status`` is that of HTTP; 0 where there was none."""

    def __init__(self, status: int, message: str, token: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.token = token


class DeadlineError(RequestError):
    """The time for everything is over."""


class Answer(msgspec.Struct, frozen=True):
    """What was answered with success."""

    body: bytes
    kind: str = ""


class _Meta(msgspec.Struct, rename="camel"):
    continue_: str = msgspec.field(default="", name="continue")


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""
    metadata: _Meta | None = None


class Page(msgspec.Struct):
    """One page of a list, its items not yet decoded."""

    items: list[msgspec.Raw] | None = None
    metadata: _Meta | None = None


class _Connection(http.client.HTTPSConnection):
    """TLS to a server that may be called otherwise than its address (``tls-server-name``), also through a proxy."""

    server_name = ""
    inner: ssl.SSLContext

    def connect(self) -> None:
        """Connect, through the tunnel where there is one, and speak TLS."""
        http.client.HTTPConnection.connect(self)
        name = self.server_name or getattr(self, "_tunnel_host", None) or self.host
        self.sock = self.inner.wrap_socket(self.sock, server_hostname=name)


class Server:
    """Asks one API server, with one connection. ``calls`` counts the requests, ``bytes`` what was answered."""

    def __init__(
        self,
        access: Access,
        *,
        seconds: float,
        user: str = "",
        groups: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.access = access
        self.calls = 0
        self.bytes = 0
        self._clock, self._sleep = clock, sleep
        self._until = clock() + seconds
        self._seconds = seconds
        self._impersonated = _impersonation(access, user, groups)
        self._login = Login(access)
        self._url = urlsplit(
            access.cluster.server if "://" in access.cluster.server else f"https://{access.cluster.server}"
        )
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise AccessError(
                f"the server of the context '{access.context}' is no URL", "expected https://HOST:PORT in kubeconfig"
            )
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What every request says of who asks."""
        return (("User-Agent", "askew"), *self._login.headers().items(), *self._impersonated)

    def left(self) -> float:
        """The seconds that are left for everything."""
        return self._until - self._clock()

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
        limit: int = MAX_ANSWER,
        attempts: int = _ATTEMPTS,
        cut: bool = False,
        seconds: float = _READ_SECONDS,
    ) -> Answer:
        """The answer to one GET, asked again where that may help. Raises RequestError, or AccessError (nobody gets in).

        ``cut``: of an answer that is longer than ``limit``, or that does not end, give what came.
        """
        target = self._url.path.rstrip("/") + path
        if parameters:
            target += "?" + urlencode(parameters, quote_via=quote)
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            try:
                status, headers, body = self._once(target, accept, limit, cut, seconds)
            except DeadlineError:
                raise
            except ssl.SSLCertVerificationError as error:
                raise AccessError(
                    f"the certificate of {self._url.hostname} is not trusted: {error.verify_message}",
                    "kubeconfig needs the certificate authority of this cluster; get a new entry from your provider",
                ) from None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt < attempts and self._pause(0.2 * 2**attempt):
                    continue
                raise RequestError(0, _unreachable(self._url.netloc.rpartition("@")[2], error)) from None
            if status == 200:
                return Answer(body, headers.get("content-type", ""))
            if status == 401:
                if not renewed and self._login.renew():
                    renewed = True
                    self.close()  # a certificate belongs to the connection
                    continue
                raise AccessError(
                    f"the API server does not accept the credentials of the context '{self.access.context}' (401)",
                    "they have expired or were revoked: log in again with your provider's tool",
                )
            if status in _AGAIN and attempt < attempts and self._pause(_wait(headers, attempt)):
                continue
            said = _status(body)
            message = said.message or http.client.responses.get(status, "")
            token = said.metadata.continue_ if said.metadata else ""
            raise RequestError(status, f"{message} ({status})"[:600], token)

    def pages(
        self, path: str, parameters: Mapping[str, str], accept: str = "application/json"
    ) -> Iterator[Page | None]:
        """The pages of a list. None says that what came before it counts no more: the list was begun anew.

        Raises RequestError. A page that is too large is asked for in smaller ones.
        """
        token, size, restarts, garbled = "", PAGE, 0, 0
        for _ in range(_MOST_PAGES):
            wanted = {**parameters, "limit": str(size), **({"continue": token} if token else {})}
            try:
                page = _page(self.get(path, wanted, accept=accept).body)
            except RequestError as failed:
                if (
                    failed.status == 200 and garbled < 1
                ):  # what a proxy in between made of it may be better the next time
                    garbled += 1
                    continue
                if failed.status == 410 and restarts < 2:
                    # The token is too old. The server may offer one that goes on from there, with what is there now:
                    # https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
                    restarts += 1
                    token = failed.token
                    if not token:
                        yield None
                    continue
                if failed.status == 413 and size > 1:
                    size = max(size // 10, 1)
                    continue
                raise
            yield page
            token = page.metadata.continue_ if page.metadata else ""
            if not token:
                return
        raise RequestError(0, f"the list has more than {_MOST_PAGES:,} pages")

    def _pause(self, seconds: float) -> bool:
        """Wait, if there is time for it."""
        seconds = min(seconds, _LONGEST_WAIT)
        if seconds >= self.left():
            return False
        self._sleep(seconds)
        return True

    def _once(
        self, target: str, accept: str, limit: int, cut: bool, seconds: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        left = self.left()
        if left <= 0:
            raise DeadlineError(0, f"no answer within {self._seconds:g} seconds")
        connection = self._connected(min(left, _CONNECT_SECONDS))
        self.calls += 1
        fresh = connection.sock is None
        try:
            connection.putrequest("GET", target, skip_accept_encoding=True)
            for name, value in (("Accept", accept), ("Accept-Encoding", "gzip"), *self.headers()):
                connection.putheader(name, value)
            connection.endheaders()
            if connection.sock is not None:
                connection.sock.settimeout(max(min(self.left(), seconds), 0.01))
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if fresh:
                raise
            return self._once(target, accept, limit, cut, seconds)  # a kept connection that the server had closed
        try:
            body = self._body(connection, response, limit, cut, self._clock() + max(seconds, 1) * 3)
        finally:
            if not response.isclosed():
                self.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body

    def _body(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        limit: int,
        cut: bool,
        until: float,
    ) -> bytes:
        """The whole answer. Each piece has a time limit, and all of them together."""
        unzip = zlib.decompressobj(31) if response.getheader("content-encoding", "") == "gzip" else None
        parts: list[bytes] = []
        size = 0
        until = min(until, self._until)
        while True:
            left = until - self._clock()
            if left <= 0:
                if cut:
                    break
                raise (DeadlineError if self.left() <= 0 else RequestError)(0, "the answer did not end in time")
            if connection.sock is not None:
                connection.sock.settimeout(max(min(left, _READ_SECONDS), 0.01))
            try:
                raw = response.read1(_CHUNK)
            except TimeoutError:
                if cut:
                    break
                raise
            if not raw:
                if response.length:
                    raise ConnectionResetError("the answer was cut off")
                break
            self.bytes += len(raw)
            try:
                part = unzip.decompress(raw, limit + 1 - size) if unzip else raw
            except zlib.error:
                raise RequestError(0, "the answer is not valid gzip") from None
            size += len(part)
            parts.append(part)
            if size > limit:
                if cut:
                    break
                raise RequestError(413, f"the answer is larger than {limit:,} bytes")
            if self.bytes > MAX_TOTAL:
                raise DeadlineError(0, f"all answers together are larger than {MAX_TOTAL:,} bytes")
        return b"".join(parts)[:limit]

    def _connected(self, seconds: float) -> http.client.HTTPConnection:
        if self._connection is not None:
            return self._connection
        host, url = self._url.hostname or "", self._url
        proxy = _proxy(self.access.cluster.proxy_url, url.scheme, host)
        port = url.port or (443 if url.scheme == "https" else 80)
        to, at = (proxy.hostname, proxy.port) if proxy else (host, port)
        made: http.client.HTTPConnection
        if url.scheme == "https":
            secure = _Connection(to, at, timeout=seconds)
            secure.inner = self._login.context()
            secure.server_name = self.access.cluster.tls_server_name
            made = secure
            if proxy:
                made.set_tunnel(host, port, headers=proxy.headers)
        else:
            made = http.client.HTTPConnection(host, port, timeout=seconds)
        self._connection = made
        return made


def _page(body: bytes) -> Page:
    try:
        return msgspec.json.decode(body, type=Page)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise RequestError(200, f"the answer is no list: {reason}") from None


def _status(body: bytes) -> _Status:
    try:
        return msgspec.json.decode(body[: 256 * 1024], type=_Status)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Status()


def _wait(headers: Mapping[str, str], attempt: int) -> float:
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.2 * 2**attempt


def _impersonation(access: Access, user: str, groups: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation"""
    name = user or access.user.impersonate
    named = groups if user else tuple(access.user.impersonate_groups or ())
    if not name:
        return ()
    for each in (name, *named, access.user.impersonate_uid):
        if not each.isprintable() or not each.isascii():
            raise AccessError("a user or group to impersonate holds characters that no header can", "write plain ASCII")
    uid = [("Impersonate-Uid", access.user.impersonate_uid)] if access.user.impersonate_uid and not user else []
    return (("Impersonate-User", name), *(("Impersonate-Group", group) for group in named), *uid)


def _unreachable(host: str, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"{host} did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return f"{host} refuses connections"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection to {host}: {error.reason or 'the handshake failed'}"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{host} cannot be asked: {said}"[:300]


class _Proxy(msgspec.Struct, frozen=True):
    hostname: str
    port: int
    headers: dict[str, str]


def _proxy(declared: str, scheme: str, host: str) -> _Proxy | None:
    """The proxy of kubeconfig, else that of the environment; None for none, and for this machine itself."""
    from urllib.request import getproxies, proxy_bypass

    url = declared
    if not url:
        if host in _LOCAL or host.startswith("127.") or proxy_bypass(host):
            return None
        url = getproxies().get(scheme, "")
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise AccessError(
            f"a proxy of the kind '{parts.scheme}' is not supported",
            "set an http:// proxy, or kubectl proxy in between",
        )
    login = f"{parts.username}:{parts.password or ''}".encode()
    headers = {"Proxy-Authorization": "Basic " + base64.b64encode(login).decode()} if parts.username else {}
    return _Proxy(parts.hostname, parts.port or 80, headers)
