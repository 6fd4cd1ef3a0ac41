"""Argument vectors are split as the engines' own parsers split them."""

from __future__ import annotations

import argparse
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.engines.arguments import ARGPARSE, CLAP, Dialect, Parsed, Table, closest, parse, table
from askew.engines.flags import Flag
from askew.evidence.launch import Token
from askew.evidence.location import Location

FLEXIBLE = Dialect(
    name="flexible", underscores=True, dotted=True, negations=("no-",), opposites=True, joined={"-O": "-O"}
)
RELEASES = ("1.0", "2.0", "3.0")
FLAGS = (
    Flag(names=("--model",), fact="model.id"),
    Flag(names=("--tensor-parallel-size", "-tp"), fact="runtime.tensor_parallel_size"),
    Flag(names=("--gpu-memory-utilization",), fact="runtime.gpu_memory_utilization"),
    Flag(names=("--enable-prefix-caching",), takes="toggle", fact="runtime.prefix_caching"),
    Flag(names=("--quiet",), takes="switch", irrelevant="logging"),
    Flag(names=("--served-model-name",), takes="list", fact="model.served_names"),
    Flag(names=("--speculative-config",), takes="json", fact="runtime.speculative"),
    Flag(names=("--level", "-O"), fact="runtime.compilation", key="level"),
    Flag(names=("--seed",), fact="runtime.seed"),
    Flag(names=("--swap-space",), fact="runtime.swap.bytes", until="2.0"),
    Flag(names=("--new-thing",), fact="runtime.scheduler", since="3.0"),
    Flag(names=("--chunk",), takes="optional", fact="runtime.chunked_prefill", until="2.0"),
    Flag(names=("--chunk",), takes="toggle", fact="runtime.chunked_prefill", since="2.0"),
)
HERE = Location("deploy.yaml", line=7, column=3)


def flags(dialect: Dialect = FLEXIBLE, version: str | None = None) -> Table:
    return table(FLAGS, dialect, title="Engine", version=version, releases=RELEASES)


def words(text: str) -> list[Token]:
    return [Token(word, HERE) for word in shlex.split(text)]


def read(text: str, dialect: Dialect = FLEXIBLE, version: str | None = None) -> Parsed:
    return parse(words(text), flags(dialect, version))


def shown(parsed: Parsed) -> list[tuple[str, list[str], bool]]:
    return [(g.flag.names[0], [v.text for v in g.values], g.negated) for g in parsed.given]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--model m", ("--model", ["m"], False)),
        ("--model=m", ("--model", ["m"], False)),
        ("--model=a=b", ("--model", ["a=b"], False)),
        ("--model=", ("--model", [""], False)),
        ("-tp 2", ("--tensor-parallel-size", ["2"], False)),
        ("-tp=2", ("--tensor-parallel-size", ["2"], False)),
        ("--gpu_memory_utilization 0.9", ("--gpu-memory-utilization", ["0.9"], False)),
        ("--gpu-memory-util=0.9", ("--gpu-memory-utilization", ["0.9"], False)),
        ("--gpu_memory_util 0.9", ("--gpu-memory-utilization", ["0.9"], False)),
        ("--seed -1", ("--seed", ["-1"], False)),
        ("--enable-prefix-caching", ("--enable-prefix-caching", [], False)),
        ("--no-enable-prefix-caching", ("--enable-prefix-caching", [], True)),
        ("--no_enable_prefix_caching", ("--enable-prefix-caching", [], True)),
        ("--disable-prefix-caching", ("--enable-prefix-caching", [], True)),
        ("--served-model-name a b c", ("--served-model-name", ["a", "b", "c"], False)),
        (
            "--speculative-config.model m --speculative_config.n=3",
            ("--speculative-config", ['{"model":"m","n":3}'], False),
        ),
        (
            "--speculative-config.a.b 1 --speculative-config.a.c x",
            ("--speculative-config", ['{"a":{"b":1,"c":"x"}}'], False),
        ),
        (
            "--speculative-config.l+ 1,2 --speculative-config.l+ 3",
            ("--speculative-config", ['{"l":["1","2","3"]}'], False),
        ),
        ("-O3", ("--level", ["3"], False)),
        ("-O=3", ("--level", ["3"], False)),
        ("-O 3", ("--level", ["3"], False)),
        ("--model 'two words'", ("--model", ["two words"], False)),
    ],
)
def test_spellings(text: str, expected: tuple[str, list[str], bool]) -> None:
    parsed = read(text)
    assert shown(parsed) == [expected]
    assert not parsed.problems
    assert not parsed.positionals
    assert not parsed.unmapped


