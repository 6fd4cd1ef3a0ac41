"""Text Embeddings Inference (TEI): https://github.com/huggingface/text-embeddings-inference"""

from __future__ import annotations

from askew.engines.interface import Recognition

# Hugging Face's images, those for Gaudi, and the ones that Amazon publishes for SageMaker (`tei`, `tei-cpu`).
RECOGNITION = Recognition(
    name="tei",
    title="TEI",
    family="embeddings",
    module="askew.engines.tei.engine",
    hints=("text-embeddings", "tei"),
    programs=(r"(?:\S*/)?text-embeddings-router(?:-\d+)?(?= |$)",),
    images=(
        r"(?:^|/)(?:huggingface[-/])?text-embeddings-inference(?:[-_][\w.-]*)?(?=$|[:@])",
        r"(?:^|/)tei(?:-(?:gaudi|cpu|gpu|habana))?(?=$|[:@])",
    ),
    starts=("text-embeddings-router --model-id org/model",),
    image="ghcr.io/huggingface/text-embeddings-inference:{}",
    words=("--model-id", "example/model"),
)
