"""``MLmodel``: the flavors of an MLflow model with the versions that saved it, its run and its signature.

Nothing of the model is loaded: what the flavor says of its own files tells the format.
Sources: https://mlflow.org/docs/latest/ml/model/, https://mlflow.org/docs/latest/ml/model/signatures/ and
``save_model`` of the flavors (mlflow 2.16.0, ``mlflow/sklearn/__init__.py``, ``mlflow/xgboost/__init__.py``,
``mlflow/lightgbm/__init__.py``, ``mlflow/pytorch/__init__.py``, ``mlflow/tensorflow/__init__.py``).
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator

from askew.evidence.document import Node
from askew.evidence.errors import DocumentError
from askew.evidence.yaml import nested
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown

PACKAGES, FORMAT, SIGNATURE = "model.training.packages", "model.weights.format", "model.signature"
_LOOK = "mlflow.models.get_model_info(URI).signature"
# Where flavors write the version of the library that saved the model.
_VERSIONS = (
    ("sklearn", "sklearn_version", "scikit-learn"), ("xgboost", "xgb_version", "xgboost"),
    ("lightgbm", "lgb_version", "lightgbm"), ("catboost", "catboost_version", "catboost"),
    ("onnx", "onnx_version", "onnx"), ("pytorch", "pytorch_version", "torch"),
    ("tensorflow", "keras_version", "keras"), ("keras", "keras_version", "keras"),
    ("spark", "pyspark_version", "pyspark"), ("transformers", "transformers_version", "transformers"),
    ("sentence_transformers", "sentence_transformers_version", "sentence-transformers"),
    ("statsmodels", "statsmodels_version", "statsmodels"), ("prophet", "prophet_version", "prophet"),
    ("pmdarima", "pmdarima_version", "pmdarima"), ("spacy", "spacy_version", "spacy"),
    ("python_function", "cloudpickle_version", "cloudpickle"), ("python_function", "python_version", "python"),
)  # fmt: skip
# Endings of the file that a flavor names as its data.
_FORMATS = {
    ".pkl": "pickle", ".pickle": "pickle", ".joblib": "pickle", ".skops": "skops", ".json": "json", ".ubj": "ubjson",
    ".xgb": "xgboost", ".lgb": "lightgbm", ".txt": "lightgbm", ".cb": "catboost", ".cbm": "catboost", ".onnx": "onnx",
    ".keras": "keras", ".h5": "hdf5", ".pth": "pickle", ".pt2": "pt2", ".statsmodels": "pickle",
    ".fastai": "pickle", ".pmd": "pickle",
}  # fmt: skip
# MLflow's DataType to the names that schemas of serving have (mlflow/types/schema.py).
_TYPES = {
    "boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64",
    "string": "string", "binary": "bytes", "datetime": "datetime",
}  # fmt: skip
_MOST_COLUMNS = 50_000


def of_model(root: Node, listed: frozenset[str] | None) -> Iterator[Observation]:
    """The facts that the file states. ``listed`` are the names of the files beside it, where a source shows them."""
    flavors = root["flavors"]
    for flavor, field, package in _VERSIONS:
        node = flavors[flavor][field]
        if node.text():
            yield observed(PACKAGES, node.text(), node.location, origin="model", key=package)
    version = root["mlflow_version"]
    if version.text():
        yield observed(PACKAGES, version.text(), version.location, origin="model", key="mlflow")
    run = root["run_id"]
    if run.text():
        yield observed("model.training.run", f"mlflow:{run.text()}", run.location, origin="model")
    yield from _format(flavors)
    yield _signature(root, listed)


def _format(flavors: Node) -> Iterator[Observation]:
    found: dict[str, Node] = {}
    for name, flavor in flavors.items():
        node, kind = _of_flavor(name, flavor)
        if kind:
            found[kind] = node
    if len(found) == 1:
        ((kind, node),) = found.items()
        yield observed(FORMAT, kind, node.location, origin="model", because=("the flavor of the MLflow model",))
    elif found:
        reason = Unknown(f"the flavors are saved differently: {', '.join(sorted(found))}")
        yield observed(FORMAT, reason, flavors.location, origin="model")


def _of_flavor(name: str, flavor: Node) -> tuple[Node, str]:
    """The node that tells the format of a flavor's files, and the format; empty where it tells none."""
    if name == "sklearn":
        saved = flavor["serialization_format"]
        return saved, "pickle" if saved.text() in ("cloudpickle", "pickle") else saved.text() or ""
    if name == "onnx":
        return flavor, "onnx"
    if name == "pytorch":
        data = flavor["model_data"]
        return (flavor, "pickle") if flavor["pickle_module_name"].exists or data.exists else (flavor, "")
    if name == "tensorflow" and flavor["saved_model_dir"].exists:
        return flavor["saved_model_dir"], "savedmodel"
    if name in ("tensorflow", "keras") and isinstance(flavor["save_format"].value, str):
        saved = flavor["save_format"]
        return saved, {"tf": "savedmodel", "h5": "hdf5", "keras": "keras"}.get(saved.text() or "", "")
    if name == "spark":
        return flavor, "sparkml"
    if name == "python_function":
        node = flavor["python_model"]
        return node, _FORMATS.get(os.path.splitext(node.text() or "")[1], "")
    for field in ("data", "model_data", "pickled_model"):
        node = flavor[field]
        if isinstance(node.value, str) and (kind := _FORMATS.get(os.path.splitext(node.value)[1])):
            return node, kind
    return flavor, ""


