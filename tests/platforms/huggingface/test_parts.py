"""Adapters, embedding models and processors, in the files that peft, sentence-transformers and transformers write."""

from __future__ import annotations

import json

import pytest

from askew.app.load import load
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor

ADAPTER = {
    "alpha_pattern": {}, "base_model_name_or_path": "Qwen/Qwen2.5-7B", "bias": "none", "fan_in_fan_out": False,
    "inference_mode": True, "lora_alpha": 32, "lora_dropout": 0.05, "modules_to_save": None, "peft_type": "LORA",
    "r": 16, "rank_pattern": {}, "target_modules": ["v_proj", "q_proj"], "task_type": "CAUSAL_LM", "use_dora": False,
}  # fmt: skip
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
POOLING = {
    "word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
}  # fmt: skip
BERT = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384}
SETTINGS = {
    "__version__": {"sentence_transformers": "2.2.2", "transformers": "4.30.0", "pytorch": "2.0.0+cu118"},
    "prompts": {"query": "query: ", "document": ""}, "default_prompt_name": None,
}  # fmt: skip


def folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(json.dumps(content))
    return path


def side(path):
    return load(f"hf:{path}", "target", Redactor())


def facts(path, files):
    found = side(folder(path, files))
    assert not found.errors, found.errors
    (snapshot,) = found.snapshots
    return snapshot.facts


def differences(one, two):
    found = compare(side(one).snapshots[0], side(two).snapshots[0])
    return [(d.fact.key, d.key) for d in found.differences]


def test_an_adapter(tmp_path):
    found = facts(tmp_path, {"adapter_config.json": ADAPTER})
    assert found["model.lora_adapters"].value == [
        {"alpha": 32, "base_model": "Qwen/Qwen2.5-7B", "rank": 16, "targets": ["q_proj", "v_proj"], "type": "LORA"}
    ]
    assert found["model.training.base_model"].value == "Qwen/Qwen2.5-7B"


def test_the_order_of_targets_and_what_is_left_out_is_no_difference(tmp_path):
    short = {k: v for k, v in ADAPTER.items() if k not in ("bias", "use_dora", "rank_pattern", "lora_dropout")}
    folder(tmp_path / "a", {"adapter_config.json": ADAPTER})
    folder(tmp_path / "b", {"adapter_config.json": {**short, "target_modules": ["q_proj", "v_proj"]}})
    folder(tmp_path / "c", {"adapter_config.json": {**ADAPTER, "use_rslora": True}})
    assert differences(tmp_path / "a", tmp_path / "b") == []
    assert differences(tmp_path / "a", tmp_path / "c") == [("model.lora_adapters", "")]


def embedding(path, **changed):
    files = {
        "modules.json": MODULES, "1_Pooling/config.json": POOLING, "config.json": BERT,
        "config_sentence_transformers.json": SETTINGS, "sentence_bert_config.json": {"max_seq_length": 256},
    }  # fmt: skip
    return folder(path, {**files, **changed})


def test_an_embedding_model(tmp_path):
    embedding(tmp_path)
    found = facts(tmp_path, {})
    assert found["model.architecture"].value == "BertModel"
    assert found["model.embedding.pooling"].value == "mean"
    assert found["model.embedding.pooling"].locations[0].source.endswith("1_Pooling/config.json")
    assert found["model.embedding.normalize"].value is True
    assert found["model.embedding.prompts"].value == {"query": "query: "}
    assert found["model.embedding.max_seq_length"].value == 256
    assert found["model.embedding.dense_layers"].value == []
    assert found["model.training.packages"].value == {
        "sentence-transformers": "2.2.2", "torch": "2.0.0", "transformers": "4.30.0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}, "last"),
        ({"pooling_mode_max_tokens": True}, "max+mean"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": "mean"}, "mean"),
    ],
)
def test_ways_of_pooling(tmp_path, pooling, expected):
    embedding(tmp_path, **{"1_Pooling/config.json": {**POOLING, **pooling}})
    assert facts(tmp_path, {})["model.embedding.pooling"].value == expected


