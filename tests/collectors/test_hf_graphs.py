"""Graphs and trees: their inputs and outputs, and what wrote them."""

from __future__ import annotations

import json
import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.collectors.hf.graphs import read_initializers
from askew.collectors.hf.tensors import MalformedError, with_the_rest
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


def initializer(name, data=b"", kind=1, shape=(4,), held=None):
    """A tensor of ONNX, its bytes in the file itself or, with ``held``, where these pairs say."""
    pairs = tuple((13, message((1, key), (2, str(value)))) for key, value in (held or {}).items())
    where = (*pairs, (14, 1)) if held else ((9, data),)
    return message(*((1, length) for length in shape), (2, kind), (8, name), *where)


def graph_of(*initializers, operation="MatMul"):
    body = message((1, message((4, operation))), *((5, one) for one in initializers))
    return message((1, 8), (8, message((1, ""), (2, 17))), (7, body))


def weights(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    found = side(f"hf:{folder}?digest=full")
    return found, found.snapshots[0].facts if found.snapshots else {}


def test_the_tensor_of_a_graph_that_differs_is_named(tmp_path):
    one, two = (graph_of(initializer("a", b"a" * 16), initializer("b", data * 16)) for data in (b"b", b"c"))
    for name, data in (("one", one), ("two", two)):
        weights(tmp_path / name, {"model.onnx": data})
    report = diff(f"hf:{tmp_path}/one?digest=full", f"hf:{tmp_path}/two?digest=full", Options())
    (finding,) = (f for f in report.workloads[0].findings if f.rule == "model.weights.digest")
    assert "Tensor b: " in finding.impact and "ensor a" not in finding.impact


@pytest.mark.parametrize(
    "other",
    [
        graph_of(initializer("a", b"a" * 16), operation="Gemm"),
        graph_of(initializer("z", b"a" * 16)),
        graph_of(initializer("a", b"a" * 16, shape=(2, 2))),
        graph_of(initializer("a", b"a" * 15 + b"b")),
        graph_of(initializer("a", b"a" * 16, kind=6)),
    ],
)
def test_each_byte_of_a_graph_counts(tmp_path, other):
    _, one = weights(tmp_path / "one", {"model.onnx": graph_of(initializer("a", b"a" * 16))})
    _, two = weights(tmp_path / "two", {"model.onnx": other})
    assert one["model.weights.digest"].value != two["model.weights.digest"].value


@pytest.mark.parametrize("name", ["model.onnx.data", "onnx__MatMul_12", "parts/w"])
def test_tensors_that_lie_in_another_file_are_read_there(tmp_path, name):
    graph = graph_of(
        initializer("a", held={"location": name, "offset": 0, "length": 16}),
        initializer("b", held={"location": f"./{name}", "offset": 64, "length": 16}),
    )
    data = b"a" * 16 + bytes(48) + b"b" * 16
    found, one = weights(tmp_path / "one", {"model.onnx": graph, name: data})
    assert not found.errors and set(one["model.weights.files"].entries) == {"model.onnx", name}
    _, two = weights(tmp_path / "two", {"model.onnx": graph, name: data[:-1] + b"c"})
    told = [set(side["model.weights.digest"].because) for side in (one, two)]
    assert {line.partition(" → ")[0] for line in told[0] ^ told[1]} == {"tensor b"}


@pytest.mark.parametrize("location", ["model.onnx.data", "../elsewhere", "/etc/passwd", "link"])
def test_a_file_that_is_not_there_or_elsewhere_leaves_no_digest(tmp_path, location):
    (tmp_path / "elsewhere").write_bytes(bytes(16))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "link").symlink_to(tmp_path / "elsewhere")
    graph = graph_of(initializer("a", held={"location": location, "offset": 0, "length": 16}))
    found, one = weights(tmp_path / "m", {"model.onnx": graph})
    assert len(found.errors) == 1 and one["model.weights.digest"].state == "unknown"
    assert "not in" in found.errors[0].message or "outside" in found.errors[0].message


@pytest.mark.parametrize(
    "held",
    [
        {"location": "d", "offset": 10**18, "length": 16},
        {"location": "d", "offset": "x", "length": "-1"},
        {"location": "d", "offset": 0, "length": 10**30},
        {"location": "d"},
    ],
)
def test_lying_places_are_hashed_as_the_bytes_that_are_there(tmp_path, held):
    found, one = weights(tmp_path / "m", {"model.onnx": graph_of(initializer("a", held=held)), "d": b"d" * 16})
    assert not found.errors or "number" in found.errors[0].message
    assert one["model.weights.digest"].state == "known"


def test_thousands_of_missing_files_are_told_in_a_few_lines(tmp_path):
    many = (initializer(f"t{n}", held={"location": f"f{n}", "offset": 0, "length": 4}) for n in range(3000))
    found, _ = weights(tmp_path / "m", {"model.onnx": graph_of(*many)})
    assert 1 <= len(found.errors) <= 20


@given(st.binary(max_size=120), st.integers(0, 60))
def test_no_bytes_make_the_reader_of_initializers_fail(noise, cut):
    data = graph_of(initializer("a", b"a" * 16), initializer("b", held={"location": "d", "offset": 0}))
    for raw in (noise, data[:cut] + noise + data[cut:]):
        try:
            found = read_initializers(BytesIO(raw), len(raw))
        except MalformedError:
            continue
        spans = with_the_rest(found.here, len(raw))
        assert sum(one.size for one in spans) == len(raw)
