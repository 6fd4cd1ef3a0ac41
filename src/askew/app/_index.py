"""Written by `make generate`; do not edit. Names of plug-ins to the modules that hold them."""

from __future__ import annotations

from collections.abc import Mapping

ENGINES: Mapping[str, str] = {
    "sglang": "askew.engines.sglang",
    "tgi": "askew.engines.tgi",
    "vllm": "askew.engines.vllm",
}
CHECKS: Mapping[str, str] = {
    "autoscaling-on-cpu-or-memory": "askew.checks.rules.autoscaling_on_cpu_or_memory",
    "bfloat16-without-hardware-support": "askew.checks.rules.bfloat16_without_hardware_support",
    "buffering-before-streaming": "askew.checks.rules.buffering_before_streaming",
    "floating-image-tag": "askew.checks.rules.floating_image_tag",
    "gpu-request-without-limit": "askew.checks.rules.gpu_request_without_limit",
    "liveness-without-startup-probe": "askew.checks.rules.liveness_without_startup_probe",
    "remote-code-without-revision": "askew.checks.rules.remote_code_without_revision",
    "retries-multiply": "askew.checks.rules.retries_multiply",
    "service-link-variables-collide": "askew.checks.rules.service_link_variables_collide",
    "shm-default-with-tensor-parallelism": "askew.checks.rules.shm_default_with_tensor_parallelism",
    "tensor-parallel-exceeds-gpus": "askew.checks.rules.tensor_parallel_exceeds_gpus",
    "timeout-below-engine-limits": "askew.checks.rules.timeout_below_engine_limits",
    "unpinned-model-revision": "askew.checks.rules.unpinned_model_revision",
}
COLLECTORS: Mapping[str, str] = {
    "": "askew.collectors.files",
    "cmd": "askew.collectors.command",
    "file": "askew.collectors.files",
    "git": "askew.collectors.git",
    "helm": "askew.collectors.helm",
    "kustomize": "askew.collectors.kustomize",
}