def test_dense_layers_and_no_normalization(tmp_path):
    dense = {"idx": 2, "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    layer = {"in_features": 384, "out_features": 128, "bias": True, "activation_function": "torch.nn.Tanh"}
    embedding(tmp_path, **{"modules.json": [*MODULES[:2], dense], "2_Dense/config.json": layer})
    found = facts(tmp_path, {})
    assert found["model.embedding.normalize"].value is False
    assert found["model.embedding.dense_layers"].value[0]["out_features"] == 128


def test_a_missing_part_is_unknown(tmp_path):
    found = facts(tmp_path, {"modules.json": MODULES, "config.json": BERT})
    assert found["model.embedding.pooling"].state == "unknown"
    assert "1_Pooling/config.json is not there" in found["model.embedding.pooling"].reason


def test_hostile_paths_of_parts_are_not_followed(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "config.json").write_text(json.dumps(POOLING))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "link").symlink_to("../secret")
    for path in ("../secret", "/etc", "link", "a\0b", None, 7, ["x"], {"a": 1}):
        modules = [*MODULES[:1], {**MODULES[1], "path": path}]
        folder(tmp_path / "m", {"modules.json": modules, "config.json": BERT})
        found = side(tmp_path / "m")
        assert found.snapshots[0].facts["model.embedding.pooling"].state == "unknown"


CLIP = {
    "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_normalize": True, "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "CLIPImageProcessor", "resample": 3, "size": {"shortest_edge": 224},
}  # fmt: skip


def test_an_image_processor(tmp_path):
    found = facts(tmp_path, {"config.json": BERT, "preprocessor_config.json": CLIP})
    assert found["model.processor.class"].value == "CLIPImageProcessor"
    assert "model.processor.use_fast" not in found
    assert found["model.processor.mean"].value == [0.48145466, 0.4578275, 0.40821073]
    assert found["model.processor.resize"].value == {
        "crop_size.height": 224, "crop_size.width": 224, "do_center_crop": True, "do_normalize": True,
        "do_resize": True, "resample": 3, "size.shortest_edge": 224,
    }  # fmt: skip


def test_the_fast_variant_is_told_by_its_own_fact(tmp_path):
    fast = {**CLIP, "image_processor_type": "CLIPImageProcessorFast"}
    found = facts(tmp_path, {"config.json": BERT, "preprocessor_config.json": fast})
    assert found["model.processor.class"].value == "CLIPImageProcessor"
    assert found["model.processor.use_fast"].value is True


def test_two_spellings_of_the_pixels_of_qwen(tmp_path):
    old = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
    }
    new = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14,
           "size": {"shortest_edge": 3136, "longest_edge": 12845056}}  # fmt: skip
    folder(tmp_path / "a", {"config.json": BERT, "preprocessor_config.json": old})
    folder(tmp_path / "b", {"config.json": BERT, "preprocessor_config.json": new})
    folder(tmp_path / "c", {"config.json": BERT, "processor_config.json": {"image_processor": old}})
    assert differences(tmp_path / "a", tmp_path / "b") == differences(tmp_path / "a", tmp_path / "c") == []
    folder(tmp_path / "c", {"processor_config.json": {"image_processor": {**old, "max_pixels": 1003520}}})
    assert differences(tmp_path / "a", tmp_path / "c") == [("model.processor.max_pixels", "")]


def test_a_size_of_one_number_is_left_open(tmp_path):
    folder(tmp_path / "a", {"config.json": BERT, "preprocessor_config.json": CLIP})
    folder(tmp_path / "b", {"config.json": BERT, "preprocessor_config.json": {**CLIP, "crop_size": 224}})
    assert differences(tmp_path / "a", tmp_path / "b") == differences(tmp_path / "b", tmp_path / "a") == []


def test_sound(tmp_path):
    whisper = {"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 16000, "feature_size": 80}
    found = facts(tmp_path, {"config.json": BERT, "preprocessor_config.json": whisper})
    assert found["model.processor.sampling_rate"].value == 16000
    assert found["model.processor.class"].value == "WhisperFeatureExtractor"


@pytest.mark.parametrize("name", ["adapter_config.json", "modules.json", "preprocessor_config.json",
                                  "config_sentence_transformers.json", "sentence_bert_config.json"])  # fmt: skip
@pytest.mark.parametrize("content", [[], {}, [[]], [None], {"r": {}, "prompts": [1], "size": [], "image_mean": {}}, 7])
def test_other_shapes_than_expected_raise_nothing(tmp_path, name, content):
    side(folder(tmp_path, {"config.json": BERT, name: content}))
