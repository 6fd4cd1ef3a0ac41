"""Pairs of model directories: one change each that matters, found and named; and as many that do not, silent."""

from __future__ import annotations

import base64
import json
from importlib.util import find_spec
from typing import Any

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor
from askew.resolve.workload import Snapshot
from tests.platforms.huggingface.tokenizers_made import (
    CHATML,
    Change,
    Files,
    also,
    at,
    base,
    by,
    changed,
    template,
    without,
    write,
)

T, C, S = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
RENDERS, ENCODES = find_spec("jinja2") is not None, find_spec("tokenizers") is not None
TEMPLATE = {"model.chat_template.digest", "model.chat_template.behaviour"}
TOKENIZER = {"model.tokenizer.digest", "model.tokenizer.behaviour"}


def snapshot(folder: Any, files: Files) -> Snapshot:
    side = load(f"hf:{write(folder, files)}", "target", Redactor())
    assert not side.errors, side.errors
    (one,) = side.snapshots
    return one


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Snapshot:
    return snapshot(tmp_path_factory.mktemp("model"), base())


def added(number: int, content: str, **flags: bool) -> dict[str, Any]:
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content, **usual, **flags}


def swapped(items: list[Any]) -> list[Any]:
    return [items[1], items[0], *items[2:]]


def flag(number: int, name: str, value: bool) -> Change:
    """A flag of an added token, in both files that have it."""
    return also(
        at(T, "added_tokens", number, name, value=value), at(C, "added_tokens_decoder", str(number), name, value=value)
    )


def traded(one: str, other: str) -> Any:
    def trade(vocabulary: dict[str, int]) -> dict[str, int]:
        return {**vocabulary, one: vocabulary[other], other: vocabulary[one]}

    return trade


def post(single: list[Any]) -> Change:
    ids = {"<s>": 0, "</s>": 1}
    used = {piece["SpecialToken"]["id"] for piece in single if "SpecialToken" in piece}
    return also(
        at(T, "post_processor", "single", value=single),
        at(T, "post_processor", "special_tokens",
           value={name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in used}),
    )  # fmt: skip


BOS = {"SpecialToken": {"id": "<s>", "type_id": 0}}
EOS = {"SpecialToken": {"id": "</s>", "type_id": 0}}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}
NEW = 277  # the first free id

