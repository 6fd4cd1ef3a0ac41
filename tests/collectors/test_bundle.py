"""A bundle gives the report that its sources gave, to the letter, and nothing that is no bundle does harm."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.bundle import Bundling, bundle
from askew.app.load import load
from askew.app.pipeline import Options, check, diff, facts
from askew.collectors.bundle import COLLECTOR
from askew.collectors.interface import Evidence, Request
from askew.evidence.archive import ArchiveError, Writer, read
from askew.evidence.redaction import Redactor
from askew.report.facts import render_facts
from askew.report.render import render

NOW = "2026-01-01T00:00:00Z"
OPTIONS = Options(today="2026-01-01", now=NOW)
INPUTS = Path(__file__).parents[1] / "cli" / "inputs"

WAIVED = """\
# The one that serves.
apiVersion: apps/v1
kind: Deployment
metadata: &meta
  name: chat   # askew: ignore[floating-image-tag] it is a trial  until=2026-12-31
  labels: {app: chat, "quoted key": 'single ''quoted'''}
spec:
  replicas: 0o2
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers:
        - name: engine
          # askew: ignore[floating-image-tag] nobody else pulls it
          image: vllm/vllm-openai:latest
          command: ["/bin/sh", "-c"]
          args:
            - >-
              exec vllm serve acme/chat
              --max-model-len 8192
              --tensor-parallel-size=2   --dtype "half"
              --api-key sk-0123456789abcdef0123
          env:
            - {name: HF_TOKEN, value: hf_abcdefghijklmnopqrstuvwx}
            - name: VLLM_ATTENTION_BACKEND
              value: "FLASH\\
                INFER"
          resources: {limits: {nvidia.com/gpu: 1}}
