"""What kubectl reads: the tables hold what sigs.k8s.io/yaml v1.6.0 (go.yaml.in/yaml/v2 v2.4.2) answered."""

from __future__ import annotations

import pytest

from askew.evidence.yaml import read

PLAIN: list[tuple[str, object]] = [
    ("y", True),
    ("Y", True),
    ("yes", True),
    ("Yes", True),
    ("YES", True),
    ("on", True),
    ("On", True),
    ("ON", True),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("n", False),
    ("N", False),
    ("no", False),
    ("No", False),
    ("NO", False),
    ("off", False),
    ("Off", False),
    ("OFF", False),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("yEs", "yEs"),
    ("tRUE", "tRUE"),
    ("oN", "oN"),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("nULL", "nULL"),
    ("0", 0),
    ("-0", 0),
    ("+12", 12),
    ("0777", 511),
    ("-0777", -511),
    ("+0777", 511),
    ("0o777", 511),
    ("0O17", 15),
    ("-0o17", -15),
    ("0o8", "0o8"),
    ("0889", 889),
    ("-09", -9),
    ("08.5", 8.5),
    ("00", 0),
    ("0_0", 0),
    ("0b101", 5),
    ("-0b101", -5),
    ("0B11", 3),
    ("0b_1", 1),
    ("0b-10", -2),
    ("0b", "0b"),
    ("0x1F", 31),
    ("0X1f", 31),
    ("-0x10", -16),
    ("+0x10", 16),
    ("0x", "0x"),
    ("0x_", "0x_"),
    ("0x1p4", "0x1p4"),
    ("1_000", 1000),
    ("1__0", 10),
    ("_1", "_1"),
    ("12_", 12),
    ("-_1", -1),
    ("1,000", "1,000"),
    ("1e3", 1000),
    ("1E3", 1000),
    ("1e+3", 1000),
    ("1e_3", 1000),
    ("1_e3", 1000),
    ("1e", "1e"),
    ("1.e3", 1000),
    ("0e0", 0),
    ("12e456", "12e456"),
    ("1e400", "1e400"),
    ("1e21", 1e21),
    ("1e-7", 1e-07),
    ("1.0", 1),
    ("1.", 1),
    ("-0.0", 0),
    (".5", 0.5),
    ("+.5", 0.5),
    ("-.5", -0.5),
    (".5e3", 500),
    (".e3", ".e3"),
    (".", "."),
    (".1_5", 0.15),
    ("._5", "._5"),
    (".5_", ".5_"),
    ("0.1_5", 0.15),
    ("1_0.5", 10.5),
    ("1.5.2", "1.5.2"),
    ("1.1", 1.1),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("2001-01-01", "2001-01-01"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("12:30:45", "12:30:45"),
    ("1d", "1d"),
    ("10Gi", "10Gi"),
    ("500m", "500m"),
    ("1h30m", "1h30m"),
    ("v1", "v1"),
    ("1.2.3", "1.2.3"),
    ("8192", 8192),
    ("32k", "32k"),
    ("nan", "nan"),
    ("NaN", "NaN"),
    ("inf", "inf"),
    ("infinity", "infinity"),
    ("=", "="),
    ("<<", "<<"),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", 9223372036854775808),
    ("18446744073709551615", 18446744073709551615),
    ("18446744073709551616", 18446744073709552000),
    ("-9223372036854775808", -9223372036854775808),
    ("-9223372036854775809", -9223372036854776000),
    ("0x1FFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF"),
    ("0777777777777777777777777", 7.777777777777778e23),
]
KEYS = [
    ("y", "true"),
    ("on", "true"),
    ("no", "false"),
    ("true", "true"),
    ("1", "1"),
    ("0777", "511"),
    ("0x10", "16"),
    ("1_0", "10"),
    ("1.5", "1.5"),
    ("1e6", "1e+06"),
    ("1234567.0", "1.234567e+06"),
    ("16777217.0", "1.6777216e+07"),
    ("0.1", "0.1"),
    ("1e-7", "1e-07"),
    ("1e21", "1e+21"),
    (".inf", ".inf"),
    ("-.Inf", "-.inf"),
    ("+.inf", ".inf"),
    (".NaN", ".nan"),
    ("0889", "889"),
    ("y2", "y2"),
    ("1:30", "1:30"),
    ("2001-01-01", "2001-01-01"),
    ("<", "<"),
]
TAGGED: list[tuple[str, object]] = [
    ("!!str 5", "5"),
    ("!!str yes", "yes"),
    ("!!str null", "null"),
    ("!!str", ""),
    ("!!int '5'", 5),
    ("!!int 0x10", 16),
    ("!!float 5", 5),
    ("!!bool yes", True),
    ("!!null ''", None),
    ("!!binary aGVsbG8=", "hello"),
    ("!!timestamp 2001-01-01", "2001-01-01"),
    ("! 5", "5"),
    ("!vault x", "x"),
    ("!Ref A", "A"),
    ("!!python/object/apply:os.system ls", "ls"),
    ("'on'", "on"),
    ('"5"', "5"),
    ("!!set {a, b}", {"a": None, "b": None}),
    ("!!omap [a: 1]", [{"a": 1}]),
    ("!foo {b: 1}", {"b": 1}),
    ("!<tag:yaml.org,2002:str> 7", "7"),
    ("!<tag:yaml.org,2002:int> 7", 7),
]
REFUSED = [
    "? ~\n: v\n",
    "v: !!int foo\n",
    "v: !!int 1e3\n",
    "v: !!null x\n",
    "v: !!float foo\n",
    "v: !!binary '@@'\n",
    "v: {{ x }}\n",
    "[1]: 2\n",
    "<<: 5\n",
    "v: *u\n",
    "v: &x [*x]\n",
]
MERGED: list[tuple[str, object]] = [
    ("a: &a {p: 1, q: 2}\nb: {<<: *a, p: 9}\n", {"p": 9, "q": 2}),
    # Against YAML's merge rule, go-yaml v2 copies over the keys that stand before.
    ("a: &a {p: 1, q: 2}\nb: {p: 9, <<: *a}\n", {"p": 1, "q": 2}),
    ("b: {<<: [{p: 1}, {p: 2, q: 3}], r: 4}\n", {"p": 1, "q": 3, "r": 4}),
    ('b: {"<<": {p: 1}}\n', {"<<": {"p": 1}}),
    ("b: {!!merge <<: {p: 1}}\n", {"p": 1}),
    ("a: &a {p: 1}\nc: &c {<<: *a, q: 2}\nb: {<<: *c}\n", {"p": 1, "q": 2}),
    ("a: &x 1\na2: &x 2\nb: *x\n", 2),
    ("? &k b\n: *k\n", "b"),
]


def one(text: str) -> object:
    stream = read(text, "f.yaml")
    assert not stream.errors
    (document,) = stream.documents
    return document.root.value


def same(ours: object, theirs: object) -> bool:
    """Equal as JSON: true is not 1, and 1 is 1.0."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    return ours == (float(theirs) if isinstance(ours, float) and isinstance(theirs, int) else theirs)


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_plain_scalar(text: str, value: object) -> None:
    for document in (f"v: {text}\n", f"[{{v: {text}}}]\n"):
        if "," in text and document.startswith("["):
            continue
        read_back = one(document)
        read_back = read_back[0] if isinstance(read_back, list) else read_back
        assert isinstance(read_back, dict)
        assert same(read_back["v"], value)


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_plain_key(text: str, key: str) -> None:
    assert one(f"? {text}\n: v\n") == {key: "v"}
    assert one(f"a: 1\n{text}: v\n{text} : w\n" if text != "<" else "a: 1\n<: w\n") == {"a": 1, key: "w"}


@pytest.mark.parametrize(("text", "value"), TAGGED)
def test_tagged_scalar(text: str, value: object) -> None:
    read_back = one(f"v: {text}\n")
    assert isinstance(read_back, dict)
    assert same(read_back["v"], value)


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    stream = read(text, "f.yaml")
    assert stream.documents == ()
    (error,) = stream.errors
    assert (error.line, error.source) == (1, "f.yaml")
    assert error.column and error.message and error.hint


@pytest.mark.parametrize(("text", "value"), MERGED)
def test_anchors_and_merges(text: str, value: object) -> None:
    read_back = one(text)
    assert isinstance(read_back, dict)
    assert read_back["b"] == value


@pytest.mark.parametrize("text", [".inf", "-.inf", "+.Inf", ".NAN"])
def test_what_json_cannot_hold_stays_text_and_is_told(text: str) -> None:
    (document,) = read(f"v: {text}\n", "f.yaml").documents
    assert document.root["v"].value == text
    assert [problem.location.line for problem in document.problems] == [1]


@pytest.mark.parametrize("word", ["y", "Yes", "on", "N", "off"])
def test_the_yaml_dialect_reads_as_compose_does(word: str) -> None:
    text = f"{word}: {word}\nt: true\na: &a {{p: 1}}\nb: {{p: 9, <<: *a}}\n"
    (document,) = read(text, "compose.yaml", dialect="yaml").documents
    assert document.root.value == {word: word, "t": True, "a": {"p": 1}, "b": {"p": 9}}
    assert document.problems == ()


def test_a_merge_that_overwrites_is_told() -> None:
    (document,) = read("a: &a {p: 1}\nb:\n  p: 9\n  <<: *a\n", "f.yaml").documents
    (problem,) = document.problems
    assert (problem.location.line, problem.location.column) == (3, 3)
    assert "'p'" in problem.message
    assert document.root.get("b", "p").location.line == 1
