"""The router of the vLLM production stack: https://github.com/vllm-project/production-stack"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The image's entrypoint is `vllm-router` (docker/Dockerfile).
RECOGNITION = Recognition(
    name="production-stack-router",
    title="the production-stack router",
    family="hops",
    module="askew.engines.production_stack_router.engine",
    hints=("vllm-router", "vllm_router", "lmstack-router", "production-stack/router"),
    programs=(
        r"(?:\S*/)?vllm-router(?= |$)",
        r"(?:\S*/)?python\S* -m vllm_router\.(?:app|router)(?= |$)",
        r"(?:\S*/)?python\S* (?:\S*/)?vllm_router/(?:app|router)\.py(?= |$)",
    ),
    images=(r"(?:^|/)lmstack-router(?=$|[:@])", r"(?:^|/)production-stack/router(?=$|[:@])"),
    starts=("vllm-router", "python3 -m vllm_router.app"),
    image="lmcache/lmstack-router:v{}",
    words=("--service-discovery", "static", "--static-backends", "http://engine:8000", "--static-models", "model"),
    forwards=True,
)
