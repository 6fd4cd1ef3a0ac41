"""Tokenizers in other files than ``tokenizer.json``: SentencePiece models, ranks, vocabularies with and without merges.

Sources: https://github.com/google/sentencepiece/blob/v0.2.0/src/sentencepiece_model.proto and ``load_tiktoken_bpe`` of
https://github.com/openai/tiktoken/blob/0.9.0/tiktoken/load.py; ``tokens/tokenizers/tekken.py`` of
https://github.com/mistralai/mistral-common (which ranks count: ``_reload_mergeable_ranks``)
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator

import msgspec

from askew.facts.types import Value
from askew.platforms.huggingface.tokenizer_json import Map, Token, Tokenizer, bulk, text

_MOST_PIECES = 4_000_000
_NORMALIZER = {1: "name", 2: "charsmap", 3: "add_dummy_prefix", 4: "remove_extra_whitespaces", 5: "escape_whitespaces",
               6: "rules"}  # fmt: skip
# Of the trainer's settings those that matter when encoding; the rest is how the model came about.
_TRAINER = {3: "model_type", 24: "treat_whitespace_as_suffix", 35: "byte_fallback", 40: "unk_id", 41: "bos_id",
            42: "eos_id", 43: "pad_id"}  # fmt: skip
_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_DEFAULTS: Map = {
    "model_type": 1, "treat_whitespace_as_suffix": 0, "byte_fallback": 0, "unk_id": 0, "bos_id": 1, "eos_id": 2,
    "pad_id": -1, "name": "", "charsmap": "", "add_dummy_prefix": 1, "remove_extra_whitespaces": 1,
    "escape_whitespaces": 1, "rules": "",
}  # fmt: skip


def of_sentencepiece(data: bytes) -> Tokenizer:
    """A ``tokenizer.model``. Raises ValueError saying what was expected."""
    pieces: list[str] = []
    model: Map = {}
    normalizer: Map = {}
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            pieces.append(_piece(value))
            if len(pieces) > _MOST_PIECES:
                raise ValueError(f"expected at most {_MOST_PIECES:,} pieces")
        elif field in (2, 3) and isinstance(value, bytes):
            names, into = (_TRAINER, model) if field == 2 else (_NORMALIZER, normalizer)
            for number, part in _fields(value):
                if number in names:
                    into[names[number]] = _plain(part)
    if not pieces:
        raise ValueError("expected a SentencePiece model with pieces")
    kind = _TYPES.get(int(str(model.pop("model_type", 1))), "unknown")
    return Tokenizer(
        kind="sentencepiece",
        size=len(pieces),
        model=text({"type": kind, **_stated(model)}),
        vocabulary=bulk(pieces),
        normalizer=text(_stated(normalizer) or None),
    )


def of_tiktoken(data: bytes) -> Tokenizer:
    """Lines of a token in base64 and its rank. Raises ValueError for anything else."""
    ranks = _ranks(data)
    return Tokenizer(
        kind="tiktoken",
        size=len(ranks),
        model=text({"type": "tiktoken"}),
        vocabulary=bulk(f"{r} {t}" for r, t in ranks),
    )


def _ranks(data: bytes) -> list[tuple[int, str]]:
    ranks: list[tuple[int, str]] = []
    for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        if line.strip():
            token, _, rank = line.strip().partition(" ")
            if not rank.strip().isdigit():
                raise ValueError(f"expected a token in base64 and its rank in line {number}")
            ranks.append((int(rank), token))
    if not ranks:
        raise ValueError("expected tokens in base64 with their ranks")
    return sorted(ranks)


class _Ranked(msgspec.Struct, frozen=True):
    rank: int
    token_bytes: str


class _Special(msgspec.Struct, frozen=True):
    rank: int
    token_str: str


class _Tekken(msgspec.Struct, frozen=True):
    config: dict[str, int | float | str | None]
    vocab: list[_Ranked]
    special_tokens: list[_Special] | None = None


def of_tekken(data: bytes) -> Tokenizer:
    """Mistral's ``tekken.json``: ranks, the pattern that splits, special tokens. Raises ValueError."""
    found, ranks = _tekken(data)
    reserved = found.config.get("default_num_special_tokens")
    used = found.config.get("default_vocab_size")
    special = [Token(one.rank, one.token_str, ("special",)) for one in found.special_tokens or ()]
    return Tokenizer(
        kind="tekken",
        size=used if isinstance(used, int) else len(ranks) + len(special),
        # The special tokens have the first ids, so that their number moves those of all others.
        model=text({"type": "tekken", "version": found.config.get("version"), "first": reserved}),
        vocabulary=bulk(f"{rank} {token}" for rank, token in ranks),
        pre_tokenizer=text({"type": "Split", "pattern": {"Regex": found.config.get("pattern")}}),
        added=sorted(special),
    )


