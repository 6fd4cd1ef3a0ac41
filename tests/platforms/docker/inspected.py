"""What `docker inspect` and `podman inspect` print, cut to what matters, with invented identifiers."""

from __future__ import annotations

import copy
from typing import Any

IMAGE_ID = "sha256:" + "1f" * 32
DIGEST = "sha256:" + "9c" * 32

CONTAINER: dict[str, Any] = {
    "Id": "ab" * 32,
    "Created": "2026-03-02T09:00:00.123456789Z",
    "Path": "python3",
    "Args": ["-m", "vllm.entrypoints.openai.api_server", "--model", "org/llama", "--max-model-len", "8192",
             "--tensor-parallel-size", "2"],
    "State": {"Status": "running", "Running": True, "OOMKilled": False, "Pid": 4711, "ExitCode": 0,
              "StartedAt": "2026-03-02T09:00:01Z", "Health": {"Status": "healthy"}},
    "Image": IMAGE_ID,
    "Name": "/stack-llm-1",
    "RestartCount": 0,
    "HostConfig": {
        "Binds": ["/srv/stack/models:/models:ro"],
        "NetworkMode": "stack_default",
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "IpcMode": "private",
        "ShmSize": 17179869184,
        "Runtime": "runc",
        "Memory": 68719476736,
        "MemoryReservation": 0,
        "NanoCpus": 8000000000,
        "CpuQuota": 0,
        "CpuPeriod": 0,
        "Devices": [],
        "DeviceRequests": [{"Driver": "nvidia", "Count": 2, "DeviceIDs": None, "Capabilities": [["gpu"]],
                            "Options": None}],
        "Ulimits": [{"Name": "memlock", "Hard": -1, "Soft": -1}],
        "Tmpfs": None,
    },
    "Mounts": [
        {"Type": "bind", "Source": "/srv/stack/models", "Destination": "/models", "Mode": "ro", "RW": False},
        {"Type": "volume", "Name": "stack_cache", "Source": "/var/lib/docker/volumes/stack_cache/_data",
         "Destination": "/root/.cache/huggingface", "Driver": "local", "Mode": "z", "RW": True},
    ],
    "Config": {
        "Hostname": "abababababab",
        "Env": ["VLLM_ATTENTION_BACKEND=FLASHINFER", "PATH=/usr/local/bin:/usr/bin", "VLLM_USAGE_SOURCE=production",
                "NVIDIA_VISIBLE_DEVICES=all"],
        "Cmd": ["--model", "org/llama", "--max-model-len", "8192", "--tensor-parallel-size", "2"],
        "Image": "vllm/vllm-openai:v0.8.5",
        "WorkingDir": "/vllm-workspace",
        "Entrypoint": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
        "StopTimeout": 30,
        "Healthcheck": {"Test": ["CMD", "curl", "-f", "http://localhost:8000/health"], "Interval": 15000000000,
                        "Timeout": 5000000000, "StartPeriod": 300000000000, "Retries": 5},
        "Labels": {"com.docker.compose.project": "stack", "com.docker.compose.service": "llm",
                   "com.docker.compose.project.working_dir": "/srv/stack"},
    },
}  # fmt: skip

IMAGE: dict[str, Any] = {
    "Id": IMAGE_ID,
    "RepoTags": ["vllm/vllm-openai:v0.8.5"],
    "RepoDigests": [f"vllm/vllm-openai@{DIGEST}"],
    "Config": {
        "Env": ["PATH=/usr/local/bin:/usr/bin", "VLLM_USAGE_SOURCE=production", "NVIDIA_VISIBLE_DEVICES=all"],
        "Entrypoint": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
    },
}

# The compose file that the container above was started from.
COMPOSE = """\
services:
  llm:
    image: vllm/vllm-openai:v0.8.5
    command: --model org/llama --max-model-len 8192 --tensor-parallel-size 2
    environment:
      VLLM_ATTENTION_BACKEND: FLASHINFER
    volumes:
      - ./models:/models:ro
      - cache:/root/.cache/huggingface
    shm_size: 16gb
    mem_limit: 64g
    cpus: 8
    stop_grace_period: 30s
    pull_policy: always
    restart: unless-stopped
    healthcheck:
      test: [CMD, curl, -f, "http://localhost:8000/health"]
      interval: 15s
      timeout: 5s
      start_period: 5m
      retries: 5
    deploy:
      resources:
        reservations:
          devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]
volumes:
  cache: {}
"""


def container(**changes: Any) -> dict[str, Any]:
    """The container with fields of ``HostConfig`` (``host``) or ``Config`` (``config``) or its own changed."""
    made = copy.deepcopy(CONTAINER)
    made["HostConfig"].update(changes.pop("host", {}))
    made["Config"].update(changes.pop("config", {}))
    made.update(changes)
    return made
