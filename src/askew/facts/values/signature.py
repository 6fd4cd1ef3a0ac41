"""Signatures of models, compared by what they mean to the values that go in and come out.

A signature is ``{"inputs": […], "outputs": […]}``; each entry has a ``type`` and mostly a ``name``. An entry with a
``shape`` is a tensor, one without is a column of a table. Tensors are fed by name, so their order means nothing;
columns of two tables are fed by order wherever a client or a server turns them into an array.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from askew.facts.types import Value

Kind: TypeAlias = Literal["missing", "added", "count", "order", "type", "converted", "shape", "narrower", "optional"]
Side: TypeAlias = Literal["inputs", "outputs"]
Entry: TypeAlias = Mapping[str, Value]

_FAMILIES = {
    **dict.fromkeys(("float16", "float32", "float64", "bfloat16", "fp16", "fp32", "fp64", "bf16"), "float"),
    **dict.fromkeys(("int8", "int16", "int32", "int64"), "integer"),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), "unsigned integer"),
    **dict.fromkeys(("string", "bytes", "str"), "text"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
    **dict.fromkeys(("datetime", "datetime64"), "datetime"),
}
# Each can be read as any that follows without a change of its value, mostly.
_NUMBERS = ("bool", "unsigned integer", "integer", "float")
_WIDTH = re.compile(r"(\d{1,3})$")
# Names by which a framework counts what has none (Triton's PyTorch backend).
_COUNTED = re.compile(r"(?:input|output)(?:__|_)?\d{1,4}", re.IGNORECASE)
_SHOWN = 4
_SIDES: tuple[Side, ...] = ("inputs", "outputs")


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which a signature differs from a reference. ``name`` is a column or tensor, or its place."""

    side: Side
    kind: Kind
    name: str
    reference: str = ""
    target: str = ""

    @property
    def weighty(self) -> bool:
        """Whether values are fed or read wrongly; false for a narrower type of one family, and for what may be left
        out."""
        return self.kind not in ("narrower", "optional")


def mismatches(reference: Value, target: Value) -> tuple[Mismatch, ...]:
    """In what the target differs. Only sides that both state are compared."""
    found: list[Mismatch] = []
    for side in _SIDES:
        a, b = _entries(reference, side), _entries(target, side)
        if a and b:
            found.extend(_side(side, a, b))
    return tuple(found)


def tells(reference: Value, target: Value) -> bool:
    """Whether two signatures can be held against each other: columns that go into one tensor have lost their names
    there, and what several models of one server take is not one signature."""
    if reference == target:
        return True
    if any(one.weighty for one in (*mismatches(reference, target), *mismatches(target, reference))):
        return True
    compared = False
    for side in _SIDES:
        a, b = _entries(reference, side), _entries(target, side)
        if not a or not b:
            continue
        if _packed(a, b) or _packed(b, a) or any(_family(one) is None for one in (*a, *b)):
            return False
        compared = compared or side == "inputs"
    return compared


def same(a: Value, b: Value) -> bool:
    """Whether two signatures mean the same, as far as they can be compared."""
    if not isinstance(a, dict) or not isinstance(b, dict) or not ("inputs" in a and "inputs" in b):
        from askew.facts.kinds import same_data

        return same_data(a, b)
    return not any(one.weighty for one in mismatches(a, b))


def difference(reference: Value, target: Value) -> str:
    """In words, the weightiest first: ``inputs: income is missing; visits is int64, was float64``."""
    found = sorted(mismatches(reference, target), key=lambda one: not one.weighty)
    return sentence(found)


def sentence(found: Sequence[Mismatch]) -> str:
    """Mismatches in words; of many, the first ones and how many there are."""
    parts: list[str] = []
    for one in found[:_SHOWN]:
        where = f"{one.side[:-1]} {one.name}"
        parts.append(
            {
                "missing": f"{where} is missing",
                "added": f"{where} is not in the reference",
                "count": f"{one.target} {one.side} instead of {one.reference}",
                "order": f"the order of the {one.side} differs from {one.name} on",
                "type": f"{where} is {one.target} instead of {one.reference}",
                "converted": f"{where} is {one.target} instead of {one.reference}",
                "narrower": f"{where} is {one.target} instead of {one.reference}",
                "shape": f"{where} has the shape {one.target} instead of {one.reference}",
                "optional": f"{where} may be left out and may not in the reference",
            }[one.kind]
        )
    if len(found) > _SHOWN:
        parts.append(f"and {len(found) - _SHOWN} more")
    return "; ".join(parts)


