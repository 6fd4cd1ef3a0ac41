"""What stands in a GGUF file before the tensors: metadata and the list of tensors, as JSON.

Long arrays (the vocabulary) are handed on as their length and a digest. Counts, lengths and places are a stranger's
claims: each is held against the file's size and against bounds that no real model comes near.
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and ``GGMLQuantizationType``, ``GGML_QUANT_SIZES`` of
the package gguf 0.19.0, gguf/constants.py
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO, TypeAlias

import msgspec

from askew.collectors.hf.tensors import MalformedError, Tensor, in_order, shortened

Value: TypeAlias = bool | int | float | str | list["Value"] | dict[str, "Value"]

_MOST_KEYS, _MOST_TENSORS, _MOST_ITEMS = 65_536, 200_000, 8_000_000
_LONGEST_TEXT = 16 * 2**20
_LONGEST_HEADER = 512 * 2**20
_KEPT_ITEMS = 1024  # of an array; per-layer settings are shorter, vocabularies longer
_DEEPEST = 4
_TOKENS = "tokenizer.ggml.tokens"
_MOST_TOKENS = 1_000_000  # whose texts are kept while the header is read; vocabularies have a quarter of that
_SPECIAL = {
    "bos_token": "bos_token_id", "eos_token": "eos_token_id", "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id", "sep_token": "seperator_token_id", "cls_token": "cls_token_id",
    "mask_token": "mask_token_id",
}  # fmt: skip
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_TEXT, _ARRAY = 8, 9
# Number of a type: its name, how many elements make a block, and how many bytes the block has.
_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip

_Claim: TypeAlias = tuple[int, tuple[int, ...], int]  # number of the type, shape, begin after the header


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """A tensor as the text has it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


class Header(msgspec.Struct, frozen=True):
    """What the text holds. ``special``: the text of the special tokens that the metadata names by id."""

    version: int
    metadata: dict[str, Value]
    tensors: list[Listed]
    special: dict[str, str] = {}


