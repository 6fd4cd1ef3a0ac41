"""Tokenizer, chat template and the probes of both, out of what a collector handed on of one directory."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.platforms.huggingface import chat_template, probes, tokenizer, tokenizer_json
from askew.platforms.interface import SourceText
from askew.resolve.observation import Observation

FILES = (tokenizer.CONFIG, tokenizer.SPECIAL, tokenizer.ADDED, chat_template.LEGACY)
TOKENIZER = "#tokenizer"  # behind the name of a file: a tokenizer in canonical form
PARTS = (TOKENIZER, chat_template.TEMPLATE, probes.PROBES)


def by_folder(texts: Sequence[SourceText]) -> dict[str, list[SourceText]]:
    """The texts of this module by the directory that they are of."""
    found: dict[str, list[SourceText]] = {}
    for text in texts:
        if text.source.endswith((*PARTS, chat_template.GGUF)):
            folder = os.path.dirname(text.source.removesuffix(probes.PROBES) or ".")
            if os.path.basename(folder) == chat_template.FOLDER:
                folder = os.path.dirname(folder)
            found.setdefault(folder, []).append(text)
    return found


def read(
    files: Mapping[str, Document], texts: Sequence[SourceText], listed: frozenset[str] | None, place: Location
) -> Iterator[Observation]:
    """The facts of one directory."""
    found = next((text for text in texts if text.source.endswith(TOKENIZER)), None)
    vocabulary = None
    if found is not None:
        try:
            vocabulary = msgspec.json.decode(found.text, type=tokenizer_json.Tokenizer)
        except msgspec.DecodeError:
            vocabulary = None
    at = Location(found.source.removesuffix(TOKENIZER), line=1, column=1) if found is not None else place
    yield from tokenizer.of_tokenizer(files, vocabulary, at)
    answers = next((text.text for text in texts if text.source.endswith(probes.PROBES)), "")
    templates = [text for text in texts if text.source.endswith((chat_template.TEMPLATE, chat_template.GGUF))]
    yield from chat_template.of_template(files, templates, listed, place, probes.was_rendered(answers))
    if answers:
        yield from probes.of_probes(answers)
