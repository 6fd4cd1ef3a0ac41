"""SARIF, Markdown, workflow commands, JUnit: each as its reader needs it, whatever the input says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings

from askew.findings.finding import fingerprint
from askew.report.render import render
from tests.report import samples
from tests.report.samples import report, workload
from tests.report.snapshot import same
from tests.report.strategies import reports


def written(report, format: str) -> str:
    return render(report, format, color=True, width=40, verbose=True)


@pytest.mark.parametrize("format", ["markdown", "github", "junit"])
@pytest.mark.parametrize("name", ["incident", "incomplete", "nasty"])
def test_samples(name, format):
    suffix = {"markdown": "md", "github": "github.txt", "junit": "junit.xml"}[format]
    same(written(samples.ALL[name], format), f"{name}.{suffix}")


def test_the_results_of_the_incident_as_sarif():
    results = json.loads(written(samples.INCIDENT, "sarif"))["runs"][0]["results"]
    same(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "incident.results.sarif.json")


# -- SARIF -------------------------------------------------------------------------------------------------------------

LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}


def check_location(location: dict) -> None:
    physical = location["physicalLocation"]
    artifact = physical["artifactLocation"]
    parts = urlsplit(artifact["uri"])
    assert parts.scheme in ("", "file")  # GitHub takes no other
    assert artifact["uri"]
    assert re.fullmatch(r"[A-Za-z0-9._~%/!$&'()*+,;=:@-]+", artifact["uri"])
    assert not re.search(r"%(?![0-9A-F]{2})", artifact["uri"])
    if artifact.get("uriBaseId"):
        assert not parts.path.startswith(("/", ".."))
    if "region" in physical:
        assert physical["region"]["startLine"] >= 1
        assert physical["region"].get("startColumn", 1) >= 1
    for logical in location.get("logicalLocations", ()):
        assert logical["fullyQualifiedName"]


def check_sarif(text: str) -> dict:
    """The parts of SARIF 2.1.0 that the standard and GitHub's upload require."""
    document = json.loads(text)
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    rules = driver["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        for part in ("shortDescription", "fullDescription", "help"):
            assert rule[part]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    for invocation in run["invocations"]:
        assert isinstance(invocation["executionSuccessful"], bool)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == LEVELS[result["properties"]["severity"]]
        assert result["message"]["text"].strip()
        assert not re.search(r"(?<!\\)\[[^\[\]]*\]\(", result["message"]["text"])
        assert not re.search(r"(?<!\{)\{\d+\}", result["message"]["text"])
        assert all(re.fullmatch(r"[0-9a-f]{16}", mark) for mark in result["partialFingerprints"].values())
        assert len(result["locations"]) <= 1
        for location in (*result["locations"], *result.get("relatedLocations", ())):
            check_location(location)
        ids = [location["id"] for location in result.get("relatedLocations", ())]
        assert len(ids) == len(set(ids))
        for suppression in result.get("suppressions", ()):
            assert suppression["kind"] in ("inSource", "external")
            assert suppression["status"] == "accepted"
        assert result.get("baselineState", "new") in ("new", "unchanged", "updated", "absent")
    return run


@pytest.mark.parametrize("name", samples.ALL)
def test_sarif_of_the_samples(name):
    check_sarif(written(samples.ALL[name], "sarif"))


@settings(max_examples=60, deadline=None)
@given(reports)
def test_sarif_of_anything(report):
    text = written(report, "sarif")
    assert samples.MARKER not in text
    run = check_sarif(text)
    assert len(run["results"]) == sum(len(w.findings) for w in report.workloads)


def results(*findings, **more) -> list[dict]:
    return check_sarif(written(report(workload(*findings, **more)), "sarif"))["results"]


def test_sarif_shows_the_target_and_relates_the_reference():
    (result,) = results(samples.MAX_LEN)
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "current.yaml", "uriBaseId": "%SRCROOT%"}
    assert physical["region"] == {"startLine": 29, "startColumn": 13}
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["region"]["startLine"] == 31
    assert related["message"]["text"] == "reference"
    assert result["partialFingerprints"] == {"askew/v1": fingerprint(samples.MAX_LEN)}


def test_sarif_says_who_waived():
    (result,) = results(samples.WAIVED)
    (suppression,) = result["suppressions"]
    assert suppression["justification"] == "pinned by digest at admission"
    assert suppression["location"]["physicalLocation"]["artifactLocation"]["uri"] == "askew.toml"
    assert suppression["properties"] == {"owner": "ana", "expires": "2026-12-31"}


def test_sarif_says_what_was_known_before():
    assert [r.get("baselineState") for r in results(samples.BATCH, samples.MAX_LEN)] == ["unchanged", None]


