"""What real launchers printed at their start ("Args { … }"), field by field, against the data of their releases.

Fields and values as people reported them; each case names where. What a user had set is in ``given``.
"""

from __future__ import annotations

import pytest

from askew.engines import versions

_COMMON: dict[str, object] = {
    "revision": None, "validation_workers": 2, "sharded": None, "num_shard": None, "quantize": None, "dtype": None,
    "trust_remote_code": False, "max_concurrent_requests": 128, "max_best_of": 2, "max_stop_sequences": 4,
    "max_top_n_tokens": 5, "max_batch_total_tokens": None, "max_waiting_tokens": 20,
    "shard_uds_path": "/tmp/text-generation-server", "master_addr": "localhost", "master_port": 29500,
    "weights_cache_override": None, "disable_custom_kernels": False, "cuda_memory_fraction": 1.0,
    "rope_scaling": None, "rope_factor": None, "json_output": False, "otlp_endpoint": None,
}  # fmt: skip
_SOME: dict[str, object] = {
    **_COMMON, "speculate": None, "max_input_tokens": None, "max_input_length": None, "max_total_tokens": None,
    "waiting_served_ratio": 0.3, "max_batch_prefill_tokens": None, "max_batch_size": None, "cuda_graphs": None,
    "otlp_service_name": "text-generation-inference.router", "cors_allow_origin": None, "api_key": None,
    "watermark_gamma": None,
}  # fmt: skip
CASES = {
    # https://github.com/huggingface/text-generation-inference/issues/1220
    "1.1.0": (
        {
            **_COMMON, "max_input_length": 1024, "max_total_tokens": 2048, "waiting_served_ratio": 1.2,
            "max_batch_prefill_tokens": 4096, "cors_allow_origin": None, "watermark_gamma": None,
            "watermark_delta": None, "ngrok": False, "ngrok_authtoken": None, "ngrok_edge": None, "env": False,
        },
        {"max_concurrent_requests": 2000},
    ),
    # https://github.com/huggingface/text-generation-inference/issues/3105
    "3.2.0": (
        {**_SOME, "kv_cache_dtype": None},
        {"sharded": True, "num_shard": 4, "max_input_tokens": 32000, "max_total_tokens": 64000},
    ),
}  # fmt: skip


@pytest.mark.parametrize("version", sorted(CASES))
def test_every_field_that_was_printed_has_the_default_of_its_release(version: str) -> None:
    printed, given = CASES[version]
    release = versions.load("tgi", version)
    assert release is not None
    agree = 0
    for field, value in printed.items():
        if field in given:
            continue
        entry = release.arguments["--" + field.replace("_", "-")]
        assert entry.value == value, field
        agree += 1
    assert agree == len(printed) - len(set(given) & set(printed))
    assert agree >= 28


def test_a_dump_has_no_field_that_the_release_lacks() -> None:
    for version, (printed, _) in CASES.items():
        release = versions.load("tgi", version)
        assert release is not None
        assert {"--" + field.replace("_", "-") for field in printed} <= set(release.arguments), version