# What is changed, and a word or a fact that must name it.
MATTERS: dict[str, tuple[Change, str]] = {
    "an added token": (
        by(lambda t: [*t, added(NEW, "<tool_call>")], T, "added_tokens"),
        "model.tokenizer.added_tokens",
    ),
    "an added token in the configuration alone": (
        at(C, "added_tokens_decoder", str(NEW), value=added(NEW, "<tool>")),
        "model.tokenizer.added_tokens",
    ),
    "an added token with another text": (
        also(
            at(T, "added_tokens", 2, "content", value="<|start|>"),
            at(C, "added_tokens_decoder", "2", "content", value="<|start|>"),
            by(lambda v: {("<|start|>" if t == "<|im_start|>" else t): n for t, n in v.items()}, T, "model", "vocab"),
        ),
        "model.tokenizer.added_tokens",
    ),
    "an added token strips in front": (flag(3, "lstrip", True), "added tokens with lstrip"),
    "an added token strips behind": (flag(3, "rstrip", True), "added tokens with rstrip"),
    "an added token is a whole word": (flag(3, "single_word", True), "added tokens with single_word"),
    "an added token is not special": (flag(2, "special", False), "added tokens with special"),
    "an added token is normalised": (flag(2, "normalized", True), "added tokens with normalized"),
    "the order of merges": (by(swapped, T, "model", "merges"), "merges"),
    "a merge is gone": (by(lambda m: m[:-1], T, "model", "merges"), "merges"),
    "two ids traded": (by(traded("he", "ll"), T, "model", "vocab"), "vocabulary"),
    "a token more": (by(lambda v: {**v, "zzz": NEW}, T, "model", "vocab"), "model.tokenizer.vocab_size"),
    "no normaliser": (at(T, "normalizer", value=None), "normalizer"),
    "another normaliser": (at(T, "normalizer", value={"type": "NFKC"}), "normalizer"),
    "a normaliser more": (
        at(T, "normalizer", value={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}),
        "normalizer",
    ),
    "another split": (
        by(lambda r: r.replace("{1,3}", ""), T, "pre_tokenizer", "pretokenizers", 0, "pattern", "Regex"),
        "model.tokenizer.pre_tokenizer",
    ),
    "the split removes": (
        at(T, "pre_tokenizer", "pretokenizers", 0, "behavior", value="Removed"),
        "model.tokenizer.pre_tokenizer",
    ),
    "the split is inverted": (
        at(T, "pre_tokenizer", "pretokenizers", 0, "invert", value=True),
        "model.tokenizer.pre_tokenizer",
    ),
    "a blank in front": (
        at(T, "pre_tokenizer", "pretokenizers", 1, "add_prefix_space", value=True),
        "model.tokenizer.pre_tokenizer",
    ),
    "the words of GPT-2": (
        at(T, "pre_tokenizer", "pretokenizers", 1, "use_regex", value=True),
        "model.tokenizer.pre_tokenizer",
    ),
    "digits one by one": (
        by(lambda p: [{"type": "Digits", "individual_digits": True}, *p], T, "pre_tokenizer", "pretokenizers"),
        "model.tokenizer.pre_tokenizer",
    ),
    "no BOS in front": (post([TEXT]), "model.tokenizer.adds_bos"),
    "EOS behind": (also(post([BOS, TEXT, EOS]), at(C, "eos_token", value="</s>")), "model.tokenizer.adds_eos"),
    "another decoder": (at(T, "decoder", value={"type": "BPEDecoder", "suffix": "</w>"}), "decoder"),
    "merges ignored for whole words": (at(T, "model", "ignore_merges", value=True), "model"),
    "bytes for what is unknown": (at(T, "model", "byte_fallback", value=True), "model"),
    "merges left out at random": (at(T, "model", "dropout", value=0.1), "model"),
    "another EOS": (at(C, "eos_token", value="</s>"), "model.tokenizer.special_tokens"),
    "another BOS": (at(C, "bos_token", value="<|im_start|>"), "model.tokenizer.special_tokens"),
    "a padding token": (at(C, "pad_token", value="</s>"), "model.tokenizer.special_tokens"),
    "a special token more": (
        by(lambda t: [*t, "<tool>"], C, "additional_special_tokens"),
        "model.tokenizer.special_tokens",
    ),
    "blanks cleaned up": (at(C, "clean_up_tokenization_spaces", value=True), "model.tokenizer.clean_up_spaces"),
    "another class": (at(C, "tokenizer_class", value="LlamaTokenizer"), "model.tokenizer.class"),
    "another default system prompt": (template("You are helpful.", "You are Qwen."), "You are"),
    "another format of tools": (
        template("<tools>{{ tools | tojson }}</tools>", "{{ tools | tojson(indent=2) }}"),
        "tools",
    ),
    "another format of calls": (template("call.function | tojson", "call | tojson"), "call"),
    "no line end behind the role": (template("'] + '\\n' +", "'] + ' ' +"), "one question"),
    "a line end that is rendered": (template("{{ bos_token }}", "{{ bos_token }}\n"), "one question"),
    "a blank at the end": (
        template("<|im_end|>\\n' }}\n    {%- for", "<|im_end|> \\n' }}\n    {%- for"),
        "one question",
    ),
    "no BOS in the template": (template("{{ bos_token }}", ""), "model.chat_template.emits_bos"),
    "no generation prompt": (
        template("{{- '<|im_start|>assistant\\n' }}", "{{- '' }}"),
        "model.chat_template.generation_prompt",
    ),
    "the template opens the reasoning": (
        template("assistant\\n' }}", "assistant\\n<think>\\n' }}"),
        "model.chat_template.opens_reasoning",
    ),
    "the date in the prompt": (
        template("You are helpful.", "Today is ' + strftime_now('%d %B') + '."),
        "model.chat_template.uses_clock",
    ),
    "content is trimmed": (
        template("message['content'] | string", "message['content'] | string | trim"),
        "blanks around",
    ),
    "system messages are refused": (
        template(
            "{%- if loop.first",
            "{%- if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}{%- if loop.first",
        ),
        "no system",
    ),
    "another template in its own file": (
        lambda files: files.update({"chat_template.jinja": CHATML.replace("helpful", "kind")}),
        "kind",
    ),
    "a template for tools": (
        by(
            lambda t: [{"name": "default", "template": t}, {"name": "tool_use", "template": t + "T"}],
            C,
            "chat_template",
        ),
        "model.chat_template.digest",
    ),
    "a branch for thinking": (
        template(
            "{%- if add_generation_prompt %}", "{%- if add_generation_prompt and enable_thinking is not defined %}"
        ),
        "thinking off",
    ),
}


