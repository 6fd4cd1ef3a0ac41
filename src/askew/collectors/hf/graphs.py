"""Inputs, outputs and writers of ONNX models, TensorFlow SavedModels, XGBoost, LightGBM and CatBoost models.

Protocol buffers are read field by field as they lie on disk: what is not asked for is passed over, whatever its size.
Sources: https://protobuf.dev/programming-guides/encoding/; ``ModelProto`` and ``GraphProto``,
https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto; ``SavedModel``, ``MetaGraphDef`` and ``TensorInfo``,
https://github.com/tensorflow/tensorflow/blob/v2.20.0/tensorflow/core/protobuf/meta_graph.proto; model files of
https://xgboost.readthedocs.io/en/release_3.0.0/tutorials/saving_model.html and of LightGBM,
https://github.com/microsoft/LightGBM/blob/v4.6.0/src/boosting/gbdt_model_text.cpp
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

import msgspec

from askew.collectors.hf.tensors import MalformedError, Tensor

Field: TypeAlias = tuple[int, int, int, int]  # number; value of a varint, or -1; begin and end of what has a length

_MOST_FIELDS = 1_000_000
_LONGEST_NAME = 4096
_MOST_NAMES = 10_000
_HEAD, _TAIL = 2**20, 256
_PLAN = 28  # bytes at the beginning of a plan of TensorRT
# Numbers of the element types of ONNX and of TensorFlow.
_ONNX = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8_e4m3", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4_e2m1",
}  # fmt: skip
# As safetensors spells the element types of ONNX.
_STORED = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64", 12: "U32",
    13: "U64", 16: "BF16", 17: "F8_E4M3", 19: "F8_E5M2",
}  # fmt: skip
_TENSORFLOW = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64",
    10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
_PRODUCERS = {"pytorch": "torch"}
_RELEASE = re.compile(r"\d[\w.]*")


class Port(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input or output. A length that is open is -1; a shape of None is not stated."""

    name: str
    type: str = ""
    shape: tuple[int, ...] | None = None


class Graph(msgspec.Struct, frozen=True):
    """What a model takes and gives, and what wrote it. ``format`` as facts name it; empty where only the file tells."""

    format: str
    inputs: list[Port]
    outputs: list[Port]
    packages: dict[str, str]


class Initializers(msgspec.Struct, frozen=True):
    """Where the weights of an ONNX model lie: those in the file itself, and by the name of another file those in it."""

    here: tuple[Tensor, ...]
    elsewhere: dict[str, tuple[Tensor, ...]]