def _tekken(data: bytes) -> tuple[_Tekken, list[tuple[int, str]]]:
    """The file, and the ranks of it that are used, each with its token in base64."""
    try:
        found = msgspec.json.decode(data, type=_Tekken)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"expected the ranks of a tekken tokenizer: {error}") from None
    used = found.config.get("default_vocab_size")
    reserved = found.config.get("default_num_special_tokens")
    ranks = sorted((one.rank, one.token_bytes) for one in found.vocab)
    if isinstance(used, int) and isinstance(reserved, int):
        ranks = ranks[: max(0, used - reserved)]  # the rest of the file is not used
    return found, ranks


def of_vocabulary(vocabulary: bytes, merges: bytes | None) -> Tokenizer:
    """``vocab.json`` with ``merges.txt`` beside it, or ``vocab.txt`` with a token a line. Raises ValueError."""
    pairs, joined = _pairs(vocabulary, merges)
    return Tokenizer(
        kind="vocab",
        size=len({number for number, _ in pairs}),
        model=text({"type": "WordPiece" if merges is None else "BPE"}),
        vocabulary=bulk(f"{number} {token}" for number, token in pairs),
        merges=bulk(joined) if joined else None,
    )


def _pairs(vocabulary: bytes, merges: bytes | None) -> tuple[list[tuple[int, str]], list[str]]:
    if vocabulary.lstrip()[:1] == b"{" and merges is not None:
        try:
            found = msgspec.json.decode(vocabulary, type=dict[str, int])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"expected a map from tokens to ids: {error}") from None
        pairs = sorted((number, token) for token, number in found.items())
    else:
        lines = vocabulary.decode("utf-8", "replace").split("\n")
        pairs = [(number, line.rstrip("\r")) for number, line in enumerate(lines[:-1] if not lines[-1] else lines)]
    joined: list[str] = []
    for line in (merges or b"").decode("utf-8", "replace").split("\n"):
        line = line.rstrip("\r")
        if line and not line.startswith("#version"):
            joined.append(line.replace(" ", "\0"))
    return pairs, joined


def scored(data: bytes) -> list[tuple[str, str]]:
    """The pieces of a SentencePiece model in their order, each with its score and kind. Raises ValueError."""
    pieces = (_piece(value) for field, value in _fields(data) if field == 1 and isinstance(value, bytes))
    parts = (piece.split(" ", 2) for piece in pieces)
    return [(text, score if kind == "1" else f"{score}, type {kind}") for score, kind, text in parts]


def ranked(kind: str, data: bytes, merges: bytes | None) -> tuple[dict[str, int], list[str]]:
    """The tokens of the other files with their ranks or ids, and the merges. Raises ValueError."""
    if kind == "vocab":
        pairs, joined = _pairs(data, merges)
        return {token: number for number, token in pairs}, joined
    ranks = _ranks(data) if kind == "tiktoken" else _tekken(data)[1]
    return {_shown(token): rank for rank, token in ranks}, []


def _shown(token: str) -> str:
    """A token in base64 as text; bytes that are none as they are written in Python."""
    try:
        return base64.b64decode(token, validate=True).decode("utf-8", "backslashreplace")
    except ValueError:
        return token


def _piece(data: bytes) -> str:
    piece, score, kind = b"", 0.0, 1
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            piece = value
        elif field == 2 and isinstance(value, float):
            score = value
        elif field == 3 and isinstance(value, int):
            kind = value
    return f"{score!r} {kind} {piece.decode('utf-8', 'backslashreplace')}"


def _plain(value: int | float | bytes) -> Value:
    if not isinstance(value, bytes):
        return -1 if isinstance(value, int) and value == 2**64 - 1 else value
    if len(value) > 200:
        return bulk([value.hex()]).digest
    return value.decode("utf-8", "backslashreplace")


def _stated(found: Map) -> Map:
    return {name: value for name, value in found.items() if value != _DEFAULTS[name]}


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of one message of protocol buffers. Raises ValueError where the bytes are none."""
    at, end = 0, len(data)
    try:
        while at < end:
            tag, at = _varint(data, at)
            wire = tag & 7
            if wire == 0:
                number, at = _varint(data, at)
                yield tag >> 3, number
            elif wire == 2:
                length, at = _varint(data, at)
                if length > end - at:
                    raise ValueError
                yield tag >> 3, data[at : at + length]
                at += length
            elif wire in (1, 5):
                size, form = (8, "<d") if wire == 1 else (4, "<f")
                yield tag >> 3, struct.unpack_from(form, data, at)[0]
                at += size
            else:
                raise ValueError
    except (ValueError, IndexError, struct.error):
        raise ValueError("expected a SentencePiece model, found bytes that are no protocol buffer") from None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError
