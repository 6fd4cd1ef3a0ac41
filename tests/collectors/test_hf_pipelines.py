"""Pipelines of diffusers: what model_index.json lists, each part as a model of its own."""

from __future__ import annotations

import json
import struct

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.24.0",
    "_name_or_path": "/home/someone/model",
    "requires_safety_checker": True,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "unet": ["diffusers", "UNet2DConditionModel"],
}


def safetensors(value, dtype="F32"):
    header = json.dumps({"w": {"dtype": dtype, "shape": [1], "data_offsets": [0, 4 if dtype == "F32" else 2]}}).encode()
    data = struct.pack("<f", value) if dtype == "F32" else struct.pack("<e", value)
    return struct.pack("<Q", len(header)) + header + data


def pipeline(folder, value=1.0, **changes):
    files = {
        "model_index.json": INDEX,
        "scheduler/scheduler_config.json": {"_class_name": "EulerDiscreteScheduler"},
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model"},
        "text_encoder/model.safetensors": safetensors(2.0),
        "unet/config.json": {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.24.0", "sample_size": 64},
        "unet/diffusion_pytorch_model.safetensors": safetensors(value),
        "unet/diffusion_pytorch_model.fp16.safetensors": safetensors(9.0, "F16"),
        "v1-5-pruned.safetensors": safetensors(5.0),
        **changes,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def snapshots(uri):
    side = load(str(uri), "target", Redactor())
    return {one.workload.name: one.facts for one in side.snapshots}, side


def test_the_pipeline_and_its_parts(tmp_path):
    found, side = snapshots(f"hf:{pipeline(tmp_path / 'sd')}?digest=full")
    assert not side.errors, side.errors
    assert set(found) >= {"pipeline", "text_encoder", "unet"}
    assert found["pipeline"]["model.architecture"].value == "StableDiffusionPipeline"
    assert found["pipeline"]["model.training.packages"].value == {"diffusers": "0.24.0"}
    assert found["unet"]["model.architecture"].value == "UNet2DConditionModel"
    assert found["unet"]["model.weights.dtype"].value == {"float32": 1.0}, "not the variant"
    assert found["text_encoder"]["model.weights.digest"].state == "known"
    assert "model.weights.digest" not in found["pipeline"], "what lies beside the parts is not loaded"


def test_the_part_that_differs_is_named(tmp_path):
    one, two = pipeline(tmp_path / "a"), pipeline(tmp_path / "b", 1.5)
    report = diff(f"hf:{one}?digest=full", f"hf:{two}?digest=full", Options())
    differing = {workload.id.rpartition("/")[2] for workload in report.workloads if workload.findings}
    assert differing == {"unet"}


def test_another_scheduler_is_a_difference(tmp_path):
    other = {"_class_name": "EulerDiscreteScheduler", "prediction_type": "v_prediction"}
    one, two = pipeline(tmp_path / "a"), pipeline(tmp_path / "b", **{"scheduler/scheduler_config.json": other})
    report = diff(f"hf:{one}", f"hf:{two}", Options())
    (found,) = (workload for workload in report.workloads if workload.findings)
    assert found.id.endswith("/scheduler") and found.findings[0].rule == "model.config.digest"


def test_who_saved_it_where_makes_no_difference(tmp_path):
    one = pipeline(tmp_path / "a" / "sd")
    two = pipeline(tmp_path / "b" / "sd", **{"model_index.json": {**INDEX, "_name_or_path": "elsewhere"}})
    report = diff(f"hf:{one}", f"hf:{two}", Options())
    assert not [finding for workload in report.workloads for finding in workload.findings]


def test_a_part_that_is_not_there_is_named_and_the_rest_is_read(tmp_path):
    index = {**INDEX, "vae": ["diffusers", "AutoencoderKL"]}
    found, side = snapshots(f"hf:{pipeline(tmp_path / 'sd', **{'model_index.json': index})}")
    assert [error.message for error in side.errors] == [
        f"model_index.json lists vae, which is not in {tmp_path / 'sd'}"
    ]
    assert "unet" in found


def test_shards_of_a_part(tmp_path):
    name = "unet/diffusion_pytorch_model"
    index = {"metadata": {"total_size": 4}, "weight_map": {"w": "diffusion_pytorch_model-00001-of-00001.safetensors"}}
    sharded = {f"{name}.safetensors.index.json": index, f"{name}-00001-of-00001.safetensors": safetensors(1.0)}
    one = pipeline(tmp_path / "a", **sharded)
    (one / f"{name}.safetensors").unlink()
    (one / f"{name}.fp16.safetensors").unlink()
    two = pipeline(tmp_path / "b")
    left, right = (snapshots(f"hf:{folder}?digest=full")[0]["unet"] for folder in (one, two))
    assert left["model.weights.digest"].value == right["model.weights.digest"].value


@pytest.mark.parametrize(
    "parts", [{"../../etc": ["a", "B"]}, {"/etc": ["a", "B"]}, {"loop": ["a", "B"]}, {"x": [1] * 3}]
)
def test_names_that_lead_elsewhere_are_not_followed(tmp_path, parts):
    elsewhere = pipeline(tmp_path / "elsewhere")
    folder = pipeline(tmp_path / "sd", **{"model_index.json": {**INDEX, **parts}})
    (folder / "loop").symlink_to(elsewhere)
    found, side = snapshots(f"hf:{folder}")
    assert "unet" in found
    assert not any(error.message for error in side.errors if "loop" not in error.source)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b'{"a": ' * 50_000])
def test_a_broken_index_is_an_error(tmp_path, text):
    _, side = snapshots(f"hf:{pipeline(tmp_path / 'sd', **{'model_index.json': text})}")
    assert side.errors


def test_a_pipeline_in_a_store(tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="reads stores with fsspec, of the extra 'remote'")
    store = fsspec.filesystem("memory")
    local = pipeline(tmp_path / "sd")
    for path in sorted(one for one in local.rglob("*") if one.is_file()):
        store.pipe(f"/pipelines/sd/{path.relative_to(local)}", path.read_bytes())
    try:
        found, side = snapshots("hf:memory://pipelines/sd?digest=full")
    finally:
        store.rm("/pipelines", recursive=True)
    assert not side.errors, side.errors
    here, _ = snapshots(f"hf:{local}?digest=full")
    for name in ("unet", "text_encoder"):
        assert found[name]["model.weights.digest"].value == here[name]["model.weights.digest"].value
