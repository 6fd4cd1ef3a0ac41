"""Lengths of time in seconds, one function for each dialect: a bare `60` is 60 seconds to nginx, 60 ms to HAProxy.

Every function returns an int when the time is whole seconds, else a float; "unlimited" where the dialect has a word for
it. What zero means (no limit, or at once) belongs to the setting, not to the dialect: zero comes back as 0.
All raise ValueNotUnderstood. Arithmetic is exact, in nanoseconds.
"""

from __future__ import annotations

import re

from askew.facts.values.errors import LONGEST, ValueNotUnderstood

UNLIMITED = "unlimited"

_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DAYS = {**_NS, "d": 86_400 * 10**9, "w": 7 * 86_400 * 10**9}
_LARGEST = 2**63 - 1

_PART = r"(?a)(\d+\.?\d*|\.\d+)([a-zµμ]+)"
_GATEWAY = r"(?a)(?:\d{1,5}(?:ms|[hms])){1,4}"
_PROTOBUF = r"(?a)\d{1,12}(?:\.\d{1,9})?s"
_NGINX = r"(?a) *(\d+)(ms|[wdhms]?)"
_HAPROXY = r"(?a)(\d+)(us|ms|s|m|h|d)?"
_SYSTEMD = r"(?ai)\s*(\d+\.?\d*|\.\d+)\s*([a-zµμ]*)"

# systemd.time(7). A month is 30.44 days and a year 365.25 days there.
_SYSTEMD_UNITS = {
    spelling: nanoseconds
    for spellings, nanoseconds in (
        ("nsec ns", 1),
        ("usec us µs μs", 1_000),
        ("msec ms", 1_000_000),
        ("seconds second sec s", 10**9),
        ("minutes minute min m", 60 * 10**9),
        ("hours hour hr h", 3600 * 10**9),
        ("days day d", 86_400 * 10**9),
        ("weeks week w", 7 * 86_400 * 10**9),
        ("months month M", 2_629_800 * 10**9),
        ("years year y", 31_557_600 * 10**9),
    )
    for spelling in spellings.split()
}


def go_duration(text: object) -> int | float:
    """Seconds of a Go duration, as time.ParseDuration reads it: `1h30m`, `1.5s`, `300ms`, `0`.

    Kubernetes' metav1.Duration, Helm, Istio's VirtualService and most Go programs use it. Negative times are refused:
    no timeout has one. Source: pkg.go.dev/time#ParseDuration.
    """
    return _parts(text, _NS, "a Go duration", "1h30m, 90s or 300ms")


def kubernetes_duration(text: object) -> int | float:
    """Seconds of a Kubernetes metav1.Duration, which is a Go duration."""
    return go_duration(text)


def istio_duration(text: object) -> int | float:
    """Seconds of an Istio duration (istio.io: `1h/1m/1s/1ms`), which is read as a Go duration."""
    return go_duration(text)


def traefik_duration(value: object) -> int | float:
    """Seconds of a Traefik duration: a Go duration, or bare digits for seconds.

    Source: doc.traefik.io, EntryPoints, "respondingTimeouts".
    """
    text = _text(value)
    if text.isascii() and text.isdecimal():
        return int(text)
    return _parts(text, _NS, "a Traefik duration", "90s or 90")


def compose_duration(text: object) -> int | float:
    """Seconds of a Compose duration such as stop_grace_period: a Go duration that also knows `d` and `w`.

    Source: the Compose specification, "Specifying durations"; compose-go reads them with go-str2duration.
    """
    return _parts(text, _DAYS, "a Compose duration", "1m30s")


def gateway_api_duration(text: object) -> int | float:
    """Seconds of a Gateway API duration: one to four whole numbers with h, m, s or ms: `1h30m`, `500ms`.

    No fractions. Source: gateway-api.sigs.k8s.io/geps/gep-2257.
    """
    if not re.fullmatch(_GATEWAY, _text(text)):
        raise ValueNotUnderstood(
            text, "a Gateway API duration", "1h30m or 500ms", "whole numbers with h, m, s or ms only"
        )
    return _parts(text, _NS, "a Gateway API duration", "1h30m or 500ms")


