"""GGUF files, written here byte by byte, and what they say of the model."""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor

LLAMA = {
    "general.architecture": "llama", "general.name": "Llama 3.1 8B", "general.file_type": 15,
    "llama.context_length": 131072, "llama.embedding_length": 4096, "llama.block_count": 32,
    "llama.feed_forward_length": 14336, "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8,
    "llama.rope.freq_base": 500000.0, "llama.vocab_size": 128256, "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.tokens": [f"t{i}" for i in range(3000)],
    "tokenizer.ggml.add_bos_token": True,
}  # fmt: skip
TENSORS = {"token_embd.weight": (12, (256, 2), bytes(288)), "output_norm.weight": (0, (4,), b"abcdefghijklmnop")}
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "max_position_embeddings": 131072, "torch_dtype": "bfloat16", "rope_theta": 500000.0,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
}  # fmt: skip


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(entry):
    if isinstance(entry, bool):
        return struct.pack("<I?", 7, entry)
    if isinstance(entry, int):
        return struct.pack("<IQ", 10, entry)
    if isinstance(entry, float):
        return struct.pack("<If", 6, entry)
    if isinstance(entry, str):
        return struct.pack("<I", 8) + text(entry)
    items = [value(item) for item in entry]
    kind = items[0][:4] if items else struct.pack("<I", 4)
    return struct.pack("<I", 9) + kind + struct.pack("<Q", len(items)) + b"".join(item[4:] for item in items)


def gguf(path, metadata, tensors=(), *, version=3, cut=0, keys=None, count=None):
    """``tensors``: name to (number of the type, shape, bytes)."""
    tensors = dict(tensors)
    head = b"GGUF" + struct.pack(
        "<IQQ", version, len(tensors) if count is None else count, len(metadata) if keys is None else keys
    )
    for key, entry in metadata.items():
        head += text(key) + value(entry)
    at = 0
    for name, (kind, shape, data) in tensors.items():
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", kind, at)
        at += -(-len(data) // 32) * 32
    head += bytes(-len(head) % 32)
    body = b"".join(data + bytes(-len(data) % 32) for _, _, data in tensors.values())
    whole = head + body
    path.write_bytes(whole[: len(whole) - cut])
    return path


def side(uri):
    return load(str(uri), "target", Redactor())


def facts(uri):
    found = side(uri)
    assert not found.errors, found.errors
    (snapshot,) = found.snapshots
    return snapshot.facts


@pytest.mark.parametrize("scheme", ["", "hf:"])
def test_what_the_metadata_says(tmp_path, scheme):
    found = facts(f"{scheme}{gguf(tmp_path / 'llama.gguf', LLAMA, TENSORS)}")
    known = {key: one.value for key, one in found.items() if key.startswith("model.")}
    assert known["model.architecture"] == "llama"
    assert known["model.context_length"] == 131072
    assert known["model.kv_geometry"] == {"head_dim": 128, "kv_heads": 8, "layers": 32}
    assert known["model.quantization"] == {"format": "q4_k_m", "method": "gguf"}
    assert known["model.rope"] == {"theta": 500000}
    assert known["model.shape"] == {"heads": 32, "hidden": 4096, "intermediate": 14336}
    assert known["model.vocab_size"] == 128256
    assert known["model.tokenizer.pre_tokenizer"] == "llama-bpe" and known["model.tokenizer.adds_bos"] is True
    assert known["model.weights.dtype"] == {"float32": round(4 / 516, 6), "q4_k": round(512 / 516, 6)}
    assert known["model.weights.bytes"] == 288 + 16
    assert known["model.weights.format"] == "gguf"


def test_the_vocabulary_tells_its_size_where_nothing_else_does(tmp_path):
    metadata = {key: entry for key, entry in LLAMA.items() if key != "llama.vocab_size"}
    assert facts(gguf(tmp_path / "a.gguf", metadata))["model.vocab_size"].value == 3000


def test_a_conversion_differs_in_its_weights_alone(tmp_path):
    """What both formats say, they say in the same words; what one cannot say is no difference."""
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text(json.dumps(CONFIG))
    gguf(tmp_path / "m.gguf", {**LLAMA, "general.file_type": 32}, {"rope_freqs.weight": (0, (2,), bytes(8))})
    found = compare(side(f"hf:{tmp_path}/hf").snapshots[0], side(tmp_path / "m.gguf").snapshots[0])
    assert [(one.fact.key, one.key) for one in found.differences] == []


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({}, 4096),
        ({"type": "none", "factor": 0.0}, 4096),
        ({"type": "linear", "factor": 4.0}, 16384),
        ({"type": "yarn", "factor": 4.0, "original_context_length": 2048}, 8192),
        ({"type": "yarn", "factor": 4.0}, 16384),
        ({"type": "longrope", "factor": 4.0}, 4096),
    ],
)
def test_the_trained_length(tmp_path, scaling, expected):
    metadata = {**LLAMA, "llama.context_length": 4096, **{f"llama.rope.scaling.{k}": v for k, v in scaling.items()}}
    assert facts(gguf(tmp_path / "a.gguf", metadata))["model.context_length"].value == expected


