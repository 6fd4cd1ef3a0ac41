"""A small model directory with a tokenizer and a chat template, and pairs of it: one change each."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Files = dict[str, Any]
Change = Callable[[Files], None]

CHATML = (
    "{{ bos_token }}{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}\n"
    "{%- for message in messages %}\n"
    "    {%- if loop.first and message['role'] != 'system' %}\n"
    "        {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}\n"
    "    {%- endif %}\n"
    "    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | string + '<|im_end|>\\n' }}\n"
    "    {%- for call in message.tool_calls or [] %}\n"
    "        {{- '<tool_call>' + call.function | tojson + '</tool_call>' }}\n"
    "    {%- endfor %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "{%- endif %}\n"
)
SPLIT = r"\p{N}{1,3}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def _bytes() -> list[str]:
    """The characters that stand for bytes, as GPT-2 maps them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) if b in plain else chr(256 + [x for x in range(256) if x not in plain].index(b)) for b in range(256)]


MERGES = [
    "h e",
    "l l",
    "he ll",
    "hell o",
    "Ġ w",
    "o r",
    "Ġw or",
    "l d",
    "Ġwor ld",
    "1 2",
    "12 3",
    "Ġ a",
    "a b",
    "Ġ Ġ",
    "H e",
    "He ll",
]


def base() -> Files:
    """The files of the directory by name; JSON as data."""
    tokens = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<unk>", *_bytes()]
    tokens += [merge.replace(" ", "") for merge in MERGES]
    assert len(set(tokens)) == len(tokens)
    special = [
        {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
        for number, token in enumerate(tokens[:5])
    ]  # fmt: skip
    return {
        "config.json": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": len(tokens)},
        "tokenizer.json": {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": special,
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
                ],
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
            },
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                "vocab": {token: number for number, token in enumerate(tokens)},
                "merges": [merge.split(" ") for merge in MERGES],
            },
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "<|im_end|>",
            "unk_token": "<unk>",
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
            "clean_up_tokenization_spaces": False,
            "model_max_length": 4096,
            "added_tokens_decoder": {
                str(one["id"]): {key: value for key, value in one.items() if key != "id"} for one in special
            },
            "chat_template": CHATML,
        },
        "special_tokens_map.json": {"bos_token": "<s>", "eos_token": "<|im_end|>", "unk_token": "<unk>"},
    }  # fmt: skip


def write(folder: Path, files: Files) -> Path:
    """Write the files: text as it is, data as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
    return folder


def changed(change: Change) -> Files:
    """The files with one change."""
    files = copy.deepcopy(base())
    change(files)
    return files


# Ways to a change -----------------------------------------------------------------------------------------------------


def at(name: str, *path: str | int, value: Any) -> Change:
    """Set a value in a JSON file."""

    def change(files: Files) -> None:
        where = files[name]
        for key in path[:-1]:
            where = where[key]
        where[path[-1]] = value

    return change


def without(name: str, *path: str | int) -> Change:
    """Take a value out of a JSON file, or the file out of the directory."""

    def change(files: Files) -> None:
        where, keys = files, (name, *path)
        for key in keys[:-1]:
            where = where[key]  # type: ignore[index]
        del where[keys[-1]]  # type: ignore[arg-type]

    return change


def template(old: str, new: str, count: int = 1) -> Change:
    """Another text of the chat template."""

    def change(files: Files) -> None:
        text = files["tokenizer_config.json"]["chat_template"]
        assert text.count(old) >= 1, old
        files["tokenizer_config.json"]["chat_template"] = text.replace(old, new, count)

    return change


def also(*changes: Change) -> Change:
    """Several changes that together are one."""

    def change(files: Files) -> None:
        for one in changes:
            one(files)

    return change


def by(function: Callable[[Any], Any], name: str, *path: str | int) -> Change:
    """Replace a value by what a function makes of it."""

    def change(files: Files) -> None:
        where, keys = files, (name, *path)
        for key in keys[:-1]:
            where = where[key]  # type: ignore[index]
        where[keys[-1]] = function(where[keys[-1]])  # type: ignore[index]

    return change
