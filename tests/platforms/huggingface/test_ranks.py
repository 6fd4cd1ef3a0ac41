"""Files of ranks, tiktoken's and Mistral's: what they make of the probes."""

from __future__ import annotations

import base64
import json
from importlib.util import find_spec

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor
from tests.platforms.huggingface.test_tokenizer import tekken
from tests.platforms.huggingface.tokenizers_made import write

needs_tiktoken = pytest.mark.skipif(
    find_spec("tiktoken") is None, reason="encodes with tiktoken, of the extra 'artifacts'"
)
BEHAVIOUR = "model.tokenizer.behaviour"
TOKENS = [*(bytes([byte]) for byte in range(256)), b"ab", b"12"]


def ranks(tokens=tuple(TOKENS)):
    return b"\n".join(base64.b64encode(token) + b" %d" % rank for rank, token in enumerate(tokens))


def behaviour(folder, files):
    side = load(f"hf:{write(folder, files)}", "target", Redactor())
    return side.snapshots[0].facts[BEHAVIOUR]


def used(**changes):
    """A ``tekken.json`` all of whose ranks are used."""
    raw = json.loads(tekken())
    config = {**raw["config"], "default_vocab_size": 261, "pattern": r"\p{L}+|[^\p{L}]", **changes}
    return tekken(config=config)


@needs_tiktoken
def test_a_tekken_file_says_all_that_is_needed(tmp_path):
    one = behaviour(tmp_path, {"tekken.json": used()})
    assert (one.confidence, str(one.value).partition("+")[0]) == ("certain", "tiktoken")
    assert '"a b" → 101 36 102, decoded "a b"' in one.because, "the four special tokens have the first ids"
    assert '"<s>" → 64 119 66, decoded "<s>"' in one.because, "a text is no special token"


@needs_tiktoken
@pytest.mark.parametrize(
    "config", [{"default_num_special_tokens": 5, "default_vocab_size": 262}, {"pattern": r"\p{N}+|\P{N}"}]
)
def test_what_moves_the_ids_of_a_tekken_file_shows_in_both_digests(tmp_path, config):
    a, b = write(tmp_path / "a", {"tekken.json": used()}), write(tmp_path / "b", {"tekken.json": used(**config)})
    rules = {finding.rule for finding in diff(f"hf:{a}", f"hf:{b}", Options()).workloads[0].findings}
    assert rules >= {BEHAVIOUR, "model.tokenizer.digest"}


@needs_tiktoken
def test_ranks_are_split_as_the_code_of_their_model_does(tmp_path):
    qwen = behaviour(tmp_path / "a", {"qwen.tiktoken": ranks()})
    llama = behaviour(tmp_path / "b", {"tokenizer.model": ranks()})
    assert qwen.confidence == llama.confidence == "likely"
    assert '"12" → 49 50, decoded "12"' in qwen.because and '"12" → 257, decoded "12"' in llama.because
    assert qwen.because[-1].startswith("split as Qwen's") and llama.because[-1].startswith("split as the tokenizer.py")
    composed = next(line for line in qwen.because if line.startswith('"e\u0301"'))
    assert composed.endswith('decoded "é"'), "Qwen's code normalises to NFC"


def test_ranks_without_known_code_are_not_tried(tmp_path):
    one = behaviour(tmp_path, {"own.tiktoken": ranks()})
    assert one.state == "unknown" and "does not say how a text is split" in one.reason and one.observe_with


@needs_tiktoken
def test_the_shortest_text_that_tells_two_files_of_ranks_apart(tmp_path):
    one, two = TOKENS, [*TOKENS[:256], b"12", b"ab"]
    a = write(tmp_path / "a", {"tokenizer.model": ranks(one)})
    b = write(tmp_path / "b", {"tokenizer.model": ranks(two)})
    findings = {finding.rule: finding for finding in diff(f"hf:{a}", f"hf:{b}", Options()).workloads[0].findings}
    assert '"12": 257, decoded "12" became 256, decoded "12"' in findings[BEHAVIOUR].impact
    assert 'Tokens with another id: "ab" (256 → 257), "12" (257 → 256).' in findings["model.tokenizer.digest"].impact


@needs_tiktoken
def test_ranks_and_the_same_tokenizer_in_another_library_are_not_compared(tmp_path):
    a, b = write(tmp_path / "a", {"qwen.tiktoken": ranks()}), write(tmp_path / "b", {"tekken.json": used()})
    rules = {finding.rule for finding in diff(f"hf:{a}", f"hf:{b}", Options()).workloads[0].findings}
    assert "model.tokenizer.digest" not in rules


@needs_tiktoken
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("qwen.tiktoken", ranks(TOKENS[1:]), "none for 0x00"),
        ("qwen.tiktoken", ranks().replace(b"MTI= 257", b"MTI= 0"), "each once"),
        ("qwen.tiktoken", b"!!! 0\n" + ranks(), "base64"),
        ("qwen.tiktoken", ranks() + b"\nYWJj 99999999999", "2147483647"),
        ("tekken.json", used(pattern="("), "tiktoken does not read"),
        ("tekken.json", used(pattern="(?:a+)+$(?<=b)(a|a)*\\1"), ""),
        ("tekken.json", used(pattern=None), "config.pattern"),
        ("tekken.json", used(default_num_special_tokens=None), "config.pattern"),
    ],
)
def test_a_file_that_cannot_be_tried_says_why(tmp_path, name, content, says):
    one = behaviour(tmp_path, {name: content})
    assert not says or (one.state == "unknown" and says in one.reason)


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    one = behaviour(tmp_path, {"tekken.json": used()})
    assert one.state == "unknown" and one.observe_with == "pip install 'askew[artifacts]'"
