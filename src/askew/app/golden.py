"""``askew golden``: inference requests to a server, because the user asked for them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from askew import __version__
from askew.app.errors import UsageError
from askew.collectors.http.address import AddressError, address
from askew.collectors.http.transport import Transport
from askew.probe.agree import Tolerance
from askew.probe.golden import Checked, Golden, read, record, verify
from askew.probe.speak import Json, ProbeError

_LARGEST = 32 * 2**20
_ANSWER = 120.0  # seconds for one answer


def recorded(
    url: str,
    inputs: str,
    *,
    kind: str,
    model: str,
    max_tokens: int,
    tolerance: Tolerance,
    now: str,
    timeout: float,
    progress: Callable[[str], None] | None,
) -> Golden:
    """Record golden outputs. Raises UsageError where that cannot be done."""
    shown, transport = _transport(url, timeout)
    try:
        return record(
            transport.get, shown, _inputs(_content(inputs), inputs), kind=kind, model=model, max_tokens=max_tokens,
            tolerance=tolerance, tool=f"askew {__version__}", now=now, progress=progress,
        )  # fmt: skip
    except ProbeError as error:
        raise UsageError(f"{shown}: {error.message}", error.hint) from None


def verified(
    file: str, url: str, *, model: str, now: str, timeout: float, progress: Callable[[str], None] | None
) -> Checked:
    """Verify golden outputs against a server, by default that of the recording. Raises UsageError."""
    try:
        golden = read(_content(file))
    except ProbeError as error:
        raise UsageError(f"{file}: {error.message}", error.hint) from None
    shown, transport = _transport(url or golden.url, timeout)
    tool = f"askew {__version__}"
    return verify(transport.get, shown, golden, model=model, tool=tool, now=now, progress=progress)


def _transport(url: str, timeout: float) -> tuple[str, Transport]:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url}: this is no address of a server", "write it as in http://host:8000")
    try:
        where = address(url, os.environ)
    except AddressError as error:
        raise UsageError(f"{url}: {error.message}", error.hint) from None
    return where.shown, Transport(where, total=timeout, answer=min(_ANSWER, timeout))


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "name a file that can be read") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{path}: more than {_LARGEST:,} bytes", "give fewer inputs")
    return data


def _inputs(data: bytes, path: str) -> list[Json]:
    """One JSON value a line, or a JSON list. Raises UsageError with the line."""
    if data.lstrip().startswith(b"["):
        try:
            whole = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: no JSON: {str(error)[:200]}", "give a list, or one JSON value a line") from None
        return list(whole)
    found: list[Json] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            hint = 'a text stands in double quotes: "Hello"; a request in braces: {"messages": […]}'
            raise UsageError(f"{path}:{number}: no JSON: {str(error)[:200]}", hint) from None
    return found
