"""Reading launches of KServe's model servers, alone and in an InferenceService."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines import versions
from askew.engines.kserve import RECOGNITION
from askew.engines.kserve.engine import ENGINE
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved
from askew.testing.engines import conforms

AT = Location("deploy.yaml", line=10)
FACE = "kserve/huggingfaceserver:v0.15.2-gpu"
ONE_GPU: dict[str, Value] = {"hardware.gpu.count": 1}


def launch_of(command: str, image: str = FACE, env: Mapping[str, str] | None = None) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=bool(image),
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
    )


def facts(
    command: str, image: str = FACE, env: Mapping[str, str] | None = None, more: Mapping[str, Value] | None = None
) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, image, env))
    seen = [Observation(fact=name, value=value, origin="measured") for name, value in (more or {}).items()]
    return resolve([*reading.observations, *seen], reading.rules)


def problems(command: str, image: str = FACE) -> list[tuple[str, str, str]]:
    return [(one.kind, one.argument, one.suggestion) for one in ENGINE.read(launch_of(command, image)).problems]


def test_it_conforms() -> None:
    conforms(ENGINE, RECOGNITION)


@pytest.mark.parametrize(
    ("words", "fact", "value"),
    [
        ("--model_id=org/model --backend=vllm", "model.source", "hf://org/model"),
        ("--model_id=org/model --backend=vllm", "model.id", "org/model"),
        ("--model_id=org/model --backend=huggingface", "model.source", "hf://org/model"),
        ("--model_dir=/mnt/models --model_id=org/model", "model.source", "hf://org/model"),
        ("--model_dir=/mnt/models --backend=huggingface", "model.source", "/mnt/models"),
        ("--backend=huggingface", "model.source", "/mnt/models"),
        ("--model_name=llama3", "model.served_names", ["llama3"]),
        ("", "model.served_names", ["model"]),
        ("--model_revision=abc123 --model_id=org/model", "model.revision", "abc123"),
        ("--max_length=2048", "runtime.max_model_len", 2048),
        ("--max_model_len 2048 --backend huggingface", "runtime.max_model_len", 2048),
        ("--max-model-len=2048", "runtime.max_model_len", 2048),
        ("--trust_remote_code", "model.trust_remote_code", True),
        ("--dtype=half", "runtime.dtype", "float16"),
        ("--dtype=bfloat16 --backend=huggingface", "runtime.dtype", "bfloat16"),
        ("--gpu-memory-utilization=0.8", "runtime.gpu_memory_utilization", 0.8),
        ("--enable-prefix-caching", "runtime.prefix_caching", True),
        ("-pp 2 --max-num-s 16", "runtime.max_num_seqs", 16),
        ("", "serving.port", 8080),
        ("--http_port=9090", "serving.port", 9090),
        ("--port=9090", "serving.port", 8080),
        ("--workers=2", "runtime.instances", 2),
    ],
)
def test_arguments(words: str, fact: str, value: object) -> None:
    found = facts(words)[fact]
    assert (found.state, found.value) == ("known", value)


def test_which_release_an_image_states() -> None:
    for image, version in (
        ("kserve/huggingfaceserver:v0.15.2", "0.15.2"),
        ("docker.io/kserve/sklearnserver:v0.12.1", "0.12.1"),
        ("registry.local/kserve/xgbserver:v0.16.0", "0.16.0"),
        ("kserve/huggingfaceserver:latest-gpu", None),
        ("quay.io/someone/huggingfaceserver:v0.15.2", None),
    ):
        assert ENGINE.read(launch_of("", image)).version == version, image


def test_the_model_decides_the_back_end_where_nothing_says_it() -> None:
    assert facts("--model_id=a/b --backend=vllm")["runtime.load_format"].confidence == "certain"
    assert facts("--model_id=a/b")["runtime.load_format"].confidence == "likely"
    assert facts("--model_id=a/b", "kserve/huggingfaceserver:v0.15.2")["runtime.load_format"].confidence == "possible"
    for words in (
        "--backend=huggingface",
        "--task=fill_mask",
        "--return_probabilities",
        "--tensor_input_names=input_ids",
    ):
        assert "runtime.prefix_caching" not in facts(f"--model_id=a/b {words}"), words


def test_vllm_of_the_release_decides_its_defaults() -> None:
    def batch(image: str) -> tuple[object, object]:
        found = facts("--model_id=a/b --backend=vllm", image, more={"hardware.gpu.model": ["a100-80gb-sxm"], **ONE_GPU})
        return found["runtime.max_num_seqs"].value, found["runtime.max_num_batched_tokens"].value

    assert batch("kserve/huggingfaceserver:v0.15.2-gpu") == (1024, 8192)  # vLLM 0.8.5
    assert batch("kserve/huggingfaceserver:v0.16.0-gpu") == (256, 2048)  # vLLM 0.9.2
    written = facts("--backend=vllm --max-num-seqs=64", "kserve/huggingfaceserver:v0.16.0-gpu")
    assert written["runtime.max_num_seqs"].value == 64


def test_a_float32_checkpoint_moves_with_vllm() -> None:
    def dtype(image: str) -> object:
        more: dict[str, Value] = {"model.config.dtype": "float32", "hardware.gpu.model": ["h100-80gb-sxm"], **ONE_GPU}
        return facts("--model_id=a/b --backend=vllm", image, more=more)["runtime.dtype"].value

    assert (dtype("kserve/huggingfaceserver:v0.15.2-gpu"), dtype("kserve/huggingfaceserver:v0.16.0-gpu")) == (
        "float16",
        "bfloat16",
    )


def test_every_gpu_is_used_whatever_the_argument_says() -> None:
    size = facts("--backend=vllm --tensor-parallel-size=1", more={"hardware.gpu.count": 4})[
        "runtime.tensor_parallel_size"
    ]
    assert (size.value, size.confidence) == (4, "certain")
    assert facts("--backend=vllm", more={"hardware.gpu.count": 0})["runtime.tensor_parallel_size"].value == 1
    assert facts("--backend=vllm --tensor-parallel-size=2")["runtime.tensor_parallel_size"].state == "unknown"


@pytest.mark.parametrize(
    ("image", "config", "gpus", "dtype"),
    [
        ("v0.12.1", "bfloat16", 1, "float32"),
        ("v0.14.1", "bfloat16", 1, "float16"),
        ("v0.14.1", "bfloat16", 0, "float32"),
        ("v0.15.0", "bfloat16", 1, "bfloat16"),
        ("v0.15.0", None, 1, "float16"),
        ("v0.20.0", None, 0, "float32"),
    ],
)
def test_dtype_of_the_transformers_back_end(image: str, config: str | None, gpus: int, dtype: str) -> None:
    words = "--disable_vllm" if image == "v0.12.1" else "--backend=huggingface"
    more: dict[str, Value] = {"model.config.dtype": config, "hardware.gpu.count": gpus}
    for spelled in ("", " --dtype=auto") if image != "v0.12.1" else ("",):
        found = facts(words + spelled, f"kserve/huggingfaceserver:{image}", more=more)
        assert found["runtime.dtype"].value == dtype


def test_what_the_server_does_not_know_it_ignores() -> None:
    assert problems("--backend=vllm --max_num_seqs=32") == [("ignored-argument", "--max_num_seqs", "--max-num-seqs")]
    assert problems("--backend=vllm --no-such=1") == [("ignored-argument", "--no-such", "")]
    assert problems("--backend=huggingface --max-num-seqs=8") == [("ignored-argument", "--max-num-seqs", "")]
    assert problems("--backend=vllm --max-num-seqs=8 --max_model_len=8 --model_name=x") == []
    assert facts("--backend=vllm --max_num_seqs=32")["runtime.max_num_seqs"].value != 32
    assert problems("--model_dir=/m --nthread=2", "kserve/xgbserver:v0.15.2") == []
    assert problems("--model_dir=/m --nthread=2", "kserve/sklearnserver:v0.15.2")[0][:2] == (
        "ignored-argument",
        "--nthread",
    )


def test_what_does_not_reach_vllm() -> None:
    assert problems("--backend=vllm --revision=abc") == [("ignored-argument", "--revision", "--model_revision")]
    assert facts("--backend=vllm --model_id=a/b --revision=abc")["model.revision"].state == "unknown"
    assert facts("--backend=vllm --model_id=a/b --model=c/d")["model.source"].value == "hf://a/b"
    old = "kserve/huggingfaceserver:v0.13.1"
    assert problems("--backend=vllm --max_length=512", old) == [("ignored-argument", "--max_length", "--max-model-len")]
    assert facts("--backend=vllm --max_length=512", old)["runtime.max_model_len"].value != 512


def test_names_under_which_a_model_is_served() -> None:
    words = "--backend=vllm --model_name=a --served-model-name b c"
    assert facts(words)["model.served_names"].value == ["b", "c"]
    assert facts(words, "kserve/huggingfaceserver:v0.14.1")["model.served_names"].value == ["a"]


def test_the_beginning_of_several_names_is_refused() -> None:
    assert [one[:2] for one in problems("--backend=huggingface --model=x")] == [("unknown-argument", "--model")]


def test_values_that_are_refused_are_told() -> None:
    assert [one[:2] for one in problems("--backend=huggingface --dtype=fp8")] == [("invalid-value", "--dtype")]
    assert [one[:2] for one in problems("--enable_grpc=perhaps")] == [("invalid-value", "--enable_grpc")]


def test_spelling_out_a_default_is_no_difference() -> None:
    plain = facts("--model_id=a/b --backend=vllm")
    spelled = facts(
        "--model_id a/b --backend vllm --http_port 8080 --enable_grpc True --workers=1 --max_threads=4"
        " --model_name model"
    )
    assert {key: (one.state, one.value) for key, one in plain.items()} == {
        key: (one.state, one.value) for key, one in spelled.items()
    }


def test_servers_of_classic_models() -> None:
    found = facts("--model_name=iris --model_dir=/mnt/models --http_port=8080", "kserve/sklearnserver:v0.15.2")
    assert found["model.served_names"].value == ["iris"]
    assert found["runtime.packages"].value == {"scikit-learn": "1.5.2", "joblib": "1.4.2"}
    assert "runtime.dtype" not in found
    assert facts("--model_dir=/m", "kserve/xgbserver:v0.15.2")["runtime.threads"].value == 1
    assert facts("--model_dir=/m --nthread=4", "kserve/lgbserver:v0.15.2")["runtime.threads"].value == 4
    assert facts("--model_dir=/m --workers=4", "kserve/lgbserver:v0.15.2")["runtime.instances"].value == 1
    started = launch_of("python -m sklearnserver --model_dir=/m --model_name=x", "")
    assert ENGINE.read(started).unmapped == ()


def test_variables() -> None:
    found = facts("", "kserve/sklearnserver:v0.15.2", {"PREDICT_PROBA": "true", "KSERVE_LOGLEVEL": "DEBUG"})
    assert found["runtime.arguments.unmapped"].entries["PREDICT_PROBA"].value == "true"
    reading = ENGINE.read(launch_of("", FACE, {"KSERVE_OPENAI_ROUTE_PREFIX": "", "KSERVE_WHAT": "1"}))
    assert (reading.variables, reading.strange) == (1, ("KSERVE_WHAT",))


def test_defaults_tell_of_the_vllm_inside() -> None:
    found = {(one.name, one.kind): one for one in defaults("kserve", "0.15.2", "0.16.0").changes}
    inner = found["vllm", "dependency"]
    assert (inner.old, inner.new) == ("0.8.5", "0.9.2")
    assert inner.sources == ("kserve 0.16.0 python/huggingface_server.Dockerfile:55",)
    batch = next(one for one in found.values() if one.name == "--max-num-seqs")
    assert (batch.old, batch.new, batch.condition) == (1024, 256, "on a100-80gb-sxm, where it is not set")
    later = {(one.name, one.kind): one for one in defaults("kserve", "0.16.0", "0.17.0").changes}
    assert later["vllm", "dependency"].new == "0.15.1"
    gone = later["vllm:time_per_output_token_seconds", "metric"]
    assert gone.new == "vllm:inter_token_latency_seconds"
    assert str(gone.condition).startswith("in the vllm that is built in")
    assert {"--guided-decoding-backend"} <= {name for name, kind in later if kind in ("removed", "renamed")}


def test_transformers_5_comes_with_a_release() -> None:
    found = {(one.name, one.kind): one for one in defaults("kserve", "0.19.0", "0.20.0").changes}
    one = found["runtime.packages[transformers]", "dependency"]
    assert (one.old, one.new) == ("4.57.1", "5.13.0")


def test_history_is_what_the_releases_say() -> None:
    release = versions.load("kserve", "0.15.2")
    assert release is not None
    assert {name: release.packages[name].value for name in ("vllm", "scikit-learn", "xgboost", "lightgbm")} == {
        "vllm": "0.8.5", "scikit-learn": "1.5.2", "xgboost": "2.1.4", "lightgbm": "4.5.0",
    }  # fmt: skip
    assert set(release.metrics) == {
        f"request_{name}_seconds" for name in ("preprocess", "postprocess", "predict", "explain")
    }


SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {{name: llm}}
spec:
  predictor:
    model:
      modelFormat: {{name: {format}}}
      args: [--model_id=org/model, --max_model_len=4096]
{more}      resources: {{limits: {{nvidia.com/gpu: "2"}}}}
"""


