"""The tokenizer of a model's directory: what text becomes which tokens.

Where ``tokenizer.json`` lies there it wins over the vocabularies beside it, as ``AutoTokenizer`` takes the fast class.
Sources: ``_from_pretrained`` of ``tokenization_utils_base.py`` (which file gives special and added tokens) and
``update_post_processor`` of ``models/llama/tokenization_llama_fast.py`` in
https://github.com/huggingface/transformers/tree/v4.57.1/src/transformers, and, for transformers 5, the former in
https://github.com/huggingface/transformers/tree/v5.0.0/src/transformers (it drops ``add_bos_token`` where there is a
``tokenizer.json``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from askew.evidence.document import Document, Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.huggingface.observe import seen
from askew.platforms.huggingface.tokenizer_json import FLAGS, Bulk, Token, Tokenizer, added, digest
from askew.platforms.kubernetes.observe import Entry, observed, observed_map
from askew.resolve.observation import Observation

CONFIG, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# Classes of transformers 4 that add BOS and EOS by settings of their own, BOS unless told otherwise.
_OWN_BOS = frozenset(("LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"))
# Pre-tokenizers by the names that llama.cpp gave them, for GGUF files carry those. Each is a split and bytes.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|NUMBERS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# How the code beside a file of ranks splits a text, which the file itself does not say: by the file's name, whether the
# text is normalised to NFC, and whose code it is. Sources: tokenization_qwen.py of
# https://huggingface.co/Qwen/Qwen-7B and llama/tokenizer.py of https://github.com/meta-llama/llama3.
RANKS: Mapping[str, tuple[str, bool, str]] = {
    "qwen.tiktoken": (_SPLIT.replace("NUMBERS", r"\p{N}"), True, "Qwen's tokenization_qwen.py"),
    "tokenizer.model": (_SPLIT.replace("NUMBERS", r"\p{N}{1,3}"), False, "the tokenizer.py of Llama 3"),
}
_SPLITS = {"llama-bpe": r"\p{N}{1,3}", "qwen2": r"\p{N}"}
_BYTES: Value = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
_BYTES_AND_WORDS: Value = {"type": "ByteLevel", "add_prefix_space": False}
_LONGEST = 2_000  # characters of a part that are shown
_BOS_NAMES = frozenset(("<s>", "<bos>", "<|begin_of_text|>", "<BOS_TOKEN>", "<｜begin▁of▁sentence｜>"))


def special_tokens(files: Mapping[str, Document]) -> dict[str, Node]:
    """The special tokens in effect: those of ``tokenizer_config.json``; of ``special_tokens_map.json`` where that file
    names no added tokens, as releases before 4.34 wrote it."""
    config, mapped = _root(files, CONFIG), _root(files, SPECIAL)
    found: dict[str, Node] = {}
    legacy = config is None or not config["added_tokens_decoder"].exists
    for root in (one for one in (config, mapped if legacy else None) if one is not None):
        for name in (*SPECIAL_TOKENS, "additional_special_tokens"):
            node = root[name]
            if node.exists and node.value is not None:
                found[name] = node
    return found


def text_of_token(node: Node | None) -> str | None:
    """The text of a special token, written as text or as an object with its flags."""
    if node is None:
        return None
    value = node["content"].value if node.is_mapping else node.value
    return value if isinstance(value, str) else None


def of_tokenizer(files: Mapping[str, Document], tokenizer: Tokenizer | None, place: Location) -> Iterator[Observation]:
    """The facts that these files state. ``tokenizer`` is the vocabulary in effect, ``place`` where it lies."""
    config = _root(files, CONFIG)
    special = special_tokens(files)
    fast = tokenizer is not None and tokenizer.kind == "tokenizer.json"
    name = ""
    if config is not None:
        node = config["tokenizer_class"]
        if isinstance(node.value, str):
            name = _class(node.value)
            yield observed("model.tokenizer.class", name, node.location, origin="model")
        for fact, key in (
            ("model.tokenizer.add_prefix_space", "add_prefix_space"),
            ("model.tokenizer.clean_up_spaces", "clean_up_tokenization_spaces"),
            ("model.tokenizer.legacy", "legacy"),
        ):
            node = config[key]
            if isinstance(node.value, bool):
                yield observed(fact, node.value, node.location, origin="model")
    yield from _special(special)
    tokens, places = added_tokens(files, tokenizer)
    if tokens:
        entries = {str(token.id): Entry(token.content, places.get(token.id, place)) for token in tokens}
        yield from observed_map("model.tokenizer.added_tokens", entries, origin="model")
    yield from _ends(config, tokenizer, special, name, place)
    if tokenizer is None:
        return
    size = len({*range(tokenizer.size), *(token.id for token in tokens)}) if not fast else _size(tokenizer, tokens)
    yield seen("model.tokenizer.vocab_size", size, place)
    if tokenizer.pre_tokenizer or fast:
        yield seen("model.tokenizer.pre_tokenizer", pre_tokenizer(tokenizer.pre_tokenizer), place)
    parts = dict(_parts(tokenizer, tokens))
    yield seen(
        "model.tokenizer.digest",
        digest_of(files, tokenizer),
        place,
        tuple(f"{part} → {_short(shown)}" for part, shown in parts.items()),
        "certain" if fast else "likely",
    )


def digest_of(files: Mapping[str, Document], tokenizer: Tokenizer) -> str:
    """Digest of a tokenizer with what the files beside it add. What two kinds of files hold cannot be compared by
    digest, so its algorithm says what it was taken over."""
    value = digest(dict(_parts(tokenizer, added_tokens(files, tokenizer)[0])))
    return value if tokenizer.kind == "tokenizer.json" else f"{tokenizer.kind}+{value}"


def pre_tokenizer(text: str) -> str | None:
    """A pre-tokenizer, given as JSON, in a word where it has a name, else its steps with their settings."""
    part = _decoded(text)
    for name, numbers in _SPLITS.items():
        split: Value = {
            "type": "Split",
            "pattern": {"Regex": _SPLIT.replace("NUMBERS", numbers)},
            "behavior": "Isolated",
        }
        if part == {"type": "Sequence", "steps": [split, _BYTES]}:
            return name
    if part == _BYTES_AND_WORDS:
        return "gpt-2"
    if not isinstance(part, dict):
        return None
    steps = part.get("steps") if part.get("type") == "Sequence" else [part]
    return " + ".join(_shown_step(step) for step in steps if isinstance(step, dict)) if isinstance(steps, list) else ""


def tekken(tokenizer: Tokenizer) -> tuple[str, int] | None:
    """How a ``tekken.json`` encodes: the pattern that splits a text, and the id of rank 0, if it says so."""
    split, model = _decoded(tokenizer.pre_tokenizer), _decoded(tokenizer.model)
    pattern = split.get("pattern") if isinstance(split, dict) else None
    said = pattern.get("Regex") if isinstance(pattern, dict) else None
    first = model.get("first") if isinstance(model, dict) else None
    return (said, first) if isinstance(said, str) and isinstance(first, int) and not isinstance(first, bool) else None


def _shown_step(step: dict[str, Value]) -> str:
    rest = {key: value for key, value in step.items() if key != "type"}
    return f"{step.get('type')}{_json(rest) if rest else ''}"


def _decoded(text: str) -> Value:
    """A part out of its JSON; None for none, and for what no collector of this release wrote."""
    try:
        return cast(Value, msgspec.json.decode(text)) if text else None
    except msgspec.DecodeError:
        return None


def _json(value: Value) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _root(files: Mapping[str, Document], name: str) -> Node | None:
    document = files.get(name)
    return document.root if document is not None else None


def _class(name: str) -> str:
    """Fast and slow classes of one name are the same choice: which of them is taken, the files decide."""
    return name.removesuffix("Fast") if name != "PreTrainedTokenizerFast" else name


def _special(special: Mapping[str, Node]) -> Iterator[Observation]:
    entries: dict[str, Entry] = {}
    for name, node in special.items():
        if name == "additional_special_tokens":
            texts = [text for one in node.each() if (text := text_of_token(one)) is not None]
            value = " ".join(sorted(set(texts))) or None
        else:
            value = text_of_token(node)
        if value:
            entries[name] = Entry(value, node.location)
    if entries:
        yield from observed_map("model.tokenizer.special_tokens", entries, origin="model")


def added_tokens(files: Mapping[str, Document], tokenizer: Tokenizer | None) -> tuple[list[Token], dict[int, Location]]:
    """Added tokens by id: those of the vocabulary's file, and those that ``tokenizer_config.json`` adds or replaces;
    ``added_tokens.json`` counts only where neither says anything."""
    found = {token.id: token for token in (tokenizer.added if tokenizer is not None else ())}
    places: dict[int, Location] = {}
    config, older = _root(files, CONFIG), _root(files, ADDED)
    decoder = config["added_tokens_decoder"] if config is not None else None
    if decoder is not None and decoder.is_mapping:
        for key, node in decoder.items():
            content = node["content"].value
            if key.isdecimal() and len(key) < 12 and isinstance(content, str) and isinstance(node.value, dict):
                found[int(key)] = added(int(key), content, node.value)
                places[int(key)] = node.location
    elif older is not None and not found:
        for content, node in older.items():
            number = node.integer()
            if number is not None and number >= 0:
                found[number] = added(number, content, {})
                places[number] = node.location
    return sorted(found.values()), places


def _size(tokenizer: Tokenizer, tokens: Sequence[Token]) -> int:
    """Ids of the file, and those that only other files add."""
    known = {token.id for token in tokenizer.added}
    return tokenizer.size + sum(1 for token in tokens if token.id not in known and token.id >= tokenizer.size)


def _parts(tokenizer: Tokenizer, tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """What the tokenizer consists of, each part as a text that is equal where the part is."""
    yield "model", tokenizer.model
    for name, bulk in (("vocabulary", tokenizer.vocabulary), ("merges", tokenizer.merges)):
        yield name, _shown(bulk)
    for name, part in (
        ("normalizer", tokenizer.normalizer),
        ("pre-tokenizer", tokenizer.pre_tokenizer),
        ("post-processor", tokenizer.post_processor),
        ("decoder", tokenizer.decoder),
    ):
        yield name, part or "none"
    yield "added tokens", _json([[token.id, token.content] for token in tokens])
    for flag in FLAGS:
        yield f"added tokens with {flag}", " ".join(str(token.id) for token in tokens if flag in token.flags) or "none"


def _short(text: str) -> str:
    """A part to be shown: whole while it is short, else its beginning and its digest."""
    return text if len(text) <= _LONGEST else f"{text[:200]}… {digest(text)}"


def _shown(bulk: Bulk | None) -> str:
    return "none" if bulk is None else f"{bulk.count:,} entries, {bulk.digest}"


def _ends(
    config: Node | None, tokenizer: Tokenizer | None, special: Mapping[str, Node], name: str, place: Location
) -> Iterator[Observation]:
    """Whether encoding adds BOS and EOS."""
    fast = tokenizer is not None and tokenizer.kind == "tokenizer.json"
    for fact, key, token, first, usual in (
        ("model.tokenizer.adds_bos", "add_bos_token", "bos_token", True, True),
        ("model.tokenizer.adds_eos", "add_eos_token", "eos_token", False, False),
    ):
        node = config[key] if config is not None else None
        said = node.value if node is not None and isinstance(node.value, bool) else None
        own = name in _OWN_BOS
        at = node.location if node is not None and said is not None else place
        if not fast:
            # Without the file, what classes do by default is known of these alone.
            value = said if said is not None else usual if own else None
            if value is not None:
                yield observed(fact, value, at, origin="model", confidence="certain" if said is not None else "likely")
            continue
        assert tokenizer is not None
        shown = _template_adds(tokenizer.post_processor, text_of_token(special.get(token)), first)
        asked = (said if said is not None else usual) if own else None
        if asked is not None and asked is not shown:
            because = (
                f"{name} of transformers 4 does so, whatever the post-processor of tokenizer.json says; "
                "transformers 5 does what that says",
            )
            yield observed(fact, asked, at, origin="model", confidence="likely", because=because)
        elif said is not None and said is not shown:
            because = (f"by the post-processor of tokenizer.json; {key} of tokenizer_config.json says otherwise",)
            yield seen(fact, shown, at, because, "likely")
        else:
            yield seen(fact, shown, at, ("the post-processor of tokenizer.json",))


def _template_adds(text: str, token: str | None, first: bool) -> bool:
    """Whether a post-processor puts this token in front (or behind) of one text."""
    part = _decoded(text)
    if not isinstance(part, dict):
        return False
    steps = part.get("steps") if part.get("type") == "Sequence" else [part]
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, dict):
            continue
        put: Value = None
        if step.get("type") == "TemplateProcessing" and isinstance(single := step.get("single"), list) and single:
            piece = single[0 if first else -1]
            marked = piece.get("SpecialToken") if isinstance(piece, dict) else None
            put = marked.get("id") if isinstance(marked, dict) else None
        elif step.get("type") in ("RobertaProcessing", "BertProcessing"):
            pair = step.get("cls" if first else "sep")
            put = pair[0] if isinstance(pair, list) and pair else None
        if put is not None and (put == token or (token is None and first and put in _BOS_NAMES)):
            return True
    return False
