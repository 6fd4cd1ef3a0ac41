"""Reading launches of SGLang."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines.sglang import RECOGNITION
from askew.engines.sglang.engine import ENGINE
from askew.engines.sglang.flags import flags
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.rule import Rule
from askew.resolve.workload import Resolved

Facts = Callable[..., dict[str, Resolved]]
MODEL = "--model-path Qwen/Qwen2.5-7B-Instruct "


@pytest.mark.parametrize(
    ("written", "fact", "value"),
    [
        ("--tp 4", "runtime.tensor_parallel_size", 4),
        ("--tp-size 4", "runtime.tensor_parallel_size", 4),
        ("--tensor-parallel-size=4", "runtime.tensor_parallel_size", 4),
        ("--dp 2", "runtime.data_parallel_size", 2),
        ("--pp-size 2", "runtime.pipeline_parallel_size", 2),
        ("--tp 2 --ep 2", "runtime.expert_parallel", True),
        ("--ep-size 1", "runtime.expert_parallel", False),
        ("--tp 8 --moe-a2a-backend deepep", "runtime.expert_parallel", True),
        ("--mem-fraction-static 0.85", "runtime.gpu_memory_utilization", 0.85),
        ("--mem-frac 0.85", "runtime.gpu_memory_utilization", 0.85),
        ("--context-length 32768", "runtime.max_model_len", 32768),
        ("--context-length 25.6k", "runtime.max_model_len", 25600),
        ("--context-length 32Ki", "runtime.max_model_len", 32768),
        ("--context-length 4096 --context-length 8192", "runtime.max_model_len", 8192),
        ("--max-running-requests 64", "runtime.max_num_seqs", 64),
        ("--max-total-tokens 100000", "runtime.kv_cache.tokens", 100000),
        ("--chunked-prefill-size 4096", "runtime.max_num_batched_tokens", 4096),
        ("--chunked-prefill-size 4096", "runtime.chunked_prefill", True),
        ("--chunked-prefill-size -1", "runtime.chunked_prefill", False),
        ("--disable-radix-cache", "runtime.prefix_caching", False),
        ("", "runtime.prefix_caching", True),
        ("--disable-cuda-graph", "runtime.enforce_eager", True),
        ("--attention-backend torch_native", "runtime.enforce_eager", True),
        ("--attention-backend fa3", "runtime.enforce_eager", False),
        ("--attention-backend fa3", "runtime.attention_backend", "fa3"),
        ("--dtype half", "runtime.dtype", "float16"),
        ("--kv-cache-dtype fp8_e4m3", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("--dtype bfloat16 --kv-cache-dtype auto", "runtime.kv_cache.dtype", "bfloat16"),
        ("--quantization awq", "runtime.quantization", "awq"),
        (
            "--speculative-algorithm NEXTN --speculative-num-steps 3",
            "runtime.speculative",
            {"method": "eagle", "num_steps": 3},
        ),
        ("--json-model-override-args '{\"a\": 1}'", "runtime.hf_overrides", {"a": 1}),
        ("--disaggregation-mode prefill", "runtime.role", "prefill"),
        ("", "runtime.role", "both"),
        ("--sampling-defaults openai", "runtime.generation_config", "engine"),
        ("--lora-paths a=/l/a b=/l/b", "runtime.lora.enabled", True),
        ("--lora-paths /l/a", "model.lora_adapters", [{"name": "/l/a", "source": "/l/a"}]),
        ("", "runtime.lora.enabled", False),
        ("--served-model-name chat", "model.served_names", ["chat"]),
        ("", "model.served_names", ["Qwen/Qwen2.5-7B-Instruct"]),
        ("", "model.source", "hf://Qwen/Qwen2.5-7B-Instruct"),
        ("", "model.tokenizer.source", "Qwen/Qwen2.5-7B-Instruct"),
        ("--revision 8f9d1c2", "model.tokenizer.revision", "8f9d1c2"),
        ("--trust-remote-code", "model.trust_remote_code", True),
        ("", "serving.port", 30000),
        ("--port 8000", "serving.port", 8000),
        ("", "serving.listen_host", "127.0.0.1"),
        ("--api-key redacted:0123456789abcdef", "serving.api_key_required", True),
        ("--cpu-offload-gb 4", "runtime.cpu_offload.bytes", 4 * 2**30),
        ("--skip-server-warmup", "runtime.warmup", False),
        ("--cuda-graph-bs-decode 1 2 4", "runtime.cuda_graph.sizes", [1, 2, 4]),
        ("--enable-torch-compile", "runtime.compilation", {"torch_compile": True}),
    ],
)
def test_arguments_state_facts(facts: Facts, written: str, fact: str, value: object) -> None:
    assert facts(MODEL + written)[fact].value == value


@pytest.mark.parametrize(
    "fact",
    [
        "runtime.gpu_memory_utilization",
        "runtime.max_num_seqs",
        "runtime.attention_backend",
        "model.revision",
        "runtime.dtype",
    ],
)
def test_what_is_decided_at_start_is_unknown_with_a_reason(facts: Facts, fact: str) -> None:
    found = facts(MODEL)[fact]
    assert found.state == "unknown"
    assert found.reason


def test_scheduler_options_resolve_one_by_one(facts: Facts) -> None:
    scheduler = facts(MODEL + "--schedule-policy lpm --enable-mixed-chunk")["runtime.scheduler"]
    assert scheduler.entries["policy"].value == "lpm"
    assert scheduler.entries["policy"].origin == "explicit"
    assert scheduler.entries["mixed_chunk"].value is True
    assert scheduler.entries["max_prefill_tokens"].value == 16384
    assert scheduler.entries["max_prefill_tokens"].origin == "engine-default"


def test_an_option_at_its_default_says_no_more_than_its_absence(facts: Facts) -> None:
    found = facts(MODEL + "--moe-runner-backend auto --triton-attention-num-kv-splits 8 --hicache-ratio 3")
    written = {
        name: one.value for name, one in found["runtime.arguments.unmapped"].entries.items() if one.origin == "explicit"
    }
    assert written == {"--hicache-ratio": "3"}


def test_old_and_new_name_of_one_option_are_one_entry(facts: Facts) -> None:
    old = facts(MODEL + "--cuda-graph-max-bs 64", image="lmsysorg/sglang:v0.5.9")
    new = facts(MODEL + "--cuda-graph-max-bs-decode 64")
    assert old["runtime.arguments.unmapped"].value == new["runtime.arguments.unmapped"].value


def test_chunk_follows_gpu_memory_when_a_source_shows_it(launch: Callable[..., Launch]) -> None:
    reading = ENGINE.read(launch("sglang serve Qwen/Qwen3-8B"))
    sizes = {}
    for gib in (15, 23, 47, 80, 141, 180):
        seen = Observation(fact="hardware.gpu.memory.bytes", value=gib * 2**30, origin="catalogue")
        sizes[gib] = resolve((*reading.observations, seen), reading.rules)["runtime.max_num_batched_tokens"].value
    assert sizes == {15: 2048, 23: 4096, 47: 4096, 80: 8192, 141: 8192, 180: 16384}
    attention = ENGINE.read(launch("sglang serve Qwen/Qwen3-8B --enable-dp-attention --dp 2"))
    found = resolve((*attention.observations, seen), attention.rules)["runtime.max_num_batched_tokens"]
    assert found.value == 8192  # of one rank


@pytest.mark.parametrize(
    ("stored", "architecture", "expected"),
    [
        ("bfloat16", None, "bfloat16"),
        ("float32", "LlamaForCausalLM", "float16"),
        ("float32", "Gemma3ForCausalLM", "bfloat16"),
        ("float32", None, None),
    ],
)
def test_dtype_follows_the_checkpoint(
    launch: Callable[..., Launch], stored: str, architecture: str | None, expected: str | None
) -> None:
    reading = ENGINE.read(launch("sglang serve Qwen/Qwen3-8B"))
    seen = [Observation(fact="model.config.dtype", value=stored, origin="model")]
    if architecture:
        seen.append(Observation(fact="model.architecture", value=architecture, origin="model"))
    assert resolve((*reading.observations, *seen), reading.rules)["runtime.dtype"].value == expected


@pytest.mark.parametrize(
    ("written", "kind", "suggestion"),
    [
        ("--context-length banana", "invalid-value", ""),
        ("--dtype bananafloat", "invalid-value", ""),
        ("--disaggregation-mode prefil", "invalid-value", "prefill"),
        ("--mem-fraction-sttic 0.9", "unknown-argument", "--mem-fraction-static"),
        ("--tensor-parallel-size", "malformed", ""),
        ("--trust-remote-code true", "malformed", ""),
        ("--trust-remote-code=true", "invalid-value", "--trust-remote-code"),
        ("'--tp 4'", "malformed", "--tp=4"),
        ("--enable-ep-moe", "removed-argument", "--ep-size"),
        ('--lora-paths \'{"lora_name": "a"}\'', "invalid-value", ""),
        ("--config=/c.yaml", "ignored-argument", "--config /c.yaml"),
        ("--tp_size 4", "unknown-argument", "--tp-size"),
    ],
)
def test_what_the_engine_refuses_is_a_problem(
    launch: Callable[..., Launch], written: str, kind: str, suggestion: str
) -> None:
    problems = ENGINE.read(launch(f"python3 -m sglang.launch_server {MODEL} {written}")).problems
    assert [problem.kind for problem in problems] == [kind]
    assert problems[0].suggestion == suggestion
    assert problems[0].locations


def test_an_invalid_value_leaves_its_fact_unknown(facts: Facts) -> None:
    assert facts(MODEL + "--context-length banana")["runtime.max_model_len"].state == "unknown"


def test_releases_between_those_read_get_the_benefit_of_the_doubt(launch: Callable[..., Launch]) -> None:
    # --enable-lora came after 0.4.9 and no later than 0.4.10: a post release in between may have it.
    for tag, problems in (("v0.4.9", 1), ("v0.4.9.post4", 0), ("v0.4.10", 0), ("latest", 0)):
        reading = ENGINE.read(launch(f"sglang serve {MODEL} --enable-lora", image=f"lmsysorg/sglang:{tag}"))
        assert len(reading.problems) == problems, tag


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v0.5.5.post3-cu129-amd64", "0.5.5.post3"),
        ("v0.5.9", "0.5.9"),
        ("latest", None),
        ("dev", None),
        ("kimi-k3", None),
    ],
)
def test_version_from_the_tag(launch: Callable[..., Launch], tag: str, version: str | None) -> None:
    assert ENGINE.read(launch(f"sglang serve {MODEL}", image=f"docker.io/lmsysorg/sglang:{tag}")).version == version


def test_config_file_comes_before_the_arguments(facts: Facts) -> None:
    config = (
        "tensor-parallel-size: 4\nport: 8000\ntrust-remote-code: true\nenable-metrics: false\nlora-paths:\n- a=/l/a\n"
    )
    found = facts(f"{MODEL} --config /etc/sglang/c.yaml --port 9000", files={"/etc/sglang/c.yaml": config})
    assert found["runtime.tensor_parallel_size"].value == 4
    assert found["runtime.tensor_parallel_size"].locations[0].source == "/etc/sglang/c.yaml"
    assert found["serving.port"].value == 9000
    assert found["model.trust_remote_code"].value is True
    assert found["runtime.lora.enabled"].value is True


def test_without_its_config_file_nothing_is_said_of_defaults(facts: Facts) -> None:
    found = facts(f"{MODEL} --config /etc/sglang/c.yaml --port 9000")
    assert found["serving.port"].value == 9000
    assert "runtime.tensor_parallel_size" not in found
    assert "c.yaml" in found["runtime.arguments.unmapped"].entries["--config"].reason


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "a: 1\n---\nb: 2\n", "\x00"])
def test_broken_config_files_do_not_raise(facts: Facts, text: str) -> None:
    assert facts(f"{MODEL} --config /c.yaml", files={"/c.yaml": text})["model.id"].state == "known"


def test_environment(facts: Facts) -> None:
    env = {
        "SGLANG_ENABLE_JIT_DEEPGEMM": "1",
        "NCCL_P2P_DISABLE": "1",
        "HF_TOKEN": "x",
        "PATH": "/bin",
        "SGLANG_LOG_MS": "1",
    }
    assert facts(MODEL, env=env)["runtime.env"].value == {"NCCL_P2P_DISABLE": "1", "SGLANG_ENABLE_JIT_DEEPGEMM": "1"}


def test_modelscope_in_place_of_the_hub(facts: Facts) -> None:
    found = facts(MODEL, env={"SGLANG_USE_MODELSCOPE": "true"})
    assert found["model.source"].value == "modelscope://Qwen/Qwen2.5-7B-Instruct"
    assert found["model.revision"].state == "unknown"


def test_other_programs_of_its_image_are_not_read_as_the_engine(launch: Callable[..., Launch]) -> None:
    reading = ENGINE.read(launch("python3 -m sglang_router.launch_router --prefill http://a", implicit=True))
    stated = {one.fact for one in reading.observations}
    assert "serving.port" not in stated
    assert "runtime.engine.name" not in stated
    assert ENGINE.read(launch(f"{MODEL} --tp 2", implicit=True)).mapped == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("python3 -m sglang.launch_server --model-path m", True),
        ("python -u -m sglang.launch_server", True),
        ("/usr/bin/python3.12 -m sglang.launch_server", True),
        ("python3 -m sglang.srt.entrypoints.http_server", True),
        ("sglang serve m", True),
        ("/opt/venv/bin/sglang serve --model-path m", True),
        ("python3 -m sglang_router.launch_router", False),
        ("python3 -m sglang_router.launch_server", False),
        ("sgl-router --host x", False),
        ("python3 -m sglang.srt.disaggregation.launch_lb", False),
        ("python3 -m sglang.bench_serving", False),
        ("sglang generate", False),
    ],
)
def test_recognition_of_programs(words: str, found: bool) -> None:
    assert any(re.match(pattern, words) for pattern in RECOGNITION.programs) is found


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("lmsysorg/sglang:v0.5.5", True),
        ("docker.io/lmsysorg/sglang:v0.5.5.post3-cu129-amd64", True),
        ("rocm/sgl-dev:v0.5", True),
        ("registry.example/aibrix/sglang:v0.5.7-mooncake", True),
        ("lmsysorg/sglang-router:v0.2.4", False),
        ("registry.example/sglang-inference-sim:0.1", False),
        ("vllm/vllm-openai:v0.8.5", False),
    ],
)
def test_recognition_of_images(image: str, found: bool) -> None:
    assert any(re.search(pattern, image) for pattern in RECOGNITION.images) is found


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_model_len", "0.5.23") == "--context-length"
    assert ENGINE.flag_for("model.id", None) == "--model-path"
    assert ENGINE.flag_for("runtime.max_num_batched_tokens", None) == "--chunked-prefill-size"
    assert ENGINE.flag_for("runtime.lora.enabled", "0.4.6") is None
    assert ENGINE.flag_for("runtime.lora.enabled", "0.5.9") == "--enable-lora"
    assert ENGINE.flag_for("runtime.swap.bytes", None) is None


def test_every_fact_of_the_first_milestone_is_stated_or_unsupported(facts: Facts) -> None:
    from askew.facts.catalogue import FACTS

    found = facts(MODEL)
    wanted = {key for key, fact in FACTS.items() if fact.milestone == 1 and key.startswith(("runtime.", "model."))}
    assert wanted - set(found) - set(ENGINE.unsupported) - {"runtime.arguments.unmapped", "runtime.env"} == set()
    assert not set(ENGINE.unsupported) & set(found)


def test_rules_name_known_facts(launch: Callable[..., Launch]) -> None:
    from askew.facts.catalogue import FACTS

    for tag in ("v0.5.23", "v0.4.6", "latest"):
        reading = ENGINE.read(launch(f"sglang serve {MODEL}", image=f"lmsysorg/sglang:{tag}"))
        rules: tuple[Rule, ...] = reading.rules
        assert {need for rule in rules for need in (rule.fact, *rule.needs, *rule.uses)} <= set(FACTS)
        for one in reading.observations:
            if not isinstance(one.value, Unknown) and one.value is not None and not one.key:
                assert FACTS[one.fact].type.parse(one.value) == one.value


NAMES = sorted({name for flag in flags() for name in flag.names})
WORDS = st.lists(
    st.one_of(
        st.sampled_from(NAMES),
        st.builds("{}={}".format, st.sampled_from(NAMES), st.text(max_size=12)),
        st.text(max_size=20),
        st.sampled_from(
            ["--", "-", "=", "{}", "[1]", '{"a":', "-1", "1e999", "nan", "9" * 400, "\ud800", "--config", "/c.yaml"]
        ),
    ),
    max_size=12,
)


@given(WORDS, st.sampled_from(["lmsysorg/sglang:v0.5.23", "lmsysorg/sglang:v0.4.1", "x", "!!"]))
def test_nothing_that_is_written_raises(words: list[str], image: str) -> None:
    at = Location("x")
    argv = tuple(Token(word, at, "made at run time" if word == "9" else None) for word in ["sglang", "serve", *words])
    reading = ENGINE.read(Launch(argv=argv, location=at, image=Token(image, at)))
    resolve(reading.observations, reading.rules)


def test_the_server_for_image_models_has_arguments_and_defaults_of_its_own(launch: Callable[..., Launch]) -> None:
    for written in ("--num-gpus 2 --vae-cpu-offload", "--model-type diffusion --warmup-steps 1"):
        reading = ENGINE.read(launch(f"sglang serve --model-path flux {written}"))
        assert reading.problems == ()
        assert "runtime.prefix_caching" not in {one.fact for one in reading.observations}
    assert ENGINE.read(launch("python3 -m sglang.launch_server --model-path flux --num-gpus 2")).problems


@pytest.mark.parametrize(
    ("image", "maker"),
    [
        ("lmsysorg/sglang:v0.5.5-rocm700-mi35x", "amd"),
        ("lmsysorg/sglang:v0.4.9.post2-rocm630-mi30x", "amd"),
        ("rocm/sgl-dev:v0.5.2-rocm700-mi30x", "amd"),
        ("lmsysorg/sglang:v0.5.6-cann8.3.rc1-910b", "huawei"),
        ("lmsysorg/sglang:main-cann8.2.rc1-a3", "huawei"),
        ("registry.example/sglang-npu:v0.5.6", "huawei"),
        ("lmsysorg/sglang:v0.5.9-xpu", "intel"),
        ("registry.example/sglang-gaudi:0.5.1", "habana"),
        ("lmsysorg/sglang:v0.5.5", None),
        ("lmsysorg/sglang:v0.5.5.post3-cu129-amd64", None),
        ("lmsysorg/sglang:v0.5.5-arm64", None),
        ("registry.example/amd-team/sglang:v0.5.5", None),
        ("", None),
    ],
)
def test_a_build_for_one_maker_says_so(launch: Callable[..., Launch], image: str, maker: str | None) -> None:
    found = ENGINE.read(launch(f"sglang serve {MODEL}", image=image)).observations
    stated = [one for one in found if one.fact == "hardware.gpu.vendor"]
    assert [one.value for one in stated] == ([maker] if maker else [])
    assert all((one.origin, one.confidence) == ("derived", "likely") and one.locations for one in stated)
