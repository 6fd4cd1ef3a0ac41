"""Written by `make generate`; do not edit. Engines, and the plain words by which they are found."""

from __future__ import annotations

from collections.abc import Mapping

from askew.engines.interface import Entry

ENGINES: Mapping[str, Entry] = {
    "llama.cpp": Entry(
        module="askew.engines.llama_cpp",
        hints=("llama", "server", "tools.sh"),
    ),
    "ollama": Entry(
        module="askew.engines.ollama",
        hints=("ollama",),
    ),
    "production-stack-router": Entry(
        module="askew.engines.production_stack_router",
        hints=("vllm-router", "vllm_router", "lmstack-router", "production-stack/router"),
    ),
    "sglang": Entry(
        module="askew.engines.sglang",
        hints=("sglang", "sgl-"),
    ),
    "tgi": Entry(
        module="askew.engines.tgi",
        hints=("text-generation", "tgi"),
    ),
    "vllm": Entry(
        module="askew.engines.vllm",
        hints=("vllm", "llm-d"),
    ),
}
