from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app import registry
from askew.app.defaults import defaults
from askew.app.errors import UsageError
from askew.engines import versions
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.knowledge.rules import RULES
from askew.report.defaults import render_defaults
from askew.resolve.resolve import resolve

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.10.2
        args: [--model, a/b, --max_seq_len_to_capture=4096, --compilation-config, '{"cudagraph_mode": "NONE"}']
        env:
        - {name: VLLM_USE_DEEP_GEMM, value: "0"}
        - {name: VLLM_GPT_OSS_USE_CONTAINER_TOOL, value: "1"}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm, namespace: prod}
spec:
  scaleTargetRef: {name: llm}
  triggers:
  - type: prometheus
    metadata:
      serverAddress: http://prometheus:9090
      # vllm:gpu_prefix_cache_hits_total is not asked for
      query: avg(vllm:gpu_cache_usage_perc{namespace="prod"})
      threshold: "0.8"
"""


def changes(engine, old, new, flags=None):
    return {(one.name, one.condition or ""): one for one in defaults(engine, old, new, flags).changes}


def named(engine, old, new, name, flags=None):
    return [one for one in defaults(engine, old, new, flags).changes if one.name == name]


def test_the_upgrade_to_v1():
    (one,) = named("vllm", "0.7.3", "0.8.0", "--generation-config")
    assert (one.old, one.new, one.fact, one.condition) == ("engine", "auto", "runtime.generation_config", None)
    assert one.effects == ("quality",)
    assert one.sources[0].startswith("vllm 0.8.0 vllm/engine/arg_utils.py:")
    (one,) = named("vllm", "0.7.3", "0.8.0", "--enable-prefix-caching")
    assert (one.old, one.new, one.kind) == (False, True, "rule")
    (one,) = named("vllm", "v0.7.3", "v0.8.0", "VLLM_USE_V1")
    assert (one.old, one.new) == ("0", "1")


def test_what_is_decided_by_the_gpu_says_on_which():
    (one,) = named("vllm", "0.8.4", "0.8.5", "--max-num-seqs")
    assert (one.old, one.new, one.kind) == (256, 1024, "rule")
    assert one.condition == "on a100-80gb-sxm, b200, where it is not set"


def test_a_value_that_depends_is_not_given_as_nothing():
    (one,) = named("vllm", "0.7.3", "0.8.0", "--override-generation-config")
    assert one.old == {} and one.new is None
    assert one.new_depends is not None and "generation_config.json" in one.new_depends


def test_an_argument_that_has_a_successor_names_it():
    (one,) = named("vllm", "0.8.2", "0.8.3", "--speculative-model")
    assert (one.kind, one.new) == ("renamed", "--speculative-config.model")


def test_a_metric_that_went_names_its_heir_and_who_asks_for_it():
    (one,) = named("vllm", "0.10.2", "0.12.0", "vllm:gpu_cache_usage_perc")
    assert one.new == "vllm:kv_cache_usage_perc"
    asking = "app-design-center/ai-inference/templates/hpa.yaml"
    assert any(asking in query for query in one.queried_by)
    assert all(": https://github.com/" in query for query in one.queried_by)
    (one,) = named("vllm", "0.10.2", "0.12.0", "vllm:gpu_prefix_cache_hits_total")
    assert one.new == "vllm:prefix_cache_hits_total" and one.queried_by
    text = render_defaults(defaults("vllm", "0.10.2", "0.12.0"), "text")
    assert "asked for by" in text and "more public ones" in text


def test_public_queries_are_of_metrics_that_some_release_has():
    past = versions.history("vllm")
    assert past is not None
    known = {name.removesuffix("_total") for name in past.metrics}
    for query in versions.queries("vllm"):
        assert query.what and query.address.startswith("https://")
        for metric in query.metrics:
            assert metric.removesuffix("_total") in known, (query.address, metric)


def test_what_a_request_gets_that_leaves_a_field_out():
    (one,) = named("vllm", "0.6.4.post1", "0.6.5", "chat/completions.temperature")
    assert (one.old, one.new) in ((0.7, 1.0), ("0.7", "1.0"))
    (one,) = named("vllm", "0.11.2", "0.12.0", "chat/completions.guided_json")
    assert (one.kind, one.severity, one.condition) == ("api", "medium", "for requests with this field")
    assert not named("vllm", "0.8.5", "0.9.0", "chat/completions.top_k"), "-1 and 0 both keep all tokens"


def test_what_a_release_is_built_with():
    (one,) = named("vllm", "0.16.0", "0.17.0", "torch")
    assert (one.kind, one.old, one.new, one.fact) == ("dependency", "2.9.1", "2.10.0", "runtime.packages")
    assert not named("vllm", "0.19.0", "0.20.0", "cuda"), "the effective fact tells it"
    assert named("vllm", "0.19.0", "0.20.0", "runtime.packages[cuda]")


def test_what_was_not_read_of_a_release_is_no_removal():
    assert not named("vllm", "0.14.1", "0.15.1", "image ENTRYPOINT")
    assert not named("vllm", "0.6.1", "0.6.2", "image ENTRYPOINT")
    assert not named("vllm", "0.14.1", "0.15.1", "torch")


def test_going_back_tells_the_opposite():
    (one,) = named("vllm", "0.20.0", "0.19.0", "--gpu-memory-utilization")
    assert (one.old, one.new) == (0.92, 0.9)


def test_llama_cpp_python_speaks_of_what_it_bundles():
    (one,) = named("llama-cpp-python", "0.3.16", "llama-cpp-python 0.3.19", "--ctx-size")
    assert one.old == 4096
    assert one.condition is not None and "bundles" in one.condition
    assert not named("llama-cpp-python", "0.3.16", "0.3.19", "--no-warmup"), "still taken, as the toggle's other name"
    # The server that it bundles was not read in its first releases; one of its arguments shares a name.
    assert not any("vendor/" in s for one in defaults("llama.cpp", "0.2.56", "0.3.2").changes for s in one.sources)


def test_only_what_reaches_the_deployment(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text(DEPLOYMENT)
    found = defaults("vllm", "0.10.2", "0.11.0", str(path)).changes
    names = {one.name for one in found}
    assert {"--max-seq-len-to-capture", "VLLM_GPT_OSS_USE_CONTAINER_TOOL", "vllm:gpu_cache_usage_perc"} <= names
    assert not {"--preemption-mode", "VLLM_USE_DEEP_GEMM", "vllm:gpu_prefix_cache_hits_total"} & names
    assert not any(name.startswith("--compilation-config") for name in names), "the deployment sets it"
    assert not any(one.kind == "added" for one in found)
    metric = next(one for one in found if one.kind == "metric")
    assert metric.new == "vllm:kv_cache_usage_perc"
    line = DEPLOYMENT.splitlines().index('      query: avg(vllm:gpu_cache_usage_perc{namespace="prod"})') + 1
    assert metric.used_at == (f"{path}:{line}",)


def test_a_default_reaches_the_workload_that_does_not_set_it(tmp_path):
    words = ["--model=a/b", "--gpu-memory-utilization=0.9"]
    one = {"services": {"a": {"image": "vllm/vllm-openai:v0.19.0", "command": words}}}
    path = tmp_path / "compose.yaml"
    path.write_text(json.dumps(one))
    assert not named("vllm", "0.19.0", "0.20.0", "--gpu-memory-utilization", str(path))
    one["services"]["b"] = {"image": "vllm/vllm-openai:v0.19.0", "command": ["--model=a/b"]}
    path.write_text(json.dumps(one))
    assert named("vllm", "0.19.0", "0.20.0", "--gpu-memory-utilization", str(path))


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (("vllm", "0.7.9", "0.8.0"), "vllm '0.7.9' is not in this build", "0.7.3, 0.8.0"),
        (("vllm", "main", "0.8.0"), "vllm 'main' is not in this build", "nearest"),
        (("sglang", "0.5.0", "0.5.4"), "sglang '0.5.0' is not in this build", "0.4.10.post2, 0.5.1"),
        (("nosuch", "1", "2"), "no engine 'nosuch'", "vllm"),
        (("llama.cpp", "0.3.36", "8672"), "llama-cpp-python", "one program"),
    ],
)
def test_what_is_not_known_is_refused_with_a_hint(words, says, hint):
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        defaults(*words)
    assert hint in caught.value.hint


def test_a_deployment_of_another_engine_is_refused(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text(DEPLOYMENT)
    with pytest.raises(UsageError, match="no workload there runs ollama"):
        defaults("ollama", "0.9.0", "0.11.0", str(path))


@pytest.mark.parametrize("engine", ["vllm", "llama.cpp", "ollama"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_release_does_not_differ_from_itself(engine, data):
    release = data.draw(st.sampled_from(versions.releases(engine)))
    assert defaults(engine, release, release).changes == ()


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_change_is_cited_and_none_changes_nothing(data):
    releases = versions.releases("vllm")
    index = data.draw(st.integers(0, len(releases) - 2))
    for one in defaults("vllm", releases[index], releases[index + 1]).changes:
        assert one.sources, one
        if one.kind in ("default", "rule"):
            assert (one.old, one.old_depends) != (one.new, one.new_depends), one


# By id: the name under which the change is reported, with its values where it has a single one.
KNOWN = {
    "llama.cpp-02": ("--ctx-size", 4096, ...),
    "llama.cpp-04": ("--slots", False, True),
    "ollama-02": ("OLLAMA_NUM_PARALLEL", ..., 1),
    "vllm-02": ("VLLM_USE_V1", "0", "1"),
    "vllm-03": ("--enable-prefix-caching", False, True),
    "vllm-08": ("--max-num-seqs", 256, 1024),
    "vllm-09": ("--max-num-seqs", 1024, 256),
    "vllm-14": ("--logprobs-mode", "processed_logprobs", "raw_logprobs"),
    "vllm-15": ("--guided-decoding-backend", "outlines", "xgrammar"),
    "vllm-22": ("--enable-log-requests", ..., ...),
    "vllm-24": ("vllm:gpu_cache_usage_perc", ..., "vllm:kv_cache_usage_perc"),
    "vllm-25": ("vllm:gpu_prefix_cache_queries_total", ..., ...),
    "vllm-28": ("vllm:avg_prompt_throughput_toks_per_s", ..., ...),
    "vllm-29": ("--gpu-memory-utilization", 0.9, 0.92),
    "vllm-30": ("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS", "0", "1"),
    "vllm-32": ("--compilation-config.cudagraph_mode", "PIECEWISE", "FULL_AND_PIECEWISE"),
    "vllm-34": ("VLLM_USE_FLASHINFER_SAMPLER", ..., ...),
    "vllm-35": ("VLLM_USE_FLASHINFER_SAMPLER", ..., ...),
    "vllm-36": ("--disable-cascade-attn", ..., ...),
    "vllm-38": ("--speculative-model", ..., ...),
    "vllm-41": ("--max-seq-len-to-capture", ..., ...),
    "vllm-43": ("VLLM_USE_V1", ..., ...),
    "vllm-44": ("VLLM_ATTENTION_BACKEND", ..., ...),
    "vllm-45": ("VLLM_ALL2ALL_BACKEND", ..., ...),
    "vllm-47": ("image ENTRYPOINT", "python3 -m vllm.entrypoints.openai.api_server", "vllm serve"),
    "vllm-50": ("VLLM_USE_V1", "0", "1"),
    "vllm-51": ("--limit-mm-per-prompt", "1", "999"),
    "vllm-49": ("runtime.packages[cuda]", "12.9", "13.0"),
    "vllm-53": ("--allowed-origins", ..., ...),
    "vllm-55": ("--api-server-count", ..., ...),
    "vllm-57": ("--model", ..., ...),
    "vllm-59": ("--use-v2-block-manager", ..., ...),
    "vllm-60": ("--disable-frontend-multiprocessing", ..., ...),
}


def test_every_known_silent_change_has_its_case(shared):
    entries = json.loads((shared / "knowledge" / "silent_changes.json").read_text())
    told = {one["id"] for one in entries if one["engine"] in ("vllm", "llama.cpp", "ollama")}
    assert told <= KNOWN.keys()


@pytest.mark.parametrize("case", sorted(KNOWN))
def test_known_silent_changes(case, shared):
    entries = json.loads((shared / "knowledge" / "silent_changes.json").read_text())
    entry = next(one for one in entries if one["id"] == case)
    engine, name, old, new = (entry["engine"], *KNOWN[case])
    releases = versions.releases(engine)

    def release(text):  # some entries name the minor release of which a post-release was published
        plain = text.removeprefix("llama-cpp-python ").removeprefix("v")
        return next(one for one in releases if one == plain or one.startswith(plain + ".post"))

    found = named(engine, release(entry["from_version"]), release(entry["to_version"]), name)
    assert any(old in (..., one.old) and new in (..., one.new) for one in found), found


def test_the_text_of_a_number_is_the_number() -> None:
    names = {one.name for one in defaults("ray-serve", "2.44.1", "2.60.0").changes if one.kind == "default"}
    assert names and not {"RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S", "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS"} & names


def test_what_came_with_a_release_decides_nothing_before_it() -> None:
    """ray[llm] and huggingfaceserver's vLLM are younger than Ray Serve and KServe: there is no vLLM to compare with."""
    for engine, old, new in (("ray-serve", "2.42.1", "2.43.0"), ("kserve", "0.11.2", "0.12.0")):
        assert not [one for one in defaults(engine, old, new).changes if "vLLM" in f"{one.summary}{one.old_depends}"]