---
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"token": "c2VjcmV0LXZhbHVlLTEyMw=="}}
"""

BROKEN = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n spec: {}\n---\n" + WAIVED

MODEL = {
    "config.json": json.dumps(
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 4096,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128256,
            "intermediate_size": 14336,
            "max_position_embeddings": 8192,
            "torch_dtype": "bfloat16",
            "rope_theta": 500000.0,
            "eos_token_id": 2,
            "auth_token": "canary-of-a-config-9",
        }
    ),
    "generation_config.json": '{"temperature": 0.6, "top_p": 0.9}',
    "training_args.json": '{"learning_rate": 0.0001, "bf16": true}',
}


def seal(uris: list[str], key: bytes | None = None, **how: object) -> bytes:
    out = io.BytesIO()
    bundle(uris, out.write, Bundling(now=NOW, key=key, **how))  # type: ignore[arg-type]
    return out.getvalue()


def everything(uri: str, against: str | None = None) -> dict[str, str]:
    """Every output of every command on one source."""
    out: dict[str, str] = {}
    known = facts(uri, OPTIONS)
    for form in ("text", "json"):
        out[f"facts {form}"] = render_facts(
            known.side.snapshots or tuple(c.snapshot for c in known.side.contracts),
            known.side.statuses, known.side.errors, known.assumed, form, only=(), ignore=(), color=False, width=100,
        )  # fmt: skip
    out["notes"] = "\n".join(known.side.notes)
    report = check(uri, against, OPTIONS)
    out["errors"] = repr(report.errors)
    for form in ("text", "json", "sarif", "markdown", "github", "junit"):
        out[f"check {form}"] = render(report, form, color=False, width=100, verbose=True)
    # A launch knows where each of its words stands; two reports may agree by chance where those do not.
    out["snapshots"] = repr([(s.id, s.facts, s.launch) for s in known.side.snapshots])
    return out


def blind(outputs: dict[str, str]) -> dict[str, str]:
    """Without what the random key of each run decides."""
    from askew.evidence.redaction import shown

    return {name: shown(text) for name, text in outputs.items()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.yaml").write_text(WAIVED)
    (tmp_path / "crlf.yaml").write_bytes(WAIVED.replace("\n", "\r\n").encode())
    (tmp_path / "cr.yaml").write_bytes(b"\xef\xbb\xbf" + WAIVED.replace("\n", "\r", 3).encode())
    (tmp_path / "utf16.yaml").write_bytes("﻿".encode("utf-16-le") + WAIVED.encode("utf-16-le"))
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "list.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pod"}]}))
    (tmp_path / "twice.yaml").write_text("kind: Deployment\nkind: Pod\nmetadata: {name: !x a}\n")
    (tmp_path / "unit.service").write_text(
        "[Service]\nEnvironment=HF_TOKEN=hf_abcdefghijklmnopqrstuvwx VLLM_USE_V1=1\nExecStart=/usr/bin/vllm serve m\n"
    )
    (tmp_path / "config.pbtxt").write_text('name: "m"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 8\n')
    (tmp_path / "anchors.yaml").write_text(
        "services:\n  a: &a\n    image: vllm/vllm-openai:v0.9.0\n    command: --model m --dtype half\n"
        "    environment: &e {HF_TOKEN: hf_abcdefghijklmnopqrstuvwx}\n  b:\n    <<: *a\n    environment: *e\n"
    )
    shutil.copytree(INPUTS, tmp_path / "inputs")
    model = tmp_path / "model"
    model.mkdir()
    for name, text in MODEL.items():
        (model / name).write_text(text)
    run = tmp_path / "mlmodel"
    run.mkdir()
    (run / "MLmodel").write_text(
        "artifact_path: model\nflavors:\n  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.4}\n"
        "  sklearn: {sklearn_version: 1.4.2, pickled_model: model.pkl, serialization_format: cloudpickle}\n"
    )
    (run / "requirements.txt").write_text("scikit-learn==1.4.2\n--index-url https://u:canarypass99@host/simple\n")
    (tmp_path / "freeze.txt").write_text("vllm==0.9.0\ntorch==2.7.0\n")
    (tmp_path / "modelspec.yaml").write_text(
        "apiVersion: piqc.ai/v1alpha1\nkind: ModelSpec\nmetadata: {name: chat}\nspec: {runtime: {dtype: float16}}\n"
    )
    for words in (
        ["init", "-q", "."], ["add", "deploy.yaml", "inputs"],
        ["-c", "user.email=a@b", "-c", "user.name=a", "commit", "-qm", "x"],
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


SOURCES = (
    "deploy.yaml", "crlf.yaml", "cr.yaml", "utf16.yaml", "broken.yaml", "empty.yaml", "missing.yaml", "list.json",
    "twice.yaml", "unit.service", "config.pbtxt", "anchors.yaml", "inputs", "inputs/compose.yaml", "inputs/risky.yaml",
    "inputs/mixed", ".", "git:HEAD:deploy.yaml", "git:HEAD:inputs", "git:nothing:deploy.yaml",
    "cmd:vllm serve m --api-key sk-0123456789abcdef0123 --max-model-len 4096", "hf:model", "mlflow:mlmodel", "mlmodel",
    "training:model", "packages:freeze.txt", "deploy.yaml+hf:model+packages:freeze.txt", "modelspec.yaml",
    "hf:model+cmd:vllm serve m", "inputs/contracts",
)  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_a_bundle_gives_the_report_of_its_source(source: str, place: Path) -> None:
    before = blind(everything(source))
    (place / "b.tar.gz").write_bytes(seal([source]))
    after = blind(everything("bundle:b.tar.gz"))
    assert after == before
    # Also as one of several, and bundled once more.
    (place / "c.tar.gz").write_bytes(seal(["deploy.yaml", "bundle:b.tar.gz"]))
    assert blind(everything("bundle:c.tar.gz#2")) == before


@pytest.mark.parametrize("source", ["deploy.yaml", "inputs/current.yaml", "anchors.yaml"])
def test_a_bundle_is_compared_as_its_source_is(source: str, place: Path) -> None:
    (place / "b.tar.gz").write_bytes(seal(["inputs/last-good.yaml", source]))
    for against, other in (("inputs/last-good.yaml", "bundle:b.tar.gz#1"), ("modelspec.yaml", "modelspec.yaml")):
        before = render(diff(against, source, OPTIONS), "json", color=False, width=100, verbose=True)
        after = render(diff(other, "bundle:b.tar.gz#2", OPTIONS), "json", color=False, width=100, verbose=True)
        assert after == before
        assert render(check(source, against, OPTIONS), "json", color=False, width=100, verbose=True) == render(
            check("bundle:b.tar.gz#2", other, OPTIONS), "json", color=False, width=100, verbose=True
        )


# Secrets and keys -------------------------------------------------------------------------------------------------


def test_no_secret_is_in_a_bundle(place: Path) -> None:
    (place / "again.yaml").write_text(
        "kind: ConfigMap\nmetadata: {name: c}\ndata: {note: hf_abcdefghijklmnopqrstuvwx}\n"
    )
    (place / "nameless.service").write_text(
        "[Service]\nExecStart=/bin/x --note 0very-secret-word\n# 0very-secret-word\n"
    )
    (place / "named.yaml").write_text(
        "kind: Pod\nspec: {containers: [{env: [{name: A_TOKEN, value: 0very-secret-word}]}]}\n"
    )
    data = gzip.decompress(seal(["named.yaml", "deploy.yaml", "hf:model", "mlmodel", "again.yaml", "nameless.service"]))
    for secret in (
        b"hf_abcdefghijkl", b"sk-0123456789", b"secret-value-123", b"c2VjcmV0LXZhbHVl", b"canary-of-a-config",
        b"canarypass99", b"0very-secret-word",
    ):  # fmt: skip
        assert secret not in data, secret


def _of_token(place: Path, name: str, token: str) -> str:
    (place / name).write_text(WAIVED.replace("--api-key sk-0123456789abcdef0123", f"--webhook-token {token}"))
    return name


def test_secrets_under_one_key_are_equal_or_not_and_under_two_nothing_is_said(place: Path) -> None:
    a = _of_token(place, "a.yaml", "hf_aaaaaaaaaaaaaaaaaaaaaaaa")
    b = _of_token(place, "b.yaml", "hf_bbbbbbbbbbbbbbbbbbbbbbbb")
    (place / "one.tgz").write_bytes(seal([a, b, a]))
    (place / "two.tgz").write_bytes(seal([a, b]))

    def told(left: str, right: str) -> tuple[set[str], set[str]]:
        found = diff(left, right, OPTIONS).workloads[0]
        hidden = {f"{f.rule} {f.key}".strip() for f in found.findings}
        return hidden, {f"{u.fact} {u.key}".strip() for u in found.unknown}

    assert told("bundle:one.tgz#1", "bundle:one.tgz#3") == (set(), set())
    changed, unknown = told("bundle:one.tgz#1", "bundle:one.tgz#2")
    assert changed and not unknown and changed == {"runtime.arguments.unmapped --webhook-token"}
    for other in ("bundle:two.tgz#1", "bundle:two.tgz#2", "a.yaml", "b.yaml"):
        differences, unverified = told("bundle:one.tgz#1", other)
        assert not differences
        assert "runtime.arguments.unmapped --webhook-token" in unverified, other


def test_one_key_file_makes_bundles_that_can_be_compared(place: Path) -> None:
    a = _of_token(place, "a.yaml", "hf_aaaaaaaaaaaaaaaaaaaaaaaa")
    b = _of_token(place, "b.yaml", "hf_bbbbbbbbbbbbbbbbbbbbbbbb")
    key = bytes(range(32))
    for name, source in (("1", a), ("2", a), ("3", b)):
        (place / f"{name}.tgz").write_bytes(seal([source], key))
    assert not diff("bundle:1.tgz", "bundle:2.tgz", OPTIONS).workloads[0].findings
    assert diff("bundle:1.tgz", "bundle:3.tgz", OPTIONS).workloads[0].findings
    assert key not in gzip.decompress((place / "1.tgz").read_bytes())


# Form -------------------------------------------------------------------------------------------------------------


def test_the_same_evidence_time_and_key_give_the_same_bytes(place: Path) -> None:
    key = b"k" * 32
    assert seal(["deploy.yaml", "inputs", "hf:model"], key) == seal(["deploy.yaml", "inputs", "hf:model"], key)
    assert seal(["inputs/current.yaml"]) == seal(["inputs/current.yaml"])  # no secret, so the random key says nothing
    assert seal(["deploy.yaml"]) != seal(["deploy.yaml"])


def test_any_tar_opens_it_and_the_hashes_are_right(place: Path) -> None:
    import hashlib

    data = seal(["deploy.yaml", "unit.service"])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        assert all(m.isreg() and m.mtime == m.uid == m.gid == 0 and m.mode == 0o644 for m in tar.getmembers())
    manifest = json.loads(members.pop("manifest.json"))
    assert manifest["schema"] == "askew/bundle/v1" and manifest["created_at"] == NOW
    assert {m["name"]: m["sha256"] for m in manifest["members"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in members.items()
    }
    shown = members["1/1/lines/00001-deploy.yaml"].decode()
    assert "--max-model-len 8192" in shown and shown.count("\n") == WAIVED.count("\n")
    assert gzip.decompress(data)  # and the checksum of the stream is right


def test_a_bundle_goes_through_pipes(place: Path) -> None:
    command = "from askew.cli.main import main; import sys; sys.exit(main())"
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
    written = subprocess.run(
        [sys.executable, "-c", command, "bundle", "deploy.yaml", "-o", "-"], capture_output=True, env=env, check=True
    )
    read_back = subprocess.run(
        [sys.executable, "-c", command, "facts", "bundle:-"], input=written.stdout, capture_output=True, env=env
    )
    straight = subprocess.run([sys.executable, "-c", command, "facts", "deploy.yaml"], capture_output=True, env=env)
    assert (read_back.returncode, read_back.stdout) == (straight.returncode, straight.stdout)
    assert read_back.stderr == straight.stderr


def test_a_bundle_may_lie_in_the_home_of_its_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "home").mkdir()
    (place / "home" / "b.tgz").write_bytes(seal(["deploy.yaml"]))
    monkeypatch.setenv("HOME", str(place / "home"))
    assert collect("~/b.tgz").status == "complete"


def test_several_sources_are_told_apart_by_number_or_name(place: Path) -> None:
    (place / "b.tgz").write_bytes(seal(["inputs/current.yaml", "inputs/last-good.yaml"]))
    for uri in ("bundle:b.tgz#2", "bundle:b.tgz?source=inputs/last-good.yaml", f"bundle:{place}/b.tgz#2"):
        side = load(uri, "target", Redactor())
        assert not side.errors and side.statuses[0].uri == "inputs/last-good.yaml"
    error = load("bundle:b.tgz", "target", Redactor()).errors[0]
    assert "2 sources" in error.message and "bundle:b.tgz#2 (inputs/last-good.yaml)" in error.hint
    assert "no source '3'" in load("bundle:b.tgz#3", "target", Redactor()).errors[0].message
    joined = load("bundle:b.tgz#1+cmd:vllm serve m", "target", Redactor())
    assert [status.uri for status in joined.statuses] == ["inputs/current.yaml", "cmd:vllm serve m"]


def test_a_bundle_is_recognised_by_its_name(place: Path) -> None:
    (place / "b.tar.gz").write_bytes(seal(["inputs/current.yaml"]))
    side = load("b.tar.gz", "target", Redactor())
    assert not side.errors and side.statuses[0].uri == "inputs/current.yaml"
    (place / "c.tar.gz").write_bytes(b"nothing of the kind")
    assert "no bundle" in load("c.tar.gz", "target", Redactor()).errors[0].message


def test_a_timeline_tells_what_changed_when(place: Path) -> None:
    (place / "live.json").write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "List", "items": [
                    {
                        "apiVersion": "apps/v1", "kind": "ReplicaSet",
                        "metadata": {
                            "name": "llm-7", "namespace": "prod", "creationTimestamp": "2026-01-02T03:04:05Z",
                            "annotations": {"deployment.kubernetes.io/revision": "7"},
                            "managedFields": [
                                {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T04:00:00Z"}
                            ],
                        },
                    },
                    {
                        "apiVersion": "v1", "kind": "Event", "reason": "Killing", "message": "Stopping container",
                        "lastTimestamp": "2026-01-02T05:00:00+01:00", "count": 3,
                        "involvedObject": {"kind": "Pod", "namespace": "prod", "name": "llm-7-x"},
                    },
                    {
                        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "llm-7-x", "namespace": "prod"},
                        "status": {"containerStatuses": [{"lastState": {"terminated": {
                            "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T06:00:00.123456Z"}}}]},
                    },
                ],
            }
        )
    )  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(seal(["live.json"]))) as tar:
        text = tar.extractfile("timeline.txt").read().decode()  # type: ignore[union-attr]
        entries = json.load(tar.extractfile("timeline.json"))["entries"]  # type: ignore[arg-type]
    assert text == (
        "2026-01-02T03:04:05Z  created  prod/ReplicaSet/llm-7  revision 7\n"
        "2026-01-02T04:00:00Z  event Killing (3 times)  prod/Pod/llm-7-x  Stopping container\n"
        "2026-01-02T04:00:00Z  edited  prod/ReplicaSet/llm-7  by kubectl-edit (Update)\n"
        "2026-01-02T06:00:00Z  container ended  prod/Pod/llm-7-x  OOMKilled exit 137\n"
    )
    assert entries[3]["path"] == "items[2].status.containerStatuses[0].lastState.terminated.finishedAt"
    assert entries[3]["source"] == "live.json" and entries[3]["line"] == 1


# Interruption -----------------------------------------------------------------------------------------------------


def test_a_stopped_collection_leaves_a_bundle_of_what_was_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from askew.collectors.files import collect as files

    straight = files.read_bytes

    def stopping(path: str, *limit: int) -> bytes:
        if path.endswith("crlf.yaml"):
            raise KeyboardInterrupt
        return straight(path, *limit)

    monkeypatch.setattr(files, "read_bytes", stopping)
    (place / "b.tgz").write_bytes(seal(["unit.service", ".", "deploy.yaml"]))
    monkeypatch.setattr(files, "read_bytes", straight)
    manifest = _manifest(place / "b.tgz")
    assert manifest["interrupted"] and manifest["missing"] == ["deploy.yaml"]
    part = manifest["sources"][1]["parts"][0]
    assert part["interrupted"] and part["status"] == "partial" and part["reason"].startswith("interrupted")
    assert part["documents"] > 0
    assert not load("bundle:b.tgz#1", "target", Redactor()).errors
    side = load("bundle:b.tgz#2", "target", Redactor())
    assert side.snapshots and side.statuses[0].status == "partial" and "interrupted" in side.statuses[0].reason
    assert "no source '3'" in load("bundle:b.tgz#3", "target", Redactor()).errors[0].message


def test_other_commands_end_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from askew.collectors.files import collect as files

    def stopping(path: str, *limit: int) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "read_bytes", stopping)
    with pytest.raises(KeyboardInterrupt):
        load(".", "target", Redactor())


def test_control_c_in_a_terminal_leaves_a_bundle(place: Path) -> None:
    import signal
    import time

    many = place / "many"
    many.mkdir()
    for number in range(60):
        (many / f"{number:03d}.yaml").write_text(WAIVED)
    command = (
        "import sys, time\n"
        "from askew.collectors.files import collect\n"
        "read = collect.read_bytes\n"
        "def slow(path, *limit):\n"
        "    if '005.yaml' in path:\n"
        "        print('here', flush=True)\n"
        "        time.sleep(60)\n"
        "    return read(path, *limit)\n"
        "collect.read_bytes = slow\n"
        "from askew.cli.main import main\n"
        "sys.exit(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command, "bundle", "unit.service", "many", "deploy.yaml", "-o", "b.tgz"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "here\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
    assert process.returncode == 130, err
    assert "interrupted" in err and "1 not read" in err
    manifest = _manifest(place / "b.tgz")
    assert manifest["interrupted"] and manifest["sources"][1]["parts"][0]["documents"] == 10
    assert not (place / "b.tgz.unfinished").exists()


def _manifest(path: Path) -> dict:
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]


# Hostile archives -------------------------------------------------------------------------------------------------


def _tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=form) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def _hostile() -> Iterator[tuple[str, bytes, str]]:
    yield "nothing", b"", "ends too early"
    yield "text", b"kind: Deployment\n", "no bundle"
    yield "zip", b"PK\x03\x04" + b"\0" * 100, "no bundle"
    yield "no gzip", b"\x1f\x00" * 100, "damaged"
    yield "empty tar", _tar(), "no manifest"
    yield "absolute", _tar((_info("/etc/passwd"), b"x")), "no name"
    yield "above", _tar((_info("../x"), b"x")), "no name"
    yield "inside above", _tar((_info("a/../../x"), b"x")), "no name"
    yield "hidden", _tar((_info(".ssh/id"), b"x")), "no name"
    yield "space", _tar((_info("a b"), b"x")), "no name"
    yield "link", _tar((_info("a", tarfile.SYMTYPE, "/etc/passwd"), b"")), "a symbolic link"
    yield "hard link", _tar((_info("a", tarfile.LNKTYPE, "b"), b"")), "a hard link"
    yield "device", _tar((_info("a", tarfile.CHRTYPE), b"")), "a device"
    yield "pipe", _tar((_info("a", tarfile.FIFOTYPE), b"")), "a pipe"
    yield "directory", _tar((_info("a", tarfile.DIRTYPE), b"")), "a directory"
    yield "sparse", _tar((_info("a", tarfile.GNUTYPE_SPARSE), b"")), "a sparse file"
    yield "gnu", _tar((_info("a"), b"x"), form=tarfile.GNU_FORMAT), "another dialect"
    pax = _info("a")
    pax.pax_headers = {"comment": "x" * 10_000}
    yield "pax", _tar((pax, b"x"), form=tarfile.PAX_FORMAT), "an extended header"
    yield "twice", _tar((_info("a"), b"1"), (_info("a"), b"2")), "two of its files"
    yield "manifest is no json", _tar((_info("manifest.json"), b"{")), "the manifest of the bundle"
    yield "manifest is deep", _tar((_info("manifest.json"), b"[" * 100_000)), "the manifest of the bundle"
    yield "manifest has a long number", _tar((_info("manifest.json"), b"9" * 100_000)), "the manifest of the bundle"
    yield "manifest is a list", _tar((_info("manifest.json"), b"[]")), "the manifest of the bundle"
    yield "later format", _tar((_info("manifest.json"), _text(schema="askew/bundle/v9"))), "expected askew/bundle/v1"
    yield "no source", _tar((_info("manifest.json"), _text())), "holds no source"
    yield "unlisted", _tar((_info("a"), b"x"), (_info("manifest.json"), _text())), "in the manifest and not in"
    listed = {"name": "a", "size": 1, "sha256": "0" * 64}
    yield "not there", _tar((_info("manifest.json"), _text(members=[listed]))), "in the manifest and not in"
    yield "wrong hash", _tar((_info("a"), b"x"), (_info("manifest.json"), _text(members=[listed]))), "not the hash"
    yield "listed twice", _tar((_info("manifest.json"), _text(members=[listed, listed]))), "twice"
    part = {"uri": "a", "folder": "../1", "status": "complete"}
    sources = [{"number": 1, "uri": "a", "parts": [part]}]
    yield "folder above", _tar((_info("manifest.json"), _text(sources=sources))), "is not in the bundle"
    whole = _tar((_info("manifest.json"), _text()))
    yield "more behind", whole + b"x", "follows the end"
    yield "another stream behind", whole + gzip.compress(b"x"), "follows the end"
    yield "cut", whole[: len(whole) // 2], "ends too early"
    yield "cut at the end", whole[:-3], "ends too early"
    yield "checksum", whole[:-6] + b"\0\0" + whole[-4:], "damaged"
    inner = gzip.decompress(whole)
    yield "header", gzip.compress(inner.replace(b"manifest", b"manifesx", 1)), "a header of the archive is damaged"
    yield "data in the padding", gzip.compress(inner + b"x"), "follows the end"


def _text(**given: object) -> bytes:
    told = {"schema": "askew/bundle/v1", "tool": {"name": "askew", "version": "1"}, "created_at": NOW, **given}
    return json.dumps(told).encode()


@pytest.mark.parametrize(("data", "said"), [pytest.param(d, s, id=n) for n, d, s in _hostile()])
def test_what_is_no_bundle_is_refused(data: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.tgz").write_bytes(data)
    found = collect("b.tgz")
    assert found.status == "failed" and not found.parts and not found.documents
    assert said in found.errors[0].message and found.errors[0].hint
    assert [path.name for path in tmp_path.iterdir()] == ["b.tgz"]


def collect(target: str) -> Evidence:
    return COLLECTOR.collect(Request(uri=f"bundle:{target}", scheme="bundle", target=target), Redactor())


@pytest.mark.parametrize("target", ["missing.tgz", "", ".", "/dev/null", "a\0b"])
def test_what_is_no_file_is_refused(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = collect(target)
    assert found.status == "failed" and found.errors[0].hint


def test_a_bomb_is_not_unpacked() -> None:
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"\0" * 2**20

    def bomb() -> Iterator[bytes]:
        yield packer.compress(_raw_header("a", 8 * 2**30 - 1))
        while True:
            yield packer.compress(block)

    chunks = bomb()
    taken = 0

    def take(size: int) -> bytes:
        nonlocal taken
        taken += 1
        assert taken < 10_000
        return next(part for part in chunks if part)

    with pytest.raises(ArchiveError, match="unpacks to more than"):
        list(read(take))
    assert taken < 1000


def test_many_small_files_are_a_bomb_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("askew.evidence.archive.MAX_MEMBERS", 10)
    monkeypatch.setattr("askew.evidence.archive.MAX_BYTES", 1000)
    out = io.BytesIO()
    writer = Writer(out.write)
    for number in range(11):
        writer.add(f"m/{number}", b"x")
    writer.close()
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        list(read(io.BytesIO(out.getvalue()).read))


def _raw_header(name: str, size: int) -> bytes:
    info = _info(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


@settings(max_examples=300)
@given(st.data())
def test_a_changed_bundle_is_refused_or_gives_the_same(data: st.DataObject) -> None:
    whole = bytearray(_WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    whole = whole[: end or None]
    try:
        found = dict(read(io.BytesIO(bytes(whole)).read))
    except ArchiveError:
        return
    assert found == dict(read(io.BytesIO(_WHOLE).read))


def _small() -> bytes:
    out = io.BytesIO()
    bundle(["cmd:vllm serve m"], out.write, Bundling(now=NOW))
    return out.getvalue()


_WHOLE = _small()


@settings(max_examples=300)
@given(st.data())
def test_documents_that_nobody_wrote_are_read_or_refused(data: st.DataObject) -> None:
    """Whoever makes a bundle can make its hashes right, too: each number is held to its bounds."""
    from askew.evidence.packing import Index, Place, Stream, Unpacker

    number = st.one_of(st.integers(-2, 12), st.sampled_from([2**32 - 1, 2**32, 2**70]))
    scalar = st.one_of(st.none(), st.booleans(), st.text(max_size=3), number, st.floats(), st.tuples(number).map(list))
    container = st.fixed_dictionaries(
        {"v": st.lists(scalar, max_size=4)},
        optional={
            "k": st.lists(st.sampled_from(["a", "b", "kind", "#"]), max_size=4),
            "m": st.lists(number, max_size=12),
            "x": st.lists(st.tuples(st.text(max_size=2), number, number, number), max_size=2),
        },
    )
    document = st.fixed_dictionaries(
        {"place": number, "root": scalar},
        optional={
            "containers": st.lists(container, max_size=4),
            "mark": st.tuples(number, number, number),
            "start": number, "end": number, "root_place": number, "path": st.text(max_size=3), "index": number,
        },
    )  # fmt: skip
    index = Index(
        streams=[Stream(member="t"), Stream(member="t", outer=0, offsets=[0, 5, 11])],
        places=[Place(source="s"), Place(source="s", stream=0), Place(source="s", stream=1, object="o")],
    )
    line = json.dumps(data.draw(document)).encode()
    try:
        [found] = Unpacker(index, {"t": b"a: b # c\nd: |\n  e\n"}).documents(line)
    except ArchiveError:
        return
    found.root.location, list(found.comments()), list(found.lines), found.first_line
    for _, child in found.root.items():
        child.location, child.key_location, child.text(), child.source_map(), child.locate("a")
    from askew.evidence.packing import Packer

    assert Packer("1/1").document(found)


def test_a_container_that_holds_itself_or_grows_without_end_is_refused() -> None:
    from askew.evidence.packing import Index, Place, Unpacker

    index = Index(places=[Place(source="s")])
    for containers in (
        [{"v": [[0]]}],
        [{"v": [[1]]}, {"v": [[0]]}],
        [{"v": []}, *({"v": [[n], [n]]} for n in range(40))],
        [{"v": []}, *({"v": [[n]]} for n in range(300))],
    ):
        packed = {"place": 0, "root": [len(containers) - 1], "containers": containers}
        with pytest.raises(ArchiveError):
            list(Unpacker(index, {}).documents(json.dumps(packed).encode()))


def test_every_field_of_evidence_is_in_a_bundle() -> None:
    """A field that collectors give and the bundle forgets would change the report."""
    kept = {"uri", "documents", "texts", "status", "reason", "errors", "files", "platform", "parts", "interrupted"}
    assert set(Evidence.__struct_fields__) == kept
    assert {field.name for field in msgspec.structs.fields(Request)} == {
        "uri", "scheme", "target", "options", "base", "progress", "keep"
    }  # fmt: skip
