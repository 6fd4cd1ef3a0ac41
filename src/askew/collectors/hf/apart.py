"""Two tokenizers of this machine that are known to differ, looked at side by side.

A snapshot keeps a vocabulary as its digest. Where both files still lie where they were read, and still are what was
read, they tell which tokens differ, and the libraries that encode tell the shortest text that becomes other tokens.
"""

from __future__ import annotations

import os

import msgspec

from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.hf import tokens
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor
from askew.platforms.huggingface import probes, tokenizer, words
from askew.platforms.huggingface.tokenizer_json import Token, Tokenizer

_SECONDS = 8.0  # of looking for the shortest text
_LONGEST = 64


class Parted(msgspec.Struct, frozen=True):
    """In what two tokenizers part: sentences on their vocabularies, and the shortest text that was found to tell them
    apart, with what each makes of it."""

    sentences: tuple[str, ...] = ()
    text: str = ""
    reference: str = ""
    target: str = ""


class _Side(msgspec.Struct, frozen=True):
    path: str
    data: bytes
    merges: bytes | None
    found: Tokenizer
    added: list[Token]
    way: tokens.Way


def parted(reference: str, target: str, seen: tuple[str, str], redactor: Redactor) -> Parted:
    """What tells two files with a vocabulary apart. ``seen``: the digest of each tokenizer as it was read; a file that
    has another one by now tells nothing. Nothing is raised for what lies there."""
    one, two = (_side(path, digest) for path, digest in zip((reference, target), seen, strict=True))
    if one is None or two is None or one.found.kind != two.found.kind:
        return Parted()
    listed = [words.words(side.found.kind, side.data, side.merges) for side in (one, two)]
    found = words.part(listed[0], listed[1], one.added, two.added)
    sentences = tuple(redactor.text(sentence) for sentence in found.sentences)
    if not one.way.library:
        return Parted(sentences)
    texts = one.way.texts(probes.TEXTS)
    named = [text for token in found.named for text in (token, _plain(token)) if 0 < len(text) <= _LONGEST]
    named = [text for text in named if "\0" not in text and redactor.text(text) == text]
    asked = {
        "kind": "apart",
        "sides": [one.way.asked, two.way.asked],
        "texts": texts,
        "named": named,
        "seconds": _SECONDS,
    }
    answers = tokens.ask(one.way.library, asked, probes.Encoded).answers
    if len(answers) != 2:
        return Parted(sentences)
    (text, *left), (_, *right) = answers
    return Parted(sentences, text, probes.answer(*left), probes.answer(*right))


def _plain(token: str) -> str:
    """A token as text: SentencePiece and GPT-2 write a blank as another character."""
    return token.replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n").replace("##", "")


def _side(path: str, digest: str) -> _Side | None:
    folder, name = os.path.split(path)
    reader = Reader(Redactor())
    try:
        data = read_bytes(os.path.realpath(path), tokens.MOST_BYTES)
        merges = None
        if name == "vocab.json":
            merges = read_bytes(os.path.realpath(os.path.join(folder, "merges.txt")), tokens.MOST_BYTES)
        for file in tokens.READ:
            if os.path.isfile(beside := os.path.join(folder, file)):
                reader.add_manifest(beside, read_bytes(os.path.realpath(beside)), named=True)
        found = tokens.parsed(name, data, merges)
    except (UnreadableError, OSError, ValueError):
        return None
    files = {os.path.basename(document.source): document for document in reader.documents}
    if tokenizer.digest_of(files, found) != digest:
        return None
    added, _ = tokenizer.added_tokens(files, found)
    way = tokens.encoding(found, files, name, os.path.abspath(os.path.realpath(path)))
    return _Side(path, data, merges, found, added, way)