def _signature(root: Node, listed: frozenset[str] | None) -> Observation:
    node = root["signature"]
    place = node.location if node.exists else root["flavors"].key_location
    if not node.is_mapping:
        reason = Unknown("the model was saved without a signature", "log the model with signature=infer_signature(…)")
        return observed(SIGNATURE, reason, place, origin="model")
    value: dict[str, Value] = {}
    for side in ("inputs", "outputs"):
        if not node[side].exists or node[side].value is None:
            continue
        try:
            listed_columns = nested(node[side]).root if isinstance(node[side].value, str) else node[side]
        except DocumentError as error:
            return observed(SIGNATURE, Unknown(f"signature.{side}: {error.message}", _LOOK), place, origin="model")
        columns = list(listed_columns.each())[: _MOST_COLUMNS + 1]
        if not listed_columns.is_sequence or len(columns) > _MOST_COLUMNS:
            reason = Unknown(f"signature.{side}: expected a list of at most {_MOST_COLUMNS:,} columns", _LOOK)
            return observed(SIGNATURE, reason, place, origin="model")
        value[side] = [_column(column) for column in columns]
    if not value:
        return observed(SIGNATURE, Unknown("the signature names neither inputs nor outputs", _LOOK), place)
    example = root["saved_input_example_info"]["artifact_path"].text()
    there = "" if listed is None or (example or "").split("/", 1)[0] in listed else ", which is missing"
    because = (f"{example} holds an example of the input{there}",) if example else ()
    return observed(SIGNATURE, value, place, origin="model", because=because)


def _column(column: Node) -> Value:
    """One column or tensor: ``{name, type}``, of a tensor also its shape, ``optional`` where it may be left out."""
    found: dict[str, Value] = {}
    if column["name"].text():
        found["name"] = column["name"].text()
    kind = column["type"].text() or ""
    if kind == "tensor":
        spec = column["tensor-spec"]
        found["type"] = spec["dtype"].text() or ""
        found["shape"] = [one.integer() for one in list(spec["shape"].each())[:100]]
    else:
        found["type"] = _TYPES.get(kind) or _nested_type(column)
    if column["required"].value is False or column["optional"].value is True:
        found["optional"] = True
    return found


def _nested_type(column: Node) -> str:
    """Arrays as ``array<type>``; objects and maps as they are called, as no serving schema has them as columns."""
    depth, node = 0, column
    while node["type"].text() == "array" and depth < 8:
        node, depth = node["items"], depth + 1
    inner = node["type"].text() or "any"
    return "array<" * depth + _TYPES.get(inner, inner.lower()) + ">" * depth
