"""Model directories as people keep them, and what a launch then does with them."""

from __future__ import annotations

import json
import os

import pytest

from askew.app.load import load
from askew.evidence.redaction import Redactor

LLAMA = {
    "_name_or_path": "/home/me/llama", "architectures": ["LlamaForCausalLM"], "model_type": "llama",
    "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "max_position_embeddings": 131072, "torch_dtype": "bfloat16",
    "tie_word_embeddings": False, "rope_theta": 500000.0,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
    "transformers_version": "4.43.0",
}  # fmt: skip


def write(folder, config, **others):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for name, content in others.items():
        (folder / (name.replace("__", ".") + ".json")).write_text(json.dumps(content))
    return folder


def facts(uri):
    side = load(str(uri), "target", Redactor())
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    return snapshot.facts


def value(found, fact):
    one = found[fact]
    assert one.state in ("known", "absent"), (fact, one.reason)
    return one.value


def test_a_model_directory(tmp_path):
    write(
        tmp_path, LLAMA, generation_config={"temperature": 0.6, "top_p": 0.9, "do_sample": True, "eos_token_id": [1, 2]}
    )
    shard(tmp_path / "model-00001-of-00002.safetensors", {})
    write(tmp_path, LLAMA, model__safetensors__index={"metadata": {"total_size": 16060522496}, "weight_map": {}})
    found = facts(f"hf:{tmp_path}")
    assert value(found, "model.architecture") == "LlamaForCausalLM"
    assert value(found, "model.config.dtype") == "bfloat16"
    assert value(found, "model.context_length") == 131072
    assert value(found, "model.kv_geometry") == {"head_dim": 128, "kv_heads": 8, "layers": 32}
    assert value(found, "model.quantization") is None
    assert value(found, "model.generation.sampling_defaults") == {"temperature": 0.6, "top_p": 0.9}
    assert value(found, "model.generation.eos_token_ids") == [1, 2]
    assert value(found, "model.weights.bytes") == 16060522496
    assert value(found, "model.weights.format") == "safetensors"
    assert found["model.config.dtype"].origin == "model"
    assert found["model.config.dtype"].locations[0].line == 13


@pytest.mark.parametrize(
    ("scaling", "length", "expected"),
    [
        (None, 4096, 4096),
        ({"type": "linear", "factor": 4.0}, 4096, 16384),
        ({"type": "dynamic", "factor": 2.0}, 4096, 8192),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072, 131072),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 32768, 131072),
        ({"rope_type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}, 131072, 131072),
        ({"rope_type": "default", "rope_theta": 10000.0}, 2048, 2048),
    ],
)
def test_the_trained_length(tmp_path, scaling, length, expected):
    config = {**LLAMA, "max_position_embeddings": length, "rope_scaling": scaling}
    assert value(facts(f"hf:{write(tmp_path, config)}"), "model.context_length") == expected


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
         {"method": "awq", "bits": 4, "group_size": 128, "zero_point": True}),
        ({"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3"},
         {"method": "fp8", "activations": "dynamic", "format": "e4m3"}),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"], "config_groups":
          {"group_0": {"weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}}}},
         {"method": "compressed-tensors", "bits": 4, "type": "int", "strategy": "group", "group_size": 128,
          "format": "pack-quantized", "ignored": ["lm_head"]}),
    ],
)  # fmt: skip
def test_how_the_weights_are_stored(tmp_path, scheme, expected):
    assert (
        value(facts(f"hf:{write(tmp_path, {**LLAMA, 'quantization_config': scheme})}"), "model.quantization")
        == expected
    )


def test_the_scheme_of_modelopt_lies_beside(tmp_path):
    beside = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    found = facts(f"hf:{write(tmp_path, LLAMA, hf_quant_config=beside)}")
    assert value(found, "model.quantization") == {"method": "fp8", "kv_cache": "FP8"}


def test_the_language_model_of_several_parts(tmp_path):
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "torch_dtype": "bfloat16",
              "text_config": {"num_hidden_layers": 34, "num_attention_heads": 8, "num_key_value_heads": 4,
                              "head_dim": 256, "hidden_size": 2560, "sliding_window": 1024,
                              "max_position_embeddings": 131072},
              "vision_config": {"num_hidden_layers": 27, "hidden_size": 1152}}  # fmt: skip
    found = facts(f"hf:{write(tmp_path, config)}")
    assert value(found, "model.kv_geometry") == {"head_dim": 256, "kv_heads": 4, "layers": 34}
    assert value(found, "model.sliding_window") == 1024


def test_a_window_that_is_switched_off_is_none(tmp_path):
    config = {**LLAMA, "sliding_window": 4096, "use_sliding_window": False}
    assert "model.sliding_window" not in facts(f"hf:{write(tmp_path, config)}")


def test_latent_attention_keeps_a_rank(tmp_path):
    found = facts(f"hf:{write(tmp_path, {**LLAMA, 'kv_lora_rank': 512, 'qk_rope_head_dim': 64})}")
    assert value(found, "model.kv_geometry")["kv_lora_rank"] == 512


def test_what_says_nothing_about_the_model_changes_no_digest(tmp_path):
    one = facts(f"hf:{write(tmp_path / 'a', LLAMA)}")
    other = {**dict(reversed(LLAMA.items())), "_name_or_path": "elsewhere", "transformers_version": "4.51.0"}
    two = facts(f"hf:{write(tmp_path / 'b', other)}")
    third = facts(f"hf:{write(tmp_path / 'c', {**LLAMA, 'rope_theta': 1e6})}")
    digests = [value(found, "model.config.digest") for found in (one, two, third)]
    assert digests[0] == digests[1] != digests[2]


