"""Graphs and trees: their inputs and outputs, and what wrote them."""

from __future__ import annotations

import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor


def side(uri):
    return load(str(uri), "target", Redactor())


def facts(uri):
    found = side(uri)
    assert not found.errors, found.errors
    return {key: one.value for key, one in found.snapshots[0].facts.items() if key.startswith("model.")}


def varint(number):
    out = bytearray()
    number %= 2**64
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def message(*fields):
    """A protocol buffer: pairs of a number and a whole number, text, bytes or message."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def onnx_port(name, kind, *lengths):
    dims = (message((2, length)) if isinstance(length, str) else message((1, length)) for length in lengths)
    shape = message(*((1, dim) for dim in dims))
    return message((1, name), (2, message((1, message((1, kind), (2, shape))))))


def onnx(*, producer="pytorch", version="2.6.0", opset=17, weights=b"w" * 100, first="batch"):
    initializer = message((1, 4), (2, 1), (8, "layer.weight"), (9, weights))
    graph = message(
        (1, message((4, "MatMul"))), (2, "main"), (5, initializer),
        (11, onnx_port("ids", 7, first, 128)), (11, onnx_port("layer.weight", 1, 4)),
        (12, onnx_port("logits", 1, "batch", 2)),
    )  # fmt: skip
    return message((1, 8), (2, producer), (3, version), (8, message((1, ""), (2, opset))), (7, graph))


def test_an_onnx_model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(onnx())
    known = facts(tmp_path / "model.onnx")
    assert known["model.signature"] == {
        "inputs": [{"name": "ids", "shape": [-1, 128], "type": "int64"}],
        "outputs": [{"name": "logits", "shape": [-1, 2], "type": "float32"}],
    }
    assert known["model.training.packages"] == {"onnx.ir": "8", "onnx.opset": "17", "torch": "2.6.0"}
    assert known["model.weights.format"] == "onnx"


def test_the_name_of_an_open_length_means_nothing(tmp_path):
    (tmp_path / "a.onnx").write_bytes(onnx())
    (tmp_path / "b.onnx").write_bytes(onnx(first="N"))
    assert facts(tmp_path / "a.onnx")["model.signature"] == facts(tmp_path / "b.onnx")["model.signature"]


def saved_model(tags=("serve",), name="serving_default", version="2.15.0", signature=None):
    def info(kind, *lengths):
        shape = message(*((2, message((1, length))) for length in lengths))
        return message((1, "x:0"), (2, kind), (3, shape))

    signature = signature if signature is not None else message(
        (1, message((1, "b"), (2, info(9, -1)))), (1, message((1, "a"), (2, info(1, -1, 4)))),
        (2, message((1, "y"), (2, message((2, 1), (3, message((3, 1))))))), (3, "tensorflow/serving/predict"),
    )  # fmt: skip
    about = message(*((4, tag) for tag in tags), (5, version))
    graph = message((1, about), (2, b""), (5, message((1, name), (2, signature))))
    return message((1, 1), (2, graph))


def test_a_saved_model(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(saved_model())
    (tmp_path / "variables" / "variables.index").write_bytes(b"i")
    (tmp_path / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    known = facts(f"hf:{tmp_path}?digest=full")
    assert known["model.signature"] == {
        "inputs": [{"name": "a", "shape": [-1, 4], "type": "float32"}, {"name": "b", "shape": [-1], "type": "int64"}],
        "outputs": [{"name": "y", "type": "float32"}],
    }
    assert known["model.training.packages"] == {"tensorflow": "2.15.0"}
    assert sorted(known["model.weights.files"]) == [
        "saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index",
    ]  # fmt: skip
    (tmp_path / "variables" / "variables.data-00000-of-00001").write_bytes(b"date")
    assert facts(f"hf:{tmp_path}?digest=full")["model.weights.digest"] != known["model.weights.digest"]


def test_the_graph_that_servers_take(tmp_path):
    training = saved_model(("train",), version="2.1.0")
    (tmp_path / "saved_model.pb").write_bytes(training + saved_model(version="2.15.0"))
    assert facts(f"hf:{tmp_path}")["model.training.packages"] == {"tensorflow": "2.15.0"}


XGBOOST = {"learner": {"attributes": {}, "feature_names": ["age", "income"], "feature_types": ["int", "float"]},
           "version": [2, 1, 4]}  # fmt: skip


def ubj(value):
    if isinstance(value, dict):
        parts = (ubj(key)[1:] + ubj(entry) for key, entry in value.items())
        return b"{" + b"".join(parts) + b"}"
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(ubj, value))
    if isinstance(value, int):
        return b"i" + bytes((value,))
    return b"SL" + struct.pack(">q", len(value)) + value.encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.json", json.dumps(XGBOOST).encode()),
        ("model.json", json.dumps(XGBOOST, indent=1).encode()),
        ("model.ubj", ubj(XGBOOST)),
        ("model.bst", ubj(XGBOOST)),
    ],
)
def test_an_xgboost_model(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    known = facts(f"hf:{tmp_path}/{name}")
    assert known["model.signature"] == {"inputs": [{"name": "age"}, {"name": "income"}]}
    assert known["model.training.packages"] == {"xgboost": "2.1.4"}


def test_a_lightgbm_model(tmp_path):
    text = "tree\nversion=v4\nnum_class=1\nfeature_names=age income\nfeature_infos=[0:1] [0:2]\n\nTree=0\n"
    (tmp_path / "model.txt").write_text(text)
    assert facts(f"hf:{tmp_path}")["model.signature"] == {"inputs": [{"name": "age"}, {"name": "income"}]}


@pytest.mark.parametrize(("before", "after"), [(100, 100), (100, 3 * 2**20), (3 * 2**20, 100)])
def test_a_catboost_model(tmp_path, before, after):
    about = b"Git info:\n    Commit: b1bd2a6\n    Branch: tags/v1.2.10\n    Author: x\n"
    (tmp_path / "m.cbm").write_bytes(b"CBM1" + bytes(before) + about + bytes(after))
    assert facts(f"hf:{tmp_path}")["model.training.packages"] == {"catboost": "1.2.10"}


def test_another_text_of_that_name_is_hashed_as_it_is(tmp_path):
    (tmp_path / "model.bst").write_text("binf")
    assert facts(f"hf:{tmp_path}/model.bst?digest=full")["model.weights.digest"]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"abc" * 100, b"\xff" * 30, varint(7 << 3 | 2) + varint(2**60), varint(7 << 3 | 2) + b"\xff" * 12,
        message((7, message((11, b"\x0a\xff")))), message((7, b"\x5b")), b"\x3a\x00" + b"\x03", onnx()[:-7],
        message((7, b"\x08\x01" * 600_000)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["model.onnx", "saved_model.pb"])
def test_hostile_bytes_are_an_error_or_nothing(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    found = side(f"hf:{tmp_path}/{name}")
    assert all(error.hint and error.source.endswith(name) for error in found.errors)


def test_a_sparse_file_is_passed_over(tmp_path):
    with open(tmp_path / "model.onnx", "wb") as file:
        file.write(varint(7 << 3 | 2) + varint(9 * 2**30))
        file.truncate(10 * 2**30)
    assert side(tmp_path / "model.onnx").errors


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_no_change_of_bytes_raises(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    for name, content in (("a.onnx", onnx()), ("saved_model.pb", saved_model()), ("a.ubj", ubj(XGBOOST))):
        changed = bytearray(content)
        for _ in range(data.draw(st.integers(1, 4))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        (folder / name).write_bytes(bytes(changed))
        side(f"hf:{folder}/{name}")
    (folder / "a.joblib").write_bytes(zlib.compress(bytes(changed)))
    side(f"hf:{folder}/a.joblib")


def test_graphs_that_disagree_are_left_open_and_those_that_agree_are_not(tmp_path):
    (tmp_path / "model.onnx").write_bytes(onnx())
    (tmp_path / "model_fp16.onnx").write_bytes(onnx(weights=b"v" * 50, opset=18))
    found = side(f"hf:{tmp_path}").snapshots[0].facts
    assert found["model.signature"].state == "known"
    assert found["model.training.packages"].entries["torch"].value == "2.6.0"
    opset = found["model.training.packages"].entries["onnx.opset"]
    assert opset.state == "unknown" and "model.onnx, model_fp16.onnx" in opset.reason


def plan(release=(10, 3, 0, 26), way=0):
    """The head of an engine of TensorRT, and what follows it."""
    return b"ftrt" + struct.pack("<I", way) + bytes(16) + bytes(release) + b"engine" * 100


def test_a_plan_of_tensorrt_tells_its_release(tmp_path):
    (tmp_path / "model.plan").write_bytes(plan())
    known = facts(tmp_path / "model.plan")
    assert known["model.training.packages"] == {"tensorrt": "10.3.0"}
    assert known["model.weights.format"] == "tensorrt-plan"


@pytest.mark.parametrize("data", [plan(way=1), plan((0, 0, 0, 0))])
def test_of_a_plan_that_is_serialised_in_another_way_only_the_format_is_told(tmp_path, data):
    (tmp_path / "rank0.engine").write_bytes(data)
    known = facts(tmp_path / "rank0.engine")
    assert known["model.weights.format"] == "tensorrt-plan" and "model.training.packages" not in known


@pytest.mark.parametrize("data", [b"", b"ftrt", b"something else" * 9])
def test_a_file_of_that_name_that_is_no_plan_tells_nothing(tmp_path, data):
    (tmp_path / "model.plan").write_bytes(data)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert "model.training.packages" not in facts(f"hf:{tmp_path}")


def test_two_releases_of_tensorrt_are_a_difference(tmp_path):
    for name, release in (("a", (10, 3, 0, 26)), ("b", (10, 9, 0, 34))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.plan").write_bytes(plan(release))
    report = diff(f"hf:{tmp_path}/a", f"hf:{tmp_path}/b", Options())
    (finding,) = (f for f in report.workloads[0].findings if f.rule == "model.training.packages")
    assert finding.key == "tensorrt" and "10.3.0 → 10.9.0" in finding.summary
