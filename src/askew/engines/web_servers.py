"""Servers of Python applications that no engine folder knows: gunicorn, uvicorn, hypercorn.

Their own limits are a hop of the application in them. Sources: https://docs.gunicorn.org/en/stable/settings.html;
https://www.uvicorn.org/settings/; https://hypercorn.readthedocs.io/; the defaults are platform defaults.
"""

from __future__ import annotations

import functools
import shlex

import msgspec

from askew.engines.arguments import ARGPARSE, Dialect, Given, Parsed, Table, parse, table
from askew.engines.flags import Flag
from askew.engines.observe import observe
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.address import host_and_port
from askew.knowledge.platform_defaults import default_of
from askew.resolve.observation import Confidence, Observation, Unknown

_CLICK = Dialect(name="click", abbreviations=False, spaced_is_word=False)
_TOTAL, _IDLE, _LIMIT = "serving.request_timeout", "serving.idle_timeout", "serving.max_concurrency"
_HOST, _PORT = "serving.listen_host", "serving.port"


class Served(msgspec.Struct, frozen=True):
    """What the server's own arguments say, and the names of those that are said by this."""

    observations: tuple[Observation, ...] = ()
    taken: frozenset[str] = frozenset()


def read(launch: Launch) -> Served:
    """The observations of the server that a launch starts; nothing for any other program. Never raises."""
    for index, token in enumerate(launch.argv[:4]):
        name = token.text.rpartition("/")[2]
        if name in ("gunicorn", "uvicorn", "hypercorn"):
            words = launch.argv[index + 1 :]
            if name == "gunicorn":
                return _gunicorn(words, launch)
            return _uvicorn(words, launch) if name == "uvicorn" else _hypercorn(words, launch)
    return Served()


@functools.cache
def _table(name: str) -> Table:
    values: dict[str, tuple[tuple[str, ...], ...]] = {
        "gunicorn": (
            ("--bind", "-b"), ("--timeout", "-t"), ("--worker-class", "-k"), ("--threads",), ("--keep-alive",),
            ("--config", "-c"), ("--workers", "-w"), ("--worker-connections",), ("--graceful-timeout",),
            ("--max-requests",), ("--max-requests-jitter",), ("--chdir",), ("--name", "-n"), ("--log-level",),
            ("--access-logfile",), ("--error-logfile",), ("--backlog",), ("--worker-tmp-dir",), ("--pythonpath",),
            ("--certfile",), ("--keyfile",), ("--env", "-e"), ("--forwarded-allow-ips",),
        ),
        "uvicorn": (
            ("--host",), ("--port",), ("--timeout-keep-alive",), ("--limit-concurrency",), ("--workers",), ("--loop",),
            ("--http",), ("--ws",), ("--log-level",), ("--root-path",), ("--app-dir",), ("--env-file",), ("--backlog",),
            ("--log-config",), ("--timeout-graceful-shutdown",), ("--limit-max-requests",), ("--ssl-keyfile",),
            ("--ssl-certfile",), ("--uds",), ("--fd",), ("--lifespan",), ("--interface",), ("--forwarded-allow-ips",),
        ),
        "hypercorn": (
            ("--bind", "-b"), ("--keep-alive",), ("--config", "-c"), ("--workers", "-w"), ("--worker-class", "-k"),
            ("--log-level",), ("--access-logfile",), ("--error-logfile",), ("--graceful-timeout",), ("--backlog",),
        ),
    }  # fmt: skip
    flags = tuple(Flag(names=names, irrelevant="read here") for names in values[name])
    return table(flags, ARGPARSE if name != "uvicorn" else _CLICK, title=name)


def _last(parsed: Parsed) -> dict[str, Given]:
    return {given.flag.names[0]: given for given in parsed.given if given.values}


def _gunicorn(words: tuple[Token, ...], launch: Launch) -> Served:
    """A sync worker, the default, that is silent for the timeout is killed, and its request with it; workers of other
    classes only have to keep answering the arbiter."""
    given = _last(parse((*_variable(launch), *words), _table("gunicorn")))
    found = _bound(given.get("--bind"))
    taken = {"--bind", "-b"} if found else set()
    kind, threads = _text(given.get("--worker-class")), _text(given.get("--threads"))
    sync = (kind or "sync") == "sync" and threads in ("", "1")
    unseen = _unseen(given.get("--config"))
    timeout = given.get("--timeout")
    if timeout is not None and sync:
        found.extend(_said(_TOTAL, timeout, "gunicorn", zero=True))
        taken |= {"--timeout", "-t"}
    elif sync:
        found.append(_default(_TOTAL, "gunicorn", "timeout", launch, unseen))
    keep = given.get("--keep-alive")
    if not sync:
        if keep is not None:
            found.extend(_said(_IDLE, keep, "gunicorn"))
            taken |= {"--keep-alive"}
        else:
            found.append(_default(_IDLE, "gunicorn", "keepalive", launch, unseen))
    return Served(tuple(found), frozenset(taken))


