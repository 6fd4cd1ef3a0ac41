"""Infinity, a server for embeddings, rerankers and classifiers: https://github.com/michaelfeil/infinity"""

from __future__ import annotations

from askew.engines.interface import Recognition

RECOGNITION = Recognition(
    name="infinity",
    title="Infinity",
    family="embeddings",
    module="askew.engines.infinity.engine",
    hints=("infinity",),
    programs=(
        r"(?:\S*/)?infinity_emb(?= |$)",
        r"(?:\S*/)?python[\d.]*(?: -[A-Za-z]+)* -m infinity_emb(?:\.infinity_server|\.cli)?(?= |$)",
    ),
    images=(r"(?:^|/)michaelf34/infinity(?=$|[:@])", r"(?:^|/)infinity[-_]emb(?=$|[:@])"),
    starts=("infinity_emb v2 --model-id org/model", "python3 -m infinity_emb v2 --model-id org/model"),
    image="michaelf34/infinity:{}",
    words=("v2", "--model-id", "example/model"),
)
