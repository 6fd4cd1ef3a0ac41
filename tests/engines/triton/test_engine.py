"""Launches of Triton and model repositories as people write them, and the facts that they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.load import load
from askew.engines import versions
from askew.engines.interface import Reading
from askew.engines.triton.engine import ENGINE, containers
from askew.engines.triton.flags import FLAGS
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

OTHER = "runtime.arguments.unmapped"
IMAGE = "nvcr.io/nvidia/tritonserver:24.05-py3"
SIMPLE = """name: "resnet"
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, 224, 224 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1000 ] } ]
"""


def read(words: Sequence[str], files: Mapping[str, str] = {}, image: str = IMAGE) -> Reading:
    place = Location("deploy.yaml", line=1, column=1)
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, place) for word in words),
            location=place,
            image=Token(image, place) if image else None,
            files={path: Content(text, Location(path.lstrip("/"), line=1, column=1)) for path, text in files.items()},
        )
    )


def alone(text: str, folder: str = "resnet") -> Reading:
    return read((), {f"/models/{folder}/config.pbtxt": text}, "")


def facts(reading: Reading, gpus: int | None = None) -> Mapping[str, Resolved]:
    seen: tuple[Observation, ...] = ()
    if gpus is not None:
        seen = (Observation(fact="hardware.gpu.count", value=gpus, origin="explicit"),)
    return resolve((*reading.observations, *seen), reading.rules)


def entries(reading: Reading, fact: str, gpus: int | None = None) -> dict[str, Value]:
    found = facts(reading, gpus).get(fact)
    return {} if found is None else {key: one.value for key, one in found.entries.items() if one.state == "known"}


def serve(*words: str, image: str = IMAGE, files: Mapping[str, str] = {}) -> Reading:
    return read(("tritonserver", "--model-repository=/models", *words), files, image)


# -- the server -------------------------------------------------------------------------------------------------------


def test_what_a_server_does_where_nothing_is_said() -> None:
    found = facts(serve())
    assert found["runtime.engine.version"].value == "2.46.0"
    assert found["serving.port"].value == 8000
    assert found["serving.protocol"].value == "http"
    assert found["serving.listen_host"].value == "0.0.0.0"
    assert found["model.source"].value == "/models"
    assert found["model.served_names"].state == "unknown"
    other = entries(serve(), OTHER)
    assert other["--grpc-port"] == "8001"
    assert other["--metrics-port"] == "8002"
    assert other["--model-control-mode"] == "none"
    assert other["--disable-auto-complete-config"] == "false"
    assert other["--model-load-thread-count"] == "4"
    assert other["--exit-on-error"] == "true"
    assert other["--pinned-memory-pool-byte-size"] == "268435456"


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (("--http-port=8000",), ()),
        (("--http-port", "8000", "--grpc-port=8001", "--metrics-port", "8002"), ()),
        (("--strict-readiness=1", "--exit-on-error=True", "--allow-http=on"), ()),
        (("--model-control-mode=NONE", "--rate-limit=OFF"), ()),
        (("--strict-model-config=false",), ()),
        (("--strict-model-config=true",), ("--disable-auto-complete-config",)),
        (("--response-cache-byte-size=1048576",), ("--cache-config=local,size=1048576",)),
        (("--response-cache-byte-size=0",), ()),
        (("--log-verbose=1", "--id=a"), ()),
        (("--grpc-infer-response-compression-level=NONE",), ()),
        (
            (
                "--backend-config=python,shm-default-byte-size=1",
                "--backend-config=onnxruntime,default-max-batch-size=8",
            ),
            (
                "--backend-config=onnxruntime,default-max-batch-size=8",
                "--backend-config=python,shm-default-byte-size=1",
            ),
        ),
    ],
)
def test_spellings_and_spelled_out_defaults_make_no_difference(written: tuple[str, ...], same: tuple[str, ...]) -> None:
    one, other = facts(serve(*written)), facts(serve(*same))
    assert {key: value.value for key, value in one.items()} == {key: value.value for key, value in other.items()}


def test_a_repeated_option_says_all_of_it() -> None:
    reading = serve("--model-control-mode=explicit", "--load-model=b", "--load-model", "a", "--model-store=/more/")
    found = facts(reading)
    assert found["model.served_names"].value == ["a", "b"]
    assert found["model.source"].value == "/models, /more"


def test_without_http_grpc_is_what_clients_find() -> None:
    found = facts(serve("--allow-http=false", "--http-port=1", "--grpc-port=9001", "--grpc-address=127.0.0.1"))
    assert (found["serving.port"].value, found["serving.protocol"].value) == (9001, "grpc")
    assert found["serving.listen_host"].value == "127.0.0.1"
    assert facts(serve("--allow-http=0"))["serving.port"].value == 8001


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("--http-port=many", "invalid-value"),
        ("--strict-readiness=yes", "invalid-value"),
        ("--no-such-option", "unknown-argument"),
        ("--grpc-infer-thread-count=4", "unknown-argument"),  # came with 2.57
    ],
)
def test_what_the_server_refuses_is_told(word: str, kind: str) -> None:
    assert [problem.kind for problem in serve(word).problems] == [kind]


def test_the_release_is_that_of_the_container() -> None:
    assert containers()["22.03"] == "2.20.0"
    assert containers()["25.07"] == "2.59.1"
    for tag, release in (
        ("24.05-vllm-python-py3", "2.46.0"),
        ("24.05-trtllm-python-py3", "2.46.0"),
        ("2.51.0", "2.51.0"),
    ):
        assert serve(image=f"nvcr.io/nvidia/tritonserver:{tag}").version == release
    assert serve(image="example.com/tritonserver:rhel8").version is None


def test_an_unknown_container_takes_its_neighbour_as_likely() -> None:
    found = facts(serve(image="nvcr.io/nvidia/tritonserver:35.01-py3"))
    assert found["runtime.engine.version"].state == "unknown"
    assert (found["serving.port"].value, found["serving.port"].confidence) == (8000, "likely")
    assert "35.01" in found["serving.port"].because[0]


def test_a_secret_between_server_and_clients_is_not_told() -> None:
    reading = serve("--http-restricted-api=inference,health:key=s3cret")
    assert entries(reading, OTHER)["--http-restricted-api"] == "health,inference:key"
    assert "s3cret" not in repr([one.value for one in reading.observations])


@pytest.mark.parametrize(
    "words",
    [
        ("python3", "/opt/scripts/launch_triton_server.py", "--world_size=2", "--model_repo", "/models"),
        ("launch_triton_server.py", "--world_size", "2", "--model_repo=/models/"),
    ],
)
def test_the_launcher_of_tensorrt_llm_starts_servers_of_its_own(words: tuple[str, ...]) -> None:
    reading = read(words)
    assert facts(reading)["model.source"].value == "/models"
    assert entries(reading, OTHER)["--world_size"] == "2"
    assert entries(reading, OTHER)["--disable-auto-complete-config"] == "true"


def test_of_mpirun_the_first_server_is_read() -> None:
    first = "mpirun --allow-run-as-root -n 1 /opt/tritonserver/bin/tritonserver --model-repository=/a --http-port=9000"
    found = facts(read(f"{first} : -n 1 tritonserver --model-repository=/b".split()))
    assert (found["model.source"].value, found["serving.port"].value) == ("/a", 9000)


def test_the_table_has_what_the_releases_have() -> None:
    past = versions.history("triton")
    assert past is not None
    named = {name: flag for flag in FLAGS for name in flag.names}
    assert set(named) == set(past.arguments)
    for name, flag in named.items():
        assert past.spans(name) == ((flag.since, flag.until),), name


# -- changes by release -----------------------------------------------------------------------------------------------


def test_auto_complete_is_on_since_22_07() -> None:
    old = entries(serve(image="nvcr.io/nvidia/tritonserver:22.06-py3"), OTHER)
    new = entries(serve(image="nvcr.io/nvidia/tritonserver:22.07-py3"), OTHER)
    assert (old["--disable-auto-complete-config"], new["--disable-auto-complete-config"]) == ("true", "false")
    for image in ("22.06", "22.07"):
        said = serve("--strict-model-config=true", image=f"nvcr.io/nvidia/tritonserver:{image}-py3")
        assert entries(said, OTHER)["--disable-auto-complete-config"] == "true"


def test_bodies_are_limited_since_25_06() -> None:
    old = facts(serve(image="nvcr.io/nvidia/tritonserver:25.05-py3"))
    new = facts(serve(image="nvcr.io/nvidia/tritonserver:25.06-py3"))
    assert (old["serving.max_body.bytes"].value, old["serving.max_body.bytes"].confidence) == ("unlimited", "likely")
    assert new["serving.max_body.bytes"].value == 64 << 20


def test_nothing_changes_between_neighbours() -> None:
    old = facts(serve(image="nvcr.io/nvidia/tritonserver:24.05-py3"))
    new = facts(serve(image="nvcr.io/nvidia/tritonserver:24.06-py3"))
    keys = ("serving.port", "serving.protocol", "serving.listen_host", "model.source")
    assert [old[key].value for key in keys] == [new[key].value for key in keys]
    changed = {key for key in old[OTHER].entries if old[OTHER].entries[key].value != new[OTHER].entries[key].value}
    assert changed == set()


# -- one model --------------------------------------------------------------------------------------------------------


def test_a_configuration_alone_states_plain_facts() -> None:
    text = SIMPLE + "instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] } ]\n"
    found = facts(alone(text))
    assert found["model.id"].value == "resnet"
    assert found["model.served_names"].value == ["resnet"]
    assert found["runtime.max_num_seqs"].value == 8
    assert found["runtime.instances"].value == 4
    assert found["serving.streaming"].value is False
    assert found["model.signature"].value == {
        "inputs": [{"name": "x", "shape": [-1, 3, 224, 224], "type": "float32"}],
        "outputs": [{"name": "y", "shape": [-1, 1000], "type": "float32"}],
    }
    assert found["runtime.max_num_seqs"].locations == (Location("models/resnet/config.pbtxt", line=3, column=17),)


def test_the_name_of_the_folder_is_the_name_of_the_model() -> None:
    assert facts(alone('backend: "python"', "add_sub"))["model.id"].value == "add_sub"


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("dynamic_batching { }", "dynamic_batching { max_queue_delay_microseconds: 0 }"),
        ("dynamic_batching { }", "dynamic_batching { preferred_batch_size: [ 8 ] preserve_ordering: false }"),
        ("dynamic_batching { preferred_batch_size: [ 8, 4 ] }", "dynamic_batching { preferred_batch_size: [ 4, 8 ] }"),
        (
            "dynamic_batching { default_queue_policy { timeout_action: REJECT } }",
            "dynamic_batching { default_queue_policy { max_queue_size: 0 } }",
        ),
        ("", "version_policy: { latest { num_versions: 1 } }"),
        ("", "instance_group [ { kind: KIND_AUTO } ]"),
        ("instance_group [ { kind: KIND_GPU } ]", "instance_group { kind: KIND_GPU count: 1 }"),
        ("instance_group [ { kind: KIND_CPU } ]", "instance_group [ { kind: KIND_CPU count: 2 } ]"),
        (
            "instance_group [ { count: 1 kind: KIND_GPU gpus: [0, 1] } ]",
            "instance_group [ { kind: KIND_GPU gpus: 1 gpus: 0 } ]",
        ),
        ("", "optimization { input_pinned_memory { enable: true } priority: PRIORITY_DEFAULT }"),
        ("", "model_transaction_policy { decoupled: false }"),
        ("", "response_cache { enable: false }"),
        ("", 'default_model_filename: "model.onnx"'),
    ],
)
def test_what_triton_takes_by_itself_may_be_spelled_out(written: str, same: str) -> None:
    one, other = facts(alone(SIMPLE + written)), facts(alone(SIMPLE + same))
    assert {key: value.value for key, value in one.items()} == {key: value.value for key, value in other.items()}


def test_a_platform_is_its_backend() -> None:
    platform = SIMPLE.replace('backend: "onnxruntime"', 'platform: "onnxruntime_onnx"')
    assert entries(alone(platform), OTHER)["backend"] == "onnxruntime"


@pytest.mark.parametrize(
    ("text", "changed", "fact"),
    [
        ("max_queue_delay_microseconds: 100", "max_queue_delay_microseconds: 900", "runtime.dynamic_batching"),
        ("preserve_ordering: true", "preserve_ordering: false", "runtime.dynamic_batching"),
        ("default_queue_policy { max_queue_size: 4 }", "", "runtime.dynamic_batching"),
    ],
)
def test_a_changed_setting_is_seen(text: str, changed: str, fact: str) -> None:
    old, new = (entries(alone(f"{SIMPLE} dynamic_batching {{ {inner} }}"), fact) for inner in (text, changed))
    assert old != new


def test_copies_follow_the_gpus_that_are_seen() -> None:
    group = SIMPLE + "instance_group [ { count: 2 kind: KIND_GPU } ]"
    assert facts(alone(group))["runtime.instances"].state == "unknown"
    assert facts(alone(group), gpus=4)["runtime.instances"].value == 8
    assert facts(alone(SIMPLE), gpus=2)["runtime.instances"].value == 2
    assert facts(alone(SIMPLE), gpus=0)["runtime.instances"].value == 2  # ONNX Runtime takes two on a CPU
    assert facts(alone(SIMPLE.replace("onnxruntime", "python")), gpus=0)["runtime.instances"].value == 1
    other = SIMPLE + "instance_group [ { count: 3 kind: KIND_GPU } ]"
    assert entries(alone(group), OTHER)["instance_group"] != entries(alone(other), OTHER)["instance_group"]


def test_what_a_backend_may_complete_is_not_known() -> None:
    text = 'backend: "onnxruntime"\n'
    found = facts(alone(text))
    assert found["runtime.max_num_seqs"].state == "unknown"
    assert found["model.signature"].state == "unknown"
    assert "auto-complete" in found["runtime.max_num_seqs"].reason
    strict = serve("--disable-auto-complete-config", files={"/models/resnet/config.pbtxt": text})
    assert facts(strict)["runtime.max_num_seqs"].value == 1
    assert entries(strict, "runtime.dynamic_batching") == {"enabled": False}
    batched = facts(alone('backend: "tensorrt" max_batch_size: 8'))["runtime.dynamic_batching"].entries["enabled"]
    assert (batched.value, batched.confidence) == (True, "likely")
    assert entries(alone(SIMPLE), "runtime.dynamic_batching") == {"enabled": False}  # inputs and outputs are written


def test_a_language_models_placeholders_are_unknown_until_they_are_filled_in() -> None:
    text = """backend: "tensorrtllm" max_batch_size: ${triton_max_batch_size}
    parameters: { key: "gpt_model_path" value: { string_value: "${engine_dir}" } }
    parameters: { key: "enable_kv_cache_reuse" value: { string_value: "true" } }
    parameters: { key: "kv_cache_free_gpu_mem_fraction" value: { string_value: "0.8" } }
    parameters: { key: "batch_scheduler_policy" value: { string_value: "" } }
    parameters: { key: "max_beam_width" value: { string_value: "1" } }
    """
    found = facts(alone(text, "tensorrt_llm"))
    assert found["model.source"].state == "unknown"
    assert "${engine_dir}" in found["model.source"].reason
    assert found["runtime.prefix_caching"].value is True
    assert found["runtime.gpu_memory_utilization"].value == 0.8
    assert found["runtime.scheduler"].entries["policy"].value == "guaranteed_no_evict"
    assert found["runtime.chunked_prefill"].value is False
    assert facts(alone('backend: "tensorrtllm"'))["runtime.gpu_memory_utilization"].value == 0.9
    assert "parameters.max_beam_width" not in found[OTHER].entries


def test_an_ensemble_has_members_and_no_copies() -> None:
    text = """platform: "ensemble" max_batch_size: 1
    ensemble_scheduling { step [ { model_name: "a" model_version: -1 input_map { key: "IN" value: "x" } } ] }
    """
    found = facts(alone(text, "all"), gpus=1)
    assert "runtime.instances" not in found
    assert '"model_name":"a"' in str(found[OTHER].entries["ensemble_scheduling.step.0"].value)


def test_a_vllm_model_is_read_by_what_vllm_knows() -> None:
    files = {
        "/models/llm/config.pbtxt": 'backend: "vllm" instance_group [ { count: 1 kind: KIND_MODEL } ]',
        "/models/llm/1/model.json": '{\n "model": "org/old"\n}',
        "/models/llm/2/model.json": '{\n "model": "org/new",\n "gpu_memory_utilization": 0.5, "enforce_eager": true\n}',
    }
    found = facts(serve(files=files, image="nvcr.io/nvidia/tritonserver:24.10-vllm-python-py3"))
    assert found["runtime.engine.name"].value == "triton"
    assert found["model.id"].value == "org/new"
    assert found["model.served_names"].value == ["llm"]
    assert found["runtime.gpu_memory_utilization"].value == 0.5
    assert found["runtime.gpu_memory_utilization"].locations[0] == Location("models/llm/2/model.json", line=3, column=2)
    assert found["runtime.enforce_eager"].value is True
    assert (found["runtime.tensor_parallel_size"].value, found["runtime.tensor_parallel_size"].confidence) == (
        1,
        "likely",
    )
    assert found["serving.streaming"].value is True
    assert found["serving.port"].value == 8000


def test_a_broken_model_json_is_told_with_its_line() -> None:
    files = {"/models/llm/config.pbtxt": 'backend: "vllm"', "/models/llm/1/model.json": '{\n "model": \n}'}
    (problem,) = serve(files=files).problems
    assert (problem.kind, problem.locations[0].source) == ("unreadable", "models/llm/1/model.json")
    assert problem.locations[0].line >= 2


# -- several models ---------------------------------------------------------------------------------------------------


def test_several_models_state_their_settings_by_name() -> None:
    files = {"/models/resnet/config.pbtxt": SIMPLE, "/models/b/config.pbtxt": 'backend: "python" max_batch_size: 4'}
    reading = serve(files=files)
    found = facts(reading, gpus=1)
    assert found["model.served_names"].value == ["b", "resnet"]
    models = entries(reading, "runtime.models", gpus=1)
    assert models["resnet.max_batch_size"] == 8
    assert models["b.max_batch_size"] == 4
    assert models["b.instances"] == 1
    assert models["resnet.dynamic_batching.enabled"] is False
    assert "runtime.max_num_seqs" not in found
    assert "runtime.instances" not in found


def test_the_language_model_of_an_ensemble_states_its_facts() -> None:
    llm = 'backend: "tensorrtllm" parameters { key: "gpt_model_path" value { string_value: "/engines/a" } }'
    files = {"/models/pre/config.pbtxt": 'backend: "python"', "/models/tensorrt_llm/config.pbtxt": llm}
    found = facts(serve(files=files))
    assert found["model.source"].value == "/engines/a"
    assert found[OTHER].entries["--model-repository"].value == "/models"
    assert found["model.served_names"].value == ["pre", "tensorrt_llm"]


def test_of_named_models_only_those_are_loaded() -> None:
    step = 'ensemble_scheduling { step { model_name: "a" } }'
    files = {f"/models/{name}/config.pbtxt": 'backend: "python"' for name in ("a", "b", "c")}
    files["/models/all/config.pbtxt"] = step
    explicit = "--model-control-mode=explicit"
    one = facts(serve(explicit, "--load-model=b", files=files))
    assert (one["model.id"].value, one["model.served_names"].value) == ("b", ["b"])
    two = entries(serve(explicit, "--load-model=all", files=files), "runtime.models")
    assert {key.partition(".")[0] for key in two} == {"all", "a"}
    every = facts(serve(explicit, "--load-model=*", files=files))
    assert every["model.served_names"].value == ["a", "all", "b", "c"]


def test_a_configuration_of_another_name_is_taken_where_it_is_there() -> None:
    files = {
        "/models/a/config.pbtxt": 'backend: "python" max_batch_size: 2',
        "/models/a/configs/h100.pbtxt": 'backend: "python" max_batch_size: 64',
    }
    assert facts(serve(files=files))["runtime.max_num_seqs"].value == 2
    found = facts(serve("--model-config-name=h100", files=files))
    assert (found["model.id"].value, found["runtime.max_num_seqs"].value) == ("a", 64)
    assert facts(serve("--model-config-name=a100", files=files))["runtime.max_num_seqs"].value == 2


def test_another_program_of_the_image_is_not_the_server() -> None:
    reading = read(("perf_analyzer", "-m", "resnet"))
    assert {one.fact for one in reading.observations} == {OTHER}
    assert registry.engine_of_image("nvcr.io/nvidia/tritonserver:24.05-py3-sdk") is None
    assert registry.engine_of_image("nvcr.io/nvidia/tritonserver:24.05-py3") == "triton"


def test_only_models_below_the_repository_are_its() -> None:
    files = {"/models/a/config.pbtxt": 'backend: "python"', "/elsewhere/b/config.pbtxt": 'backend: "python"'}
    assert facts(serve(files=files))["model.served_names"].value == ["a"]


# -- files that Triton does not read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ('name: "a"\nmax_batch_sise: 4\n', 2, 1, "max_batch_size"),
        ("max_batch_size: many", 1, 17, "a whole number"),
        ("input [ { name: x } ]", 1, 17, "a text in quotes"),
        ("instance_group [ { kind: KIND_TPU } ]", 1, 26, "KIND_GPU"),
        ("dynamic_batching { } ensemble_scheduling { }", 1, 22, "one of"),
        ("input [ {", 1, 10, "'}'"),
    ],
)
def test_a_malformed_configuration_is_unreadable(text: str, line: int, column: int, said: str) -> None:
    (problem,) = alone(text).problems
    assert problem.kind == "unreadable"
    assert (problem.locations[0].line, problem.locations[0].column) == (line, column)
    assert said in problem.suggestion


def test_a_field_of_a_later_release_is_refused_by_an_older_one() -> None:
    files = {"/models/a/config.pbtxt": 'backend: "python"\nruntime: "x"\n'}
    (problem,) = serve(files=files, image="nvcr.io/nvidia/tritonserver:23.10-py3").problems
    assert "2.42.0" in problem.message
    assert problem.locations[0].line == 2
    assert serve(files=files).problems == ()


@given(st.text(st.sampled_from('abm_{}[]<>:,"\n 01$'), max_size=80))
def test_no_configuration_makes_it_raise(text: str) -> None:
    reading = alone(text)
    resolve(reading.observations, reading.rules)


# -- as sources -------------------------------------------------------------------------------------------------------


def _write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _redactor() -> Redactor:
    return Redactor()


def test_a_directory_is_a_repository_of_models(tmp_path: Path) -> None:
    _write(tmp_path, {
        "resnet/config.pbtxt": SIMPLE,
        "llm/config.pbtxt": 'backend: "vllm"',
        "llm/1/model.json": '{"model": "org/model"}',
    })  # fmt: skip
    side = load(str(tmp_path), "reference", _redactor())
    assert sorted(one.workload.name for one in side.snapshots) == ["llm", "resnet"]
    assert not side.errors
    named = {one.workload.name: one.facts["model.id"].value for one in side.snapshots}
    assert named == {"llm": "org/model", "resnet": "resnet"}


def test_a_launch_finds_the_repository_that_is_joined_with_it(tmp_path: Path) -> None:
    _write(tmp_path, {"resnet/config.pbtxt": SIMPLE, "b/config.pbtxt": 'backend: "python"'})
    side = load(f"{tmp_path}+cmd:tritonserver --model-repository=/srv/repo", "reference", _redactor())
    (snapshot,) = side.snapshots
    assert snapshot.facts["model.served_names"].value == ["b", "resnet"]
    assert snapshot.facts["runtime.models"].entries["resnet.max_batch_size"].value == 8


def test_a_mounted_config_map_is_read(tmp_path: Path) -> None:
    text = "\n".join("    " + line for line in SIMPLE.split("\n"))
    (tmp_path / "deploy.yaml").write_text(
        f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: triton}}
spec:
  selector: {{matchLabels: {{app: t}}}}
  template:
    metadata: {{labels: {{app: t}}}}
    spec:
      containers:
      - name: triton
        image: {IMAGE}
        args: ["tritonserver", "--model-repository=/models"]
        volumeMounts: [{{name: c, mountPath: /models/resnet/config.pbtxt, subPath: config.pbtxt}}]
      volumes: [{{name: c, configMap: {{name: resnet}}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: resnet}}
data:
  config.pbtxt: |
{text}
""",
        encoding="utf-8",
    )
    side = load(str(tmp_path / "deploy.yaml"), "reference", _redactor())
    (snapshot,) = side.snapshots
    assert snapshot.facts["runtime.max_num_seqs"].value == 8
    (place,) = snapshot.facts["runtime.max_num_seqs"].locations
    lines = (tmp_path / "deploy.yaml").read_text(encoding="utf-8").split("\n")
    assert "max_batch_size: 8" in lines[place.line - 1]


@pytest.mark.parametrize(
    "entry",
    [
        'parameters { key: "db_password" value { string_value: "hunter2hunter2" } }',
        "parameters: {\n  key: \"api_key\",\n  value: { string_value: 'hunter2hunter2' }\n}",
    ],
)
def test_a_secret_parameter_is_never_kept(tmp_path: Path, entry: str) -> None:
    _write(
        tmp_path,
        {"a/config.pbtxt": f'backend: "python"\n{entry}\nparameters {{ key: "size" value {{ string_value: "4" }} }}'},
    )
    side = load(str(tmp_path), "reference", _redactor())
    assert "hunter2" not in repr(side)
    (snapshot,) = side.snapshots
    assert not side.errors
    assert snapshot.facts[OTHER].entries["parameters.size"].value == "4"


def test_a_malformed_file_is_an_error_of_the_input(tmp_path: Path) -> None:
    _write(tmp_path, {"resnet/config.pbtxt": "name: resnet\n", "b/config.pbtxt": 'backend: "python"'})
    side = load(str(tmp_path), "reference", _redactor())
    (error,) = side.errors
    assert (error.line, error.column) == (1, 7)
    assert len(side.snapshots) == 2
