"""What a server answers when it is asked for a model's inputs and outputs, saved as a file.

``curl $URL/v2/models/NAME`` of the Open Inference Protocol (Triton, MLServer, KServe's own server, TorchServe) and
``curl $URL/v1/models/NAME/metadata`` of TensorFlow Serving.
Sources: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and
https://www.tensorflow.org/tfx/serving/api_rest#model_metadata_api
"""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.document import Document, Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.signature import protocol_type
from askew.platforms.interface import PlatformReading
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload

KIND = "ServedModel"
_TF_TYPES = {
    "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16", "DT_BFLOAT16": "bfloat16", "DT_BOOL": "bool",
    "DT_STRING": "string", "DT_INT8": "int8", "DT_INT16": "int16", "DT_INT32": "int32", "DT_INT64": "int64",
    "DT_UINT8": "uint8", "DT_UINT16": "uint16", "DT_UINT32": "uint32", "DT_UINT64": "uint64",
}  # fmt: skip
_MOST = 50_000


def form(document: Document) -> str:
    """``v2`` or ``tensorflow`` where a document is such an answer; empty where it is none."""
    root = document.root
    first = root["inputs"][0]
    if isinstance(root["name"].value, str) and first["datatype"].text() and first["shape"].is_sequence:
        return "v2" if root["outputs"].is_sequence and not root["implementation"].exists else ""
    if root["model_spec"].is_mapping and root["metadata"]["signature_def"]["signature_def"].is_mapping:
        return "tensorflow"
    return ""


def read(documents: Sequence[Document]) -> PlatformReading:
    """One workload for each answer."""
    return PlatformReading(workloads=tuple(_workload(document) for document in documents))


def _workload(document: Document) -> Workload:
    root = document.root
    name = root["name"] if form(document) == "v2" else root["model_spec"]["name"]
    found = [_v2(root) if form(document) == "v2" else _tensorflow(root)]
    if name.text():
        found.append(observed("model.served_names", [name.text()], name.location, origin="reported", basis="seen"))
    place = Location(document.source, line=1, column=1)
    return Workload(
        namespace="files",
        kind=KIND,
        name=name.text() or "model",
        source=document.source,
        location=place,
        observations=tuple(found),
    )


def _signature(value: Value | Unknown, node: Node) -> Observation:
    return observed("model.signature", value, node.location, origin="reported", basis="seen")


def _v2(root: Node) -> Observation:
    sides: dict[str, Value] = {}
    for side in ("inputs", "outputs"):
        sides[side] = [
            {
                "name": one["name"].text() or "",
                "shape": [size.integer() for size in list(one["shape"].each())[:100]],
                "type": protocol_type(one["datatype"].text() or ""),
            }
            for one in list(root[side].each())[:_MOST]
        ]
    return _signature(sides, root["inputs"])


def _tensorflow(root: Node) -> Observation:
    signatures = root["metadata"]["signature_def"]["signature_def"]
    named = {name: node for name, node in signatures.items() if not name.startswith("__")}
    asked = root["model_spec"]["signature_name"].text() or "serving_default"
    chosen = named.get(asked) or (next(iter(named.values())) if len(named) == 1 else None)
    if chosen is None:
        return _signature(Unknown(f"the model has {len(named)} signatures, and none is {asked}"), signatures)
    sides: dict[str, Value] = {}
    for side in ("inputs", "outputs"):
        sides[side] = [
            _tensor(name, one) for name, one in sorted(list(chosen[side].items())[:_MOST], key=lambda pair: pair[0])
        ]
    return _signature(sides, chosen["inputs"])


def _tensor(name: str, one: Node) -> Value:
    kind = one["dtype"].text() or ""
    shape: Value = [size["size"].integer() for size in list(one["tensor_shape"]["dim"].each())[:100]]
    if one["tensor_shape"]["unknown_rank"].value is True:
        shape = None
    return {"name": name, "type": _TF_TYPES.get(kind, kind.removeprefix("DT_").lower()), "shape": shape}
