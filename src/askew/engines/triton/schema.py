"""``ModelConfig``: what a ``config.pbtxt`` of Triton may hold, as data.

Source: ``protobuf/model_config.proto`` of https://github.com/triton-inference-server/common, branches ``r21.02`` to
``r26.07``; ``SINCE`` names the container with which a field came, where that is later than the oldest release here.
"""

from __future__ import annotations

from collections.abc import Mapping

_TYPES = (
    "TYPE_INVALID|TYPE_BOOL|TYPE_UINT8|TYPE_UINT16|TYPE_UINT32|TYPE_UINT64|TYPE_INT8|TYPE_INT16|TYPE_INT32|TYPE_INT64|"
    "TYPE_FP16|TYPE_FP32|TYPE_FP64|TYPE_STRING|TYPE_BF16"
)
_BATCH_INPUTS = (
    "BATCH_ELEMENT_COUNT|BATCH_ACCUMULATED_ELEMENT_COUNT|BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO|"
    "BATCH_MAX_ELEMENT_COUNT_AS_SHAPE|BATCH_ITEM_SHAPE|BATCH_ITEM_SHAPE_FLATTEN"
)
_CONTROLS = "CONTROL_SEQUENCE_START|CONTROL_SEQUENCE_READY|CONTROL_SEQUENCE_END|CONTROL_SEQUENCE_CORRID"


def _fields(text: str) -> dict[str, str]:
    return dict(part.split(" ") for part in text.split(", "))


