"""Reading Ray Serve: configuration files, models of Ray Serve LLM, and RayServices that hold either."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.app.defaults import defaults
from askew.app.load import load
from askew.engines import versions
from askew.engines.ray_serve import RECOGNITION
from askew.engines.ray_serve.engine import ENGINE
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.resolve.resolve import resolve
from askew.resolve.workload import Problem, Resolved
from askew.testing.engines import conforms

AT = Location("serve.yaml", line=1, column=1)

ONE = """\
http_options: {port: 8100, request_timeout_s: 60}
applications:
- name: fruit
  import_path: fruit:graph
  deployments:
  - name: Mango
    num_replicas: 2
    max_ongoing_requests: 7
    max_queued_requests: 30
    graceful_shutdown_timeout_s: 20.0
    user_config: {price: 3}
"""
MODEL = """\
applications:
- name: llm
  import_path: ray.serve.llm:build_openai_app
  args:
    llm_configs:
    - model_loading_config: {model_id: qwen, model_source: Qwen/Qwen2.5-7B-Instruct}
      engine_kwargs:
        max_model_len: 8192
        tensor_parallel_size: 2
"""


def launch_of(text: str, image: str = "") -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in ["serve", "run", "serve.yaml"]),
        location=AT,
        image=Token(image, AT) if image else None,
        files={"/serve.yaml": Content(text, AT)},
    )


def facts(text: str, image: str = "") -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(text, image))
    return resolve(reading.observations, reading.rules)


def problems(text: str) -> tuple[Problem, ...]:
    return ENGINE.read(launch_of(text)).problems


def test_it_conforms() -> None:
    conforms(ENGINE, RECOGNITION)


def test_what_starts_it() -> None:
    for words, name in (
        ("serve run config.yaml", "ray-serve"),
        ("/opt/venv/bin/serve deploy app:graph", "ray-serve"),
        ("python -m ray.serve.llm --model a/b", "ray-serve"),
        ("vllm serve run", "vllm"),
        ("serve status", None),
        ("ray start --block", None),
    ):
        argv = tuple(Token(word, AT) for word in words.split())
        assert registry.recognise(Launch(argv=argv, location=AT)) == name, words


@pytest.mark.parametrize(
    ("fact", "value", "line"),
    [
        ("serving.port", 8100, 1),
        ("serving.request_timeout", 60, 1),
        ("serving.max_concurrency", 7, 8),
        ("orchestration.replicas.min", 2, 7),
        ("orchestration.replicas.max", 2, 7),
    ],
)
def test_options_of_a_file(fact: str, value: object, line: int) -> None:
    found = facts(ONE)[fact]
    assert (found.value, found.locations[0].line) == (value, line)


def test_options_without_a_fact_are_told_by_their_path() -> None:
    entries = facts(ONE)["runtime.arguments.unmapped"].entries
    assert entries["Mango.user_config.price"].value == "3"
    assert (entries["fruit.import_path"].value, entries["fruit.import_path"].locations[0].line) == ("fruit:graph", 4)
    assert facts(ONE)["serving.queue"].entries["max_queued_requests"].value == 30
    assert ENGINE.read(launch_of(ONE)).unmapped == ()
    strange = ONE.replace("user_config", "user_settings")
    assert ENGINE.read(launch_of(strange)).unmapped == ("Mango.user_settings",)


def test_words_of_the_command() -> None:
    words = "serve run app:graph size=7b --route-prefix /x --address auto --strange 1"
    reading = ENGINE.read(Launch(argv=tuple(Token(word, AT) for word in words.split()), location=AT))
    entries = resolve(reading.observations, reading.rules)["runtime.arguments.unmapped"].entries
    assert {key: one.value for key, one in entries.items()} == {
        "application": "app:graph", "size": "7b", "--route-prefix": "/x", "--strange": "1",
    }  # fmt: skip
    assert reading.unmapped == ("--strange",)
    assert "application" not in facts(ONE)["runtime.arguments.unmapped"].entries  # the file is what counts


def test_variables_of_what_runs_beneath_are_kept() -> None:
    env = {"VLLM_USE_V1": Variable("VLLM_USE_V1", "0", AT)}
    argv = tuple(Token(word, AT) for word in ("ray", "start", "--block"))
    reading = ENGINE.read(Launch(argv=argv, location=AT, env=env))
    assert resolve(reading.observations, reading.rules)["runtime.env"].entries["VLLM_USE_V1"].value == "0"


def test_several_deployments_keep_their_own() -> None:
    text = ONE + "  - {name: Pear, num_replicas: 4, max_ongoing_requests: 9}\n"
    found = facts(text)
    assert "serving.max_concurrency" not in found and "orchestration.replicas.min" not in found
    entries = found["runtime.arguments.unmapped"].entries
    assert (entries["Mango.max_ongoing_requests"].value, entries["Pear.max_ongoing_requests"].value) == ("7", "9")
    assert entries["Pear.num_replicas"].value == "4"


def test_an_autoscaler() -> None:
    scaled = "autoscaling_config: {min_replicas: 2, target_ongoing_requests: 16, upscale_delay_s: 5}"
    found = facts(ONE.replace("num_replicas: 2", scaled), "rayproject/ray:2.46.0-py310-gpu")
    assert (found["orchestration.autoscaler.kind"].value, found["orchestration.replicas.min"].value) == ("ray", 2)
    assert found["orchestration.replicas.max"].value == 1  # AutoscalingConfig's own
    metrics = found["orchestration.autoscaler.metrics"].value
    assert isinstance(metrics, list) and isinstance(metrics[0], dict) and metrics[0]["target"] == 16
    auto = facts(ONE.replace("num_replicas: 2", "num_replicas: auto"), "rayproject/ray:2.46.0")
    assert (auto["orchestration.replicas.min"].value, auto["orchestration.replicas.max"].value) == (1, 100)


def test_which_release_an_image_states() -> None:
    for image, version in (
        ("rayproject/ray:2.46.0", "2.46.0"),
        ("rayproject/ray-llm:2.49.0-py311-cu128", "2.49.0"),
        ("rayproject/ray-ml:2.9.0-py310-gpu", "2.9.0"),
        ("rayproject/ray:nightly-py311", None),
        ("rayproject/ray:2.46.0.abcdef", None),
        ("example/ray:2.46.0", None),
    ):
        assert ENGINE.read(launch_of(ONE, image)).version == version, image


def test_requests_at_once_by_release() -> None:
    silent = ONE.replace("    max_ongoing_requests: 7\n", "")
    for image, value in (("rayproject/ray:2.31.0", 100), ("rayproject/ray:2.32.0", 5)):
        found = facts(silent, image)["serving.max_concurrency"]
        assert (found.value, found.confidence) == (value, "possible")  # the code may say otherwise
        assert facts(ONE, image)["serving.max_concurrency"].value == 7
    assert facts(ONE, "rayproject/ray:2.47.0")["serving.idle_timeout"].value == 5
    assert facts(ONE, "rayproject/ray:2.48.0")["serving.idle_timeout"].value == 90


def test_spelling_out_defaults_is_no_difference() -> None:
    more = ONE.replace("request_timeout_s: 60", "request_timeout_s: 60, keep_alive_timeout_s: 90, host: 0.0.0.0")
    more = more.replace(
        "    user_config", "    health_check_period_s: 10\n    health_check_timeout_s: 30.0\n    user_config"
    )
    image = "rayproject/ray:2.49.0"
    plain, spelled = facts(ONE, image), facts(more, image)
    assert {name: (one.state, one.value) for name, one in plain.items()} == {
        name: (one.state, one.value) for name, one in spelled.items()
    }


def test_a_model_is_read_as_vllm_at_the_release_that_ray_pins() -> None:
    found = facts(MODEL, "rayproject/ray-llm:2.58.0-py311-cu128")
    assert (found["runtime.max_model_len"].value, found["runtime.max_model_len"].locations[0].line) == (8192, 8)
    assert (found["runtime.tensor_parallel_size"].value, found["model.served_names"].value) == (2, ["qwen"])
    assert found["model.source"].value == "hf://Qwen/Qwen2.5-7B-Instruct"
    assert found["runtime.packages"].entries["vllm"].value == "0.26.0"
    assert found["runtime.prefix_caching"].confidence == "likely"
    assert found["serving.port"].value == 8000
    assert found["runtime.arguments.unmapped"].entries["--distributed-executor-backend"].value == "ray"
    assert found["runtime.arguments.unmapped"].entries["--enable-log-requests"].value == "false"


def test_the_accelerator_of_a_model() -> None:
    found = facts(MODEL + "      accelerator_type: H100\n", "rayproject/ray-llm:2.58.0")
    models = found["hardware.gpu.model"].value
    assert isinstance(models, list) and models and all(str(one).startswith("h100") for one in models)
    assert facts(MODEL + "      accelerator_type: Z9000\n")["hardware.gpu.model"].state == "unknown"


def test_the_least_vllm_is_not_taken_for_the_vllm_that_runs() -> None:
    found = facts(MODEL, "rayproject/ray-llm:2.49.0")
    assert found["runtime.packages"].entries["vllm"].state == "unknown"
    assert found["runtime.prefix_caching"].confidence == "possible"


def test_requests_at_once_of_a_model_by_release() -> None:
    for image, value in (("2.44.0", 20), ("2.60.0", 1_000_000_000)):
        assert facts(MODEL, f"rayproject/ray-llm:{image}")["serving.max_concurrency"].value == value
    limited = MODEL + "      deployment_config: {max_ongoing_requests: 64}\n"
    assert facts(limited, "rayproject/ray-llm:2.60.0")["serving.max_concurrency"].value == 64


def test_another_engine_beneath_is_not_read_as_vllm() -> None:
    found = facts(MODEL + "      llm_engine: SGLang\n")
    assert "runtime.max_model_len" not in found
    assert found["runtime.arguments.unmapped"].entries["llm_configs[0].engine_kwargs.max_model_len"].value == "8192"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("applications:\n- name: x\n  import_path: [a\n", 3, 16),
        ("- 1\n", 1, 1),
        ("applications:\n- name: x\n", 2, 3),
        ("applications: {a: 1}\n", 1, 15),
        (ONE.replace("http_options: {port: 8100, request_timeout_s: 60}", "http_options: 8100"), 1, 15),
        (ONE.replace("- name: Mango\n    num_replicas", "- num_replicas"), 6, 5),
        (MODEL.replace("model_loading_config: {model_id: qwen, model_source: Qwen/Qwen2.5-7B-Instruct}", "x: 1"), 6, 7),
        (MODEL.replace("        max_model_len: 8192\n        tensor_parallel_size: 2\n", "        - a\n"), 8, 9),
    ],
)
def test_what_ray_serve_cannot_read_is_told_with_its_place(text: str, line: int, column: int) -> None:
    found = [one for one in problems(text) if one.kind == "unreadable"]
    assert found and (found[0].locations[0].line, found[0].locations[0].column) == (line, column)
    assert found[0].suggestion


def test_a_value_that_is_refused() -> None:
    (problem,) = problems(ONE.replace("max_ongoing_requests: 7", "max_ongoing_requests: many"))
    assert (problem.kind, problem.value, problem.locations[0].line) == ("invalid-value", "many", 8)


def test_secrets_of_a_runtime_environment_are_not_kept() -> None:
    text = ONE.replace("  deployments:", "  runtime_env: {env_vars: {HF_TOKEN: hf_abc, A: b}}\n  deployments:")
    entries = facts(text)["runtime.arguments.unmapped"].entries
    assert entries["fruit.runtime_env.env_vars.HF_TOKEN"].state == "unknown"
    assert entries["fruit.runtime_env.env_vars.A"].value == "b"


def test_variables() -> None:
    env = {name: Variable(name, "1", AT) for name in ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_NO_SUCH")}
    argv = tuple(Token(word, AT) for word in ("serve", "run", "a:b"))
    reading = ENGINE.read(Launch(argv=argv, location=AT, image=Token("rayproject/ray:2.60.0", AT), env=env))
    assert (reading.variables, reading.strange) == (1, ("RAY_SERVE_NO_SUCH",))


def test_defaults_tell_of_silent_changes() -> None:
    found = {(one.name, one.kind): one for one in defaults("ray-serve", "2.31.0", "2.32.0").changes}
    change = found["max_ongoing_requests", "default"]
    assert (change.old, change.new) == (100, 5)
    assert change.sources == ("ray-serve 2.32.0 ray/serve/_private/config.py:161",) or change.sources[0].startswith(
        "ray-serve 2.32.0 ray/serve/_private/config.py"
    )
    later = {(one.name, one.kind): one for one in defaults("ray-serve", "2.58.0", "2.60.0").changes}
    assert (later["vllm", "dependency"].old, later["vllm", "dependency"].new) == ("0.26.0", "0.29.0")
    alive = {(one.name, one.kind): one for one in defaults("ray-serve", "2.47.0", "2.48.0").changes}
    assert any(one.old == 5 and one.new == 90 for one in alive.values())
    renamed = {one.name: one for one in defaults("ray-serve", "2.46.0", "2.47.0").changes if one.kind == "metric"}
    assert renamed["ray_rayllm_tokens_input"].new == "ray_serve_llm_tokens_input"


def loaded(tmp_path: Path, text: str) -> tuple[dict[str, Resolved], tuple[int, ...]]:
    path = tmp_path / "service.yaml"
    path.write_text(text, encoding="utf-8")
    side = load(str(path), "target", Redactor())
    assert [one.engine.name for one in side.snapshots if one.engine] == ["ray-serve"]
    return dict(side.snapshots[0].facts), tuple(one.line for one in side.errors)


def service(config: str, image: str = "rayproject/ray-llm:2.58.0") -> str:
    return f"""\
