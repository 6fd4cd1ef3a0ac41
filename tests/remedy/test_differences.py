"""A remedy names what to write, in the words of the engine and of the place it goes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.pipeline import Options, diff
from askew.compare.compare import compare
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.findings.finding import Finding, Remedy
from askew.remedy.differences import remedies
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Snapshot, Workload

SECRET = "correct-horse-battery-staple"
VLLM = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm, namespace: prod}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      nodeSelector: {{nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}}
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.33.0
          args:
            - --model=meta-llama/Llama-3.1-8B-Instruct
            - --generation-config=vllm
            - --kv-cache-dtype=fp8
            - --enable-prefix-caching
            - --tensor-parallel-size=1
          env:
            - {{name: OMP_NUM_THREADS, value: "8"}}
            - {{name: VLLM_DP_TOKEN, value: {SECRET}}}
          resources:
            limits: {{cpu: "8", memory: 64Gi, nvidia.com/gpu: "1"}}
          livenessProbe: {{httpGet: {{path: /health, port: 8000}}, periodSeconds: 20}}
"""
SGLANG = """\
apiVersion: v1
kind: Pod
metadata: {name: llm, namespace: prod}
spec:
  containers:
    - name: sglang
      image: lmsysorg/sglang:v0.5.3
      command: [python3, -m, sglang.launch_server, --model-path, Qwen/Qwen2.5-7B-Instruct, --context-length, "8192"]
"""


def findings(reference: str, target: str, folder: Path) -> dict[tuple[str, str], Finding]:
    for name, text in (("a.yaml", reference), ("b.yaml", target)):
        (folder / name).write_text(text, encoding="utf-8")
    report = diff(str(folder / "a.yaml"), str(folder / "b.yaml"), Options())
    assert not report.errors
    return {(f.rule, f.key): f for workload in report.workloads for f in workload.findings}


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def remedy(reference: str, target: str, folder: Path, rule: str, key: str = "") -> Remedy:
    found = findings(reference, target, folder)
    (only,) = found[rule, key].remedies
    return only


@pytest.mark.parametrize(
    ("old", "new", "rule", "text"),
    [
        # What is canonical (engine, float8_e4m3) is not what is typed.
        ("            - --generation-config=vllm\n", "", "runtime.generation_config", "--generation-config=vllm"),
        ("--kv-cache-dtype=fp8", "--kv-cache-dtype=bfloat16", "runtime.kv_cache.dtype", "--kv-cache-dtype=fp8"),
        ("--enable-prefix-caching", "--no-enable-prefix-caching", "runtime.prefix_caching", "--enable-prefix-caching"),
        ("Llama-3.1-8B-Instruct", "Llama-3.1-8B", "model.id", "--model=meta-llama/Llama-3.1-8B-Instruct"),
        ("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", "hardware.gpu.model", "NVIDIA-H100-80GB-HBM3"),
        ("v0.33.0", "v0.32.0", "runtime.image.tag", "vllm/vllm-openai:v0.33.0"),
        ("replicas: 2", "replicas: 1", "orchestration.replicas.min", "2"),
    ],
)
def test_it_repeats_what_stands_in_the_reference(old: str, new: str, rule: str, text: str, tmp_path: Path) -> None:
    found = remedy(VLLM, changed(VLLM, old, new), tmp_path, rule)
    assert found.text == text
    assert text in found.action


def test_what_was_added_is_removed_where_the_default_is_the_references_value(tmp_path: Path) -> None:
    target = changed(VLLM, "--tensor-parallel-size=1", "--tensor-parallel-size=2\n            - --enforce-eager")
    found = findings(VLLM, target, tmp_path)
    eager = found["runtime.enforce_eager", ""].remedies[0]
    assert eager.action.startswith("Remove --enforce-eager")
    assert eager.undo == "Write --enforce-eager again"
    assert eager.location is not None
    assert eager.location.line == 20
    assert found["runtime.tensor_parallel_size", ""].remedies[0].text == "--tensor-parallel-size=1"


def test_applied_it_removes_the_finding(tmp_path: Path) -> None:
    target = changed(VLLM, "            - --generation-config=vllm\n", "")
    text = remedy(VLLM, target, tmp_path, "runtime.generation_config").text
    fixed = changed(
        target, "            - --kv-cache-dtype=fp8\n", f"            - --kv-cache-dtype=fp8\n            - {text}\n"
    )
    assert findings(VLLM, fixed, tmp_path) == {}


def test_a_size_is_written_as_kubernetes_writes_it(tmp_path: Path) -> None:
    target = changed(VLLM, "memory: 64Gi", "memory: 32Gi")
    found = remedy(VLLM, target, tmp_path, "orchestration.resources.memory.bytes", "limit")
    assert found.action.endswith(".resources.limits.memory, write 64Gi")
    assert found.undo == "Write 32Gi there again"


def test_a_probe_that_is_gone_comes_back_whole(tmp_path: Path) -> None:
    line = "          livenessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 20}\n"
    target = changed(VLLM, line, "")
    found = remedy(VLLM, target, tmp_path, "orchestration.probe.liveness")
    assert "httpGet: {path: /health, port: 8000}" in found.text
    assert "periodSeconds: 20" in found.text
    back = remedy(target, VLLM, tmp_path, "orchestration.probe.liveness")
    assert back.action.startswith("Remove spec.template.spec.containers[0].livenessProbe,")


