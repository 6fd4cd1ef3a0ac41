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
    "vllm": "askew.engines.vllm.meters",
}
