"""What a verification and a comparison of two recordings tell, to people, to CI and to other tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from askew.cli.run import run
from tests.serving import Answer, as_json, serving

Write = Callable[..., str]


def chat(words: str) -> Answer:
    return as_json({"choices": [{"message": {"role": "assistant", "content": words}, "finish_reason": "stop"}]})


def asking(text: str) -> str:
    body = {
        "model": "acme/chat", "temperature": 0, "seed": 0, "n": 1, "max_tokens": 64, "logprobs": True,
        "top_logprobs": 5, "messages": [{"role": "user", "content": text}], "stream": False,
    }  # fmt: skip
    return f"POST /v1/chat/completions {json.dumps(body)}"


CARD = {"id": "acme/chat", "object": "model", "owned_by": "vllm", "max_model_len": 8192}
MODELS = as_json({"object": "list", "data": [CARD]})


def engine(**outputs: str) -> dict[str, Answer]:
    answers = {"/v1/models": MODELS, "/version": as_json({"version": "0.8.5"})}
    return answers | {asking(text): chat(words) for text, words in outputs.items()}


GOOD = {"one": "The quick brown fox", "two": "jumps over", "three": "the lazy dog"}


def record(answers: dict[str, Answer], write: Write, file: str = "golden.json", *inputs: str) -> None:
    with serving(answers) as served:
        words = ["golden", "record", served.url, "--inputs", write(*(inputs or GOOD)), "-o", file, "--force"]
        assert run(words) == 0


def line_of(text: str, file: str = "golden.json") -> int:
    return next(
        n for n, line in enumerate(Path(file).read_text().splitlines(), 1) if f'"output": {{"text": "{text}' in line
    )


def test_the_head_tells_who_was_asked_and_each_output_has_a_line(write: Write) -> None:
    record(engine(**GOOD), write)
    golden = json.loads(Path("golden.json").read_text())
    assert golden["served"]["runtime.engine.name"] == "vllm" and golden["served"]["runtime.engine.version"] == "0.8.5"
    assert (golden["status"], golden["reason"], golden["api"], golden["model"]) == ("complete", "", "chat", "acme/chat")
    assert line_of("jumps") > line_of("The quick")


def test_a_difference_is_a_finding_with_both_sides(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    record(engine(**GOOD), write)
    with serving(engine(**{**GOOD, "two": "jumps under"}) | {"/version": as_json({"version": "0.9.1"})}) as served:
        capsys.readouterr()
        assert run(["golden", "verify", "golden.json", served.url, "--format", "json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert run(["golden", "verify", "golden.json", served.url]) == 1
        told = capsys.readouterr().out
    assert (report["schema"], report["command"], report["verdict"]) == ("askew/report/v1", "golden verify", "skewed")
    [finding] = report["workloads"][0]["findings"]
    assert (finding["rule"], finding["severity"], finding["kind"]) == ("model.golden_outputs", "high", "difference")
    left, right = finding["reference"], finding["target"]
    assert left["location"]["source"] == "golden.json" and left["location"]["line"] == line_of("jumps")
    assert right["location"]["source"] == f"{served.url}/v1/chat/completions" and right["origin"] == "measured"
    assert left["values"] == [{"member": "input 2", "value": "'jumps over'"}]
    assert right["values"][0]["value"] == "'jumps under'"
    assert "input 2: jumps over" in finding["impact"].replace("'", "").replace("Input", "input")
    assert any("runtime.engine.version" in one and "0.9.1" in one for one in right["because"])
    assert "the texts part at character 7: 'jumps over', now 'jumps under'" in told
    assert "runtime.engine.version: 0.8.5 → 0.9.1" in told and "different: 2 same, 1 different" in told


def test_another_release_with_the_same_outputs_is_no_finding(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    record(engine(**GOOD), write)
    with serving(engine(**GOOD) | {"/version": as_json({"version": "0.9.1"})}) as served:
        assert run(["golden", "verify", "golden.json", served.url]) == 0
        assert "runtime.engine.version: 0.8.5 → 0.9.1" in capsys.readouterr().out
        assert run(["golden", "verify", "golden.json", served.url, "--format", "json", "-o", "v.json"]) == 0
        report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "aligned" and report["workloads"][0]["findings"] == []
    change = {"fact": "runtime.engine.version", "recorded": "0.8.5", "now": "0.9.1"}
    assert json.loads(Path("v.json").read_text())["changed"] == [change]


@pytest.mark.parametrize("format", ["sarif", "junit", "github", "markdown"])
def test_ci_reads_it(format: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    record(engine(**GOOD), write)
    with serving(engine(**{**GOOD, "three": "the lazy cat"})) as served:
        capsys.readouterr()
        assert run(["golden", "verify", "golden.json", served.url, "--format", format]) == 1
    out = capsys.readouterr().out
    assert "model.golden_outputs" in out and "golden.json" in out
    if format == "sarif":
        [result] = json.loads(out)["runs"][0]["results"]
        places = [at["physicalLocation"] for at in (*result["locations"], *result.get("relatedLocations", ()))
                  if "physicalLocation" in at]  # fmt: skip
        assert line_of("the lazy") in {at.get("region", {}).get("startLine") for at in places}
    if format == "junit":
        assert ElementTree.fromstring(out).get("failures") == "1"


def test_what_failed_is_unknown_and_not_aligned(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    record(engine(**GOOD), write)
    with serving(engine(one=GOOD["one"], three=GOOD["three"]) | {asking("two"): as_json({}, 500)}) as served:
        capsys.readouterr()
        assert run(["golden", "verify", "golden.json", served.url, "--format", "json"]) == 3
    report = json.loads(capsys.readouterr().out)
    [target] = [one for one in report["sources"] if one["role"] == "target"]
    assert report["verdict"] == "incomplete" and target["status"] == "partial" and "500" in target["reason"]
    [unknown] = report["workloads"][0]["unknown"]
    assert unknown["fact"] == "model.golden_outputs" and "1 of 3 inputs have no result" in unknown["reason"]
    assert report["workloads"][0]["findings"] == []


def test_two_recordings_are_compared_output_by_output(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    record(engine(**GOOD), write, "old.json")
    record(engine(**{**GOOD, "two": "jumps under"}), write, "new.json", "two", "one", "three")
    capsys.readouterr()
    assert run(["diff", "old.json", "new.json", "--format", "json"]) == 1
    [workload] = json.loads(capsys.readouterr().out)["workloads"]
    [finding] = workload["findings"]
    assert finding["reference"]["values"][0]["member"] == "input 2"
    assert finding["reference"]["values"][0]["value"] == "'jumps over'"
    assert finding["target"]["values"][0]["value"] == "'jumps under'"
    assert finding["reference"]["location"]["line"] == line_of("jumps", "old.json")
    assert finding["target"]["location"]["line"] == line_of("jumps", "new.json") != line_of("jumps", "old.json")
    assert run(["diff", "old.json", "new.json"]) == 1
    assert "input 2: 'jumps over'" in capsys.readouterr().out


def leaning(*words: str) -> Answer:
    """An answer whose last token is as likely as another one."""
    tokens = [{"token": word, "logprob": -0.1, "top_logprobs": [{"token": word, "logprob": -0.1}]} for word in words]
    tokens[-1] = {
        "token": words[-1], "logprob": -0.7,
        "top_logprobs": [{"token": "cat", "logprob": -0.7}, {"token": "dog", "logprob": -0.71}],
    }  # fmt: skip
    choice = {"message": {"content": " ".join(words)}, "finish_reason": "stop", "logprobs": {"content": tokens}}
    return as_json({"choices": [choice]})


def test_a_tie_is_no_difference_and_no_proof(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good = engine(**GOOD) | {asking("one"): leaning("a", "cat")}
    tied = engine(**GOOD) | {asking("one"): leaning("a", "dog")}
    record(good, write, "both.json", "one", "two")
    record(good, write, "one.json", "one")
    record(tied, write, "tied.json", "one")
    with serving(tied) as served:
        capsys.readouterr()
        assert run(["golden", "verify", "both.json", served.url]) == 0
        out = capsys.readouterr().out
        assert "input 1: tied: after 1 tokens: 'cat', now 'dog', as likely" in out and "same: 1 tied, 1 same" in out
        assert run(["golden", "verify", "one.json", served.url, "--format", "json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "incomplete" and "as likely" in report["workloads"][0]["unknown"][0]["reason"]
    assert run(["diff", "one.json", "tied.json", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "incomplete"


def scored(value: float) -> dict[str, Answer]:
    answer = as_json({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [value]}]})
    return {"POST /v2/repository/index": as_json([{"name": "m"}]), "POST /v2/models/m/infer": answer}


def row(value: float) -> dict[str, object]:
    return {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [value]}]}


@pytest.mark.parametrize(("value", "inputs", "code", "verdict"), [
    (0.5000001, (row(1),), 0, "aligned"),
    (0.6, (row(1),), 1, "skewed"),
    (0.5, (row(2),), 0, "incomplete"),
    (0.6, (row(2),), 0, "incomplete"),
    (0.5, (row(1), row(2)), 0, "aligned"),
])  # fmt: skip
def test_noise_and_other_inputs_are_no_difference(
    value: float, inputs: tuple[object, ...], code: int, verdict: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    record(scored(0.5), write, "old.json", row(1))  # type: ignore[arg-type]
    record(scored(value), write, "new.json", *inputs)  # type: ignore[arg-type]
    capsys.readouterr()
    assert run(["diff", "old.json", "new.json", "--format", "json"]) == code
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict
    assert run(["diff", "old.json", "old.json"]) == 0


def test_a_waiver_holds(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    record(scored(0.5), write, "golden.json", row(1))  # type: ignore[arg-type]
    Path("askew.toml").write_text('[[waiver]]\nrule = "model.golden_outputs"\nreason = "known, ticket 12"\n')
    with serving(scored(0.6)) as served:
        code = run(["golden", "verify", "golden.json", served.url])
    assert code == 0, capsys.readouterr()


def test_the_files_have_a_schema(write: Write) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from askew.probe.schema import documents

    record(engine(**GOOD), write)
    with serving(engine(**{**GOOD, "two": "jumps under"})) as served:
        run(["golden", "verify", "golden.json", served.url, "-o", "v.json"])
    for file, name in (("golden.json", "golden.v1.json"), ("v.json", "golden-check.v1.json")):
        schema = json.loads(documents()[name])
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads(Path(file).read_text()), schema)
