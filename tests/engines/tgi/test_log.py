"""What TGI's start-up logs state. Values are invented, shapes are real."""

from __future__ import annotations

import json

import pytest

from askew.engines.tgi.log import LOG
from tests.engines.logs import excerpt, facts, line_of, obeys_the_laws, observed

NEW, OLD = excerpt("tgi/3"), excerpt("tgi/1")


def test_arguments_over_many_lines() -> None:
    found = facts(LOG, NEW)
    assert found["model.id"] == "org/small-instruct"
    assert found["runtime.quantization"] == "bitsandbytes-nf4"
    assert found["runtime.kv_cache.dtype"] == "float8_e5m2"
    assert found["runtime.tensor_parallel_size"] == 4
    assert found["runtime.max_input_tokens"] == 3000
    assert found["runtime.max_model_len"] == 4096
    assert found["runtime.max_num_batched_tokens"] == 4096
    assert found["runtime.max_batch_total_tokens"] == 81000
    assert found["runtime.kv_cache.tokens"] == 81000
    assert found["runtime.attention_backend"] == "flashinfer"
    assert found["runtime.prefix_caching"] is True and found["runtime.chunked_prefill"] is True
    assert found["runtime.max_concurrent_requests"] == 64
    assert found["runtime.gpu_memory_utilization"] == 0.9
    assert found["model.trust_remote_code"] is False
    assert found["serving.api_key_required"] is True
    assert "serving.listen_host" not in found  # the name of the pod
    assert line_of(LOG, NEW, "model.revision") == 3 and line_of(LOG, NEW, "serving.port") == 36
    assert not any("canary" in repr(one) for one in observed(LOG, NEW))


def test_arguments_in_one_line() -> None:
    found = facts(LOG, OLD)
    assert found["runtime.quantization"] == "awq"
    assert found["runtime.max_input_tokens"] == 3072 and found["runtime.max_model_len"] == 4096
    assert found["runtime.tensor_parallel_size"] == 2
    assert found["model.trust_remote_code"] is True
    assert found["runtime.max_batch_total_tokens"] == 30000


def test_lines_that_are_json() -> None:
    args, *rest = NEW.split("\n2026-03-01T10:00:01.100001Z", 1)
    message = args.split("text_generation_launcher: ", 1)[1]
    entry = {"timestamp": "2026-03-01T10:00:00Z", "level": "INFO", "fields": {"message": message}}
    found = facts(LOG, json.dumps(entry | {"target": "text_generation_launcher"}) + "\n2026-03-01T10:00:01Z" + rest[0])
    assert found["runtime.quantization"] == "bitsandbytes-nf4" and found["runtime.max_input_tokens"] == 3000


@pytest.mark.parametrize("text", [NEW, OLD], ids=["3", "1"])
def test_laws(text: str) -> None:
    obeys_the_laws(LOG, text)
