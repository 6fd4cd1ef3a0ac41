"""Written by `make generate`; do not edit. Engines, and the plain words by which they are found."""

from __future__ import annotations

from collections.abc import Mapping

from askew.engines.interface import Entry

ENGINES: Mapping[str, Entry] = {
    "bentoml": Entry(
        module="askew.engines.bentoml",
        hints=("bentoml", "bento-server", "/home/bentoml/"),
        files=("bentoml_configuration.yaml", "bentoml_configuration.yml", "bentofile.yaml", "bentofile.yml"),
        shapes=(
            ("api_server", "runners"),
            ("version", "api_server"),
        ),
    ),
    "infinity": Entry(
        module="askew.engines.infinity",
        hints=("infinity",),
    ),
    "kserve": Entry(
        module="askew.engines.kserve",
        hints=("eserver", "nserver", "bserver", "lserver"),
    ),
    "litellm": Entry(
        module="askew.engines.litellm",
        hints=("litellm",),
        shapes=(
            ("model_list[].litellm_params",),
            ("model_list", "litellm_settings"),
            ("model_list", "router_settings"),
            ("model_list", "general_settings"),
        ),
    ),
    "litserve": Entry(
        module="askew.engines.litserve",
        hints=("litserve", "lightning"),
    ),
    "llama.cpp": Entry(
        module="askew.engines.llama_cpp",
        hints=("llama", "server", "tools.sh"),
    ),
    "lmdeploy": Entry(
        module="askew.engines.lmdeploy",
        hints=("lmdeploy",),
    ),
    "mlflow": Entry(
        module="askew.engines.mlflow",
        hints=("mlflow",),
    ),
    "mlserver": Entry(
        module="askew.engines.mlserver",
        hints=("mlserver",),
        files=("model-settings.json",),
        shapes=(
            ("name", "implementation", "parameters"),
            ("http_port", "grpc_port"),
            ("parallel_workers", "debug"),
        ),
    ),
    "nim": Entry(
        module="askew.engines.nim",
        hints=("nim/", "nim-serve", "nim_llm"),
    ),
    "ollama": Entry(
        module="askew.engines.ollama",
        hints=("ollama",),
        files=("Modelfile", "modelfile", "*.Modelfile", "*.modelfile", "Modelfile.*"),
    ),
    "production-stack-router": Entry(
        module="askew.engines.production_stack_router",
        hints=("vllm-router", "vllm_router", "lmstack-router", "production-stack/router"),
    ),
    "ray-serve": Entry(
        module="askew.engines.ray_serve",
        hints=("serve run", "serve deploy", "ray.serve.llm"),
        shapes=(
            ("applications[].import_path",),
            ("import_path", "deployments"),
            ("import_path", "runtime_env"),
        ),
    ),
    "sglang": Entry(
        module="askew.engines.sglang",
        hints=("sglang", "sgl-"),
    ),
    "tei": Entry(
        module="askew.engines.tei",
        hints=("text-embeddings", "tei"),
    ),
    "tensorrt-llm": Entry(
        module="askew.engines.tensorrt_llm",
        hints=("trtllm-serve", "trtllm-build", "tensorrt_llm.commands"),
        shapes=(
            ("pretrained_config", "build_config"),
            ("kv_cache_config", "cuda_graph_config"),
            ("kv_cache_config", "moe_config"),
            ("kv_cache_config", "enable_attention_dp"),
            ("kv_cache_config", "disable_overlap_scheduler"),
        ),
    ),
    "tf-serving": Entry(
        module="askew.engines.tf_serving",
        hints=("tensorflow_model_server", "tensorflow-serving", "tensorflow/serving", "tf_serving_entrypoint"),
        files=("batching_parameters.txt", "batching_params.pbtxt"),
    ),
    "tgi": Entry(
        module="askew.engines.tgi",
        hints=("text-generation", "tgi"),
    ),
    "torchserve": Entry(
        module="askew.engines.torchserve",
        hints=("torchserve", "pytorch.serve", "pytorch-inference"),
        files=(
            "config.properties",
            "config-*.properties",
            "sagemaker*config.properties",
            "torchserve*.properties",
            "model-config.yaml",
            "model-config.yml",
        ),
        shapes=(
            ("minWorkers", "maxWorkers"),
            ("batchSize", "maxBatchDelay"),
            ("parallelType", "torchrun"),
        ),
        marks=(
            "inference_address",
            "management_address",
            "metrics_address",
            "model_store",
            "load_models",
            "default_workers_per_model",
            "default_response_timeout",
            "job_queue_size",
            "number_of_netty_threads",
            "number_of_gpu",
            "enable_envvars_config",
            "install_py_dep_per_model",
            "grpc_inference",
            "metrics_mode",
            "enable_metrics_api",
            "disable_token_authorization",
            "cors_allowed_origin",
            "max_request_size",
            "minWorkers",
            "maxWorkers",
            "batchSize",
            "maxBatchDelay",
            "responseTimeout",
            "deviceType",
            "parallelType",
            "torchrun",
            "pippy",
            "deepspeed",
            "startupTimeout",
            "asyncCommunication",
            "parallelLevel",
            "pt2",
        ),
    ),
    "triton": Entry(
        module="askew.engines.triton",
        hints=("tritonserver", "launch_triton_server"),
        files=("config.pbtxt", "*/[0-9]/model.json"),
    ),
    "vllm": Entry(
        module="askew.engines.vllm",
        hints=("vllm", "llm-d"),
    ),
}
