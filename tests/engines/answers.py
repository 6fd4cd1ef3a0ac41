"""What each engine answers when it is asked, in the shape of the real thing with invented values, and what that states.

A value is the JSON of an answer, a text, or the status of a refusal. Facts are ``fact`` or ``fact[key]``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.facts.types import Value


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An engine, its answers by ``Ask.name``, facts that they state, and facts of which they say that nobody knows."""

    engine: str
    answers: Mapping[str, object]
    facts: Mapping[str, Value]
    unknown: tuple[str, ...] = ()


def cards(owner: str, *names: str, **more: object) -> list[dict[str, object]]:
    """Models as OpenAI lists them."""
    return [{"id": name, "object": "model", "created": 1, "owned_by": owner, **more} for name in names]


def models(owner: str, *names: str, **more: object) -> dict[str, object]:
    """OpenAI's list of models."""
    return {"object": "list", "data": cards(owner, *names, **more)}


VLLM_CONFIG = {
    "model_config": {
        "model": "acme/chat-7b", "tokenizer": "acme/chat-7b", "tokenizer_mode": "auto", "trust_remote_code": True,
        "dtype": "torch.float16", "seed": 7, "revision": None, "max_model_len": 16384, "quantization": "fp8",
        "enforce_eager": True, "hf_token": None, "generation_config": "vllm",
        "override_generation_config": {"temperature": 0.2}, "hf_overrides": {},
    },
    "cache_config": {
        "block_size": 32, "gpu_memory_utilization": 0.85, "cache_dtype": "fp8", "enable_prefix_caching": False,
        "kv_cache_size_tokens": 123456,
    },
    "scheduler_config": {
        "max_num_batched_tokens": 4096, "max_num_seqs": 64, "enable_chunked_prefill": True, "policy": "priority",
        "async_scheduling": True,
    },
    "parallel_config": {
        "tensor_parallel_size": 4, "pipeline_parallel_size": 2, "data_parallel_size": 1, "enable_expert_parallel": True,
    },
    "lora_config": {"max_lora_rank": 32, "max_loras": 3},
    "speculative_config": {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3},
    "structured_outputs_config": {"backend": "xgrammar", "reasoning_parser": "deepseek_r1"},
    "attention_config": {"backend": "AttentionBackendEnum.FLASH_ATTN"},
    "offload_config": {"uva": {"cpu_offload_gb": 1.5}},
    "load_config": {"load_format": "safetensors"},
    "compilation_config": {"cudagraph_mode": 0},
}  # fmt: skip
VLLM_TEXT = (
    "model='acme/chat-7b', speculative_config=None, tokenizer='acme/chat-7b', revision=None, dtype=torch.bfloat16, "
    "max_seq_len=8192, load_format=auto, tensor_parallel_size=2, quantization=awq, enforce_eager=False, "
    "kv_cache_dtype=auto, structured_outputs_config=StructuredOutputsConfig(backend='auto', reasoning_parser=''), "
    "seed=0, enable_prefix_caching=True, enable_chunked_prefill=True, compilation_config={'cudagraph_mode': "
    "<CUDAGraphMode.NONE: 0>, 'sizes': [1, 2]}, pooler_config=None"
)