def test_the_file_alone_says_what_stands_in_it_and_no_more(tmp_path):
    write(tmp_path, LLAMA)
    found = facts(tmp_path / "config.json")
    assert value(found, "model.context_length") == 131072
    assert "model.generation.sampling_defaults" not in found


def test_a_launch_knows_what_the_model_decides(tmp_path):
    write(tmp_path, LLAMA, generation_config={"temperature": 0.6})
    for uri in (
        f"hf:{tmp_path}+cmd:vllm serve {tmp_path}",
        f"hf:{tmp_path}+cmd:docker run vllm/vllm-openai:v0.9.2 --model m",
    ):
        found = facts(uri)
        assert value(found, "runtime.max_model_len") == 131072
        assert value(found, "runtime.quantization") == "none"
    assert value(found, "runtime.dtype") == "bfloat16"
    assert value(found, "runtime.sampling_defaults") == {"temperature": 0.6}


def test_a_snapshot_of_the_hubs_cache(tmp_path, monkeypatch):
    commit = "a" * 40
    home = tmp_path / "hub" / "models--org--name"
    write(home / "blobs", LLAMA)
    os.rename(home / "blobs" / "config.json", home / "blobs" / "abc")
    (home / "snapshots" / commit).mkdir(parents=True)
    (home / "snapshots" / commit / "config.json").symlink_to("../../blobs/abc")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for uri in (f"hf:{home}", "hf:org/name", f"hf:{home}/snapshots/{commit}"):
        found = facts(uri)
        assert value(found, "model.revision") == commit
        assert value(found, "model.id") == "org/name"
        assert value(found, "model.context_length") == 131072


def test_a_link_that_leads_outside_is_not_followed(tmp_path):
    write(tmp_path / "elsewhere", LLAMA)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").symlink_to("../elsewhere/config.json")
    side = load(f"hf:{tmp_path}/model", "target", Redactor())
    assert "leads outside" in side.errors[0].message and not side.snapshots


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "expected"),
        ("[1, 2]", ""),
        ('{"model_type": "x", "num_hidden_layers": ' + "[" * 5000 + "]" * 5000 + "}", ""),
    ],
)
def test_a_broken_config_is_an_error_of_the_input(tmp_path, content, says):
    (tmp_path / "config.json").write_text(content)
    side = load(f"hf:{tmp_path}", "target", Redactor())
    assert side.errors and says in side.errors[0].message and side.errors[0].hint


def test_hostile_values_are_unknown_and_nothing_raises(tmp_path):
    config = {
        **LLAMA,
        "rope_scaling": {"type": "linear", "factor": -1},
        "num_attention_heads": 0,
        "head_dim": None,
        "torch_dtype": {"a": 1},
        "architectures": [None],
        "vocab_size": "many",
        "quantization_config": {"bits": {}},
    }
    side = load(f"hf:{write(tmp_path, config)}", "target", Redactor())
    assert side.snapshots[0].facts["model.context_length"].state == "unknown"


def test_nothing_there(tmp_path):
    for uri in (f"hf:{tmp_path}", f"hf:{tmp_path}/none"):
        side = load(uri, "target", Redactor())
        assert side.errors[0].hint == "name the directory that holds the model's config.json"


def shard(path, tensors, data=0, length=None):
    header = json.dumps(tensors).encode()
    size = header.__len__() if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + header + bytes(data))


def test_the_headers_of_the_weights_say_how_they_are_stored(tmp_path):
    write(tmp_path, LLAMA)
    shard(tmp_path / "model-1.safetensors", {"__metadata__": {"format": "pt"}, "a": {"dtype": "BF16", "shape": [3, 5],
          "data_offsets": [0, 30]}}, 30)  # fmt: skip
    shard(tmp_path / "model-2.safetensors", {"b": {"dtype": "F32", "shape": [5], "data_offsets": [0, 20]}}, 20)
    found = facts(f"hf:{tmp_path}")
    assert value(found, "model.weights.dtype") == {"bfloat16": 0.75, "float32": 0.25}
    assert value(found, "model.weights.bytes") == 50
    assert value(found, "model.parameters")["total"] == 20
    assert found["model.parameters"].entries["total"].basis == "seen"


@pytest.mark.parametrize(
    ("tensors", "data", "length", "says"),
    [
        ({"a": {"dtype": "BF16", "shape": [9], "data_offsets": [0, 18]}}, 4, None, "lists 18 bytes of tensors"),
        ({}, 0, 10**12, "the file says 1,000,000,000,000"),
        ({"a": {"dtype": "BF16"}}, 0, None, "lists the tensors"),
        ([1], 0, None, "lists the tensors"),
    ],
)
def test_a_header_that_lies_is_an_error_and_the_rest_is_compared(tmp_path, tensors, data, length, says):
    write(tmp_path, LLAMA)
    shard(tmp_path / "model.safetensors", tensors, data, length)
    side = load(f"hf:{tmp_path}", "target", Redactor())
    assert says in side.errors[0].message and side.errors[0].source.endswith("model.safetensors")
    assert side.statuses[0].status == "partial"
    assert side.snapshots[0].facts["model.config.dtype"].value == "bfloat16"


def test_a_sparse_file_of_weights_is_not_read_through(tmp_path):
    write(tmp_path, LLAMA)
    with open(tmp_path / "model.safetensors", "wb") as file:
        file.truncate(10 * 2**30)
    side = load(f"hf:{tmp_path}", "target", Redactor())
    assert side.errors and side.snapshots


def test_an_index_that_names_a_missing_file(tmp_path):
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": "model-00002-of-00002.safetensors"}}
    side = load(f"hf:{write(tmp_path, LLAMA, model__safetensors__index=index)}", "target", Redactor())
    assert "names model-00002-of-00002.safetensors, which is not in" in side.errors[0].message
    assert side.errors[0].source.endswith("index.json") and side.errors[0].line == 1