def _variable(launch: Launch) -> tuple[Token, ...]:
    """``GUNICORN_CMD_ARGS``: further arguments, over which those of the command line win."""
    variable = launch.env.get("GUNICORN_CMD_ARGS")
    if variable is None or not variable.value or variable.unknown is not None:
        return ()
    try:
        words = shlex.split(variable.value)
    except ValueError:
        return ()
    return tuple(Token(word, variable.location) for word in words)


def _uvicorn(words: tuple[Token, ...], launch: Launch) -> Served:
    given = _last(parse(words, _table("uvicorn")))
    found: list[Observation] = []
    for name, fact, setting in (
        ("--timeout-keep-alive", _IDLE, "timeout_keep_alive"),
        ("--limit-concurrency", _LIMIT, "limit_concurrency"),
    ):
        if name in given:
            found.extend(_said(fact, given[name], "uvicorn"))
        else:
            found.append(_default(fact, "uvicorn", setting, launch, ""))
    for name, fact in (("--host", _HOST), ("--port", _PORT)):
        if name in given:
            found.extend(_said(fact, given[name], ""))
    return Served(tuple(found), frozenset(("--timeout-keep-alive", "--limit-concurrency", "--host", "--port")))


def _hypercorn(words: tuple[Token, ...], launch: Launch) -> Served:
    given = _last(parse(words, _table("hypercorn")))
    found = _bound(given.get("--bind"))
    unseen = _unseen(given.get("--config"))
    if "--keep-alive" in given:
        found.extend(_said(_IDLE, given["--keep-alive"], "hypercorn"))
    else:
        found.append(_default(_IDLE, "hypercorn", "keep_alive_timeout", launch, unseen))
    return Served(tuple(found), frozenset(("--keep-alive", *(("--bind", "-b") if len(found) > 1 else ()))))


def _unseen(config: Given | None) -> str:
    return f"{config.values[0].text} may set it, and no source shows what it does" if config is not None else ""


def _bound(given: Given | None) -> list[Observation]:
    """``0.0.0.0:8000``; a socket file or a descriptor states nothing."""
    if given is None or given.values[0].unknown is not None:
        return []
    text = given.values[0].text
    found = None if text.startswith(("unix:", "fd:")) else host_and_port(text if text[:1] != ":" else f"0.0.0.0{text}")
    if found is None or found[1] is None:
        return []
    where = (given.values[0].location,)
    return [
        *observe(_HOST, found[0], origin="explicit", locations=where, order=given.order).observations,
        *observe(_PORT, found[1], origin="explicit", locations=where, order=given.order).observations,
    ]


def _said(fact: str, given: Given, hop: str, *, zero: bool = False) -> list[Observation]:
    word = given.values[0]
    if word.unknown is not None:
        value: Value | Unknown = Unknown(word.unknown, text=word.text)
        return [Observation(fact=fact, value=value, origin="explicit", locations=(word.location,), hop=hop)]
    raw: Value = "unlimited" if zero and word.text.strip() == "0" else word.text
    noted = observe(fact, raw, origin="explicit", locations=(word.location,), order=given.order, name=given.spelled)
    return [msgspec.structs.replace(one, hop=hop) for one in noted.observations]


def _default(fact: str, component: str, setting: str, launch: Launch, unseen: str) -> Observation:
    row = default_of(component, setting)
    places: tuple[Location, ...] = (launch.location, row.citation)
    if unseen:
        value: Value | Unknown = Unknown(unseen)
        return Observation(fact=fact, value=value, origin="platform-default", locations=places, hop=component)
    # gunicorn reads ./gunicorn.conf.py where there is one; an application may start uvicorn by itself.
    confidence: Confidence = "likely"
    because = (f"{component}'s default, unless a file in the image says otherwise",)
    return Observation(
        fact=fact, value=row.value, origin="platform-default", locations=places, confidence=confidence, hop=component,
        because=because,
    )  # fmt: skip


def _text(given: Given | None) -> str:
    return given.values[0].text.strip() if given is not None and given.values[0].unknown is None else ""
