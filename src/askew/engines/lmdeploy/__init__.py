"""LMDeploy: https://github.com/InternLM/lmdeploy"""

from __future__ import annotations

from askew.engines.interface import Recognition

# `lmdeploy serve proxy` routes requests to servers, `lmdeploy serve api_client` is a client: neither is the engine. The
# published image has no entrypoint that serves.
RECOGNITION = Recognition(
    name="lmdeploy",
    title="LMDeploy",
    module="askew.engines.lmdeploy.engine",
    hints=("lmdeploy",),
    programs=(
        r"(?:\S*/)?lmdeploy serve (?:api_server|gradio)(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-ln-z]\S*)* -m lmdeploy serve (?:api_server|gradio)(?= |$)",
    ),
    images=(),
    starts=("lmdeploy serve api_server org/model",),
    image="openmmlab/lmdeploy:v{}",
    words=("lmdeploy", "serve", "api_server", "example/model"),
    # get_max_batch_size of lmdeploy/utils.py looks for names.
    gpus=("a100-80gb-sxm", "h100-80gb-sxm", "h200-sxm", "l40s", "t4"),
)
