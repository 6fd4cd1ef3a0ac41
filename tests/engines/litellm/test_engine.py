"""Reading launches of LiteLLM's proxy: arguments, variables, the configuration file, and the engines behind it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines import versions
from askew.engines.litellm.engine import ENGINE
from askew.engines.litellm.flags import FLAGS
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

AT = Location("deploy.yaml", line=10)
PATH = "/app/config.yaml"
IMAGE = "ghcr.io/berriai/litellm:main-v1.75.9-stable"
MODELS = """
model_list:
  - model_name: llama
    litellm_params:
      model: hosted_vllm/meta-llama/Llama-3.1-8B
      api_base: http://vllm.prod.svc:8000/v1
"""


def launch_of(
    config: str | None = MODELS,
    *,
    command: str = f"--config {PATH}",
    image: str = IMAGE,
    env: Mapping[str, str] = {},
) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=bool(image),
        env={name: Variable(name, value, AT) for name, value in env.items()},
        files={PATH: Content(config, Location(PATH, line=1))} if config is not None else {},
    )


def facts(config: str | None = MODELS, **rest: object) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(config, **rest))  # type: ignore[arg-type]
    return resolve(reading.observations, reading.rules)


def behind(config: str, **rest: object) -> dict[str, list[Observation]]:
    """What each backend meets, by its host."""
    found: dict[str, list[Observation]] = {}
    for upstream in ENGINE.read(launch_of(config, **rest)).upstreams:  # type: ignore[arg-type]
        found.setdefault(upstream.host, []).extend(upstream.observations)
    return found


@pytest.mark.parametrize(
    ("settings", "fact", "value"),
    [
        ("litellm_settings: {request_timeout: 300}", "serving.request_timeout", 300),
        ("router_settings: {timeout: 30}", "serving.request_timeout", 30),
        ("router_settings: {stream_timeout: 20}", "serving.first_byte_timeout", 20),
        ("router_settings: {num_retries: 0}", "serving.retries", {"litellm": {"attempts": 1}}),
        ("litellm_settings: {num_retries: 4}", "serving.retries", {"litellm": {"attempts": 5}}),
        ("router_settings: {num_retries: '3'}", "serving.retries", {"litellm": {"attempts": 4}}),
        ("router_settings: {routing_strategy: least-busy}", "serving.load_balancing", "least_request"),
        (
            "router_settings: {routing_strategy: latency-based-routing}",
            "serving.load_balancing",
            "latency-based-routing",
        ),
        ("general_settings: {global_max_parallel_requests: 50}", "serving.max_concurrency", 50),
        ("general_settings: {max_request_size_mb: 2}", "serving.max_body.bytes", 2 << 20),
        ("general_settings: {master_key: sk-1}", "serving.api_key_required", True),
        ("", "serving.request_timeout", 6000),
        ("", "serving.retries", {"litellm": {"attempts": 3}}),
        ("", "serving.load_balancing", "random"),
        ("", "serving.max_concurrency", "unlimited"),
        ("", "serving.api_key_required", False),
        ("", "serving.idle_timeout", 5),
        ("", "serving.port", 4000),
        ("", "model.served_names", ["llama"]),
    ],
)
def test_settings(settings: str, fact: str, value: object) -> None:
    assert facts(MODELS + settings)[fact].value == value


def test_a_value_points_at_its_line_and_column() -> None:
    found = facts("model_list: []\nrouter_settings:\n  timeout: 30\n")["serving.request_timeout"]
    assert (found.origin, found.locations) == ("config-file", (Location(PATH, line=3, column=12),))


def test_variables() -> None:
    assert facts(env={"REQUEST_TIMEOUT": "90"})["serving.request_timeout"].value == 90
    config = MODELS + "litellm_settings: {request_timeout: 300}\n"
    assert facts(config, env={"REQUEST_TIMEOUT": "90"})["serving.request_timeout"].value == 300
    assert facts(env={"PORT": "8080"})["serving.port"].value == 8080
    assert facts(env={"LITELLM_MASTER_KEY": "sk-x"})["serving.api_key_required"].value is True
    assert facts(command="", env={"CONFIG_FILE_PATH": PATH})["model.served_names"].value == ["llama"]


def test_a_setting_names_a_variable() -> None:
    config = MODELS + "router_settings: {timeout: os.environ/LIMIT}\n"
    assert facts(config, env={"LIMIT": "45"})["serving.request_timeout"].value == 45
    declared = config + "environment_variables: {LIMIT: '50'}\n"
    assert facts(declared)["serving.request_timeout"].value == 50
    unseen = facts(config)["serving.request_timeout"]
    assert unseen.state == "unknown"
    assert "LIMIT" in unseen.reason


def test_which_of_two_timeouts_holds_depends_on_the_release() -> None:
    config = MODELS + "router_settings: {timeout: 30}\nlitellm_settings: {request_timeout: 300}\n"
    assert facts(config, image="litellm/litellm:v1.90.7")["serving.request_timeout"].value == 30
    assert facts(config, image="litellm/litellm:v1.100.5")["serving.request_timeout"].value == 300
    moving = facts(config, image="ghcr.io/berriai/litellm:main-latest")["serving.request_timeout"]
    assert moving.state == "unknown"
    assert "1.91.5" in moving.reason


def test_a_release_between_two_that_agree_is_certain() -> None:
    found = facts(image="ghcr.io/berriai/litellm:main-v1.75.5")["serving.request_timeout"]
    assert (found.value, found.confidence) == (6000, "certain")


@pytest.mark.parametrize(
    ("tag", "release"),
    [
        ("main-v1.75.5-stable", "1.75.5"),
        ("v1.81.0-stable", "1.81.0"),
        ("main-v1.63.2-nightly", "1.63.2"),
        ("litellm_stable_release_branch-stable", None),
        ("main-latest", None),
        ("main-stable", None),
    ],
)
def test_releases(tag: str, release: str | None) -> None:
    assert ENGINE.read(launch_of(image=f"ghcr.io/berriai/litellm:{tag}")).version == release


def test_a_deployment_has_its_own_time() -> None:
    config = MODELS + "      timeout: 30\n  - model_name: gpt\n    litellm_params: {model: openai/gpt-4o}\n"
    found = facts(config)["serving.request_timeout"]
    assert found.value == 30
    assert {hop.name: hop.value for hop in found.hops} == {"litellm": 6000, "litellm llama": 30}


def test_the_engines_behind_it_meet_its_limits() -> None:
    config = MODELS + "      stream_timeout: 15\n      rpm: 60\n      temperature: 0.2\n"
    met = {one.fact: one.value for one in behind(config)["vllm.prod.svc"] if not one.key}
    assert met["serving.request_timeout"] == 6000
    assert met["serving.first_byte_timeout"] == 15
    assert met["serving.max_concurrency"] == 60
    assert "serving.load_balancing" not in met  # one deployment of that name
    sampling = next(one for one in behind(config)["vllm.prod.svc"] if one.fact == "runtime.sampling_defaults")
    assert (sampling.key, sampling.value, sampling.confidence) == ("temperature", 0.2, "likely")


def test_deployments_of_one_name_are_balanced() -> None:
    config = (
        MODELS + "  - model_name: llama\n    litellm_params: {model: openai/x, api_base: 'http://b:1/v1', tpm: 12000}\n"
    )
    met = behind(config)
    assert {one.value for one in met["b"] if one.fact == "serving.load_balancing"} == {"random"}
    assert {one.value for one in met["b"] if one.fact == "serving.max_concurrency"} == {2}


def test_a_file_that_no_source_shows_leaves_its_settings_unknown() -> None:
    found = facts(None)
    for fact in ("serving.request_timeout", "serving.retries", "serving.load_balancing", "serving.max_concurrency"):
        entry = next(iter(found[fact].entries.values()), found[fact])
        assert entry.state == "unknown", fact
        assert PATH in entry.reason


def test_settings_in_the_database_win_over_the_file() -> None:
    found = facts(MODELS + "general_settings: {store_model_in_db: true}\nrouter_settings: {timeout: 30}\n")
    assert found["serving.request_timeout"].confidence == "likely"
    assert "database" in " ".join(found["serving.request_timeout"].because)


def test_a_default_that_is_spelled_out_is_no_difference() -> None:
    spelled = (
        MODELS
        + "router_settings: {routing_strategy: simple-shuffle, num_retries: 2, allowed_fails: 3, cooldown_time: 5, "
        + "retry_after: 0}\nlitellm_settings: {request_timeout: 6000, drop_params: false, cache: null}\n"
    )
    short, long = facts(), facts(spelled)
    for fact in short.keys() | long.keys():
        assert (short[fact].state, short[fact].value) == (long[fact].state, long[fact].value), fact


def test_a_setting_that_no_fact_describes_shows_as_text() -> None:
    found = facts(MODELS + "router_settings: {fallbacks: [{llama: [gpt]}], enable_pre_call_checks: true}\n")
    text = found["runtime.arguments.unmapped"].value
    assert isinstance(text, dict)
    assert text["router_settings.fallbacks"] == '[{"llama":["gpt"]}]'
    assert text["router_settings.enable_pre_call_checks"] == "true"
    assert text["model_list.llama.model"] == "hosted_vllm/meta-llama/Llama-3.1-8B"


def test_keys_callbacks_and_addresses_are_no_settings_of_a_request() -> None:
    text = facts(
        MODELS + "      api_key: sk-1\nlitellm_settings: {success_callback: [langfuse], json_logs: true}\n"
        "general_settings: {database_url: postgresql://x, alerting: [slack]}\n"
    )["runtime.arguments.unmapped"].value
    assert isinstance(text, dict)
    assert not [name for name in text if any(word in name for word in ("api_", "callback", "logs", "database", "alert"))
                and not name.startswith("--")]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model_list: [\n", 1),
        ("- a\n- b\n", 1),
        ("model_list: 3\n", 1),
        ("model_list:\n  - model_name: a\n", 2),
        ("model_list: []\nrouter_settings: 5\n", 2),
    ],
)
def test_a_broken_file_is_an_error_at_its_line(text: str, line: int) -> None:
    problems = [one for one in ENGINE.read(launch_of(text)).problems if one.kind == "unreadable"]
    assert problems
    assert problems[0].locations[0].source == PATH
    assert problems[0].locations[0].line == line
    assert problems[0].suggestion


def test_a_file_that_stands_alone() -> None:
    place = Location("config.yaml", line=1)
    reading = ENGINE.read(Launch(argv=(), location=place, files={"/config.yaml": Content(MODELS, place)}))
    found = resolve(reading.observations, reading.rules)
    assert found["model.served_names"].value == ["llama"]
    assert found["serving.request_timeout"].value == 6000


def test_every_argument_of_every_release_is_in_the_table() -> None:
    past = versions.history("litellm")
    assert past is not None
    known = {name for flag in FLAGS for name in flag.names}
    assert {name for name in past.arguments if name.startswith("-")} <= known


def test_settings_and_variables_of_the_releases_are_known() -> None:
    names = ("routing_strategy", "num_retries", "fallbacks", "redis_host", "model_group_alias", "cooldown_time")
    lines = "".join(f"  {name}: 1\n" for name in names)
    reading = ENGINE.read(launch_of(MODELS + "router_settings:\n" + lines, env={"LITELLM_LOG": "DEBUG"}))
    assert not reading.unmapped
    assert not reading.strange
    assert ENGINE.read(launch_of(MODELS + "router_settings: {no_such: 1}\n")).unmapped == ("router_settings.no_such",)


@given(st.text(max_size=200))
def test_no_text_makes_reading_fail(text: str) -> None:
    ENGINE.read(launch_of(text))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=8))  # fmt: skip
def test_no_value_makes_reading_fail(value: object) -> None:
    import json

    text = json.dumps(
        {
            "model_list": [{"model_name": "m", "litellm_params": {"model": "x", "timeout": value, "rpm": value,
                                                                  "api_base": value, "temperature": value}}],
            "router_settings": {"timeout": value, "num_retries": value, "routing_strategy": value},
            "general_settings": {"max_request_size_mb": value, "global_max_parallel_requests": value},
        }
    )  # fmt: skip
    reading = ENGINE.read(launch_of(text))
    resolve(reading.observations, reading.rules)


def test_parameters_of_a_request_are_no_log() -> None:
    text = facts(MODELS + "      logit_bias: {'1': 5}\n      extra_body: {top_k: 5}\n")[
        "runtime.arguments.unmapped"
    ].value
    assert isinstance(text, dict)
    assert text["model_list.llama.logit_bias"] == '{"1":5}'
    assert text["model_list.llama.extra_body"] == '{"top_k":5}'
