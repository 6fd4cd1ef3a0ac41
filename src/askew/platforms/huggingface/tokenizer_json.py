"""``tokenizer.json`` in canonical form: what changes token ids or decoded text, and nothing else.

Spelled-out defaults, the two ways to write merges and prefixes, sequences of one and all that only moves offsets make
no difference. Truncation and padding are left out: whoever serves sets both anew (transformers on every call).
Sources: ``models/*/serialization.rs``, ``pre_tokenizers`` and ``processors`` in
https://github.com/huggingface/tokenizers/tree/v0.22.1/tokenizers/src and ``set_truncation_and_padding`` of
https://github.com/huggingface/transformers/blob/v4.57.1/src/transformers/tokenization_utils_fast.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TypeAlias

import msgspec

from askew.evidence.redaction import shown
from askew.facts.types import Value

Map: TypeAlias = dict[str, Value]

# What a part means where a key is left out; a key that equals it is dropped.
_DEFAULTS: Mapping[str, Map] = {
    "BPE": {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False},
    "WordPiece": {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
    "Unigram": {"unk_id": None, "byte_fallback": False},
    "ByteLevel": {"add_prefix_space": True, "use_regex": True},
    "Metaspace": {"replacement": "▁", "prepend_scheme": "always", "split": True},
    "Split": {"invert": False},
    "Digits": {"individual_digits": False},
    "Punctuation": {"behavior": "Isolated"},
    "BertNormalizer": {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
}  # fmt: skip
# What only moves offsets: of no consequence for token ids.
_OFFSETS = frozenset(("trim_offsets", "str_rep"))
_MEMBERS = {
    "normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors",
    "decoder": "decoders",
}  # fmt: skip
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


class Token(msgspec.Struct, frozen=True, order=True):
    """A token added to the vocabulary: its id, its text, and those of its flags that are set."""

    id: int
    content: str
    flags: tuple[str, ...] = ()


class Bulk(msgspec.Struct, frozen=True):
    """A part too long to be shown: how many entries, and their digest."""

    count: int
    digest: str


class Tokenizer(msgspec.Struct, frozen=True, kw_only=True):
    """A tokenizer in canonical form. ``size`` counts the ids, those of added tokens among them.

    ``kind`` is the file's: ``tokenizer.json``, ``vocab``, ``sentencepiece``, ``tiktoken``, ``tekken``. The parts are
    JSON with sorted keys, empty where there is none.
    """

    kind: str
    size: int = 0
    model: str = ""
    vocabulary: Bulk | None = None
    merges: Bulk | None = None
    normalizer: str = ""
    pre_tokenizer: str = ""
    post_processor: str = ""
    decoder: str = ""
    added: list[Token] = []


def canonical(data: bytes) -> Tokenizer:
    """Read the file. Raises ValueError saying what was expected."""
    try:
        root = msgspec.json.decode(data)
    except RecursionError:
        raise ValueError("expected JSON, found too many levels of nesting") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"expected JSON: {error}") from None
    if not isinstance(root, dict) or not isinstance(root.get("model"), dict):
        raise ValueError("expected an object with the key model, as the tokenizers library writes it")
    model: Map = dict(root["model"])
    vocabulary, merges = model.pop("vocab", None), model.pop("merges", None)
    kind = model.setdefault("type", _kind(vocabulary, merges))
    for prefix in ("continuing_subword_prefix", "end_of_word_suffix"):
        if kind == "BPE" and model.get(prefix) == "":
            model[prefix] = None
    added = _added(root.get("added_tokens"))
    pieces, ids = _vocabulary(vocabulary)
    parts = {name: text(_part(name, root.get(name))) for name in _MEMBERS}
    return Tokenizer(
        kind="tokenizer.json",
        size=len(ids | {token.id for token in added}),
        model=text(_without_defaults(model)),
        vocabulary=bulk(pieces),
        merges=bulk(_merges(merges)) if merges else None,
        added=added,
        **parts,
    )


def numbered(data: bytes) -> tuple[dict[str, int], dict[str, str], list[str]]:
    """Of a file that ``canonical`` could read: the tokens with their ids, scores where there are some, and the merges,
    the halves of each with NUL between them."""
    model = msgspec.json.decode(data)["model"]
    vocabulary = model.get("vocab")
    merges = _merges(model.get("merges"))
    if isinstance(vocabulary, dict):
        return vocabulary, {}, merges
    ids = {str(piece): number for number, (piece, _) in enumerate(vocabulary)}
    return ids, {str(piece): repr(float(score)) for piece, score in vocabulary}, merges


def bulk(entries: Iterable[str]) -> Bulk:
    """Count and digest of a list of texts."""
    seen, count = sha256(), 0
    for entry in entries:
        raw = entry.encode("utf-8", "surrogatepass")
        seen.update(b"%d:" % len(raw))
        seen.update(raw)
        count += 1
    return Bulk(count, f"sha256:{seen.hexdigest()}")


def text(part: Value) -> str:
    """A part as JSON with sorted keys, empty where there is none."""
    return "" if part is None else msgspec.json.encode(part, order="sorted").decode()


def digest(value: object) -> str:
    """Digest of plain data in canonical form: the order of keys makes no difference, nor does what hides a secret."""
    text = msgspec.json.encode(value, order="sorted")
    if b"redacted:" in text:
        text = shown(text.decode()).encode()
    return f"sha256:{sha256(text).hexdigest()}"


def _kind(vocabulary: object, merges: object) -> Value:
    """Old files leave the type out."""
    return "BPE" if merges is not None else "Unigram" if isinstance(vocabulary, list) else "WordPiece"


def _vocabulary(vocabulary: object) -> tuple[list[str], set[int]]:
    if isinstance(vocabulary, dict):
        pairs = [(number, token) for token, number in vocabulary.items() if isinstance(number, int)]
        if len(pairs) != len(vocabulary):
            raise ValueError("expected a vocabulary of tokens and their ids")
        pairs.sort()
        return [f"{number} {token}" for number, token in pairs], {number for number, _ in pairs}
    if isinstance(vocabulary, list):
        try:
            return [f"{float(score)!r} {piece}" for piece, score in vocabulary], set(range(len(vocabulary)))
        except (TypeError, ValueError):
            raise ValueError("expected a vocabulary of pieces and their scores") from None
    raise ValueError("expected a vocabulary in model.vocab")


def _merges(merges: object) -> list[str]:
    """``"a b"`` in old files, ``["a", "b"]`` since tokenizers 0.20."""
    found: list[str] = []
    for merge in merges if isinstance(merges, list) else ():
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(half, str) for half in pair):
            raise ValueError("expected merges of two tokens each in model.merges")
        found.append("\0".join(pair))
    return found


def _added(tokens: object) -> list[Token]:
    found: list[Token] = []
    for token in tokens if isinstance(tokens, list) else ():
        if (
            not isinstance(token, dict)
            or not isinstance(token.get("id"), int)
            or not isinstance(token.get("content"), str)
        ):
            raise ValueError("expected added tokens with id and content in added_tokens")
        found.append(added(token["id"], token["content"], token))
    return sorted(found)


def added(number: int, content: str, flags: Mapping[str, object]) -> Token:
    """An added token with its flags; one that is not special is normalised unless that is said."""
    said = {name: flags.get(name) is True for name in FLAGS}
    if "normalized" not in flags:
        said["normalized"] = not said["special"]
    return Token(number, content, tuple(name for name in FLAGS if said[name]))


def _part(name: str, part: Value) -> Value:
    """A normaliser, pre-tokenizer, post-processor or decoder; None for none, and for one that does nothing."""
    steps = list(_steps(name, part))
    return steps[0] if len(steps) == 1 else {"type": "Sequence", "steps": steps} if steps else None


def _steps(name: str, part: Value) -> Iterable[Value]:
    if not isinstance(part, dict):
        return
    if part.get("type") == "Sequence":
        members = part.get(_MEMBERS[name])
        for member in members if isinstance(members, list) else ():
            yield from _steps(name, member)
        return
    step = {key: value for key, value in part.items() if key not in _OFFSETS}
    kind = step.get("type")
    if kind == "ByteLevel" and name == "post_processor":
        return  # it trims offsets
    if kind == "ByteLevel" and name == "decoder":
        step = {"type": kind}
    if kind == "RobertaProcessing":
        step.pop("add_prefix_space", None)
    if kind == "Metaspace":
        legacy = step.pop("add_prefix_space", None)
        if "prepend_scheme" not in step and legacy is False:
            step["prepend_scheme"] = "never"
    yield _without_defaults(step)


def _without_defaults(part: Map) -> Map:
    defaults = _DEFAULTS.get(str(part.get("type")), {})
    return {key: value for key, value in part.items() if key not in defaults or value != defaults[key]}
