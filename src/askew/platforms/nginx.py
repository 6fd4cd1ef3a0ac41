"""nginx in front of an engine: what its configuration lets through, for how long, and how often it tries again.

Sources: https://nginx.org/en/docs/http/ngx_http_proxy_module.html, ngx_http_core_module.html and
ngx_http_upstream_module.html; https://nginx.org/en/docs/syntax.html. What is not written is nginx's own default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from askew.evidence.launch import Content, Launch
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.address import host_and_port
from askew.knowledge.platform_defaults import default_of
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Confidence, Observation, Origin, Unknown
from askew.resolve.workload import Upstream

KEY = "nginx"
_MAIN = "/etc/nginx/nginx.conf"
# What the nginx.conf of the published images includes in its http block.
_INCLUDED = ("/etc/nginx/conf.d/*.conf", "/etc/nginx/templates/*.template", "/etc/nginx/templates/*.conf.template")
_IMAGES = re.compile(r"(?:^|/)(?:nginx|nginx-unprivileged|openresty)(?=$|[:@])")
_LARGEST = 1 << 20  # a megabyte; real files have a few hundred lines
_DEEPEST, _MOST = 20, 20_000
_WORD = re.compile(r"""\s+|\#[^\n]*|(?P<end>[;{}])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|"""
                   r"""(?P<plain>(?:\$\{[^}\n]*\}|\\.|[^\s;{}"'\\])+)|(?P<bad>.)""", re.DOTALL)  # fmt: skip