apiVersion: ray.io/v1
kind: RayService
metadata: {{name: s}}
spec:
  serveConfigV2: |
{textwrap.indent(config, "    ")}
  rayClusterConfig:
    headGroupSpec:
      template:
        spec:
          containers: [{{name: head, image: {image}, resources: {{limits: {{nvidia.com/gpu: 2}}}}}}]
"""


def test_a_ray_service_with_a_model(tmp_path: Path) -> None:
    found, errors = loaded(tmp_path, service(MODEL))
    assert not errors
    assert (found["runtime.max_model_len"].value, found["runtime.max_model_len"].locations[0].line) == (8192, 13)
    assert (found["runtime.engine.name"].value, found["runtime.engine.version"].value) == ("ray-serve", "2.58.0")
    assert found["runtime.packages"].entries["vllm"].value == "0.26.0"


def test_a_ray_service_with_an_application(tmp_path: Path) -> None:
    found, errors = loaded(tmp_path, service(ONE))
    assert not errors
    assert (found["serving.max_concurrency"].value, found["serving.max_concurrency"].locations[0].line) == (7, 13)
    assert found["runtime.arguments.unmapped"].entries["Mango.user_config.price"].locations[0].line == 16
    assert found["serving.port"].value == 8100


def test_a_broken_configuration_in_a_ray_service(tmp_path: Path) -> None:
    _, errors = loaded(tmp_path, service("applications:\n- name: x\n  import_path: [a"))
    assert errors == (8,)


def test_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(MODEL, encoding="utf-8")
    side = load(str(path), "target", Redactor())
    assert not side.errors
    assert side.snapshots[0].facts["runtime.max_model_len"].locations[0].line == 8


@given(
    st.text(max_size=80)
    | st.sampled_from(["applications: [" * 3, "{" * 2000, "a: &a [*a]", "applications: [1, null, []]"])
)
def test_reading_a_file_never_raises(text: str) -> None:
    for whole in (text, ONE.replace("7", text), MODEL.replace("8192", text)):
        ENGINE.read(launch_of(whole, "rayproject/ray:2.46.0"))


def test_a_running_deployment_has_the_defaults_of_its_release(shared: Path) -> None:
    recorded = (shared / "recordings" / "ray-2.60.0" / "serve-applications.http").read_text(encoding="utf-8")
    seen = json.loads(recorded.split("\n\n", 1)[1])
    release = versions.load("ray-serve", "2.60.0")
    assert release is not None
    running = seen["applications"]["doubler"]["deployments"]["Doubler"]["deployment_config"]
    for name in ("max_ongoing_requests", "max_queued_requests", "graceful_shutdown_timeout_s", "health_check_period_s",
                 "health_check_timeout_s", "graceful_shutdown_wait_loop_s", "rolling_update_percentage",
                 "max_surge_percent"):  # fmt: skip
        assert release.arguments[name].value == running[name], name
    for name in ("keep_alive_timeout_s", "root_path", "request_timeout_s"):
        assert release.arguments[f"http_options.{name}"].value == seen["http_options"][name], name
    for name in ("request_router_class", "request_routing_stats_period_s", "initial_backoff_s", "max_backoff_s"):
        assert release.arguments[f"request_router_config.{name}"].value == running["request_router_config"][name], name


def test_a_running_ray_emits_the_metrics_of_its_release(shared: Path) -> None:
    recorded = (shared / "recordings" / "ray-2.60.0" / "metrics.http").read_text(encoding="utf-8")
    seen = {line.split()[2] for line in recorded.splitlines() if line.startswith("# HELP ray_serve_")}
    release = versions.load("ray-serve", "2.60.0")
    assert release is not None and len(seen) > 30
    known = {name.removesuffix("_total") for name in release.metrics}
    assert {name for name in seen if name.removesuffix("_total") not in known} == set()


def test_the_recorded_configuration_is_read(shared: Path) -> None:
    text = (shared / "recordings" / "ray-2.60.0" / "serve-config.txt").read_text(encoding="utf-8")
    found = facts(text, "rayproject/ray:2.60.0")
    assert found["serving.max_concurrency"].value == 5
    assert found["runtime.arguments.unmapped"].entries["Doubler.user_config.revision"].value == "r2"