def test_what_only_moved_is_not_gone() -> None:
    gone = {
        ("litellm", "1.79.3", "1.81.16"): {"UI_PASSWORD", "SERVER_ROOT_PATH", "PROXY_ADMIN_ID"},
        ("litellm", "1.98.1", "1.99.4"): {"DATABASE_HOST", "DATABASE_USER", "IAM_TOKEN_DB_AUTH"},
        ("litellm", "1.101.6", "1.102.4"): {"LITELLM_DROP_PARAMS", "litellm_settings.drop_params"},
        ("bentoml", "1.4.7", "1.4.8"): {"--bind", "--service-name"},
        ("ray-serve", "2.9.3", "2.10.0"): {"max_concurrent_queries"},
        ("infinity", "0.0.59", "0.0.60"): {"/embeddings input"},
    }
    for (engine, old, new), names in gone.items():
        told = {one.name for one in defaults(engine, old, new).changes}
        assert not told & names, (engine, told & names)
    found = {one.name: one for one in defaults("ray-serve", "2.49.2", "2.50.0").changes}
    replicas = found["llm.autoscaling_config.max_replicas"]
    assert (replicas.kind, replicas.old, replicas.new, replicas.severity) == ("default", 10, 1, "medium")
    found = {one.name: one for one in defaults("infinity", "0.0.33", "0.0.34").changes}
    assert (found["--model-name-or-path"].kind, found["--model-name-or-path"].severity) == ("renamed", "info")
    found = {one.name: one for one in defaults("bentoml", "1.0.20", "1.0.21").changes}
    assert found["api_server.timeout"].kind == "renamed"


