"""Places in the files of a launch."""

from __future__ import annotations

import pytest
import yaml

from askew.evidence.launch import Content
from askew.evidence.location import Location


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1,\n", 1, 7),  # it ends too early: the fault is on the last line, and not below it
        ("a: 1\nb: [\n\n\n", 2, 5),
        ("a: 1\nb: }\n", 2, 4),
    ],
)
def test_a_fault_is_inside_the_file(text: str, line: int, column: int) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.safe_load(text)
    content = Content(text=text, location=Location("engine.yaml", line=1, column=1))
    place = content.at(getattr(caught.value, "problem_mark", None))
    assert (place.line, place.column) == (line, column)


def test_without_a_mark_it_is_the_beginning() -> None:
    assert Content(text="", location=Location("engine.yaml", line=1, column=1)).at(None).line == 1
