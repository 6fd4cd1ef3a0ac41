from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import askew.report
from askew.facts.catalogue import FACTS
from askew.report.facts import render_facts
from askew.report.schema import documents
from tests.report import samples

FOLDER = Path(askew.report.__file__).parent / "schemas"


@pytest.mark.parametrize("name", documents())
def test_the_published_schema_is_the_one_of_the_code(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == documents()[name], "run `make generate`"


def test_nothing_else_is_published():
    assert {path.name for path in FOLDER.glob("*.json")} == set(documents())


@pytest.mark.parametrize("name", documents())
def test_schemas_are_valid_2020_12(name):
    schema = json.loads(documents()[name])
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_enumerations_are_open_and_objects_grow():
    """A reader of today accepts what a later v1 writes."""
    text = documents()["report.v1.json"]
    assert '"enum"' not in text
    assert '"additionalProperties": false' not in text


def test_a_report_without_its_verdict_does_not_fit():
    from askew.report.render import render

    schema = jsonschema.Draft202012Validator(json.loads(documents()["report.v1.json"]))
    data = json.loads(render(samples.CHECKED, "json", color=False, width=80, verbose=False))
    assert schema.is_valid(data)
    del data["verdict"]
    assert not schema.is_valid(data)


def test_the_schema_of_the_facts_knows_each_value():
    schema = jsonschema.Draft202012Validator(json.loads(documents()["facts.v1.json"]))
    data = json.loads(render_facts([samples.SNAPSHOT], (), (), (), "json"))
    schema.validate(data)
    data["workloads"][0]["facts"]["runtime.max_model_len"]["value"] = "many"
    assert not schema.is_valid(data)


def test_every_example_of_a_fact_fits_the_schema_of_the_facts():
    schema = jsonschema.Draft202012Validator(json.loads(documents()["facts.v1.json"]))
    data = json.loads(render_facts([samples.SNAPSHOT], (), (), (), "json"))
    known = data["workloads"][0]["facts"]["runtime.max_model_len"]
    data["workloads"][0]["facts"] = {
        key: {**known, "value": fact.type.parse(example)}
        for key, fact in FACTS.items()
        for example in fact.examples[:1]
    }
    schema.validate(data)
