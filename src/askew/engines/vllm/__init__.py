"""vLLM: https://docs.vllm.ai."""

from askew.engines.interface import Recognition

# Builds of vLLM for other hardware and by other publishers keep its name; routers, exporters, simulators and benchmarks
# have it in their names too, so that only known words may follow it.
_BUILD = (
    r"(?:openai|cpu|gpu|cuda|rocm|tpu|hpu|gaudi|xpu|neuronx?|inference|ascend|openvino|spyre|rbln|arm64|arm|aarch64|x86|env|server|"
    r"serve|dev|nightly|release|repo|omni|nixl|lmcache|kvcache|aibrix|distributed|ubi\d|rhel\d|ubuntu|cu\d+|gptoss|base)"
)
_END = r"(?=$|[:@])"

RECOGNITION = Recognition(
    name="vllm",
    title="vLLM",
    module="askew.engines.vllm.engine",
    hints=("vllm", "llm-d"),
    programs=(
        r"(?:\S*/)?vllm serve(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-z]+)* -m vllm\.entrypoints\.(?:openai\.)?api_server(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-z]+)* -m vllm(?:\.entrypoints\.cli\.main)? serve(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-z]+)* (?:\S*/)?vllm/entrypoints/(?:openai/)?api_server\.py(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-z]+)* (?:\S*/)?vllm serve(?= |$)",
    ),
    images=(
        rf"(?:^|/)(?:llmd-|llm-scaler-|pytorch-|pytorch-inference-)?vllm(?:[-_]{_BUILD})*{_END}",
        rf"ghcr\.io/llm-d/llm-d(?:-(?:cuda|rocm|xpu|cpu|hpu|aws|gb200|dev))*{_END}",
    ),
    starts=("vllm serve org/model", "python3 -m vllm.entrypoints.openai.api_server"),
    image="vllm/vllm-openai:v{}",
    words=("--model", "example/model"),
    # Lines are drawn at 70 and 160 GiB, at the name (H100, H200, not A100) and at compute capability 8.0.
    gpus=("a100-80gb-sxm", "b200", "h100-80gb-sxm", "h200-sxm", "l40s", "t4"),
)
