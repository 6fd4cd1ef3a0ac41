"""The tables of SGLang's arguments."""

from __future__ import annotations

import pytest

from askew.engines import versions
from askew.engines.arguments import ARGPARSE
from askew.engines.arguments import table as table_of
from askew.engines.hub import hub_source
from askew.engines.sglang import flags as table
from askew.engines.sglang.flags import OTHER, flags, integer
from askew.facts.catalogue import FACTS

# argparse's own, the file that is read before, an argument of `sglang serve`, one that no release ever took, and one
# that was away for a few releases.
NOT_OF_SERVER_ARGS = {
    *("--help", "--version", "--config", "--model-type", "--enable-flashinfer-cutedsl-moe"),
    "--disable-shared-experts-fusion",
}
# Became lists: one word of JSON until 0.5.7, one number until 0.5.4; the third was retired, with a warning, in 0.5.8.
ODD = {"--hybrid-kvcache-ratio", "--piecewise-cuda-graph-tokens", "--debug-tensor-dump-layers"}

# The release without it had yet another switch, which is gone too.
REPLACED_TWICE = {"--enable-flashinfer-moe"}


def test_every_flag_does_exactly_one_thing() -> None:
    for flag in flags():
        assert sum((bool(flag.fact), flag.spreads is not None, bool(flag.irrelevant))) == 1, flag.names
        assert flag.takes in ("value", "switch", "toggle", "optional", "list", "append", "json"), flag.names
        if flag.fact:
            assert flag.fact in FACTS, flag.names
            assert bool(flag.key) == (FACTS[flag.fact].type.keyed and flag.takes != "json"), flag.names
        assert not flag.until or not flag.since or versions.release_key(flag.since) < versions.release_key(flag.until)


def test_no_two_flags_of_one_release_share_a_name() -> None:
    seen: dict[str, list[tuple[str, str]]] = {}
    for flag in flags():
        for name in flag.names:
            for since, until in seen.get(name, []):
                assert until == flag.since or flag.until == since, name
            seen.setdefault(name, []).append((flag.since, flag.until))


@pytest.mark.parametrize("release", versions.releases("sglang"))
def test_every_release_is_covered(release: str) -> None:
    loaded = versions.load("sglang", release)
    assert loaded is not None
    there = {
        name: flag
        for flag in flags()
        for name in flag.names
        if versions.has(flag.since, flag.until, release, versions.releases("sglang"))
    }
    written = {name for first, default in loaded.arguments.items() for name in (first, *default.names)}
    assert written - there.keys() == set()
    assert {flag.names[0] for flag in there.values() if written.isdisjoint(flag.names)} <= NOT_OF_SERVER_ARGS


def test_what_is_advised_in_place_of_an_argument_is_there() -> None:
    for flag in flags():
        advised = flag.replaced_by.split(" ")[0]
        if advised.startswith("--") and flag.until and flag.names[0] not in REPLACED_TWICE:
            release = versions.load("sglang", flag.until)
            assert release is not None
            names = {name for first, default in release.arguments.items() for name in (first, *default.names)}
            assert advised in names, flag.names


@pytest.mark.parametrize("release", versions.releases("sglang"))
def test_arguments_take_what_the_release_takes(release: str) -> None:
    loaded = versions.load("sglang", release)
    assert loaded is not None
    found = table_of(flags(), ARGPARSE, title="SGLang", version=release, releases=versions.releases("sglang"))
    for name, default in loaded.arguments.items():
        wanted = "switch" if default.takes == "toggle" else default.takes
        takes = {"toggle": "switch", "append": "list"}.get(found.names[name].flag.takes, found.names[name].flag.takes)
        assert {takes, wanted} <= {"value", "json"} or takes == wanted or name in ODD, (name, takes, wanted)


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
    assert hub_source(model) == uri


def test_secrets_never_become_values() -> None:
    by_name = {name: flag for flag in flags() for name in flag.names}
    for name in ("--api-key", "--admin-api-key", "--watermark-config", "--ssl-keyfile-password"):
        flag = by_name[name]
        assert flag.irrelevant or (flag.read is not None and flag.read(("hunter2",)) in (True, "given")), name


def test_other_is_where_options_without_a_fact_go() -> None:
    assert OTHER in FACTS
    assert FACTS[OTHER].type.keyed
    assert table.OTHER == "runtime.arguments.unmapped"