def test_order_is_kept_and_the_last_comes_last() -> None:
    parsed = read("--seed 1 --model m --seed 2")
    assert [(g.flag.names[0], g.order) for g in parsed.given] == [("--seed", 0), ("--model", 2), ("--seed", 4)]


def test_dotted_parts_count_as_given_last() -> None:
    parsed = read("--speculative-config.n 3 --speculative-config '{\"n\": 1}'")
    assert [g.values[0].text for g in parsed.given] == ['{"n": 1}', '{"n":3}']


def test_positionals_and_the_end_of_flags() -> None:
    parsed = read("m --seed 1 -- --model x")
    assert [p.text for p in parsed.positionals] == ["m", "--model", "x"]


def test_unknown_argument_takes_the_words_to_the_next_and_gets_a_suggestion() -> None:
    parsed = read("--gpu-memory-utilisation 0.9 --seed 1 --zzz a b --quiet")
    assert [(u.name, u.text) for u in parsed.unmapped] == [("--gpu-memory-utilisation", "0.9"), ("--zzz", "a b")]
    assert [(p.kind, p.argument, p.suggestion) for p in parsed.problems] == [
        ("unknown-argument", "--gpu-memory-utilisation", "--gpu-memory-utilization"),
        ("unknown-argument", "--zzz", ""),
    ]
    assert parsed.problems[0].locations == (HERE,)


def test_an_ambiguous_prefix_is_refused() -> None:
    parsed = read("--se 1")
    assert not parsed.given
    assert "--seed or --served-model-name" in parsed.problems[0].message


def test_one_word_that_holds_name_and_value_is_refused() -> None:
    parsed = parse([Token("--seed 1", HERE)], flags())
    assert [(p.kind, p.suggestion, p.fact) for p in parsed.problems] == [("malformed", "--seed=1", "runtime.seed")]
    assert "one word" in parsed.given[0].fault


@pytest.mark.parametrize("value", ["false", "False", "0"])
def test_a_toggle_takes_no_value(value: str) -> None:
    parsed = read(f"--enable-prefix-caching={value}")
    assert parsed.given[0].fault
    assert [(p.kind, p.suggestion) for p in parsed.problems] == [("invalid-value", "--no-enable-prefix-caching")]


def test_a_missing_value_is_refused() -> None:
    parsed = read("--model --seed 1")
    assert [p.kind for p in parsed.problems] == ["malformed"]
    assert parsed.given[0].fault == "no value follows --model"


def test_a_release_knows_only_its_own_arguments() -> None:
    assert read("--swap-space 4").problems == ()
    assert shown(read("--swap-space 4", version="1.0")) == [("--swap-space", ["4"], False)]
    (removed,) = read("--swap-space 4", version="3.0").problems
    assert (removed.kind, removed.fact) == ("removed-argument", "runtime.swap.bytes")
    (early,) = read("--new-thing 1", version="1.0").problems
    assert early.kind == "unknown-argument"
    assert "it came with 3.0" in early.message


def test_between_two_known_releases_both_count() -> None:
    assert not read("--swap-space 4", version="1.5").problems
    assert not read("--new-thing 1", version="2.5").problems
    assert read("--new-thing 1", version="1.5").problems


def test_what_an_argument_takes_may_change_with_the_release() -> None:
    assert shown(read("--chunk=false", version="1.0")) == [("--chunk", ["false"], False)]
    assert read("--chunk=false", version="2.0").problems
    assert not read("--chunk=false").problems  # the release is not known, and an old one takes it


