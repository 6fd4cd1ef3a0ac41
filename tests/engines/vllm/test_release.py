"""Which release an image states, what its defaults are, and that they are those of the published source."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from askew.engines import versions
from askew.engines.vllm import RECOGNITION
from askew.engines.vllm.defaults import LITERAL, rules
from askew.engines.vllm.engine import ENGINE
from askew.engines.vllm.flags import DEFERRED, FLAGS
from askew.engines.vllm.generations import Setting
from askew.engines.vllm.tags import stated_release
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.facts.values.image import image
from askew.resolve.observation import Unknown
from askew.resolve.rule import Rule

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
        ("quay.io/ascend/vllm-ascend:v0.18.0-310p", "0.18.0"),
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
    release = versions.load("vllm", "0.33.0")
    assert release is not None
    takes = {name: flag.takes for flag in FLAGS if not flag.until for name in flag.names}
    given = {name: entry for name, entry in release.arguments.items() if name.startswith("-")}
    wrong = {name: (takes[name], entry.takes) for name, entry in given.items() if takes[name] != entry.takes}
    # --pt-load-map-location also takes one plain word, --lora-modules its own forms; both are read.
    assert not wrong


def test_since_and_until_are_those_of_the_releases() -> None:
    history = versions.history("vllm")
    assert history is not None
    mine: dict[str, list[tuple[str, str]]] = {}
    for flag in FLAGS:
        mine.setdefault(flag.names[0], []).append((flag.since, flag.until))
    odd = {"--max-seq_len-to-capture", "--preemption_mode"}  # one release spelled them so; underscores equal dashes
    for name in {name for name in history.arguments if name.startswith("-")} - odd:
        spans = history.spans(name)
        assert name in mine, name
        assert (mine[name][0][0], mine[name][-1][1]) == (spans[0][0], spans[-1][1]), name
    assert mine.keys() <= history.arguments.keys()


def test_arguments_and_defaults_agree_with_the_research(shared: Path) -> None:
    table = json.loads((shared / "knowledge/defaults/vllm_defaults.json").read_text())
    compared = 0
    for name, arguments in table.items():
        release = versions.load("vllm", name)
        assert release is not None, name
        given = {argument: entry for argument, entry in release.arguments.items() if argument.startswith("-")}
        assert given.keys() == arguments.keys(), name
        for argument, entry in given.items():
            theirs = arguments[argument]["default"]
            if isinstance(theirs, dict) and "if" in theirs:
                continue  # a choice between two that the research kept as it stands
            if isinstance(theirs, str) and re.search(r"[.(*:]", theirs):
                continue  # an expression that the research kept as text
            if arguments[argument]["kind"] == "env" or entry.kind == "rule":
                continue
            expected = theirs.strip("'") if isinstance(theirs, str) else theirs
            assert entry.value == expected, (name, argument)
            compared += 1
    assert compared > 9000


def test_variables_and_metrics_agree_with_the_research(shared: Path) -> None:
    variables = json.loads((shared / "knowledge/defaults/vllm_envs.json").read_text())
    metrics = json.loads((shared / "knowledge/defaults/vllm_metrics.json").read_text())
    for name, known in variables.items():
        release = versions.load("vllm", name)
        assert release is not None, name
        assert release.variables.keys() == known.keys(), name
        # The research has the names in the source, here are those that the Prometheus client shows.
        shown = {one.removesuffix("_total") for one in release.metrics}
        assert {one for one in metrics[name] if one.removesuffix("_total") not in shown} == set(), name


def _rules(release: str) -> dict[str, Rule]:
    loaded = versions.load("vllm", release)
    assert loaded is not None
    return {rule.fact: rule for rule in rules(Setting(release=loaded), longest=False) if not rule.key}


GPUS = {
    "L4-24GB": "l4",
    "A100-80GB": "a100-80gb-sxm",
    "H100-80GB": "h100-80gb-sxm",
    "H200-141GB": "h200-141gb-sxm",
    "B200-180GB": "b200",
}


def test_batch_defaults_agree_with_the_research(shared: Path) -> None:
    from askew.knowledge.gpus import gpu

    effective = json.loads((shared / "knowledge/defaults/vllm_effective.json").read_text())
    compared = 0
    for release, by_gpu in effective.items():
        found = _rules(release)
        for label, name in GPUS.items():
            expected = by_gpu[label]["effective"]
            for one in sorted(gpu(name)):
                facts: dict[str, Value] = {"hardware.gpu.model": [one]}
                for fact in ("chunked_prefill", "prefix_caching", "max_num_batched_tokens", "max_num_seqs"):
                    value = found[f"runtime.{fact}"].compute(facts)
                    assert not isinstance(value, Unknown)
                    facts[f"runtime.{fact}"] = value
                    want = expected[fact if fact.startswith("max") else f"enable_{fact}"]
                    if not isinstance(want, list):  # the research could not tell
                        assert value == want, (release, label, fact)
                        compared += 1
    assert compared > 800


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

    rule = _rules("0.33.0")["runtime.dtype"]
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
    assert re.fullmatch(r"vllm 0\.\d+\.0 vllm/config/cache\.py:\d+", found["runtime.gpu_memory_utilization"][2])


def test_defaults_that_never_differed_hold_for_any_release() -> None:
    read = _read("vllm/vllm-openai:v0.8.5")
    assert read["runtime.tensor_parallel_size"][:2] == (1, "certain")
    unread = _read("vllm/vllm-openai:latest")
    assert unread["serving.port"][:2] == (8000, "likely")


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
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


def test_defaults_agree_with_what_real_servers_printed(shared: Path) -> None:
    """Start-up logs print every argument of a server, as ``name=value``; those quoted here are of servers that were
    started with few arguments, and the research left those out."""
    text = (shared / "knowledge/defaults/tools/validate.py").read_text()
    printed = next(
        ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    )
    compared, odd = 0, []
    for name, fragment in printed.items():
        release = versions.load("vllm", name)
        assert release is not None, name
        call = ast.parse(f"f({fragment})", mode="eval").body
        assert isinstance(call, ast.Call)
        for keyword in call.keywords:
            entry = release.arguments.get(f"--{(keyword.arg or '').replace('_', '-')}")
            if entry is None:  # --dtype is kept as dtype, but some under another name
                odd.append((name, keyword.arg))
                continue
            assert entry.value == ast.literal_eval(keyword.value), (name, keyword.arg)
            compared += 1
    assert compared >= 250
    assert len(odd) <= 3, odd