def _entries(signature: Value, side: Side) -> list[Entry]:
    listed = signature.get(side) if isinstance(signature, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _side(side: Side, a: Sequence[Entry], b: Sequence[Entry]) -> list[Mismatch]:
    if _packed(a, b):
        return _into_tensor(side, a, b[0], flipped=False)
    if _packed(b, a):
        return _into_tensor(side, b, a[0], flipped=True)
    if not (_named(a) and _named(b)) or (len(a) == len(b) == 1 and side == "outputs"):
        # Without names, and for the one output that each framework calls as it likes, the place decides.
        if len(a) != len(b):
            return [Mismatch(side=side, kind="count", name="", reference=str(len(a)), target=str(len(b)))]
        pairs = [(str(x.get("name") or f"{i + 1}"), x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
        return [found for name, x, y in pairs for found in _entry(side, name, x, y)]
    left, right = ({str(one["name"]): one for one in entries} for entries in (a, b))
    found = [
        Mismatch(side=side, kind="missing", name=name)
        for name, one in left.items()
        if name not in right and one.get("optional") is not True
    ]
    found.extend(Mismatch(side=side, kind="added", name=name) for name in right if name not in left)
    for name, one in left.items():
        if name in right:
            found.extend(_entry(side, name, one, right[name]))
    if _columns(a) and _columns(b):
        common_a = [name for name in left if name in right]
        common_b = [name for name in right if name in left]
        moved = next((x for x, y in zip(common_a, common_b, strict=True) if x != y), None)
        if moved is not None:
            found.append(Mismatch(side=side, kind="order", name=moved))
    return found


def _entry(side: Side, name: str, a: Entry, b: Entry) -> list[Mismatch]:
    found: list[Mismatch] = []
    x, y = str(a.get("type") or ""), str(b.get("type") or "")
    family, other = _family(a), _family(b)
    if family is not None and other is not None and family != other:
        upwards = family in _NUMBERS and other in _NUMBERS and _NUMBERS.index(family) < _NUMBERS.index(other)
        found.append(Mismatch(side=side, kind="converted" if upwards else "type", name=name, reference=x, target=y))
    elif family is not None and other is not None and _width(y) < _width(x):
        kind: Kind = "narrower" if family == "float" else "type"
        found.append(Mismatch(side=side, kind=kind, name=name, reference=x, target=y))
    if not _shapes_agree(a.get("shape"), b.get("shape")):
        shown = _shape(a.get("shape")), _shape(b.get("shape"))
        found.append(Mismatch(side=side, kind="shape", name=name, reference=shown[0], target=shown[1]))
    if b.get("optional") is True and a.get("optional") is not True:
        found.append(Mismatch(side=side, kind="optional", name=name))
    return found


def _into_tensor(side: Side, columns: Sequence[Entry], tensor: Entry, *, flipped: bool) -> list[Mismatch]:
    """Columns held against the one tensor that they are packed into: how many there are, and whether they are
    numbers."""
    shape = tensor.get("shape")
    width = shape[-1] if isinstance(shape, list) and shape else None
    if isinstance(width, int) and width > 0 and width != len(columns):
        counts = (str(len(columns)), str(width))
        reference, target = reversed(counts) if flipped else counts
        return [Mismatch(side=side, kind="count", name="", reference=reference, target=target)]
    family = _family(tensor)
    for one in columns:
        if "text" in (mine := _family(one), family) and None not in (mine, family) and mine != family:
            types = (str(one.get("type")), str(tensor.get("type")))
            reference, target = reversed(types) if flipped else types
            name = str(one.get("name") or tensor.get("name") or "")
            return [Mismatch(side=side, kind="type", name=name, reference=reference, target=target)]
    return []


def _packed(columns: Sequence[Entry], tensors: Sequence[Entry]) -> bool:
    """Whether a table's columns, more than one, stand against one tensor of two or more dimensions."""
    shape = tensors[0].get("shape")
    return len(tensors) == 1 and len(columns) > 1 and _columns(columns) and isinstance(shape, list) and len(shape) > 1


def _columns(entries: Sequence[Entry]) -> bool:
    return not any("shape" in one for one in entries)


def _named(entries: Sequence[Entry]) -> bool:
    """Whether every entry has a name of its own, and not one that a framework counted."""
    names = Counter(str(one.get("name") or "") for one in entries)
    return "" not in names and max(names.values()) == 1 and not all(_COUNTED.fullmatch(name) for name in names)


def _family(entry: Entry) -> str | None:
    return _FAMILIES.get(str(entry.get("type") or "").lower())


def _width(kind: str) -> int:
    """Bits of a number; large for what has no width, which is then never narrower."""
    match = _WIDTH.search(kind)
    return int(match[1]) if match else 10**6


def _shape(shape: Value) -> str:
    return (
        "[" + ", ".join("any" if one in (-1, None) else str(one) for one in shape) + "]"
        if isinstance(shape, list)
        else "of a column"
    )


def _shapes_agree(a: Value, b: Value) -> bool:
    """Whether two shapes admit a common one. A dimension of -1 is any; ``[n]`` and ``[n, 1]`` hold one column; a batch
    in front may be left out."""
    if not isinstance(a, list) or not isinstance(b, list):
        tensor = a if isinstance(a, list) else b
        return not isinstance(tensor, list) or len(tensor) < 2 or tensor[-1] in (1, -1, None)
    if len(a) > len(b):
        a, b = b, a
    if len(a) == len(b):
        return all(x == y or -1 in (x, y) or None in (x, y) for x, y in zip(a, b, strict=True))
    if len(b) - len(a) > 1:
        return False
    return _shapes_agree([-1, *a], b) or (b[-1] == 1 and _shapes_agree(a, b[:-1]))
