from __future__ import annotations

import json
from collections.abc import Iterator

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings

from askew.findings.finding import fingerprint
from askew.report import wire
from askew.report.render import render
from askew.report.schema import documents
from tests.report import samples
from tests.report.snapshot import same
from tests.report.strategies import reports

SCHEMA = jsonschema.Draft202012Validator(json.loads(documents()["report.v1.json"]))


def written(report) -> str:
    return render(report, "json", color=True, width=40, verbose=True)


def strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from strings(value)


def test_the_incident_as_json():
    same(written(samples.INCIDENT), "incident.json")


@pytest.mark.parametrize("name", samples.ALL)
def test_samples_fit_the_schema(name):
    SCHEMA.validate(json.loads(written(samples.ALL[name])))


@settings(max_examples=60, deadline=None)
@given(reports)
def test_any_report_round_trips_fits_the_schema_and_shows_no_marker(report):
    first = wire.encode(wire.report(report))
    assert wire.encode(wire.decode(first)) == first
    assert wire.encode(wire.report(report)) == first
    data = json.loads(first)
    SCHEMA.validate(data)
    assert not any(samples.MARKER in text for text in strings(data))
    assert wire.fingerprints(first) == {fingerprint(f) for w in report.workloads for f in w.findings}


def test_values_stay_canonical_and_carry_their_unit():
    finding = json.loads(written(samples.report(samples.workload(samples.TIMEOUT))))["workloads"][0]["findings"][0]
    assert (finding["reference"]["value"], finding["target"]["value"], finding["unit"]) == (600, 60, "seconds")
    assert [hop["name"] for hop in finding["target"]["hops"]] == ["ingress", "route"]


def test_the_location_is_the_first_of_the_locations():
    target = json.loads(written(samples.report(samples.workload(samples.CHECK))))["workloads"][0]["findings"][0][
        "target"
    ]
    assert [at["line"] for at in target["locations"]] == [33, 52]
    assert target["location"] == target["locations"][0]


def test_nothing_is_left_out():
    """Null where there is none, so that a reader needs no guard."""
    finding = json.loads(written(samples.report(samples.workload(samples.VERSION))))["workloads"][0]["findings"][0]
    assert set(finding) == set(wire.Finding.__struct_fields__)
    assert finding["waiver"] is finding["baseline"] is finding["key"] is finding["unit"] is None
    assert set(finding["target"]) == set(wire.Side.__struct_fields__)


def test_a_side_that_nothing_shows_has_no_origin():
    bare = msgspec.structs.replace(samples.target(samples.UNRESOLVED), locations=(), text="")
    finding = msgspec.structs.replace(samples.UNRESOLVED, target=bare)
    side = json.loads(written(samples.report(samples.workload(finding))))["workloads"][0]["findings"][0]["target"]
    assert (side["state"], side["origin"], side["value"], side["confidence"]) == ("unknown", None, None, None)
    assert side["reason"].startswith("expanded at run time")


def test_a_secret_is_a_state_and_no_value():
    finding = json.loads(written(samples.report(samples.workload(samples.SECRET))))["workloads"][0]["findings"][0]
    for side in (finding["reference"], finding["target"]):
        assert (side["state"], side["value"]) == ("redacted", "<redacted>")


def test_a_value_that_holds_a_secret_is_redacted_too():
    finding = json.loads(written(samples.NASTY))["workloads"][0]["findings"][2]
    assert finding["rule"] == "model.source"
    assert finding["target"]["state"] == "redacted"
    assert finding["target"]["value"] == "https://user:<redacted>@models.example/llm"
    assert finding["target"]["shadowed"][0]["value"] == "s3://<redacted>@bucket"
    assert "0123456789abcdef" not in written(samples.NASTY)


def test_ids_are_unique_where_fingerprints_are_not():
    text = written(samples.report(samples.workload(samples.DTYPE), samples.workload(samples.DTYPE)))
    first, second = (w["findings"][0] for w in json.loads(text)["workloads"])
    assert first["fingerprint"] == second["fingerprint"]
    assert (first["id"], second["id"]) == (first["fingerprint"], first["fingerprint"] + "-2")


def test_the_public_source_of_a_default_is_a_reason_not_a_place():
    fact = wire.fact(samples.SNAPSHOT.facts["runtime.dtype"])
    assert isinstance(fact, wire.KnownFact)
    assert fact.location is None
    assert fact.because == ["auto: the model's own", "https://docs.example/defaults"]


def test_a_newer_report_is_read():
    data = json.loads(written(samples.CHECKED))
    data["later"] = {"x": 1}
    data["workloads"][0]["findings"][0].update(severity="apocalyptic", later=[1])
    again = wire.decode(json.dumps(data).encode())
    assert again.workloads[0].findings[0].severity == "apocalyptic"


def test_a_report_of_the_first_days_is_read():
    """What version 1 says least: later fields have defaults."""
    text = b'{"schema":"askew/report/v1","command":"diff","verdict":"aligned","sources":[],"workloads":[]}'
    assert wire.decode(text).verdict == "aligned"
    assert wire.fingerprints(text) == frozenset()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"a": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": "askew/facts/v1", "workloads": []}',
    ],
)
def test_what_is_no_report_is_refused(data):
    with pytest.raises(ValueError, match=r"askew/report/v1|expected"):
        wire.fingerprints(data)


def test_another_version_is_refused_by_name():
    data = json.loads(written(samples.ALIGNED))
    data["schema"] = "askew/report/v2"
    with pytest.raises(ValueError, match="expected the schema askew/report/v1, got 'askew/report/v2'"):
        wire.decode(json.dumps(data).encode())
