from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.facts.values.errors import ValueNotUnderstood
from askew.knowledge.gpus import gpu, info, instance_gpus, known, mig_profile, parse_gpu_label, source_of, supports_bf16


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("h100-80gb-sxm", "h100-80gb-sxm"),
        ("h100-80gb", "h100-80gb-pcie h100-80gb-sxm"),
        ("nvidia-h100-80gb", "h100-80gb-pcie h100-80gb-sxm"),
        ("A100 80GB", "a100-80gb-pcie a100-80gb-sxm"),
        ("A100-80G", "a100-80gb-pcie a100-80gb-sxm"),
        ("nvidia-a100", "a100-40gb-pcie a100-40gb-sxm a100-80gb-pcie a100-80gb-sxm"),
        ("NVIDIA H100", "h100-80gb-pcie h100-80gb-sxm h100-94gb-sxm h100-nvl"),
        ("H100 94GB", "h100-94gb-sxm h100-nvl"),
        ("NVIDIA H100 80GB HBM3", "h100-80gb-sxm"),
        ("NVIDIA-H100-80GB-HBM3", "h100-80gb-sxm"),
        ("H100-SXM5-80GB", "h100-80gb-sxm"),
        ("DGX H100", "h100-80gb-sxm h100-94gb-sxm"),
        ("A100-SXM4-40GB", "a100-40gb-sxm"),
        ("a10", "a10"),
        ("NVIDIA A10G", "a10g"),
        ("l4", "l4"),
        ("l40s", "l40s"),
        ("Tesla-T4", "t4"),
        ("nvidia-tesla-a100", "a100-40gb-sxm"),
        ("nvidia-h100-mega-80gb", "h100-80gb-sxm"),
        ("tpu-v5-lite-podslice", "tpu-v5e"),
        ("TPU-V6E", "tpu-v6e"),
        ("g5.8xlarge", "a10g"),
        ("Standard_ND96isr_H100_v5", "h100-80gb-sxm"),
        ("a2-ultragpu-4g", "a100-80gb-sxm"),
        ("AMD Instinct MI300X", "mi300x"),
        ("AMD_Instinct_MI300X_OAM", "mi300x"),
        ("gaudi 2", "gaudi2"),
        ("GeForce RTX 4090", "rtx-4090"),
        ("RTX 6000 Ada", "rtx-6000-ada"),
        ("A6000", "rtx-a6000"),
        ("Intel(R) Data Center GPU Max 1550", "max-1550"),
        ("trn1", "trainium1"),
    ],
)
def test_names(text: str, ids: str) -> None:
    assert sorted(gpu(text)) == ids.split()


@pytest.mark.parametrize(
    "text", ["", "gpu", "nvidia", "true", "A100 48GB", "rtx", "tpu", "max", "80gb", "8xH100", "x" * 10_000, None, 3]
)
def test_what_names_no_accelerator(text: object) -> None:
    with pytest.raises(ValueNotUnderstood, match="is not a known accelerator"):
        gpu(text)


def test_a_misspelling_gets_the_nearest_names() -> None:
    with pytest.raises(ValueNotUnderstood, match=r"nearest known: .*h100-80gb-sxm"):
        gpu("h1000-80gb-sxm")


@pytest.mark.parametrize(
    ("text", "ids", "profile", "sharing"),
    [
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "a100-40gb-sxm", "1g.5gb", None),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.10gb.me-SHARED", "a100-40gb-sxm", "1g.10gb+me", "shared"),
        ("NVIDIA-H100-NVL-MIG-1g.12gb", "h100-nvl", "1g.12gb", None),
        ("Tesla-T4-SHARED", "t4", None, "shared"),
        ("NVIDIA-H100", "h100-94gb-sxm", None, None),
        ("NVIDIA-H200", "h200-sxm", None, None),
        ("nvidia.com/mig-4g.71gb", "h200-nvl h200-sxm", "4g.71gb", None),
    ],
)
def test_labels(text: str, ids: str, profile: str | None, sharing: str | None) -> None:
    found = parse_gpu_label(text)
    assert (sorted(found.ids), found.mig_profile, found.sharing) == (ids.split(), profile, sharing)


