"""NVIDIA NIM: https://docs.nvidia.com/nim"""

from __future__ import annotations

from askew.engines.interface import Recognition

# Containers whose own entrypoint serves one model with vLLM, TensorRT-LLM or SGLang. Their versions are counted per
# model, so there is no image of "a release of NIM" to start. Mirrors keep the path behind the registry.
RECOGNITION = Recognition(
    name="nim",
    title="NVIDIA NIM",
    module="askew.engines.nim.engine",
    hints=("nim/", "nim-serve", "nim_llm"),
    programs=(
        r"(?:\S*/)?nim-serve(?= |$)",
        r"(?:\S*/)?(?:ba)?sh (?:-\S+ )?/opt/nim/start[-_]server\.sh(?= |$)",
        r"/opt/nim/start[-_]server\.sh(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-ln-z]\S*)* -m nim_llm\S*(?= |$)",
    ),
    images=(r"(?:^|/)nim/[\w.-]+/[\w.-]+(?=$|[:@])",),
    starts=("nim-serve",),
)
