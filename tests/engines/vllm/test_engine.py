"""Launches of vLLM as people write them, and what they mean."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.engines.interface import Reading
from askew.engines.vllm.engine import ENGINE
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

HERE = Location("deploy.yaml", path="spec.args", line=12, column=5)
CURRENT = "vllm/vllm-openai:v0.33.0"


def read(
    command: str | list[str],
    image: str | None = CURRENT,
    *,
    implicit: bool = False,
    env: dict[str, str | None] | None = None,
    files: dict[str, str] | None = None,
    hidden: str = "",
) -> Reading:
    texts = shlex.split(command) if isinstance(command, str) else command
    tokens = [Token(text, HERE, unknown="expanded at run time" if text == hidden else None) for text in texts]
    return ENGINE.read(
        Launch(
            argv=tuple(tokens),
            location=HERE,
            image=Token(image, Location("deploy.yaml", line=3)) if image else None,
            implicit_entrypoint=implicit,
            env={
                name: Variable(name, value, HERE, unknown=None if value is not None else "value from Secret")
                for name, value in (env or {}).items()
            },
            files={path: Content(text, Location("config.yaml", line=1)) for path, text in (files or {}).items()},
        )
    )


def facts(reading: Reading) -> dict[str, Resolved]:
    return resolve(reading.observations, reading.rules)


def value(reading: Reading, fact: str) -> Value:
    resolved = facts(reading)[fact]
    assert resolved.state != "unknown", resolved.reason
    return resolved.value


def written(resolved: Resolved) -> dict[str, Value]:
    """The entries of a map that are no defaults."""
    return {key: entry.value for key, entry in resolved.entries.items() if entry.origin != "engine-default"}


def stated(reading: Reading, fact: str) -> list[Value | Unknown]:
    return [one.value for one in reading.observations if one.fact == fact and one.origin == "explicit"]


@pytest.mark.parametrize(
    ("command", "implicit"),
    [
        ("vllm serve org/m --seed 7", False),
        ("/opt/venv/bin/vllm serve org/m --seed 7", False),
        ("vllm serve --seed 7 --model org/m", False),
        ("vllm serve --model=org/m --seed=7", False),
        ("python3 -m vllm.entrypoints.openai.api_server --model org/m --seed 7", False),
        ("/usr/bin/python3.12 -u -m vllm.entrypoints.api_server --model org/m --seed 7", False),
        ("python -m vllm.entrypoints.cli.main serve org/m --seed 7", False),
        ("python3 /app/vllm/entrypoints/openai/api_server.py --model org/m --seed 7", False),
        ("--model org/m --seed 7", True),
        ("org/m --seed 7", True),
        ("serve org/m --seed 7", True),
        ("vllm serve org/m --seed 7", True),
    ],
)
def test_launch_forms(command: str, implicit: bool) -> None:
    reading = read(command, implicit=implicit)
    assert value(reading, "model.id") == "org/m"
    assert value(reading, "model.source") == "hf://org/m"
    assert value(reading, "runtime.seed") == 7
    assert not reading.problems
    assert not reading.unmapped


@pytest.mark.parametrize(
    ("arguments", "fact", "expected"),
    [
        ("--dtype half", "runtime.dtype", "float16"),
        ("--dtype=bfloat16", "runtime.dtype", "bfloat16"),
        ("--max-model-len 32k", "runtime.max_model_len", 32000),
        ("--max_model_len 32K", "runtime.max_model_len", 32768),
        ("--max-model-len=8192", "runtime.max_model_len", 8192),
        ("--max-num-batched-tokens 8k", "runtime.max_num_batched_tokens", 8000),
        ("--gpu-memory-util=0.9", "runtime.gpu_memory_utilization", 0.9),
        ("-tp=8", "runtime.tensor_parallel_size", 8),
        ("-pp 2", "runtime.pipeline_parallel_size", 2),
        ("-dp 4", "runtime.data_parallel_size", 4),
        ("-tp 2 -tp 4", "runtime.tensor_parallel_size", 4),
        ("-q awq", "runtime.quantization", "awq"),
        ("--kv-cache-dtype fp8", "runtime.kv_cache.dtype", "float8_e4m3"),
        ("--enforce-eager", "runtime.enforce_eager", True),
        ("--no-enforce-eager", "runtime.enforce_eager", False),
        ("--no-enable-prefix-caching", "runtime.prefix_caching", False),
        ("--disable-chunked-prefill", "runtime.chunked_prefill", False),
        ("--cpu-offload-gb 10", "runtime.cpu_offload.bytes", 10 * 2**30),
        ("--served-model-name b a", "model.served_names", ["a", "b"]),
        ("--generation-config vllm", "runtime.generation_config", "engine"),
        ("--reasoning-parser none", "runtime.reasoning_parser", None),
        ("--max-num-queued-reqs 64", "runtime.max_concurrent_requests", 64),
        ("--scheduling-policy priority", "runtime.scheduler", {"policy": "priority"}),
        ("--attention-config.backend FLASHINFER", "runtime.attention_backend", "flashinfer"),
        ("-O3", "runtime.compilation", {"optimization_level": 3}),
        ("--compilation-config '{\"mode\": 3}'", "runtime.compilation", {"mode": 3}),
        ("-cc.mode=3", "runtime.compilation", {"mode": 3}),
        ("--ssl-certfile /tls/cert.pem", "serving.protocol", "https"),
        ("--port=80", "serving.port", 80),
        ("--host 127.0.0.1", "serving.listen_host", "127.0.0.1"),
        ("--cudagraph-capture-sizes 1 2 4", "runtime.cuda_graph.sizes", [1, 2, 4]),
        ('--kv-transfer-config \'{"kv_connector":"X","kv_role":"kv_producer"}\'', "runtime.role", "prefill"),
        (
            '--speculative-config \'{"method":"ngram","num_speculative_tokens":4}\'',
            "runtime.speculative",
            {"method": "ngram", "num_speculative_tokens": 4},
        ),
        ("--spec-method mtp --spec-tokens 3", "runtime.speculative", {"method": "mtp", "num_speculative_tokens": 3}),
        (
            '--hf-overrides \'{"rope_scaling":{"type":"yarn","factor":4},"architectures":["X"]}\'',
            "runtime.rope_override",
            {"factor": 4, "rope_type": "yarn"},
        ),
        (
            '--hf-overrides \'{"rope_scaling":{"factor":4},"architectures":["X"]}\'',
            "runtime.hf_overrides",
            {"architectures": ["X"]},
        ),
        ("--lora-modules a=/l/a b=org/b", "model.lora_adapters",
         [{"name": "a", "source": "/l/a"}, {"name": "b", "source": "hf://org/b"}]),
        ('--lora-modules \'{"name":"a","path":"/l/a","base_model_name":"m"}\'', "model.lora_adapters",
         [{"base_model": "m", "name": "a", "source": "/l/a"}]),
    ],
)  # fmt: skip
def test_arguments_become_facts(arguments: str, fact: str, expected: Value) -> None:
    reading = read(f"vllm serve org/m {arguments}")
    assert value(reading, fact) == expected
    assert not reading.problems
    assert not reading.unmapped


def test_sampling_overrides_and_the_cap_on_answers() -> None:
    reading = read(
        ["vllm", "serve", "m", "--override-generation-config", '{"temperature": 0.2, "max_new_tokens": 512}']
    )
    assert stated(reading, "runtime.max_output_tokens") == [512]
    assert facts(reading)["runtime.sampling_defaults"].value == {"temperature": 0.2}


def test_auto_says_no_more_than_silence() -> None:
    reading = read("vllm serve m --dtype half --dtype auto --kv-cache-dtype auto --quantization None")
    assert not stated(reading, "runtime.dtype")
    assert not stated(reading, "runtime.kv_cache.dtype")
    assert not stated(reading, "runtime.quantization")


@pytest.mark.parametrize("spelling", ["-1", "auto"])
def test_the_longest_context_that_fits_is_unknown(spelling: str) -> None:
    resolved = facts(read(f"vllm serve m --max-model-len {spelling}"))["runtime.max_model_len"]
    assert resolved.state == "unknown"
    assert "fits in GPU memory" in resolved.reason


def test_an_invalid_value_is_a_problem_and_leaves_the_fact_unknown() -> None:
    reading = read("vllm serve m --max-model-len banana")
    (problem,) = reading.problems
    assert (problem.kind, problem.argument, problem.value) == ("invalid-value", "--max-model-len", "banana")
    assert problem.locations == (HERE,)
    assert facts(reading)["runtime.max_model_len"].state == "unknown"


@pytest.mark.parametrize(
    ("arguments", "kind", "suggestion"),
    [
        ("--gpu-memory-utilisation 0.9", "unknown-argument", "--gpu-memory-utilization"),
        ("--swap-space 4", "removed-argument", ""),
        ("--speculative-model org/draft", "removed-argument", "--speculative-config.model"),
        ("--enable-prefix-caching=False", "invalid-value", "--no-enable-prefix-caching"),
        ("--enable-prefix-caching True", "malformed", ""),
        ("--max-model-len 1e5", "invalid-value", ""),
        ("--max-model-len 1.5K", "invalid-value", ""),
        ("--max-num-seqs 1k", "invalid-value", ""),
        ("--hf-overrides {broken", "invalid-value", ""),
        ("--gpu-memory-utilization 90", "invalid-value", ""),
        ("--lora-modules justaname", "invalid-value", ""),
        ("'--max-model-len 4096'", "malformed", "--max-model-len=4096"),
        ("--config=/etc/vllm.yaml", "ignored-argument", "--config /etc/vllm.yaml"),
    ],
)
def test_what_vllm_refuses(arguments: str, kind: str, suggestion: str) -> None:
    (problem,) = read(f"vllm serve m {arguments}").problems
    assert (problem.kind, problem.suggestion) == (kind, suggestion)


def test_old_releases_accept_their_own_arguments() -> None:
    reading = read(
        "--model m --swap-space 8 --speculative-model [ngram] --enable-chunked-prefill=False --rope-scaling "
        '\'{"type":"dynamic","factor":2}\' --disable-log-requests --worker-use-ray',
        "vllm/vllm-openai:v0.6.3.post1",
        implicit=True,
    )
    assert not reading.problems
    assert value(reading, "runtime.swap.bytes") == 8 * 2**30
    assert value(reading, "runtime.speculative") == {"method": "ngram"}
    assert value(reading, "runtime.chunked_prefill") is False
    assert value(reading, "runtime.rope_override") == {"factor": 2, "rope_type": "dynamic"}


def test_a_cache_layout_that_is_no_dtype_is_no_error() -> None:
    reading = read("vllm serve m --kv-cache-dtype turboquant_k8v4")
    assert not reading.problems
    assert facts(reading)["runtime.kv_cache.dtype"].state == "unknown"


def test_options_without_a_fact_are_compared_as_text_in_one_spelling() -> None:
    plain = facts(read(["vllm", "serve", "m", "--limit-mm-per-prompt", '{"video": 1, "image": 4}']))
    dotted = facts(read("vllm serve m --limit-mm-per-prompt.image=4 --limit-mm-per-prompt.video 1"))
    key = "runtime.arguments.unmapped"
    assert written(plain[key]) == written(dotted[key]) == {"--limit-mm-per-prompt": '{"image":4,"video":1}'}
    assert written(facts(read("vllm serve m --all2all-backend allgather_reducescatter --no-enable-eplb"))[key]) == {}


def test_a_key_is_never_kept() -> None:
    reading = read("vllm serve m --api-key redacted:0123456789abcdef")
    assert value(reading, "serving.api_key_required") is True
    assert stated(reading, "serving.secrets_in_arguments") == [["--api-key"]]
    assert "0123456789abcdef" not in repr(reading)


def test_a_key_from_a_secret_is_required_though_unseen() -> None:
    assert value(read("vllm serve m", env={"VLLM_API_KEY": None}), "serving.api_key_required") is True
    assert value(read("vllm serve m"), "serving.api_key_required") is False


def test_environment() -> None:
    reading = read(
        "vllm serve m",
        "vllm/vllm-openai:v0.8.5",
        env={
            "VLLM_ATTENTION_BACKEND": "FLASHINFER",
            "VLLM_USE_V1": "0",
            "NCCL_P2P_DISABLE": "1",
            "VLLM_LOGGING_LEVEL": "DEBUG",
            "HF_TOKEN": "redacted:0123456789abcdef",
            "HF_HOME": "/data",
            "PATH": "/bin",
        },
    )
    found = facts(reading)
    assert written(found["runtime.env"]) == {"NCCL_P2P_DISABLE": "1", "VLLM_USE_V1": "0"}
    assert (found["runtime.attention_backend"].value, found["runtime.attention_backend"].origin) == (
        "flashinfer",
        "env",
    )


def test_variables_that_the_release_does_not_read() -> None:
    reading = read(
        "vllm serve m", env={"VLLM_ATTENTION_BACKEND": "X", "VLLM_USE_DEEPGEMM": "1", "VLLM_EXTRA": "--seed 1"}
    )
    assert [(p.kind, p.argument, p.suggestion) for p in reading.problems] == [
        ("removed-argument", "VLLM_ATTENTION_BACKEND", "--attention-backend"),
        ("unknown-argument", "VLLM_USE_DEEPGEMM", "VLLM_USE_DEEP_GEMM"),
    ]


def test_config_file_gives_way_to_the_command_line() -> None:
    text = (
        "model: org/m\ntensor-parallel-size: 4\nmax_model_len: 4096\n"
        "enable-prefix-caching: false\nserved-model-name: [a, b]\n"
    )
    reading = read("vllm serve --config /etc/vllm.yaml -tp 2", files={"/etc/vllm.yaml": text})
    found = facts(reading)
    assert not reading.problems
    assert (found["model.id"].value, found["model.id"].origin) == ("org/m", "config-file")
    assert found["runtime.tensor_parallel_size"].value == 2
    assert [s.value for s in found["runtime.tensor_parallel_size"].shadowed][:1] == [4]
    assert found["runtime.max_model_len"].locations[0].line == 3
    assert found["runtime.prefix_caching"].value is False
    assert found["model.served_names"].value == ["a", "b"]


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        ({}, 0),
        ({"/c.yaml": "a: [1"}, 1),
        ({"/c.yaml": "- a\n"}, 1),
        ({"/c.yaml": "a: !!python/object:os.system x"}, 1),
        ({"/c.yaml": "a: &a [*a]"}, 1),
        (
            {
                "/c.yaml": "a: &a [x, x, x, x]\n"
                + "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else '*a'] * 9)}]\n" for i in range(9))
            },
            1,
        ),
        ({"/c.yaml": "[" * 5000}, 1),
    ],
)
def test_a_config_file_that_cannot_be_read(files: dict[str, str], problems: int) -> None:
    reading = read("vllm serve m --config /c.yaml", files=files)
    assert [one.kind for one in reading.problems] == ["unreadable"] * problems
    assert all(one.locations[0].source == "config.yaml" and one.suggestion for one in reading.problems)
    assert facts(reading)["runtime.arguments.unmapped"].entries["--config"].state == "unknown"


def test_a_config_file_that_cannot_be_read_says_where() -> None:
    (problem,) = read("vllm serve m --config /c.yaml", files={"/c.yaml": "port: 8000\ndtype: [a\nseed: 1\n"}).problems
    assert (problem.locations[0].line, problem.locations[0].column) == (3, 5)
    assert "expected ',' or ']'" in problem.message


def test_revisions() -> None:
    assert facts(read("vllm serve org/m"))["model.revision"].state == "unknown"
    assert facts(read("vllm serve org/m --revision main"))["model.revision"].state == "unknown"
    assert value(read("vllm serve org/m --revision v1.2"), "model.revision") == "v1.2"
    assert value(read("vllm serve org/m --revision v1.2"), "model.tokenizer.revision") == "v1.2"
    assert facts(read("vllm serve /models/m"))["model.revision"].state == "absent"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("org/m", "hf://org/m"),
        ("gpt2", "hf://gpt2"),
        ("org/m-GGUF:Q4_K_M", "hf://org/m-GGUF:Q4_K_M"),
        ("/mnt/models", "/mnt/models"),
        ("./m", "./m"),
        ("s3://bucket/m", "s3://bucket/m"),
    ],
)
def test_sources(model: str, expected: str) -> None:
    assert value(read(["vllm", "serve", model]), "model.source") == expected


def test_the_names_default_to_the_model() -> None:
    assert value(read("vllm serve org/m"), "model.served_names") == ["org/m"]
    assert value(read("vllm serve org/m"), "model.tokenizer.source") == "org/m"


def test_text_that_is_not_final_casts_doubt_on_defaults() -> None:
    reading = read("vllm serve m --seed 1 $EXTRA", hidden="$EXTRA")
    found = facts(reading)
    assert found["runtime.seed"].confidence == "certain"
    assert found["runtime.enforce_eager"].confidence == "possible"
    assert found["runtime.arguments.unmapped"].entries["$EXTRA"].state == "unknown"
    assert reading.unmapped == ()


def test_a_value_that_is_not_final_keeps_its_text() -> None:
    reading = read("vllm serve m --max-model-len $LEN", hidden="$LEN")
    resolved = facts(reading)["runtime.max_model_len"]
    assert (resolved.state, resolved.reason, resolved.text) == ("unknown", "expanded at run time", "$LEN")


def test_a_value_taken_for_a_secret_is_no_error() -> None:
    reading = read("vllm serve m --max-num-batched-token=redacted:0123456789abcdef")
    assert not reading.problems
    assert facts(reading)["runtime.max_num_batched_tokens"].state == "unknown"


def test_two_models_are_reported() -> None:
    reading = read("vllm serve org/a --model org/b")
    assert value(reading, "model.id") == "org/a"
    assert [p.kind for p in reading.problems] == ["ignored-argument"]


HOSTILE = st.lists(
    st.sampled_from(
        [
            "--hf-overrides",
            "--lora-modules",
            "--speculative-config.a.b",
            "--max-model-len",
            "--limit-mm-per-prompt",
            "-O",
            "-O3",
        ]
    )
    | st.text(alphabet=st.characters(), max_size=8)
    | st.sampled_from(
        ["[" * 9000, "{" * 9000, "9" * 5000, "1e999", "nan", "\ud800", "--speculative-config" + ".a" * 9000 + "=1"]
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(HOSTILE)
def test_nothing_that_is_written_makes_it_raise(texts: list[str]) -> None:
    facts(read(["vllm", "serve", "m", *texts]))


def test_flag_for() -> None:
    assert ENGINE.flag_for("runtime.max_model_len", "0.33.0") == "--max-model-len"
    assert ENGINE.flag_for("runtime.swap.bytes", "0.33.0") is None
    assert ENGINE.flag_for("runtime.swap.bytes", "0.8.5") == "--swap-space"
    assert ENGINE.flag_for("runtime.max_input_tokens", None) is None


def test_unsupported_facts_are_never_stated() -> None:
    reading = read("vllm serve m")
    assert not ENGINE.unsupported.keys() & {one.fact for one in reading.observations}