def read_gguf(file: BinaryIO, size: int, clean: Callable[[str], str]) -> tuple[str, tuple[Tensor, ...]]:
    """``Header`` as JSON, and the tensors. ``clean`` takes secrets out of a text. Raises MalformedError, OSError."""
    source = _Source(file, size)
    if source.take(4) != b"GGUF":
        raise MalformedError("expected a GGUF file, which begins with GGUF")
    version = source.number("<I")
    if version not in (2, 3):
        what = "of the other byte order" if version & 0xFFFF == 0 and version else f"of version {version}"
        raise MalformedError(f"expected GGUF of version 2 or 3, little endian; this is {what}")
    tensors, keys = source.number("<Q"), source.number("<Q")
    if keys > _MOST_KEYS or tensors > _MOST_TENSORS:
        raise MalformedError(f"the header claims {keys:,} keys and {tensors:,} tensors")
    metadata: dict[str, Value] = {}
    words: list[bytes] = []
    for _ in range(keys):
        key = source.text(65_536)
        if key in metadata:
            raise MalformedError(f"the key {shortened(key)} stands there twice")
        metadata[key] = _value(source, source.number("<I"), clean, kept=words if key == _TOKENS else None)
    listed: dict[str, _Claim] = {}
    for _ in range(tensors):
        name = source.text(65_536)
        if name in listed:
            raise MalformedError(f"the tensor {shortened(name)} stands there twice")
        listed[name] = _claim(source, name)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or isinstance(alignment, bool) or not 0 < alignment <= 65_536:
        raise MalformedError("general.alignment is no possible alignment")
    data = -(-source.at // alignment) * alignment
    found = _placed(listed, data, size)
    listing = [Listed(one.name, one.dtype, one.shape, one.size) for one in found]
    header = Header(version, metadata, listing, _special(metadata, words, clean))
    return msgspec.json.encode(header).decode(), found


def _special(metadata: Mapping[str, Value], words: list[bytes], clean: Callable[[str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, key in _SPECIAL.items():
        number = metadata.get(f"tokenizer.ggml.{key}")
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(words):
            found[name] = clean(words[number].decode("utf-8", "replace"))
    return found


class _Source:
    """Bytes from the begin of a file on, never more than there are."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.at = 0
        self.items = 0

    def take(self, count: int) -> bytes:
        if count > self._size - self.at:
            raise MalformedError(f"the header needs {count:,} more bytes at byte {self.at:,}, and the file ends before")
        self.at += count
        if self.at > _LONGEST_HEADER:
            raise MalformedError(f"the header has more than {_LONGEST_HEADER:,} bytes")
        data = self._file.read(count)
        if len(data) != count:
            raise MalformedError("the file became shorter while it was read")
        return data

    def number(self, form: str) -> int:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def text(self, longest: int = _LONGEST_TEXT) -> str:
        length = self.number("<Q")
        if length > longest:
            raise MalformedError(f"a text at byte {self.at:,} claims {length:,} bytes, at most {longest:,} are read")
        return self.take(length).decode("utf-8", "replace")

    def count(self, more: int) -> None:
        self.items += more
        if self.items > _MOST_ITEMS:
            raise MalformedError(f"the metadata holds more than {_MOST_ITEMS:,} items")


def _value(
    source: _Source, kind: int, clean: Callable[[str], str], depth: int = 0, kept: list[bytes] | None = None
) -> Value:
    """One value. ``kept`` takes the texts of an array as they are."""
    if kind == _TEXT:
        return clean(source.text())
    if kind != _ARRAY:
        form = _SCALARS.get(kind)
        if form is None:
            raise MalformedError(f"the metadata has a value of the unknown type {kind} at byte {source.at:,}")
        (value,) = struct.unpack(form, source.take(struct.calcsize(form)))
        return value if isinstance(value, (bool, int)) or math.isfinite(value) else str(value)
    of, length = source.number("<I"), source.number("<Q")
    source.count(length)
    if of == _ARRAY:
        if depth >= _DEEPEST or length > _KEPT_ITEMS:
            raise MalformedError("the metadata has arrays in arrays, too deep or too many")
        return [_value(source, of, clean, depth + 1) for _ in range(length)]
    if length <= _KEPT_ITEMS:
        few = [_value(source, of, clean) for _ in range(length)]
        if kept is not None:
            kept.extend(str(text).encode() for text in few)
        return few
    total = hashlib.sha256()
    if of == _TEXT:
        for _ in range(length):
            data = source.take(source.number("<Q"))
            total.update(len(data).to_bytes(8, "little") + data)
            if kept is not None and len(kept) < _MOST_TOKENS:
                kept.append(data)
    else:
        form = _SCALARS.get(of)
        if form is None:
            raise MalformedError(f"the metadata has an array of the unknown type {of} at byte {source.at:,}")
        total.update(source.take(length * struct.calcsize(form)))
    return {"count": length, "digest": f"sha256:{total.hexdigest()}"}


def _claim(source: _Source, name: str) -> _Claim:
    dimensions = source.number("<I")
    if dimensions > 8:
        raise MalformedError(f"the tensor {shortened(name)} claims {dimensions} dimensions")
    shape = struct.unpack(f"<{dimensions}Q", source.take(8 * dimensions))
    return source.number("<I"), shape, source.number("<Q")


def _placed(listed: Mapping[str, _Claim], data: int, size: int) -> tuple[Tensor, ...]:
    """The tensors with their places in the file. One of a type that is newer than this list ends where the next one
    begins."""
    begins = sorted({offset for _, _, offset in listed.values()})
    following = dict(zip(begins, [*begins[1:], max(0, size - data)], strict=False))
    found = []
    for name, (kind, shape, offset) in listed.items():
        dtype, block, width = _TYPES.get(kind, (f"type{kind}", 0, 0))
        elements = math.prod(shape)
        if block and (elements % block or (shape and shape[0] % block)):
            raise MalformedError(f"the tensor {shortened(name)} is not made of whole blocks of {dtype}")
        length = elements // block * width if block else max(0, following[offset] - offset)
        if data + offset + length > size:
            end = data + offset + length
            raise MalformedError(f"the tensor {shortened(name)} ends at byte {end:,}, and the file ends before")
        found.append(Tensor(name, dtype, shape, data + offset, length))
    in_order(found)
    return tuple(found)