CASES: tuple[Case, ...] = (
    Case(
        engine="vllm",
        answers={
            "/v1/models": {
                "object": "list",
                "data": [
                    *cards("vllm", "chat", "chat-alias", root="acme/chat-7b", parent=None, max_model_len=16384),
                    {"id": "tone", "owned_by": "vllm", "root": "/adapters/tone", "parent": "chat"},
                ],
            },
            "/version": {"version": "0.31.0"},
            "/server_info?config_format=json": {
                "vllm_config": VLLM_CONFIG,
                "system_env": {
                    "nvidia_driver_version": "570.86.15", "pip_packages": "numpy==2.3.5\ntorch==2.13.0",
                    "nvidia_gpu_models": "GPU 0: NVIDIA H100 80GB HBM3\nGPU 1: NVIDIA H100 80GB HBM3",
                },
            },
        },
        facts={
            "runtime.engine.name": "vllm",
            "runtime.engine.version": "0.31.0",
            "model.id": "acme/chat-7b",
            "model.source": "hf://acme/chat-7b",
            "model.served_names": ["chat", "chat-alias"],
            "model.lora_adapters": [{"name": "tone", "source": "/adapters/tone"}],
            "model.trust_remote_code": True,
            "runtime.dtype": "float16",
            "runtime.quantization": "fp8",
            "runtime.max_model_len": 16384,
            "runtime.kv_cache.dtype": "float8_e4m3",
            "runtime.kv_cache.block_size": 32,
            "runtime.kv_cache.tokens": 123456,
            "runtime.gpu_memory_utilization": 0.85,
            "runtime.prefix_caching": False,
            "runtime.chunked_prefill": True,
            "runtime.max_num_seqs": 64,
            "runtime.max_num_batched_tokens": 4096,
            "runtime.tensor_parallel_size": 4,
            "runtime.pipeline_parallel_size": 2,
            "runtime.expert_parallel": True,
            "runtime.enforce_eager": True,
            "runtime.async_scheduling": True,
            "runtime.scheduler[policy]": "priority",
            "runtime.lora.enabled": True,
            "runtime.lora.max_rank": 32,
            "runtime.lora.max_adapters": 3,
            "runtime.speculative[method]": "ngram",
            "runtime.speculative[num_speculative_tokens]": 4,
            "runtime.structured_output_backend": "xgrammar",
            "runtime.reasoning_parser": "deepseek_r1",
            "runtime.attention_backend": "flash_attn",
            "runtime.cpu_offload.bytes": 1610612736,
            "runtime.generation_config": "engine",
            "runtime.sampling_defaults[temperature]": 0.2,
            "runtime.seed": 7,
            "runtime.load_format": "safetensors",
            "runtime.packages[torch]": "2.13.0",
            "hardware.driver.version": "570.86.15",
            "hardware.gpu.model": ["h100-80gb-sxm"],
        },
    ),
    Case(
        engine="vllm",
        answers={
            "/v1/models": models("vllm", "acme/chat-7b", root="acme/chat-7b", parent=None, max_model_len=8192),
            "/version": {"version": "0.8.5"},
            "/server_info?config_format=json": {"vllm_config": VLLM_TEXT},
        },
        facts={
            "runtime.dtype": "bfloat16",
            "runtime.quantization": "awq",
            "runtime.tensor_parallel_size": 2,
            "runtime.prefix_caching": True,
            "runtime.enforce_eager": False,
            "runtime.max_model_len": 8192,
            "runtime.reasoning_parser": None,
            "runtime.structured_output_backend": "auto",
        },
        unknown=("runtime.kv_cache.dtype",),
    ),
    Case(
        engine="sglang",
        answers={
            "/v1/models": models("sglang", "chat", root="chat", max_model_len=32768),
            "/server_info": {
                "version": "0.5.23", "model_path": "acme/chat-7b", "tokenizer_path": "acme/chat-7b", "dtype": "auto",
                "quantization": "fp8", "kv_cache_dtype": "auto", "mem_fraction_static": 0.83,
                "max_running_requests": 48,
                "max_total_tokens": None, "max_total_num_tokens": 345678, "chunked_prefill_size": -1, "tp_size": 8,
                "dp_size": 1, "ep_size": 8, "page_size": 1, "disable_radix_cache": True, "disable_cuda_graph": False,
                "schedule_policy": "lpm", "attention_backend": "fa3", "random_seed": 12345, "api_key": None,
                "reasoning_parser": None, "tool_call_parser": "qwen25", "speculative_algorithm": None,
                "speculative_accept_threshold_acc": 1.0, "enable_lora": None, "lora_paths": None,
                "disaggregation_mode": "prefill", "trust_remote_code": False,
                "launch_command": "--model-path acme/chat-7b --tp-size 8 --triton-attention-num-kv-splits 16",
            },
        },
        facts={
            "runtime.engine.version": "0.5.23",
            "model.id": "acme/chat-7b",
            "model.served_names": ["chat"],
            "runtime.max_model_len": 32768,
            "runtime.quantization": "fp8",
            "runtime.gpu_memory_utilization": 0.83,
            "runtime.max_num_seqs": 48,
            "runtime.kv_cache.tokens": 345678,
            "runtime.chunked_prefill": False,
            "runtime.tensor_parallel_size": 8,
            "runtime.expert_parallel": True,
            "runtime.prefix_caching": False,
            "runtime.enforce_eager": False,
            "runtime.scheduler[policy]": "lpm",
            "runtime.attention_backend": "fa3",
            "runtime.tool_call_parser": "qwen25",
            "runtime.reasoning_parser": None,
            "runtime.lora.enabled": False,
            "runtime.role": "prefill",
            "serving.api_key_required": False,
            "runtime.arguments.unmapped[--triton-attention-num-kv-splits]": "16",
        },
        unknown=("runtime.dtype", "runtime.kv_cache.dtype", "runtime.seed"),
    ),
    Case(  # a release before the path was renamed, and before the command was told
        engine="sglang",
        answers={
            "/v1/models": models("sglang", "chat", root="chat"),
            "/get_server_info": {
                "version": "0.4.6", "model_path": "/models/chat", "mem_fraction_static": 0.9, "tp_size": 2,
            },
        },
        facts={"runtime.engine.version": "0.4.6", "runtime.tensor_parallel_size": 2, "model.source": "/models/chat"},
        unknown=("runtime.arguments.unmapped",),
    ),
    Case(
        engine="tgi",
        answers={
            "/info": {
                "model_id": "acme/chat-7b", "model_sha": "0" * 40, "model_pipeline_tag": "text-generation",
                "max_concurrent_requests": 256, "max_best_of": 2, "max_stop_sequences": 4, "max_input_tokens": 3072,
                "max_total_tokens": 4096, "validation_workers": 2, "max_client_batch_size": 4,
                "router": "text-generation-router", "version": "3.3.5", "sha": None, "docker_label": "sha-0",
            },
            "/v1/models": models("acme/chat-7b", "acme/chat-7b"),
        },
        facts={
            "runtime.engine.version": "3.3.5",
            "model.id": "acme/chat-7b",
            "model.source": "hf://acme/chat-7b",
            "runtime.max_concurrent_requests": 256,
            "runtime.max_input_tokens": 3072,
            "runtime.max_model_len": 4096,
        },
        unknown=("runtime.arguments.unmapped",),
    ),
    Case(
        engine="tgi",
        answers={
            "/info": {
                "model_id": "/data/m", "model_dtype": "torch.bfloat16", "max_input_length": 100,
                "max_total_tokens": 200,
                "max_batch_total_tokens": 9000, "max_batch_size": 8, "version": "1.4.5", "waiting_served_ratio": 0.3,
                "max_waiting_tokens": 20,
            },
        },
        facts={
            "runtime.dtype": "bfloat16",
            "runtime.max_batch_total_tokens": 9000,
            "runtime.max_num_seqs": 8,
            "runtime.max_input_tokens": 100,
        },
    ),
    Case(
        engine="tei",
        answers={
            "/info": {
                "model_id": "acme/embed", "model_sha": None, "model_dtype": "float16", "served_model_name": "embed",
                "model_type": {"embedding": {"pooling": "cls"}}, "max_concurrent_requests": 512,
                "max_input_length": 512, "max_batch_tokens": 16384, "max_batch_requests": None,
                "max_client_batch_size": 32, "auto_truncate": False, "tokenization_workers": 8, "version": "1.9.1",
            },
        },
        facts={
            "runtime.engine.version": "1.9.1",
            "model.id": "acme/embed",
            "runtime.dtype": "float16",
            "runtime.max_model_len": 512,
            "runtime.max_num_batched_tokens": 16384,
            "runtime.max_concurrent_requests": 512,
            "model.embedding.pooling": "cls",
        },
    ),
    Case(
        engine="infinity",
        answers={
            "/models": {
                "object": "list",
                "data": [
                    {
                        "id": "embed", "owned_by": "infinity", "backend": "torch",
                        "stats": {"queue_fraction": 0.0, "batch_size": 16},
                    }
                ],
            },
        },
        facts={"model.served_names": ["embed"], "runtime.max_num_seqs": 16},
    ),
    Case(
        engine="llama.cpp",
        answers={
            "/v1/models": {
                "object": "list",
                "data": [
                    {
                        "id": "tiny", "aliases": ["tiny", "small"], "owned_by": "llamacpp",
                        "meta": {"n_ctx_train": 8192, "n_vocab": 32000},
                    }
                ],
            },
            "/props": {
                "default_generation_settings": {
                    "n_ctx": 2048,
                    "params": {
                        "temperature": 0.800000011920929, "repeat_penalty": 1.100000023841858, "seed": 4294967295,
                        "n_predict": -1, "samplers": ["top_k"],
                    },
                },
                "total_slots": 4, "model_path": "/models/tiny.gguf", "build_info": "b11549-1a2b3c4",
                "bos_token": "<s>",
            },
            "/api/tags": {"models": [{"name": "tiny", "model": "tiny", "size": "", "digest": "", "type": "model"}]},
        },
        facts={
            "runtime.engine.version": "b11549",
            "runtime.max_model_len": 2048,
            "runtime.max_num_seqs": 4,
            "model.id": "/models/tiny.gguf",
            "model.served_names": ["small", "tiny"],
            "model.context_length": 8192,
            "runtime.sampling_defaults[temperature]": 0.8,
            "runtime.sampling_defaults[repetition_penalty]": 1.1,
            "runtime.default_output_tokens": "unlimited",
            "runtime.seed": None,
        },
    ),
    Case(
        engine="llama.cpp",
        answers={
            "/props": {
                "default_generation_settings": {"n_ctx": 4096}, "total_slots": 1,
                "model_path": "/root/.cache/llama.cpp/acme_tiny-GGUF_tiny.gguf", "build_info": "b0-unknown",
            },
        },
        facts={"runtime.max_model_len": 4096},
        unknown=("model.id",),
    ),
    Case(
        engine="ollama",
        answers={
            "/api/version": {"version": "0.13.1"},
            "/api/tags": {
                "models": [
                    {
                        "name": "tiny:latest", "model": "tiny:latest", "digest": "0" * 64,
                        "details": {"quantization_level": "Q4_K_M"},
                    }
                ]
            },
            "/api/ps": {"models": [{"name": "tiny:latest", "digest": "0" * 64, "context_length": 8192}]},
            '/api/show {"model":"tiny:latest"}': {
                "parameters": 'num_ctx              4096\ntemperature          0.6\nstop   "<|end|>"',
                "model_info": {"general.architecture": "llama"},
            },
        },
        facts={
            "runtime.engine.version": "0.13.1",
            "model.id": "tiny:latest",
            "model.served_names": ["tiny:latest"],
            "runtime.max_model_len": 8192,
            "runtime.sampling_defaults[temperature]": 0.6,
        },
    ),
    Case(
        engine="tensorrt-llm",
        answers={"/v1/models": models("tensorrt_llm", "chat-7b"), "/version": {"version": "1.2.0"}},
        facts={"runtime.engine.version": "1.2.0", "model.served_names": ["chat-7b"]},
    ),
    Case(
        engine="lmdeploy",
        answers={
            "/v1/models": models("lmdeploy", "chat-7b", root="chat-7b", parent=None),
            "/distserve/engine_info": '{"tp_size":2,"dp_size":1,"pp_size":null,"ep_size":1,"block_size":64}',
        },
        facts={
            "model.served_names": ["chat-7b"],
            "runtime.tensor_parallel_size": 2,
            "runtime.kv_cache.block_size": 64,
        },
    ),
    Case(
        engine="nim",
        answers={
            "/v1/models": models("vllm", "acme/chat-7b", root="acme/chat-7b", parent=None, max_model_len=8192),
            "/v1/metadata": {
                "version": "1.13.0", "assetInfo": [], "licenseInfo": {"name": "l"}, "repository_override": "",
                "modelInfo": [{"shortName": "chat-7b:hf-1", "modelUrl": "ngc://x"}],
            },
            "/v1/version": {"release": "1.13.0", "api": "1.13.0"},
            "/version": {"version": "0.9.2"},
        },
        facts={
            "runtime.engine.version": "1.13.0",
            "model.served_names": ["acme/chat-7b"],
            "runtime.max_model_len": 8192,
        },
    ),
    Case(
        engine="production-stack-router",
        answers={
            "/v1/models": models("vllm", "chat", root="acme/chat-7b", parent=None, max_model_len=8192),
            "/version": {"version": "0.1.7"},
            "/engines": [{"engine_id": "e-1", "serving_models": ["chat"], "created": 1}],
        },
        facts={"runtime.engine.version": "0.1.7", "model.served_names": ["chat"]},
    ),
    Case(
        engine="litellm",
        answers={
            "/v1/models": models("openai", "gpt-house"),
            "/health/liveliness": '"I\'m alive!"',
            "/health/readiness": {"status": "healthy", "db": "Not connected", "litellm_version": "1.80.0"},
            "/v1/model/info": {"data": [{"model_name": "gpt-house", "litellm_params": {"model": "hosted_vllm/chat"}}]},
        },
        facts={"runtime.engine.version": "1.80.0", "model.served_names": ["gpt-house"]},
    ),
    Case(
        engine="triton",
        answers={
            "/v2": {"name": "triton", "version": "2.58.0", "extensions": ["model_repository"]},
            "/v2/repository/index {}": [{"name": "resnet", "version": "3", "state": "READY"}, {"name": "idle"}],
            "/v2/models/resnet/config": {
                "name": "resnet", "platform": "onnxruntime_onnx", "backend": "onnxruntime", "max_batch_size": 32,
                "version_policy": {"latest": {"num_versions": 1}},
                "input": [
                    {"name": "in", "data_type": "TYPE_FP32", "format": "FORMAT_NONE", "dims": ["3", "224", "224"]}
                ],
                "output": [{"name": "out", "data_type": "TYPE_FP16", "dims": [1000], "label_filename": ""}],
                "dynamic_batching": {
                    "preferred_batch_size": [8, 16], "max_queue_delay_microseconds": "250", "preserve_ordering": False,
                },
                "instance_group": [{"name": "resnet", "kind": "KIND_GPU", "count": 2, "gpus": [0, 1]}],
                "optimization": {"priority": "PRIORITY_DEFAULT", "input_pinned_memory": {"enable": True}},
                "default_model_filename": "model.onnx", "parameters": {}, "model_warmup": [],
            },
        },
        facts={
            "runtime.engine.version": "2.58.0",
            "model.id": "resnet",
            "model.served_names": ["resnet"],
            "model.signature": {
                "inputs": [{"name": "in", "shape": [-1, 3, 224, 224], "type": "float32"}],
                "outputs": [{"name": "out", "shape": [-1, 1000], "type": "float16"}],
            },
            "runtime.max_num_seqs": 32,
            "runtime.instances": 4,
            "runtime.dynamic_batching[enabled]": True,
            "runtime.dynamic_batching[preferred_batch_size]": "8,16",
            "runtime.dynamic_batching[max_queue_delay_microseconds]": 250,
            "runtime.arguments.unmapped[backend]": "onnxruntime",
        },
    ),
    Case(
        engine="triton",
        answers={
            "/v2": {"name": "triton", "version": "2.58.0", "extensions": []},
            "/v2/repository/index {}": [{"name": "a", "state": "READY"}, {"name": "b", "state": "READY"}],
            "/v2/models/a/config": {"name": "a", "backend": "python", "max_batch_size": 4, "input": [], "output": []},
            "/v2/models/b/config": 500,
        },
        facts={"model.served_names": ["a", "b"], "runtime.models[a.max_batch_size]": 4},
    ),
    Case(
        engine="mlserver",
        answers={
            "/v2": {"name": "mlserver", "version": "1.7.1", "extensions": []},
            "/v2/repository/index {}": [{"name": "iris", "version": "v1", "state": "READY", "reason": ""}],
            "/v2/models/iris": {
                "name": "iris", "versions": [], "platform": "",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
                "outputs": [{"name": "y", "datatype": "INT64", "shape": [-1]}],
            },
        },
        facts={
            "runtime.engine.version": "1.7.1",
            "model.served_names": ["iris"],
            "model.signature": {
                "inputs": [{"name": "x", "shape": [-1, 4], "type": "float32"}],
                "outputs": [{"name": "y", "shape": [-1], "type": "int64"}],
            },
        },
    ),
    Case(
        engine="kserve",
        answers={
            "/v2": {"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]},
            "/v2/models": {"models": ["tiny"]},
            "/v2/models/tiny": {"name": "tiny", "versions": None, "platform": "", "inputs": [], "outputs": []},
            "/v1/models": {"models": ["tiny"]},
        },
        facts={"runtime.engine.version": "0.21.0", "model.served_names": ["tiny"]},
    ),
    Case(
        engine="torchserve",
        answers={
            "/models": {"models": [{"modelName": "doubler", "modelUrl": "doubler.mar"}]},
            "/models/doubler": [
                {
                    "modelName": "doubler", "modelVersion": "1.2", "modelUrl": "doubler.mar", "minWorkers": 3,
                    "maxWorkers": 4, "batchSize": 8, "maxBatchDelay": 50, "responseTimeout": 30,
                    "continuousBatching": False,
                }
            ],
        },
        facts={
            "model.served_names": ["doubler"],
            "model.revision": "1.2",
            "runtime.instances": 3,
            "runtime.dynamic_batching[max_batch_size]": 8,
            "runtime.dynamic_batching[max_queue_delay_microseconds]": 50000,
            "serving.request_timeout": 30,
        },
    ),
    Case(
        engine="tf-serving",
        answers={
            "/v1/models/default": {
                "model_version_status": [{"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK"}}]
            },
            "/v1/models/default/metadata": {
                "model_spec": {"name": "default", "version": "123", "signature_name": ""},
                "metadata": {
                    "signature_def": {
                        "signature_def": {
                            "serving_default": {
                                "inputs": {
                                    "x": {
                                        "dtype": "DT_FLOAT",
                                        "tensor_shape": {"dim": [{"size": "-1"}, {"size": "4"}], "unknown_rank": False},
                                    }
                                },
                                "outputs": {
                                    "y": {"dtype": "DT_INT64", "tensor_shape": {"dim": [], "unknown_rank": True}}
                                },
                            }
                        }
                    }
                },
            },
        },
        facts={
            "model.id": "default",
            "model.revision": "123",
            "model.signature": {
                "inputs": [{"name": "x", "shape": [-1, 4], "type": "float32"}],
                "outputs": [{"name": "y", "shape": None, "type": "int64"}],
            },
        },
    ),
    Case(
        engine="ray-serve",
        answers={
            "/api/version": {"version": "4", "ray_version": "2.60.0", "ray_commit": "c", "session_name": "s"},
            "/api/serve/applications/": {
                "proxy_location": "EveryNode",
                "http_options": {
                    "host": "0.0.0.0", "port": 8000, "root_path": "", "request_timeout_s": None,
                    "keep_alive_timeout_s": 90,
                },
                "applications": {
                    "app": {
                        "name": "app", "status": "RUNNING",
                        "deployed_app_config": {
                            "name": "app", "route_prefix": "/", "import_path": "serve:build",
                            "deployments": [{"name": "Model", "num_replicas": 3, "max_ongoing_requests": 7}],
                        },
                    }
                },
            },
        },
        facts={
            "runtime.engine.version": "2.60.0",
            "serving.port": 8000,
            "serving.idle_timeout": 90,
            "serving.max_concurrency": 7,
            "orchestration.replicas.min": 3,
        },
    ),
    Case(
        engine="bentoml",
        answers={"/schema.json": {"name": "Summary", "type": "service", "routes": [{"name": "run", "route": "/run"}]}},
        facts={"runtime.engine.name": "bentoml"},
        unknown=("runtime.engine.version",),
    ),
    Case(
        engine="litserve",
        answers={
            "/info": {
                "model": None,
                "server": {
                    "devices": ["cpu"], "workers_per_device": 2, "timeout": 45, "stream": {"/predict": True},
                    "max_payload_size": 1048576, "track_requests": False,
                },
            },
        },
        facts={"serving.request_timeout": 45, "serving.max_body.bytes": 1048576, "serving.streaming": True},
        unknown=("runtime.engine.version",),
    ),
    Case(
        engine="mlflow",
        answers={"/version": "3.17.0", "/ping": "\n"},
        facts={"runtime.engine.name": "mlflow", "runtime.engine.version": "3.17.0"},
    ),
)  # fmt: skip
