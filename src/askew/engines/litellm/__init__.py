"""LiteLLM's proxy: https://github.com/BerriAI/litellm"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The images' entrypoint hands its arguments to `litellm` (docker/prod_entrypoint.sh).
RECOGNITION = Recognition(
    name="litellm",
    title="LiteLLM",
    family="hops",
    module="askew.engines.litellm.engine",
    hints=("litellm",),
    programs=(
        r"(?:\S*/)?litellm(?= -|$)",
        r"(?:\S*/)?python\S* -m litellm(?:\.proxy\.proxy_cli)?(?= |$)",
        r"(?:\S*/)?python\S* (?:\S*/)?litellm/proxy/proxy_cli\.py(?= |$)",
    ),
    images=(
        r"(?:^|/)berriai/litellm(?:-[\w.-]+)?(?=$|[:@])",
        r"(?:^|/)litellm(?:-(?:database|proxy|non_root))?(?=$|[:@])",
    ),
    starts=("litellm", "litellm --config /app/config.yaml"),
    image="ghcr.io/berriai/litellm:main-v{}",
    words=("--port", "4000"),
    shapes=(("model_list[].litellm_params",), ("model_list", "litellm_settings"), ("model_list", "router_settings"),
            ("model_list", "general_settings")),
    forwards=True,
)  # fmt: skip
