"""Where an endpoint is and who asks: the parts of its URL, and the credentials that go with the questions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from askew.collectors.connections import Proxy, basic, proxy, proxy_url

PORTS = {"http": 80, "https": 443}
API_KEY = "ASKEW_API_KEY"
# What people paste: the base URL that clients of OpenAI's interface want. Engines have more beside /v1 than below it.
_BASE_URL = re.compile(r"(?:/v1)?(?:/(?:models|chat/completions|completions))?/*\Z")
# One model, as TensorFlow Serving has them, which lists none.
_MODEL = re.compile(r"/v1/models/[^/]+\Z")


class AddressError(Exception):
    """Why a URL names no endpoint, and what to write instead. Neither holds credentials."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint. ``shown`` is its URL without credentials and without a slash at its end; ``prefix`` is the path
    below which its interface lies, empty or beginning with a slash; ``model`` is the path below that of one model,
    where the URL names one. ``authorization`` is the header that is sent, ``proxy`` what stands in between."""

    scheme: str
    host: str
    port: int
    prefix: str
    shown: str
    model: str = ""
    authorization: str = ""
    proxy: Proxy | None = None

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL, without a port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def address(url: str, env: Mapping[str, str], variable: str = API_KEY) -> Address:
    """Read a URL. Credentials come from the URL itself (``user:password@``), else from a variable of ``env`` (a bearer
    token), else from the entry of ``~/.netrc`` for this host. The proxy is that of this process's environment.

    Raises AddressError.
    """
    parts = _split(url)
    if parts.query or parts.fragment:
        raise AddressError("the URL has a query or a fragment", "name the server alone, such as http://host:8000")
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError:
        raise AddressError("the port is no number up to 65535", "write it as in http://host:8000") from None
    host = parts.hostname or ""
    if not host or re.search(r"[\s\x00-\x1f\x7f-\x9f]", url):
        raise AddressError("no host is named", "write it as in http://host:8000")
    path = parts.path.rstrip("/")
    one = _MODEL.search(path)
    prefix = path[: one.start()] if one is not None else _BASE_URL.sub("", path)
    model = one[0] if one is not None else ""
    bare = Address(scheme=parts.scheme, host=host, port=port, prefix=prefix, shown="", model=model)
    shown = f"{parts.scheme}://{bare.netloc}{prefix}"
    authorization = _authorization(parts, host, env, variable)
    return msgspec.structs.replace(bare, shown=shown, authorization=authorization, proxy=_proxy(bare))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket that is not closed
        raise AddressError("this is no URL", "write it as in http://host:8000") from None


def _proxy(where: Address) -> Proxy | None:
    url = proxy_url(where.scheme, where.host, where.port)
    try:
        return proxy(url) if url else None
    except ValueError:
        raise AddressError(
            f"the proxy that {where.scheme.upper()}_PROXY names is no http:// URL, and only such are supported",
            f"set another, or name {where.host} in NO_PROXY",
        ) from None


def _authorization(parts: SplitResult, host: str, env: Mapping[str, str], variable: str) -> str:
    if parts.username is not None:
        if not parts.password:
            raise AddressError(
                "the URL has a user without a password", f"write user:password@, or put a token into {variable}"
            )
        return basic(unquote(parts.username), unquote(parts.password))
    key = env.get(variable, "").strip()
    if key:
        if re.search(r"[^!-~]", key):
            raise AddressError(f"{variable} holds what no header can", "set it to the key alone")
        return f"Bearer {key}"
    return _from_netrc(host, env)


def _from_netrc(host: str, env: Mapping[str, str]) -> str:
    """The entry of this host; the one that stands for all hosts is not for whoever is asked here."""
    path = env.get("NETRC") or os.path.join(os.path.expanduser("~"), ".netrc")
    if not os.path.isfile(path):
        return ""
    from netrc import NetrcParseError, netrc

    try:
        entry = netrc(path).hosts.get(host)
    except NetrcParseError as error:
        raise AddressError(f"{path}:{error.lineno or 0} cannot be read: {error.msg}", "correct this line") from None
    except (OSError, UnicodeDecodeError):
        return ""
    return basic(entry[0], entry[2]) if entry is not None and entry[2] else ""


def without_user(url: str) -> str:
    """A URL as it may be shown: what stands before its host may be a password, or a token."""
    return re.sub(r"(?<=//).*@", "", url, count=1, flags=re.DOTALL)
