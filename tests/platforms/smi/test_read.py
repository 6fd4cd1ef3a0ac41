"""What nvidia-smi, rocm-smi and their like print, in every form and every state of completeness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.collectors.interface import Text
from askew.platforms.smi.read import read
from askew.resolve.observation import Observation, Unknown
from tests.platforms.smi import outputs

MODEL, COUNT, MIG = "hardware.gpu.model", "hardware.gpu.count", "hardware.gpu.mig_profile"
MEMORY, VENDOR = "hardware.gpu.memory.bytes", "hardware.gpu.vendor"
MIB = 2**20


def seen(*texts: str) -> dict[str, Observation]:
    reading = read((), [Text(source=f"out{at}.txt", text=text) for at, text in enumerate(texts)])
    assert len(reading.workloads) <= 1
    found = reading.workloads[0].observations if reading.workloads else ()
    return {one.fact + (f"[{one.key}]" if one.key else ""): one for one in found}


def values(*texts: str) -> dict[str, object]:
    return {key: "unknown" if isinstance(one.value, Unknown) else one.value for key, one in seen(*texts).items()}


def place(one: Observation) -> tuple[int, int]:
    return one.locations[0].line, one.locations[0].column


def test_the_table():
    found = seen(outputs.TABLE)
    assert {key: one.value for key, one in found.items()} == {
        COUNT: 2,
        MODEL: ["h100-80gb-pcie"],
        VENDOR: "nvidia",
        MIG: None,
        MEMORY: 81559 * MIB,
        "performance.gpu_memory.bytes": 71234 * MIB,
        "hardware.gpu.power_limit": 300,
        "performance.gpu_utilization": 0.96,
        "hardware.gpu.ecc": True,
        "hardware.driver.version": "570.86.15",
        "hardware.cuda.version": "12.8",
    }
    assert all(one.origin == "reported" and one.basis == "seen" for one in found.values())
    lines = outputs.TABLE.splitlines()
    for key, text in ((MODEL, "NVIDIA H100 PCIe"), ("hardware.gpu.power_limit", "300W"), (MEMORY, "81559MiB")):
        line, column = place(found[key])
        assert lines[line - 1][column - 1 :].startswith(text)
    assert found["hardware.gpu.power_limit"].because == ("the least of 2 devices; others have 350",)


def test_names_that_older_tables_cut_off_are_told_by_the_memory_and_not_certain():
    found = seen(outputs.OLD_TABLE)
    assert found[MODEL].value == ["v100-32gb"]
    assert (found[MODEL].origin, found[MODEL].confidence) == ("derived", "likely")
    assert "Tesla V100-SXM2..." in found[MODEL].because[0]


def test_drivers_since_610_name_their_halves():
    found = values(outputs.NEW_HEADER)
    assert found["hardware.driver.version"] == "610.11.02" and found["hardware.cuda.version"] == "13.3"


@pytest.mark.parametrize("name, ids", [
    ("NVIDIA H100 80GB HBM3", ["h100-80gb-sxm"]), ("NVIDIA H100 NVL", ["h100-nvl"]),
    ("NVIDIA A100-SXM4-40GB", ["a100-40gb-sxm"]), ("NVIDIA A100 80GB PCIe", ["a100-80gb-pcie"]),
    ("NVIDIA H20", ["h20"]), ("NVIDIA H200", ["h200-sxm"]), ("NVIDIA L4", ["l4"]), ("NVIDIA L40S", ["l40s"]),
])  # fmt: skip
def test_a_name_is_one_accelerator(name: str, ids: list[str]):
    assert values(f"GPU 0: {name} (UUID: GPU-0a1b2c3d-1111-2222-3333-444455556666)\n")[MODEL] == ids


def test_a_bare_name_is_told_by_its_memory():
    rows = "name, memory.total [MiB]\nNVIDIA H100, {} MiB\n"
    assert values(rows.format(95830))[MODEL] == ["h100-94gb-sxm"]
    # Whatever printed the bare name for it, a card with 80 GB is not the one with 94.
    assert values(rows.format(81559))[MODEL] == ["h100-80gb-pcie", "h100-80gb-sxm"]


def test_a_name_that_nobody_knows_is_unknown_with_its_text():
    found = seen(outputs.LIST.replace("NVIDIA H100 80GB HBM3", "NVIDIA RTX 6000"))
    model = found[MODEL].value
    assert isinstance(model, Unknown) and model.text == "NVIDIA RTX 6000"
    assert found[VENDOR].value == "nvidia" and found[COUNT].value == 2


def test_mig_slices_are_counted_and_their_profile_needs_the_list():
    alone = values(outputs.MIG_TABLE)
    assert (alone[COUNT], alone[MIG], alone[MEMORY]) == (2, "unknown", 20096 * MIB)
    both = values(outputs.MIG_TABLE, outputs.MIG_LIST)
    assert (both[COUNT], both[MIG], both[MODEL]) == (2, "2g.20gb", ["a100-80gb-sxm"])
    assert values(outputs.MIG_LIST)[MIG] == "2g.20gb"
    mixed = outputs.MIG_LIST.replace("2g.20gb", "3g.40gb", 1)
    assert values(mixed)[MIG] == "unknown"
    assert values(outputs.INSTANCES)[MIG] == "3g.40gb"


def test_mig_that_is_on_without_slices_counts_nothing():
    table = outputs.MIG_TABLE.partition("| MIG devices")[0]
    assert values(table)[COUNT] == "unknown" and values(table)[MIG] == "unknown"


def test_q():
    found = seen(outputs.QUERY)
    assert {key: one.value for key, one in found.items()} == {
        COUNT: 1,
        MODEL: ["h20"],
        VENDOR: "nvidia",
        MIG: None,
        MEMORY: 97871 * MIB,
        "performance.gpu_memory.bytes": 90000 * MIB,
        "hardware.gpu.power_limit": 500,
        "hardware.gpu.clocks[max_sm]": 1980,
        "hardware.gpu.clocks[max_memory]": 2619,
        "performance.gpu_utilization": 1.0,
        "hardware.gpu.ecc": True,
        "hardware.gpu.throttle_reasons": ["hw_slowdown", "hw_thermal_slowdown"],
        "hardware.driver.version": "550.90.07",
        "hardware.cuda.version": "12.4",
    }
    line, column = place(found["hardware.gpu.throttle_reasons"])
    assert outputs.QUERY.splitlines()[line - 1].strip() == "HW Slowdown                                    : Active"
    assert outputs.QUERY.splitlines()[line - 1][column - 1 :] == "Active"


def test_q_x():
    found = seen(outputs.XML)
    assert {key: one.value for key, one in found.items()} == {
        COUNT: 2,
        MODEL: ["a100-40gb-sxm"],
        VENDOR: "nvidia",
        MIG: None,
        MEMORY: 40960 * MIB,
        "performance.gpu_memory.bytes": 39000 * MIB,
        "hardware.gpu.power_limit": 400,
        "hardware.gpu.clocks[max_sm]": 1410,
        "hardware.gpu.clocks[max_memory]": 1215,
        "hardware.gpu.ecc": True,
        "hardware.gpu.throttle_reasons": ["sw_power_cap"],
        "hardware.driver.version": "550.90.07",
        "hardware.cuda.version": "12.4",
    }
    line, column = place(found[MODEL])
    assert outputs.XML.splitlines()[line - 1][column - 1 :].startswith("NVIDIA A100-SXM4-40GB")


def test_xml_with_entities_is_refused_whatever_they_are():
    bomb = '<!DOCTYPE nvidia_smi_log [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]>'
    outside = '<!DOCTYPE nvidia_smi_log [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    for head in (bomb, outside):
        text = outputs.XML.replace('<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">', head)
        reading = read((), [Text(source="out.xml", text=text.replace("NVIDIA A100-SXM4-40GB", "&a;"))])
        assert not reading.workloads and "entities" in reading.unread[0].reason


def test_deep_xml_ends():
    text = "<nvidia_smi_log>" + "<a>" * 100_000
    assert not read((), [Text(source="out.xml", text=text)]).workloads


def test_csv_with_units_without_and_with_a_command():
    found = values(outputs.CSV)
    assert (found[COUNT], found[MODEL], found[MEMORY]) == (2, ["a100-80gb-sxm"], 81920 * MIB)
    assert found["hardware.gpu.compute_capability"] == "8.0" and found["hardware.gpu.power_limit"] == 400
    bare = outputs.CSV.replace(" MiB", "").replace(" W", "")
    assert values(bare) == found
    columns = "index,name,uuid,memory.total,memory.used,power.limit,compute_cap,driver_version"
    rows = "".join(outputs.CSV.splitlines(keepends=True)[1:])
    command = f"root@node-1:/# nvidia-smi --query-gpu={columns} --format=csv,noheader\n{rows}"
    assert values(command) == found


def test_rows_without_a_header_say_only_what_their_values_say():
    found = values("NVIDIA H100 80GB HBM3, 81559, 700.00, 9.0\nNVIDIA H100 80GB HBM3, 81559, 700.00, 9.0\n")
    assert found == {MODEL: ["h100-80gb-sxm"], COUNT: 2, VENDOR: "nvidia"}
    assert "no column tells" in " ".join(seen("NVIDIA L4, 1\n")[COUNT].because)


def test_names_as_people_write_them_are_no_rows():
    for text in ("from fleet import Fleet, H100, L4\n", "T4, L4 and A10G\n", "L4\n"):
        assert values(text) == {}


def test_rows_of_processes_and_of_polling_are_no_devices():
    processes = "pid, process_name, used_gpu_memory [MiB]\n4711, python3, 71220 MiB\n"
    assert not seen(processes)
    polled = "timestamp, utilization.gpu [%]\n2026/03/02 09:00:00.1, 5 %\n2026/03/02 09:00:01.1, 6 %\n"
    assert values(polled).get(COUNT) == "unknown"
    asked = "$ nvidia-smi -i 0 --query-gpu=index,name --format=csv\nindex, name\n0, NVIDIA L4\n"
    assert values(asked)[COUNT] == "unknown"


def test_topologies():
    fact = "hardware.interconnect"
    assert values(outputs.TOPOLOGY)[fact] == "nvswitch"
    assert values(outputs.TOPOLOGY.replace("NV18", "NV4"))[fact] == "nvlink"
    assert values(outputs.TOPOLOGY.replace("NV18", "SYS"))[fact] == "pcie"
    bridged = outputs.TOPOLOGY.replace("NV18", "SYS", 1)
    assert values(bridged)[fact] == "unknown"
    line, column = place(seen(outputs.TOPOLOGY)[fact])
    assert outputs.TOPOLOGY.splitlines()[line - 1][column - 1 :].startswith("NV18")
    amd = "       GPU0         GPU1\nGPU0   0            XGMI\nGPU1   XGMI         0\n"
    assert values(amd)[fact] == "xgmi"
    one = "\tGPU0\tCPU Affinity\nGPU0\t X \t0-47\n"
    assert fact not in values(one)


@pytest.mark.parametrize("text, ids, count, memory", [
    (outputs.ROCM_JSON, ["mi300x"], 2, 206141652992),
    (outputs.ROCM_TEXT, ["mi300x"], 2, 206141652992),
    (outputs.ROCM_CONCISE, ["mi300x"], 2, None),
    (outputs.AMD_TABLE, ["mi300x"], 1, 196592 * MIB),
    (outputs.AMD_STATIC, ["mi325x"], 1, 262128 * MIB),
    (outputs.AMD_JSON, ["mi300x"], 1, 196592 * MIB),
    (outputs.HL_SMI, ["gaudi2"], 1, 98304 * MIB),
    (outputs.NPU_SMI, "unknown", 1, 32768 * MIB),
    (outputs.NEURON, None, 1, 34359738368),
    (outputs.TPU, ["tpu-v5e"], 2, None),
    (outputs.XPU, ["max-1550"], 1, None),
], ids=["rocm json", "rocm text", "rocm concise", "amd table", "amd static", "amd json", "hl", "npu", "neuron", "tpu",
        "xpu"])  # fmt: skip
def test_other_makers(text: str, ids: object, count: int, memory: int | None):
    found = values(text)
    assert (found.get(MODEL), found[COUNT], found.get(MEMORY)) == (ids, count, memory)


def test_rows_of_rocm_smi():
    rows = (
        "device,VRAM Total Memory (B),VRAM Total Used Memory (B),Card series,Card model,Card vendor,Card SKU\n"
        "card0,68702699520,10485760,AMD Instinct MI210,0x0c34,Advanced Micro Devices Inc. [AMD/ATI],D67301\n"
        "card1,68702699520,10485760,AMD Instinct MI210,0x0c34,Advanced Micro Devices Inc. [AMD/ATI],D67301\n"
    )
    found = values(rows)
    assert (found[MODEL], found[COUNT], found[MEMORY], found[VENDOR]) == (["mi210"], 2, 68702699520, "amd")


def test_names_and_links_of_rocm_smi_as_older_releases_write_them():
    fact = "hardware.interconnect"
    old = outputs.ROCM_JSON.replace("AMD Instinct MI300X", "Aldebaran/MI200 [Instinct MI210]").replace("0x74a1", "0x1")
    assert values(old.replace("206141652992", "68702699520"))[MODEL] == ["mi210"]
    link = '"6.10.5", "(Topology) Link type between DRM devices 0 and 1": "XGMI"'
    assert values(outputs.ROCM_JSON.replace('"6.10.5"', link))[fact] == "xgmi"


def test_slices_of_some_devices_only_are_no_count():
    block = outputs.XML[outputs.XML.index("\t<gpu id=") :].partition("</gpu>")[0] + "</gpu>\n"
    sliced = block.replace(
        "\t\t\tNone\n", "<mig_device><fb_memory_usage><total>4864 MiB</total></fb_memory_usage></mig_device>\n"
    ).replace("Disabled", "Enabled")
    text = outputs.XML.partition("\t<gpu id=")[0] + sliced + "</nvidia_smi_log>\n"
    assert values(text)[COUNT] == "unknown" and values(text)[MEMORY] == 4864 * MIB


def test_uneven_rows_of_hl_smi():
    text = outputs.HL_SMI.replace("768MiB / 98304MiB", "512Mib / 32768Mib").replace("HL-225 ", "HL-205 ")
    found = values(text.replace("0%           N/A |", "0%           N/A|"))
    assert (found[MODEL], found[MEMORY], found[COUNT]) == ("unknown", 32768 * MIB, 1)


def test_vendors_of_other_makers():
    named = {"amd": outputs.ROCM_JSON, "intel": outputs.HL_SMI, "huawei": outputs.NPU_SMI, "aws": outputs.NEURON,
             "google": outputs.TPU}  # fmt: skip
    assert {vendor: values(text)[VENDOR] for vendor, text in named.items()} == {vendor: vendor for vendor in named}


def test_pasted_among_other_words():
    pasted = f"It is slow since Monday.\n\n```\nroot@llm-0:/# nvidia-smi\n{outputs.TABLE}```\n\nAnd:\n> {outputs.LIST}"
    assert values(pasted)[COUNT] == 2
    quoted = "".join(f"> {line}\n" for line in outputs.TABLE.splitlines())
    assert values(quoted)[MODEL] == ["h100-80gb-pcie"]
    coloured = outputs.TABLE.replace("NVIDIA H100 PCIe", "\x1b[32mNVIDIA H100 PCIe\x1b[0m")
    line, column = place(seen(coloured)[MODEL])
    assert coloured.splitlines()[line - 1][column - 1 :].startswith(("NVIDIA H100 PCIe", "\x1b[32mNVIDIA H100 PCIe"))


def test_several_machines_are_told_by_their_prompts_and_one_asked_twice_is_one():
    first = f"root@llm-0:/# nvidia-smi\n{outputs.TABLE}"
    assert values(first + "\n" * 8 + first.replace("llm-0", "llm-1"))[COUNT] == 4
    assert values(first + "\n" * 8 + first)[COUNT] == 2
    assert seen(outputs.TABLE + outputs.TABLE)[COUNT].confidence == "likely"


def test_what_no_device_answers():
    assert values("No devices were found\n")[COUNT] == 0
    reading = read((), [Text(source="o", text="Failed to initialize NVML: Driver/library version mismatch\n")])
    assert "version mismatch" in reading.unread[0].reason
    reading = read((), [Text(source="o", text="hello\n")])
    assert "expected the output of nvidia-smi" in reading.unread[0].reason


def test_errors_of_the_driver():
    text = "[1.2] NVRM: Xid (PCI:0000:17:00): 79, pid=4711, GPU has fallen off the bus.\n"
    assert values(text) == {"hardware.gpu.xid_events": [79]}


def test_a_count_of_a_file_stands_below_what_is_asked_for():
    one = seen(outputs.LIST)[COUNT]
    assert one.confidence == "likely" and one.rank is not None


WHOLE = [outputs.TABLE, outputs.OLD_TABLE, outputs.MIG_TABLE, outputs.MIG_LIST, outputs.LIST, outputs.QUERY,
         outputs.XML, outputs.CSV, outputs.TOPOLOGY, outputs.ROCM_TEXT, outputs.ROCM_CONCISE, outputs.AMD_TABLE,
         outputs.AMD_STATIC, outputs.ROCM_JSON, outputs.AMD_JSON, outputs.NPU_SMI, outputs.HL_SMI, outputs.INSTANCES,
         outputs.NEURON, outputs.XPU]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 8000))
def test_a_text_that_was_cut_anywhere_says_nothing_wrong(text: str, length: int):
    """Of what identifies the hardware a part of an output says the same as the whole, or less; a number of devices that
    is not the whole one is never called certain."""
    whole, part = seen(text), seen(text[:length])
    for key in (MODEL, VENDOR, MIG, "hardware.driver.version", "hardware.cuda.version", "hardware.interconnect",
                "hardware.gpu.compute_capability"):  # fmt: skip
        if key in part and not isinstance(part[key].value, Unknown) and part[key].value != whole[key].value:
            raise AssertionError(f"{key}: {part[key].value} instead of {whole[key].value}")
    if COUNT in part and part[COUNT].confidence == "certain" and not isinstance(part[COUNT].value, Unknown):
        assert part[COUNT].value == whole[COUNT].value
    if MEMORY in part and not isinstance(part[MEMORY].value, Unknown):
        assert part[MEMORY].value == whole[MEMORY].value


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 5000), st.characters()), max_size=12))
def test_no_damage_is_an_exception(text: str, damage: list[tuple[int, str]]):
    for at, letter in damage:
        text = text[: at % (len(text) + 1)] + letter + text[at % (len(text) + 1) + 1 :]
    seen(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_no_text_is_an_exception(text: str):
    seen(text)


def test_long_hostile_texts_take_little_time():
    for text in ("|" * 200_000, "GPU 0: " * 50_000, "a,b\n" * 100_000, "{" * 100_000, "GPU[0]: a: b\n" * 50_000,
                 "| NVIDIA-SMI 1 |\n" * 20_000, "<nvidia_smi_log>" * 20_000, "name\n" * 100_000):  # fmt: skip
        read((), [Text(source="o", text=text)])


def test_captures_of_real_machines(shared: Path):
    """Every capture of the corpus is read, and where its name says the accelerator, that is what is seen."""
    known = {"h100-80gb-hbm3": ["h100-80gb-sxm"], "h100-mig": ["h100-80gb-sxm"], "h200": ["h200-sxm"],
             "l40s": ["l40s"]}  # fmt: skip
    read_ones = 0
    with (shared / "corpus" / "index.jsonl").open(encoding="utf-8") as index:
        entries = [json.loads(line) for line in index]
    for entry in entries:
        if entry["kind"] != "nvidia-smi" or not entry["file"]:
            continue
        text = (shared / "corpus" / entry["file"]).read_text(encoding="utf-8", errors="replace")
        found = values(text)
        assert found, entry["file"]
        assert VENDOR in found and found[VENDOR] == "nvidia"
        for name, ids in known.items():
            if f"nvidia-{name}" in entry["file"]:
                assert found[MODEL] == ids
        read_ones += 1
    assert read_ones >= 20
