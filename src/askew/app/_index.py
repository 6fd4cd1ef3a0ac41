"""Written by `make generate`; do not edit. Names of plug-ins to the modules that hold them."""

from __future__ import annotations

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "argument-contains-space": "askew.checks.rules.argument_contains_space",
    "argument-ignored": "askew.checks.rules.argument_ignored",
    "argument-removed": "askew.checks.rules.argument_removed",
    "argument-unknown": "askew.checks.rules.argument_unknown",
    "argument-value-invalid": "askew.checks.rules.argument_value_invalid",
    "autoscaler-metric-missing": "askew.checks.rules.autoscaler_metric_missing",
    "autoscaling-on-cpu-or-memory": "askew.checks.rules.autoscaling_on_cpu_or_memory",
    "batched-tokens-below-context": "askew.checks.rules.batched_tokens_below_context",
    "bfloat16-without-hardware-support": "askew.checks.rules.bfloat16_without_hardware_support",
    "buffering-before-streaming": "askew.checks.rules.buffering_before_streaming",
    "context-beyond-declared": "askew.checks.rules.context_beyond_declared",
    "double-bos": "askew.checks.rules.double_bos",
    "floating-image-tag": "askew.checks.rules.floating_image_tag",
    "gpu-request-differs-from-limit": "askew.checks.rules.gpu_request_differs_from_limit",
    "gpu-request-without-limit": "askew.checks.rules.gpu_request_without_limit",
    "idle-gpus": "askew.checks.rules.idle_gpus",
    "liveness-without-startup-probe": "askew.checks.rules.liveness_without_startup_probe",
    "pull-policy-against-tag": "askew.checks.rules.pull_policy_against_tag",
    "remote-code-without-revision": "askew.checks.rules.remote_code_without_revision",
    "retries-multiply": "askew.checks.rules.retries_multiply",
    "rollout-deadlocks-on-gpus": "askew.checks.rules.rollout_deadlocks_on_gpus",
    "secret-in-arguments": "askew.checks.rules.secret_in_arguments",
    "service-link-variables-collide": "askew.checks.rules.service_link_variables_collide",
    "service-port-not-served": "askew.checks.rules.service_port_not_served",
    "shm-default-with-tensor-parallelism": "askew.checks.rules.shm_default_with_tensor_parallelism",
    "signature-mismatch": "askew.checks.rules.signature_mismatch",
    "startup-budget-below-load-time": "askew.checks.rules.startup_budget_below_load_time",
    "subpath-config-never-updates": "askew.checks.rules.subpath_config_never_updates",
    "tensor-parallel-across-mig": "askew.checks.rules.tensor_parallel_across_mig",
    "tensor-parallel-exceeds-gpus": "askew.checks.rules.tensor_parallel_exceeds_gpus",
    "timeout-below-engine-limits": "askew.checks.rules.timeout_below_engine_limits",
    "training-serving-package-skew": "askew.checks.rules.training_serving_package_skew",
    "unpinned-model-revision": "askew.checks.rules.unpinned_model_revision",
}
COLLECTORS: Mapping[str, str] = {
    "": "askew.collectors.files",
    "cmd": "askew.collectors.command",
    "file": "askew.collectors.files",
    "git": "askew.collectors.git",
    "helm": "askew.collectors.helm",
    "hf": "askew.collectors.hf",
    "kustomize": "askew.collectors.kustomize",
    "mlflow": "askew.collectors.training",
    "packages": "askew.collectors.packages",
    "sbom": "askew.collectors.packages",
    "training": "askew.collectors.training",
}