@pytest.mark.parametrize("name", MATTERS)
def test_a_change_that_matters_is_found_and_named(name, before, tmp_path):
    change, named = MATTERS[name]
    after = snapshot(tmp_path, changed(change))
    found = compare(before, after).differences
    told = {difference.fact.key for difference in found}
    assert told, "nothing was found"
    if named.startswith("model."):
        wanted = {named}
        if named in (
            "model.chat_template.emits_bos",
            "model.chat_template.opens_reasoning",
            "model.chat_template.generation_prompt",
        ):
            wanted = wanted if RENDERS else {"model.chat_template.digest"}
        assert wanted <= told
    else:
        assert told & (TEMPLATE | TOKENIZER)
        if RENDERS and ENCODES:
            report = diff(f"hf:{write(tmp_path / 'a', base())}", f"hf:{tmp_path}", Options())
            findings = [finding for workload in report.workloads for finding in workload.findings]
            said = [f"{f.impact} {side.because}" for f in findings for side in (f.reference, f.target) if side]
            assert any(named in text for text in said), said
    kinds = ("model.tokenizer.", "model.chat_template.")
    about = "model.chat_template." if "chat_template" in str(named) or "template" in name else ""
    assert all(key.startswith(about or kinds) for key in told), told


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def formatted(name: str, **how: Any) -> Change:
    return lambda files: files.update({name: json.dumps(files[name], **how)})


def moved_to_file(files: Files) -> None:
    files["chat_template.jinja"] = files[C].pop("chat_template")


def legacy_layout(files: Files) -> None:
    """As transformers wrote it before 4.34."""
    for key in ("added_tokens_decoder", "bos_token", "eos_token", "unk_token", "additional_special_tokens"):
        files[C].pop(key)
    files[S]["additional_special_tokens"] = ["<|im_start|>", "<|im_end|>"]


def slow_beside(files: Files) -> None:
    files["vocab.json"] = {"other": 0}
    files["merges.txt"] = "#version: 0.2\na b\n"


def additional(files: Files) -> None:
    text = files[C].pop("chat_template")
    files[C]["chat_template"] = [{"name": "default", "template": text}, {"name": "rag", "template": "R"}]


