"""What a real router printed at its start ("Args { … }"), field by field, against the data of its release."""

from __future__ import annotations

from askew.engines import versions

# https://github.com/huggingface/text-embeddings-inference/pull/459, January 2025: dtype, pooling and port were given.
PRINTED: dict[str, object] = {
    "revision": None, "tokenization_workers": None, "max_concurrent_requests": 512, "max_batch_tokens": 16384,
    "max_batch_requests": None, "max_client_batch_size": 32, "auto_truncate": False, "default_prompt_name": None,
    "default_prompt": None, "hf_api_token": None, "hostname": "0.0.0.0",
    "uds_path": "/tmp/text-embeddings-inference-server", "huggingface_hub_cache": None, "payload_limit": 2000000,
    "api_key": None, "json_output": False, "otlp_endpoint": None,
    "otlp_service_name": "text-embeddings-inference.server", "cors_allow_origin": None,
}  # fmt: skip


def test_every_field_that_was_printed_has_the_default_of_its_release() -> None:
    release = versions.load("tei", "1.6.0")
    assert release is not None
    for field, value in PRINTED.items():
        assert release.arguments["--" + field.replace("_", "-")].value == value, field
    given = {"--model-id", "--dtype", "--pooling", "--port"}
    has = {name for name in release.arguments if name.startswith("--")}
    assert has - given == {"--" + field.replace("_", "-") for field in PRINTED}
