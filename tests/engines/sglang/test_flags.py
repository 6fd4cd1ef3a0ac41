"""The tables of SGLang's arguments."""

from __future__ import annotations

import time

import pytest

from askew.engines import versions
from askew.engines.sglang import flags as table
from askew.engines.sglang.flags import OTHER, flags, integer, source
from askew.facts.catalogue import FACTS


def test_every_flag_does_exactly_one_thing() -> None:
    for flag in flags()[0]:
        assert sum((bool(flag.fact), flag.spreads is not None, bool(flag.irrelevant))) == 1, flag.names
        assert flag.takes in ("value", "switch", "toggle", "optional", "list", "append", "json"), flag.names
        if flag.fact:
            assert flag.fact in FACTS, flag.names
            assert bool(flag.key) == (FACTS[flag.fact].type.keyed and flag.takes != "json"), flag.names
        assert not flag.until or not flag.since or versions.release_key(flag.since) < versions.release_key(flag.until)


def test_no_two_flags_of_one_release_share_a_name() -> None:
    seen: dict[str, list[tuple[str, str]]] = {}
    for flag in flags()[0]:
        for name in flag.names:
            for since, until in seen.get(name, []):
                assert until == flag.since or flag.until == since, name
            seen.setdefault(name, []).append((flag.since, flag.until))


def test_the_newest_release_is_covered() -> None:
    release = versions.load("sglang", "0.5.23")
    assert release is not None
    known = {name for flag in flags()[0] if not flag.until for name in flag.names}
    written = {name for first, default in release.arguments.items() for name in (first, *default.names)}
    assert written - known == set()


def test_every_release_read_is_covered() -> None:
    stable = versions.stable("sglang")
    assert stable is not None
    known = {name for flag in flags()[0] for name in flag.names}
    assert set(stable.defaults) - known == set()
    bounds = {bound for flag in flags()[0] for bound in (flag.since, flag.until) if bound}
    assert bounds - {"0.5.6"} <= set(stable.releases)


def test_stable_defaults_agree_with_the_newest_release() -> None:
    release, stable = versions.load("sglang", "0.5.23"), versions.stable("sglang")
    assert release is not None
    assert stable is not None
    for name, value in stable.defaults.items():
        entry = release.arguments.get(name)
        assert entry is None or entry.value == value, name


def test_defaults_of_options_are_those_of_the_newest_release() -> None:
    release = versions.load("sglang", "0.5.23")
    assert release is not None
    for name, text in flags()[1].items():
        if name in release.arguments:
            assert str(release.arguments[name].value) == text, name


@pytest.mark.parametrize(
    ("word", "value"), [("8192", 8192), ("-1", -1), ("1k", 1000), ("25.6k", 25600), ("2Mi", 2 * 2**20)]
)
def test_integers(word: str, value: int) -> None:
    assert integer((word,)) == value


@pytest.mark.parametrize("word", ["", "32K", "1.5Ki", "1e5", "auto", "0x10", "9" * 30, "k"])
def test_what_is_no_integer(word: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        integer((word,))


@pytest.mark.parametrize(
    ("model", "uri"),
    [
        ("Qwen/Qwen3-8B", "hf://Qwen/Qwen3-8B"),
        ("gpt2", "hf://gpt2"),
        ("/models/qwen", "/models/qwen"),
        ("./m", "./m"),
        ("s3://b/m", "s3://b/m"),
    ],
)
def test_source(model: str, uri: str) -> None:
    assert source(model) == uri


def test_building_the_table_is_quick() -> None:
    best = 1.0
    for _ in range(5):
        flags.cache_clear()
        start = time.perf_counter()
        flags()
        best = min(best, time.perf_counter() - start)
    assert best < 0.010  # 0.7 ms on a developer's machine; the margin is for loaded ones


def test_secrets_never_become_values() -> None:
    by_name = {name: flag for flag in flags()[0] for name in flag.names}
    for name in ("--api-key", "--admin-api-key", "--watermark-config", "--ssl-keyfile-password"):
        flag = by_name[name]
        assert flag.irrelevant or (flag.read is not None and flag.read(("hunter2",)) in (True, "given")), name


def test_other_is_where_options_without_a_fact_go() -> None:
    assert OTHER in FACTS
    assert FACTS[OTHER].type.keyed
    assert table.OTHER == "runtime.arguments.unmapped"
