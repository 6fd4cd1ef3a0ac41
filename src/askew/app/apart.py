"""A second look at two tokenizers that differ: which tokens, and on which text. Digests alone say only that they do."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

import msgspec

from askew.compare.compare import Difference
from askew.evidence.redaction import Redactor
from askew.resolve.workload import Resolved, Snapshot

_DIGEST, _BEHAVIOUR = "model.tokenizer.digest", "model.tokenizer.behaviour"


def tokenizers_apart(
    differences: Sequence[Difference], reference: Snapshot, target: Snapshot
) -> tuple[list[Difference], dict[str, str]]:
    """The differences with what the files themselves tell among their reasons, and a sentence more by fact. Both as
    they are where no tokenizer differs, or its files are not on this machine."""
    if not any(one.fact.key in (_DIGEST, _BEHAVIOUR) for one in differences):
        return list(differences), {}
    sides = [snapshot.facts.get(_DIGEST) for snapshot in (reference, target)]
    left, right = sides
    if left is None or right is None or left.value == right.value:
        return list(differences), {}
    paths = _file(left), _file(right)
    if not all(paths):
        return list(differences), {}
    from askew.collectors.hf.apart import parted

    found = parted(paths[0], paths[1], (str(left.value), str(right.value)), Redactor())
    label = msgspec.json.encode(found.text).decode()
    lines = (f"{label} → {found.reference}", f"{label} → {found.target}")
    told = any(one.fact.key == _BEHAVIOUR for one in differences)
    out: list[Difference] = []
    for one in differences:
        if one.fact.key == _BEHAVIOUR and found.text:
            one = _with(one, *((line,) for line in lines))
        out.append(one)
    said = [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in found.sentences]
    if found.text and not told:
        said.append(f"No probe tells them apart, but {label} does: {found.reference} became {found.target}.")
    return out, {_DIGEST: " ".join(said)} if said else {}


def _with(difference: Difference, left: tuple[str, ...], right: tuple[str, ...]) -> Difference:
    """With these reasons in front of the others."""
    sides = []
    for side, first in ((difference.reference, left), (difference.target, right)):
        rest = tuple(line for line in side.because if line not in first)
        sides.append(msgspec.structs.replace(side, because=(*first, *rest)))
    return msgspec.structs.replace(difference, reference=sides[0], target=sides[1])


def _file(side: Resolved) -> str:
    """Where the tokenizer lies on this machine; empty for one that does not."""
    if side.state != "known" or side.origin != "model" or not side.locations:
        return ""
    path = side.locations[0].source
    return path if os.path.isfile(path) else ""
