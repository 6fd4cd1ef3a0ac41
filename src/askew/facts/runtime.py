"""Facts about how the model is executed: the engine, its release and its settings."""

from __future__ import annotations

from typing import cast

import msgspec

from askew.facts import kinds as k
from askew.facts.later import Row, later
from askew.facts.types import Fact, Value

_ARGS = "kubectl -n $NS get pod $POD -o jsonpath='{.spec.containers[*].args}'"
_LOG = "kubectl -n $NS logs $POD | head -50 (engines print their settings at startup)"
_ENV = "kubectl -n $NS exec $POD -- env"
_IMAGE_ID = "kubectl -n $NS get pod $POD -o jsonpath='{.status.containerStatuses[*].imageID}'"

# Methods of vLLM (`--quantization`), SGLang and TGI (`--quantize`); engines add to them with every release.
_method = k.enum(
    *("none", "awq", "awq_marlin", "gptq", "gptq_marlin", "marlin", "fp8", "fbgemm_fp8", "modelopt", "modelopt_fp4"),
    *("compressed-tensors", "bitsandbytes", "bitsandbytes-nf4", "bitsandbytes-fp4", "gguf", "eetq", "exl2", "hqq"),
    *("torchao", "quark", "moe_wna16", "mxfp4", "w8a8_int8", "w8a8_fp8", "qoq", "int8wo", "experts_int8", "tpu_int8"),
    aliases={
        "null": "none",
        "compressed_tensors": "compressed-tensors",
        "awq-marlin": "awq_marlin",
        "gptq-marlin": "gptq_marlin",
        "bitsandbytes_nf4": "bitsandbytes-nf4",
        "bitsandbytes_fp4": "bitsandbytes-fp4",
    },
    open_=True,
    absent="none",
)

# A contract's precision (int4, fp8, awq) → the methods that are it, and those that may be it: their checkpoints decide.
_PRECISIONS: dict[str, tuple[str, str]] = {
    "int8": ("w8a8_int8 int8wo experts_int8 tpu_int8 eetq", "gptq gptq_marlin marlin moe_wna16"),
    "int4": ("awq awq_marlin qoq", "gptq gptq_marlin marlin moe_wna16 exl2"),
    "fp8": ("fbgemm_fp8 w8a8_fp8", "marlin modelopt"),
    "nvfp4": ("modelopt_fp4", ""),
    "mxfp4": ("", ""),
    "awq": ("awq_marlin", "marlin moe_wna16"),
    "gptq": ("gptq_marlin", "marlin moe_wna16"),
}
_ANY_BITS = frozenset(("compressed-tensors", "bitsandbytes", "gguf", "hqq", "torchao", "quark"))


_METHODS = cast(list[Value], _method.schema["examples"])


def _precision_met(declared: Value, target: Value) -> bool | None:
    if declared == target or not isinstance(declared, str) or declared not in _PRECISIONS:
        return _method.same(declared, target)
    surely, maybe = _PRECISIONS[declared]
    if target in surely.split():
        return True
    known = target in _METHODS
    return None if target in maybe.split() or target in _ANY_BITS or not known else False


quantization = msgspec.structs.replace(_method, satisfies=_precision_met)

# `_VLLM_V1` was part of the names of vLLM's backends while two generations of the engine lived side by side.
attention_backend = k.enum(
    *("flash_attn", "flashinfer", "xformers", "triton_attn", "torch_sdpa", "flex_attention", "flashmla", "cutlass_mla"),
    *(
        "triton_mla",
        "flash_attn_mla",
        "rocm_flash",
        "rocm_aiter_fa",
        "tree_attn",
        "triton",
        "fa3",
        "fa4",
        "torch_native",
        "aiter",
    ),
    *("pallas", "ascend", "paged"),
    aliases={
        "flash-attn": "flash_attn",
        "flash_attn_vllm_v1": "flash_attn",
        "flashinfer_vllm_v1": "flashinfer",
        "triton_attn_vllm_v1": "triton_attn",
        "flashmla_vllm_v1": "flashmla",
        "triton_mla_vllm_v1": "triton_mla",
    },
    open_=True,
)

