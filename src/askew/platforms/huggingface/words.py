"""The tokens of a vocabulary by name, and in what two vocabularies part: only looked at where their digests differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from askew.platforms.huggingface.tokenizer_json import Token, numbered
from askew.platforms.huggingface.vocabularies import ranked, scored

_MOST = 3  # tokens of one sort that are named
_LONGEST = 40  # characters of a token that are shown
_MOST_NAMED = 200


class Words(msgspec.Struct, frozen=True):
    """The tokens with their ids, the scores or kinds of those that have some, and the merges in their order."""

    ids: dict[str, int]
    notes: dict[str, str] = {}
    merges: list[str] = []


class Partings(msgspec.Struct, frozen=True):
    """In what two vocabularies part, a sentence each, and tokens that only one of them has or has elsewhere."""

    sentences: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


def words(kind: str, data: bytes, merges: bytes | None) -> Words:
    """The vocabulary of a file that ``vocabularies`` or ``tokenizer_json`` could read. ``kind`` is theirs."""
    if kind == "tokenizer.json":
        ids, notes, pairs = numbered(data)
        return Words(ids, notes, pairs)
    if kind == "sentencepiece":
        pieces = scored(data)
        notes = dict(pieces)
        return Words({piece: number for number, (piece, _) in enumerate(pieces)}, notes)
    ids, pairs = ranked(kind, data, merges)
    return Words(ids, {}, pairs)


def part(one: Words, two: Words, one_added: Sequence[Token] = (), two_added: Sequence[Token] = ()) -> Partings:
    """What tells two vocabularies of one kind apart. ``…_added``: tokens that files beside them add."""
    left = {**one.ids, **{token.content: token.id for token in one_added}}
    right = {**two.ids, **{token.content: token.id for token in two_added}}
    sentences: list[str] = []
    gone = sorted(left.keys() - right.keys(), key=lambda token: (left[token], token))
    come = sorted(right.keys() - left.keys(), key=lambda token: (right[token], token))
    moved = sorted(
        (token for token, number in left.items() if right.get(token, number) != number),
        key=lambda token: (left[token], token),
    )
    sentences += _listed("only in the reference", len(gone), (f"{_quoted(t)} ({left[t]})" for t in gone))
    sentences += _listed("only in the target", len(come), (f"{_quoted(t)} ({right[t]})" for t in come))
    sentences += _listed("with another id", len(moved), (f"{_quoted(t)} ({left[t]} → {right[t]})" for t in moved))
    notes = [t for t, note in one.notes.items() if t in two.notes and two.notes[t] != note]
    scores = (f"{_quoted(t)} ({one.notes[t]} → {two.notes[t]})" for t in notes)
    sentences += _listed("with another score", len(notes), scores)
    sentences += _merges(one.merges, two.merges)
    only = sorted({*one.merges} ^ {*two.merges}, key=lambda pair: (len(pair), pair))
    only += [pair for pair, other in zip(one.merges, two.merges, strict=False) if pair != other]
    joined = (pair.replace("\0", "") for pair in only[:_MOST_NAMED])
    named = [*gone[:_MOST_NAMED], *come[:_MOST_NAMED], *moved[:_MOST_NAMED], *notes[:_MOST_NAMED]]
    return Partings(tuple(sentences), (*named, *joined))


def _merges(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    if left == right:
        return
    here, there = set(left), set(right)
    gone = [(rank, pair) for rank, pair in enumerate(left) if pair not in there]
    come = [(rank, pair) for rank, pair in enumerate(right) if pair not in here]
    yield from _listed("merges only in the reference", len(gone), (f"{_pair(p)} (rank {r})" for r, p in gone), "")
    yield from _listed("merges only in the target", len(come), (f"{_pair(p)} (rank {r})" for r, p in come), "")
    common = [pair for pair in left if pair in there], [pair for pair in right if pair in here]
    for one, other in zip(*common, strict=False):
        if one != other:
            yield f"merges in another order: {_pair(one)} comes first in the reference, {_pair(other)} in the target"
            return


def _listed(what: str, count: int, items: Iterable[str], noun: str = "tokens ") -> list[str]:
    if not count:
        return []
    first = [item for item, _ in zip(items, range(_MOST), strict=False)]
    more = f" and {count - len(first):,} more" if count > len(first) else ""
    return [f"{noun}{what}: {', '.join(first)}{more}"]


def _pair(merge: str) -> str:
    left, _, right = merge.partition("\0")
    return f"{_quoted(left)} + {_quoted(right)}"


def _quoted(token: str) -> str:
    return msgspec.json.encode(token if len(token) <= _LONGEST else f"{token[:_LONGEST]}…").decode()