_TIME = re.compile(r"(\d+)(ms|s|m|h|d|w|M|y)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
# Locations that carry no request for an answer of a model.
_ASIDE = re.compile(r"health|ready|live(?:z|ness)|/ping|/metrics|status|/docs|openapi|favicon|/version|\\\.well-known")
_BALANCING = {"least_conn": "least_request", "ip_hash": "consistent_hash", "hash": "consistent_hash"}


class _Directive(msgspec.Struct, frozen=True):
    """One directive: its words, where it stands, and what stands in its braces."""

    words: tuple[str, ...]
    place: Location
    block: tuple[_Directive, ...] = ()

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def value(self) -> str:
        return " ".join(self.words[1:])


_Scope = Mapping[str, _Directive]


def upstreams(launch: Launch) -> tuple[Upstream, ...]:
    """Where an nginx passes requests on to, by its configuration; empty for anything else. Never raises."""
    if not _is_nginx(launch):
        return ()
    named = next((launch.argv[i + 1].text for i, one in enumerate(launch.argv[:-1]) if one.text == "-c"), _MAIN)
    main = launch.file(named)
    if main is not None:
        tree = _included(_read(main), launch, 0, _Budget())
    else:
        tree = tuple(
            one
            for path, content in sorted(launch.files.items())
            if any(fnmatchcase(path, pattern) for pattern in _INCLUDED)
            for one in _read(content)
        )
    http = [one for one in tree if one.name == "http"]
    roots = [part for one in http for part in one.block] if http else list(tree)
    # The image's own nginx.conf, which no source shows, may set what these files do not.
    sure: Confidence = "certain" if main is not None else "likely"
    groups = {one.words[1]: one for one in roots if one.name == "upstream" and len(one.words) > 1}
    return tuple(_below(roots, {}, groups, sure, ""))


def _is_nginx(launch: Launch) -> bool:
    if launch.argv and not launch.implicit_entrypoint:
        return launch.argv[0].text.rpartition("/")[2] in ("nginx", "openresty")
    named = not launch.argv or launch.argv[0].text.rpartition("/")[2] in ("nginx", "openresty")
    return named and launch.image is not None and _IMAGES.search(launch.image.text) is not None


def _read(content: Content) -> tuple[_Directive, ...]:
    """The directives of a file; those before a fault, where there is one."""
    text = content.text
    if len(text) > _LARGEST:
        return ()
    open_: list[tuple[tuple[str, ...], Location, list[_Directive]]] = [((), content.location, [])]
    words: list[str] = []
    start, line, seen = 0, 0, 0
    for match in _WORD.finditer(text):
        if not words and (match["plain"] or match["double"] or match["single"]):
            start = line
        line += match[0].count("\n")
        if match["bad"]:
            break
        end = match["end"]
        if end is None:
            word = match["plain"] or match["double"] or match["single"]
            if word is not None or match[0] in ('""', "''"):
                words.append(word or "")
            continue
        seen += 1
        if seen > _MOST or len(open_) > _DEEPEST:
            break
        if end == ";" and words:
            open_[-1][2].append(_Directive(tuple(words), content.place(start)))
        elif end == "{":
            open_.append((tuple(words) or ("",), content.place(start), []))
        elif end == "}":
            if len(open_) == 1:
                break
            name, place, block = open_.pop()
            open_[-1][2].append(_Directive(name, place, tuple(block)))
        words = []
    while len(open_) > 1:  # braces that were not closed
        name, place, block = open_.pop()
        open_[-1][2].append(_Directive(name, place, tuple(block)))
    return tuple(open_[0][2])


class _Budget:
    """What following includes may still cost: how many directives may come, and the files that were read already."""

    def __init__(self) -> None:
        self.left = _MOST
        self.files: dict[str, tuple[_Directive, ...]] = {}


def _included(tree: Sequence[_Directive], launch: Launch, depth: int, budget: _Budget) -> tuple[_Directive, ...]:
    """The directives with those of the files that they include in their place."""
    found: list[_Directive] = []
    for one in tree:
        budget.left -= 1
        if budget.left < 0 or depth > _DEEPEST:
            break
        if one.name == "include" and len(one.words) == 2:
            pattern = one.words[1] if one.words[1].startswith("/") else f"/etc/nginx/{one.words[1]}"
            for path in sorted(launch.files):
                if budget.left > 0 and fnmatchcase(path, pattern):
                    if path not in budget.files:
                        budget.files[path] = _read(launch.files[path])
                    found.extend(_included(budget.files[path], launch, depth + 1, budget))
        elif one.block:
            found.append(msgspec.structs.replace(one, block=_included(one.block, launch, depth + 1, budget)))
        else:
            found.append(one)
    return tuple(found)


def _below(
    block: Sequence[_Directive], outer: _Scope, groups: _Scope, sure: Confidence, part: str
) -> Iterator[Upstream]:
    """What each ``proxy_pass`` of a block and of those in it leads to; inner directives replace outer ones."""
    scope = {**outer, **{one.name: one for one in block if not one.block}}
    own = next((one for one in block if one.name in ("proxy_pass", "grpc_pass") and len(one.words) == 2), None)
    if own is not None:
        yield from _passed(own, scope, groups, sure, part)
    for one in block:
        if one.name == "location" and _ASIDE.search(one.value):
            continue
        if one.block and one.name in ("server", "location", "if", "http"):
            yield from _below(one.block, scope, groups, sure, one.value if one.name == "location" else part)


def _passed(own: _Directive, scope: _Scope, groups: _Scope, sure: Confidence, part: str) -> Iterator[Upstream]:
    found = host_and_port(own.words[1])
    if found is None or "$" in own.words[1]:
        return
    group = groups.get(own.words[1].partition("://")[2].partition("/")[0])
    servers = [one for one in group.block if one.name == "server" and len(one.words) > 1] if group is not None else []
    addresses = [each for one in servers if (each := host_and_port(one.words[1])) is not None] or [found]
    met = (*_limits(scope, own.name[:4], sure), *_between(scope, group, len(addresses), sure))
    for host, port in dict.fromkeys(addresses):
        yield Upstream(host=host, port=port, part=part, observations=met, place=own.place)


def _limits(scope: _Scope, kind: str, sure: Confidence) -> Iterator[Observation]:
    """Times, sizes and buffering. ``kind`` is ``prox`` for HTTP, ``grpc`` for gRPC, which is never buffered."""
    prefix = "grpc" if kind == "grpc" else "proxy"
    yield _said(scope, f"{prefix}_read_timeout", "proxy_read_timeout", "serving.read_timeout", sure, seconds)
    yield _said(scope, "client_max_body_size", "client_max_body_size", "serving.max_body.bytes", sure, _size)
    yield _said(scope, "keepalive_timeout", "keepalive_timeout", "serving.idle_timeout", sure, _first)
    if prefix == "proxy":
        yield _said(scope, "proxy_buffering", "proxy_buffering", "serving.buffering", sure, _switch)


def _said(
    scope: _Scope, name: str, setting: str, fact: str, sure: Confidence, read: Callable[[str], Value | Unknown]
) -> Observation:
    written = scope.get(name)
    if written is None:
        row = default_of("nginx", setting)
        return _observation(fact, row.value, "platform-default", row.citation, sure)
    hidden = "$" in written.value
    value = Unknown("set by a variable of nginx", text=written.value) if hidden else read(written.value)
    return _observation(fact, value, "config-file", written.place)


def _between(scope: _Scope, group: _Directive | None, servers: int, sure: Confidence) -> Iterator[Observation]:
    """What happens between several servers: how they are chosen, and whether the next is tried."""
    if servers < 2 or group is None:
        return
    method = next((one for one in group.block if one.name in (*_BALANCING, "random")), None)
    name = "round_robin" if method is None else _BALANCING.get(method.name, "random")
    yield _observation("serving.load_balancing", name, "config-file", method.place if method else group.place)
    following, tries = scope.get("proxy_next_upstream"), scope.get("proxy_next_upstream_tries")
    on = following.words[1:] if following is not None else ("error", "timeout")
    number = int(tries.words[1]) if tries is not None and tries.value.isdecimal() and len(tries.value) < 6 else 0
    attempts = 1 if "off" in on else min(number or servers, servers)
    entry: dict[str, Value] = {"attempts": attempts, "on": [word for word in on if word != "off"]}
    written = [one.place for one in (following, tries) if one is not None]
    row = default_of("nginx", "proxy_next_upstream")
    yield observed(
        "serving.retries",
        entry,
        *(written or (row.citation,)),
        origin="config-file" if written else "platform-default",
        confidence="certain" if written else sure,
        key=KEY,
    )


def _observation(
    fact: str, value: Value | Unknown, origin: Origin, place: Location, sure: Confidence = "certain"
) -> Observation:
    because = ("unless a file that no source shows says otherwise",) if sure != "certain" else ()
    return observed(fact, value, place, origin=origin, confidence=sure, because=because)


def seconds(text: str) -> Value | Unknown:
    """An nginx time as seconds: ``60``, ``5m``, ``1h 30m``, ``500ms``."""
    words = text.replace('"', "").split()
    total = 0.0
    for word in words:
        at = 0
        while at < len(word):
            match = _TIME.match(word, at)
            if match is None or len(match[1]) > 10:
                return Unknown("not a time that nginx reads", text=text)
            total += int(match[1]) * _SECONDS[match[2] or "s"]
            at = match.end()
    if not words:
        return Unknown("no time is written", text=text)
    return int(total) if total.is_integer() else total


def _first(text: str) -> Value | Unknown:
    """``keepalive_timeout`` takes a second time for a header of the answer."""
    return seconds(text.partition(" ")[0])


def _size(text: str) -> Value | Unknown:
    from askew.facts.values.quantity import nginx_size

    try:
        return nginx_size(text)
    except ValueError as error:
        return Unknown(str(error), text=text)


def _switch(text: str) -> Value | Unknown:
    return {"on": True, "off": False}.get(text, Unknown("neither on nor off", text=text))
