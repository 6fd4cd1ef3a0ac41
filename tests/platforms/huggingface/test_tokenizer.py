"""Tokenizers of model directories: what the files state, which file counts, and hostile ones."""

from __future__ import annotations

import base64
import copy
import json
import struct
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.compare.telling import apart, partings
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.platforms.huggingface.tokenizer import pre_tokenizer
from askew.platforms.huggingface.tokenizer_json import canonical
from askew.platforms.huggingface.vocabularies import of_sentencepiece, of_tekken, of_tiktoken, of_vocabulary
from tests.platforms.huggingface.tokenizers_made import MERGES, base, write

needs_tokenizers = pytest.mark.skipif(
    find_spec("tokenizers") is None, reason="encodes with the tokenizers library, of the extra 'artifacts'"
)


def facts(folder, files):
    side = load(f"hf:{write(folder, files)}", "target", Redactor())
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    return snapshot.facts


def test_what_the_files_state(tmp_path):
    found = facts(tmp_path, base())
    values = {key.removeprefix("model.tokenizer."): one.value for key, one in found.items() if "tokenizer" in key}
    assert values["class"] == "PreTrainedTokenizerFast"
    assert values["vocab_size"] == 5 + 256 + len(MERGES)
    assert (values["adds_bos"], values["adds_eos"], values["clean_up_spaces"]) == (True, False, False)
    assert values["special_tokens"]["eos_token"] == "<|im_end|>"
    assert values["special_tokens"]["additional_special_tokens"] == "<|im_end|> <|im_start|>"
    assert values["added_tokens"]["3"] == "<|im_end|>"
    assert values["pre_tokenizer"].startswith('Split{"behavior":"Isolated"')
    lines = (tmp_path / "tokenizer_config.json").read_text().splitlines()
    place = found["model.tokenizer.special_tokens"].entries["eos_token"].locations[0]
    assert '"eos_token"' in lines[place.line - 1]
    place = found["model.tokenizer.added_tokens"].entries["3"].locations[0]
    assert '"3": {' in lines[place.line - 1]
    assert found["model.tokenizer.digest"].locations[0].source.endswith("/tokenizer.json")
    assert found["model.tokenizer.digest"].basis == "seen"


def test_a_token_of_blanks_keeps_them(tmp_path):
    files = base()
    files["tokenizer.json"]["added_tokens"].append({"id": 277, "content": "\n\n  ", "special": False})
    assert facts(tmp_path, files)["model.tokenizer.added_tokens"].value["277"] == "\n\n  "


@needs_tokenizers
def test_the_shortest_text_that_tells_two_tokenizers_apart(tmp_path):
    files = copy.deepcopy(base())
    pattern = files["tokenizer.json"]["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    pattern["Regex"] = pattern["Regex"].replace("{1,3}", "")
    report = diff(f"hf:{write(tmp_path / 'a', base())}", f"hf:{write(tmp_path / 'b', files)}", Options())
    (finding,) = (f for f in report.workloads[0].findings if f.rule == "model.tokenizer.behaviour")
    vocabulary = base()["tokenizer.json"]["model"]["vocab"]
    one, two, joined = (str(vocabulary[token]) for token in ("1", "2", "12"))
    assert f'"12": {joined}' in finding.impact and f"became {one} {two}" in finding.impact
    assert finding.reference is not None and finding.reference.because[0].startswith(f'"12" → {joined}')


def test_without_the_library_behaviour_is_unknown_and_the_rest_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = facts(tmp_path, base())
    for fact in ("model.tokenizer.behaviour", "model.chat_template.behaviour"):
        assert found[fact].state == "unknown" and "is not installed" in found[fact].reason
        assert found[fact].observe_with == "pip install 'askew[artifacts]'"
    assert found["model.tokenizer.digest"].state == "known"
    assert found["model.chat_template.emits_bos"].value is True
    assert found["model.chat_template.emits_bos"].confidence == "likely"


@pytest.mark.parametrize(
    ("name", "said", "post", "value", "confidence"),
    [
        ("LlamaTokenizer", None, True, True, "certain"),
        ("LlamaTokenizerFast", False, True, False, "likely"),
        ("LlamaTokenizer", False, False, False, "certain"),
        ("LlamaTokenizer", None, False, True, "likely"),
        ("PreTrainedTokenizerFast", None, True, True, "certain"),
        ("PreTrainedTokenizerFast", None, False, False, "certain"),
        ("PreTrainedTokenizerFast", True, False, False, "likely"),
        ("Qwen2Tokenizer", False, False, False, "certain"),
    ],
)
def test_who_decides_about_bos(tmp_path, name, said, post, value, confidence):
    files = base()
    files["tokenizer_config.json"]["tokenizer_class"] = name
    if said is not None:
        files["tokenizer_config.json"]["add_bos_token"] = said
    if not post:
        files["tokenizer.json"]["post_processor"] = None
    one = facts(tmp_path, files)["model.tokenizer.adds_bos"]
    assert (one.value, one.confidence) == (value, confidence)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, "gpt-2"),
        ({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"Regex":
             r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
             r"\s*[\r\n]+|\s+(?!\S)|\s+"}},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]}, "qwen2"),
        ({"type": "Metaspace", "replacement": "▁", "add_prefix_space": False}, 'Metaspace{"prepend_scheme":"never"}'),
        ({"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "str_rep": "▁"}, "Metaspace"),
        ({"type": "BertPreTokenizer"}, "BertPreTokenizer"),
        (None, None),
    ],
)  # fmt: skip
def test_the_name_of_a_pre_tokenizer(part, name):
    data = {"pre_tokenizer": part, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    assert pre_tokenizer(canonical(json.dumps(data).encode()).pre_tokenizer) == name


# Other files than tokenizer.json


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, value: bytes | int | float) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sentencepiece(pieces: list[tuple[str, float, int]], trainer: bytes = b"", normalizer: bytes = b"") -> bytes:
    listed = b"".join(field(1, field(1, p.encode()) + field(2, s) + field(3, k)) for p, s, k in pieces)
    return listed + field(2, trainer) + field(3, normalizer)