def test_clap_has_no_abbreviations_and_no_repeats() -> None:
    parsed = read("--gpu-memory-util 0.9", CLAP)
    assert [u.name for u in parsed.unmapped] == ["--gpu-memory-util"]
    assert [p.kind for p in read("--seed 1 --seed 2", CLAP).problems] == ["malformed"]
    assert read("--seed_ 1", CLAP).unmapped


def test_text_that_is_not_final_stays_unknown() -> None:
    hidden = Token("$EXTRA_ARGS", HERE, unknown="expanded at run time")
    parsed = parse([*words("m --quiet"), hidden, *words("--seed 1")], flags())
    assert [(u.name, u.reason) for u in parsed.unmapped] == [("$EXTRA_ARGS", "expanded at run time")]
    assert not parsed.problems
    value = Token("--seed=$(SEED)", HERE, unknown="value from Secret")
    (one,) = parse([value], flags()).given
    assert (one.values[0].text, one.values[0].unknown) == ("$(SEED)", "value from Secret")


def test_suggestions_are_arguments_that_exist() -> None:
    assert closest("--enable-prefix-cacheing", flags()) == "--enable-prefix-caching"
    assert closest("--tensorparallelsize", flags()) == "--tensor-parallel-size"
    assert closest("--x", flags()) == ""


WORDS = st.lists(
    st.sampled_from(
        ["--model", "--seed", "-tp", "--served-model-name", "--quiet", "--nope", "a", "1", "-1", "--", "--seed=2"]
    )
    | st.text(max_size=12),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(WORDS, st.sampled_from([ARGPARSE, CLAP, FLEXIBLE]))
def test_every_word_is_accounted_for(texts: list[str], dialect: Dialect) -> None:
    tokens = [Token(text, Location("x", line=index + 1)) for index, text in enumerate(texts)]
    parsed = parse(tokens, flags(dialect))
    seen = {t.location.line for t in parsed.positionals}
    for one in parsed.given:
        seen |= {one.name.location.line, *(v.location.line for v in one.values)}
        seen |= {via.line for v in one.values for via in v.via}
    for lost in parsed.unmapped:
        seen |= {lost.token.location.line, *(v.location.line for v in lost.values)}
    seen |= {at.line for problem in parsed.problems for at in problem.locations}
    if "--" in texts:
        seen.add(texts.index("--") + 1)
    dotted = {i + 1 for i, text in enumerate(texts) if "." in text}
    assert set(range(1, len(tokens) + 1)) - dotted <= seen


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                ["--model", "m"],
                ["--seed=3"],
                ["-tp", "2"],
                ["--quiet"],
                ["--gpu-mem", "0.5"],
                ["--served-model-name", "a", "b"],
                ["--no-enable-prefix-caching"],
                ["--enable-prefix-caching"],
                ["--seed", "-1"],
                ["-tp=4"],
            ]
        ),
        max_size=6,
    )
)
def test_it_agrees_with_argparse(groups: list[list[str]]) -> None:
    real = argparse.ArgumentParser()
    real.add_argument("--model")
    real.add_argument("--seed", type=int)
    real.add_argument("--tensor-parallel-size", "-tp")
    real.add_argument("--gpu-memory-utilization")
    real.add_argument("--quiet", action="store_true")
    real.add_argument("--served-model-name", nargs="+")
    real.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
    texts = [text for group in groups for text in group]
    expected = {key: value for key, value in vars(real.parse_args(texts)).items() if value not in (None, False)}
    parsed = parse([Token(text, HERE) for text in texts], flags(ARGPARSE))
    found: dict[str, object] = {}
    for one in parsed.given:
        key = one.flag.names[0][2:].replace("-", "_")
        values = [value.text for value in one.values]
        found[key] = values if one.flag.takes == "list" else values[0] if values else not one.negated
    if "seed" in found:
        found["seed"] = int(str(found["seed"]))
    assert {key: value for key, value in found.items() if value is not False} == expected


def test_words_that_were_redacted_may_hold_any_argument():
    parsed = read("--model m redacted:0123456789abcdef --seed 1")
    (hidden,) = parsed.unmapped
    assert (hidden.name, bool(hidden.reason)) == ("<redacted>", True)
    assert not parsed.problems and len(parsed.given) == 2
