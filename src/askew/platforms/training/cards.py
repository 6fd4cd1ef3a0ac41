"""A model card (``README.md``): the front matter, and the versions that the Trainer writes below it.

Sources: https://huggingface.co/docs/hub/model-cards#specifying-a-base-model and ``TrainingSummary.to_model_card`` of
https://github.com/huggingface/transformers/blob/v4.51.3/src/transformers/modelcard.py; what Axolotl adds to it,
https://github.com/axolotl-ai-cloud/axolotl/blob/v0.9.0/src/axolotl/train.py (``setup_model_card``)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.evidence.location import Location
from askew.evidence.yaml import read
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.platforms.packages.pin import Pin, states
from askew.platforms.training.settings import BASE, DTYPE, NAMES, SEED, at, of_settings
from askew.resolve.observation import Observation, Unknown

_FRONT = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^[-*] (?:\*\*)?([A-Za-z][\w .-]{0,60}?)(?:\*\*)?:? +v?(\d[\w.+!]{0,60})[ \t\r]*$", re.MULTILINE)
_HEAD = re.compile(r"^#{2,4} Framework versions[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
_PARAMETERS = re.compile(r"^#{2,4} Training hyperparameters[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
_AXOLOTL = re.compile(
    r"^axolotl version: `([\w.+!]{1,40})`\s{0,20}```ya?ml[ \t]*\r?\n(.*?)^```", re.DOTALL | re.MULTILINE
)
_SEED = re.compile(r"^[-*] seed: (\d{1,12})[ \t\r]*$", re.MULTILINE)
_NEXT = re.compile(r"^#", re.MULTILINE)
_NAMES = {"pytorch": "torch", "tensorflow": "tensorflow"}


def of_card(text: SourceText) -> Iterator[Observation]:
    """The facts that a card states; people write cards, so none is more than likely."""
    yield from _base(text)
    yield from states("model.training.packages", _versions(text), origin="model", confidence="likely")
    axolotl = _AXOLOTL.search(text.text)
    if axolotl is not None:
        yield from _of_axolotl(text, axolotl)
    section = _section(text.text, _PARAMETERS) if axolotl is None else None
    if section and (seed := _SEED.search(text.text, *section)) is not None:
        yield observed(SEED, seed[1], _place(text, seed.start(1)), origin="model", confidence="likely")


def is_card(text: str) -> bool:
    """Whether a text is a card: it has a front matter, or the sections that the Trainer writes."""
    return _FRONT.match(text) is not None or _HEAD.search(text) is not None


def _base(text: SourceText) -> Iterator[Observation]:
    front = _FRONT.match(text.text)
    if front is None:
        return
    stream = read(front[1], text.source, base=Location(text.source, line=2, column=1))
    for document in stream.documents[:1]:
        node = document.root["base_model"]
        names = [one.text() for one in node.each() if one.text()] if node.is_sequence else [node.text()]
        if len(names) == 1 and names[0]:
            yield observed(BASE, names[0], node.location, origin="model", confidence="likely")
        elif len(names) > 1:
            reason = Unknown(f"made of several models: {', '.join(str(name) for name in names[:5])}")
            yield observed(BASE, reason, node.location, origin="model")
        dtype = document.root["dtype"]  # mergekit's cards
        if dtype.text():
            yield observed(DTYPE, dtype.text(), dtype.location, origin="model", confidence="likely")


def _of_axolotl(text: SourceText, found: re.Match[str]) -> Iterator[Observation]:
    """Axolotl puts its release and the whole configuration of the run into the card."""
    pin = Pin("axolotl", found[1], _place(text, found.start(1)))
    yield from states("model.training.packages", (pin,), origin="model", confidence="likely")
    base = _place(text, found.start(2))
    for document in read(found[2], text.source, base=base).documents[:1]:
        yield from of_settings(at(document.root), NAMES["axolotl"], "likely")


def _versions(text: SourceText) -> Iterator[Pin]:
    section = _section(text.text, _HEAD)
    if section:
        for line in _LINE.finditer(text.text, *section):
            name = line[1].strip()
            yield Pin(_NAMES.get(name.lower(), name.replace(" ", "-")), line[2], _place(text, line.start(1)))


def _section(text: str, head: re.Pattern[str]) -> tuple[int, int] | None:
    found = head.search(text)
    if found is None:
        return None
    end = _NEXT.search(text, found.end())
    return found.end(), end.start() if end is not None else len(text)


def _place(text: SourceText, offset: int) -> Location:
    before = text.text.rfind("\n", 0, offset)
    return Location(text.source, line=text.text.count("\n", 0, offset) + 1, column=offset - before)
