"""What real servers said of themselves, field by field against what Askew makes of their launch and files.

The recordings and logs are research data beside a developer's checkout; without it these tests skip.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from askew.engines.interface import Reading
from askew.engines.triton.engine import ENGINE
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

OTHER = "runtime.arguments.unmapped"
RECORDED = "tritonserver-2.51.0-from-pytriton"
# Row of the table that the server prints → option, and how the table spells what the option says.
_ROWS: Mapping[str, tuple[str, Mapping[str | None, str]]] = {
    "model_control_mode": (
        "--model-control-mode",
        {"none": "MODE_NONE", "poll": "MODE_POLL", "explicit": "MODE_EXPLICIT"},
    ),
    "strict_model_config": ("--disable-auto-complete-config", {"true": "1", "false": "0"}),
    "rate_limit": ("--rate-limit", {"off": "OFF", "execution_count": "EXEC_COUNT"}),
    "pinned_memory_pool_byte_size": ("--pinned-memory-pool-byte-size", {}),
    "strict_readiness": ("--strict-readiness", {"true": "1", "false": "0"}),
    "exit_timeout": ("--exit-timeout-secs", {}),
    "cache_enabled": ("--cache-config", {None: "0"}),
    "response_cache_byte_size": ("--cache-config", {None: "0"}),
    "model_config_name": ("--model-config-name", {None: ""}),
}
# Not of the options: names, and what the build or the machine decides.
_LEFT = ("server_", "startup_models_", "model_repository_path", "cuda_memory_pool", "min_supported_compute")


def read(words: list[str], image: str, files: Mapping[str, str] = {}) -> Reading:
    place = Location("command", line=1, column=1)
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, place) for word in words),
            location=place,
            image=Token(image, place),
            files={path: Content(text, Location(path, line=1, column=1)) for path, text in files.items()},
        )
    )


def table(log: str) -> dict[str, str]:
    """The rows of the table of options; a value that goes on in the next row is joined."""
    found: dict[str, str] = {}
    last = ""
    _, _, body = log.partition("| Option ")
    for line in body.split("\n")[1:]:
        match = re.match(r"\| (.{32}) \| (.*?)\s*\|?$", line)
        if match is None and not line.startswith("+"):
            break
        if match is not None:
            last = match[1].strip() or last
            found[last] = found.get(last, "") + match[2]
    return found


def agreement(rows: Mapping[str, str], facts: Mapping[str, Resolved]) -> tuple[int, list[str]]:
    agreed, wrong = 0, []
    for row, told in rows.items():
        if row.startswith(_LEFT):
            continue
        option, spelled = _ROWS[row]
        entry = facts[OTHER].entries.get(option)
        value = entry.value if entry is not None and entry.state == "known" else None
        mine = spelled.get(value, value) if isinstance(value, str) or value is None else value
        if mine == told:
            agreed += 1
        else:
            wrong.append(f"{row}: {told!r}, not {mine!r}")
    return agreed, wrong


@pytest.fixture
def recorded(shared: Path) -> Path:
    return shared / "recordings" / RECORDED


def test_the_options_that_a_server_printed(recorded: Path) -> None:
    command = json.loads((recorded / "command.json").read_text(encoding="utf-8"))["cmd"]
    rows = table((recorded / "startup.log").read_text(encoding="utf-8"))
    facts = resolve(read(command, "nvcr.io/nvidia/tritonserver:24.10-py3").observations, ())
    assert facts["runtime.engine.version"].value == rows["server_version"]
    assert facts["model.source"].value == rows["model_repository_path[0]"]
    assert facts["model.served_names"].value == [rows["startup_models_0"]]
    agreed, wrong = agreement(rows, facts)
    assert (agreed, wrong) == (8, [])


@pytest.mark.parametrize(
    ("log", "words", "rows"),
    [
        ("triton-inference-server__tutorials/Conceptual_Guide/Part_1-model_deployment/README.md.block02.txt",
         ["tritonserver", "--model-repository=/models"], 7),
        ("triton-inference-server__tutorials/Deployment/Kubernetes/EKS_Multinode_Triton_TRTLLM/"
         "3._Deploy_Triton.md.block01.txt",
         ["launch_triton_server.py", "--model_repo=/var/run/models/tensorrtllm_backend/triton_model_repo"], 5),
    ],
)  # fmt: skip
def test_the_options_in_logs_that_people_published(shared: Path, log: str, words: list[str], rows: int) -> None:
    printed = table((shared / "corpus" / "files" / log).read_text(encoding="utf-8"))
    image = f"example.com/tritonserver:{printed['server_version']}"
    facts = resolve(read(words, image).observations, ())
    assert facts["model.source"].value == printed["model_repository_path[0]"]
    launched = {row: told for row, told in printed.items() if words[0] == "tritonserver" or row in (
        "strict_model_config", "cache_enabled", "model_config_name")}  # fmt: skip
    agreed, wrong = agreement(launched, facts)
    assert wrong == []
    assert agreed == (rows if words[0] == "tritonserver" else 3)


def _body(path: Path) -> dict[str, Value]:
    _, _, body = path.read_text(encoding="utf-8").replace("\r\n", "\n").partition("\n\n")
    found: dict[str, Value] = json.loads(body)
    return found


def test_the_configuration_that_a_server_made_of_a_file(shared: Path, recorded: Path) -> None:
    text = (shared / "recordings/tools/trepo/doubler/config.pbtxt").read_text(encoding="utf-8")
    made = _body(recorded / "model-config.http")
    reading = read(["tritonserver", "--model-repository=/r"], "nvcr.io/nvidia/tritonserver:24.10-py3",
                   {"/r/doubler/config.pbtxt": text})  # fmt: skip
    facts = resolve(reading.observations, reading.rules)
    other = {key: one.value for key, one in facts[OTHER].entries.items()}
    batching = {key: one.value for key, one in facts["runtime.dynamic_batching"].entries.items()}
    dynamic, groups = made["dynamic_batching"], made["instance_group"]
    assert isinstance(dynamic, dict) and isinstance(groups, list) and isinstance(groups[0], dict)
    assert facts["model.id"].value == made["name"]
    assert other["backend"] == made["backend"]
    assert other["version_policy"] == "latest 1" and made["version_policy"] == {"latest": {"num_versions": 1}}
    assert facts["runtime.max_num_seqs"].value == made["max_batch_size"]
    assert batching["preferred_batch_size"] == ",".join(map(str, dynamic["preferred_batch_size"]))  # type: ignore[arg-type]
    assert batching["max_queue_delay_microseconds"] == dynamic["max_queue_delay_microseconds"]
    assert dynamic["preserve_ordering"] is False and "preserve_ordering" not in batching
    assert facts["runtime.instances"].value == groups[0]["count"]
    assert other["instance_group"] == f"{groups[0]['count']} {groups[0]['kind']}"
    assert other["parameters.model_revision"] == "rev-1"
    assert made["parameters"] == {"model_revision": {"string_value": "rev-1"}}
    assert made["default_model_filename"] == "model.py" and "default_model_filename" not in other
    assert facts["runtime.warmup"].value is bool(made["model_warmup"])
    signature = facts["model.signature"].value
    assert isinstance(signature, dict)
    for kind, key in (("input", "inputs"), ("output", "outputs")):
        theirs, mine = made[kind], signature[key]
        assert isinstance(theirs, list) and isinstance(mine, list)
        for one, two in zip(theirs, mine, strict=True):
            assert isinstance(one, dict) and isinstance(two, dict)
            assert (two["name"], two["type"]) == (one["name"], "float32")
            assert two["shape"] == [-1, *one["dims"]]  # type: ignore[misc]


def test_metrics_that_a_server_gave_are_known(recorded: Path) -> None:
    from askew.engines import versions

    release = versions.load("triton", "2.51.0")
    assert release is not None
    text = (recorded / "metrics-after.http").read_text(encoding="utf-8")
    emitted = set(re.findall(r"# HELP (\S+)", text))
    assert emitted and emitted <= set(release.metrics)


def test_every_configuration_of_the_corpus_is_read(shared: Path) -> None:
    from askew.engines.triton.schema import SCHEMA
    from askew.evidence.textproto import checked

    read_files = 0
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").split("\n"):
        entry = json.loads(line) if line else {}
        if entry.get("file") and str(entry.get("path")).endswith(".pbtxt"):
            checked((shared / "corpus" / entry["file"]).read_text(encoding="utf-8"), SCHEMA, "ModelConfig")
            read_files += 1
    assert read_files >= 60


_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


def test_options_of_the_corpus_are_known(shared: Path) -> None:
    from askew.engines.triton.flags import FLAGS, LAUNCHER

    known = {name for flag in (*FLAGS, *LAUNCHER) for name in flag.names}
    found: dict[str, int] = {}
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").split("\n"):
        entry = json.loads(line) if line else {}
        if not entry.get("file") or "triton" not in (entry.get("engines") or ()):
            continue
        lines = (shared / "corpus" / entry["file"]).read_text(encoding="utf-8", errors="replace").split("\n")
        for number, text in enumerate(lines):
            if re.search(r"(?<![\w.-])tritonserver(?![\w:-])|launch_triton_server\.py", text) and "name:" not in text:
                for near in lines[number : number + 12]:
                    if near is not lines[number] and (
                        re.search(r"\b(ports|image|env|name):", near) or "python3" in near
                    ):
                        break
                    for flag in _FLAG.findall(near.partition(" #")[0]):
                        found[flag] = found.get(flag, 0) + 1
    strange = {flag: count for flag, count in found.items() if flag not in known}
    assert sum(found.values()) > 60
    assert sum(strange.values()) <= 0.03 * sum(found.values()), strange
