"""Launches of LMDeploy as people write them, and the facts that they mean."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.load import load
from askew.engines import versions
from askew.engines.lmdeploy.engine import ENGINE
from askew.engines.lmdeploy.flags import FLAGS, OTHER
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
START = "lmdeploy serve api_server internlm/internlm2-chat-7b"


def launch_of(command: str, image: str = "", env: Mapping[str, str] | None = None) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        env={name: Variable(name, value, AT) for name, value in (env or {}).items()},
    )


def facts(
    command: str, release: str = "", seen: Mapping[str, Value] | None = None, env: Mapping[str, str] | None = None
) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, f"openmmlab/lmdeploy:v{release}-cu12" if release else "", env))
    others = [Observation(fact=fact, value=value, origin="measured") for fact, value in (seen or {}).items()]
    return resolve((*reading.observations, *others), reading.rules)


@pytest.mark.parametrize(
    ("words", "fact", "value"),
    [
        ("--tp 2", "runtime.tensor_parallel_size", 2),
        ("--tp=2", "runtime.tensor_parallel_size", 2),
        ("--dp 4", "runtime.data_parallel_size", 4),
        ("--ep 8", "runtime.expert_parallel", True),
        ("--ep 1", "runtime.expert_parallel", False),
        ("--session-len 32768", "runtime.max_model_len", 32768),
        ("--session_len 32768", "runtime.max_model_len", 32768),
        ("--max-batch-size 64", "runtime.max_num_seqs", 64),
        ("--cache-max-entry-count 0.5", "runtime.gpu_memory_utilization", 0.5),
        ("--quant-policy 8", "runtime.kv_cache.dtype", "int8"),
        ("--quant-policy fp8", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("--cache-block-seq-len 128", "runtime.kv_cache.block_size", 128),
        ("--enable-prefix-caching", "runtime.prefix_caching", True),
        ("", "runtime.prefix_caching", False),
        ("--eager-mode", "runtime.enforce_eager", True),
        ("--backend pytorch", "runtime.engine.backend", "pytorch"),
        ("--backend pytorch", "runtime.enforce_eager", False),
        ("--model-format awq", "runtime.quantization", "awq"),
        ("--model-format hf", "runtime.quantization", "none"),
        ("--dtype bfloat16", "runtime.dtype", "bfloat16"),
        ("--model-name chat", "model.served_names", ["chat"]),
        ("", "model.served_names", ["internlm/internlm2-chat-7b"]),
        ("", "model.source", "hf://internlm/internlm2-chat-7b"),
        ("--server-port 8080", "serving.port", 8080),
        ("", "serving.port", 23333),
        ("--api-keys a b", "serving.api_key_required", True),
        ("--ssl", "serving.tls", True),
        ("--chat-template llama2", "model.chat_template.source", "llama2"),
        ("--max-prefill-token-num 4096", "runtime.max_num_batched_tokens", 4096),
        ("--max-concurrent-requests 100", "runtime.max_concurrent_requests", 100),
        ("--tool-call-parser qwen", "runtime.tool_call_parser", "qwen"),
        ("--reasoning-parser deepseek-r1", "runtime.reasoning_parser", "deepseek-r1"),
        ("--role Prefill", "runtime.role", "prefill"),
        ("--cudagraph-capture-batch-sizes 1 2 4", "runtime.cuda_graph.sizes", [1, 2, 4]),
        ("--async 0", "runtime.async_scheduling", False),
        ("--generation-config lmdeploy", "runtime.generation_config", "engine"),
        ("--trust-remote-code", "model.trust_remote_code", True),
        ("--adapters a=/lora/a b=/lora/b", "runtime.lora.enabled", True),
    ],
)
def test_what_arguments_mean(words: str, fact: str, value: Value) -> None:
    found = facts(f"{START} {words}", "0.18.0")[fact]
    assert (found.state, found.value) == ("known", value)


def test_speculation_is_one_map() -> None:
    words = "--speculative-algorithm eagle3 --speculative-draft-model org/draft --speculative-num-draft-tokens 3"
    found = facts(f"{START} {words}", "0.18.0")["runtime.speculative"]
    assert found.value == {"method": "eagle3", "model": "org/draft", "num_speculative_tokens": 3}


@pytest.mark.parametrize(
    "words", ["--cp 1", "--device cuda", "--communicator nccl", "--tp 1", "--dtype auto", "--backend turbomind"]
)
def test_a_default_spelled_out_is_no_difference(words: str) -> None:
    plain, spelled = facts(START, "0.18.0"), facts(f"{START} {words}", "0.18.0")
    assert {key: one.value for key, one in plain.items()} == {key: one.value for key, one in spelled.items()}


@pytest.mark.parametrize(
    ("stored", "seen", "dtype"),
    [("bfloat16", None, "bfloat16"), ("float16", None, "float16"), ("float32", None, "float16")],
)
def test_dtype_auto_follows_the_checkpoint(stored: str, seen: None, dtype: str) -> None:
    found = facts(START, "0.10.0", {"model.config.dtype": stored})
    assert found["runtime.dtype"].value == dtype
    assert found["runtime.kv_cache.dtype"].value == dtype


def test_a_quantized_checkpoint_is_computed_in_float16() -> None:
    found = facts(f"{START} --model-format awq", "0.10.0", {"model.config.dtype": "bfloat16"})
    assert found["runtime.dtype"].value == "float16"


def test_the_length_is_the_models_own_without_rope_scaling() -> None:
    length: dict[str, Value] = {"model.context_length": 32768}
    assert facts(START, "0.10.0", length)["runtime.max_model_len"].value == 32768
    scaled = facts(START, "0.10.0", {**length, "model.rope": {"factor": 4}})["runtime.max_model_len"]
    assert scaled.state == "unknown"


def test_turbomind_is_not_claimed_for_a_model_it_may_not_have() -> None:
    assert facts(START, "0.10.0")["runtime.engine.backend"].state == "unknown"


def test_only_servers_are_the_engine() -> None:
    for command, name in (
        ("lmdeploy serve api_server org/m", "lmdeploy"),
        ("/opt/py3/bin/lmdeploy serve gradio org/m", "lmdeploy"),
        ("python3 -m lmdeploy serve api_server org/m", "lmdeploy"),
        ("lmdeploy serve proxy --server-port 8000", None),
        ("lmdeploy chat org/m", None),
        ("lmdeploy lite auto_awq org/m", None),
    ):
        assert registry.recognise(launch_of(command)) == name


def test_a_model_without_a_revision_is_not_pinned() -> None:
    assert facts(START, "0.10.0")["model.revision"].state == "unknown"
    assert facts(f"{START} --revision main", "0.10.0")["model.revision"].state == "unknown"
    assert facts(f"{START} --revision 8a3f", "0.10.0")["model.revision"].value == "8a3f"
    assert facts("lmdeploy serve api_server /models/m", "0.10.0")["model.revision"].state == "absent"


def test_an_argument_that_the_release_lacks_is_told() -> None:
    problems = ENGINE.read(launch_of(f"{START} --qos-config-path q.json", "openmmlab/lmdeploy:v0.10.0")).problems
    assert [one.kind for one in problems] == ["removed-argument"]
    problems = ENGINE.read(launch_of(f"{START} --sesion-len 100", "openmmlab/lmdeploy:v0.10.0")).problems
    assert [(one.kind, one.suggestion) for one in problems] == [("unknown-argument", "--session-len")]


def test_a_value_that_is_refused_is_told_with_its_place() -> None:
    for words in ("--quant-policy 5", "--dtype int8", "--tp two", "--role Both", "--async 2"):
        (problem,) = ENGINE.read(launch_of(f"{START} {words}", "openmmlab/lmdeploy:v0.18.0")).problems
        assert problem.kind == "invalid-value"
        assert problem.locations == (AT,)


def test_variables_of_the_package_are_compared() -> None:
    env = {"LMDEPLOY_EXECUTOR_BACKEND": "ray", "TM_LOG_LEVEL": "INFO", "LMDEPLOY_NO_SUCH": "1"}
    reading = ENGINE.read(launch_of(START, "openmmlab/lmdeploy:v0.18.0", env))
    assert {one.key for one in reading.observations if one.fact == "runtime.env" and one.key} >= {
        "LMDEPLOY_EXECUTOR_BACKEND"
    }
    assert (reading.variables, reading.strange) == (2, ("LMDEPLOY_NO_SUCH",))


def test_the_published_manifest(tmp_path: Path) -> None:
    path = tmp_path / "deploy.yaml"
    path.write_text(
        """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: internlm}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - name: server
        image: openmmlab/lmdeploy:v0.7.3-cu12
        command: ["/bin/sh", "-c"]
        args: ["lmdeploy serve api_server internlm/internlm2-chat-7b --server-port 23334"]
        resources: {limits: {nvidia.com/gpu: 1}}
