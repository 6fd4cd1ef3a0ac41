"""Text Generation Inference (TGI): https://github.com/huggingface/text-generation-inference"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The images of Hugging Face start the launcher themselves; the llama.cpp backend's image starts another program.
RECOGNITION = Recognition(
    name="tgi",
    title="TGI",
    module="askew.engines.tgi.engine",
    hints=("text-generation", "tgi"),
    programs=(
        r"(?:\S*/)?text-generation-launcher(?= |$)",
        r"(?:\S*/)?(?:ba)?sh (?:\S*/)?tgi-entrypoint\.sh(?= |$)",
        r"(?:\S*/)?tgi-entrypoint\.sh(?= |$)",
    ),
    images=(
        r"(?:^|/)(?:huggingface[-/])?text-generation-inference(?:-(?:rocm|intel|gaudi|cpu|gpu|cu\d+)[\w.-]*)?"
        r"(?=$|[:@])(?!\S*-llamacpp)",
        r"(?:^|/)tgi-gaudi(?=$|[:@])",
        r"(?:^|/)neuronx-tgi(?=$|[:@])",
        r"(?:^|/)huggingface-(?:pytorch-|neuronx-)?(?:tgi-inference|text-generation-inference)[\w.-]*(?=$|[:@])",
    ),
    starts=("text-generation-launcher --model-id org/model",),
    image="ghcr.io/huggingface/text-generation-inference:{}",
    words=("--model-id", "example/model"),
)