def test_a_container_of_triton_names_the_server_in_it() -> None:
    found = defaults("triton", "24.05", "24.06")
    assert (found.old, found.new) == ("2.46.0", "2.47.0")


@pytest.mark.parametrize(
    ("engine", "old", "new", "name"),
    [
        ("ollama", "0.5.12", "0.5.13", "num_ctx"),  # still an option; its default moved into a function
        ("ollama", "0.1.32", "0.1.33", "OLLAMA_NUM_PARALLEL"),  # one request at a time in both
        ("ollama", "0.5.7", "0.5.8", "image OLLAMA_HOST"),  # the same port, spelled out
        ("vllm", "0.10.0", "0.10.1", "--disable-log-requests"),  # told as --enable-log-requests
        ("llama.cpp", "10068", "10229", "--mmap"),  # its word is that of --load-mode
        ("tgi", "0.9.4", "1.0.0", "--dtype"),  # nobody read what 0.9.4 does
        ("tgi", "0.9.4", "1.0.0", "runtime.kv_cache.dtype"),
        ("tgi", "0.5.0", "0.6.0", "cuda"),  # 11.8.0 and 11.8
        ("tgi", "1.0.0", "1.0.1", "torch"),  # 2.0.1 and 2.0.1+cu118
        ("tgi", "2.0.4", "2.1.0", "ROCM_USE_FLASH_ATTN_V2_TRITON"),  # "0" and "" are off
    ],
)
def test_another_spelling_is_no_change(engine, old, new, name):
    assert not named(engine, old, new, name)


