"""The vocabulary: every fact that was promised is there, and its type keeps its laws."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.facts import kinds as k
from askew.facts.catalogue import FACTS, UnknownFact, by_category, collect, fact
from askew.facts.schema import facts_schema, value_schema
from askew.facts.types import SEVERITIES, Fact, Value, ValueType

_PROMISED = """
model.id model.served_names model.source model.revision model.trust_remote_code
model.tokenizer.source model.tokenizer.revision model.tokenizer.mode model.chat_template.source
runtime.engine.name runtime.engine.version runtime.image runtime.image.digest runtime.image.tag
runtime.dtype runtime.quantization runtime.kv_cache.dtype runtime.max_model_len
runtime.max_num_seqs runtime.max_num_batched_tokens runtime.gpu_memory_utilization
runtime.tensor_parallel_size runtime.pipeline_parallel_size runtime.data_parallel_size
runtime.chunked_prefill runtime.prefix_caching runtime.enforce_eager runtime.attention_backend runtime.speculative
runtime.cpu_offload.bytes runtime.swap.bytes runtime.generation_config runtime.sampling_defaults
runtime.reasoning_parser runtime.tool_call_parser runtime.lora.enabled runtime.lora.max_rank
runtime.rope_override runtime.hf_overrides runtime.seed runtime.load_format
runtime.max_input_tokens runtime.max_output_tokens runtime.default_output_tokens
runtime.max_concurrent_requests runtime.arguments.unmapped runtime.env
hardware.gpu.model hardware.gpu.count hardware.gpu.vendor hardware.gpu.mig_profile
serving.protocol serving.port serving.request_timeout serving.read_timeout serving.idle_timeout
serving.first_byte_timeout serving.retries serving.max_body.bytes serving.buffering serving.streaming
serving.max_concurrency
orchestration.kind orchestration.replicas.min orchestration.replicas.max
orchestration.autoscaler.kind orchestration.autoscaler.metrics
orchestration.resources.cpu orchestration.resources.memory.bytes orchestration.resources.ephemeral_storage.bytes
orchestration.shm.bytes orchestration.node_selector orchestration.affinity orchestration.tolerations
orchestration.probe.startup orchestration.probe.readiness orchestration.probe.liveness
orchestration.termination_grace orchestration.strategy orchestration.image_pull_policy orchestration.service_links
orchestration.volumes
"""
PROMISED = _PROMISED.split()

# What the design says weighs at least medium; everything else of the first milestone is low or info.
WEIGHTY = {
    *("model.id", "model.served_names", "model.source", "model.revision", "model.chat_template.source"),
    *("model.tokenizer.source", "model.tokenizer.revision", "model.tokenizer.mode"),
    *(
        "runtime.engine.name",
        "runtime.engine.version",
        "runtime.dtype",
        "runtime.kv_cache.dtype",
        "runtime.quantization",
    ),
    *(
        "runtime.max_model_len",
        "runtime.max_input_tokens",
        "runtime.max_output_tokens",
        "runtime.default_output_tokens",
    ),
    *("runtime.rope_override", "runtime.generation_config", "runtime.sampling_defaults"),
    *("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size", "runtime.data_parallel_size"),
    *("hardware.gpu.model", "hardware.gpu.count", "hardware.gpu.vendor", "hardware.gpu.mig_profile"),
    *("serving.request_timeout", "serving.read_timeout"),
    *("orchestration.replicas.min", "orchestration.replicas.max"),
    *("orchestration.autoscaler.kind", "orchestration.autoscaler.metrics"),
}

EXAMPLES = [
    pytest.param(one, example, id=f"{one.key}-{i}") for one in FACTS.values() for i, example in enumerate(one.examples)
]
CATEGORIES = {"model", "runtime", "hardware", "serving", "orchestration", "performance", "governance"}
TYPES: list[ValueType] = list({id(one.type): one.type for one in FACTS.values()}.values())

SPELLINGS = (
    *("32k", "16Gi", "90s", "1m30s", "50%", "auto", "half", "v0.8.5-rc1", "unlimited", "true"),
    *("1e3", "0.5", "none", "a,b", "{}", "-1", "sha256:0a", "1.0"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(SPELLINGS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def canonical(kind: ValueType, raw: Value) -> tuple[bool, Value]:
    """Whether the type takes ``raw``, and what it makes of it."""
    try:
        return True, kind.parse(raw)
    except ValueError:
        return False, None


@pytest.mark.parametrize("key", PROMISED)
def test_every_promised_fact_is_declared(key: str) -> None:
    assert fact(key).milestone == 1
    assert fact(key).stability == "stable"


def test_the_published_vocabulary_is_declared(shared: Path) -> None:
    """Reads the names from the binding document, so that none is missed in the list above."""
    category, promised = "", set()
    for line in (shared / "FACTS.md").read_text().splitlines():
        if heading := re.match(r"## (\w+):", line):
            category = heading[1]
        if not category or not line.startswith("|"):
            continue
        first = ""
        for star, name in re.findall(r"(★ )?`([a-z_.0-9]+)`", line.split("|")[1]):
            first = first or name
            full = first.rsplit(".", 1)[0] + name if name.startswith(".") else name
            if star:
                promised.add(full)
    assert len(promised) > 60
    assert promised == set(PROMISED)


@pytest.mark.parametrize("one", FACTS.values(), ids=FACTS)
def test_a_fact_explains_itself(one: Fact) -> None:
    assert one.key.split(".")[0] in {
        "model",
        "runtime",
        "hardware",
        "serving",
        "orchestration",
        "performance",
        "governance",
    }
    assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", one.key)
    assert one.severity in SEVERITIES
    assert one.brief.endswith(".") and one.why.endswith(".")
    assert len(one.why) > 30 and one.why != one.brief
    assert one.observe_with and one.playbook and one.examples
    for other in (one.settled_by, one.follows):
        assert not other or other in FACTS
    assert one.combine != "smallest" or one.type in (k.seconds, k.bytes_or_unlimited, k.count_or_unlimited)


def test_severities_follow_the_design() -> None:
    first = {key for key, one in FACTS.items() if one.milestone == 1 and one.severity in ("critical", "high", "medium")}
    assert first == WEIGHTY


@pytest.mark.parametrize(("one", "example"), EXAMPLES)
def test_examples_are_canonical(one: Fact, example: Value) -> None:
    parsed = one.type.parse(example)
    assert msgspec.json.encode(parsed) == msgspec.json.encode(example)
    assert one.type.same(parsed, example)
    assert one.type.show(parsed)
    again = msgspec.json.decode(msgspec.json.encode(parsed))
    assert one.type.same(one.type.parse(again), parsed), "a value survives being written to a lock and read back"


@pytest.mark.parametrize(("one", "example"), EXAMPLES)
def test_schemas_describe_the_examples(one: Fact, example: Value) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(value_schema(one))
    jsonschema.validate(example, value_schema(one))
    jsonschema.validate(None, value_schema(one))


def test_the_schema_of_all_facts_refuses_a_wrong_value_and_lets_new_facts_through() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(facts_schema())
    assert validator.is_valid({"runtime.max_model_len": 8192, "runtime.a_later_fact": {"x": 1}})
    assert not validator.is_valid({"runtime.max_model_len": "8192"})
    first = facts_schema(milestone=1)["properties"]
    assert isinstance(first, dict)
    assert set(first) == {key for key, one in FACTS.items() if one.milestone == 1}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TYPES), json_values, json_values)
def test_laws_of_every_type(kind: ValueType, raw: Value, other: Value) -> None:
    """Parsing is idempotent, equality reflexive and symmetric, showing never fails, whatever a file says."""
    taken, value = canonical(kind, raw)
    if not taken:
        return
    assert kind.same(kind.parse(value), value)
    assert repr(kind.parse(value)) == repr(value)
    assert kind.same(value, value)
    assert isinstance(kind.show(value), str)
    if kind.satisfies:
        assert kind.satisfies(value, value) is True
    taken, second = canonical(kind, other)
    if taken:
        assert kind.same(value, second) == kind.same(second, value)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([kind for kind in TYPES if kind.keyed]),
    st.dictionaries(st.text(max_size=6), json_values, max_size=4),
)
def test_an_entry_is_read_as_in_its_map(kind: ValueType, raw: dict[str, Value]) -> None:
    taken, value = canonical(kind, raw)
    if not taken or not isinstance(value, dict):
        return
    assert kind.entry is not None
    for key, item in value.items():
        assert repr(kind.entry(key).parse(item)) == repr(item)
    assert list(value) == sorted(value)


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (k.text, "  meta-llama/Llama ", "meta-llama/Llama"),
        (k.text, "", None),
        (k.text, 8, "8"),
        (k.verbatim, " ", " "),
        (k.verbatim, True, "true"),
        (k.boolean, "True", True),
        (k.boolean, 0, False),
        (k.boolean, "off", False),
        (k.count, "8", 8),
        (k.count, 8.0, 8),
        (k.tokens, "32k", 32000),
        (k.tokens, "32K", 32768),
        (k.tokens, "1e5", 100000),
        (k.count_or_unlimited, "unlimited", "unlimited"),
        (k.bytes_, "16Gi", 16 * 2**30),
        (k.bytes_, "16 GB", 16 * 10**9),
        (k.bytes_, 1024, 1024),
        (k.cores, "500m", 0.5),
        (k.cores, "2", 2),
        (k.seconds, "1m30s", 90),
        (k.seconds, "60", 60),
        (k.seconds, 60.0, 60),
        (k.seconds, "500ms", 0.5),
        (k.seconds, "infinity", "unlimited"),
        (k.ratio, "90%", 0.9),
        (k.ratio, 1, 1.0),
        (k.dtype, "half", "float16"),
        (k.dtype, "torch.bfloat16", "bfloat16"),
        (k.digest, "AB" * 32, "sha256:" + "ab" * 32),
        (k.digest, "docker.io/x@sha256:" + "ab" * 32, "sha256:" + "ab" * 32),
        (k.version, "v0.8.5-post1", "0.8.5.post1"),
        (k.version, 0.8, "0.8"),
        (k.gpu_set, "NVIDIA H100 80GB HBM3", ["nvidia-h100-80gb-hbm3"]),
        (k.gpu_set, ["b", "A", "b"], ["a", "b"]),
        (k.string_set, ["b", "a", "b", ""], ["a", "b"]),
        (k.setting, "0.70", 0.7),
        (k.setting, "True", True),
        (k.mapping(), '{"b": "1", "a": {"x": [1.0]}}', {"a": {"x": [1]}, "b": 1}),
        (k.mapping(k.verbatim), {1: 2, False: None}, {"1": "2", "false": None}),
    ],
)
def test_spellings_of_the_field(kind: ValueType, raw: Value, expected: Value) -> None:
    taken, value = canonical(kind, raw)
    assert repr(value) == repr(expected)
    assert taken or expected is None


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (k.boolean, "maybe"),
        (k.boolean, 2),
        (k.count, "banana"),
        (k.count, -1),
        (k.count, 1.5),
        (k.count, True),
        (k.count, "unlimited"),
        (k.count, 10**30),
        (k.count, "9" * 5000),
        (k.number, float("nan")),
        (k.ratio, 1.2),
        (k.ratio, "90"),
        (k.seconds, -5),
        (k.seconds, "soon"),
        (k.bytes_, "16 apples"),
        (k.dtype, "auto"),
        (k.dtype, 16),
        (k.digest, "latest"),
        (k.version, "latest"),
        (k.text, ["a"]),
        (k.mapping(), "[1]"),
        (k.mapping(k.count), {"a": "x"}),
        (k.enum("a", "b"), "c"),
        (k.string_set, {"a": 1}),
        (k.tolerations, ["x"]),
    ],
)
def test_what_is_no_value_is_refused_with_what_was_expected(kind: ValueType, raw: Value) -> None:
    with pytest.raises(ValueError, match=r"expected|is not|for example") as caught:
        kind.parse(raw)
    assert len(str(caught.value)) < 300


def test_nesting_is_bounded() -> None:
    deep: Value = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ValueError, match="levels"):
        k.data.parse(deep)
    with pytest.raises(ValueError, match="a map"):
        k.mapping().parse('{"a":' * 100_000)


@pytest.mark.parametrize(
    ("declared", "target", "met"),
    [
        (["h100-80gb-pcie", "h100-80gb-sxm"], ["h100-80gb-sxm"], True),
        (["h100-80gb-sxm"], ["h100-80gb-sxm"], True),
        (["h100-80gb-sxm"], ["a100-80gb-sxm"], False),
        (["h100-80gb-sxm"], ["a100-80gb-sxm", "h100-80gb-sxm"], None),
        (["h100-80gb-sxm"], None, False),
    ],
)
def test_gpu_sets_against_a_contract(declared: Value, target: Value, met: bool | None) -> None:
    assert k.gpu_set.satisfies is not None
    assert k.gpu_set.satisfies(declared, target) is met
    assert k.gpu_set.same(declared, target) == (declared == target), "between peers only equal sets are the same"


def test_a_declared_map_speaks_of_its_own_keys_only() -> None:
    env = fact("runtime.env").type
    assert env.satisfies is not None
    assert env.satisfies({"A": "1"}, {"A": "1", "B": "2"}) is True
    assert env.satisfies({"A": "1"}, {"B": "2"}) is False
    assert env.satisfies({"A": "1"}, {"A": "2"}) is False
    assert not env.same({"A": "1"}, {"A": "1", "B": "2"})


def test_quantities_are_exact_and_fractions_nearly() -> None:
    assert not k.bytes_.same(2**53, 2**53 + 1)
    assert not k.tokens.same(8192, 8193)
    assert k.ratio.same(0.1 + 0.2, 0.3)
    assert not k.ratio.same(0.9, 0.91)
    assert not k.setting.same(True, 1)
    assert k.version.same("0.8", "0.8.0")
    assert not k.version.same("0.8.5", "0.8.5.post1")
    packages = fact("runtime.packages").type
    assert packages.same({"torch": "2.6"}, {"torch": "2.6.0"})


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (k.count, 8192, "8192"),
        (k.bytes_, 17179869184, "16 GiB (17179869184)"),
        (k.bytes_, 0, "0 bytes"),
        (k.seconds, 60, "60 s"),
        (k.seconds, "unlimited", "unlimited"),
        (k.string_set, ["a", "b"], "a, b"),
        (k.string_set, [], "none"),
        (k.boolean, False, "false"),
        (k.text, None, "none"),
        (k.verbatim, "", '""'),
        (k.mapping(k.bytes_), {"limit": 2**30, "request": None}, "limit=1 GiB (1073741824), request=none"),
        (k.list_of(k.item_of(port=k.count)), [{"port": 80}, {"port": 81}], "port=80; port=81"),
    ],
)
def test_values_as_people_read_them(kind: ValueType, value: Value, shown: str) -> None:
    assert kind.show(value) == shown


def test_growing_enums_let_new_words_through_and_closed_ones_do_not() -> None:
    assert fact("runtime.quantization").type.parse("Some_New_Method") == "some_new_method"
    assert fact("runtime.quantization").type.parse(None) == "none"
    assert fact("runtime.quantization").type.parse("compressed_tensors") == "compressed-tensors"
    assert fact("runtime.attention_backend").type.parse("FLASH_ATTN_VLLM_V1") == "flash_attn"
    assert fact("runtime.generation_config").type.parse("/Config/Gen") == "/Config/Gen"
    assert fact("orchestration.kind").type.parse("deployment") == "Deployment"
    with pytest.raises(ValueError, match="Always, IfNotPresent, Never"):
        fact("orchestration.image_pull_policy").type.parse("Sometimes")


def test_order_never_matters_in_placement() -> None:
    tolerations = fact("orchestration.tolerations").type
    one: dict[str, Value] = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    two: dict[str, Value] = {"key": "spot", "value": "true", "tolerationSeconds": 60}
    assert tolerations.parse([one, two, one]) == tolerations.parse([{**two, "operator": "Equal", "effect": ""}, one])
    assert tolerations.parse([two]) == [{"key": "spot", "operator": "Equal", "seconds": 60, "value": "true"}]

    def node_affinity(*values: str) -> Value:
        expression: Value = {"operator": "In", "key": "gpu", "values": [*values]}
        required = "requiredDuringSchedulingIgnoredDuringExecution"
        return {
            "nodeAffinity": {required: {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
            "podAffinity": {},
        }

    affinity = fact("orchestration.affinity").type
    assert affinity.parse(node_affinity("h100", "h200")) == affinity.parse(node_affinity("h200", "h100"))
    assert not affinity.same(affinity.parse(node_affinity("h100")), affinity.parse(node_affinity("h200")))
    assert affinity.parse({}) == []


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownFact, match=r"runtime\.max_model_len"):
        fact("runtime.max_model_length")
    with pytest.raises(UnknownFact, match=r"runtime\.dtype"):
        fact("dtype")
    with pytest.raises(UnknownFact, match="askew explain"):
        fact("zzz" * 100_000)


def test_a_key_cannot_be_declared_twice() -> None:
    with pytest.raises(ValueError, match=r"model\.id is declared twice"):
        collect((fact("model.id"),), (fact("runtime.dtype"), fact("model.id")))


def test_declaring_facts_imports_no_parser() -> None:
    """The vocabulary is imported by every command: what parses quantities or versions is not, until it is needed."""
    code = "import sys, askew.facts.catalogue; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "askew.facts.runtime" in loaded
    unwanted = {"packaging", "pathlib", "json", "difflib", "dataclasses", "askew.facts.values.quantity"}
    assert not unwanted.intersection(loaded)


def test_categories_hold_every_fact_once() -> None:
    grouped = by_category()
    assert [one for facts in grouped.values() for one in facts] == list(FACTS.values())
    assert set(grouped) == CATEGORIES


def test_a_list_of_numbers_has_the_order_of_numbers() -> None:
    sizes = fact("runtime.cuda_graph.sizes").type
    assert sizes.parse(["16", 2, 1, 32]) == [1, 2, 16, 32]
    assert sizes.same([1, 16, 2], [1, 2, 16]) and not sizes.same([1, 2], [1, 2, 16])


def test_a_cache_that_start_up_measured_may_move_by_a_few_blocks() -> None:
    kind = FACTS["runtime.kv_cache.tokens"].type
    assert kind.same(345_678, 345_200) and kind.same(345_200, 345_678)
    assert not kind.same(4096, 4000) and not kind.same(0, 1) and not kind.same(None, 4096)