load_format = k.enum(
    *(
        "auto",
        "safetensors",
        "pt",
        "npcache",
        "dummy",
        "tensorizer",
        "sharded_state",
        "gguf",
        "bitsandbytes",
        "mistral",
    ),
    *("runai_streamer", "runai_streamer_sharded", "fastsafetensors", "layered", "remote", "flash_rl"),
    open_=True,
)

# Parameters by the names of the OpenAI API and of vLLM's and SGLang's extensions to it.
sampling = k.mapping(
    k.setting,
    {
        "temperature": k.number,
        "top_p": k.number,
        "top_k": k.number,
        "min_p": k.number,
        "typical_p": k.number,
        "repetition_penalty": k.number,
        "presence_penalty": k.number,
        "frequency_penalty": k.number,
        "max_tokens": k.tokens_or_unlimited,
        "seed": k.integer,
        "do_sample": k.boolean,
    },
)

# Engines measure at each start how much memory is left for the cache: the same settings on the same GPU give sizes that
# are a little apart.
_cache_bytes, _cache_tokens = k.about(k.bytes_, 0.02), k.about(k.tokens, 0.02)

_LATER: tuple[Row, ...] = (
    (
        "engine.backend",
        k.enum("pytorch", "tensorrt", "turbomind", "autodeploy", "vllm", "sglang", "tensorrt-llm", open_=True),
        "medium",
        _LOG,
        ("pytorch", "turbomind"),
        "Which of its implementations an engine computes with, where it has several.",
        "Each has its own kernels, scheduler, defaults and set of features: answers, speed and memory change together.",
    ),
    (
        "kv_cache.key_dtype",
        k.dtype,
        "medium",
        _ARGS,
        ("q8_0",),
        "Dtype of the keys in the KV cache, where keys and values differ.",
        "Keys lose more from quantization than values: attention picks other tokens.",
    ),
    (
        "kv_cache.value_dtype",
        k.dtype,
        "medium",
        _ARGS,
        ("q4_0",),
        "Dtype of the values in the KV cache, where keys and values differ.",
        "Quantized values change what attention returns, more so on long contexts.",
    ),
    (
        "kv_cache.block_size",
        k.tokens,
        "low",
        _LOG,
        (16, 64),
        "Tokens per block of the KV cache.",
        "Larger blocks waste memory on short requests and lower the hit rate of prefix caching.",
    ),
    (
        "kv_cache.bytes",
        _cache_bytes,
        "low",
        _LOG,
        (30064771072,),
        "Bytes of the KV cache per GPU.",
        "Less cache means fewer requests at once and more preemption.",
    ),
    (
        "kv_cache.tokens",
        _cache_tokens,
        "low",
        _LOG,
        (250000,),
        "Tokens that fit in the KV cache.",
        "It bounds concurrency: requests beyond it queue or are preempted.",
    ),
    (
        "max_batch_total_tokens",
        k.tokens,
        "low",
        "curl -s $URL/info",
        (65536,),
        "Token budget of all requests in the running batch.",
        "A smaller budget queues requests that used to run at once.",
    ),
    (
        "expert_parallel",
        k.boolean,
        "medium",
        _ARGS,
        (True, False),
        "Whether experts are distributed over GPUs instead of split.",
        "It changes memory per GPU, communication and balance of mixture-of-experts models.",
    ),
    (
        "cuda_graph.sizes",
        k.list_of(k.count),
        "low",
        _LOG,
        ([1, 2, 4, 8],),
        "Batch sizes for which CUDA graphs are captured.",
        "Batches beyond the largest size run without a graph, and slower.",
    ),
    (
        "compilation",
        k.mapping(k.data),
        "low",
        _ARGS,
        ({"level": 3},),
        "Settings of the compiler.",
        "Compilation changes startup time, speed and, slightly, numerics.",
    ),
    (
        "scheduler",
        k.mapping(),
        "low",
        _ARGS,
        ({"policy": "fcfs"},),
        "Scheduling policy and its switches.",
        "Another policy decides which requests wait: tail latency changes.",
    ),
    (
        "async_scheduling",
        k.boolean,
        "low",
        _ARGS,
        (True, False),
        "Whether scheduling overlaps with execution.",
        "Without the overlap the GPU waits between steps.",
    ),
    (
        "lora.max_adapters",
        k.count,
        "low",
        _ARGS,
        (4,),
        "Adapters that can be active in one batch.",
        "Requests for further adapters wait for a swap.",
    ),
    (
        "role",
        k.enum("both", "prefill", "decode", "encode", "router", open_=True),
        "low",
        _ARGS,
        ("both", "prefill"),
        "Part of the work this process does: prefill, decode or both.",
        "A missing or unbalanced role starves the others.",
    ),
    (
        "structured_output_backend",
        k.enum("auto", "xgrammar", "outlines", "guidance", "lm-format-enforcer", "llguidance", open_=True),
        "low",
        _ARGS,
        ("xgrammar",),
        "Library that constrains output to a grammar.",
        "Backends accept different schemas and differ in speed.",
    ),
    (
        "dynamic_batching",
        k.mapping(),
        "low",
        "curl -s $URL/v2/models/$MODEL/config",
        ({"max_queue_delay_microseconds": 100},),
        "How a classic model server forms batches.",
        "Without batching throughput collapses; with a long delay latency grows.",
    ),
    (
        "instances",
        k.count,
        "low",
        "curl -s $URL/v2/models/$MODEL/config",
        (2,),
        "Copies of the model in one server.",
        "Fewer copies handle fewer requests at once; more need more memory.",
    ),
    (
        "models",
        k.mapping(k.data),
        "low",
        "curl -s $URL/v2/models/$MODEL/config",
        ({"resnet.instances": 2, "resnet.max_batch_size": 8}, {}),
        "Settings of each model of a server that holds several: the model, a dot, the setting.",
        "One model of a server can change while the others and the server stay the same.",
    ),
    (
        "packages",
        k.mapping(k.version),
        "low",
        "kubectl -n $NS exec $POD -- pip freeze",
        ({"torch": "2.6.0", "transformers": "4.51.3"},),
        "Installed libraries and their versions.",
        "Another version of a library loads, tokenizes or computes differently.",
    ),
    (
        "threads",
        k.count,
        "low",
        _ARGS,
        (8,),
        "CPU threads that the engine uses.",
        "More threads than cores of the limit get throttled; fewer leave cores idle.",
    ),
    (
        "warmup",
        k.boolean,
        "low",
        _ARGS,
        (True, False),
        "Whether the engine runs requests before it reports ready.",
        "Without warm-up the first clients wait for compilation and allocation.",
    ),
)

