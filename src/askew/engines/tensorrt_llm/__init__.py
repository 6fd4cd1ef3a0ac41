"""TensorRT-LLM: https://github.com/NVIDIA/TensorRT-LLM"""

from __future__ import annotations

from askew.engines.interface import Recognition

_SERVE = r"(?:\S*/)?trtllm-serve(?: (?:serve|disaggregated|disaggregated_mpi_worker|mm_embedding_serve|grpc))?"

# The published images start a shell: only what their arguments name serves. `trtllm-build` compiles the engine that a
# server then loads, so its limits are the server's.
RECOGNITION = Recognition(
    name="tensorrt-llm",
    title="TensorRT-LLM",
    module="askew.engines.tensorrt_llm.engine",
    hints=("trtllm-serve", "trtllm-build", "tensorrt_llm.commands"),
    programs=(
        rf"{_SERVE}(?= |$)",
        r"(?:\S*/)?trtllm-build(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-ln-z]\S*)* -m tensorrt_llm\.commands\.(?:serve|build)(?= |$)",
    ),
    images=(),
    starts=("trtllm-serve org/model", "trtllm-serve serve org/model"),
    image="nvcr.io/nvidia/tensorrt-llm/release:{}",
    words=("trtllm-serve", "example/model"),
    shapes=(
        ("pretrained_config", "build_config"),
        ("kv_cache_config", "cuda_graph_config"),
        ("kv_cache_config", "moe_config"),
        ("kv_cache_config", "enable_attention_dp"),
        ("kv_cache_config", "disable_overlap_scheduler"),
    ),
)
