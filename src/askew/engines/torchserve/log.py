"""What TorchServe logs when it starts: its configuration and the models that it loads.

Read in ``ConfigManager.java`` (``dumpConfigurations``) and ``ModelManager.java`` of
https://github.com/pytorch/serve at the tag v0.12.0, and compared with logs of 0.1.1, 0.10.0 and 0.12.0.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines.arguments import Given
from askew.engines.live import Log
from askew.engines.logged import Says, State, gathered, last_start, lines, named, stated, whole
from askew.engines.observe import read_given
from askew.engines.torchserve.flags import SETTINGS
from askew.evidence.launch import Token
from askew.evidence.redaction import is_redacted
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown

_STARTS = ("Torchserve version: ",)
# How the configuration is printed → the property that it is.
_PROPERTIES = {
    "Inference address: ": "inference_address",
    "Default workers per model: ": "default_workers_per_model",
    "Maximum Request Size: ": "max_request_size",
}
_FLAGS = {flag.names[0]: flag for flag in SETTINGS}


def _some(text: str) -> Value:
    """A number above zero: none is no count of what a replica asks for."""
    if not int(text[:9]):
        raise ValueError("none")
    return whole(text)


_TABLE = (
    Says(
        mark=_STARTS[0],
        pattern=r"^\s*Torchserve version: (\d\S*)\s*$",
        states=(State(fact="runtime.engine.version"),),
    ),
    Says(
        mark="Number of GPUs: ",
        pattern=r"^\s*Number of GPUs: (\d+)\s*$",
        states=(State(fact="hardware.gpu.count", read=_some),),
    ),
)


def _speaks(told: Told) -> bool:
    return _STARTS[0] in told.text or "org.pytorch.serve." in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    found = list(stated(told, _TABLE, since))
    for mark, name in _PROPERTIES.items():
        found.extend(_property(told, since, mark, name))
    found.extend(gathered(told, "ModelManager - Model ", r"ModelManager - Model (\S+) loaded\.", since=since))
    return named("torchserve", found)


def _property(told: Told, since: int, mark: str, name: str) -> Iterator[Observation]:
    for line in lines(told, mark, since):
        value = line.text.partition(mark)[2].strip()
        if not line.text.lstrip().startswith(mark) or not value or is_redacted(value):
            continue
        word = Token(value, line.at(line.text.index(mark) + len(mark)))
        given = Given(flag=_FLAGS[name], name=Token(name, word.location), spelled=name, values=(word,))
        for one in read_given(given, engine="TorchServe", origin="reported").observations:
            if not isinstance(one.value, Unknown) and one.fact != "serving.protocol":
                yield msgspec.structs.replace(one, basis="seen", order=line.number)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