def test_sarif_of_a_live_object_names_the_object():
    (result,) = results(samples.UNREADABLE_PLACE)
    (location,) = result["locations"]
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "live spec.image"
    assert unquote(location["physicalLocation"]["artifactLocation"]["uri"]) == "k8s:prod/deployment/llm"
    assert "uriBaseId" not in location["physicalLocation"]["artifactLocation"]


def test_sarif_quotes_paths():
    (result,) = results(samples.HOSTILE)
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (uri, unquote(uri)) == ("dir/%C3%A9%20%23%3F%26.yaml", "dir/é #?&.yaml")


def test_absolute_paths_under_the_working_directory_become_relative(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    from tests.report.samples import at, known

    inside = known("runtime.dtype", "float16", at(str(Path(tmp_path, "sub", "x.yaml")), 3, 1))
    outside = known("runtime.dtype", "bfloat16", at("/elsewhere/y.yaml", 4, 1))
    (result,) = results(samples.difference("runtime.dtype", outside, inside))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "sub/x.yaml"
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///elsewhere/y.yaml"


def test_sarif_reports_unreadable_input():
    (invocation,) = check_sarif(written(samples.INCOMPLETE, "sarif"))["invocations"]
    assert invocation["executionSuccessful"] is False
    first = invocation["toolExecutionNotifications"][0]
    assert first["message"]["text"] == "expected a value\nHint: close the quote"
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 7}


# -- GitHub ------------------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning|notice) (?:[a-z]+=[^,:\r\n]*,)*title=[^,:\r\n]*::[^\r\n]*")


@settings(max_examples=80, deadline=None)
@given(reports)
def test_input_cannot_begin_a_workflow_command(report):
    text = written(report, "github")
    *commands, last = text.removesuffix("\n").split("\n")
    assert last.startswith("askew: ")
    live = [f for w in report.workloads for f in w.findings if f.waiver is None and f.baseline != "existing"]
    assert len(commands) == len(live) + len(report.errors)
    for command in commands:
        assert COMMAND.fullmatch(command), command
        assert not re.search(r"%(?!25|0A|0D|3A|2C)", command)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert samples.MARKER not in text


def test_annotations_stand_at_the_line_of_the_target():
    line = written(report(workload(samples.MAX_LEN)), "github").splitlines()[0]
    assert line.startswith(
        "::error file=current.yaml,line=29,col=13,title=runtime.max_model_len (prod/Deployment/llm)::"
    )
    assert "%0Areference: 32768, explicit, last-good.yaml:31%0A" in line


def test_what_is_no_file_has_no_place():
    line = written(report(workload(samples.UNREADABLE_PLACE)), "github").splitlines()[0]
    assert line.startswith("::notice title=")


# -- JUnit -------------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(reports)
def test_junit_is_xml_and_counts_right(report):
    text = written(report, "junit")
    assert samples.MARKER not in text
    root = ElementTree.fromstring(text.encode())
    assert int(root.get("tests", "")) == len(root.findall(".//testcase"))
    assert int(root.get("failures", "")) == len(root.findall(".//failure"))
    assert int(root.get("errors", "")) == len(root.findall(".//error"))
    for suite in root.findall("testsuite"):
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
        assert suite.findall("testcase")


def test_junit_of_an_aligned_workload_has_a_case_that_passes():
    (case,) = ElementTree.fromstring(written(samples.ALIGNED, "junit").encode()).findall(".//testcase")
    assert list(case) == []
    assert case.get("name") == "agrees with its reference"


def test_junit_fails_from_the_threshold_on():
    root = ElementTree.fromstring(
        written(report(workload(samples.MAX_LEN, samples.TAG, samples.WAIVED)), "junit").encode()
    )
    outcomes = {case.get("name"): next(iter(case)).tag for case in root.iter("testcase")}
    assert outcomes == {
        "runtime.max_model_len": "failure",
        "runtime.image.tag": "system-out",
        "floating-image-tag": "skipped",
    }


# -- Markdown ----------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(reports)
def test_markdown_rows_have_four_cells(report):
    text = written(report, "markdown")
    assert samples.MARKER not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    for line in text.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


def test_markdown_mentions_nobody():
    text = re.sub(r"(`+).+?\1", "", written(samples.NASTY, "markdown"))
    assert not re.search(r"@\w|(?<!&)#\d", text)
    assert "<b>" not in text


def test_markdown_fits_a_comment():
    many = workload(*[msgspec.structs.replace(samples.SECRET, key=f"K{i}") for i in range(3000)])
    text = written(
        report(many, *[workload(samples.MAX_LEN, id=f"prod/Deployment/{i}") for i in range(400)]), "markdown"
    )
    assert len(text) < 65_536
    assert "2950 more" in text
    assert "too long for a comment" in text
