"""What running engines answer, read by the engine that answers: recognised by content, stated at its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.heard import heard
from askew.collectors.asking import Asked, Reply, ask
from askew.engines._live import ENDPOINTS
from askew.engines.live import Ask, Endpoints
from askew.evidence.redaction import Redactor
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved
from tests.engines.answers import CASES, Case, models

BASE = "http://llm:8000"


def talk(answers: Mapping[str, object], *first: Ask) -> Asked:
    """Ask somebody who gives these answers."""

    def get(question: Ask) -> Reply:
        answer = answers.get(question.name, 404)
        if isinstance(answer, int):
            return Reply(status=answer)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Reply(status=200, media="application/json", body=text.encode())

    return ask(get, Redactor(), BASE, first=first)


def facts(asked: Asked) -> dict[str, Resolved]:
    """What was told, resolved; entries of maps as ``fact[key]``."""
    said = heard(asked.told)
    found = resolve(said.observations if said is not None else ())
    entries = {f"{fact}[{key}]": one for fact, whole in found.items() for key, one in whole.entries.items()}
    return {**found, **entries}


def name(case: Case) -> str:
    return case.engine


@pytest.mark.parametrize("case", CASES, ids=name)
def test_it_is_recognised_by_what_it_answers(case: Case) -> None:
    asked = talk(case.answers)
    assert asked.engine == case.engine
    speaking = [
        engine
        for engine, module in ENDPOINTS.items()
        if cast(Endpoints, import_module(module).ENDPOINTS).speaks({one.name: one for one in asked.told})
    ]
    assert speaking == [case.engine]


@pytest.mark.parametrize("case", CASES, ids=name)
def test_its_answers_state_facts(case: Case) -> None:
    found = facts(talk(case.answers))
    assert {fact: found[fact].value for fact in case.facts if fact in found} == dict(case.facts)
    for fact in case.unknown:
        assert found[fact].state == "unknown", fact
        assert found[fact].missing and found[fact].reason


@pytest.mark.parametrize("case", CASES, ids=name)
def test_everything_it_says_is_seen_and_has_a_place(case: Case) -> None:
    said = heard(talk(case.answers).told)
    assert said is not None
    for one in said.observations:
        assert (one.origin, one.basis) == ("reported", "seen")
        assert one.locations and all(at.source.startswith(f"{BASE}/") and not at.line for at in one.locations)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_few_questions_are_asked_and_none_that_changes_anything(case: Case) -> None:
    asked = talk(case.answers)
    assert asked.requests <= 30
    for line in asked.log:
        assert "terminate" not in line and "flush" not in line and "unload" not in line
        method, path = line.split()[:2]
        assert method == "GET" or path in ("/v2/repository/index", "/api/show")


def test_every_engine_that_answers_has_a_case() -> None:
    assert {case.engine for case in CASES} == set(ENDPOINTS)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_an_engine_that_is_known_is_heard_without_looking_for_it(case: Case) -> None:
    told = talk(case.answers).told
    mine, found = heard(told, case.engine), heard(told)
    assert mine is not None and found is not None
    assert mine.observations == found.observations


def test_refusals_that_matter_are_named_and_others_are_not() -> None:
    asked = talk({"/v1/models": models("vllm", "m", root="m", parent=None), "/version": {"version": "0.31.0"}})
    assert len(asked.missed) == 1
    assert "VLLM_SERVER_DEV_MODE=1" in asked.missed[0]


def test_a_path_of_another_release_is_no_refusal() -> None:
    old = {"version": "0.4.6", "model_path": "/m", "mem_fraction_static": 0.9}
    assert talk({"/v1/models": models("sglang", "m"), "/get_server_info": old}).missed == ()
    assert len(talk({"/v1/models": models("sglang", "m")}).missed) == 1


def test_the_model_that_a_url_names_is_asked_for() -> None:
    status = {"model_version_status": [{"version": "7", "state": "AVAILABLE"}]}
    asked = talk({"/v1/models/ranker": status}, Ask("/v1/models/ranker"))
    assert asked.engine == "tf-serving"
    assert facts(asked)["model.revision"].value == "7"


@pytest.mark.parametrize("owner", ["openai", "organization-owner", "acme", ""])
def test_an_unknown_server_has_names_and_no_engine(owner: str) -> None:
    asked = talk({"/v1/models": models(owner, "house-model", max_model_len=4096)})
    assert asked.engine == ""
    found = facts(asked)
    assert found["model.served_names"].value == ["house-model"]
    assert found["runtime.max_model_len"].value == 4096
    assert found["runtime.engine.name"].state == "unknown"


@pytest.mark.parametrize(
    "answers",
    [
        {"/api/tags": {"models": []}},  # an API gateway that has the path, and no model
        {"/info": {"model_id": "org/m", "max_total_tokens": 2048, "eager_prefill": False, "request_logger_url": None}},
    ],
    ids=["no models", "LoRAX"],
)
def test_what_answers_like_an_engine_is_not_taken_for_it(answers: dict[str, object]) -> None:
    assert talk(answers).engine == ""


def test_an_ollama_without_models_is_one() -> None:
    assert talk({"/api/tags": {"models": []}, "/api/version": {"version": "0.13.1"}}).engine == "ollama"


def test_models_of_several_owners_are_nobodys() -> None:
    cards = [{"id": "a", "owned_by": "vllm"}, {"id": "b", "owned_by": "sglang"}]
    assert talk({"/v1/models": {"data": cards}}).engine == ""


def test_of_very_many_models_some_are_asked_for_and_it_is_said_how_many_are_not() -> None:
    index = [{"name": f"m{number}", "state": "READY"} for number in range(100)]
    server = {"name": "triton", "version": "2.58.0", "extensions": []}
    config = {f"/v2/models/m{number}/config": {"name": f"m{number}", "backend": "python"} for number in range(100)}
    asked = talk({"/v2": server, "/v2/repository/index {}": index, **config})
    assert asked.requests <= 42
    assert len(asked.missed) == 1 and "not asked" in asked.missed[0]
    assert len(facts(asked)["model.served_names"].value) == 100  # type: ignore[arg-type]


def test_a_value_that_cannot_be_is_unknown() -> None:
    card = models("vllm", "m", root="m", parent=None, max_model_len=-5)
    found = facts(talk({"/v1/models": card, "/version": {"version": ["0"]}}))
    assert found["runtime.max_model_len"].state == "unknown"
    assert "'-5'" in found["runtime.max_model_len"].reason
    assert found["runtime.engine.version"].state == "unknown"


def test_a_version_alone_is_no_engine() -> None:
    for version in ({"version": "0.9.1"}, "3.17.0", {"version": "4"}):
        assert talk({"/version": version}).engine == ""


NAMES = sorted({name for case in CASES for name in case.answers})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "id", "models", "name", "version", "server", "config", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(case=st.sampled_from(CASES), data=st.data())
def test_answers_of_any_shape_never_raise(case: Case, data: st.DataObject) -> None:
    answers = dict(case.answers)
    for one in data.draw(st.lists(st.sampled_from(NAMES), max_size=3)):
        answers[one] = data.draw(JSON)
    facts(talk(answers))


@given(case=st.sampled_from(CASES), data=st.data())
def test_fields_of_any_value_never_raise(case: Case, data: st.DataObject) -> None:
    """One value somewhere in a real answer becomes something else."""
    answers = json.loads(json.dumps(dict(case.answers)))
    places: list[tuple[object, object]] = []
    stack: list[object] = [answers]
    while stack:
        here = stack.pop()
        for key, value in list(here.items()) if isinstance(here, dict) else list(enumerate(here)):  # type: ignore[arg-type]
            places.append((here, key))
            if isinstance(value, (dict, list)):
                stack.append(value)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(JSON)  # type: ignore[index]
    facts(talk(answers))


def test_told_twice_is_said_once() -> None:
    told = talk(CASES[0].answers).told
    replicas = [msgspec.structs.replace(one, replica=replica) for replica in ("a", "b") for one in told]
    alone, both = heard(told), heard(replicas)
    assert alone is not None and both is not None
    assert len(alone.observations) == len(both.observations)


SECRET = "canary-5d2f8c7a91"


def planted(value: object) -> object:
    """The same with a secret in every map."""
    if isinstance(value, dict):
        kept = {key: planted(one) for key, one in value.items()}
        return {
            **kept,
            "api_key": SECRET,
            "hf_token": SECRET,
            "launch_command": f"serve --api-key {SECRET}",
            "image": f"https://ops:{SECRET}@registry/x",
        }
    return [planted(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES, ids=name)
def test_no_secret_in_any_answer_is_told(case: Case) -> None:
    asked = talk({key: planted(value) for key, value in case.answers.items()})
    assert asked.told
    for one in asked.told:
        assert SECRET not in one.text
        assert one.document is None or SECRET not in repr(one.document.root.value)
    assert SECRET not in repr(facts(asked))


@pytest.mark.parametrize("case", CASES, ids=name)
def test_any_part_of_its_answers_can_be_read(case: Case) -> None:
    endpoints = cast(Endpoints, import_module(ENDPOINTS[case.engine]).ENDPOINTS)
    told = {one.name: one for one in talk(case.answers).told}
    for left_out in (None, *told):
        some = {key: one for key, one in told.items() if key != left_out}
        endpoints.asks(some)
        endpoints.read(some)
    assert not endpoints.speaks({})
    assert endpoints.asks({})
    endpoints.read({})
