"""Dumps of metrics for tests, and what is heard in them."""

from __future__ import annotations

from askew.app.heard import heard
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown


def told(text: str, at: float = 0.0, replica: str = "", name: str = "metrics.txt") -> Told:
    return Told(kind="metrics", name=name, source=name, text=text, at=at, replica=replica)


def said(*dumps: Told, engine: str = "") -> dict[str, Observation]:
    found = heard(dumps, engine)
    assert found is not None
    return {one.fact + (f"[{one.key}]" if one.key else ""): one for one in found.observations}


def value(observations: dict[str, Observation], fact: str) -> Value:
    found = observations[fact].value
    assert not isinstance(found, Unknown), found
    return found


VLLM = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="m"}} {running}
vllm:kv_cache_usage_perc{{engine="0",model_name="m"}} 0.5
vllm:generation_tokens_total{{engine="0",model_name="m"}} {tokens}
vllm:request_success_total{{engine="0",finished_reason="stop",model_name="m"}} {stopped}
vllm:request_success_total{{engine="0",finished_reason="length",model_name="m"}} {cut}
vllm:request_success_total{{engine="0",finished_reason="error",model_name="m"}} 0
vllm:time_to_first_token_seconds_bucket{{engine="0",le="0.1",model_name="m"}} {fast}
vllm:time_to_first_token_seconds_bucket{{engine="0",le="0.5",model_name="m"}} {all}
vllm:time_to_first_token_seconds_bucket{{engine="0",le="+Inf",model_name="m"}} {all}
vllm:time_to_first_token_seconds_sum{{engine="0",model_name="m"}} {sum}
vllm:time_to_first_token_seconds_count{{engine="0",model_name="m"}} {all}
"""


def vllm(requests: int, fast: int, running: int = 4) -> str:
    return VLLM.format(
        running=running, tokens=requests * 100, stopped=requests - requests // 10, cut=requests // 10, fast=fast,
        all=requests, sum=requests * 0.2,
    )  # fmt: skip


def histogram(name: str, labels: str = "") -> str:
    """A hundred values: half up to 0.5, half between 0.5 and 1.0."""
    return (
        "\n".join(
            f'{name}_bucket{{{labels}le="{le}"}} {count}' for le, count in (("0.5", 50), ("1.0", 100), ("+Inf", 100))
        )
        + f"\n{name}_sum{{{labels}}} 50\n{name}_count{{{labels}}} 100\n"
    )
