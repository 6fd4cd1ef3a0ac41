"""An anonymised bundle tells nobody whose it is, and is found wanting in the same places."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.anonymise import renaming
from askew.app.bundle import Bundling, bundle
from askew.app.pipeline import Options, check, diff
from askew.collectors.interface import Evidence, Text
from askew.evidence.redaction import Redactor
from askew.report.model import Report

NOW = "2026-01-01T00:00:00Z"
OPTIONS = Options(today="2026-01-01", now=NOW, fail_on="info")
INPUTS = Path(__file__).parents[1] / "cli" / "inputs"

OWN = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: globex-assistant   # askew: ignore[floating-image-tag] hank scorpio said so
  namespace: globex-prod
  labels: {app: globex-assistant, team: doomsday}
  annotations:
    globex.example/owner: "hank.scorpio@globex.example"
    argocd.argoproj.io/tracking-id: "globex:apps/Deployment:globex-prod/globex-assistant"
spec:
  selector: {matchLabels: {app: globex-assistant}}
  template:
    metadata: {labels: {app: globex-assistant}}
    spec:
      containers:
        - name: engine
          image: registry.globex.example:5000/mirror/vllm-openai:v0.8.5
          args:
            - --model=globex/Doomsday-Llama-3-70B
            - --served-model-name
            - doomsday
            - "--tensor-parallel-size=8"
            - --dtype=half
          env:
            - {name: GLOBEX_REGION, value: springfield}
            - {name: HTTP_PROXY, value: "http://10.20.30.40:3128"}
            - {name: ECR, value: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/globex/x"}
            - {name: HF_TOKEN, value: hf_abcdefghijklmnopqrstuvwx}
          resources: {limits: {nvidia.com/gpu: 4}}
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
---
apiVersion: v1
kind: Service
metadata: {name: globex-assistant, namespace: globex-prod}
spec:
  selector: {app: globex-assistant}
  externalIPs: [203.0.113.77]
  ports: [{port: 80, targetPort: 8000}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ca, namespace: globex-prod}
data:
  note: "müller-globex\\tglobex \\"globex\\" GlobexForCausalLM 9f86d081884c7d65 aa:bb:cc:dd:ee:f0 fd00:12::1"
  ca.crt: |
    -----BEGIN CERTIFICATE-----
    MIIDazCCAlOgAwIBAgIUGLOBEXglobexGlobex0123456789abcdefGHIJKLMNOP
    -----END CERTIFICATE-----
"""
TELLING = (
    "globex", "scorpio", "hank", "doomsday", "springfield", "10.20.30.40", "123456789012", "203.0.113.77", "müller",
    "9f86d081884c7d65", "aa:bb:cc:dd:ee:f0", "MIIDazCC", "hf_abcdef", "fd00:12",
)  # fmt: skip


def sealed(folder: Path, *uris: str, key: bytes | None = None, rename: tuple[str, ...] = ()) -> str:
    out = io.BytesIO()
    bundle(uris, out.write, Bundling(now=NOW, key=key, anonymise=True, rename=rename))
    path = folder / "anonymous.tgz"
    path.write_bytes(out.getvalue())
    return f"bundle:{path}"


def judged(report: Report) -> tuple[object, ...]:
    """What was found, without the names: rules, severities, lines."""

    def lines(side: object) -> list[int]:
        return [at.line for at in getattr(side, "locations", ())]

    found = sorted(
        (f.rule, f.severity, f.confidence, bool(f.key), str(f.waiver is not None), lines(f.reference), lines(f.target))
        for workload in report.workloads
        for f in workload.findings
    )
    unknown = sorted((u.fact, bool(u.key), u.side) for w in report.workloads for u in w.unknown)
    shape = sorted(
        (w.verdict, w.presence, w.coverage.declared, w.coverage.verified, w.engine.name if w.engine else "")
        for w in report.workloads
    )
    errors = sorted((e.line, e.column) for e in report.errors)
    return report.verdict, [s.status for s in report.sources], found, unknown, shape, errors