def test_the_label_decides_what_a_value_means() -> None:
    assert parse_gpu_label("nvidia-h100-80gb", "cloud.google.com/gke-accelerator").ids == {"h100-80gb-sxm"}
    assert parse_gpu_label("hopper", "nvidia.com/gpu.family").ids == {
        one for one in known() if info(one).architecture == "Hopper"
    }
    with pytest.raises(ValueNotUnderstood):
        parse_gpu_label("jurassic", "nvidia.com/gpu.family")


def test_karpenter_names_cover_every_memory_size() -> None:
    ids = parse_gpu_label("a100", "karpenter.k8s.aws/instance-gpu-name").ids
    assert ids == {"a100-40gb-sxm", "a100-80gb-sxm"}


@pytest.mark.parametrize("text", ["", "1g", "mig", "5gb", "9" * 1000])
def test_no_mig_profile(text: str) -> None:
    with pytest.raises(ValueNotUnderstood):
        mig_profile(text)


def test_instances() -> None:
    assert instance_gpus("p5.48xlarge") == (frozenset({"h100-80gb-sxm"}), 8)
    assert instance_gpus("g6f.large") == (frozenset({"l4"}), 0)
    assert instance_gpus("m5.large") is None


def test_every_way_to_write_a_known_accelerator_leads_to_it() -> None:
    for gpu_id in known():
        one = info(gpu_id)
        assert gpu(gpu_id) == {gpu_id}
        for text in (*one.names, *one.gke, *one.karpenter, *one.amd_product):
            assert gpu_id in gpu(text), text
            label = re.sub(r"[^A-Za-z0-9\-_. ]", "", text).replace(" ", "-")
            assert gpu_id in parse_gpu_label(label).ids or "/" in text, label
            assert gpu_id in parse_gpu_label(f"{label}-SHARED").ids or "/" in text
        for name in one.instances:
            assert gpu(name) == {gpu_id}


def test_bfloat16_follows_the_architecture() -> None:
    assert supports_bf16("t4") is supports_bf16("v100-32gb") is False
    assert supports_bf16("a10g") is supports_bf16("h100-80gb-sxm") is True
    assert supports_bf16("max-1550") is None
    for gpu_id in known():
        capability = info(gpu_id).compute_capability
        if capability:
            assert supports_bf16(gpu_id) is (float(capability) >= 8.0)


def test_every_stated_field_has_a_public_source() -> None:
    for gpu_id in known():
        one = info(gpu_id)
        assert not set(one.sources) & set(one.unverified), gpu_id
        for field in (
            "names",
            "gke",
            "karpenter",
            "amd_product",
            "instances",
            "memory_gb",
            "memory_bytes",
            "bandwidth_bytes_per_second",
            "compute_capability",
            "bf16",
            "fp8",
            "fp4",
            "tflops",
            "interconnect",
            "mig_profiles",
        ):
            if getattr(one, field) not in (None, (), {}):
                sources = source_of(gpu_id, field)
                assert sources, (gpu_id, field)
                assert all(source.startswith("https://") for source in sources)


def test_memory_is_that_of_one_device() -> None:
    for gpu_id in known():
        one = info(gpu_id)
        if one.memory_gb and one.memory_bytes:
            assert 0.9 < one.memory_bytes / (one.memory_gb * 10**9) < 1.1


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueNotUnderstood):
        assert gpu(text)


def test_every_accelerator_label_in_the_corpus(shared: Path) -> None:
    line = re.compile(
        r"(?m)^\s*\"?((?:nvidia\.com/gpu\.(?:product|family)|cloud\.google\.com/gke-(?:tpu-)?accelerator"
        r"|karpenter\.k8s\.aws/instance-gpu-name))\"?: *[\"']?([A-Za-z0-9][^\s\"'#,]*)"
    )
    seen, refused = set(), set()
    for path in (shared / "corpus" / "files").rglob("*.y*ml"):
        for label, text in line.findall(path.read_text(errors="replace")):
            seen.add(text)
            try:
                parse_gpu_label(text, label)
            except ValueNotUnderstood:
                refused.add(text)
    assert len(seen) > 10
    assert not refused