def test_a_name_that_changes_its_spelling_is_not_gone():
    (one,) = named("vllm", "0.5.0.post1", "0.5.1", "--preemption_mode")
    assert (one.kind, one.new, one.severity) == ("renamed", "--preemption-mode", "info")
    assert not named("vllm", "0.5.0.post1", "0.5.1", "--preemption-mode")


def test_the_language_triton_is_not_the_server():
    (one,) = named("lmdeploy", "0.6.1", "0.6.2", "triton")
    assert one.severity == "low" and "askew defaults" not in one.summary and "asked for" in one.summary


@pytest.mark.parametrize(
    ("engine", "old", "new", "name", "where", "before", "after"),
    [
        ("sglang", "0.5.4", "0.5.5", "--cuda-graph-max-bs-decode", "l4", "16", "24"),
        ("sglang", "0.5.2", "0.5.3", "--chunked-prefill-size", "l40s", 8192, 4096),
        ("vllm", "0.8.3", "0.8.5", "--max-num-seqs", "l40s", 1024, 256),
        ("lmdeploy", "0.7.3", "0.10.0", "--max-batch-size", "h200-sxm", 128, 1024),
    ],
)
def test_classes_of_gpu_are_those_of_the_engine(engine, old, new, name, where, before, after):
    found = [one for one in named(engine, old, new, name) if where in str(one.condition)]
    assert [(one.old, one.new) for one in found] == [(before, after)]
    text = render_defaults(defaults(engine, old, new), "text")
    assert text.count(f"  {name}\n") == 1


