"""``askew golden``: inference requests to a server, because the user asked for them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping

import msgspec

from askew import __version__
from askew.app.errors import UsageError
from askew.collectors.asking import Reply, ask
from askew.collectors.http.address import API_KEY, Address, AddressError, address, without_user
from askew.collectors.http.transport import TOTAL, Transport
from askew.engines.live import Ask
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor, shown
from askew.facts.types import Value
from askew.probe.agree import Tolerance
from askew.probe.find import Served
from askew.probe.golden import Checked, Golden, read, record, verify
from askew.probe.speak import Json, ProbeError, Send
from askew.resolve.workload import Workload

_LARGEST = 32 * 2**20
_ANSWER = 120.0  # seconds for one answer
_DEEPEST = 64  # maps and lists in one another
_SHORTEST = 8  # characters of a secret that is looked for in answers: shorter words stand there by chance
_SHARE = 0.25  # of the time, to ask who is there


def recorded(
    url: str,
    inputs: str,
    *,
    api: str,
    model: str,
    max_tokens: int,
    tolerance: Tolerance,
    now: str,
    timeout: float,
    progress: Callable[[str], None] | None,
) -> tuple[Golden, bool]:
    """Record golden outputs; whether Ctrl-C ended it. Raises UsageError where there are none."""
    given = _inputs(_content(inputs), inputs)
    where = _address(url, os.environ)
    until = time.monotonic() + timeout
    try:
        served = _served(where, timeout, progress)
        return record(
            _send(where, until), where.shown, given, api=api, model=model or _named(where), max_tokens=max_tokens,
            tolerance=tolerance, tool=f"askew {__version__}", now=now, served=served, progress=progress,
        )  # fmt: skip
    except ProbeError as error:
        raise UsageError(f"{where.shown}: {error.message}", error.hint) from None


def verified(
    golden: Golden, url: str, *, model: str, now: str, timeout: float, progress: Callable[[str], None] | None
) -> tuple[Checked, bool]:
    """Verify golden outputs against a server, by default that of the recording; whether Ctrl-C ended it. Raises
    UsageError."""
    # A file may name any server: the key goes to one that the user names.
    env = os.environ if url else {name: value for name, value in os.environ.items() if name != API_KEY}
    where = _address(url or golden.url, env)
    until = time.monotonic() + timeout
    served = _served(where, timeout, progress)
    checked, interrupted = verify(
        _send(where, until), where.shown, golden, model=model or _named(where), tool=f"askew {__version__}", now=now,
        served=served, progress=progress,
    )  # fmt: skip
    # Excerpts go to terminals and reports, where no secret that a model repeats should stand.
    text = Redactor().text
    results = [
        msgspec.structs.replace(
            one, why=shown(text(one.why)), recorded=shown(text(one.recorded)), now=shown(text(one.now))
        )
        for one in checked.results
    ]
    return msgspec.structs.replace(checked, results=results), interrupted


def opened(file: str) -> Golden:
    """The golden outputs of a file. Raises UsageError."""
    try:
        return read(_content(file))
    except ProbeError as error:
        raise UsageError(f"{file}: {error.message}", error.hint) from None


def _address(url: str, env: Mapping[str, str]) -> Address:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{without_user(url)}: this is no address of a server", "write it as in http://host:8000")
    try:
        return address(url, env)
    except AddressError as error:
        raise UsageError(f"{without_user(url)}: {error.message}", error.hint) from None


def _named(where: Address) -> str:
    """The model that a URL names: http://host:8501/v1/models/NAME."""
    from urllib.parse import unquote

    return unquote(where.model.rpartition("/")[2])


def _served(where: Address, timeout: float, progress: Callable[[str], None] | None) -> Served:
    """What the server says of itself, asked with the same questions as ``http:`` asks."""
    from askew.app.snapshots import snapshots

    if progress is not None:
        progress("asking who is there")
    first = (Ask(where.model),) if where.model else ()
    transport = Transport(where, total=min(TOTAL, timeout * _SHARE))
    asked = ask(_masked(transport.get, where), Redactor(), where.shown, first=first)
    if asked.silent:
        faults = [one for one in asked.refused if one.status == 0]
        if len(faults) < len(asked.refused) or not faults:
            return Served()
        return Served(fault=faults[0].why, hint=faults[0].hint or "see whether it runs")
    scheme, _, name = where.shown.partition("://")
    at = Location(where.shown)
    workload = Workload(namespace=scheme, kind="Endpoint", name=name, source=where.shown, location=at, told=asked.told)
    facts: dict[str, Value] = {}
    for snapshot in snapshots(workload)[:1]:
        for key, resolved in snapshot.facts.items():
            if resolved.state == "known" and resolved.origin == "reported" and not key.startswith("performance."):
                facts[key] = resolved.value
    names = facts.get("model.served_names")
    return Served(
        engine=asked.engine,
        models=tuple(str(one) for one in names) if isinstance(names, list) else (),
        facts=dict(sorted(facts.items())),
    )


def _send(where: Address, until: float) -> Send:
    left = max(until - time.monotonic(), 0.0)
    return _masked(Transport(where, total=left, answer=min(_ANSWER, left)).get, where)


def _masked(get: Send, where: Address) -> Send:
    """``get``, without the credentials that a server sends back: an answer is kept as it is, and so would they be."""
    secrets = _secrets(where.authorization)
    if not secrets:
        return get

    def send(question: Ask) -> Reply:
        reply = get(question)
        body = reply.body
        for secret in secrets:
            body = body.replace(secret, b"<redacted>")
        return reply if body is reply.body else msgspec.structs.replace(reply, body=body)

    return send


def _secrets(authorization: str) -> list[bytes]:
    import base64

    scheme, _, token = authorization.partition(" ")
    found = [token]
    if scheme.lower() == "basic":
        found.append(base64.b64decode(token).decode("utf-8", "replace").partition(":")[2])
    spelled = (form for one in found for form in (one, json.dumps(one)[1:-1], one.replace("/", "\\/")))
    return [one.encode() for one in dict.fromkeys(spelled) if len(one) >= _SHORTEST]


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
        return [_shallow(one, f"{path}: input {number}") for number, one in enumerate(whole, 1)]
    found: list[Json] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            hint = 'a text stands in double quotes: "Hello"; a request in braces: {"messages": […]}'
            raise UsageError(f"{path}:{number}: no JSON: {str(error)[:200]}", hint) from None
        found.append(_shallow(given, f"{path}:{number}"))
    return found


def _shallow(given: Json, place: str) -> Json:
    stack: list[tuple[object, int]] = [(given, 0)]
    while stack:
        one, depth = stack.pop()
        if depth > _DEEPEST:
            raise UsageError(f"{place}: more than {_DEEPEST} lists and maps in one another", "give a flatter input")
        if isinstance(one, (Mapping, list)):
            stack.extend((part, depth + 1) for part in (one.values() if isinstance(one, Mapping) else one))
    return given
