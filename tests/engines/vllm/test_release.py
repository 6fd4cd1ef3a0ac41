"""Which release an image states, what its defaults are, and that they are those of the published source."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from askew.engines import versions
from askew.engines.vllm import RECOGNITION
from askew.engines.vllm.defaults import LITERAL, rules
from askew.engines.vllm.engine import ENGINE, stated_release
from askew.engines.vllm.flags import DEFERRED, FLAGS
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.facts.values.image import image
from askew.resolve.observation import Unknown

HERE = Location("x", line=1)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("vllm/vllm-openai:v0.8.5", "0.8.5"),
        ("docker.io/vllm/vllm-openai:v0.20.1-cu129", "0.20.1"),
        ("vllm/vllm-openai:v0.6.3.post1", "0.6.3.post1"),
        ("registry.local:5000/team/vllm-openai:v0.10.0", "0.10.0"),
        ("quay.io/team/vllm-openai-ubi9:0.4.2", "0.4.2"),
        ("rocm/vllm:rocm6.2_mi300_ubuntu20.04_py3.9_vllm_0.6.4", "0.6.4"),
        ("vllm/vllm-openai:latest", None),
        ("vllm/vllm-openai", None),
        ("lmcache/vllm-openai:v0.3.7", None),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.1", None),
        ("nvcr.io/nvidia/vllm:25.09-py3", None),
        ("opea/vllm:1.4.0", None),
        ("quay.io/ascend/vllm-ascend:v0.18.0-310p", None),
        ("team/anything:1.2.3", None),
        ("aibrix/vllm-openai:v0.6.1-edb07092-20250118", None),
        ("team/vllm-openai:v0.10.2-patched-20251123", None),
        ("team/vllm:0.20.2-cu130", "0.20.2"),
    ],
)
def test_release_of_an_image(reference: str, expected: str | None) -> None:
    assert stated_release(image(reference)) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "vllm/vllm-openai:v0.8.5",
        "vllm/vllm-openai",
        "docker.io/vllm/vllm-openai@sha256:" + "a" * 64,
        "vllm/vllm-openai-cpu:v0.21.0",
        "vllm/vllm-tpu:latest",
        "rocm/vllm:latest",
        "lmcache/vllm-openai:latest",
        "quay.io/ascend/vllm-ascend:v0.18.0",
        "opea/vllm-gaudi:1.4",
        "intel/llm-scaler-vllm:1.1",
        "registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2",
        "public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.10.1",
        "ghcr.io/llm-d/llm-d-cuda:v0.3.0",
    ],
)
def test_images_of_the_engine(reference: str) -> None:
    assert any(re.search(pattern, reference) for pattern in RECOGNITION.images)


@pytest.mark.parametrize(
    "reference",
    [
        "lmcache/lmstack-router:latest",
        "vllm-router:latest",
        "ghcr.io/vllm-project/semantic-router/extproc:latest",
        "aibrix/vllm-mock:nightly",
        "vllm-simulator:latest",
        "team/vllm-exporter:1",
        "ghcr.io/llm-d/llm-d-inference-scheduler:v0.3",
        "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0",
        "public.ecr.aws/x/ray-2.41.0-py310-cu118-vllm0.7.0:latest",
        "kserve/huggingfaceserver:latest",
    ],
)
def test_images_that_only_mention_it(reference: str) -> None:
    assert not any(re.search(pattern, reference) for pattern in RECOGNITION.images)


@pytest.mark.parametrize(
    ("command", "starts"),
    [
        ("vllm serve org/m", True),
        ("/usr/local/bin/vllm serve", True),
        ("python3 -m vllm.entrypoints.openai.api_server --model m", True),
        ("python3 -u -m vllm.entrypoints.api_server", True),
        ("python3 -O -m vllm.entrypoints.openai.api_server", True),
        ("vllm bench serve", False),
        ("vllm-router --port 80", False),
        ("python3 -m vllm_router.app", False),
        ("python3 -m vllm.entrypoints.openai.run_batch", False),
        ("python -m huggingfaceserver --model_name vllm serve", False),
    ],
)
def test_programs(command: str, starts: bool) -> None:
    assert any(re.match(pattern, command) for pattern in RECOGNITION.programs) is starts


def test_every_argument_of_the_release_is_in_the_table() -> None:
    release = versions.load("vllm", "0.33.0")
    assert release is not None
    known = {name for flag in FLAGS if not flag.until for name in flag.names}
    assert {name for entry in release.arguments.values() for name in entry.names} <= known


def test_the_table_is_sound() -> None:
    names = {name for flag in FLAGS for name in flag.names}
    assert DEFERRED.keys() <= names
    assert set(LITERAL.values()) <= names
    assert set(LITERAL) <= FACTS.keys()
    for flag in FLAGS:
        assert bool(flag.fact) + bool(flag.irrelevant) + (flag.spreads is not None) == 1, flag.names
        assert not flag.fact or flag.fact in FACTS, flag.names
        assert not flag.key or FACTS[flag.fact].type.keyed, flag.names


def test_what_arguments_take_is_what_the_release_says() -> None:
    data = json.loads((Path(versions.__file__).parent / "vllm/versions/0.33.0.json").read_text())["arguments"]
    takes = {name: flag.takes for flag in FLAGS if not flag.until for name in flag.names}
    wrong = {name: (takes[name], entry["takes"]) for name, entry in data.items() if takes[name] != entry["takes"]}
    # --pt-load-map-location also takes one plain word, --lora-modules its own forms; both are read.
    assert not wrong


def test_history_of_the_arguments(shared: Path) -> None:
    history = json.loads((shared / "knowledge/defaults/vllm_defaults.json").read_text())
    releases = list(history)
    assert tuple(releases) == versions.stable("vllm").releases  # type: ignore[union-attr]  # the file is part of the build
    spans: dict[str, tuple[str, str]] = {}
    for name in {name for arguments in history.values() for name in arguments}:
        seen = [index for index, release in enumerate(releases) if name in history[release]]
        until = releases[seen[-1] + 1] if seen[-1] + 1 < len(releases) else ""
        spans[name] = ("" if seen[0] == 0 else releases[seen[0]], until)
    mine: dict[str, list[tuple[str, str]]] = {}
    for flag in FLAGS:
        for name in flag.names[:1]:
            mine.setdefault(name, []).append((flag.since, flag.until))
    odd = {"--max-seq_len-to-capture", "--preemption_mode"}  # one release spelled them so; underscores equal dashes
    for name, span in spans.items():
        if name not in odd:
            assert name in mine, name
            assert (mine[name][0][0], mine[name][-1][1]) == span, name


def test_defaults_agree_with_the_research(shared: Path) -> None:
    release = versions.load("vllm", "0.33.0")
    assert release is not None
    table = json.loads((shared / "knowledge/defaults/vllm_defaults.json").read_text())["0.33.0"]
    for name, entry in release.arguments.items():
        theirs = table[name]["default"]
        if isinstance(theirs, str) and re.search(r"[.(*]", theirs):
            continue  # an expression that the research kept as text
        assert entry.value == (theirs.strip("'") if isinstance(theirs, str) else theirs), name


def test_batch_defaults_agree_with_the_research(shared: Path) -> None:
    release = versions.load("vllm", "0.33.0")
    assert release is not None
    found = {rule.fact: rule for rule in rules(release, throughput=False, longest=False, pooling=False)}
    effective = json.loads((shared / "knowledge/defaults/vllm_effective.json").read_text())["0.33.0"]
    ids = {"L4-24GB": "l4", "A100-80GB": "a100-80gb-sxm", "H100-80GB": "h100-80gb-sxm", "H200-141GB": "h200-141gb-sxm"}
    checked = 0
    from askew.knowledge.gpus import gpu

    for label, name in ids.items():
        for one in gpu(name):
            facts: dict[str, Value] = {"hardware.gpu.model": [one]}
            tokens = found["runtime.max_num_batched_tokens"].compute(facts)
            assert tokens == effective[label]["effective"]["max_num_batched_tokens"], label
            assert isinstance(tokens, int)
            facts["runtime.max_num_batched_tokens"] = tokens
            assert found["runtime.max_num_seqs"].compute(facts) == effective[label]["effective"]["max_num_seqs"], label
            checked += 1
    assert checked >= 4


@pytest.mark.parametrize(
    ("stored", "gpu", "expected"),
    [
        ("bfloat16", "h100-80gb-sxm", "bfloat16"),
        ("bfloat16", "t4", "float16"),
        ("bfloat16", None, "bfloat16"),
        ("float16", None, "float16"),
        ("float32", "h100-80gb-sxm", "bfloat16"),
        ("float32", "t4", "float16"),
        ("float32", None, None),
    ],
)
def test_dtype_auto(stored: str, gpu: str | None, expected: str | None) -> None:
    from askew.knowledge.gpus import gpu as lookup

    release = versions.load("vllm", "0.33.0")
    (rule,) = (r for r in rules(release, throughput=False, longest=False, pooling=False) if r.fact == "runtime.dtype")
    facts: dict[str, Value] = {"model.config.dtype": stored}
    if gpu is not None:
        found_gpus: list[Value] = [*sorted(lookup(gpu))]
        facts["hardware.gpu.model"] = found_gpus[:1]
    found = rule.compute(facts)
    assert isinstance(found, Unknown) if expected is None else found == expected


def _read(reference: str | None) -> dict[str, tuple[object, str, str]]:
    launch = Launch(
        argv=tuple(Token(word, HERE) for word in ("vllm", "serve", "m")),
        location=HERE,
        image=Token(reference, HERE) if reference else None,
    )
    return {
        o.fact: (o.value, o.confidence, str(o.locations[0]) if o.locations else "")
        for o in ENGINE.read(launch).observations
    }


def test_defaults_of_a_release_in_this_build_cite_their_line() -> None:
    found = _read("vllm/vllm-openai:v0.33.0")
    assert found["runtime.gpu_memory_utilization"][:2] == (0.92, "certain")
    assert re.fullmatch(r"vllm 0\.33\.0 vllm/config/cache\.py:\d+", found["runtime.gpu_memory_utilization"][2])


def test_defaults_that_never_differed_hold_for_any_release() -> None:
    read = _read("vllm/vllm-openai:v0.8.5")
    assert read["runtime.tensor_parallel_size"][:2] == (1, "certain")
    unread = _read("vllm/vllm-openai:latest")
    assert unread["serving.port"][:2] == (8000, "likely")


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("vllm/vllm-openai:v0.8.5", "defaults of vLLM 0.8.5 are not in this build"),
        ("vllm/vllm-openai:latest", "the release of vLLM is not known (image vllm/vllm-openai:latest)"),
        (None, "the release of vLLM is not known"),
    ],
)
def test_defaults_that_differ_are_unknown_without_the_release(reference: str | None, reason: str) -> None:
    for fact in ("runtime.gpu_memory_utilization", "runtime.seed", "runtime.generation_config", "runtime.max_num_seqs"):
        value = _read(reference)[fact][0]
        assert isinstance(value, Unknown), fact
        assert value.reason == reason


def test_only_the_exact_release_is_loaded() -> None:
    assert versions.load("vllm", "v0.33.0") is not None
    assert versions.load("vllm", "0.33.1") is None
    assert versions.load("vllm", "../../../etc/passwd") is None
    assert versions.load("no-such-engine", "1.0") is None
    assert "0.33.0" in versions.releases("vllm")


def test_order_of_releases() -> None:
    ordered = ["0.9.2", "0.10.0rc1", "0.10.0", "0.10.0.post1", "0.10.1"]
    assert sorted(set(ordered), key=versions.release_key) == ordered
