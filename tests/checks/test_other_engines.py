"""Checks of language models' servers hold for the other servers of language models too."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.pipeline import Options, check

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: engine
        image: IMAGE
        command: WORDS
        resources: {limits: {nvidia.com/gpu: 8}}
        livenessProbe: {httpGet: {path: /health, port: PORT}, periodSeconds: 5, failureThreshold: 2}
"""


def rules(folder: Path, image: str, words: str, port: int) -> set[str]:
    path = folder / "deploy.yaml"
    path.write_text(POD.replace("IMAGE", image).replace("WORDS", words).replace("PORT", str(port)), encoding="utf-8")
    return {one.rule for workload in check(str(path), None, Options()).workloads for one in workload.findings}


TRTLLM, LMDEPLOY = "nvcr.io/nvidia/tensorrt-llm/release:1.0.0", "openmmlab/lmdeploy:v0.9.2"


@pytest.mark.parametrize(
    ("image", "words", "port"),
    [
        (TRTLLM, '[trtllm-serve, org/model, --tp_size, "4"]', 8000),
        (LMDEPLOY, '[lmdeploy, serve, api_server, org/model, --tp, "4"]', 23333),
    ],
)
def test_gpus_and_probes_of_other_servers(tmp_path: Path, image: str, words: str, port: int) -> None:
    assert {"idle-gpus", "liveness-without-startup-probe"} <= rules(tmp_path, image, words, port)


def test_context_parallelism_uses_gpus_too(tmp_path: Path) -> None:
    words = '[trtllm-serve, org/model, --tp_size, "4", --context_parallel_size, "2"]'
    assert "idle-gpus" not in rules(tmp_path, "nvcr.io/nvidia/tensorrt-llm/release:1.2.0", words, 8000)


def test_an_embedding_server_is_left_alone(tmp_path: Path) -> None:
    image, words = "ghcr.io/huggingface/text-embeddings-inference:1.8", "[text-embeddings-router, --model-id, org/m]"
    assert not {"idle-gpus", "liveness-without-startup-probe"} & rules(tmp_path, image, words, 80)
