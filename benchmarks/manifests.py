"""Directories of manifests as a fleet has them: one service each, in turn of every engine family that is common."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm-{n}
  namespace: team-{team}
  labels: {{app: llm-{n}, tier: gpu}}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: llm-{n}}}
  template:
    metadata:
      labels: {{app: llm-{n}, tier: gpu}}
    spec:
      terminationGracePeriodSeconds: 120
      containers:
        - name: server
          image: {image}
          {launch}
          env:
            - name: HF_TOKEN
              valueFrom:
                secretKeyRef: {{name: hf, key: token}}
            - name: HF_HOME
              value: /models
          ports:
            - name: http
              containerPort: 8000
          resources:
            requests: {{cpu: "8", memory: 64Gi}}
            limits: {{nvidia.com/gpu: "{gpus}", memory: 64Gi}}
          readinessProbe:
            httpGet: {{path: /health, port: http}}
            periodSeconds: 10
            failureThreshold: 60
          volumeMounts:
            - name: shm
              mountPath: /dev/shm
            - name: models
              mountPath: /models
      nodeSelector:
        nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3
      tolerations:
        - key: nvidia.com/gpu
          operator: Exists
      volumes:
        - name: shm
          emptyDir: {{medium: Memory, sizeLimit: 16Gi}}
        - name: models
          persistentVolumeClaim: {{claimName: models}}
---
apiVersion: v1
kind: Service
metadata:
  name: llm-{n}
  namespace: team-{team}
spec:
  selector: {{app: llm-{n}}}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
# Image and launch. {gpus} is filled in.
ENGINES = (
    (
        "vllm/vllm-openai:v0.8.5",
        'args: ["--model", "Qwen/Qwen2.5-32B-Instruct", "--tensor-parallel-size", "{gpus}", "--max-model-len", '
        '"32768", "--dtype", "bfloat16", "--gpu-memory-utilization", "0.92"]',
    ),
    (
        "lmsysorg/sglang:v0.4.6.post1-cu124",
        'command: ["python3", "-m", "sglang.launch_server", "--model-path", "Qwen/Qwen2.5-32B-Instruct", "--tp", '
        '"{gpus}", "--context-length", "32768", "--mem-fraction-static", "0.85"]',
    ),
    (
        "ghcr.io/huggingface/text-generation-inference:3.2.3",
        'args: ["--model-id", "Qwen/Qwen2.5-32B-Instruct", "--num-shard", "{gpus}", "--max-total-tokens", "32768"]',
    ),
    (
        "vllm/vllm-openai:v0.9.1",
        'command: ["/bin/sh", "-c", "exec vllm serve Qwen/Qwen2.5-32B-Instruct --tensor-parallel-size {gpus} '
        '--max-model-len 32768"]',
    ),
)


def write(folder: Path, count: int) -> int:
    """Write so many files of a Deployment and its Service into a folder; bytes written in all."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for n in range(count):
        image, launch = ENGINES[n % len(ENGINES)]
        gpus = 1 << n % 4
        text = TEMPLATE.format(
            n=n, team=n % 40, replicas=n % 5 + 1, image=image, launch=launch.format(gpus=gpus), gpus=gpus
        )
        total += (folder / f"llm-{n:05}.yaml").write_bytes(text.encode())
    return total