SCHEMA: Mapping[str, Mapping[str, str]] = {
    "ModelConfig": {
        **_fields(
            "name string, platform string, backend string, runtime string, version_policy VersionPolicy, "
            "max_batch_size int32, input Input*, output Output*, batch_input BatchInput*, batch_output BatchOutput*, "
            "optimization Optimization, dynamic_batching DynamicBatching@scheduler, "
            "sequence_batching SequenceBatching@scheduler, ensemble_scheduling Ensemble@scheduler, "
            "instance_group InstanceGroup*, default_model_filename string, model_warmup Warmup*, "
            "model_operations Operations, model_transaction_policy TransactionPolicy, "
            "model_repository_agents Agents, response_cache Enabled, model_metrics Metrics"
        ),
        "cc_model_filenames": "map:string:string",
        "metric_tags": "map:string:string",
        "parameters": "map:string:Parameter",
    },
    "Parameter": {"string_value": "string"},
    "Enabled": {"enable": "bool"},
    "VersionPolicy": _fields("latest Latest@policy, all All@policy, specific Specific@policy"),
    "Latest": {"num_versions": "uint32"},
    "All": {},
    "Specific": {"versions": "int64*"},
    "Reshape": {"shape": "int64*"},
    "Input": {
        "name": "string",
        "data_type": _TYPES,
        "format": "FORMAT_NONE|FORMAT_NHWC|FORMAT_NCHW",
        "dims": "int64*",
        "reshape": "Reshape",
        "is_shape_tensor": "bool",
        "allow_ragged_batch": "bool",
        "optional": "bool",
        "is_non_linear_format_io": "bool",
    },
    "Output": {
        "name": "string",
        "data_type": _TYPES,
        "dims": "int64*",
        "reshape": "Reshape",
        "label_filename": "string",
        "is_shape_tensor": "bool",
        "is_non_linear_format_io": "bool",
    },
    "BatchInput": {
        "kind": _BATCH_INPUTS,
        "target_name": "string*",
        "data_type": _TYPES,
        "source_input": "string*",
    },
    "BatchOutput": {"target_name": "string*", "kind": "BATCH_SCATTER_WITH_INPUT_SHAPE", "source_input": "string*"},
    "Optimization": {
        "graph": "Graph",
        "priority": "PRIORITY_DEFAULT|PRIORITY_MAX|PRIORITY_MIN",
        "cuda": "Cuda",
        "execution_accelerators": "Accelerators",
        "input_pinned_memory": "Enabled",
        "output_pinned_memory": "Enabled",
        "gather_kernel_buffer_threshold": "uint32",
        "eager_batching": "bool",
    },
    "Graph": {"level": "int32"},
    "Cuda": _fields("graphs bool, busy_wait_events bool, graph_spec GraphSpec*, output_copy_stream bool"),
    "GraphSpec": {"batch_size": "int32", "input": "map:string:Shape", "graph_lower_bound": "LowerBound"},
    "LowerBound": {"batch_size": "int32", "input": "map:string:Shape"},
    "Shape": {"dim": "int64*"},
    "Accelerators": _fields("gpu_execution_accelerator Accelerator*, cpu_execution_accelerator Accelerator*"),
    "Accelerator": {"name": "string", "parameters": "map:string:string"},
    "QueuePolicy": {
        "timeout_action": "REJECT|DELAY",
        "default_timeout_microseconds": "uint64",
        "allow_timeout_override": "bool",
        "max_queue_size": "uint32",
    },
    "DynamicBatching": {
        "preferred_batch_size": "int32*",
        "max_queue_delay_microseconds": "uint64",
        "preserve_ordering": "bool",
        "priority_levels": "uint64",
        "default_priority_level": "uint64",
        "default_queue_policy": "QueuePolicy",
        "priority_queue_policy": "map:uint64:QueuePolicy",
    },
    "SequenceBatching": {
        "direct": "Direct@strategy",
        "oldest": "Oldest@strategy",
        "max_sequence_idle_microseconds": "uint64",
        "control_input": "ControlInput*",
        "state": "State*",
        "iterative_sequence": "bool",
    },
    "Direct": {"max_queue_delay_microseconds": "uint64", "minimum_slot_utilization": "float"},
    "Oldest": {
        "max_candidate_sequences": "int32",
        "preferred_batch_size": "int32*",
        "max_queue_delay_microseconds": "uint64",
        "preserve_ordering": "bool",
    },
    "ControlInput": {"name": "string", "control": "Control*"},
    "Control": {
        "kind": _CONTROLS,
        "int32_false_true": "int32*",
        "fp32_false_true": "float*",
        "bool_false_true": "bool*",
        "data_type": _TYPES,
    },
    "State": {
        "input_name": "string",
        "output_name": "string",
        "data_type": _TYPES,
        "dims": "int64*",
        "initial_state": "InitialState*",
        "use_same_buffer_for_input_output": "bool",
        "use_growable_memory": "bool",
    },
    "InitialState": {
        "data_type": _TYPES,
        "dims": "int64*",
        "zero_data": "bool@data",
        "data_file": "string@data",
        "name": "string",
    },
    "Ensemble": {"step": "Step*", "max_inflight_requests": "uint32"},
    "Step": {
        "model_name": "string",
        "model_version": "int64",
        "input_map": "map:string:string",
        "output_map": "map:string:string",
        "model_namespace": "string",
    },
    "InstanceGroup": {
        "name": "string",
        "kind": "KIND_AUTO|KIND_GPU|KIND_CPU|KIND_MODEL",
        "count": "int32",
        "rate_limiter": "RateLimiter",
        "gpus": "int32*",
        "secondary_devices": "SecondaryDevice*",
        "profile": "string*",
        "passive": "bool",
        "host_policy": "string",
    },
    "SecondaryDevice": {"kind": "KIND_NVDLA", "device_id": "int64"},
    "RateLimiter": {"resources": "Resource*", "priority": "uint32"},
    "Resource": {"name": "string", "global": "bool", "count": "uint32"},
    "Warmup": {"name": "string", "batch_size": "uint32", "inputs": "map:string:WarmupInput", "count": "uint32"},
    "WarmupInput": {
        "data_type": _TYPES,
        "dims": "int64*",
        "zero_data": "bool@data",
        "random_data": "bool@data",
        "input_data_file": "string@data",
    },
    "Operations": {"op_library_filename": "string*"},
    "TransactionPolicy": {"decoupled": "bool"},
    "Agents": {"agents": "Agent*"},
    "Agent": {"name": "string", "parameters": "map:string:string"},
    "Metrics": {"metric_control": "MetricControl*"},
    "MetricControl": {"metric_identifier": "MetricIdentifier", "histogram_options": "Histogram@options"},
    "MetricIdentifier": {"family": "string"},
    "Histogram": {"buckets": "double*"},
}

# Message and field → the server with which it came (the container of the same month).
SINCE: Mapping[tuple[str, str], str] = {
    ("Warmup", "count"): "2.24.0",
    ("Step", "model_namespace"): "2.32.0",
    ("Oldest", "preserve_ordering"): "2.37.0",
    ("State", "use_same_buffer_for_input_output"): "2.40.0",
    ("State", "use_growable_memory"): "2.40.0",
    ("SequenceBatching", "iterative_sequence"): "2.40.0",
    ("ModelConfig", "runtime"): "2.42.0",
    ("Input", "is_non_linear_format_io"): "2.49.0",
    ("Output", "is_non_linear_format_io"): "2.49.0",
    ("ModelConfig", "model_metrics"): "2.52.0",
    ("Ensemble", "max_inflight_requests"): "2.63.0",
}