def test_what_is_left_to_the_engine_is_told_without_alarm():
    (one,) = named("vllm", "0.32.0", "0.33.0", "chat/completions.skip_special_tokens")
    assert one.severity == "low" and "not fixed any more" in one.summary
    (one,) = named("vllm", "0.29.0", "0.30.0", "--mm-hasher-algorithm")
    assert one.severity == "info"


def test_what_depends_on_the_model_is_told_for_the_models_that_it_changes():
    (one,) = named("vllm", "0.9.0.1", "0.9.1", "--dtype")
    assert (one.old, one.new, one.severity) == ("float16", "bfloat16", "high")
    assert one.condition is not None and one.condition.startswith("for a model stored in float32 on a100-80gb-sxm")
    assert "t4" not in one.condition
    (one,) = named("vllm", "0.6.4.post1", "0.6.5", "--max-num-batched-tokens")
    assert (one.old, one.new) == (512, 2048)
    assert one.condition == "for a model with a context of 131072, where it is not set"


def test_an_argument_that_says_the_opposite_of_a_fact_does_not_name_it():
    (one,) = named("sglang", "0.3.5.post2", "0.3.6", "runtime.async_scheduling")
    assert (one.old, one.new) == (False, True)
    assert one.aliases == ("--disable-overlap-schedule",)
    assert not [c for c in named("sglang", "0.3.5.post2", "0.3.6", "--disable-overlap-schedule") if c.kind != "added"]
    assert named("tgi", "1.4.5", "2.0.0", "runtime.enforce_eager")


@pytest.mark.parametrize(
    ("engine", "asked", "stands", "says"),
    [
        ("sglang", "v0.5.0rc0", "0.4.10.post2", "the release before it"),
        ("sglang", "0.5.3rc1", "0.5.3", "0.5.3 stands for it"),
        ("tensorrt-llm", "0.17.0", "0.17.0.post1", "0.17.0.post1 stands for it"),
        ("tensorrt-llm", "1.0.0rc3", "1.0.0", "1.0.0 stands for it"),
    ],
)
def test_another_release_stands_for_a_candidate_and_that_is_said(engine, asked, stands, says):
    found = defaults(engine, asked, versions.releases(engine)[-1])
    assert found.old == stands
    assert len(found.notes) == 1 and says in found.notes[0]
    assert says in " ".join(render_defaults(found, "text").split())


_STATED = {
    key
    for key, fact in FACTS.items()
    if fact.milestone == 1
    and key.startswith(("runtime.", "model."))
    # What is written or not, and what nobody sets by default.
    and key not in ("runtime.arguments.unmapped", "runtime.env", "model.revision", "runtime.image.digest")
}


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi", "llama.cpp", "ollama"])
@pytest.mark.parametrize("which", ["no tag", "first", "middle", "last"])
def test_a_minimal_launch_says_something_of_every_fact(engine, which):
    """Known, absent or unknown with a reason: a fact that is passed over in silence may differ unseen."""
    releases = [one for one in versions.releases(engine) if versions.release_key(one) >= (1, 0) or engine != "tgi"]
    tag = {"no tag": "latest", "first": releases[0], "middle": releases[len(releases) // 2], "last": releases[-1]}[
        which
    ]
    known = registry.recognition(engine)
    here = Location("a launch")
    launch = Launch(
        argv=tuple(Token(word, here) for word in known.words),
        location=here,
        image=Token(known.image.format(tag), here),
        implicit_entrypoint=True,
    )
    reading = registry.engine(engine).read(launch)
    found = resolve(reading.observations, (*RULES, *reading.rules))
    assert not _STATED - set(found) - set(registry.engine(engine).unsupported)


def test_a_release_of_another_engine_is_named_as_such():
    with pytest.raises(UsageError) as caught:
        defaults("sglang", "0.7.3", "0.5.4")
    assert "0.7.3 is a release of" in caught.value.hint and "vllm" in caught.value.hint


def test_builds_are_near_to_builds_only():
    with pytest.raises(UsageError) as caught:
        defaults("llama.cpp", "b4000", "b10566")
    assert caught.value.hint == "nearest: 8672"
