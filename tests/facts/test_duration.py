from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.facts.values import duration as d
from askew.facts.values.errors import ValueNotUnderstood

PARSERS: list[Callable[[object], int | float | str]] = [
    d.go_duration,
    d.kubernetes_duration,
    d.istio_duration,
    d.traefik_duration,
    d.compose_duration,
    d.gateway_api_duration,
    d.protobuf_duration,
    d.envoy_duration,
    d.nginx_duration,
    d.haproxy_duration,
    d.systemd_timespan,
]


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (d.go_duration, "1h30m", 5400),
        (d.go_duration, "1.5s", 1.5),
        (d.go_duration, "300ms", 0.3),
        (d.go_duration, "0", 0),
        (d.go_duration, "1h0m0.5s", 3600.5),
        (d.go_duration, "1µs", 1e-6),
        (d.go_duration, "+5s", 5),
        (d.go_duration, ".5m", 30),
        (d.kubernetes_duration, "90s", 90),
        (d.istio_duration, "10m", 600),
        (d.traefik_duration, "90", 90),
        (d.traefik_duration, 90, 90),
        (d.traefik_duration, "2m", 120),
        (d.compose_duration, "1m30s", 90),
        (d.compose_duration, "2d", 172800),
        (d.gateway_api_duration, "1h30m", 5400),
        (d.gateway_api_duration, "500ms", 0.5),
        (d.gateway_api_duration, "0s", 0),
        (d.envoy_duration, "60s", 60),
        (d.protobuf_duration, "0.5s", 0.5),
        (d.protobuf_duration, "0.000000001s", 1e-9),
        (d.nginx_duration, "60", 60),
        (d.nginx_duration, 3600, 3600),
        (d.nginx_duration, "60s", 60),
        (d.nginx_duration, "1m30s", 90),
        (d.nginx_duration, "1h 30m", 5400),
        (d.nginx_duration, "500ms", 0.5),
        (d.nginx_duration, "1m30", 90),
        (d.nginx_duration, "1d", 86400),
        (d.haproxy_duration, "30s", 30),
        (d.haproxy_duration, "30000", 30),
        (d.haproxy_duration, 500, 0.5),
        (d.haproxy_duration, "5m", 300),
        (d.systemd_timespan, "5min 20s", 320),
        (d.systemd_timespan, "1h30min", 5400),
        (d.systemd_timespan, "90", 90),
        (d.systemd_timespan, "infinity", "unlimited"),
        (d.systemd_timespan, "1.5 s", 1.5),
        (d.systemd_timespan, "2M", 2 * 2629800),
        (d.systemd_timespan, "2m", 120),
    ],
)
def test_dialects(parse: Callable[[object], int | float | str], text: object, expected: object) -> None:
    assert parse(text) == expected
    assert type(parse(text)) is type(expected)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (d.go_duration, "60"),
        (d.go_duration, "1d"),
        (d.go_duration, "-5s"),
        (d.go_duration, "1 h"),
        (d.go_duration, "9999999h"),
        (d.gateway_api_duration, "1.5s"),
        (d.gateway_api_duration, "1d"),
        (d.gateway_api_duration, "100000s"),
        (d.gateway_api_duration, "0"),
        (d.envoy_duration, "1m"),
        (d.envoy_duration, "60"),
        (d.envoy_duration, "1.0000000001s"),
        (d.nginx_duration, "1s1m"),
        (d.nginx_duration, "1m1m"),
        (d.nginx_duration, "1.5s"),
        (d.nginx_duration, "30 1m"),
        (d.nginx_duration, "1y"),
        (d.haproxy_duration, "1m30s"),
        (d.haproxy_duration, "1.5s"),
        (d.systemd_timespan, "5 lightyears"),
        (d.systemd_timespan, "-5s"),
    ],
)
def test_what_a_dialect_refuses(parse: Callable[[object], int | float | str], text: str) -> None:
    with pytest.raises(ValueNotUnderstood, match="for example"):
        parse(text)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text", ["", " ", "s", "banana", "{{ .t }}", "9" * 100_000, "1s" * 10_000, None, True, [], "١s"]
)
def test_what_every_dialect_refuses(parse: Callable[[object], int | float | str], text: object) -> None:
    with pytest.raises(ValueNotUnderstood):
        parse(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_dialects_agree_where_their_grammars_do(hours: int, minutes: int, seconds: int, millis: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s{millis}ms"
    expected = hours * 3600 + minutes * 60 + seconds + (millis / 1000 if millis else 0)
    for parse in (d.go_duration, d.gateway_api_duration, d.nginx_duration, d.compose_duration, d.systemd_timespan):
        assert parse(text) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10**9 - 1))
def test_nanoseconds_are_exact(nanoseconds: int) -> None:
    assert d.protobuf_duration(f"7.{nanoseconds:09d}s") == (7 * 10**9 + nanoseconds) / 10**9


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in PARSERS:
        try:
            value = parse(text)
        except ValueNotUnderstood:
            continue
        assert value == "unlimited" or (isinstance(value, int | float) and value >= 0)