def loaded(tmp_path: Path, text: str) -> dict[str, Resolved]:
    path = tmp_path / "isvc.yaml"
    path.write_text(text, encoding="utf-8")
    side = load(str(path), "target", Redactor())
    assert not side.errors
    assert [one.engine.name for one in side.snapshots if one.engine] == ["kserve"]
    return dict(side.snapshots[0].facts)


def test_an_inference_service_with_its_image(tmp_path: Path) -> None:
    found = loaded(tmp_path, SERVICE.format(format="huggingface", more=f"      image: {FACE}\n"))
    assert (found["runtime.max_model_len"].value, found["runtime.max_model_len"].locations[0].line) == (4096, 8)
    assert found["runtime.tensor_parallel_size"].value == 2
    assert found["runtime.engine.version"].value == "0.15.2"


def test_an_inference_service_whose_runtime_is_unseen(tmp_path: Path) -> None:
    found = loaded(tmp_path, SERVICE.format(format="huggingface", more=""))
    assert found["runtime.max_model_len"].value == 4096
    assert found["runtime.engine.version"].state == "unknown"
    assert "not in the sources given" in found["model.served_names"].reason
    assert found["serving.port"].confidence == "possible"


def test_the_runtime_says_the_rest_where_it_is_seen(tmp_path: Path) -> None:
    runtime = """\
---
apiVersion: serving.kserve.io/v1alpha1
kind: ClusterServingRuntime
metadata: {name: kserve-huggingfaceserver}
spec:
  supportedModelFormats: [{name: huggingface, version: "1", autoSelect: true}]
  containers:
    - name: kserve-container
      image: kserve/huggingfaceserver:v0.16.0-gpu
      args: ["--model_name={{.Name}}", --http_port=8081]
"""
    found = loaded(tmp_path, SERVICE.format(format="huggingface", more="") + runtime)
    assert (found["model.served_names"].value, found["serving.port"].value) == (["llm"], 8081)
    assert found["runtime.engine.version"].value == "0.16.0"


@given(
    st.lists(st.text(max_size=12) | st.sampled_from(["--backend", "vllm", "--dtype", "--model_id", "--"]), max_size=8)
)
def test_reading_never_raises(words: list[str]) -> None:
    for image in (FACE, "kserve/lgbserver:v0.11.0", ""):
        argv = tuple(Token(word, AT) for word in words)
        ENGINE.read(Launch(argv=argv, location=AT, image=Token(image, AT) if image else None, implicit_entrypoint=True))
