"""What ``k8s:`` URIs mean: ``k8s:prod/deployment/llm@previous``, ``k8s://context/prod``, ``k8s:*``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import unquote

import msgspec

Revision: TypeAlias = Literal["", "previous", "number", "applied"]

FORM = "k8s:[NAMESPACE[/KIND/NAME[@previous|@revision=N|@applied]]], k8s://CONTEXT[,CONTEXT…]/…, or k8s:* for all"
_COMMON: dict[str, str] = {
    "context": "a context of kubeconfig",
    "as": "a user to impersonate",
    "as-group": "a group to impersonate",
    "timeout": "seconds for everything",
}
_OPTIONS: dict[str, str] = {
    "selector": "labels as kubectl -l takes them",
    "all": "on: every namespace",
    "logs": "on: the logs of containers",
    "endpoints": "on: what pods answer through the API server",
    "exec": "on: commands that only read, in containers",
    "events": "off: no events",
    "secrets": "off: no Secrets, not even digests",
    **_COMMON,
}
_SWITCHES = ("all", "logs", "endpoints", "exec", "events", "secrets")
# RFC 1123 names, as Kubernetes has them; names of custom kinds may hold dots.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9.-]+)?")
_LONGEST = 3600.0
_SECONDS, _SECONDS_EVERYWHERE = 120.0, 600.0


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask a cluster. ``users`` and ``groups`` are impersonated, ``seconds`` bounds everything."""

    context: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    seconds: float = _SECONDS


class Target(Common, frozen=True, kw_only=True):
    """What to read. ``contexts`` is empty for the current one; ``namespace`` is empty for that of the context.

    ``kind`` is as the user wrote it (``deploy``, ``model.kubeai.org``).
    """

    contexts: tuple[str, ...] = ()
    namespace: str = ""
    everywhere: bool = False
    kind: str = ""
    name: str = ""
    revision: Revision = ""
    number: int = 0
    selector: str = ""
    logs: bool = False
    endpoints: bool = False
    exec: bool = False
    events: bool = True
    secrets: bool = True


class TargetError(Exception):
    """A URI that is none: what was expected is in ``hint``."""

    def __init__(self, message: str, hint: str = FORM) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse(target: str, options: tuple[tuple[str, str], ...]) -> Target:
    """The target of a URI. Raises TargetError, which says what was expected."""
    rest = target
    contexts: tuple[str, ...] = ()
    if target.startswith("//"):
        names, _, rest = target[2:].partition("/")
        contexts = tuple(unquote(name) for name in names.split(",") if name)
        if not contexts:
            raise TargetError(f"k8s:{target} names no context", "write k8s://CONTEXT/NAMESPACE, or k8s:NAMESPACE")
    parts, revision, number = _revision(rest)
    given = _given(options, _OPTIONS)
    shared = _common(options, given)
    everywhere = given.pop("all", "off") == "on"
    namespace, kind, name = "", "", ""
    words = [part for part in parts.split("/") if part]
    if words:
        namespace = words[0]
    if namespace == "*":
        namespace, everywhere = "", True
    elif namespace and not _NAMESPACE.fullmatch(namespace):
        raise TargetError(f"'{namespace}' is no name of a namespace", FORM)
    if len(words) == 2:
        raise TargetError(
            f"'{words[1]}' has no name behind it",
            f"write k8s:{namespace or '*'}/KIND/NAME, such as deployment/{_example(words[1])}; "
            f"k8s:{namespace or '*'} shows all",
        )
    if len(words) > 3:
        raise TargetError(f"'{'/'.join(words[3:])}' is too much", FORM)
    if len(words) == 3:
        kind, name = words[1], words[2]
        if not _KIND.fullmatch(kind):
            raise TargetError(
                f"'{kind}' is no kind", "write a kind as kubectl takes it: deployment, sts, model.kubeai.org"
            )
        if not _NAME.fullmatch(name):
            raise TargetError(f"'{name}' is no name of an object", FORM)
        if everywhere:
            raise TargetError("one workload is in one namespace", f"write k8s:NAMESPACE/{kind}/{name}")
    elif revision in ("previous", "number"):
        raise TargetError(
            "a revision is that of one workload", "write k8s:NAMESPACE/deployment/NAME@previous, or @revision=N"
        )
    return Target(
        context=shared.context,
        user=shared.user,
        groups=shared.groups,
        seconds=_SECONDS_EVERYWHERE if everywhere and "timeout" not in given else shared.seconds,
        contexts=contexts or ((shared.context,) if shared.context else ()),
        namespace=namespace,
        everywhere=everywhere,
        kind=kind,
        name=name,
        revision=revision,
        number=number,
        selector=given.get("selector", ""),
        logs=given.get("logs") == "on",
        endpoints=given.get("endpoints") == "on",
        exec=given.get("exec") == "on",
        events=given.get("events") != "off",
        secrets=given.get("secrets") != "off",
    )


def _revision(text: str) -> tuple[str, Revision, int]:
    rest, at, word = text.partition("@")
    if not at:
        return text, "", 0
    if word in ("previous", "applied"):
        return rest, "previous" if word == "previous" else "applied", 0
    digits = word.removeprefix("revision=")
    if digits != word and digits.isascii() and digits.isdigit() and int(digits[:18]) > 0:
        return rest, "number", int(digits[:18])
    raise TargetError(f"'@{word}' is no revision", "write @previous, @revision=7 or @applied")


def common(options: tuple[tuple[str, str], ...]) -> Common:
    """What every source in a cluster takes. Raises TargetError."""
    return _common(options, _given(options, _COMMON))


def _common(options: tuple[tuple[str, str], ...], given: dict[str, str]) -> Common:
    return Common(
        context=given.get("context", ""),
        user=given.get("as", ""),
        groups=tuple(unquote(value) for key, value in options if key == "as-group"),
        seconds=_seconds(given["timeout"]) if "timeout" in given else _SECONDS,
    )


def _given(options: Iterable[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
    """The last of each: options of the source come after those of the command line."""
    given: dict[str, str] = {}
    for key, raw in options:
        value = unquote(raw)
        if key not in known:
            raise TargetError(f"'{key}' is no option of a cluster", f"these are: {', '.join(known)}")
        if key in _SWITCHES and value not in ("on", "off"):
            raise TargetError(f"'{key}={value}' is neither on nor off", f"write {key}=on or {key}=off")
        if not value:
            raise TargetError(f"'{key}' has no value", f"it is {known[key]}")
        given[key] = value
    if "as-group" in given and "as" not in given:
        raise TargetError("a group is impersonated only together with a user", "write ?as=USER&as-group=GROUP")
    return given


def _example(word: str) -> str:
    """The name that was probably meant: people leave out the kind more often than the name."""
    return "llm" if word.lower().rstrip("s") in ("deployment", "statefulset", "daemonset", "pod", "job") else word


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= _LONGEST:
        raise TargetError(f"'timeout={text}' is no number of seconds up to {_LONGEST:g}", "write timeout=120")
    return seconds