def test_a_secret_is_never_said(tmp_path: Path) -> None:
    target = changed(VLLM, SECRET, "another-secret-altogether")
    found = remedy(VLLM, target, tmp_path, "runtime.env", "VLLM_DP_TOKEN")
    said = f"{found}"
    assert "VLLM_DP_TOKEN" in found.action
    assert not found.safe
    assert not any(word in said for word in (SECRET, "another-secret", "redacted:"))


def test_a_switch_that_means_the_opposite_is_not_given_to_mean_the_thing(tmp_path: Path) -> None:
    off = changed(SGLANG, '"8192"]', '"8192", --disable-radix-cache]')
    assert remedy(SGLANG, off, tmp_path, "runtime.prefix_caching").action.startswith("Remove --disable-radix-cache")
    assert remedy(off, SGLANG, tmp_path, "runtime.prefix_caching").text == "--disable-radix-cache"


def test_flag_and_value_in_two_words_are_repeated_as_two(tmp_path: Path) -> None:
    target = changed(SGLANG, '"8192"', '"4096"')
    found = remedy(SGLANG, target, tmp_path, "runtime.max_model_len")
    assert found.text == "--context-length 8192"
    assert found.undo == "Write --context-length 4096 again"


def test_another_engine_gets_its_own_flag(tmp_path: Path) -> None:
    vllm = changed(VLLM, "--tensor-parallel-size=1", "--max-model-len=8192")
    target = changed(SGLANG, '"8192"', '"4096"')
    assert remedy(vllm, target, tmp_path, "runtime.max_model_len").text == "--context-length 8192"


def test_no_word_is_claimed_for_another_engines_enumeration(tmp_path: Path) -> None:
    vllm = changed(VLLM, "--tensor-parallel-size=1", "--attention-backend=FLASH_ATTN")
    target = changed(SGLANG, '"8192"]', '"8192", --attention-backend, triton]')
    found = remedy(vllm, target, tmp_path, "runtime.attention_backend")
    assert found.text == ""
    assert "--attention-backend" in found.action


def test_a_positional_model_stays_positional(tmp_path: Path) -> None:
    reference = changed(
        VLLM,
        "args:\n            - --model=meta-llama",
        "command: [vllm, serve]\n          args:\n            - meta-llama",
    )
    target = changed(reference, "Llama-3.1-8B-Instruct", "Llama-3.1-8B")
    found = remedy(reference, target, tmp_path, "model.id")
    assert found.text == "meta-llama/Llama-3.1-8B-Instruct"


def test_every_remedy_says_how_to_verify_and_undo_it(tmp_path: Path) -> None:
    target = VLLM
    for old, new in (("replicas: 2", "replicas: 1"), ("=vllm", "=auto"), ('"8"}', '"4"}'), ("v0.33.0", "v0.32.0")):
        target = changed(target, old, new)
    found = findings(VLLM, target, tmp_path)
    assert len(found) >= 5
    for finding in found.values():
        for one in finding.remedies:
            assert one.action and one.undo
            assert f"--only {finding.rule}" in one.verify


def test_a_route_is_edited_where_its_annotation_stands() -> None:
    path = "metadata.annotations['nginx.ingress.kubernetes.io/proxy-read-timeout']"
    at = Location(source="b.yaml", path=path, line=7, column=3)

    def snapshot(value: Value) -> Snapshot:
        observation = Observation(fact="serving.read_timeout", value=value, origin="explicit", locations=(at,))
        workload = Workload(namespace="", kind="Deployment", name="llm", location=at)
        return Snapshot(workload=workload, id="llm", facts=resolve((observation,)))

    (difference,) = compare(snapshot(600), snapshot(60)).differences
    (found,) = remedies(difference, snapshot(60), lambda fact: None, snapshot(600))
    assert found.action == f"In {path}, write 600"
    assert found.undo == "Write 60 there again"
    assert found.location == at


@pytest.mark.parametrize("command", ["init", "lock"])
def test_against_a_contract_or_a_lock_it_names_the_label_and_the_image(command: str, tmp_path: Path) -> None:
    from askew.app.load import load
    from askew.contract import lock, modelspec
    from askew.evidence.redaction import Redactor

    (tmp_path / "a.yaml").write_text(VLLM, encoding="utf-8")
    (source,) = load(str(tmp_path / "a.yaml"), "target", Redactor()).snapshots
    text = lock.write((source,)) if command == "lock" else modelspec.write(source)
    (tmp_path / "intended.yaml").write_text(text, encoding="utf-8")
    target = changed(changed(VLLM, "NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"), "v0.33.0", "v0.33.1")
    (tmp_path / "b.yaml").write_text(target, encoding="utf-8")
    report = diff(str(tmp_path / "intended.yaml"), str(tmp_path / "b.yaml"), Options())
    found = {f.rule: f.remedies[0].text for w in report.workloads for f in w.findings}
    assert found["hardware.gpu.model"] == "NVIDIA-H100-80GB-HBM3"
    assert found["runtime.image.tag"] == "docker.io/vllm/vllm-openai:v0.33.0"
    assert report.errors == ()
