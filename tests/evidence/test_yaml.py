"""Reading streams: salvage, JSON, encodings, faults in plain words, hostile input, and the laws."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.evidence import yaml as reader
from askew.evidence.document import Document, Node
from askew.evidence.errors import DocumentError, EvidenceError
from askew.evidence.location import Location
from askew.evidence.yaml import documents, nested, read

MANIFEST = """\
# askew: ignore[x] because
apiVersion: apps/v1   # trailing
kind: Deployment
metadata:
  name: "llm"
spec:
  template:
    spec:
      containers:
        - name: vllm
          args: [--model, "org/name", '--max-model-len=8192']
          command:
            - sh
            - -c
            - |
              # not a comment
              exec vllm serve org/name \\
                --dtype half
"""


def descendants(node: Node) -> list[Node]:
    out, stack, seen = [], [node], set()
    while stack:
        at = stack.pop()
        out.append(at)
        if isinstance(at.value, (dict, list)):
            if id(at.value) in seen:
                continue
            seen.add(id(at.value))
            stack.extend(child for _, child in at.items())
            stack.extend(at.each())
    return out


def places(text: str) -> dict[str, tuple[int, int]]:
    (document,) = read(text, "f.yaml").documents
    return {node.path: (node.location.line, node.location.column) for node in descendants(document.root)}


def test_every_value_has_its_place() -> None:
    found = places(MANIFEST)
    assert found[""] == (2, 1)
    assert found["kind"] == (3, 7)
    assert found["metadata.name"] == (5, 9)
    assert found["spec.template.spec.containers[0]"] == (10, 11)
    assert found["spec.template.spec.containers[0].args[1]"] == (11, 27)
    assert found["spec.template.spec.containers[0].args[2]"] == (11, 39)
    assert found["spec.template.spec.containers[0].command[2]"] == (15, 15)


def test_every_key_has_its_place() -> None:
    (document,) = read(MANIFEST, "f.yaml").documents
    container = document.root.get("spec", "template", "spec", "containers", 0)
    assert container["args"].key_location == Location("f.yaml", "spec.template.spec.containers[0].args", 11, 11)
    assert container["args"][0].key_location == container["args"][0].location


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_do_not_move_places(end: str) -> None:
    assert places(MANIFEST.replace("\n", end)) == places(MANIFEST)


def test_anchors_and_tags_are_not_the_value() -> None:
    found = places("a: &x !!str 5\nb: !!map\n  c: *x\nd: &y\n  - 1\n")
    assert found["a"] == (1, 13)
    assert found["b"] == (3, 3)
    assert found["b.c"] == (1, 13)  # an alias leads to the text that is the value
    assert found["d"] == (5, 3)


def test_json_and_yaml_agree_on_values_and_places() -> None:
    text = '{"a": [1, -2.5e3, true, null, "x\\u00e9\\n"],\n "b\\"": {}, "c": {"d": []}}\n'
    (ours,) = read(text, "f.json").documents
    assert ours.root.value == json.loads(text)
    (flow,) = read("--- " + text, "f.yaml").documents  # not JSON: the YAML parser reads it
    assert flow.root.value == ours.root.value
    shift = {node.path: node.location for node in descendants(flow.root)}
    for node in descendants(ours.root):
        line, column = node.location.line, node.location.column
        assert (shift[node.path].line, shift[node.path].column) == (line, column + (4 if line == 1 else 0))


def test_json_beyond_the_flow_parser() -> None:
    key = "k" * 2000
    text = '{"%s": "\\ud83d\\ude00 \\/ \x7f", "lone": "\\ud800"} {"b": 1}\n[2]' % key  # noqa: UP031
    found = [document.root.value for document in read(text, "f.json").documents]
    assert found == [{key: "😀 / \x7f", "lone": "\ufffd"}, {"b": 1}, [2]]


def test_duplicate_keys_last_wins_and_is_told() -> None:
    for text in ("a: 1\nb:\n  c: 1\n  c: 2\n", '{"a": 1,\n"b":\n{"c": 1,\n"c": 2}}'):
        (document,) = read(text, "f").documents
        assert document.root.value == {"a": 1, "b": {"c": 2}}
        (problem,) = document.problems
        assert problem.location.line == 4
        assert "'c'" in problem.message and "line 3" in problem.message


def test_unknown_tags_are_told_and_never_applied() -> None:
    text = "a: !!python/object/apply:os.system [ls]\nb: !vault |\n  x\nc: !Ref D\n"
    (document,) = read(text, "f").documents
    assert document.root.value == {"a": ["ls"], "b": "x\n", "c": "D"}
    assert [problem.location.line for problem in document.problems] == [1, 2, 4]


def test_a_broken_document_does_not_hide_the_others() -> None:
    stream = read("a: 1\n---\nb: [1\n---\n# c\nc: 3\n---\nd: 'x\n---\ne: 5\n", "f.yaml")
    assert [(d.index, d.root.value, d.root.location.line) for d in stream.documents] == [
        (0, {"a": 1}, 1),
        (1, {"c": 3}, 6),
        (2, {"e": 5}, 10),
    ]
    assert [(error.line, error.column) for error in stream.errors] == [(3, 4), (8, 4)]


def test_documents_raises_behind_the_good_ones() -> None:
    found = []
    with pytest.raises(EvidenceError) as caught:
        for document in documents("a: [\n---\nb: 1\n", "f.yaml"):
            found.append(document.root.value)
    assert found == [{"b": 1}]
    assert str(caught.value).startswith("f.yaml:1:4: ")
    assert "\nhint: " in str(caught.value)


def test_streams_are_lazy() -> None:
    iterator = iter(read("a: 1\n---\nb: [\n", "f.yaml"))
    assert next(iterator).root.value == {"a": 1}


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n", "---\n", "---\n# x\n---\n", b"\xef\xbb\xbf", " \t\n"])
def test_nothing_is_no_document(text: str | bytes) -> None:
    stream = read(text, "f.yaml")
    assert (stream.documents, stream.errors) == ((), ())


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(codec: str) -> None:
    text = "a: é\nb: 😀 x\nc: 1\n"
    data = text.encode(codec)
    if codec in ("utf-16-le", "utf-16-be"):
        data = (b"\xff\xfe" if codec.endswith("le") else b"\xfe\xff") + data
    (document,) = read(data, "f.yaml").documents
    assert document.root.value == {"a": "é", "b": "😀 x", "c": 1}
    assert document.root["c"].location.line == 3


def test_directives_and_document_ends() -> None:
    stream = read("%YAML 1.1\n---\na: 1\n...\n---\nb: 2\n--- {c: 3}\n--- |\n text\n", "f.yaml")
    assert [d.root.value for d in stream.documents] == [{"a": 1}, {"b": 2}, {"c": 3}, "text\n"]


FAULTS = [
    ("a: 1\n\tb: 2\n", 2, 1, "tab"),
    ("a:\r\n\t- x\r\n", 2, 1, "tab"),
    ("a\nb: 1\n", 2, 2, "': '"),
    ("a: b: c\n", 1, 5, "': '"),
    ("a: 'x\nb: 1\n", 1, 4, "closing quote"),
    ('a: "x\nb: 1\n', 1, 4, "closing quote"),
    ("a: [1, 2\nb: 3\n", 1, 4, "closing bracket"),
    ('{"a": [1, 2}', 1, 12, "']'"),
    ("a: 'x' y\n", 1, 8, "expected a key"),
    ("- a\nb: 1\n", 2, 1, "indentation"),
    ("a: @x\n", 1, 4, "'@'"),
    ("a: %x\n", 1, 4, "'%'"),
    ("a: - b\n", 1, 4, "list item"),
    ('a: "\\q"\n', 1, 5, "escape"),
    ("a: !x!y z\n", 1, 4, "tag"),
    ("a: *x\n", 1, 4, "&x"),
    ("a: &a [*a]\n", 1, 8, "itself"),
    ("a: \x01\n", 1, 4, "U+0001"),
    ("a: \ud800\n", 1, 4, "character"),
    (b"a: 1\nb: \xff\n", 2, 4, "UTF-8"),
    (b"a: 1\nb\0", 2, 2, "binary"),
    ("a: {{ .Values.x }}\n", 1, 5, "Helm"),
    ("{{- if .Values.x }}\na: 1\n{{- end }}\n", 1, 2, "Helm"),
    ("{% if x %}\na: 1\n", 1, 2, "Jinja"),
    ("[" * 300, 1, 201, "nesting"),
    ('{"a":' * 300, 1, 1001, "nesting"),
    ("- " * 300 + "a", 1, 401, "nesting"),
]


@pytest.mark.parametrize(("text", "line", "column", "word"), FAULTS)
def test_faults_in_plain_words(text: str | bytes, line: int, column: int, word: str) -> None:
    stream = read(text, "dir/f.yaml")
    assert stream.documents == ()
    error = stream.errors[0]
    assert (error.line, error.column) == (line, column)
    assert word in f"{error.message} {error.hint}"
    assert str(error).startswith(f"dir/f.yaml:{line}:{column}: ")
    assert str(error).endswith(error.hint) and error.hint


def bomb(levels: int) -> str:
    rows = ["a0: &a0 [" + ",".join("x" * 9) + "]"]
    rows += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, levels)]
    return "\n".join(rows)


def chain(item: str) -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} {item.format(i - 1)}\n" for i in range(1, 3000))


HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "alias bomb": (bomb(12), "aliases"),
    "deep aliases": (chain("[*a{}]"), "nesting"),
    "merge bomb": (
        "a0: &a0 {" + ",".join(f"k{i}: 1" for i in range(2000)) + "}\n"
        + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 2000)),
        "aliases",
    ),
    "open brackets": ("[" * 2_000_000, "nesting"),
    "open objects": ('{"a":' * 400_000, "nesting"),
    "dashes": ("- " * 1_000_000, "nesting"),
    "quote": ('"' + "x " * 1_000_000, "quote"),
    "templates": ("{{ x }}\n" * 200_000, "Helm"),
    "broken documents": ("a: [\n---\n" * 20_000, "bracket"),
    "crlf": ("\r\n" * 500_000 + "a: [", "bracket"),
    "lines": ("\n" * 5_000_001, "lines"),
    "too large": (b"x" * (64 * 2**20 + 1), "bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_soon(name: str) -> None:
    text, word = HOSTILE[name]
    begin = time.process_time()
    stream = read(text, "f.yaml")
    assert word in stream.errors[0].message + stream.errors[0].hint
    assert len(stream.errors) <= 101
    assert time.process_time() - begin < 20  # seconds; none takes one on a slow machine, all grow without the bounds


def test_junk_that_is_yaml_is_read_soon() -> None:
    begin = time.process_time()
    assert len(read("---\n" * 200_000, "f").documents) == 0
    (document,) = read("a:\n" * 100_000, "f").documents
    assert len(document.problems) == reader.MAX_NOTES
    (document,) = read("a: " + "x" * 5_000_000, "f").documents
    assert document.root["a"].location.column == 4
    assert time.process_time() - begin < 20


def test_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_NODES", 100)
    for text in ("[" + "0," * 200 + "0]", "- 0\n" * 200, "a: {" + "".join(f"k{i}: 0, " for i in range(200)) + "}"):
        assert "values" in read(text, "f").errors[0].message
    assert not read("- 0\n" * 50, "f").errors


def test_nested_text_has_places_in_the_outer_file() -> None:
    text = (
        "spec:\n"
        "  serveConfigV2: |\n"
        "    applications:\n"
        "      - name: llm\n"
        "        args: {model: x}\n"
        "  folded: >-\n"
        "    {\"a\":\n"
        "    [1, 22]}\n"
        '  quoted: "{\\"a\\": [1, \\"b\\"]}"\n'
        "  plain: 8192\n"
        "  broken: |\n"
        "    a: [1\n"
    )  # fmt: skip
    (document,) = read(text, "f.yaml").documents
    spec = document.root["spec"]
    inner = nested(spec["serveConfigV2"]).root
    name = inner.get("applications", 0, "name")
    assert name.location == Location("f.yaml", "spec.serveConfigV2.applications[0].name", 4, 15)
    assert name.key_location.column == 9
    assert nested(spec["folded"]).root.get("a", 1).location == Location("f.yaml", "spec.folded.a[1]", 8, 9)
    assert nested(spec["quoted"]).root.get("a", 1).location.column == 24
    assert nested(spec["plain"]).root.value == 8192
    with pytest.raises(DocumentError) as caught:
        nested(spec["broken"])
    assert (caught.value.line, caught.value.column) == (12, 8)
    with pytest.raises(DocumentError, match="expected YAML or JSON text at spec"):
        nested(spec)
    with pytest.raises(DocumentError):
        nested(spec["missing"])


def test_base_shifts_places() -> None:
    base = Location("f.yaml", "data['x.yaml']", 10, 5, "v1 ConfigMap a/b")
    (document,) = read("a: 1\nb: [2]\n# c\n", "f.yaml", base=base).documents
    assert document.root.get("b", 0).location == Location("f.yaml", "data['x.yaml'].b[0]", 11, 9, "v1 ConfigMap a/b")
    assert list(document.comments()) == [(12, "# c")]
    nowhere = Location("live", "data.x")
    (document,) = read("a: 1\n", "live", base=nowhere).documents
    assert document.root["a"].location == Location("live", "data.x.a")


def test_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def summary() -> list[object]:
        return [(d.root.value, [n.location for n in descendants(d.root)]) for d in read(text, "f.yaml").documents]

    text = MANIFEST + "---\na: &x !!str 5\nb: *x\nc: >-\n  d\n  e\n---\n- 'x''y'\n- \"a\\\n   b\"\n"
    expected = summary()
    monkeypatch.setitem(__import__("sys").modules, "yaml._yaml", None)
    assert summary() == expected
    assert read("a: [1\n", "f").errors[0].column == 4


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) < 1e15 or not x.is_integer()),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.sampled_from(
        ["y", "0777", "1e3", "1_0", " x", "x ", "- a", "a: b", "#", "'", '"', "\n", "a\n\n b\n", "|", "{{"]
    ),
)
KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\u2028\u2029\x85"), max_size=12)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(DATA.filter(lambda data: isinstance(data, (dict, list))), st.sampled_from([None, 1]))
def test_json_read_back_is_equal(data: object, indent: int | None) -> None:
    (document,) = read(json.dumps(data, indent=indent, ensure_ascii=bool(indent)), "f.json").documents
    assert document.root.value == data
    assert json.loads(json.dumps(document.root.value)) == data


PLAIN_TEXT = st.characters(
    exclude_categories=("Cs", "Cc", "Cn"), include_characters="\n\t", exclude_characters="\ufeff\u2028\u2029"
)
PRINTABLE = st.text(PLAIN_TEXT, max_size=30)
STRINGS = st.recursive(PRINTABLE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


@settings(max_examples=300)
@given(STRINGS, st.sampled_from([None, '"', "'", "|", ">"]), st.booleans(), st.sampled_from([10, 80]))
def test_what_pyyaml_emits_is_read_back_with_places(data: object, style: str | None, flow: bool, width: int) -> None:
    quoted = style or '"'  # plain text is resolved differently by kubectl and PyYAML: always quote
    text = pyyaml.dump(data, default_style=quoted, default_flow_style=flow, width=width, allow_unicode=True)
    stream = read(text, "f.yaml")
    assert stream.errors == ()
    (document,) = stream.documents
    # Not ``data``: PyYAML's emitter loses some blanks beside characters beyond the first plane.
    assert document.root.value == pyyaml.load(text, pyyaml.CSafeLoader)
    lines = text.split("\n")
    for node in descendants(document.root):
        location = node.location
        char = lines[location.line - 1][location.column - 1 : location.column]
        if isinstance(node.value, str):
            assert char in "'\"|>" and char
            assert node.source_map() is not None and node.source_map()[0] == node.value  # type: ignore[index]
            key = node.key_location
            assert lines[key.line - 1][key.column - 1] in "'\"|>"


MARKS = list("a:|>'\"\\{}[],#%@?~0\t\x85\u2028\ufeffé")
PIECES = [
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n---\n",
    "|2-",
    "&a ",
    "*a",
    "!t ",
    "!!int ",
    "<<",
    " #",
    "\r\n",
    "1e3",
    "? ",
    "{{",
]
SNIPPETS = st.sampled_from([*MARKS, *PIECES, "\n...\n", "a: ", "\n- ", '"a": '])


@settings(max_examples=500)
@given(st.one_of(st.lists(SNIPPETS, max_size=30).map("".join), st.text(), st.binary()))
def test_anything_is_read_or_refused(text: str | bytes) -> None:
    stream = read(text, "f.yaml")
    for document in stream.documents:
        check_document(document)
    for error in stream.errors:
        assert isinstance(error, EvidenceError)
        assert error.message and error.hint and error.line >= 1 and error.column >= 1


def check_document(document: Document) -> None:
    rows = document.lines
    for node in descendants(document.root):
        for location in (node.location, node.key_location):
            assert 1 <= location.line <= len(rows)
            assert 1 <= location.column <= len(rows[location.line - 1]) + 1
        node.text()
        if isinstance(node.value, str):
            found = node.source_map()
            assert found is not None and len(found[0]) == len(found[1])
            node.locate(node.value[:3])
    json.dumps(document.root.value)
    for line, text in document.comments():
        assert rows[line - 1].rstrip().endswith(text)


def test_corpus_is_parsed_or_refused(shared: Path) -> None:
    """Every YAML and JSON file: read or refused, and each scalar reads back from its raw lines exactly."""
    parsed = refused = scalars = 0
    unexplained = []
    for path in sorted((shared / "corpus" / "files").rglob("*")):
        if path.suffix not in (".yaml", ".yml", ".json") or not path.is_file():
            continue
        stream = read(path.read_bytes(), path.name)
        for document in stream.documents:
            for node in descendants(document.root):
                if isinstance(node.value, str):
                    scalars += 1
                    found = node.source_map()
                    assert found is not None
                    assert found[0] == node.value, node.location
        parsed += not stream.errors
        refused += bool(stream.errors)
        unexplained += [str(error) for error in stream.errors if "expected YAML:" in error.message]
        assert all(error.hint and error.line for error in stream.errors)
    assert unexplained == []
    assert parsed > 1500 and scalars > 50_000
    assert refused < parsed / 2  # the corpus holds some 600 unrendered templates
    print(f"{parsed} parsed, {refused} refused, {scalars} scalars")


def test_byte_order_marks_before_the_text_move_no_column():
    for marks in ("\ufeff", "\ufeff\ufeff"):
        for text in ("a: 1\n", "\r\na"):
            for document in read(marks + text, "f.yaml").documents:
                check_document(document)