class _Wire:
    """Fields of protocol buffers in a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MOST_FIELDS

    def fields(self, begin: int, end: int) -> Iterator[Field]:
        """The fields of the message between two places. Raises MalformedError where they do not fill it."""
        at = begin
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise MalformedError(f"the file has more than {_MOST_FIELDS:,} fields")
            self._file.seek(at)
            head = self._file.read(20)
            tag, used = self._varint(head, 0)
            kind, number = tag & 7, tag >> 3
            value, after = -1, 0
            if kind == 0:
                value, used = self._varint(head, used)
                at = start = at + used
            elif kind in (1, 5):
                start = at + used
                at = start + (8 if kind == 1 else 4)
            elif kind == 2:
                after, used = self._varint(head, used)
                start = at + used
                at = start + after
            else:
                raise MalformedError(f"expected a protocol buffer, found a field of the kind {kind} at byte {at:,}")
            if at > end or not number:
                raise MalformedError("expected a protocol buffer, and its fields do not fit into the file")
            yield number, value, start, at

    @staticmethod
    def _varint(data: bytes, at: int) -> tuple[int, int]:
        value = shift = 0
        while at < len(data) and shift < 70:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value, at
            shift += 7
        raise MalformedError("expected a protocol buffer, and a number in it has no end")

    def numbers(self, begin: int, end: int) -> list[int]:
        """Whole numbers that are packed into one field."""
        self._file.seek(begin)
        data = self._file.read(min(end - begin, _LONGEST_NAME))
        found, at = [], 0
        while at < len(data):
            value, at = self._varint(data, at)
            found.append(value)
        return found

    def text(self, begin: int, end: int) -> str:
        self._file.seek(begin)
        return self._file.read(min(end - begin, _LONGEST_NAME)).decode("utf-8", "replace")

    def find(self, begin: int, end: int, *path: int) -> Field | None:
        """The last field at a path of numbers."""
        found: Field | None = None
        for field in self.fields(begin, end):
            if field[0] == path[0]:
                found = field
        if found is None or len(path) == 1:
            return found
        return self.find(found[2], found[3], *path[1:])


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def read_onnx(file: BinaryIO, size: int, clean: Callable[[str], str]) -> Graph:
    """An ONNX model. Raises MalformedError, OSError."""
    wire = _Wire(file)
    producer = version = ""
    packages: dict[str, str] = {}
    graph: Field | None = None
    for field in wire.fields(0, size):
        number, value, begin, end = field
        if number == 1 and value >= 0:
            packages["onnx.ir"] = str(value)
        elif number == 2:
            producer = wire.text(begin, end)
        elif number == 3:
            version = wire.text(begin, end)
        elif number == 7:
            graph = field
        elif number == 8:
            domain, release = "", 0
            for inner, opset, first, last in wire.fields(begin, end):
                domain = wire.text(first, last) if inner == 1 else domain
                release = opset if inner == 2 else release
            packages["onnx.opset" if domain in ("", "ai.onnx") else f"onnx.opset.{clean(domain)}"] = str(release)
    if graph is None:
        raise MalformedError("expected an ONNX model, which holds a graph")
    if producer and _RELEASE.match(version):
        packages[_PRODUCERS.get(producer, clean(producer))] = clean(version)
    inputs: list[Port] = []
    outputs: list[Port] = []
    stored: set[str] = set()
    for number, _, begin, end in wire.fields(graph[2], graph[3]):
        if number == 5 and (name := wire.find(begin, end, 8)) is not None:
            stored.add(wire.text(name[2], name[3]))
        elif number in (11, 12) and len(inputs) + len(outputs) < _MOST_NAMES:
            (inputs if number == 11 else outputs).append(_onnx_port(wire, begin, end))
    # Until IR version 3 weights are among the inputs.
    named = [port for port in inputs if port.name not in stored]
    return Graph("onnx", _cleaned(named, clean), _cleaned(outputs, clean), packages)


def read_initializers(file: BinaryIO, size: int) -> Initializers:
    """The weights that an ONNX graph holds as raw bytes. What it holds in other forms is left to the bytes around
    them. Raises MalformedError, OSError.

    Source: ``TensorProto`` of https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto and
    https://github.com/onnx/onnx/blob/v1.19.0/docs/ExternalData.md
    """
    wire = _Wire(file)
    graph = wire.find(0, size, 7)
    here: list[Tensor] = []
    elsewhere: dict[str, list[Tensor]] = {}
    for number, _, begin, end in wire.fields(graph[2], graph[3]) if graph is not None else ():
        if number != 5:
            continue
        name, kind, shape, raw, held = "", 0, [], (0, 0), {}
        for inner, value, first, last in wire.fields(begin, end):
            if inner == 1:  # one length, or all of them packed
                shape.extend([value] if value >= 0 else wire.numbers(first, last))
            elif inner == 2:
                kind = value
            elif inner == 8:
                name = wire.text(first, last)
            elif inner == 9:
                raw = (first, last - first)
            elif inner == 13:
                pair = {part: wire.text(one, two) for part, _, one, two in wire.fields(first, last) if part in (1, 2)}
                held[pair.get(1, "")] = pair.get(2, "")
        dtype = _STORED.get(kind, f"onnx{kind}")
        if raw[1]:
            here.append(Tensor(name, dtype, tuple(shape), *raw))
        elif held.get("location"):
            at, length = (held.get(key, "0") for key in ("offset", "length"))
            if at.isdecimal() and length.isdecimal() and len(at) < 20 and len(length) < 20:
                elsewhere.setdefault(held["location"], []).append(
                    Tensor(name, dtype, tuple(shape), int(at), int(length))
                )
    return Initializers(tuple(here), {name: tuple(tensors) for name, tensors in elsewhere.items()})


def _onnx_port(wire: _Wire, begin: int, end: int) -> Port:
    name, kind, shape = "", "", None
    for number, _, first, last in wire.fields(begin, end):
        if number == 1:
            name = wire.text(first, last)
        elif number == 2:
            for case, _, one, two in wire.fields(first, last):
                if case == 1:
                    kind, shape = _onnx_tensor(wire, one, two)
                else:
                    kind = {4: "sequence", 5: "map", 8: "sparse", 9: "optional"}.get(case, kind)
    return Port(name, kind, shape)


def _onnx_tensor(wire: _Wire, begin: int, end: int) -> tuple[str, tuple[int, ...] | None]:
    kind, shape = "", None
    for number, value, first, last in wire.fields(begin, end):
        if number == 1:
            kind = _ONNX.get(value, f"type{value}")
        elif number == 2:
            lengths = []
            for _, _, one, two in wire.fields(first, last):
                stated = wire.find(one, two, 1)
                lengths.append(_signed(stated[1]) if stated is not None and stated[1] >= 0 else -1)
            shape = tuple(lengths)
    return kind, shape


def read_plan(file: BinaryIO, size: int, clean: Callable[[str], str]) -> Graph | None:
    """The release of TensorRT that serialised an engine; None of what is no such file, for others use the name, too.

    Nothing else of a plan is documented. Source: ``printPlanVersion`` of samples/common/sampleEngines.cpp,
    https://github.com/NVIDIA/TensorRT/tree/v11.1 (what ``trtexec --getPlanVersionOnly`` prints)
    """
    head = file.read(_PLAN)
    if len(head) < _PLAN or not head.startswith(b"ftrt"):
        return None
    known = head[4:8] == bytes(4)  # of the one way to serialise whose layout is published
    release = ".".join(map(str, head[24:27]))
    return Graph("tensorrt-plan", [], [], {"tensorrt": clean(release)} if known and head[24] else {})


def read_saved_model(file: BinaryIO, size: int, clean: Callable[[str], str]) -> Graph:
    """A TensorFlow SavedModel: the signature that servers offer. Raises MalformedError, OSError."""
    wire = _Wire(file)
    best: tuple[bool, Graph] | None = None
    for number, _, begin, end in wire.fields(0, size):
        if number != 2:
            continue
        tags: set[str] = set()
        packages: dict[str, str] = {}
        signatures: dict[str, Field] = {}
        for inner in wire.fields(begin, end):
            if inner[0] == 1:
                for part, _, first, last in wire.fields(inner[2], inner[3]):
                    if part == 4:
                        tags.add(wire.text(first, last))
                    elif part == 5 and _RELEASE.match(version := wire.text(first, last)):
                        packages["tensorflow"] = clean(version)
            elif inner[0] == 5:
                key, value = wire.find(inner[2], inner[3], 1), wire.find(inner[2], inner[3], 2)
                if key is not None and value is not None:
                    signatures[wire.text(key[2], key[3])] = value
        chosen = signatures.get("serving_default") or next(
            (value for name, value in sorted(signatures.items()) if not name.startswith("__")), None
        )
        inputs, outputs = ([], []) if chosen is None else (_ports(wire, chosen, 1), _ports(wire, chosen, 2))
        found = Graph("savedmodel", _cleaned(inputs, clean), _cleaned(outputs, clean), packages)
        if best is None or ("serve" in tags and not best[0]):
            best = "serve" in tags, found
    if best is None:
        raise MalformedError("expected a SavedModel, which holds a graph")
    return best[1]


def _ports(wire: _Wire, signature: Field, part: int) -> list[Port]:
    """Inputs (1) or outputs (2) of a signature: a map, so in the order of their names."""
    found: list[Port] = []
    for number, _, begin, end in wire.fields(signature[2], signature[3]):
        key = wire.find(begin, end, 1) if number == part and len(found) < _MOST_NAMES else None
        info = wire.find(begin, end, 2) if key is not None else None
        if key is None or info is None:
            continue
        kind, shape = "", None
        for inner, value, first, last in wire.fields(info[2], info[3]):
            if inner == 2:
                kind = _TENSORFLOW.get(value, f"type{value}")
            elif inner == 3:
                lengths, ranked = [], True
                for field, open_, one, two in wire.fields(first, last):
                    if field == 2:
                        length = wire.find(one, two, 1)
                        lengths.append(_signed(length[1]) if length is not None else 0)
                    elif field == 3:
                        ranked = not open_
                shape = tuple(lengths) if ranked else None
        found.append(Port(wire.text(key[2], key[3]), kind, shape))
    return sorted(found, key=lambda port: port.name)


def _cleaned(ports: list[Port], clean: Callable[[str], str]) -> list[Port]:
    return [Port(clean(port.name), port.type, port.shape) for port in ports]


_JSON_NAMES = re.compile(rb'"feature_names"\s*:\s*(\[[^\]]*\])')
_JSON_RELEASE = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]\s*\}\s*$')
_UBJ_NAMES, _UBJ_RELEASE = b"feature_names[#L", b"\x07version["
# What a release writes of itself under catboost_version_info, beside the trees.
_CATBOOST = re.compile(rb"Branch: tags/v(\d+(?:\.\d+)+)\n")
_LGB_NAMES = re.compile(r"^feature_names=(.*)$", re.MULTILINE)


def read_trees(file: BinaryIO, size: int, clean: Callable[[str], str]) -> Graph | None:
    """An XGBoost model (JSON, UBJSON), a LightGBM or a CatBoost one: the features in their order, and the release that
    wrote it, as far as the file states them. None where it is none of these. Raises OSError."""
    head = file.read(_HEAD)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    names: list[str] = []
    packages: dict[str, str] = {}
    if head.startswith(b"tree\n"):
        match = _LGB_NAMES.search(head.decode("utf-8", "replace"))
        names = match[1].split(" ") if match else []
    elif head.startswith(b"CBM1"):
        file.seek(max(0, size - _HEAD))
        stated = _CATBOOST.search(head) or _CATBOOST.search(file.read(_HEAD))
        if stated:
            packages["catboost"] = stated[1].decode()
    elif head.startswith(b"{L"):
        names, release = _ubj_names(head), _ubj_release(tail)
        if release:
            packages["xgboost"] = release
    elif head.lstrip().startswith(b"{") and b'"learner"' in head:
        if found := _JSON_NAMES.search(head):
            try:
                names = msgspec.json.decode(found[1], type=list[str])
            except msgspec.DecodeError:
                names = []
        if release_found := _JSON_RELEASE.search(tail):
            packages["xgboost"] = ".".join(part.decode() for part in release_found.groups())
    else:
        return None
    inputs = [Port(clean(name[:_LONGEST_NAME])) for name in names[:_MOST_NAMES]]
    return Graph("", inputs, [], packages)


def _ubj_names(head: bytes) -> list[str]:
    at = head.find(_UBJ_NAMES)
    if at < 0:
        return []
    at += len(_UBJ_NAMES)
    count = int.from_bytes(head[at : at + 8], "big")
    at += 8
    names: list[str] = []
    while len(names) < min(count, _MOST_NAMES) and head[at : at + 2] == b"SL":
        length = int.from_bytes(head[at + 2 : at + 10], "big")
        names.append(head[at + 10 : at + 10 + length].decode("utf-8", "replace"))
        at += 10 + length
    return names if len(names) == count else []


def _ubj_release(tail: bytes) -> str:
    """Three numbers of one to eight bytes, with a type each or one for all."""
    at = tail.rfind(_UBJ_RELEASE)
    if at < 0:
        return ""
    match = re.match(rb"\[(?:#L.{8})?(.*)\]?\}\s*$", tail[at + len(_UBJ_RELEASE) - 1 :], re.DOTALL)
    widths = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}
    data = match[1] if match else b""
    numbers: list[str] = []
    while len(numbers) < 3 and (width := widths.get(data[:1], 0)):
        numbers.append(str(int.from_bytes(data[1 : 1 + width], "big")))
        data = data[1 + width :]
    return ".".join(numbers) if len(numbers) == 3 else ""