PIECES = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("▁a", -1.0, 1), ("b", -2.0, 1)]


def test_a_sentencepiece_model():
    trained = field(1, b"/data/corpus.txt") + field(3, 2) + field(35, 1)
    found = of_sentencepiece(sentencepiece(PIECES, trained, field(1, b"identity") + field(3, 0)))
    assert (found.size, found.model) == (5, '{"byte_fallback":1,"type":"bpe"}')
    assert found.normalizer == '{"add_dummy_prefix":0,"name":"identity"}'
    same = of_sentencepiece(
        sentencepiece(PIECES, field(3, 2) + field(35, 1) + field(40, 0), field(1, b"identity") + field(3, 0))
    )
    assert same == found, "what it was trained on, and defaults that are spelled out"
    other = of_sentencepiece(sentencepiece([*PIECES[:4], ("b", -2.5, 1)], trained, field(1, b"identity") + field(3, 0)))
    assert other.vocabulary != found.vocabulary


def test_a_slow_tokenizer_alone(tmp_path):
    files = base()
    del files["tokenizer.json"], files["tokenizer_config.json"]["added_tokens_decoder"]
    files["tokenizer_config.json"]["tokenizer_class"] = "LlamaTokenizer"
    files["tokenizer.model"] = sentencepiece(PIECES, field(3, 2))
    files["added_tokens.json"] = {"<extra>": 5}
    found = facts(tmp_path, files)
    assert found["model.tokenizer.adds_bos"].value is True
    assert found["model.tokenizer.vocab_size"].value == 6
    assert found["model.tokenizer.added_tokens"].value == {"5": "<extra>"}
    assert found["model.tokenizer.digest"].confidence == "likely"


def test_ranks_of_tiktoken_in_any_order():
    lines = [base64.b64encode(bytes([byte])) + b" %d" % byte for byte in range(256)]
    assert of_tiktoken(b"\n".join(lines)) == of_tiktoken(b"\r\n".join(reversed(lines)) + b"\n")
    with pytest.raises(ValueError, match="line 2"):
        of_tiktoken(b"YQ== 0\nYg==\n")


def test_vocabularies_with_and_without_merges():
    one = of_vocabulary(b'{"a": 0, "b": 1, "ab": 2}', b"#version: 0.2\na b\n")
    assert one == of_vocabulary(b'{"ab":2,"b":1,"a":0}', b"a b")
    assert one != of_vocabulary(b'{"a": 0, "b": 1, "ab": 2}', b"b a\n")
    assert of_vocabulary(b"[PAD]\n[UNK]\nhello\n", None) == of_vocabulary(b"[PAD]\r\n[UNK]\r\nhello", None)


