"""Nodes, locating fragments inside scalars, comments, and replacing secrets without moving anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.evidence.document import Document, Node, decode_scalar, wrap
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import nested, read


def one(text: str) -> Document:
    stream = read(text, "f.yaml")
    assert not stream.errors
    (document,) = stream.documents
    return document


def test_walking() -> None:
    root = one("a: {b: [x, {c: 1}]}\nm:\ne: []\nz: 0\nf: false\ns: ''\n").root
    assert root.get("a", "b", 1, "c").value == 1
    assert root.get("a", "b", -1, "c").path == "a.b[1].c"
    assert [key for key, _ in root.items()] == ["a", "m", "e", "z", "f", "s"]
    assert [child.value for child in root.get("a", "b").each()] == ["x", {"c": 1}]
    assert "a" in root and "b" not in root and "x" in root.get("a", "b")
    assert not [*root["z"].items(), *root["z"].each(), *root["missing"]]
    assert [bool(root[key]) for key in ("a", "m", "e", "missing", "z", "f", "s")] == [True, False, False, False] + [
        True
    ] * 3
    assert root["m"].exists and not root["missing"].exists
    assert root.is_mapping and root.get("a", "b").is_sequence and not root["z"].is_mapping


def test_a_missing_node_says_where_it_would_be() -> None:
    missing = one("a:\n  b: 1\n").root.get("a", "c", "d", 3, "e")
    assert not missing.exists and missing.value is None
    assert missing.location == Location("f.yaml", "a.c.d[3].e", 2, 3)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("nginx.ingress.kubernetes.io/x", "m['nginx.ingress.kubernetes.io/x']"),
        ("plain-key_1/x", "m.plain-key_1/x"),
        ("it's", "m['it\\'s']"),
        ("", "m['']"),
        ("a b", "m['a b']"),
        ("[0]", "m['[0]']"),
    ],
)
def test_paths(key: str, path: str) -> None:
    assert wrap({"m": {key: 1}}, "live").get("m", key).path == path


TEXTS = [
    ("1e3", "1e3", 1000, None),
    ("0x10", "0x10", 16, None),
    ("1_000", "1_000", 1000, None),
    ("0777", "0777", 511, None),
    ("yes", "yes", None, True),
    ("True", "True", None, True),
    ("1.0", "1.0", 1, None),
    ("1.5", "1.5", None, None),
    ("'12'", "12", 12, None),
    ("'true'", "true", None, True),
    ("'FALSE'", "FALSE", None, False),
    ("~", None, None, None),
    ("[]", None, None, None),
    ("!!int '07'", "07", 7, None),
    ('!!bool "on"', "on", None, True),
    ("x", "x", None, None),
]


@pytest.mark.parametrize(("written", "text", "integer", "boolean"), TEXTS)
def test_scalars_in_their_source_spelling(
    written: str, text: str | None, integer: int | None, boolean: bool | None
) -> None:
    node = one(f"a: &x {written}  # c\nb: *x\nc:\n- {written}\n").root
    for child in (node["a"], node["b"], node.get("c", 0)):
        assert child.text() == text
        assert (child.integer(), child.boolean()) == (integer, boolean)


def test_spelling_without_source() -> None:
    root = wrap({"t": True, "i": 5, "f": 0.5, "n": None, "s": "x"}, "live")
    assert root.string_map() == {"t": "true", "i": "5", "f": "0.5", "n": "", "s": "x"}
    assert wrap({"a": {}, "b": 1}, "live").string_map() == {"b": "1"}


def test_wrapped_data_stands_where_it_is_said() -> None:
    assert wrap({"a": [1]}, "k8s:x", path="spec").get("a", 0).location == Location("k8s:x", "spec.a[0]")
    place = Location("f.yaml", "args[1]", 7, 9, "v1 Pod a/b")
    assert wrap({"a": [1]}, "f.yaml", location=place).get("a", 0).location == Location(
        "f.yaml", "args[1].a[0]", 7, 9, "v1 Pod a/b"
    )


def test_objects_and_sources_are_inherited() -> None:
    item = one("items:\n- kind: Pod\n  spec: {a: 1}\n").root.get("items", 0)
    place = item.with_object("v1 Pod a/b").get("spec", "a").location
    assert place == Location("f.yaml", "spec.a", 3, 13, "v1 Pod a/b")
    assert item.with_object("v1 Pod a/b").location.path == ""
    assert item.with_object("v1 Pod a/b")["spec"].with_source("g.yaml")["a"].location == Location(
        "g.yaml", "spec.a", 3, 13, "v1 Pod a/b"
    )
    inner = nested(one("a: |\n  b: 1\n").root.with_object("o")["a"]).root["b"]
    assert inner.location == Location("f.yaml", "a.b", 2, 6, "o")


SCRIPT = """\
literal: |
  # start
  vllm serve x \\
    --port 80 --port 8000

    --dtype=half
