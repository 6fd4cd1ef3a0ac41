"""The layout of sentence-transformers: how token vectors become one vector.

``modules.json`` lists the parts in their order, each with a folder and the ``config.json`` in it.
Source: ``SentenceTransformer``, ``Pooling``, ``Dense`` and ``Normalize`` of sentence-transformers,
https://github.com/UKPLab/sentence-transformers/tree/v5.1.0/sentence_transformers
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.evidence.document import Document, Node
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar
from askew.resolve.observation import Observation, Unknown

# Names of the older boolean settings; where several are set, their vectors are put one after another.
_MODES = (
    ("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"), ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
    ("pooling_mode_weightedmean_tokens", "weightedmean"), ("pooling_mode_lasttoken", "lasttoken"),
)  # fmt: skip
_SAME = {"lasttoken": "last"}
_PACKAGES = (("sentence_transformers", "sentence-transformers"), ("transformers", "transformers"), ("pytorch", "torch"))


def lists_modules(root: Node) -> bool:
    """Whether this is a ``modules.json`` of sentence-transformers."""
    return root.is_sequence and "sentence_transformers." in str(root[0]["type"].value)


def configures_a_module(root: Node) -> bool:
    """Whether this is the ``config.json`` of a part: of pooling or of a dense layer."""
    return root["word_embedding_dimension"].exists or (root["in_features"].exists and root["out_features"].exists)


def of_modules(modules: Node, files: Mapping[str, Document]) -> Iterator[Observation]:
    """Pooling, dense layers and whether vectors are normalized. ``files`` by name; those of parts with their folder."""
    kinds = [str(one["type"].value).rpartition(".")[2] for one in modules.each()]
    yield observed("model.embedding.normalize", "Normalize" in kinds, modules.location, origin="model")
    dense: list[Value] = []
    for kind, module in zip(kinds, modules.each(), strict=True):
        path = str(module["path"].value)
        config = files.get(f"{path}/config.json")
        if kind == "Pooling":
            if config is None:
                reason = f"{path}/config.json is not there"
                yield observed("model.embedding.pooling", Unknown(reason), module.location, origin="model")
            else:
                yield _pooling(config.root)
        elif kind == "Dense":
            layer: dict[str, Value] = {"path": path}
            if config is not None:
                layer = {
                    key: scalar(config.root[key].value)
                    for key in ("in_features", "out_features", "bias", "activation_function")
                    if config.root[key].exists
                }
            dense.append(layer)
    yield observed("model.embedding.dense_layers", dense, modules.location, origin="model")


def _pooling(root: Node) -> Observation:
    stated = root["pooling_mode"]
    if isinstance(stated.value, str):
        return observed(
            "model.embedding.pooling", _SAME.get(stated.value, stated.value), stated.location, origin="model"
        )
    chosen = [(root[name], _SAME.get(mode, mode)) for name, mode in _MODES if root[name].value is True]
    if not chosen:
        return observed("model.embedding.pooling", Unknown("no mode of pooling is set"), root.location, origin="model")
    modes = "+".join(mode for _, mode in chosen)
    return observed("model.embedding.pooling", modes, *(node.location for node, _ in chosen), origin="model")


def of_settings(root: Node) -> Iterator[Observation]:
    """``config_sentence_transformers.json``: prompts, and the releases that saved the model."""
    prompts = root["prompts"]
    if prompts.is_mapping:
        # An empty prompt is what a model without that prompt has.
        entries = {name: Entry(scalar(node.value), node.location) for name, node in prompts.items() if node.value}
        name = root["default_prompt_name"]
        if isinstance(name.value, str) and name.value in entries:
            entries["default"] = Entry(entries[name.value].value, name.location)
        fact = "model.embedding.prompts"
        if entries:
            yield from observed_map(fact, entries, prompts.location, origin="model")
        else:
            yield observed(fact, {}, prompts.location, origin="model")
    for library, package in _PACKAGES:
        version = root["__version__"][library]
        if isinstance(version.value, str):
            release = version.value.partition("+")[0]
            yield observed("model.training.packages", release, version.location, origin="model", key=package)


def of_length(root: Node) -> Iterator[Observation]:
    """``sentence_bert_config.json``: after how many tokens a text is cut."""
    length = root["max_seq_length"]
    if length.integer() is not None:
        yield observed("model.embedding.max_seq_length", length.integer(), length.location, origin="model")