# Hostile files


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer.json", "", "expected JSON"),
        ("tokenizer.json", "{", "expected JSON"),
        ("tokenizer.json", "[" * 100_000, "nesting"),
        ("tokenizer.json", '{"model": ' + '{"a":' * 100_000, "nesting"),
        ("tokenizer.json", "[]", "the key model"),
        ("tokenizer.json", '{"model": {"vocab": {"a": "b"}}}', "tokens and their ids"),
        ("tokenizer.json", '{"model": {"vocab": [1]}}', "pieces and their scores"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 0}, "merges": ["a"]}}', "merges of two tokens"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": "x"}]}', "added tokens with id"),
        ("tokenizer.json", '{"model": {"vocab": {"\\ud800": 0}}}', ""),
        ("tokenizer.model", b"\x00\xff" * 50, "SentencePiece"),
        ("tokenizer.model", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "SentencePiece"),
        ("tokenizer.model", b"\xff" * 1000, "SentencePiece"),
        ("x.tiktoken", b"\x00 1", ""),
        ("chat_template.jinja", b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_broken_file_is_an_error_and_the_rest_is_compared(tmp_path, name, content, says):
    files = base()
    del files["tokenizer.json"]
    side = load(f"hf:{write(tmp_path, {**files, name: content})}", "target", Redactor())
    assert side.snapshots[0].facts["model.architecture"].value == "LlamaForCausalLM"
    if says:
        assert says in side.errors[0].message and side.errors[0].source.endswith(name) and side.errors[0].hint


def test_a_link_that_leads_outside_is_not_followed(tmp_path):
    write(tmp_path / "elsewhere", base())
    files = base()
    del files["tokenizer.json"]
    write(tmp_path / "model", files)
    (tmp_path / "model" / "tokenizer.json").symlink_to("../elsewhere/tokenizer.json")
    side = load(f"hf:{tmp_path}/model", "target", Redactor())
    assert any("leads outside" in error.message for error in side.errors)
    assert "model.tokenizer.digest" not in side.snapshots[0].facts


def test_a_sparse_giant_is_refused_unread(tmp_path):
    write(tmp_path, base())
    with open(tmp_path / "tokenizer.json", "wb") as file:
        file.truncate(10**10)
    side = load(f"hf:{tmp_path}", "target", Redactor())
    assert "10,000,000,000 bytes" in side.errors[0].message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tokenizer_or_a_value_error(data):
    for read in (canonical, of_sentencepiece, of_tekken, of_tiktoken, lambda raw: of_vocabulary(raw, raw)):
        try:
            read(data)
        except ValueError as error:
            assert str(error).startswith("expected")


@needs_tokenizers
def test_a_tokenizer_that_the_library_refuses_has_no_behaviour(tmp_path):
    files = base()
    files["tokenizer.json"]["normalizer"] = {"type": "NoSuchNormalizer"}
    one = facts(tmp_path, files)["model.tokenizer.behaviour"]
    assert one.state == "unknown" and "does not read the file" in one.reason


# Where two digests part


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=200))
def test_what_two_texts_share_is_cut_and_what_differs_is_not(left, right, around):
    one, other = apart(around + left + around, around + right + around)
    assert (one == other) == (left == right) or "…" in one


def test_pieces_that_differ():
    there = ("a → 1", "b → " + "x" * 100 + "3", "only there → 1")
    (found,) = partings(("a → 1", "b → " + "x" * 100 + "2", "only here → 1"), there)
    assert str(found) == f"b: …{'x' * 24}2 became …{'x' * 24}3"


# A real one, where its package is installed: MIT, https://pypi.org/project/litellm


