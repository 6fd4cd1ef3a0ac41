"""One API server: GET, pages of lists, and dry runs, bounded in time and bytes, and honest about what failed.

Plain ``http.client``: what makes lists of a large cluster fast is to decode only the fields that matter.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, cast
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from askew import __version__
from askew.collectors.k8s.access import Access, AccessError
from askew.collectors.k8s.login import Login
from askew.collectors.k8s.transport import Connection, Place, connection, unreachable

PAGE = 500
MAX_ANSWER = 64 * 2**20
MAX_TOTAL = 2 * 2**30
_SECONDS = 40.0  # for one answer
_AGAIN_SECONDS = 20.0  # after this long, a request is not tried again
_ATTEMPTS = 5
_LONGEST_WAIT = 8.0
_CHUNK = 256 * 1024
_MOST_PAGES = 10_000
_AGAIN = frozenset((429, 500, 502, 503, 504))


class RequestError(Exception):
    """A request that gave no answer. ``status`` is that of HTTP; 0 where there was none. ``token`` is where a list goes
    on, ``field`` the path of what is wrong in an object that was sent, if the server says."""

    def __init__(self, status: int, message: str, token: str = "", field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.token = token
        self.field = field


class DeadlineError(RequestError):
    """The time for everything, or what may be read altogether, is over."""


class _Meta(msgspec.Struct):
    continue_: str = msgspec.field(default="", name="continue")


class _Cause(msgspec.Struct):
    field: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    kind: str = ""
    message: str = ""
    metadata: _Meta | None = None
    details: _Details | None = None

    @property
    def field(self) -> str:
        causes = self.details.causes if self.details else None
        return causes[0].field if causes else ""


class Page(msgspec.Struct):
    """One page of a list, its items not yet decoded."""

    items: list[msgspec.Raw] | None = None
    metadata: _Meta | None = None


class Server:
    """Asks one API server, over one connection. ``calls`` counts the requests, ``bytes`` what was answered."""

    def __init__(self, access: Access, *, seconds: float, user: str = "", groups: tuple[str, ...] = ()) -> None:
        self.access = access
        self.calls = 0
        self.bytes = 0
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._impersonated = _impersonation(access, user, groups)
        self._login = Login(access)
        cluster = access.cluster
        self._place = _place(cluster.server, cluster.tls_server_name, cluster.proxy_url, access.context)
        self._kept: Connection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def left(self) -> float:
        """The seconds that are left for everything."""
        return self._until - time.monotonic()

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        accept: str = "application/json",
        limit: int = MAX_ANSWER,
        cut: bool = False,
        seconds: float = _SECONDS,
        attempts: int = _ATTEMPTS,
        through: bool = False,
    ) -> bytes:
        """The body of the answer to one GET, asked again where that may help. Raises RequestError, or AccessError where
        nobody gets in.

        ``cut``: of an answer that is longer than ``limit``, or that does not end in time, what came is enough.
        ``through``: whoever is behind the API server answers, and may refuse by itself.
        """
        target = self._target(path, parameters)
        return self._ask(target, accept, limit, cut, seconds, attempts, through)

    def dry_run(self, path: str, body: bytes, *, limit: int = MAX_ANSWER) -> bytes:
        """What the server would store if ``body``, JSON of an object, were created at ``path``: defaults filled in and
        admission passed, and nothing kept. Raises as ``get`` does.

        The only request that is no GET. It cannot be sent without ``dryRun=All``, and asking again does no harm:
        https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
        """
        target = self._target(path, {"dryRun": "All", "fieldValidation": "Ignore"})
        return self._ask(target, "application/json", limit, False, _SECONDS, _ATTEMPTS, False, body)

    def _ask(
        self,
        target: str,
        accept: str,
        limit: int,
        cut: bool,
        seconds: float,
        attempts: int,
        through: bool,
        sent: bytes | None = None,
    ) -> bytes:
        started = time.monotonic()
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            again = attempt < attempts and time.monotonic() - started < _AGAIN_SECONDS
            try:
                status, headers, body = self._once(target, accept, limit, cut, seconds, sent)
            except ssl.SSLCertVerificationError as error:
                raise AccessError(
                    f"the certificate of {self._place.shown} is not trusted: {error.verify_message}",
                    "kubeconfig needs the certificate authority of this cluster; get a new entry from your provider",
                ) from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                if self.left() <= 0:
                    raise self._over() from None
                if again and self._may_pass(error) and self._pause(0.2 * 2**attempt):
                    continue
                raise RequestError(0, unreachable(self._place, error)) from None
            if status == (200 if sent is None else 201):
                return body
            if status == 401 and not (through and _status(body).kind != "Status"):
                if not renewed and self._login.renew():
                    renewed = True
                    self.close()  # a certificate belongs to the connection
                    continue
                raise AccessError(
                    f"the API server does not accept the credentials of the context '{self.access.context}' (401)",
                    "they have expired or were revoked: log in again with your provider's tool",
                )
            if status in _AGAIN and again and self._pause(_wait(headers, attempt)):
                continue
            said = _status(body)
            message = said.message or http.client.responses.get(status, "no answer")
            token = said.metadata.continue_ if said.metadata else ""
            raise RequestError(status, f"{message[:500]} ({status})", token, said.field)

    def pages(
        self, path: str, parameters: Mapping[str, str], *, accept: str = "application/json"
    ) -> Iterator[Page | None]:
        """The pages of a list. None says that what came before it counts no more: the list was begun anew.

        Raises RequestError. A page that is too large is asked for in smaller ones.
        """
        token, size, restarts, garbled = "", PAGE, 0, 0
        for _ in range(_MOST_PAGES):
            wanted = {**parameters, "limit": str(size), **({"continue": token} if token else {})}
            try:
                page = _page(self.get(path, wanted, accept=accept))
            except RequestError as failed:
                if failed.status == 200 and not garbled:
                    garbled += 1  # what something in between made of it may be better the next time
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

    def upgrade(
        self, path: str, query: str, headers: Mapping[str, str], seconds: float
    ) -> tuple[Connection, Mapping[str, str], BinaryIO]:
        """Ask on a connection of its own for another protocol: the connection, the headers of the answer, and what to
        read from. The caller closes the connection. Raises RequestError, AccessError."""
        if self.left() <= 0:
            raise self._over()
        made = connection(self._place, self._login, self.left())
        made.deadline = time.monotonic() + min(seconds, self.left())
        self.calls += 1
        try:
            made.putrequest("GET", self._target(path, None) + "?" + query, skip_accept_encoding=True)
            for name, value in (*headers.items(), *self._headers()):
                made.putheader(name, value)
            made.endheaders()
            response = made.getresponse()
            if response.status == 101:
                told = {name.lower(): value for name, value in response.getheaders()}
                return made, told, cast(BinaryIO, response.fp)
            body = response.read(64 * 1024)
        except (OSError, http.client.HTTPException, ValueError) as error:
            made.close()
            raise RequestError(0, unreachable(self._place, error)) from None
        except BaseException:
            made.close()
            raise
        made.close()
        message = _status(body).message or http.client.responses.get(response.status, "no answer")
        raise RequestError(response.status, f"{message[:500]} ({response.status})")

    def _target(self, path: str, parameters: Mapping[str, str] | None) -> str:
        query = "?" + urlencode(parameters, quote_via=quote) if parameters else ""
        return self._place.url.path.rstrip("/") + path + query

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (("User-Agent", f"askew/{__version__}"), *self._login.headers().items(), *self._impersonated)

    def _over(self) -> DeadlineError:
        return DeadlineError(0, f"not everything could be read within {self._seconds:g} seconds (timeout=)")

    def _may_pass(self, error: Exception) -> bool:
        """Whether a fault is worth another try: not where nobody ever answered, or TLS is refused."""
        if isinstance(error, ssl.SSLError):
            return isinstance(error, ssl.SSLEOFError)
        return self.bytes > 0 or not isinstance(error, (ConnectionRefusedError, socket.gaierror))

    def _pause(self, seconds: float) -> bool:
        """Wait, if there is time for it."""
        seconds = min(seconds, _LONGEST_WAIT)
        if seconds >= self.left():
            return False
        time.sleep(seconds)
        return True

    def _once(
        self, target: str, accept: str, limit: int, cut: bool, seconds: float, sent: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self.left() <= 0:
            raise self._over()
        made = self._kept
        fresh = made is None
        if made is None:
            made = self._kept = connection(self._place, self._login, self.left())
        made.deadline = time.monotonic() + min(seconds, self.left())
        self.calls += 1
        try:
            made.putrequest("GET" if sent is None else "POST", target, skip_accept_encoding=True)
            for name, value in (("Accept", accept), ("Accept-Encoding", "gzip"), *self._headers()):
                made.putheader(name, value)
            if sent is not None:
                made.putheader("Content-Type", "application/json")
                made.putheader("Content-Length", str(len(sent)))
            made.endheaders(sent)
            response = made.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if fresh:
                raise
            return self._once(target, accept, limit, cut, seconds, sent)  # a kept connection that the server had closed
        whole = False
        try:
            body, whole = self._body(response, limit, cut)
        finally:
            keep = whole and not response.will_close
            response.close()
            if not keep:
                self.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body

    def _body(self, response: http.client.HTTPResponse, limit: int, cut: bool) -> tuple[bytes, bool]:
        """The body, and whether it was read to its end."""
        unzip = zlib.decompressobj(31) if response.getheader("content-encoding", "") == "gzip" else None
        parts: list[bytes] = []
        size = 0
        whole = False
        left = response.length  # counted here: read1 does so only in later releases of Python
        while size <= limit:
            try:
                raw = response.read1(_CHUNK if left is None else min(_CHUNK, left)) if left != 0 else b""
            except TimeoutError:
                if cut:
                    break
                raise
            if not raw:
                if left:
                    raise ConnectionResetError("the answer was cut off")
                whole = True
                break
            left = None if left is None else left - len(raw)
            self.bytes += len(raw)
            try:
                part = unzip.decompress(raw, limit + 1 - size) if unzip else raw
            except zlib.error:
                raise ConnectionResetError("the answer is not valid gzip") from None
            size += len(part)
            parts.append(part)
            if self.bytes > MAX_TOTAL:
                raise DeadlineError(0, f"all answers together are larger than {MAX_TOTAL:,} bytes")
        if size > limit and not cut:
            raise RequestError(413, f"the answer is larger than {limit:,} bytes")
        return b"".join(parts)[:limit], whole


def _place(server: str, server_name: str, proxy_url: str, context: str) -> Place:
    try:
        url = urlsplit(server if "://" in server else f"https://{server}")
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return Place(url=url, server_name=server_name, proxy_url=proxy_url)
    except ValueError:
        pass
    raise AccessError(f"the server of the context '{context}' is no URL", "expected https://HOST:PORT in kubeconfig")


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
    uid = access.user.impersonate_uid if not user else ""
    for each in (name, *named, uid):
        if not (each.isprintable() and each.isascii()):
            raise AccessError("a user or group to impersonate holds characters that no header can", "write plain ASCII")
    numbered = (("Impersonate-Uid", uid),) if uid else ()
    return (("Impersonate-User", name), *(("Impersonate-Group", group) for group in named), *numbered)