SILENT: dict[str, Change] = {
    "keys of the tokenizer in another order": by(reordered, T),
    "keys of the configuration in another order": by(reordered, C),
    "keys of the map in another order": by(reordered, S),
    "the tokenizer without white space": formatted(T, separators=(",", ":")),
    "the tokenizer with tabs": formatted(T, indent="\t"),
    "escapes for all that is not ASCII": formatted(T, ensure_ascii=True),
    "no escapes": formatted(T, ensure_ascii=False),
    "the configuration without white space": formatted(C, separators=(",", ":")),
    "the map without white space": formatted(S, separators=(",", ":")),
    "another version of the format": at(T, "version", value="1.1"),
    "merges as text": by(lambda merges: [" ".join(pair) for pair in merges], T, "model", "merges"),
    "truncation": at(
        T, "truncation", value={"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
    ),
    "padding": at(
        T,
        "padding",
        value={
            "strategy": "BatchLongest",
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "<s>",
        },
    ),
    "defaults of the model left out": also(
        *(
            without(T, "model", key)
            for key in (
                "dropout",
                "fuse_unk",
                "byte_fallback",
                "ignore_merges",
                "continuing_subword_prefix",
                "end_of_word_suffix",
            )
        )
    ),
    "an empty prefix": at(T, "model", "continuing_subword_prefix", value=""),
    "an empty suffix": at(T, "model", "end_of_word_suffix", value=""),
    "offsets are not trimmed": at(T, "pre_tokenizer", "pretokenizers", 1, "trim_offsets", value=False),
    "options of a decoder that has none": at(
        T, "decoder", value={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    ),
    "a sequence of one normaliser": at(T, "normalizer", value={"type": "Sequence", "normalizers": [{"type": "NFC"}]}),
    "a sequence in a sequence": by(lambda p: {"type": "Sequence", "pretokenizers": [p]}, T, "pre_tokenizer"),
    "a post-processor that only trims": by(
        lambda p: {
            "type": "Sequence",
            "processors": [
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                p,
            ],
        },
        T,
        "post_processor",
    ),
    "a sequence of one decoder": by(lambda p: {"type": "Sequence", "decoders": [p]}, T, "decoder"),
    "added tokens in another order": by(lambda tokens: tokens[::-1], T, "added_tokens"),
    "vocabulary in another order": by(lambda v: dict(sorted(v.items())), T, "model", "vocab"),
    "additional special tokens in another order": by(lambda t: t[::-1], C, "additional_special_tokens"),
    "special tokens as objects": at(
        C,
        "eos_token",
        value={
            "__type": "AddedToken",
            "content": "<|im_end|>",
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "single_word": False,
        },
    ),
    "a map that is not read": at(S, "eos_token", value="</s>"),
    "no map": without(S),
    "added tokens only with the tokenizer": also(without(C, "added_tokens_decoder")),
    "the layout before 4.34": legacy_layout,
    "added_tokens.json beside": lambda files: files.update({"added_tokens.json": {"<|im_end|>": 3}}),
    "the slow tokenizer's files beside": slow_beside,
    "the fast class by its name": also(at(C, "tokenizer_class", value="PreTrainedTokenizerFast")),
    "where it was loaded from": at(C, "name_or_path", value="/home/me/model"),
    "the longest text": at(C, "model_max_length", value=131072),
    "a processor's name": at(C, "processor_class", value="LlavaProcessor"),
    "the template in its own file": moved_to_file,
    "the template in a list of one": by(lambda t: [{"name": "default", "template": t}], C, "chat_template"),
    "the template ends without a line end": by(lambda t: t.rstrip("\n"), C, "chat_template"),
    "line ends of Windows in the template": by(lambda t: t.replace("\n", "\r\n"), C, "chat_template"),
    "a line end that tags take away": template("{%- for message", "{% for message"),
    "a comment in the template": template("{%- for message in", "{#- ChatML -#}\n{%- for message in"),
    "blanks inside tags": template("message in messages", " message   in  messages "),
    "no blanks inside tags": template("{%- if add_generation_prompt %}", "{%-if add_generation_prompt%}"),
    "other quotes": template("message['role'] !=", 'message["role"] !='),
    "other indentation of the template": template("\n    {%- ", "\n\t\t{%- ", 9),
    "an old template beside the one that wins": also(
        moved_to_file, lambda files: files[C].update({"chat_template": "an older one"})
    ),
    "a byte order mark nowhere, another file": lambda files: files.update({"README.md": "# Model"}),
    "an unused original": lambda files: files.update(
        {"original/tokenizer.model": base64.b64encode(b"a").decode() + " 0\n"}
    ),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_change_of_form_is_silent(name, before, tmp_path):
    after = snapshot(tmp_path, changed(SILENT[name]))
    assert [(d.fact.key, d.key, d.reference.value, d.target.value) for d in compare(before, after).differences] == []


def test_there_are_as_many_as_were_asked_for():
    assert len(MATTERS) >= 40 and len(SILENT) >= 40
