"""The reader of protocol buffers in text form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.evidence.textproto import Field, Item, Schema, TextProtoError, checked, read
from askew.facts.types import Value

SCHEMA: Schema = {
    "Root": {
        "name": "string",
        "size": "int32",
        "share": "double",
        "on": "bool",
        "kind": "KIND_AUTO|KIND_GPU",
        "dims": "int64*",
        "inner": "Inner",
        "many": "Inner*",
        "one": "Inner@choice",
        "other": "Inner@choice",
        "texts": "map:string:string",
        "parts": "map:string:Inner",
    },
    "Inner": {"name": "string", "deeper": "Inner", "count": "uint32"},
}


def written(fields: tuple[Field, ...]) -> str:
    """The same fields, each on a line of its own."""
    lines = []
    for field in fields:
        if field.value is None:
            lines.append(f"{field.name} {{\n{written(field.fields)}\n}}")
        elif field.value.kind == "string":
            octets = field.value.text.encode("utf-8", "surrogateescape")
            lines.append(f'{field.name}: "' + "".join(f"\\{octet:03o}" for octet in octets) + '"')
        else:
            lines.append(f"{field.name}: {field.value.text}")
    return "\n".join(lines)


def plain(fields: tuple[Field, ...]) -> list[object]:
    return [(one.name, plain(one.fields) if one.value is None else (one.value.kind, one.value.text)) for one in fields]


def values(item: Item, name: str) -> list[Value]:
    return [one.value for one in item.all(name)]


@pytest.mark.parametrize(
    "text",
    [
        'inner { name: "x" }',
        'inner: { name: "x" }',
        "inner < name: 'x' >",
        'inner{name:"x";}',
        'inner: <name: "x",>,',
        '# a comment\ninner { # another\n  name: "x" # and one more\n}',
        '\ufeffinner {\r\n\tname: "" "x"\r\n}',
    ],
)
def test_a_message_in_every_spelling_is_one(text: str) -> None:
    inner = checked(text, SCHEMA, "Root").one("inner")
    assert inner is not None
    assert inner.scalar("name") == "x"


def test_lists_and_repeated_fields_are_one() -> None:
    for text in ("dims: [1, 2, -1]", "dims: 1 dims: 2 dims: -1", "dims: [1] dims: [2, -1]", "dims: [ 1, 2, - 1 ]"):
        assert values(checked(text, SCHEMA, "Root"), "dims") == [1, 2, -1]
    assert checked("dims: []", SCHEMA, "Root").all("dims") == ()
    many = checked("many [ { count: 1 }, < count: 2 > ] many { count: 3 }", SCHEMA, "Root").all("many")
    assert [one.scalar("count") for one in many] == [1, 2, 3]


def test_numbers_as_c_writes_them() -> None:
    root = checked("size: 0x10 share: 1.5e1f", SCHEMA, "Root")
    assert (root.scalar("size"), root.scalar("share")) == (16, 15.0)
    assert checked("size: 010", SCHEMA, "Root").scalar("size") == 8
    assert checked("share: -.5", SCHEMA, "Root").scalar("share") == -0.5
    assert checked("share: -inf", SCHEMA, "Root").scalar("share") == "-inf"
    assert checked("share: nan", SCHEMA, "Root").scalar("share") == "nan"


def test_texts_join_and_escapes_are_undone() -> None:
    text = r"""name: 'a' "b\n" "\x41\102\'\"\\" "\346\227\245" """
    assert checked(text, SCHEMA, "Root").scalar("name") == "ab\nAB'\"\\日"


def test_booleans_and_enumerations() -> None:
    for word in ("true", "True", "t", "1"):
        assert checked(f"on: {word}", SCHEMA, "Root").scalar("on") is True
    assert checked("kind: KIND_GPU", SCHEMA, "Root").scalar("kind") == "KIND_GPU"
    assert checked("kind: 1", SCHEMA, "Root").scalar("kind") == "KIND_GPU"


def test_maps_are_read_by_their_keys() -> None:
    root = checked(
        'texts { key: "a" value: "b" } texts: { key: "c" } parts { key: "d" value { count: 4 } }', SCHEMA, "Root"
    )
    assert [(one.key, one.value) for one in root.all("texts")] == [("a", "b"), ("c", "")]
    (part,) = root.all("parts")
    assert (part.key, part.scalar("count")) == ("d", 4)


def test_every_value_has_its_place() -> None:
    root = checked('inner {\n  name:\n    "x"\n}\ndims: [ 1,\n 22 ]', SCHEMA, "Root")
    inner = root.one("inner")
    assert inner is not None
    name = inner.one("name")
    assert name is not None
    assert (inner.line, inner.column) == (0, 0)
    assert (name.line, name.column) == (2, 4)
    assert [(one.line, one.column) for one in root.all("dims")] == [(4, 8), (5, 1)]


def test_placeholders_are_kept_apart() -> None:
    root = checked('size: ${batch} name: "${dir}/x" on: ${on} inner: ${inner}', SCHEMA, "Root")
    assert sorted(one.template for one in root.templates()) == ["${batch}", "${dir}/x", "${inner}", "${on}"]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("name: \n", 1, 0, "found the end of the file, expected a value"),
        ("size: 4\nsiez: 5", 1, 0, "a Root has no field 'siez'"),
        ('size: "4"', 0, 6, 'size is a whole number, not "4"'),
        ("size: 4.5", 0, 6, "size is a whole number, not 4.5"),
        ("size: 4000000000", 0, 6, "size is a whole number"),
        ("name: x", 0, 6, "name is a text in quotes, not x"),
        ("kind: KIND_TPU", 0, 6, "kind is one of KIND_AUTO, KIND_GPU, not KIND_TPU"),
        ("size: 1 size: 2", 0, 8, "size is written a second time"),
        ("one {} other {}", 0, 7, "other stands beside one"),
        ("inner {", 0, 7, "expected '}' that closes inner of line 1"),
        ("inner { ]", 0, 8, "expected the name of a field or '}'"),
        ("dims: [1 2]", 0, 9, "expected ',' or ']'"),
        ("dims: [1,]", 0, 9, "expected a value"),
        ("dims [1]", 0, 6, "expected '{', or ':' after dims of line 1"),
        ('name: "x\n"', 0, 6, "has no end on its line"),
        ('name: "\\q"', 0, 7, "is no escape"),
        ("name 'x'", 0, 5, "expected ':' and a value"),
        ("inner: 4", 0, 0, "inner is a message"),
        ("size { }", 0, 0, "size is a whole number, not a message"),
        ("size: 1a", 0, 6, "'1a' is no number"),
        ("size: 08", 0, 6, "'08' is no number"),
        ("size = 4", 0, 5, "which stands for nothing here"),
        ("{ size: 4 }", 0, 0, "expected the name of a field"),
        ("[extension]: 4", 0, 0, "extensions are not read"),
        ("size: -", 0, 7, "expected a number after '-'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(TextProtoError) as caught:
        checked(text, SCHEMA, "Root")
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.expected


def test_a_misspelt_field_is_told_the_right_one() -> None:
    with pytest.raises(TextProtoError) as caught:
        checked("dimms: 4", SCHEMA, "Root")
    assert caught.value.expected == "dims"


def test_hostile_input_is_bounded() -> None:
    for text in ("inner {" * 100_000, "many [" * 100_000, "many [{" * 50_000, "a" * (1 << 21), "size: " + "9" * 90_000):
        with pytest.raises(TextProtoError):
            checked(text, SCHEMA, "Root")
    assert len(read("a: 1\n" * 50_000)) == 50_000


@given(st.text(st.sampled_from("abn:{}<>[],;'\"\\ \n#-.0x1${}e"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        fields = read(text)
    except TextProtoError as error:
        assert 0 <= error.line <= text.count("\n")
        assert error.column >= 0
    else:
        assert plain(read(written(fields))) == plain(fields)


_NAMES = st.sampled_from(("name", "size", "inner", "dims"))
_SCALARS = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number)),
    st.text(max_size=8).map(
        lambda text: '"' + "".join(f"\\{byte:03o}" for byte in text.encode("utf-8", "replace")) + '"'
    ),
    st.sampled_from(("true", "KIND_GPU", "inf", "-inf")),
)
_FIELDS = st.recursive(
    st.builds(lambda name, value: f"{name}: {value}", _NAMES, _SCALARS),
    lambda inner: st.builds(lambda name, parts: f"{name} {{ {' '.join(parts)} }}", _NAMES, st.lists(inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(_FIELDS, max_size=4), st.sampled_from((" ", "\n", ", ", "; ", " # x\n")))
def test_reading_what_was_read_gives_the_same(fields: list[str], between: str) -> None:
    first = read(between.join(fields))
    again = read(written(first))
    assert plain(again) == plain(first)
    assert written(again) == written(first)


@given(st.text(max_size=20))
def test_texts_come_back(text: str) -> None:
    octets = text.encode("utf-8", "surrogatepass")
    quoted = '"' + "".join(f"\\x{octet:02x}" for octet in octets) + '"'
    (field,) = read(f"name: {quoted}")
    assert field.value is not None
    assert field.value.text.encode("utf-8", "surrogateescape") == octets