def test_nothing_tells_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "globex-prod").mkdir()
    (tmp_path / "globex-prod" / "globex.yaml").write_text(OWN)
    (tmp_path / "globex.service").write_text(
        "[Service]\nExecStart=/opt/globex/bin/vllm serve globex/doomsday --seed 1\n"
    )
    (tmp_path / "broken-globex.yaml").write_text("globex: [\n")
    uris = ("globex-prod", "globex.service", "broken-globex.yaml", "missing/globex.yaml", "cmd:vllm serve globex/x")
    sealed(tmp_path, *uris)
    text = gzip.decompress((tmp_path / "anonymous.tgz").read_bytes()).decode()
    for word in TELLING:
        assert word.lower() not in text.lower(), word
        assert json.dumps(word).strip('"').lower() not in text.lower(), word
    for kept in (
        "vllm-openai:v0.8.5",
        "--tensor-parallel-size=8",
        "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu",
        "Llama-3-70B",
    ):
        assert kept in text, kept


@pytest.mark.parametrize("name", ["current.yaml", "risky.yaml", "compose.yaml", "chat.service", "mixed", "production"])
def test_the_findings_stay_the_same(name: str, tmp_path: Path) -> None:
    source = str(INPUTS / name)
    assert judged(check(sealed(tmp_path, source), None, OPTIONS)) == judged(check(source, None, OPTIONS))


def test_the_findings_of_ours_stay_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("globex.yaml").write_text(OWN)
    Path("other.yaml").write_text(OWN.replace("--dtype=half", "--dtype=bfloat16").replace("doomsday\n", "doom\n"))
    before = judged(diff("globex.yaml", "other.yaml", OPTIONS))
    uri = sealed(tmp_path, "globex.yaml", "other.yaml")
    assert judged(diff(f"{uri}#1", f"{uri}#2", OPTIONS)) == before
    assert judged(check(f"{uri}#1", None, OPTIONS)) == judged(check("globex.yaml", None, OPTIONS))


def test_one_key_gives_one_name_and_another_key_another(tmp_path: Path) -> None:
    text = Text(source="globex", text="globex assistant Globex GLOBEX globex2")
    part = Evidence(uri="globex", texts=(text,))
    one, again, other = (renaming([part], Redactor(key))(text.text) for key in (b"1" * 32, b"1" * 32, b"2" * 32))
    assert one == again != other
    words = one.split()
    assert words[0] == words[2].lower() == words[3].lower() == words[4].rstrip("2") and words[2].istitle()
    assert len(one) == len(text.text)


def test_a_word_that_askew_knows_can_be_renamed_too(tmp_path: Path) -> None:
    rename = renaming([], Redactor(), ("shell",))
    assert "shell" not in rename("shell/llm on shell-prod") and "llm" in rename("shell/llm")
    assert "shell" in renaming([], Redactor())("shell/llm")


@pytest.mark.parametrize(
    "kept",
    [
        "v0.8.5.post1", "nvidia-cublas-cu12==12.4.5.8", "80Gi", "2026-01-01T00:00:00Z", "fp8_e4m3", "0.0.0.0:8000",
        "Qwen/Qwen3-8B", "meta-llama/Llama-3.1-70B-Instruct", "redacted:0123456789abcdef", "\\n\\u0041\\\\",
        "http://127.0.0.1:8000", "p5.48xlarge", "LlamaForCausalLM", "00:00:00", "0000:18:00.0", "8030261248",
        "lmcache", "--mem-frac 0.9", "us-east-1", "--max-num-batched-tokens=8192", "sm_90a",
    ],
)  # fmt: skip
def test_what_the_analysis_needs_is_kept(kept: str) -> None:
    assert renaming([Evidence(uri=kept)], Redactor())(kept) == kept


@settings(max_examples=100)
@given(st.text(), st.text(alphabet="abcXYZ019:/.-@\\ \n\"'é"))
def test_lengths_and_line_ends_stay(left: str, right: str) -> None:
    text = left + right
    out = _RENAME(text)
    assert len(out) == len(text)
    for old, new in zip(text, out, strict=True):
        assert old == new or (old.isalnum() and new.isalnum())


_RENAME = renaming([], Redactor(b"k" * 32))


def test_the_findings_on_real_files_stay_the_same(shared: Path, tmp_path: Path) -> None:
    """A sample of public manifests; names of files decide nothing."""
    files = sorted(path for path in (shared / "corpus").rglob("*.y*ml") if path.stat().st_size < 200_000)
    chosen = files[:: max(len(files) // 60, 1)]
    assert chosen
    for file in chosen:
        before = judged(check(str(file), None, OPTIONS))
        after = judged(check(sealed(tmp_path, str(file)), None, OPTIONS))
        assert after == before, file