def test_a_real_tokenizer_written_anew_by_its_library(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra 'artifacts'")
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package litellm, which carries a tokenizer.json, is not installed")
    path = Path(spec.submodule_search_locations[0]) / "litellm_core_utils/tokenizers/anthropic_tokenizer.json"
    real = path.read_bytes()
    tokenizers.Tokenizer.from_str(real.decode()).save(str(tmp_path / "again.json"), pretty=True)
    assert canonical(real) == canonical((tmp_path / "again.json").read_bytes())
    raw = json.loads(real)
    raw["model"]["merges"][100], raw["model"]["merges"][101] = raw["model"]["merges"][101], raw["model"]["merges"][100]
    assert canonical(json.dumps(raw).encode()).merges != canonical(real).merges


def test_what_to_do_names_the_files(tmp_path):
    files = base()
    files["tokenizer_config.json"]["eos_token"] = "</s>"
    files["tokenizer.json"]["model"]["merges"].reverse()
    report = diff(f"hf:{write(tmp_path / 'a', base())}", f"hf:{write(tmp_path / 'b', files)}", Options())
    told = {finding.rule: finding.remedies[0].action for finding in report.workloads[0].findings}
    name = "model.tokenizer.special_tokens"
    config = "tokenizer_config.json"
    back = f"Set {name}[eos_token] back to <|im_end|> in {tmp_path}/b/{config}"
    assert told[name] == f"{back}, or take {tmp_path}/a/{config} of the reference"
    tokenizer = "tokenizer.json"
    assert told["model.tokenizer.digest"] == (
        f"Take {tmp_path}/a/{tokenizer} of the reference in place of {tmp_path}/b/{tokenizer}"
    )


def tekken(**changes):
    config = {"pattern": r"\p{L}+", "num_vocab_tokens": 300, "default_vocab_size": 260, "default_num_special_tokens": 4}
    ranks = [{"rank": n, "token_bytes": base64.b64encode(bytes([n])).decode(), "token_str": chr(n)} for n in range(256)]
    unused = {"rank": 256, "token_bytes": "YWI=", "token_str": "ab"}
    special = [
        {"rank": 0, "token_str": "<unk>", "is_control": True},
        {"rank": 1, "token_str": "<s>", "is_control": True},
    ]
    return json.dumps({"config": config, "vocab": [*ranks, unused], "special_tokens": special, **changes}).encode()


def test_a_tekken_file():
    raw = json.loads(tekken())
    assert of_tekken(tekken()).size == 260
    assert of_tekken(tekken()) == of_tekken(tekken(vocab=raw["vocab"][::-1]))
    assert of_tekken(tekken()) == of_tekken(tekken(vocab=raw["vocab"][:-1])), "a rank that is not used"
    assert of_tekken(tekken()) != of_tekken(tekken(config={**raw["config"], "pattern": "."}))
    assert of_tekken(tekken()) != of_tekken(tekken(vocab=raw["vocab"][1:]))
    with pytest.raises(ValueError, match="tekken"):
        of_tekken(b'{"config": {}, "vocab": [1]}')


def test_what_a_sentencepiece_model_does(tmp_path):
    pytest.importorskip("sentencepiece", reason="encodes with SentencePiece, of the extra 'artifacts'")
    files = {"tokenizer.model": sentencepiece([*PIECES, ("▁", -3.0, 1), ("a", -3.5, 1)], field(3, 1))}
    found = facts(tmp_path / "a", files)
    assert '"a" → 3, decoded "a"' in found["model.tokenizer.behaviour"].because
    files["tokenizer.model"] = sentencepiece(
        [*PIECES[:3], ("▁a", -9.0, 1), *PIECES[4:], ("▁", -3.0, 1), ("a", -3.5, 1)]
    )
    other = facts(tmp_path / "b", files)
    assert '"a" → 5 6, decoded "a"' in other["model.tokenizer.behaviour"].because


@pytest.mark.parametrize("model", [b"\x0a\x03\x0a\x01a", b"\x0a\x05\x0a\x01a\x18\x7f"])
def test_a_sentencepiece_model_that_the_library_refuses(tmp_path, model):
    pytest.importorskip("sentencepiece", reason="encodes with SentencePiece, of the extra 'artifacts'")
    one = facts(tmp_path, {"tokenizer.model": model})["model.tokenizer.behaviour"]
    assert one.state == "unknown" and one.reason.startswith("no text was encoded")


def test_a_name_and_steps_of_a_pre_tokenizer_tell_nothing_of_each_other():
    kind = FACTS["model.tokenizer.pre_tokenizer"].type
    assert kind.comparable is not None
    assert (
        kind.comparable("llama-bpe", "qwen2")
        and kind.comparable("llama-bpe", "Metaspace")
        and kind.comparable("Metaspace", 'Split{"a":1} + ByteLevel')
    )
    assert not kind.comparable("deepseek-coder", "Metaspace") and not kind.comparable(
        'Split{"a":1} + ByteLevel', "deepseek-llm"
    )


def test_a_directory_in_place_of_a_file_is_an_error_and_the_rest_is_read(tmp_path):
    write(tmp_path, {"config.json": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}})
    for name in ("tokenizer.json", "generation_config.json"):
        (tmp_path / name).mkdir()
    side = load(f"hf:{tmp_path}", "target", Redactor())
    assert [error.message for error in side.errors] == ["expected a file, found a directory"] * 2
    assert side.snapshots[0].facts["model.architecture"].value == "LlamaForCausalLM"
