"""Written by `make generate`; do not edit. Engines to the modules that read what they say while they run."""

from __future__ import annotations

from collections.abc import Mapping

ENDPOINTS: Mapping[str, str] = {
    "llama.cpp": "askew.engines.llama_cpp.endpoints",
    "sglang": "askew.engines.sglang.endpoints",
    "triton": "askew.engines.triton.endpoints",
    "vllm": "askew.engines.vllm.endpoints",
}
LOGS: Mapping[str, str] = {
    "vllm": "askew.engines.vllm.log",
}
METERS: Mapping[str, str] = {
    "bentoml": "askew.engines.bentoml.meters",
    "infinity": "askew.engines.infinity.meters",
    "kserve": "askew.engines.kserve.meters",
    "litellm": "askew.engines.litellm.meters",
    "llama.cpp": "askew.engines.llama_cpp.meters",
    "lmdeploy": "askew.engines.lmdeploy.meters",
    "mlserver": "askew.engines.mlserver.meters",
    "nim": "askew.engines.nim.meters",
    "production-stack-router": "askew.engines.production_stack_router.meters",
    "ray-serve": "askew.engines.ray_serve.meters",
    "sglang": "askew.engines.sglang.meters",
    "tei": "askew.engines.tei.meters",
    "tensorrt-llm": "askew.engines.tensorrt_llm.meters",
    "tf-serving": "askew.engines.tf_serving.meters",
    "tgi": "askew.engines.tgi.meters",
    "torchserve": "askew.engines.torchserve.meters",
    "triton": "askew.engines.triton.meters",
    "vllm": "askew.engines.vllm.meters",
}