folded: >-
  vllm serve
  --dtype half
    more
  end
double: "vllm \\"serve\\" \\
  --dtype half\\n--x
  y"
single: 'vllm ''serve''
  --dtype half'
plain: vllm serve
  --dtype half
list: [a, --dtype half]
number: 8000
explicit: |2-
    indented
  --dtype
"""


@pytest.mark.parametrize(
    ("key", "fragment", "line", "column"),
    [
        ("literal", "vllm", 3, 3),
        ("literal", "--dtype=half", 6, 5),
        ("literal", "8000", 4, 22),
        ("literal", "half", 6, 13),
        ("folded", "--dtype", 9, 3),
        ("folded", "more", 10, 5),
        ("folded", "serve --dtype", 8, 8),
        ("double", '"serve"', 12, 15),
        ("double", "--dtype", 13, 3),
        ("double", "--x", 13, 17),
        ("double", "y", 14, 3),
        ("single", "'serve'", 15, 15),
        ("single", "half", 16, 11),
        ("plain", "half", 18, 11),
        ("number", "8000", 20, 9),
        ("explicit", "indented", 22, 5),
        ("explicit", "--dtype", 23, 3),
        ("literal", "absent", 1, 10),
    ],
)
def test_locate(key: str, fragment: str, line: int, column: int) -> None:
    node = one(SCRIPT).root[key]
    place = node.locate(fragment)
    assert (place.line, place.column, place.path) == (line, column, key)


def test_locate_goes_on_after_a_place() -> None:
    node = one(SCRIPT).root["literal"]
    first = node.locate("--port")
    second = node.locate("--port", after=first)
    assert [(p.line, p.column) for p in (first, second)] == [(4, 5), (4, 15)]
    assert node.locate("--port", after=second) == node.location
    assert node.locate("80", after=first).column == 12  # the word, before the start of 8000


def test_locate_prefers_whole_words() -> None:
    node = one("a: --max-model-len-x --max-model-len 8\n").root["a"]
    assert node.locate("--max-model-len").column == 22
    assert node.locate("--max-model-le").column == 4


@given(st.text(st.sampled_from("ab \n'\"\\é😀\t#:"), max_size=30), st.sampled_from("'\"|>"), st.data())
def test_each_character_is_where_it_is_said(text: str, style: str, data: st.DataObject) -> None:
    import yaml

    emitted = yaml.dump({"k": text}, default_style=style, allow_unicode=True, width=20)
    document = one(emitted)
    node = next(node for _, node in document.root.items())
    found = node.source_map()
    assert found is not None
    assert found[0] == node.value
    if not found[0]:
        return
    index = data.draw(st.integers(0, len(found[0]) - 1))
    char = found[0][index]
    raw = emitted[found[1][index]]
    assert raw == char or raw == "\\" or (char in " \n" and raw in " \n") or char == "'"


def test_scalars_decode_as_they_are_read() -> None:
    assert decode_scalar('"a\\u00e9\\ud83d\\ude00\\x41\\n"')[0] == "aé😀A\n"
    assert decode_scalar("|+\n  a\n\n  b\n\n")[0] == "a\n\nb\n\n"
    assert decode_scalar(">\n  a\n  b\n\n  c\n   d\n  e\n")[0] == "a b\nc\n d\ne\n"


COMMENTED = """\
# top
a: 1
kind: Pod  # trailing # twice
url: http://x/#fragment
quoted: "a # b"
'key # x': 1 # real
plain: a#b
multi: "a
  # inside
  b"
script: |  # header
  # inside
  run # inside
# between
folded: >
  # inside
list:
  - 'it''s # in' # after
  # alone