"""
    )
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    assert (snapshot.engine.name, snapshot.engine.version) == ("lmdeploy", "0.7.3")
    assert snapshot.facts["serving.port"].value == 23334
    assert snapshot.facts["serving.port"].locations[0].line == 13


def test_every_argument_of_every_release_is_known() -> None:
    history = versions.history("lmdeploy")
    assert history is not None
    written = {name for name in history.arguments if not name.startswith("turbomind ")}  # those are architectures
    assert written - {name for flag in FLAGS for name in flag.names} == set()


def test_flag_for_names_arguments_that_exist() -> None:
    assert ENGINE.flag_for("runtime.max_model_len", "0.10.0") == "--session-len"
    assert ENGINE.flag_for("runtime.kv_cache.dtype", None) == "--quant-policy"
    assert ENGINE.flag_for("runtime.max_num_batched_tokens", "0.5.0") is None


@given(st.permutations(["--tp 2", "--session-len 100", "--quant-policy 4", "--enable-prefix-caching", "--cp 2"]))
def test_order_makes_no_difference(words: list[str]) -> None:
    base = facts(f"{START} --tp 2 --session-len 100 --quant-policy 4 --enable-prefix-caching --cp 2", "0.18.0")
    found = facts(f"{START} {' '.join(words)}", "0.18.0")
    assert {key: one.value for key, one in base.items()} == {key: one.value for key, one in found.items()}
    assert found[OTHER].value == {"--cp": "2", "metrics": "true"}
