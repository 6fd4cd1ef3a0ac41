"""Answers of servers about a model's inputs and outputs, saved as files."""

from __future__ import annotations

import json

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, check
from askew.evidence.redaction import Redactor

V2 = {
    "name": "churn",
    "versions": ["1"],
    "platform": "sklearn",
    "inputs": [
        {"name": "age", "datatype": "FP64", "shape": [-1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1, 1]},
    ],
    "outputs": [{"name": "risk", "datatype": "INT64", "shape": [-1]}],
}


def dim(*sizes):
    return {"dim": [{"size": size, "name": ""} for size in sizes], "unknown_rank": False}


SIGNATURES = {
    "serving_default": {
        "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": dim("-1", "4"), "name": "x:0"}},
        "outputs": {"y": {"dtype": "DT_INT64", "tensor_shape": {"dim": [], "unknown_rank": True}, "name": "y:0"}},
        "method_name": "tensorflow/serving/predict",
    },
    "__saved_model_init_op": {"inputs": {}, "outputs": {}},
}
TENSORFLOW = {
    "model_spec": {"name": "iris", "signature_name": "", "version": "3"},
    "metadata": {"signature_def": {"signature_def": SIGNATURES}},
}
MLMODEL = """\
flavors: {python_function: {loader_module: mlflow.sklearn}}
mlflow_version: 2.9.2
signature: {inputs: '[{"type": "double", "name": "age"}, {"type": "string", "name": "town"}]'}
"""


def snapshot(path):
    side = load(str(path), "target", Redactor())
    assert not side.errors
    (found,) = side.snapshots
    return found


def write(path, content):
    path.write_text(json.dumps(content, indent=1))
    return path


def test_the_open_inference_protocol(tmp_path):
    found = snapshot(write(tmp_path / "churn.json", V2))
    signature = found.facts["model.signature"]
    assert signature.value == {
        "inputs": [
            {"name": "age", "shape": [-1], "type": "float64"},
            {"name": "city", "shape": [-1, 1], "type": "bytes"},
        ],
        "outputs": [{"name": "risk", "shape": [-1], "type": "int64"}],
    }
    assert (signature.origin, signature.basis, signature.locations[0].line) == ("reported", "seen", 7)
    assert found.facts["model.served_names"].value == ["churn"]


def test_tensorflow_serving(tmp_path):
    found = snapshot(write(tmp_path / "iris.json", TENSORFLOW))
    assert found.facts["model.signature"].value == {
        "inputs": [{"name": "x", "shape": [-1, 4], "type": "float32"}],
        "outputs": [{"name": "y", "shape": None, "type": "int64"}],
    }
    two = {**SIGNATURES, "train": SIGNATURES["serving_default"], "other": SIGNATURES["serving_default"]}
    del two["serving_default"]
    other = {**TENSORFLOW, "metadata": {"signature_def": {"signature_def": two}}}
    assert snapshot(write(tmp_path / "two.json", other)).facts["model.signature"].state == "unknown"


def test_what_is_served_against_what_was_recorded(tmp_path):
    write(tmp_path / "churn.json", V2)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(MLMODEL)
    report = check(f"{tmp_path / 'churn.json'}+mlflow:{tmp_path / 'model'}", None, Options())
    (finding,) = [one for workload in report.workloads for one in workload.findings]
    assert finding.rule == "signature-mismatch" and "input town is missing" in finding.summary
    assert finding.locations[0].line == 7


@pytest.mark.parametrize(
    "content",
    [
        {"name": "x", "inputs": [{"name": "a", "datatype": 3, "shape": "any"}], "outputs": []},
        {"model_spec": {}, "metadata": {"signature_def": {"signature_def": {"serving_default": [1]}}}},
        {"name": "x", "inputs": [{"name": [], "datatype": "FP32", "shape": [[], {}, "a"]}], "outputs": [3]},
    ],
)
def test_answers_that_lie_raise_nothing(tmp_path, content):
    load(str(write(tmp_path / "x.json", content)), "target", Redactor())
