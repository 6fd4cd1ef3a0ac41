"""``askew fit`` as its users see it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096,
    "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "max_position_embeddings": 131072, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
}  # fmt: skip
H100 = ("--assume", "hardware.gpu.model=h100-80gb-sxm")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))
    return str(path)


def test_a_config_and_a_gpu_are_enough(askew, config):
    ran = askew("fit", config, *H100, "--format", "json")
    assert ran.code == 0, ran.everything
    found = json.loads(ran.out)
    schema = json.loads((Path(askew_schemas()) / "fit.v1.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema)
    assert (found["schema"], found["verdict"], found["per"]) == ("askew/fit/v1", "fits", "device")
    assert found["weights_bytes"] / 2**30 == pytest.approx(14.96, abs=0.01)
    assert found["kv_bytes_per_token"] == 131072
    assert found["cold_start"] == {
        "weights_bytes": found["weights_bytes"],
        "from_disk_seconds": pytest.approx(38, abs=0.1),
        "with_download_seconds": pytest.approx(124.2, abs=0.2),
    }
    assert "hardware.gpu.model=h100-80gb-sxm" in found["assumed"]
    assert any("max_num_seqs=256" in one for one in found["assumed"])


def test_a_launch_joined_with_its_model(askew, config):
    words = "docker run vllm/vllm-openai:v0.19.0 --model m --max-model-len 8192 --gpu-memory-utilization 0.95"
    found = json.loads(askew("fit", f"{config}+cmd:{words}", *H100, "--format", "json").out)
    # The start-up log of this very launch says 58.11 GiB and 476,016 tokens.
    assert found["kv_bytes"] / 2**30 == pytest.approx(58.11, rel=0.01)
    assert found["kv_tokens"] == pytest.approx(476016, rel=0.01)
    assert found["max_concurrency"] == pytest.approx(58.11, rel=0.01)


@pytest.mark.parametrize(
    ("more", "verdict", "code"),
    [
        ((), "unknown", 3),
        (("--assume", "hardware.gpu.memory.bytes=16Gi"), "does-not-fit", 1),
        (("--assume", "hardware.gpu.memory.bytes=80Gi"), "fits", 0),
        (("--assume", "hardware.gpu.memory.bytes=36Gi"), "marginal", 0),
        (("--assume", "hardware.gpu.memory.bytes=24Gi", "--assume", "runtime.max_model_len=8192"), "fits", 0),
    ],
)
def test_the_verdict_and_the_exit_status(askew, config, more, verdict, code):
    ran = askew("fit", config, *more)
    assert (ran.out.rstrip().rpartition("\n")[2].partition(":")[0], ran.code) == (verdict, code), ran.everything


def test_what_is_missing_is_named_with_how_to_see_it(askew, config):
    ran = askew("fit", config)
    assert "missing: hardware.gpu.memory.bytes" in ran.out and "nvidia-smi" in ran.out


def test_a_quantized_model_takes_less(askew, config):
    whole = json.loads(askew("fit", config, *H100, "--format", "json").out)
    words = f"{config}+cmd:vllm serve m --quantization fp8"
    less = json.loads(askew("fit", words, *H100, "--format", "json").out)
    assert less["weights_bytes"] / 2**30 == pytest.approx(8.49, rel=0.01)  # as a start-up log says
    assert less["kv_bytes"] > whole["kv_bytes"]


def test_no_model_and_several(askew, tmp_path, config):
    (tmp_path / "two").mkdir()
    for name in "ab":
        (tmp_path / "two" / f"{name}.yaml").write_text(
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n"
            "spec: {containers: [{name: c, image: 'vllm/vllm-openai:v0.9.0', args: [--model=m]}]}\n"
        )
    ran = askew("fit", str(tmp_path / "two"))
    assert ran.code == 2 and "--workload" in ran.err
    ran = askew("fit", str(tmp_path / "two"), "--workload", "a")
    assert ran.code == 3 and "missing: model.kv_geometry" in ran.out
    (tmp_path / "broken.json").write_text("{")
    assert askew("fit", str(tmp_path / "broken.json")).code == 2


def askew_schemas() -> str:
    import askew.report

    return str(Path(askew.report.__file__).parent / "schemas")
