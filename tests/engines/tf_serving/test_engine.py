"""Launches of TensorFlow Serving as people write them, and the facts that they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.load import load
from askew.engines import versions
from askew.engines.interface import Reading
from askew.engines.tf_serving.engine import ENGINE
from askew.engines.tf_serving.flags import FLAGS, SWITCHES
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

OTHER = "runtime.arguments.unmapped"
IMAGE = "tensorflow/serving:2.13.1"
BATCHING = "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 2000 }\nallowed_batch_sizes: [8, 128]\n"
MODELS = """model_config_list {
  config { name: "a" base_path: "/m/a/" model_platform: "tensorflow" }
  config: { name: "b", base_path: "s3://b", model_version_policy { specific { versions: 2 versions: 1 } } }
}
"""


def read(
    words: Sequence[str], files: Mapping[str, str] = {}, image: str = IMAGE, env: Mapping[str, str] = {}
) -> Reading:
    place = Location("deploy.yaml", line=1, column=1)
    return ENGINE.read(
        Launch(
            argv=tuple(Token(word, place) for word in words),
            location=place,
            image=Token(image, place) if image else None,
            implicit_entrypoint=bool(words) and words[0].startswith("-"),
            env={name: Variable(name, value, place) for name, value in env.items()},
            files={path: Content(text, Location(path.lstrip("/"), line=1, column=1)) for path, text in files.items()},
        )
    )


def serve(*words: str, files: Mapping[str, str] = {}) -> Reading:
    return read(("tensorflow_model_server", *words), files)


def facts(reading: Reading) -> Mapping[str, Resolved]:
    return resolve(reading.observations, reading.rules)


def entries(reading: Reading, fact: str = OTHER) -> dict[str, Value]:
    found = facts(reading).get(fact)
    return {} if found is None else {key: one.value for key, one in found.entries.items() if one.state == "known"}


def test_what_the_program_does_where_nothing_is_said() -> None:
    found = facts(serve("--model_base_path=/m/resnet"))
    assert (found["serving.port"].value, found["serving.protocol"].value) == (8500, "grpc")
    assert found["model.served_names"].value == ["default"]
    assert found["model.source"].value == "/m/resnet"
    assert found["runtime.dynamic_batching"].entries["enabled"].value is False
    assert found["runtime.warmup"].value is True
    assert "serving.request_timeout" not in found  # a limit of the HTTP API, which is off
    assert "runtime.max_num_seqs" not in found


def test_the_image_starts_it_with_arguments_of_its_own() -> None:
    for words in ((), ("--rest_api_timeout_in_ms=60000",), ("/usr/bin/tf_serving_entrypoint.sh",)):
        found = facts(read(words, env={"MODEL_NAME": "resnet"}))
        assert (found["serving.port"].value, found["serving.protocol"].value) == (8501, "http")
        assert found["model.id"].value == "resnet"
        assert found["model.source"].value == "/models/resnet"
    assert facts(read(()))["model.source"].value == "/models/model"
    assert facts(read(("--model_name=other",)))["model.id"].value == "other"
    assert facts(read((), env={"MODEL_BASE_PATH": "s3://b"}))["model.source"].value == "s3://b/model"


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (("--port=8500",), ()),
        (("--enable_batching=false",), ()),
        (("--enable_batching",), ("--enable_batching=true",)),
        (("--rest_api_port=8501", "--rest_api_timeout_in_ms=30000"), ("--rest_api_port=8501",)),
        (("--rest_api_port=0",), ()),
        (("--saved_model_tags=serve",), ()),
        (("--model_name=a", "--model_name=default"), ()),
        (("--file_system_poll_wait_seconds=1", "--flush_filesystem_caches=true"), ()),
    ],
)
def test_spellings_and_spelled_out_defaults_make_no_difference(written: tuple[str, ...], same: tuple[str, ...]) -> None:
    one, other = facts(serve(*written)), facts(serve(*same))
    assert {key: value.value for key, value in one.items()} == {key: value.value for key, value in other.items()}


def test_zero_lets_tensorflow_choose() -> None:
    one = facts(serve("--tensorflow_session_parallelism=0", "--per_process_gpu_memory_fraction=0"))
    assert one["runtime.threads"].state == "absent"
    assert one["runtime.gpu_memory_utilization"].state == "absent"
    two = facts(serve("--tensorflow_session_parallelism=4", "--per_process_gpu_memory_fraction=0.5"))
    assert (two["runtime.threads"].value, two["runtime.gpu_memory_utilization"].value) == (4, 0.5)


def test_batching_by_a_file_and_by_what_the_scheduler_takes() -> None:
    words = ("--enable_batching", "--batching_parameters_file=/etc/b.txt")
    reading = serve(*words, files={"/etc/b.txt": BATCHING})
    found = entries(reading, "runtime.dynamic_batching")
    assert found == {
        "enabled": True, "batch_timeout_micros": 2000, "max_enqueued_batches": 10, "allowed_batch_sizes": "8,128",
    }  # fmt: skip
    assert facts(reading)["runtime.max_num_seqs"].value == 128
    assert facts(reading)["runtime.max_num_seqs"].locations == (Location("etc/b.txt", line=1, column=25),)
    spelled = "max_batch_size { value: 1000 } batch_timeout_micros { } max_enqueued_batches: { value: 10 }"
    one = facts(serve(*words, files={"/etc/b.txt": spelled}))
    two = facts(serve("--enable_batching"))
    for fact in ("runtime.dynamic_batching", "runtime.max_num_seqs"):
        assert one[fact].value == two[fact].value


def test_a_file_that_no_source_shows_leaves_it_open() -> None:
    found = facts(serve("--enable_batching", "--batching_parameters_file=/etc/b.txt"))
    assert found["runtime.max_num_seqs"].state == "unknown"
    assert "/etc/b.txt is not shown" in found["runtime.max_num_seqs"].reason
    found = facts(serve("--model_config_file=/m.config", "--model_name=x"))
    assert found["model.served_names"].state == "unknown"


def test_parameters_change_nothing_while_batching_is_off() -> None:
    found = facts(serve("--batching_parameters_file=/etc/b.txt", files={"/etc/b.txt": BATCHING}))
    assert entries(serve(), "runtime.dynamic_batching") == {"enabled": False}
    assert "runtime.max_num_seqs" not in found


def test_a_file_of_models_makes_name_and_path_idle() -> None:
    reading = serve(
        "--model_config_file=/m.config", "--model_name=x", "--model_base_path=/x", files={"/m.config": MODELS}
    )
    found = facts(reading)
    assert found["model.served_names"].value == ["a", "b"]
    assert "model.source" not in found
    assert entries(reading, "runtime.models") == {
        "a.base_path": "/m/a", "a.model_version_policy": "latest 1",
        "b.base_path": "s3://b", "b.model_version_policy": "specific 1,2",
    }  # fmt: skip
    one = 'model_config_list { config { name: "a" base_path: "/m/a" model_version_policy { all {} } } }'
    single = serve("--model_config_file=/m.config", files={"/m.config": one})
    assert facts(single)["model.source"].value == "/m/a"
    assert entries(single)["model_config.model_version_policy"] == "all"


def test_monitoring_says_where_the_metrics_are() -> None:
    files = {"/mon.txt": "prometheus_config { enable: true }"}
    found = entries(serve("--monitoring_config_file=/mon.txt", files=files))
    assert found["monitoring.prometheus"] == "/monitoring/prometheus/metrics"


def test_a_value_without_its_sign_is_ignored_by_the_program() -> None:
    reading = serve("--model_name", "resnet")
    (problem,) = reading.problems
    assert (problem.kind, problem.suggestion) == ("ignored-argument", "--model_name=resnet")
    assert facts(reading)["model.served_names"].value == ["default"]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("--port=many", "invalid-value"),
        ("--enable_batching=yes", "invalid-value"),
        ("--model-name=x", "unknown-argument"),
        ("--use_tflite_model=true", "removed-argument"),
        ("--mixed_precision=bfloat16", "unknown-argument"),  # came with 2.15
    ],
)
def test_what_the_program_refuses_is_told(word: str, kind: str) -> None:
    assert [problem.kind for problem in serve(word).problems] == [kind]


def test_a_malformed_file_is_told_with_its_place() -> None:
    words = ("--enable_batching", "--batching_parameters_file=/etc/b.txt")
    (problem,) = serve(*words, files={"/etc/b.txt": "\nmax_batch_size: 128"}).problems
    assert problem.kind == "unreadable"
    assert (problem.locations[0].line, problem.locations[0].column) == (2, 1)
    assert problem.suggestion == "expected max_batch_size { … }"


def test_the_table_has_what_the_releases_have() -> None:
    past = versions.history("tf-serving")
    assert past is not None
    named = {name: flag for flag in FLAGS for name in flag.names}
    of_intel = {"--tensorflow_plugins"}
    assert set(named) - of_intel == {name for name in past.arguments if name.startswith("--")}
    for name, flag in ((one, named[one]) for one in named if one not in of_intel):
        assert past.spans(name) == ((flag.since, flag.until),), name
    newest = past.at(len(past.releases) - 1).arguments
    assert {name for name, one in newest.items() if one.takes == "toggle"} == SWITCHES - {"--use_tflite_model"}


def test_tags_of_the_image_are_releases() -> None:
    for tag, release in (("2.13.1-gpu", "2.13.1"), ("2.19.0", "2.19.0"), ("latest", None), ("nightly", None)):
        assert read((), image=f"tensorflow/serving:{tag}").version == release


@given(st.text(st.sampled_from('abm_{}[]<>:,"\n 01$'), max_size=60))
def test_no_file_makes_it_raise(text: str) -> None:
    files = {"/b": text}
    for flag in ("--batching_parameters_file=/b", "--model_config_file=/b", "--monitoring_config_file=/b"):
        facts(serve("--enable_batching", flag, files=files))


def test_a_file_of_parameters_alone(tmp_path: Path) -> None:
    (tmp_path / "batching_parameters.txt").write_text(BATCHING, encoding="utf-8")
    side = load(str(tmp_path), "reference", Redactor())
    (snapshot,) = side.snapshots
    assert snapshot.engine is not None
    assert snapshot.engine.name == "tf-serving"
    assert snapshot.facts["runtime.max_num_seqs"].value == 128


_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


def test_flags_of_the_corpus_are_known(shared: Path) -> None:
    known = {name for flag in FLAGS for name in flag.names}
    found: dict[str, int] = {}
    for line in (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").split("\n"):
        entry = json.loads(line) if line else {}
        if not entry.get("file") or "tf-serving" not in (entry.get("engines") or ()):
            continue
        lines = (shared / "corpus" / entry["file"]).read_text(encoding="utf-8", errors="replace").split("\n")
        for number, text in enumerate(lines):
            if "tensorflow_model_server" in text:
                start = max(number - 12, 0) if "args:" in "".join(lines[max(number - 12, 0) : number]) else number
                for near in lines[start : number + 12]:
                    for flag in _FLAG.findall(near):
                        found[flag] = found.get(flag, 0) + 1
    strange = {flag: count for flag, count in found.items() if flag not in known}
    assert sum(found.values()) > 20
    assert sum(strange.values()) <= 0.03 * sum(found.values()), strange