def test_numbers_of_each_layer(tmp_path):
    same = facts(gguf(tmp_path / "a.gguf", {**LLAMA, "llama.attention.head_count_kv": [8] * 32}))
    assert same["model.kv_geometry"].value["kv_heads"] == 8
    other = facts(gguf(tmp_path / "b.gguf", {**LLAMA, "llama.attention.head_count_kv": [8] * 31 + [4]}))
    assert "kv_heads" not in other["model.kv_geometry"].value and other["model.kv_geometry"].reason


@pytest.mark.parametrize(("number", "expected"), [(0, None), (1, None), (32, None), (7, "q8_0"), (1024 + 15, "q4_k_m")])
def test_the_file_type(tmp_path, number, expected):
    found = facts(gguf(tmp_path / "a.gguf", {**LLAMA, "general.file_type": number}))["model.quantization"]
    assert (found.state == "absent") if expected is None else found.value["format"] == expected


def test_a_file_type_of_tomorrow_is_unknown(tmp_path):
    found = facts(gguf(tmp_path / "a.gguf", {**LLAMA, "general.file_type": 777}))["model.quantization"]
    assert found.state == "unknown" and "777" in found.reason


def digest(uri):
    return facts(f"hf:{uri}?digest=full&cache=off")["model.weights.digest"].value


def test_parts_of_a_model_are_one_and_have_its_digest(tmp_path):
    whole = digest(gguf(tmp_path / "whole.gguf", LLAMA, TENSORS))
    (tmp_path / "cut").mkdir()
    for index, (name, tensor) in enumerate(TENSORS.items()):
        gguf(
            tmp_path / "cut" / f"m-{index + 1:05}-of-00002.gguf",
            LLAMA if not index else {"split.no": 1},
            {name: tensor},
        )
    found = facts(f"hf:{tmp_path}/cut?digest=full")
    assert found["model.weights.digest"].value == whole
    assert found["model.context_length"].value == 131072
    assert found["model.parameters"].value["total"] == 516
    other = gguf(tmp_path / "renamed.gguf", {**LLAMA, "general.name": "x"}, dict(reversed(TENSORS.items())))
    assert digest(other) == whole
    changed = {**TENSORS, "output_norm.weight": (0, (4,), b"abcdefghijklmnoq")}
    assert digest(gguf(tmp_path / "changed.gguf", LLAMA, changed)) != whole


def test_models_side_by_side_must_be_named(tmp_path):
    for name in ("a-Q4_K_M.gguf", "a-Q8_0.gguf"):
        gguf(tmp_path / name, LLAMA)
    found = side(f"hf:{tmp_path}")
    assert "2 models lie here: a-Q4_K_M.gguf, a-Q8_0.gguf" in found.errors[0].message
    assert found.errors[0].hint == f"name one: hf:{tmp_path}/a-Q4_K_M.gguf"
    assert facts(f"hf:{tmp_path}/a-Q8_0.gguf")["model.context_length"].value == 131072


def test_a_type_of_tomorrow_still_has_a_place(tmp_path):
    found = facts(gguf(tmp_path / "a.gguf", LLAMA, {"a": (99, (3, 5), bytes(70)), "b": (0, (1,), b"abcd")}))
    assert found["model.weights.dtype"].value == {"float32": 0.0625, "type99": 0.9375}


def test_a_secret_in_the_metadata_is_not_shown(tmp_path):
    secret = "hf_" + "aB3dE6gH9j" * 4
    path = gguf(tmp_path / "a.gguf", {**LLAMA, "tokenizer.ggml.pre": f"x {secret}"})
    assert secret not in str(facts(path)["model.tokenizer.pre_tokenizer"].value)


