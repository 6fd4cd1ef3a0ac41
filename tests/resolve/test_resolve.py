"""Precedence, lineage, rules, and that the order of evidence never matters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.errors import ResolveError
from askew.resolve.observation import PRECEDENCE, Observation, Origin, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.rule import Rule


def observed(
    fact: str, value: Value | Unknown, origin: Origin = "explicit", line: int = 1, **more: object
) -> Observation:
    at = Location(source="deploy.yaml", path=f"args[{line}]", line=line, column=3)
    return Observation(fact=fact, value=value, origin=origin, locations=(at,), **more)  # type: ignore[arg-type]


def test_the_explicit_value_wins_and_says_what_it_shadowed():
    facts = resolve(
        [observed("runtime.dtype", "bfloat16"), observed("runtime.dtype", "float16", "engine-default", line=9)]
    )
    won = facts["runtime.dtype"]
    assert (won.state, won.value, won.origin) == ("known", "bfloat16", "explicit")
    assert [(s.value, s.origin) for s in won.shadowed] == [("float16", "engine-default")]


def test_the_last_of_two_flags_wins():
    first, last = (
        observed("runtime.max_model_len", 4096, order=1),
        observed("runtime.max_model_len", 8192, line=2, order=2),
    )
    won = resolve([last, first])["runtime.max_model_len"]
    assert won.value == 8192
    assert won.shadowed[0].value == 4096


def test_none_is_known_to_be_absent():
    assert (
        resolve([observed("runtime.reasoning_parser", None, "engine-default")])["runtime.reasoning_parser"].state
        == "absent"
    )


def test_an_unknown_winner_stays_unknown_whatever_it_shadows():
    text = "$(nvidia-smi -L | wc -l)"
    won = resolve(
        [
            observed("runtime.tensor_parallel_size", Unknown(f"expanded at run time from {text}", text=text)),
            observed("runtime.tensor_parallel_size", 1, "engine-default"),
        ]
    )["runtime.tensor_parallel_size"]
    assert (won.state, won.text) == ("unknown", text)
    assert "run time" in won.reason


def test_an_assumption_fills_an_unknown_but_overrules_nothing_that_was_seen():
    unknown = observed("runtime.tensor_parallel_size", Unknown("expanded at run time"))
    assumed = observed("runtime.tensor_parallel_size", 4, "assumed")
    assert resolve([unknown, assumed])["runtime.tensor_parallel_size"].value == 4
    assert resolve([observed("runtime.tensor_parallel_size", 2), assumed])["runtime.tensor_parallel_size"].value == 2


def test_a_map_is_resolved_key_by_key():
    facts = resolve(
        [
            observed("runtime.env", {"NCCL_P2P_DISABLE": "0", "VLLM_USE_V1": "1"}, "env"),
            observed("runtime.env", "1", key="NCCL_P2P_DISABLE", line=7),
        ]
    )
    env = facts["runtime.env"]
    assert env.value == {"NCCL_P2P_DISABLE": "1", "VLLM_USE_V1": "1"}
    assert env.entries["NCCL_P2P_DISABLE"].locations[0].line == 7
    assert env.entries["NCCL_P2P_DISABLE"].shadowed[0].value == "0"


def test_the_smallest_timeout_over_the_hops_wins_and_names_its_hop():
    facts = resolve(
        [
            observed("serving.request_timeout", 300, hop="VirtualService prod/llm"),
            observed("serving.request_timeout", "unlimited", hop="client"),
            observed("serving.request_timeout", 60, "platform-default", hop="Ingress prod/llm"),
        ]
    )
    won = facts["serving.request_timeout"]
    assert won.value == 60
    assert [hop.name for hop in won.hops] == ["Ingress prod/llm", "VirtualService prod/llm", "client"]
    assert any("Ingress prod/llm" in reason for reason in won.because)


def test_a_hop_that_cannot_be_seen_lowers_the_confidence():
    won = resolve(
        [
            observed("serving.request_timeout", 300, hop="a"),
            observed("serving.request_timeout", Unknown("the class of the Ingress is not known"), hop="b"),
        ]
    )["serving.request_timeout"]
    assert (won.value, won.confidence) == (300, "likely")
    assert any("at most this" in reason for reason in won.because)


def half(facts):
    length = facts["runtime.max_model_len"]
    return length // 2 if isinstance(length, int) else Unknown("no length")


BATCHED = Rule(
    fact="runtime.max_num_batched_tokens", needs=("runtime.max_model_len",), compute=half, because="half the length"
)


def test_a_rule_applies_where_nothing_is_stated_and_only_there():
    ruled = resolve([observed("runtime.max_model_len", 8192)], [BATCHED])["runtime.max_num_batched_tokens"]
    assert (ruled.value, ruled.origin, ruled.because) == (4096, "engine-default", ("half the length",))
    stated = resolve(
        [observed("runtime.max_model_len", 8192), observed("runtime.max_num_batched_tokens", 512)], [BATCHED]
    )
    assert stated["runtime.max_num_batched_tokens"].value == 512


def test_a_missing_need_is_named():
    unknown = resolve([], [BATCHED])["runtime.max_num_batched_tokens"]
    assert unknown.state == "unknown"
    assert "runtime.max_model_len" in unknown.reason


def by_gpu(facts):
    return 1024 if facts["hardware.gpu.model"] == ["h100-80gb-sxm"] else 256


SEQS = Rule(fact="runtime.max_num_seqs", needs=("hardware.gpu.model",), compute=by_gpu, because="by GPU")


def test_a_rule_is_evaluated_for_every_gpu_the_pod_may_land_on():
    one = resolve([observed("hardware.gpu.model", ["h100-80gb-sxm"])], [SEQS])["runtime.max_num_seqs"]
    assert one.value == 1024
    either = resolve([observed("hardware.gpu.model", ["a100-40gb-pcie", "h100-80gb-sxm"])], [SEQS])[
        "runtime.max_num_seqs"
    ]
    assert either.state == "unknown"
    assert "h100-80gb-sxm: 1024" in either.reason


def test_rules_in_a_circle_are_refused():
    there = Rule(fact="runtime.max_num_seqs", needs=("runtime.max_model_len",), compute=lambda facts: 1, because="")
    back = Rule(fact="runtime.max_model_len", needs=("runtime.max_num_seqs",), compute=lambda facts: 1, because="")
    with pytest.raises(ResolveError, match="circle"):
        resolve([], [there, back])


def test_a_marker_makes_a_value_redacted():
    marker = Redactor(b"k").marker("s3cret")
    assert (
        resolve([observed("runtime.env", marker, key="VLLM_API_KEY")])["runtime.env"].entries["VLLM_API_KEY"].state
        == "redacted"
    )


def test_a_fact_that_one_hop_decides_names_the_hop():
    found = resolve(
        [
            observed("serving.buffering", True, "explicit", 3, hop="Ingress llm"),
            observed("serving.buffering", False, "platform-default", 1, hop="Route llm"),
        ]
    )["serving.buffering"]
    assert [(hop.name, hop.value) for hop in found.hops] == [("Ingress llm", True)]


OBSERVATIONS = st.lists(
    st.builds(
        observed,
        st.sampled_from(["runtime.max_model_len", "runtime.max_num_seqs", "serving.request_timeout"]),
        st.one_of(st.integers(1, 9), st.none(), st.builds(Unknown, st.sampled_from(["a", "b"]))),
        st.sampled_from(PRECEDENCE),
        st.integers(1, 5),
        order=st.integers(0, 2),
        hop=st.sampled_from(["", "a", "b"]),
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(OBSERVATIONS, st.randoms(use_true_random=False))
def test_resolution_does_not_depend_on_the_order_of_evidence(observations, random):
    shuffled = list(observations)
    random.shuffle(shuffled)
    assert resolve(observations, [BATCHED, SEQS]) == resolve(shuffled, [SEQS, BATCHED])


def test_what_follows_for_every_gpu_is_known_even_over_two_steps() -> None:
    from askew.knowledge.rules import RULES

    wanted = Rule(
        fact="runtime.max_model_len", needs=("hardware.gpu.memory.bytes",), because="by memory",
        compute=lambda known: 262144 if int(str(known["hardware.gpu.memory.bytes"])) >= 70 * 2**30 else 4096,
    )  # fmt: skip
    either = resolve([observed("hardware.gpu.model", ["a100-80gb-sxm", "h100-80gb-sxm"])], [*RULES, wanted])
    assert (either["runtime.max_model_len"].state, either["runtime.max_model_len"].value) == ("known", 262144)
    assert either["hardware.gpu.memory.bytes"].state == "unknown"
    assert "a100-80gb-sxm: 85899345920" in either["hardware.gpu.memory.bytes"].reason
    apart = resolve([observed("hardware.gpu.model", ["l4", "h100-80gb-sxm"])], [*RULES, wanted])
    assert apart["runtime.max_model_len"].state == "unknown"
    assert "l4: 4096, h100-80gb-sxm: 262144" in apart["runtime.max_model_len"].reason
