"""What a GGUF file says of its model, in the terms of the other formats.

Its metadata keeps what ``config.json`` keeps, under other names, and per architecture: ``llama.context_length``. What a
GGUF file does not say (which rope scaling is behind a tensor of factors, whether a window has a pattern) is left open.
Sources: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; keys and numbers of file types: ``Keys`` and
``LlamaFileType`` of the package gguf 0.19.0, gguf/constants.py.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown

_FILE_TYPES = {
    0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k", 11: "q3_k_s", 12: "q3_k_m",
    13: "q3_k_l", 14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m", 18: "q6_k", 19: "iq2_xxs", 20: "iq2_xs",
    21: "q2_k_s", 22: "iq3_xs", 23: "iq3_xxs", 24: "iq1_s", 25: "iq4_nl", 26: "iq3_s", 27: "iq3_m", 28: "iq2_s",
    29: "iq2_m", 30: "iq4_xs", 31: "iq1_m", 32: "bf16", 36: "tq1_0", 37: "tq2_0", 38: "mxfp4_moe", 39: "nvfp4",
    40: "q1_0",
}  # fmt: skip
_PLAIN = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64"}
_POOLING = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}
_SAMPLING = (
    ("temp", "temperature"), ("top_k", "top_k"), ("top_p", "top_p"), ("min_p", "min_p"),
    ("penalty_repeat", "repetition_penalty"),
)  # fmt: skip
_SHAPE = (
    ("hidden", "embedding_length"), ("intermediate", "feed_forward_length"), ("heads", "attention.head_count"),
    ("experts", "expert_count"), ("experts_per_token", "expert_used_count"),
    ("expert_intermediate", "expert_feed_forward_length"),
)  # fmt: skip
# Factors of rotary embeddings: worked out of the configuration when the file was made, no parameters.
_FACTORS = ("rope_freqs.", "rope_factors_")


class _Tensor(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


class _Header(msgspec.Struct, frozen=True):
    version: int
    metadata: dict[str, object]
    tensors: list[_Tensor]


def of_gguf(texts: Sequence[SourceText]) -> Iterator[Observation]:
    """The facts of one model, whose parts ``texts`` are. The first part has the metadata, all have tensors."""
    headers: list[tuple[Location, _Header]] = []
    for text in texts:
        try:
            header = msgspec.json.decode(text.text, type=_Header)
        except msgspec.DecodeError:
            continue
        headers.append((Location(text.source.rpartition("#")[0]), header))
    if not headers:
        return
    place, first = next(((at, one) for at, one in headers if "general.architecture" in one.metadata), headers[0])
    yield from _Model(first.metadata, place, any(
        tensor.name.startswith(_FACTORS) for _, one in headers for tensor in one.tensors
    )).facts()  # fmt: skip
    tensors = [tensor for _, header in headers for tensor in header.tensors]
    yield from _stored(tensors, place)


def _stored(tensors: Sequence[_Tensor], place: Location) -> Iterator[Observation]:
    because = ("the list of tensors in the GGUF file",)
    counted = [tensor for tensor in tensors if not tensor.name.startswith(_FACTORS)]
    elements: Counter[str] = Counter()
    for tensor in counted:
        elements[_PLAIN.get(tensor.dtype.lower(), tensor.dtype.lower())] += math.prod(tensor.shape)
    total = elements.total()
    if not total:
        return
    shares: Value = {name: round(count / total, 6) for name, count in elements.items() if count}
    yield observed("model.weights.dtype", shares, place, origin="model", basis="seen", because=because)
    size = sum(tensor.bytes for tensor in tensors)
    yield observed("model.weights.bytes", size, place, origin="model", basis="seen", because=because)
    yield observed("model.parameters", total, place, origin="model", basis="seen", key="total", because=because)
    yield _open("model.parameters", "the list of tensors tells the total alone", place)
    yield observed("model.weights.format", "gguf", place, origin="model", basis="seen", because=because)


def _open(fact: str, reason: str, place: Location) -> Observation:
    """Says of a map that it has keys which are not known."""
    return Observation(fact=fact, value=Unknown(reason, missing=True), origin="model", locations=(place,))


class _Model:
    """The metadata of a model, by keys that are the same in every architecture."""

    def __init__(self, metadata: Mapping[str, object], place: Location, factors: bool) -> None:
        self.metadata, self.place, self.factors = metadata, place, factors
        self.architecture = str(metadata.get("general.architecture", ""))

    def own(self, key: str) -> object:
        return self.metadata.get(f"{self.architecture}.{key}")

    def number(self, key: str) -> int | None:
        """A whole number; of one per layer, the number that they share."""
        value = self.own(key)
        if isinstance(value, list) and value and all(item == value[0] for item in value):
            value = value[0]
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    def say(self, fact: str, value: Value | Unknown, key: str = "") -> Observation:
        return observed(fact, value, self.place, origin="model", key=key)

    def facts(self) -> Iterator[Observation]:
        if self.architecture:
            yield self.say("model.architecture", self.architecture)
        yield from self.rope()
        yield from self.length()
        window = self.number("attention.sliding_window")
        if window:
            yield self.say("model.sliding_window", window)
        words = self.metadata.get("tokenizer.ggml.tokens")
        counted = words.get("count") if isinstance(words, dict) else len(words) if isinstance(words, list) else None
        size = self.number("vocab_size") or counted
        if isinstance(size, int):
            yield self.say("model.vocab_size", size)
        yield from self.geometry(window)
        yield from self.shape()
        yield from self.quantization()
        yield from self.tokenizer()
        pooling = self.number("pooling_type")
        if pooling is not None and _POOLING.get(pooling, "none") != "none":
            yield self.say("model.embedding.pooling", _POOLING[pooling])
        for name, key in _SAMPLING:
            value = self.metadata.get(f"general.sampling.{name}")
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield self.say("model.generation.sampling_defaults", _short(value), key)

    def rope(self) -> Iterator[Observation]:
        fact = "model.rope"
        theta = self.own("rope.freq_base")
        if isinstance(theta, (int, float)):
            yield self.say(fact, _short(theta), "theta")
        kind = self.own("rope.scaling.type")
        if isinstance(kind, str) and kind != "none":
            yield self.say(fact, kind, "type")
            for key, name in (("factor", "factor"), ("original_context_length", "original_max_position_embeddings")):
                value = self.own(f"rope.scaling.{key}")
                if isinstance(value, (int, float)):
                    yield self.say(fact, _short(value), name)
        yield _open(fact, "a GGUF file keeps the factors of some scalings as a tensor", self.place)

    def length(self) -> Iterator[Observation]:
        positions, kind = self.number("context_length"), self.own("rope.scaling.type")
        factor, trained = self.own("rope.scaling.factor"), self.number("rope.scaling.original_context_length")
        if positions is None:
            return
        value = positions
        if kind in ("linear", "yarn") and isinstance(factor, (int, float)) and factor > 0:
            # As converters write it, context_length is max_position_embeddings of config.json; it is scaled as there.
            value = int((trained if kind == "yarn" and trained else positions) * factor)
        yield self.say("model.context_length", value)

    def geometry(self, window: int | None) -> Iterator[Observation]:
        fact = "model.kv_geometry"
        layers, heads = self.number("block_count"), self.number("attention.head_count")
        if layers is not None:
            yield self.say(fact, layers, "layers")
        rank = self.number("attention.kv_lora_rank")
        if rank:  # keys and values are latent: what the other numbers mean depends on the converter's release
            yield self.say(fact, rank, "kv_lora_rank")
            if (rotary := self.number("rope.dimension_count")) is not None:
                yield self.say(fact, rotary, "qk_rope_head_dim")
            yield _open(fact, "a GGUF file of latent attention does not say how many KV heads there are", self.place)
            return
        kept = self.number("attention.head_count_kv")
        if kept is None and self.own("attention.head_count_kv") is None:
            kept = heads
        if kept is not None:
            yield self.say(fact, kept, "kv_heads")
        head, hidden = self.number("attention.key_length"), self.number("embedding_length")
        if head is None and hidden and heads:
            head = hidden // heads
        if head is not None:
            yield self.say(fact, head, "head_dim")
        if window or kept is None:
            yield _open(fact, "a GGUF file does not say of every layer what it keeps", self.place)

    def shape(self) -> Iterator[Observation]:
        found: dict[str, int] = {}
        for key, name in _SHAPE:
            if number := self.number(name):
                found[key] = number
        if "experts" in found and "intermediate" in found:
            found.setdefault("expert_intermediate", found["intermediate"])
        if found:
            yield self.say("model.shape", {**found})

    def quantization(self) -> Iterator[Observation]:
        fact, number = "model.quantization", self.metadata.get("general.file_type")
        if not isinstance(number, int) or isinstance(number, bool):
            yield self.say(fact, Unknown("the GGUF file does not state its file type"))
            return
        name = _FILE_TYPES.get(number & ~1024)  # 1024: guessed by the converter
        if name in _PLAIN:
            yield self.say(fact, None)
        elif name is None:
            yield self.say(fact, Unknown(f"the file type {number} is not known"))
        else:
            yield self.say(fact, "gguf", "method")
            yield self.say(fact, name, "format")

    def tokenizer(self) -> Iterator[Observation]:
        split = self.metadata.get("tokenizer.ggml.pre")
        if isinstance(split, str):
            yield self.say("model.tokenizer.pre_tokenizer", split)
        for key, fact in (
            ("add_bos_token", "adds_bos"), ("add_eos_token", "adds_eos"), ("add_space_prefix", "add_prefix_space"),
        ):  # fmt: skip
            value = self.metadata.get(f"tokenizer.ggml.{key}")
            if isinstance(value, bool):
                yield self.say(f"model.tokenizer.{fact}", value)


def _short(number: int | float) -> int | float:
    """A float of four bytes as it was meant: 1e-5 and not 0.000009999999747378752."""
    if isinstance(number, int):
        return number
    return float(f"{number:.7g}")
