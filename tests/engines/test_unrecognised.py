"""Programs that no engine folder knows."""

from __future__ import annotations

import pytest

from askew.engines.unrecognised import read
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location

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