def protobuf_duration(text: object) -> int | float:
    """Seconds of a protobuf Duration in JSON: `60s`, `0.5s`; always in seconds, with up to nine decimals.

    Source: protobuf.dev/programming-guides/json.
    """
    if not re.fullmatch(_PROTOBUF, _text(text)):
        raise ValueNotUnderstood(text, "a protobuf duration", "60s or 0.5s", "the only unit is s")
    return _parts(text, _NS, "a protobuf duration", "60s or 0.5s")


def envoy_duration(text: object) -> int | float:
    """Seconds of a duration in Envoy's configuration, which is a protobuf Duration."""
    return protobuf_duration(text)


def nginx_duration(value: object) -> int | float:
    """Seconds of an nginx timeout: `60`, `60s`, `1m30s`, `1h 30m`, `500ms`; no unit means seconds.

    Units go from large to small, each at most once. Source: ngx_parse_time in nginx src/core/ngx_parse.c, as the
    directives for timeouts call it (so `y` and `M` are no units); nginx.org/en/docs/syntax.html.
    """
    text = _text(value)
    order = ("w", "d", "h", "m", "s", "ms")
    total, position, last = 0, 0, -1
    stripped = text.rstrip(" ")
    while position < len(stripped):
        match = re.compile(_NGINX).match(stripped, position)
        unit = match[2] if match else ""
        step = order.index(unit) if unit else order.index("s")
        if match is None or step <= last or (not unit and match.end() < len(stripped)):
            break
        total += int(match[1]) * _DAYS[unit or "s"]
        position, last = match.end(), step
    if not stripped or position < len(stripped) or total > _LARGEST:
        raise ValueNotUnderstood(value, "an nginx time", "60s or 1m30s")
    return _seconds(total)


def haproxy_duration(value: object) -> int | float:
    """Seconds of an HAProxy time: one number with us, ms, s, m, h or d; no unit means milliseconds.

    Source: docs.haproxy.org, configuration manual, section 2.5 "Time format".
    """
    text = _text(value)
    match = re.fullmatch(_HAPROXY, text)
    if match is None:
        raise ValueNotUnderstood(value, "an HAProxy time", "30s, or 30000 for milliseconds")
    return _seconds(int(match[1]) * _DAYS[match[2] or "ms"])


def systemd_timespan(value: object) -> int | float | str:
    """Seconds of a systemd time span: `5min 20s`, `1h30min`, `90`; `infinity` is "unlimited".

    Source: systemd.time(7).
    """
    text = _text(value)
    stripped = text.strip()
    if stripped == "infinity":
        return UNLIMITED
    total, position = 0, 0
    while position < len(stripped):
        match = re.compile(_SYSTEMD).match(stripped, position)
        unit = _SYSTEMD_UNITS.get(match[2] or "s") if match else None
        if match is None or unit is None:
            break
        total += _scaled(match[1], unit)
        position = match.end()
    if not stripped or position < len(stripped):
        raise ValueNotUnderstood(value, "a systemd time span", "5min 20s or infinity")
    return _seconds(total)


def _parts(text: object, units: dict[str, int], expected: str, example: str) -> int | float:
    """Number and unit, repeated, in any order: the grammar of Go."""
    body = _text(text).removeprefix("+")
    if body == "0":
        return 0
    total, position = 0, 0
    while position < len(body):
        match = re.compile(_PART).match(body, position)
        unit = units.get(match[2]) if match else None
        if match is None or unit is None:
            break
        total += _scaled(match[1], unit)
        position = match.end()
    if not body or position < len(body) or total > _LARGEST:
        hint = "a unit is missing" if body.isdecimal() else "it cannot be negative" if body.startswith("-") else ""
        raise ValueNotUnderstood(text, expected, example, hint)
    return _seconds(total)


def _text(value: object) -> str:
    """The value as written; empty, which no dialect accepts, for what is too long or neither text nor whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return repr(value) if abs(value) <= _LARGEST else ""
    return value if isinstance(value, str) and len(value) <= LONGEST else ""


def _scaled(number: str, unit: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole + fraction) * unit // int(10 ** len(fraction))


def _seconds(nanoseconds: int) -> int | float:
    whole, rest = divmod(nanoseconds, 10**9)
    return nanoseconds / 10**9 if rest else whole
