"""Outputs of nvidia-smi and its like as sources: files, piped in, run here, asked of the library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.collectors.interface import Evidence, Request
from askew.collectors.smi import collect, nvml
from askew.evidence.redaction import Redactor
from tests.platforms.smi import outputs

CANARY = "hf_" + "Canary0123456789abcdef"


def evidence(uri: str) -> Evidence:
    scheme, _, target = uri.partition(":")
    return collect.COLLECTOR.collect(Request(uri=uri, scheme=scheme, target=target), Redactor(b"key"))


def value(uri: str, fact: str) -> object:
    side = load(uri, "target", Redactor(b"key"))
    return side.snapshots[0].facts[fact].value


def test_a_file(tmp_path: Path):
    path = tmp_path / "out.txt"
    path.write_text(outputs.TABLE)
    assert value(f"nvidia-smi:{path}", "hardware.gpu.model") == ["h100-80gb-pcie"]
    path.write_text(outputs.ROCM_JSON)
    assert value(f"rocm-smi:{path}", "hardware.gpu.count") == 2


def test_what_powershell_redirects_is_utf_16(tmp_path: Path):
    path = tmp_path / "out.txt"
    path.write_bytes(outputs.TABLE.replace("\n", "\r\n").encode("utf-16"))
    assert value(f"nvidia-smi:{path}", "hardware.gpu.model") == ["h100-80gb-pcie"]


def test_piped_in():
    command = (sys.executable, "-m", "askew", "facts", "nvidia-smi:-", "--format", "json")
    done = subprocess.run(command, input=outputs.LIST, capture_output=True, text=True, timeout=60)
    assert "h100-80gb-sxm" in done.stdout


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path):
    assert evidence(f"nvidia-smi:{tmp_path}/none.txt").status == "failed"
    path = tmp_path / "out.txt"
    path.write_bytes(b"\0\1\2")
    assert "binary" in evidence(f"nvidia-smi:{path}").errors[0].message
    path.write_text("hello\n")
    side = load(f"nvidia-smi:{path}", "target", Redactor(b"key"))
    assert side.statuses[0].status == "failed" and "expected the output" in side.errors[0].message


def test_a_secret_in_a_pasted_text_does_not_come_through(tmp_path: Path):
    path = tmp_path / "out.txt"
    path.write_text(f"$ export HF_TOKEN={CANARY}\n$ nvidia-smi -L\n{outputs.LIST}")
    found = evidence(f"nvidia-smi:{path}")
    assert found.texts and CANARY not in repr(found)


def _tool(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_the_tool_is_run_where_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, text in (("q", outputs.XML), ("list", outputs.LIST), ("topo", outputs.TOPOLOGY)):
        (tmp_path / name).write_text(text)
    _tool(
        tmp_path, "nvidia-smi",
        f'case "$1" in -q) cat {tmp_path}/q;; topo) cat {tmp_path}/topo;; *) exit 3;; esac',
    )  # fmt: skip
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = evidence("nvidia-smi:")
    assert found.status == "partial" and {text.source for text in found.texts} == {
        "nvidia-smi -q -x",
        "nvidia-smi topo -m",
    }
    assert "status 3" in found.errors[0].message
    side = load("nvidia-smi:", "target", Redactor(b"key"))
    facts = side.snapshots[0].facts
    assert facts["hardware.gpu.model"].value == ["a100-40gb-sxm"]
    assert facts["hardware.interconnect"].value == "nvswitch"
    assert facts["hardware.gpu.model"].locations[0].source == "nvidia-smi -q -x"


def test_a_tool_that_hangs_or_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    missing = evidence("npu-smi:")
    assert missing.status == "failed" and "not installed" in missing.errors[0].message
    monkeypatch.setattr(collect, "_SECONDS", 0.3)
    _tool(tmp_path, "hl-smi", "sleep 30")
    hung = evidence("hl-smi:")
    assert hung.status == "failed" and "longer than" in hung.errors[0].message


# A library with two devices, one of which MIG divides; functions that are missing in old drivers are missing here.
_LIBRARY = r"""
#include <string.h>
typedef struct { char a[16]; unsigned d, b, c, e, f; char id[32]; } pci;
typedef struct { unsigned long long t, f, u; } mem;
static int put(char *to, unsigned n, const char *from) { strncpy(to, from, n); return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { return put(s, n, "550.90.07"); }
int nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetName(void *h, char *s, unsigned n) {
  return put(s, n, (long)h > 2 ? "NVIDIA A100-SXM4-80GB MIG 3g.40gb" : "NVIDIA A100-SXM4-80GB"); }
int nvmlDeviceGetUUID(void *h, char *s, unsigned n) {
  return put(s, n, (long)h == 1 ? "GPU-0a1b2c3d-1111-2222-3333-444455556666" : (long)h == 2 ?
    "GPU-0a1b2c3d-1111-2222-3333-777755556666" : (long)h == 3 ? "MIG-aaaa" : "MIG-bbbb"); }
int nvmlDeviceGetPciInfo_v3(void *h, pci *p) { strcpy(p->id, (long)h == 1 ? "00000000:17:00.0" : "00000000:65:00.0");
  return 0; }
int nvmlDeviceGetMemoryInfo(void *h, mem *m) { m->t = 85899345920ull; m->u = 1048576ull; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(void *h, unsigned *p) { *p = 400000; return 0; }
int nvmlDeviceGetCudaComputeCapability(void *h, int *a, int *b) { *a = 8; *b = 0; return 0; }
int nvmlDeviceGetEccMode(void *h, unsigned *a, unsigned *b) { *a = *b = 1; return 0; }
int nvmlDeviceGetMigMode(void *h, unsigned *a, unsigned *b) { *a = *b = 1; return 0; }
int nvmlDeviceGetMaxClockInfo(void *h, unsigned k, unsigned *c) { *c = k == 1 ? 1410 : 1593; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *h, unsigned long long *r) { *r = 0x24; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *n) { *n = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *h, unsigned i, void **p) {
  if (i) return 6; *p = (void *)((long)h + 2); return 0; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, to build a library that answers as NVIDIA's does")
    folder = tmp_path_factory.mktemp("nvml")
    (folder / "nvml.c").write_text(_LIBRARY)
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", "libnvidia-ml.so.1", "nvml.c"], cwd=folder, check=True)
    return folder


def test_the_library_is_asked(library: Path, monkeypatch: pytest.MonkeyPatch):
    lines = list(nvml.lines(str(library / nvml.LIBRARY)))
    assert "CUDA Version        : 12.4" in lines
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    side = load("nvml:", "target", Redactor(b"key"))
    facts = {key: one.value for key, one in side.snapshots[0].facts.items()}
    assert facts["hardware.gpu.model"] == ["a100-80gb-sxm"]
    assert facts["hardware.gpu.count"] == 2
    assert facts["hardware.gpu.mig_profile"] == "3g.40gb"
    assert facts["hardware.gpu.throttle_reasons"] == ["sw_power_cap", "sw_thermal_slowdown"]
    assert facts["hardware.gpu.power_limit"] == 400
    assert facts["hardware.gpu.compute_capability"] == "8.0"
    assert facts["hardware.driver.version"] == "550.90.7" or facts["hardware.driver.version"] == "550.90.07"
    assert facts["hardware.cuda.version"] == "12.4"


def test_a_machine_without_the_library(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(nvml.NvmlError, match="no driver"):
        list(nvml.lines("libno-such-library.so.9"))


def test_nothing_that_lies_in_the_directory_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "ctypes.py").write_text("open('ran', 'w')")
    (tmp_path / "askew.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    evidence("nvml:")
    assert not (tmp_path / "ran").exists()


def test_a_gpu_that_works_harder_than_another_is_no_difference(tmp_path: Path):
    header, row = "name, clocks_event_reasons.sw_power_cap, clocks_event_reasons.gpu_idle", "NVIDIA H100 80GB HBM3, {}"
    for name, active in (("staging.csv", "Not Active, Active"), ("prod.csv", "Active, Not Active")):
        (tmp_path / name).write_text(f"{header}\n{row.format(active)}\n")
    reference, target = (f"nvidia-smi:{tmp_path / name}" for name in ("staging.csv", "prod.csv"))
    assert not [one for workload in diff(reference, target, Options()).workloads for one in workload.findings]


def test_the_memory_that_another_driver_shows_of_the_same_card_is_no_difference(tmp_path: Path):
    for name, memory in (("old", "15109"), ("new", "15360"), ("other", "23034")):
        rows = f"index, name, memory.total [MiB]\n0, Tesla T4, {memory} MiB\n"
        (tmp_path / f"{name}.txt").write_text(rows)

    def found(target: str) -> list[str]:
        report = diff(f"nvidia-smi:{tmp_path}/old.txt", f"nvidia-smi:{tmp_path}/{target}.txt", Options())
        return [finding.rule for workload in report.workloads for finding in workload.findings]

    assert found("new") == [] and found("other") == ["hardware.gpu.memory.bytes"]


@pytest.mark.parametrize("joined", [False, True])
def test_another_gpu_than_was_asked_for(tmp_path: Path, joined: bool):
    (tmp_path / "deploy.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\nspec:\n  template:\n    spec:\n"
        "      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}\n      containers:\n"
        "        - name: engine\n"
        "          image: vllm/vllm-openai:v0.8.5\n          args: [--model=org/m]\n"
        "          resources: {limits: {nvidia.com/gpu: 2}}\n"
    )
    (tmp_path / "out.txt").write_text(outputs.TABLE)
    uri = f"{tmp_path}/deploy.yaml+nvidia-smi:{tmp_path}/out.txt" if joined else f"nvidia-smi:{tmp_path}/out.txt"
    model = load(uri, "target", Redactor(b"key")).snapshots[0].facts["hardware.gpu.model"]
    assert model.value == ["h100-80gb-pcie"] and model.origin == "reported"
    assert model.locations[0].line == 9
    if joined:
        assert model.shadowed[0].value == ["h100-80gb-sxm"] and model.shadowed[0].locations[0].line == 7
