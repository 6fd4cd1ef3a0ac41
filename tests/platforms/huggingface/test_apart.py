"""Where two tokenizers part: the tokens by name, and the shortest text that tells the two apart."""

from __future__ import annotations

import base64
import copy
import json
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.pipeline import Options, diff
from askew.collectors.hf import apart
from askew.collectors.hf.apart import Parted, parted
from askew.evidence.redaction import Redactor
from askew.platforms.huggingface.probes import TEXTS
from askew.platforms.huggingface.words import Words, part, words
from tests.platforms.huggingface.test_tokenizer import PIECES, field, sentencepiece, tekken
from tests.platforms.huggingface.tokenizers_made import base, write

needs_tokenizers = pytest.mark.skipif(
    find_spec("tokenizers") is None, reason="encodes with tokenizers, of the extra 'artifacts'"
)
DIGEST, BEHAVIOUR = "model.tokenizer.digest", "model.tokenizer.behaviour"


def found(tmp_path, change, name="tokenizer.json"):
    """Findings by rule, of the directory and the one with a change."""
    files = copy.deepcopy(base())
    change(files[name])
    return between(tmp_path, base(), files)


def between(tmp_path, one, two):
    report = diff(f"hf:{write(tmp_path / 'a', one)}", f"hf:{write(tmp_path / 'b', two)}", Options())
    return {finding.rule: finding for finding in report.workloads[0].findings}


def swap(tokenizer):
    ids = tokenizer["model"]["vocab"]
    ids["hell"], ids["ab"] = ids["ab"], ids["hell"]


def with_word(tokenizer):
    tokenizer["model"]["vocab"]["zq"] = 277
    tokenizer["model"]["merges"].append(["z", "q"])


def test_tokens_with_other_ids_are_named(tmp_path):
    impact = found(tmp_path, swap)[DIGEST].impact
    ids = base()["tokenizer.json"]["model"]["vocab"]
    hell, ab = ids["hell"], ids["ab"]
    assert f'Tokens with another id: "hell" ({hell} → {ab}), "ab" ({ab} → {hell}).' in impact
    assert "sha256:" in impact and ".." not in impact


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_word, 'Tokens only in the target: "zq" (277). Merges only in the target: "z" + "q" (rank 16).'),
        (lambda t: t["model"]["merges"].remove(["Ġ", "a"]), 'Merges only in the reference: "Ġ" + "a" (rank 11).'),
        (
            lambda t: t["model"]["merges"].reverse(),
            'Merges in another order: "h" + "e" comes first in the reference, "He" + "ll" in the target.',
        ),
        (lambda t: t["model"]["vocab"].update({f"w{n}": 300 + n for n in range(50)}), '"w2" (302) and 47 more.'),
        (
            lambda t: t["added_tokens"].append({"id": 290, "content": "<tool>", "special": True}),
            'Tokens only in the target: "<tool>" (290).',
        ),
    ],
)
def test_what_only_one_of_them_has_is_named(tmp_path, change, says):
    assert says in found(tmp_path, change)[DIGEST].impact


@needs_tokenizers
def test_a_difference_that_no_probe_meets_is_met_by_its_token(tmp_path):
    findings = found(tmp_path, with_word)
    assert BEHAVIOUR not in findings
    ids = base()["tokenizer.json"]["model"]["vocab"]
    told = f'No probe tells them apart, but "zq" does: {ids["z"]} {ids["q"]}, decoded "zq" became 277, decoded "zq".'
    assert told in findings[DIGEST].impact