"""


def test_comments_are_not_found_inside_scalars() -> None:
    text = COMMENTED + "---\n# second\nb: 1 # c\n"
    first, second = read(text, "f.yaml").documents
    assert list(first.comments()) == [
        (1, "# top"),
        (3, "# trailing # twice"),
        (6, "# real"),
        (11, "# header"),
        (14, "# between"),
        (18, "# after"),
        (19, "# alone"),
    ]
    assert list(second.comments()) == [(21, "# second"), (22, "# c")]
    assert (first.first_line, second.first_line) == (1, 20)


def test_comments_before_the_first_separator_belong_to_the_first_document() -> None:
    (document,) = read("# a\n---\n# b\nk: 1\n---\n# c\n", "f.yaml").documents
    assert list(document.comments()) == [(1, "# a"), (3, "# b")]
    (document,) = read('{"a": "# no"}', "f.json").documents
    assert list(document.comments()) == []


SECRETS = """\
# old key: sk-0123456789abcdef0123
env:
  - name: HF_TOKEN
    value: "hf_abcdefghijklmnop"  # hf_abcdefghijklmnop
  - name: SCRIPT
    value: |
      export API_KEY=sk-0123456789abcdef0123
      vllm serve x --api-key 'sk-0123456789abcdef0123' \\
        --dtype half
password: 123456789
pem: "-----BEGIN\\nAAAA BBBB"
after: 1
config: |
  token: sk-0123456789abcdef0123
  next: {a: 1}
"""
MARKER = "redacted:0123456789abcdef"


def test_replaced_values_are_gone_and_nothing_moves() -> None:
    document = one(SECRETS)
    root = document.root
    before = {node.path: node.location for node in walk(root)}
    document.replace(root.get("env", 0, "value"), MARKER)
    script = root.get("env", 1, "value")
    document.replace(script, str(script.value).replace("sk-0123456789abcdef0123", MARKER))
    document.replace(root["password"], MARKER)
    document.replace(root["pem"], MARKER)
    config = root["config"]
    document.replace(config, str(config.value).replace("sk-0123456789abcdef0123", MARKER))
    assert {node.path: node.location for node in walk(document.root)} == before
    assert root.get("env", 0, "value").value == MARKER
    assert root["password"].text() == MARKER
    shown = "\n".join(document.lines) + repr(list(document.comments())) + repr(document.root.value)
    for secret in ("sk-0123", "hf_abc", "123456789\n", "AAAA", "BBBB"):
        assert secret not in shown
    assert [len(line) for line in document.lines] == [len(line) for line in SECRETS.split("\n")]
    assert next(document.comments()) == (1, "# old key: " + "*" * 23)
    # What stands beside a secret is still found, and so is the secret's own place.
    again = root.get("env", 1, "value")
    assert again.locate("--dtype").line == 9
    assert (again.locate("--api-key").line, again.locate("--api-key").column) == (8, 20)
    key = again.locate(MARKER, after=again.locate("--api-key"))
    assert (key.line, key.column) == (8, 31)
    assert nested(root["config"]).root.get("next", "a").location == Location("f.yaml", "config.next.a", 15, 13)


def test_replacing_named_secrets_only() -> None:
    document = one("a: key abc abcd\n")
    document.replace(document.root["a"], "key X X", secrets=["abc"])
    assert document.lines[0] == "a: key *** ***d"


def test_replacing_in_a_nested_document_masks_the_outer_lines() -> None:
    document = one('a: "{\\"b\\": \\"topsecret1\\"}"\n')
    inner = nested(document.root["a"])
    inner.replace(inner.root["b"], MARKER)
    assert inner.root["b"].value == MARKER
    assert "topsecret1" not in document.lines[0] + inner.lines[0]


def test_replacing_a_root_and_wrapped_data() -> None:
    document = one("topsecret1\n")
    document.replace(document.root, MARKER)
    assert document.root.value == MARKER and "topsecret1" not in document.lines[0]
    root = wrap({"a": ["s"]}, "live")
    document.replace(root.get("a", 0), MARKER)
    assert root.value == {"a": [MARKER]}


def test_the_redactor_and_documents_fit() -> None:
    document = one(SECRETS)
    Redactor(b"k").document(document)
    shown = "\n".join(document.lines) + repr(document.root.value)
    assert "sk-0123" not in shown and "hf_abc" not in shown
    assert document.root.get("env", 1, "value").locate("--dtype").line == 9


def test_a_node_does_not_show_its_value() -> None:
    assert "hunter2" not in repr(one("password: hunter2\n").root["password"])


def test_many_secrets_are_masked_in_linear_time() -> None:
    text = "".join(f"k{i}: secret-{i:08d} # secret-{i:08d}\n" for i in range(3000))
    document = one(text)
    for _, node in list(document.root.items()):
        document.replace(node, MARKER)
    assert "secret-" not in "\n".join(document.lines)


def walk(node: Node) -> list[Node]:
    return [node, *(n for _, c in node.items() for n in walk(c)), *(n for c in node.each() for n in walk(c))]