FACTS: tuple[Fact, ...] = (
    Fact(
        key="runtime.engine.name",
        type=k.enum(
            *("vllm", "sglang", "tgi", "llama.cpp", "ollama", "tensorrt-llm", "triton", "lmdeploy", "nim", "ray-serve"),
            *(
                "kserve",
                "tei",
                "infinity",
                "torchserve",
                "tf-serving",
                "mlserver",
                "bentoml",
                "mlflow",
                "litserve",
                "litellm",
            ),
            aliases={
                "llama-cpp": "llama.cpp",
                "llamacpp": "llama.cpp",
                "trtllm": "tensorrt-llm",
                "trt-llm": "tensorrt-llm",
                "tensorrt_llm": "tensorrt-llm",
                "text-generation-inference": "tgi",
                "text-embeddings-inference": "tei",
                "tensorflow-serving": "tf-serving",
                "tfserving": "tf-serving",
                "rayserve": "ray-serve",
            },
            open_=True,
        ),
        brief="The serving engine that runs the model.",
        why="Engines differ in defaults, kernels, sampling and API details: latency and answers change even when "
        "every setting has the same name.",
        severity="high",
        examples=("vllm", "sglang", "tgi"),
        observe_with="kubectl -n $NS get pod $POD -o jsonpath='{.spec.containers[*].image} "
        "{.spec.containers[*].command}'",
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.engine.version",
        type=k.version,
        brief="The release of the serving engine.",
        why="Releases change defaults (chunked prefill, sampling defaults, attention backend), kernels and "
        "numerics; the same flags then do something else.",
        severity="medium",
        examples=("0.8.5", "0.4.6.post1"),
        observe_with="curl -s $URL/version (vLLM), $URL/server_info (SGLang; before: get_server_info), $URL/info (TGI)",
        settled_by="runtime.image.digest",
        playbook="engine-version",
    ),
    Fact(
        key="runtime.image",
        type=k.text,
        brief="The image repository of the engine's container, without tag and digest.",
        why="Another repository is another build: forks and vendor images carry patches, libraries and entrypoints "
        "of their own.",
        severity="low",
        examples=("docker.io/vllm/vllm-openai", "ghcr.io/huggingface/text-generation-inference"),
        observe_with="kubectl -n $NS get pod $POD -o jsonpath='{.spec.containers[*].image}'",
        settled_by="runtime.image.digest",
        playbook="engine-version",
    ),
    Fact(
        key="runtime.image.digest",
        type=k.digest,
        brief="The digest of the engine's image: asked for, or running.",
        why="Two digests are two builds, even under one tag: engine, CUDA libraries and Python packages may all "
        "differ.",
        severity="low",
        examples=("sha256:" + "2c" * 32,),
        observe_with=_IMAGE_ID,
        playbook="engine-version",
    ),
    Fact(
        key="runtime.image.tag",
        type=k.text,
        brief="The tag of the engine's image.",
        why="A tag that moves, such as latest, gives replicas that start on different days different engines.",
        severity="low",
        examples=("v0.8.5", "latest"),
        observe_with="kubectl -n $NS get pod $POD -o jsonpath='{.spec.containers[*].image}'",
        settled_by="runtime.image.digest",
        playbook="engine-version",
    ),
    Fact(
        key="runtime.dtype",
        type=k.dtype,
        brief="The dtype in which the weights are computed with.",
        why="A model trained in bfloat16 can overflow to inf or NaN in float16 and can lose accuracy in fp8; float32 "
        "doubles the memory of the weights and costs throughput.",
        severity="high",
        examples=("bfloat16", "float16", "float32"),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.quantization",
        type=quantization,
        brief="The quantization method in effect.",
        why="Fewer bits can change answers; method and kernel decide speed and memory.",
        severity="high",
        examples=("none", "awq_marlin", "fp8"),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.kv_cache.dtype",
        type=k.dtype,
        brief="The dtype of the KV cache.",
        why="An fp8 cache holds about twice the tokens of a 16-bit one but can lose accuracy, more so without "
        "calibrated scales.",
        severity="medium",
        examples=("bfloat16", "float8_e4m3"),
        observe_with=_LOG,
        follows="runtime.dtype",
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.max_model_len",
        type=k.tokens,
        brief="Longest request: prompt plus output, in tokens.",
        why="Longer requests are refused or cut; a larger value reserves more cache per request, so fewer run at "
        "once, or the engine fails to start.",
        severity="high",
        examples=(8192, 32768),
        observe_with="curl -s $URL/v1/models, field data[].max_model_len",
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.max_num_seqs",
        type=k.count,
        brief="Most requests in the running batch of one engine rank.",
        why="A lower value queues requests that used to run at once; a higher one trades latency per token and "
        "memory for throughput.",
        severity="low",
        examples=(256, 64),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.max_num_batched_tokens",
        type=k.tokens,
        brief="Most tokens processed in one scheduler step.",
        why="It sets the balance of time to first token and time between tokens under load, and the memory for "
        "activations.",
        severity="low",
        examples=(2048, 8192),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.gpu_memory_utilization",
        type=k.ratio,
        brief="Fraction of the GPU's memory that the engine may take.",
        why="Less leaves less KV cache, so fewer requests at once and more preemption; more risks running out of "
        "memory.",
        severity="low",
        examples=(0.9, 0.95),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.tensor_parallel_size",
        type=k.count,
        brief="Number of GPUs over which each layer is split.",
        why="It changes memory per GPU, latency, the interconnect that is needed and the order of float additions; "
        "a mismatch with the GPUs of the pod fails at startup or leaves GPUs idle.",
        severity="high",
        examples=(1, 2, 8),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.pipeline_parallel_size",
        type=k.count,
        brief="Number of stages over which the layers are distributed.",
        why="More stages add latency to each token and need more nodes or GPUs; the wrong number does not start.",
        severity="high",
        examples=(1, 2),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.data_parallel_size",
        type=k.count,
        brief="Number of copies of the model inside one deployment of the engine.",
        why="Each copy batches for itself: throughput, cache hits and GPU need change with it.",
        severity="medium",
        examples=(1, 4),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.chunked_prefill",
        type=k.boolean,
        brief="Whether long prompts are processed in chunks between decode steps.",
        why="Without it one long prompt stalls the tokens of all running requests; with it time to first token "
        "grows a little.",
        severity="low",
        examples=(True, False),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.prefix_caching",
        type=k.boolean,
        brief="Whether the cache of shared prompt prefixes is reused.",
        why="Without it shared system prompts and chat histories are computed again for every request: time to "
        "first token and cost rise.",
        severity="low",
        examples=(True, False),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.enforce_eager",
        type=k.boolean,
        brief="Whether CUDA graphs are switched off.",
        why="Eager execution pays a launch cost for every kernel: small batches decode more slowly.",
        severity="low",
        examples=(False, True),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.attention_backend",
        type=attention_backend,
        brief="The implementation of attention in use.",
        why="Backends differ in speed, in supported cache dtypes and window sizes, and slightly in numerics.",
        severity="low",
        examples=("flash_attn", "flashinfer"),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.speculative",
        type=k.mapping(k.setting, {"method": k.text, "model": k.text, "num_speculative_tokens": k.count}, record=True),
        brief="Speculative decoding: method, draft model, tokens guessed per step.",
        why="A missing or unfit draft model loses the speedup and, at high load, slows the batch down.",
        severity="low",
        examples=({"method": "eagle3", "model": "org/draft", "num_speculative_tokens": 4}, {}),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.cpu_offload.bytes",
        type=k.bytes_,
        brief="Bytes of weights per GPU that are kept in host memory.",
        why="Offloaded weights cross PCIe in every step: each token takes longer.",
        severity="low",
        examples=(0, 10737418240),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.swap.bytes",
        type=k.bytes_,
        brief="Bytes of host memory per GPU for preempted requests' cache.",
        why="With less, preempted requests are computed again; with more, the pod's memory limit may be hit.",
        severity="low",
        examples=(4294967296, 0),
        observe_with=_LOG,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.generation_config",
        type=k.enum(
            "auto", "engine", aliases={"vllm": "engine", "openai": "engine", "model": "auto"}, open_=True, lower=False
        ),
        brief="Where sampling defaults come from: the model's generation_config (auto), the engine, or a path.",
        why="Requests that name no temperature are sampled with the author's values in one case and with 1.0 in the "
        "other: answers become more or less random without any client change.",
        severity="medium",
        examples=("auto", "engine", "/config/generation"),
        observe_with=_LOG,
        playbook="sampling",
    ),
    Fact(
        key="runtime.sampling_defaults",
        type=sampling,
        brief="Sampling parameters that a request gets when it sends none.",
        why="Another default temperature, top-p or penalty changes every answer of clients that rely on it, silently.",
        severity="high",
        examples=({"temperature": 0.7, "top_p": 0.8}, {"repetition_penalty": 1.05}),
        observe_with=f"{_ARGS}; cat $MODEL_DIR/generation_config.json",
        playbook="sampling",
    ),
    Fact(
        key="runtime.reasoning_parser",
        type=k.text,
        brief="The parser that separates reasoning from the answer.",
        why="Without the right one, reasoning appears in the answer, or the answer is empty.",
        severity="low",
        examples=("deepseek_r1", "qwen3"),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.tool_call_parser",
        type=k.text,
        brief="The parser that turns the model's text into tool calls.",
        why="Without the right one, tool calls arrive as plain text and agents stop working.",
        severity="low",
        examples=("hermes", "llama3_json"),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.lora.enabled",
        type=k.boolean,
        brief="Whether the engine serves LoRA adapters.",
        why="Requests for an adapter fail when it is off; when on, it costs memory and some speed.",
        severity="low",
        examples=(True, False),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.lora.max_rank",
        type=k.count,
        brief="Highest rank of an adapter that can be loaded.",
        why="An adapter of a higher rank is refused at load time.",
        severity="low",
        examples=(16, 64),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.rope_override",
        type=k.mapping(record=True),
        brief="Rotary position scaling given to the engine instead of the checkpoint's own.",
        why="Another scaling moves every position: quality can fall without an error, also on short prompts with "
        "static YaRN.",
        severity="medium",
        examples=({"factor": 4, "original_max_position_embeddings": 32768, "rope_type": "yarn"}, {}),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.hf_overrides",
        type=k.mapping(k.data),
        brief="Fields of the model's configuration that the launch overrides.",
        why="An override can change context length, architecture or any other field while the model files look the "
        "same.",
        severity="low",
        examples=({"architectures": ["Qwen2ForSequenceClassification"]}, {}),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.seed",
        type=k.integer,
        brief="Seed of the engine's random numbers; none when it is drawn anew.",
        why="Sampled answers are reproducible only with the same seed, and rarely even then.",
        severity="info",
        examples=(0, 42),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.load_format",
        type=load_format,
        brief="How the weights are loaded.",
        why="dummy serves random weights; other formats change startup time and which files are read.",
        severity="low",
        examples=("auto", "safetensors"),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.max_input_tokens",
        type=k.tokens_or_unlimited,
        brief="Explicit cap on the tokens of a prompt.",
        why="Longer prompts are refused, or silently cut where truncation is on.",
        severity="medium",
        examples=(4096, 16384),
        observe_with="curl -s $URL/info (TGI)",
        follows="runtime.max_model_len",
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.max_output_tokens",
        type=k.tokens_or_unlimited,
        brief="Explicit cap on the tokens of an answer.",
        why="Answers end in the middle with finish_reason length, or without a cap one request may run for minutes.",
        severity="medium",
        examples=(2048, "unlimited"),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.default_output_tokens",
        type=k.tokens_or_unlimited,
        brief="Tokens of output that a request gets when it names no limit.",
        why="Clients that send no max_tokens get cut answers (16 or 100 tokens), or ones that run to the context's "
        "end.",
        severity="medium",
        examples=(100, "unlimited"),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.max_concurrent_requests",
        type=k.count_or_unlimited,
        brief="Requests the engine admits before it queues or refuses more.",
        why="A lower limit answers 429 under load that used to be served; without one, queues grow until clients "
        "time out.",
        severity="low",
        examples=(128, "unlimited"),
        observe_with="curl -s $URL/info (TGI)",
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.arguments.unmapped",
        type=k.mapping(k.verbatim),
        brief="Arguments that no table of the engine knows, as text.",
        why="What they do is not known here: a change may alter anything the engine does.",
        severity="low",
        examples=({"--new-option": "on"}, {}),
        observe_with=_ARGS,
        playbook="runtime-config",
    ),
    Fact(
        key="runtime.env",
        type=k.mapping(k.verbatim),
        brief="Environment variables that influence the engine and that no other fact expresses.",
        why="Variables switch backends, communication paths, caches and experimental features; they are easy to "
        "lose in a copy.",
        severity="low",
        examples=({"NCCL_P2P_DISABLE": "1", "VLLM_USE_V1": "0"}, {}),
        observe_with=_ENV,
        playbook="runtime-config",
    ),
    *later("runtime", _LATER, "runtime-config"),
)
