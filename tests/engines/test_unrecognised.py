"""Programs that no engine folder knows."""

from __future__ import annotations

import pytest

from askew.engines.unrecognised import read
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.resolve.observation import Unknown

PLACE = Location("deploy.yaml", line=3, column=5)


def value(*words: str) -> object:
    launch = Launch(argv=tuple(Token(word, PLACE) for word in ("serve", *words)), location=PLACE)
    return next(one.value for one in read(launch).observations if one.key == "--overrides")


def test_the_order_of_keys_and_the_space_in_json_mean_nothing():
    assert value('--overrides={"b": {"d": 1, "c": 2}, "a": [2, 1]}') == '{"a":[2,1],"b":{"c":2,"d":1}}'
    assert value("--overrides", '{"a":[2,1],"b":{"c":2,"d":1}}') == '{"a":[2,1],"b":{"c":2,"d":1}}'


@pytest.mark.parametrize("text", ["{broken", "[gpu]", "{{ .Name }}", "1.50", "{" * 5000, "[" * 5000])
def test_what_only_looks_like_json_stays_as_written(text):
    assert value(f"--overrides={text}") == text


def served(*words: str, image: str = "kserve/huggingfaceserver:v0.18.0-gpu") -> dict[str, object]:
    argv = tuple(Token(word, PLACE) for word in words)
    launch = Launch(argv=argv, location=PLACE, image=Token(image, PLACE), implicit_entrypoint=True)
    return {one.key or one.fact: one.value for one in read(launch).observations}


def test_kserves_hugging_face_server_names_the_model_and_its_length():
    found = served("--model_name=qwen", "--max_model_len=4096", "--max-num-seqs=32")
    assert found == {"model.served_names": ["qwen"], "runtime.max_model_len": 4096, "--max-num-seqs": "32"}
    assert served("--model_name", "qwen", "--max-model-len", "4096", "--max-num-seqs=32") == found
    assert isinstance(served("--max_model_len=banana")["runtime.max_model_len"], Unknown)


def test_another_program_is_not_taken_for_it():
    assert served("--model_name=qwen", image="example/server:1") == {"--model_name": "qwen"}
