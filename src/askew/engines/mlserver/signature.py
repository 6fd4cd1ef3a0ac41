"""What a model takes and gives, as ``inputs`` and ``outputs`` of ``model-settings.json`` state it.

Source: ``MetadataTensor`` of https://github.com/SeldonIO/MLServer/blob/1.6.1/mlserver/types/dataplane.py, which is the
metadata of https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from askew.engines.settings import Setting
from askew.facts.types import Value
from askew.facts.values.signature import protocol_type
from askew.resolve.observation import Observation, Unknown

_LOOK = "curl -s $URL/v2/models/$MODEL"


class _Tensor(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: list[int]


def signature(settings: Sequence[Setting]) -> Iterator[Observation]:
    """``model.signature``, where the file has inputs or outputs; unknown where they are no list of tensors."""
    stated = {one.name: one for one in settings if one.name in ("inputs", "outputs") and one.kind != "null"}
    if not stated:
        return
    value: dict[str, Value] = {}
    unknown: Unknown | None = None
    for side, setting in sorted(stated.items()):
        if setting.value.unknown is not None:
            unknown = Unknown(setting.value.unknown, _LOOK)
            continue
        try:
            tensors = msgspec.json.decode(setting.value.text, type=list[_Tensor])
        except msgspec.DecodeError:
            unknown = Unknown(f"{side}: expected a list of tensors with name, datatype and shape", _LOOK)
            continue
        value[side] = [
            {"name": one.name, "shape": [*one.shape], "type": protocol_type(one.datatype)} for one in tensors
        ]
    yield Observation(
        fact="model.signature",
        value=unknown or value,
        origin="config-file",
        locations=tuple(one.value.location for one in stated.values()),
    )
