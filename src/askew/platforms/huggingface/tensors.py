"""The tensors that a model's safetensors files list: in which dtype the weights are stored, how many and how large.

Source: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.location import Location
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation

# As safetensors spells them.
_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "fp8_e4m3",
    "F8_E5M2": "fp8_e5m2", "F8_E8M0": "fp8_e8m0", "F4": "fp4", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_PLAIN = frozenset(("float64", "float32", "float16", "bfloat16"))
_FACT = "model.weights.dtype"


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def of_tensors(headers: Sequence[SourceText]) -> Iterator[Observation]:
    """Shares of dtypes, bytes and, where nothing is quantized, the number of parameters. One tensor of two names in two
    files counts twice, as it does on disk."""
    elements: Counter[str] = Counter()
    size = 0
    for header in headers:
        try:
            tensors = msgspec.json.decode(header.text, type=dict[str, msgspec.Raw])
            for name, raw in tensors.items():
                if name != "__metadata__":
                    tensor = msgspec.json.decode(raw, type=_Tensor)
                    elements[_DTYPES.get(tensor.dtype, tensor.dtype.lower())] += math.prod(tensor.shape)
                    size += max(0, tensor.data_offsets[1] - tensor.data_offsets[0])
        except msgspec.DecodeError:
            return
    total = elements.total()
    if total <= 0:
        return
    place = Location(headers[0].source.partition("#")[0])
    because = ("the list of tensors in the files",)
    shares = {name: round(count / total, 6) for name, count in elements.items() if count}
    yield observed(_FACT, {**shares}, place, origin="model", basis="seen", because=because)
    yield observed("model.weights.bytes", size, place, origin="model", basis="seen", because=because)
    if _PLAIN.issuperset(elements):
        yield observed("model.parameters", total, place, origin="model", basis="seen", key="total", because=because)
