"""SGLang: https://github.com/sgl-project/sglang"""

from __future__ import annotations

from askew.engines.interface import Recognition

# Builds for other hardware and by other publishers keep the name; routers and simulators have it in theirs too.
_BUILD = (
    r"(?:rocm|npu|xpu|cpu|gpu|musa|hpu|gaudi|cuda|arm64|aarch64|gb200|b200|aibrix|kvcache|nixl|mooncake|dev|server|srt)"
)

_PYTHON = r"(?:\S*/)?python[\d.]*(?: -[A-Za-ln-z]\S*)*"

# `sglang_router`, `sgl-router` and `sglang.srt.disaggregation.launch_lb` route requests; they are not the engine.
# The published images have no entrypoint of their own: whoever gives them only flags starts nothing, but means SGLang.
RECOGNITION = Recognition(
    name="sglang",
    title="SGLang",
    module="askew.engines.sglang.engine",
    hints=("sglang", "sgl-"),
    programs=(
        rf"{_PYTHON} -m sglang\.(?:launch_server|srt\.server|srt\.entrypoints\.\w+)(?= |$)",
        rf"{_PYTHON} \S*sglang/(?:launch_server|srt/server|srt/entrypoints/\w+)\.py(?= |$)",
        r"(?:\S*/)?sglang serve(?= |$)",
    ),
    images=(
        rf"(?:^|/)sglang(?:-{_BUILD})*(?=$|[:@])",
        r"(?:^|/)sgl-(?:dev|workspace)(?=$|[:@])",
    ),
    starts=("python3 -m sglang.launch_server --model-path org/model", "sglang serve org/model"),
    image="lmsysorg/sglang:v{}",
    words=("python3", "-m", "sglang.launch_server", "--model-path", "example/model"),
    # The lines of server_args.py are at 20, 35, 60, 90 and 160 GiB, and at the compute capability.
    gpus=("a100-80gb-sxm", "b200", "h100-80gb-sxm", "h200-sxm", "l4", "l40s", "t4"),
)