_HUGE = 2**62


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"cut": 20}, "the file ends before"),
        ({"cut": 400}, "the file ends before"),
        ({"version": 1}, "of version 1"),
        ({"version": 3 << 24}, "of the other byte order"),
        ({"keys": _HUGE}, "claims 4,611,686,018,427,387,904 keys"),
        ({"keys": 60_000}, ""),
        ({"count": _HUGE}, "tensors"),
        ({"count": 900_000}, ""),
    ],
)
def test_a_header_that_lies(tmp_path, how, says):
    found = side(f"hf:{gguf(tmp_path / 'a.gguf', LLAMA, TENSORS, **how)}?digest=full")
    assert says in found.errors[0].message and found.errors[0].hint
    assert found.errors[0].source.endswith("a.gguf")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"GGUF", b"GGUX" + bytes(100),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, _HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 7_000_000),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IQ", 8, _HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 4000,
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t") + struct.pack("<IQQIQ", 2, _HUGE, _HUGE, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t") + struct.pack("<I", 2**31),
        b"GGUF" + struct.pack("<IQQ", 3, 2, 0) + 2 * (text("t") + struct.pack("<IQIQ", 1, 4, 0, 0)) + bytes(99),
    ],
)  # fmt: skip
def test_hostile_bytes_are_an_error(tmp_path, data):
    (tmp_path / "a.gguf").write_bytes(data)
    assert side(tmp_path / "a.gguf").errors[0].hint


def test_a_sparse_file_of_zeros_is_read_in_no_time(tmp_path):
    with open(tmp_path / "a.gguf", "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 1_000_000, 0))
        file.truncate(10 * 2**30)
    assert side(tmp_path / "a.gguf").statuses[0].status in ("failed", "partial", "complete")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_change_of_bytes_raises(tmp_path_factory, data):
    path = gguf(tmp_path_factory.mktemp("fuzz") / "a.gguf", {**LLAMA, "tokenizer.ggml.tokens": ["a", "b"]}, TENSORS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    side(f"hf:{path}?digest=full&cache=off")


def test_a_projector_beside_the_model_is_no_second_model(tmp_path):
    gguf(tmp_path / "m-Q4_K_M.gguf", LLAMA, TENSORS)
    gguf(tmp_path / "mmproj-model-f16.gguf", {"general.architecture": "clip"})
    assert facts(f"hf:{tmp_path}")["model.architecture"].value == "llama"


def test_the_chat_template_of_a_gguf_file_is_that_of_the_model(tmp_path):
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    for name in "abcd":
        (tmp_path / name).mkdir()
    gguf(tmp_path / "a" / "model.gguf", {**LLAMA, "tokenizer.chat_template": template + "\n"}, TENSORS)
    gguf(tmp_path / "b" / "model.gguf", {**LLAMA, "tokenizer.chat_template": template.replace("m.", "m. ")}, TENSORS)
    gguf(tmp_path / "c" / "model.gguf", {**LLAMA, "tokenizer.chat_template": template + "x"}, TENSORS)
    (tmp_path / "d" / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    found = [facts(f"hf:{tmp_path}/{name}")["model.chat_template.digest"].value for name in "abcd"]
    assert found[0] == found[1] == found[3] != found[2]
    one = facts(f"hf:{tmp_path}/a/model.gguf")
    assert one["model.chat_template.emits_bos"].value is True
    assert one["model.chat_template.digest"].locations[0].source.endswith("model.gguf")


@pytest.mark.skipif(find_spec("jinja2") is None, reason="renders with Jinja, of the extra 'artifacts'")
@pytest.mark.parametrize("words", [20, 3000])
def test_its_chat_template_is_rendered_with_its_own_special_tokens(tmp_path, words):
    tokens = ["<s>", "</s>", *(f"t{i}" for i in range(words))]
    more = {
        "tokenizer.chat_template": "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{% endfor %}{{ eos_token }}",
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.padding_token_id": 10**9,
    }
    gguf(tmp_path / "m.gguf", {**LLAMA, "tokenizer.ggml.tokens": tokens, **more}, TENSORS)
    (tmp_path / "b").mkdir()
    gguf(tmp_path / "b" / "m.gguf", {**more, **LLAMA, "tokenizer.ggml.tokens": tokens}, TENSORS)
    found = load(f"hf:{tmp_path}/m.gguf", "target", Redactor()).snapshots[0].facts
    behaviour = found["model.chat_template.behaviour"]
    assert 'one question → "<s><user></s>"' in behaviour.because
    assert behaviour.locations[0].source.endswith("m.gguf")
    assert found["model.chat_template.emits_bos"].value is True
    other = load(f"hf:{tmp_path}/b", "target", Redactor()).snapshots[0].facts
    assert other["model.chat_template.behaviour"].value == behaviour.value, "in whichever order the keys stand"
