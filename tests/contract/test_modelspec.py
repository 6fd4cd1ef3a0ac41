"""A contract holds a deployment to what it declares, and to nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.match import covers
from askew.compare.compare import Comparison, compare
from askew.contract.modelspec import read, write
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from tests.contract.manifests import DEPLOYMENT, document, only, snapshots

MINIMAL = """\
apiVersion: piqc.ai/v1alpha1
kind: ModelSpec
metadata:
  name: chat
  annotations: {}
spec:
  identity:
    model: {id: llama, family: llama3, task: chat, framework: transformers}
  runtime:
    accelerator: {vendor: nvidia, type: h100-80gb, count: 1}
"""


def with_(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def annotated(*lines: str) -> str:
    return with_(
        MINIMAL, ("  annotations: {}\n", "  annotations:\n" + "".join(f"    askew.dev/{line}\n" for line in lines))
    )


def against(spec: str, deployment: str, folder: Path) -> Comparison:
    (target,) = snapshots(deployment, folder)
    return compare(only(read(document(spec))).snapshot, target, "contract")


def keys(comparison: Comparison) -> list[tuple[str, str]]:
    return [(d.fact.key, d.key) for d in comparison.differences]


# -- reading


def test_fields_become_facts_with_their_places() -> None:
    spec = with_(
        MINIMAL,
        ("framework: transformers}", "framework: transformers, precision: bf16}"),
        ("count: 1}", "count: 4}\n    batch: {maxBatchSize: 32}\n    resources: {memoryGb: 64}"),
    )
    facts = only(read(document(spec))).snapshot.facts
    assert facts["runtime.dtype"].value == "bfloat16"
    assert facts["runtime.max_num_seqs"].value == 32
    assert facts["hardware.gpu.count"].value == 4
    assert facts["hardware.gpu.model"].value == ["h100-80gb-pcie", "h100-80gb-sxm"]
    assert facts["orchestration.resources.memory.bytes"].value == {"request": 64 * 2**30}
    batch = facts["runtime.max_num_seqs"]
    assert batch.origin == "contract"
    assert (batch.locations[0].path, batch.locations[0].line) == ("spec.runtime.batch.maxBatchSize", 11)


@pytest.mark.parametrize(
    ("precision", "fact", "value"),
    [
        ("FP16", "runtime.dtype", "float16"),
        ("bfloat16", "runtime.dtype", "bfloat16"),
        ("int8", "runtime.quantization", "int8"),
        ("AWQ", "runtime.quantization", "awq"),
        ("fp8", "runtime.quantization", "fp8"),
        ("GPTQ", "runtime.quantization", "gptq"),
        ("banana", "runtime.dtype", None),
    ],
)
def test_a_precision_is_a_dtype_or_a_method(precision: str, fact: str, value: Value) -> None:
    spec = with_(MINIMAL, ("framework: transformers}", f"framework: transformers, precision: {precision}}}"))
    snapshot = only(read(document(spec))).snapshot
    assert snapshot.facts[fact].value == value
    assert bool(snapshot.problems) == (value is None)


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("count: 1", "count: 0", "runtime.accelerator.count: expected a whole number of 1 or more", ""),
        ("count: 1", "count: 99999999999999999999", "accelerator.count: ", ""),
        ("count: 1}", "count: 1}\n    resources: {memoryGb: 1e300}", "resources.memoryGb: ", "explain"),
        ("count: 1", 'count: "two"', "got 'two'", "without quotes"),
        (", count: 1", "", "spec.runtime.accelerator.count is missing", "add count"),
        ("vendor: nvidia", "vender: nvidia", "vendor is missing", "add vendor"),
        ("count: 1", "count: 1, memory: 3", "memory is no field", "takes vendor, type, count"),
        ("spec:\n", "spec:\n  maxBatchSize: 8\n", "maxBatchSize is no field", "spec.runtime.batch.maxBatchSize"),
        ("v1alpha1", "v1beta1", "expected piqc.ai/v1alpha1", "v1alpha1"),
        ("family: llama3", "family: 3", "expected text, got the number 3", '"3"'),
        ("  annotations: {}", "  annotations: {askew.dev/runtime.dtyp: fp16}", "runtime.dtyp", "runtime.dtype"),
        (
            "  annotations: {}",
            "  annotations: {askew.dev/runtime.max_model_len: many}",
            "a number of tokens",
            "explain",
        ),
        ("  annotations: {}", "  annotations: {askew.dev/runtime.speculative: '{'}", "not valid JSON", "explain"),
        (
            "  annotations: {}",
            "  annotations: {askew.dev/hardware.gpu.vendor: amd}",
            "states hardware.gpu.vendor",
            "same",
        ),
    ],
)
def test_what_is_wrong_names_the_path_and_what_was_meant(old: str, new: str, message: str, hint: str) -> None:
    _, invalid = read(document(with_(MINIMAL, (old, new))))
    assert any(message in i.message and hint in i.hint and i.location.line for i in invalid), invalid


def test_the_published_examples_are_valid(shared: Path) -> None:
    examples = sorted((shared / "modelspec" / "examples").glob("*.yaml"))
    assert len(examples) > 5
    for path in examples:
        contract = only(read(document(path.read_text(encoding="utf-8"), path.name)))
        assert contract.snapshot.facts["hardware.gpu.model"].state == "known", path


def test_our_description_accepts_and_refuses_what_the_published_schema_does(shared: Path) -> None:
    import json

    from askew.contract.shape import MODELSPEC, Field

    def same(ours: Field, theirs: dict[str, object], path: str) -> None:
        properties = theirs.get("properties")
        if isinstance(properties, dict):
            assert ours.fields.keys() == properties.keys(), path
            assert sorted(ours.required) == sorted(theirs.get("required", [])), path  # type: ignore[call-overload]
            assert theirs["additionalProperties"] is False, path
            for name, child in properties.items():
                same(ours.fields[name], child, f"{path}.{name}")
        elif theirs["type"] == "array":
            assert ours.item is not None
            same(ours.item, theirs["items"], f"{path}[]")  # type: ignore[arg-type]
        else:
            kind = {"string": "text", "object": "texts"}.get(str(theirs["type"]), theirs["type"])
            assert (ours.kind, ours.least, ours.most) == (kind, theirs.get("minimum"), theirs.get("maximum")), path
            allowed = theirs.get("enum", [theirs["const"]] if "const" in theirs else [])
            assert list(ours.choices) == allowed, path

    same(MODELSPEC, json.loads((shared / "modelspec" / "modelspec.v0.1.json").read_text(encoding="utf-8")), "$")


# -- what never cries wolf


@pytest.mark.parametrize(
    "change",
    [
        ("memory: 64Gi, nv", "memory: 64G, nv"),
        ("name: llm,", "name: another,"),
        ('value: "8"', 'value: "16"'),
        ("--served-model-name=llama", "--served-model-name=other"),
    ],
)
def test_what_the_contract_does_not_say_is_no_difference(change: tuple[str, str], tmp_path: Path) -> None:
    assert keys(against(MINIMAL, with_(DEPLOYMENT, change), tmp_path)) == []


def test_gigabytes_are_met_by_both_meanings(tmp_path: Path) -> None:
    spec = with_(MINIMAL, ("count: 1}", "count: 1}\n    resources: {memoryGb: 64}"))
    for size, expected in (("64Gi", []), ("64G", []), ("60Gi", ["request"])):
        text = with_(DEPLOYMENT, ('requests: {cpu: "8", memory: 64Gi}', f'requests: {{cpu: "8", memory: {size}}}'))
        assert [key for _, key in keys(against(spec, text, tmp_path))] == expected


def test_variables_that_no_deployment_shows_are_not_missed(tmp_path: Path) -> None:
    variables = "{VLLM_LOGGING_LEVEL: INFO, TOKENIZERS_PARALLELISM: 'false', TEAM: ml, OMP_NUM_THREADS: '4'}"
    spec = with_(MINIMAL, ("count: 1}", f"count: 1}}\n    environment: {{variables: {variables}}}"))
    assert keys(against(spec, DEPLOYMENT, tmp_path)) == [("runtime.env", "OMP_NUM_THREADS")]


def test_governance_never_decides(tmp_path: Path) -> None:
    text = MINIMAL + "  governance: {compliance: {pii: {allowed: false}, retention: {logsDays: 14}}}\n"
    contract = only(read(document(text)))
    assert contract.snapshot.facts["governance.retention.logs"].value == 14 * 86400
    assert contract.recorded["family"] == "llama3"
    result = against(text, DEPLOYMENT, tmp_path)
    assert not result.differences
    assert not result.unverified


def test_a_path_may_hold_what_was_copied_from_the_bucket(tmp_path: Path) -> None:
    spec = annotated("model.source: s3://models/llama")
    local = with_(DEPLOYMENT, ("--model=meta-llama/Llama-3.1-8B-Instruct", "--model=/models/llama"))
    result = against(spec, local, tmp_path)
    assert keys(result) == []
    assert [u.fact.key for u in result.unverified] == ["model.source"]
    assert keys(against(spec, DEPLOYMENT, tmp_path)) == [("model.source", "")]


def test_the_logical_id_finds_the_workload(tmp_path: Path) -> None:
    (target,) = snapshots(DEPLOYMENT, tmp_path)
    assert covers(only(read(document(MINIMAL))).snapshot, target)
    assert not covers(only(read(document(with_(MINIMAL, ("id: llama,", "id: mistral,"))))).snapshot, target)


def test_a_contract_that_declares_a_map_empty_refuses_every_key(tmp_path: Path) -> None:
    spec = annotated("runtime.arguments.unmapped: '{}'")
    assert keys(against(spec, DEPLOYMENT, tmp_path)) == []
    more = with_(DEPLOYMENT, ("--port=8000\n", "--port=8000\n            - --brand-new\n"))
    assert keys(against(spec, more, tmp_path)) == [("runtime.arguments.unmapped", "--brand-new")]


def test_what_is_declared_and_not_shown_is_unknown(tmp_path: Path) -> None:
    spec = with_(MINIMAL, ("  runtime:\n", "  operations: {serving: {timeoutSeconds: 120}}\n  runtime:\n"))
    result = against(spec, DEPLOYMENT, tmp_path)
    assert [u.fact.key for u in result.unverified] == ["serving.request_timeout"]


# -- writing


def test_what_was_written_is_silent_and_gives_no_secret_away(tmp_path: Path) -> None:
    (source,) = snapshots(DEPLOYMENT, tmp_path)
    text = write(source)
    assert text == write(source)
    assert "correct-horse" not in text
    assert "redacted:" not in text
    assert "runtime.env[VLLM_DP_TOKEN]" in text
    result = against(text, DEPLOYMENT, tmp_path)
    assert not result.differences
    assert not result.unverified


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("--dtype=bfloat16", "--dtype=float16", ("runtime.dtype", "")),
        ("Llama-3.1-8B-Instruct", "Llama-3.1-8B", ("model.id", "")),
        ("--served-model-name=llama", "--served-model-name=lama", ("model.served_names", "")),
        ("            - --generation-config=vllm\n", "", ("runtime.generation_config", "")),
        (
            "--port=8000\n",
            "--port=8000\n            - --tensor-parallel-size=2\n",
            ("runtime.tensor_parallel_size", ""),
        ),
        ("v0.33.0", "v0.32.0", ("runtime.image.tag", "")),
        ("memory: 64Gi, nv", "memory: 65Gi, nv", ("orchestration.resources.memory.bytes", "limit")),
        ("HBM3", "HBM3-SHARED", ("orchestration.node_selector", "nvidia.com/gpu.product")),
        ("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", ("hardware.gpu.model", "")),
        ("timeoutSeconds: 5", "timeoutSeconds: 6", ("orchestration.probe.readiness", "timeout")),
        ('nvidia.com/gpu: "1"', 'nvidia.com/gpu: "2"', ("hardware.gpu.count", "")),
        ("replicas: 2", "replicas: 1", ("orchestration.replicas.min", "")),
        ('value: "8"', 'value: "4"', ("runtime.env", "OMP_NUM_THREADS")),
    ],
)
def test_any_change_breaks_what_was_written(old: str, new: str, expected: tuple[str, str], tmp_path: Path) -> None:
    (source,) = snapshots(DEPLOYMENT, tmp_path)
    assert expected in keys(against(write(source), with_(DEPLOYMENT, (old, new)), tmp_path))


def test_what_was_not_seen_states_nothing(tmp_path: Path) -> None:
    bare = with_(
        DEPLOYMENT,
        (', nvidia.com/gpu: "1"', ""),
        ("      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}\n", ""),
    )
    (source,) = snapshots(bare, tmp_path)
    contract = only(read(document(write(source))))
    assert "hardware.gpu.model" not in contract.snapshot.facts
    result = compare(contract.snapshot, source, "contract")
    assert not result.differences
    assert not result.unverified


def test_odd_text_survives(tmp_path: Path) -> None:
    name = 'it\'s \\"odd\\": #1 — \\U0001F600 none'
    odd = with_(
        DEPLOYMENT, ('value: "8"', f'value: "{name}"'), ("--served-model-name=llama", "--served-model-name=none")
    )
    result = against(write(snapshots(odd, tmp_path)[0]), odd, tmp_path)
    assert not result.differences
    assert not result.unverified
    assert result.verified == result.declared


def test_every_workload_of_the_corpus_meets_what_was_written_from_it(shared: Path) -> None:
    from askew.app.load import load

    written = 0
    for path in sorted((shared / "corpus" / "files").rglob("*.yaml"))[::40]:
        redactor = Redactor()
        for snapshot in load(str(path), "target", redactor).snapshots:
            contract = only(read(document(write(snapshot), redactor=redactor)))
            result = compare(contract.snapshot, snapshot, "contract")
            assert not result.differences, path
            assert not result.unverified, path
            written += 1
    assert written > 20


def test_what_looks_like_a_secret_in_the_contract_is_held_against_nobody(tmp_path: Path) -> None:
    value = """'{"--session-key": "x-user-id", "--other": "1"}'"""
    target = with_(DEPLOYMENT, ("--port=8000\n", "--port=8000\n            - --session-key=x-user-id\n"))
    result = against(annotated(f"runtime.arguments.unmapped: {value}"), target, tmp_path)
    assert keys(result) == [("runtime.arguments.unmapped", "--other")]
