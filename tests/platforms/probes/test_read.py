"""What the probes of a container say, and what really runs in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.collectors.interface import Text
from askew.collectors.probes import PROBES, text_of
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.platforms.probes.read import launches, read
from askew.resolve.observation import Unknown
from tests.platforms.smi import outputs

POD = "k8s:prod/pod/llm-0/engine/exec"


def seen(**texts: str) -> dict[str, object]:
    found = read([Text(source=f"{POD}/{name.replace('_', '-')}", text=text) for name, text in texts.items()])
    assert all(one.basis == "seen" and one.origin == "reported" and one.locations for one in found)
    return {
        one.fact + (f"[{one.key}]" if one.key else ""): "unknown" if isinstance(one.value, Unknown) else one.value
        for one in found
    }


def test_every_probe_has_a_reader():
    from askew.platforms.probes.read import _READERS, _SMI

    assert {probe.name for probe in PROBES} == {*_READERS, *_SMI, "processes", "environment"} - {"tpu-info"}


def test_shared_memory_and_limits():
    shm = "Filesystem     1024-blocks  Used Available Capacity Mounted on\ntmpfs  65536  0  65536  0% /dev/shm\n"
    limits = "==> /sys/fs/cgroup/memory.max <==\n34359738368\n\n==> /sys/fs/cgroup/cpu.max <==\n800000 100000\n"
    assert seen(shm=shm, limits=limits) == {
        "orchestration.shm.bytes": 64 * 2**20,
        "orchestration.resources.memory.bytes[limit]": 32 * 2**30,
        "orchestration.resources.cpu[limit]": 8.0,
    }
    old = (
        "==> /sys/fs/cgroup/memory/memory.limit_in_bytes <==\n9223372036854771712\n\n"
        "==> /sys/fs/cgroup/cpu/cpu.cfs_quota_us <==\n250000\n\n==> /sys/fs/cgroup/cpu/cpu.cfs_period_us <==\n100000\n"
    )
    assert seen(limits=old) == {"orchestration.resources.cpu[limit]": 2.5}
    none = "==> /sys/fs/cgroup/memory.max <==\nmax\n\n==> /sys/fs/cgroup/cpu.max <==\nmax 100000\n"
    assert seen(limits=none) == {}


def test_packages_files_model_processor_and_devices():
    folder = "/usr/local/lib/python3.12/dist-packages"
    packages = f"{folder}/vllm-0.8.5.dist-info\n{folder}/flash_attn-2.7.4.post1.dist-info\nls: no such file\n"
    model = (
        "/models/llama:\ntotal 4\n-rw-r--r-- 1 0 0 654 Mar  2 09:00 config.json\n"
        "-rw-r--r-- 1 0 0 4976698672 Mar  2 09:00 model-00001-of-00004.safetensors\n"
    )
    files = "ab" * 32 + "  /etc/vllm/config.yaml\n"
    cpu = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Platinum 8481C CPU\nmodel name\t: other\n"
    assert seen(packages=packages, files=files, model=model, cpu=cpu, rdma="mlx5_0\nmlx5_1\n") == {
        "runtime.packages[vllm]": "0.8.5",
        "runtime.packages[flash-attn]": "2.7.4.post1",
        "orchestration.config.files[/etc/vllm/config.yaml]": "sha256:" + "ab" * 32,
        "model.weights.format": "safetensors",
        "hardware.cpu.model": "Intel(R) Xeon(R) Platinum 8481C CPU",
        "hardware.rdma.devices": ["mlx5_0", "mlx5_1"],
    }
    twice = f"{folder}/torch-2.5.1.dist-info\n/opt/venv/lib/python3.12/site-packages/torch-2.6.0.dist-info\n"
    assert seen(packages=twice) == {"runtime.packages[torch]": "unknown"}


def test_devices_of_a_container_are_counted_for_certain():
    texts = [Text(source=f"{POD}/nvidia-smi", text=outputs.XML), Text(source=f"{POD}/nvidia-smi-topo", text="")]
    count = next(one for one in read(texts) if one.fact == "hardware.gpu.count")
    assert (count.value, count.confidence) == (2, "certain")
    assert count.locations[0].source == f"{POD}/nvidia-smi"


def test_what_really_runs():
    words = b"\0".join((b"/usr/bin/python3", b"/usr/local/bin/vllm", b"serve", b"org/llama", b"--max-model-len", b"9"))
    shell = b"==> /proc/1/cmdline <==\nsh\0/entry.sh\0\n"
    output = shell + b"==> /proc/7/cmdline <==\n" + words + b"\0\n==> /proc/90/cmdline <==\nVLLM::EngineCore\0"
    probe = next(one for one in PROBES if one.name == "processes")
    texts = [
        Text(source=f"{POD}/processes", text=text_of(probe, output, Redactor(b"k"))),
        Text(source=f"{POD}/environment", text="VLLM_USE_V1\n"),
    ]
    place = Location("k8s", path="spec")
    container = Launch(argv=(Token("/entry.sh", place),), location=place, image=Token("vllm/vllm-openai:v0.8.5", place))
    found = launches(texts, container)
    assert [[token.text for token in one.argv][:2] for one in found] == [
        ["sh", "/entry.sh"],
        ["/usr/bin/python3", "/usr/local/bin/vllm"],
    ]
    engine = found[1]
    assert registry.recognise(engine) == "vllm"
    assert engine.image is container.image and engine.location.line == 2
    assert engine.env["VLLM_USE_V1"].value is None and engine.env["VLLM_USE_V1"].unknown


@pytest.mark.parametrize("name", [probe.name for probe in PROBES])
@given(text=st.text(max_size=300))
def test_no_output_is_an_exception(name: str, text: str):
    texts = [Text(source=f"{POD}/{name}", text=text)]
    read(texts)
    launches(texts, Launch(argv=(), location=Location("k8s")))