@needs_tokenizers
@pytest.mark.parametrize(
    ("change", "shortest"),
    [
        (swap, "ab"),
        (lambda t: t["model"]["merges"].remove(["Ġw", "or"]), " wor"),
        (lambda t: t["model"]["merges"].remove(["12", "3"]), "123"),
        (lambda t: t.update(normalizer={"type": "Lowercase"}), "A"),
        (lambda t: t.update(normalizer=None), "e\u0301"),
    ],
)
def test_the_text_is_the_shortest_of_all_pieces_of_the_probes(tmp_path, change, shortest):
    from tokenizers import Tokenizer

    finding = found(tmp_path, change)[BEHAVIOUR]
    text = json.loads(finding.reference.because[0].partition(" → ")[0])
    assert len(text) == len(shortest)
    assert finding.impact.count(f"{json.dumps(text, ensure_ascii=False)}: ") == 1
    both = [Tokenizer.from_file(str(tmp_path / name / "tokenizer.json")) for name in "ab"]
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for tokenizer in both]
    assert " ".join(map(str, ids[0])) in finding.reference.because[0]
    assert " ".join(map(str, ids[1])) in finding.target.because[0]
    for size in range(1, len(text)):
        for piece in {probe[at : at + size] for probe in TEXTS for at in range(len(probe) - size + 1)}:
            one, two = (tokenizer.encode(piece, add_special_tokens=False) for tokenizer in both)
            assert one.ids == two.ids, piece


def test_files_that_changed_since_tell_nothing(tmp_path):
    write(tmp_path, base())
    path = str(tmp_path / "tokenizer.json")
    assert parted(path, path, ("sha256:0", "sha256:1"), Redactor()) == Parted()
    assert parted("/nowhere/tokenizer.json", str(tmp_path), ("", ""), Redactor()) == Parted()


def test_a_search_that_takes_too_long_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "_SECONDS", 0.0)
    finding = found(tmp_path, swap)
    assert 'Tokens with another id: "hell"' in finding[DIGEST].impact


def test_without_the_library_the_tokens_are_named_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert 'Tokens with another id: "hell"' in found(tmp_path, swap)[DIGEST].impact


def test_pieces_with_other_scores_are_named(tmp_path):
    one, two = (
        {"tokenizer.model": sentencepiece([*PIECES[:4], ("b", score, 1)], field(3, 1))} for score in (-2.0, -2.5)
    )
    assert 'Tokens with another score: "b" (-2.0 → -2.5).' in between(tmp_path, one, two)[DIGEST].impact


def test_ranks_and_lines_are_named(tmp_path):
    lines = [base64.b64encode(token) + b" %d" % rank for rank, token in enumerate((b"a", b"b", b" the", b"\xff"))]
    one, two = ({"x.tiktoken": b"\n".join(part)} for part in (lines, lines[:2]))
    impact = between(tmp_path / "ranks", one, two)[DIGEST].impact
    assert r'Tokens only in the reference: " the" (2), "\\xff" (3).' in impact
    one, two = ({"vocab.txt": text.encode()} for text in ("[UNK]\na\nb\n", "[UNK]\nb\na\n"))
    assert '"a" (1 → 2), "b" (2 → 1).' in between(tmp_path / "lines", one, two)[DIGEST].impact
    raw = json.loads(tekken())
    raw["vocab"][97]["token_bytes"] = base64.b64encode(b"aa").decode()
    one, two = ({"tekken.json": text} for text in (tekken(), json.dumps(raw).encode()))
    assert 'Tokens only in the target: "aa" (97).' in between(tmp_path / "tekken", one, two)[DIGEST].impact


def test_a_secret_among_the_tokens_is_not_shown(tmp_path):
    secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    report = found(tmp_path, lambda t: t["model"]["vocab"].update({secret: 290}))
    assert "(290)" in report[DIGEST].impact and secret not in str(report)


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 9)), st.dictionaries(st.text(max_size=4), st.integers(0, 9)))
def test_vocabularies_that_are_equal_part_in_nothing_and_others_in_something(one, two):
    sentences = part(Words(one), Words(two)).sentences
    assert bool(sentences) == (one != two)


def test_a_unigram_vocabulary():
    data = {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1.5]]}}
    assert words("tokenizer.json", json.dumps(data).encode(), None) == Words(
        {"<unk>": 0, "a": 1}, {"<unk>": "0.0", "a": "-1.5"}
    )
