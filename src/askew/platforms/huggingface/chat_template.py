"""The chat template of a model's directory: which file wins, and what its text tells.

Sources, transformers 4.57.1 (https://github.com/huggingface/transformers/tree/v4.57.1/src/transformers):
``_from_pretrained`` of ``tokenization_utils_base.py`` (``chat_template.jinja`` and ``additional_chat_templates`` before
``tokenizer_config.json``; releases before 4.47.0 read that alone) and ``processing_utils.py`` (of models with a
processor, ``chat_template.json`` before ``chat_template.jinja``). vLLM and SGLang take the processor's template where
there is one, else the tokenizer's: ``resolve_hf_chat_template`` of ``vllm/entrypoints/chat_utils.py``
(https://github.com/vllm-project/vllm/tree/v0.11.0) and ``_resolve_hf_chat_template`` of
``python/sglang/srt/managers/template_manager.py`` (https://github.com/sgl-project/sglang). TGI reads
``chat_template.json``, else ``tokenizer_config.json``, and no ``.jinja``: ``router/src/server.rs`` and ``infer/mod.rs``
of https://github.com/huggingface/text-generation-inference/tree/v3.3.7; what a launch names: ``app.templates``.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.platforms.huggingface.chat_text import canonical, pieces
from askew.platforms.huggingface.observe import seen
from askew.platforms.huggingface.tokenizer import CONFIG, special_tokens, text_of_token
from askew.platforms.huggingface.tokenizer_json import digest
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation

TEMPLATE = "#template"  # behind the name of a file: the text of a chat template
GGUF = "#gguf"  # behind the name of a GGUF file: its metadata
_GGUF_KEY = "tokenizer.chat_template"
JINJA, LEGACY, FOLDER = "chat_template.jinja", "chat_template.json", "additional_chat_templates"
_LONGEST = 20_000  # characters of a template that are told
_PROCESSORS = frozenset(("processor_config.json", "preprocessor_config.json"))
_CLOCK = re.compile(r"\bstrftime_now \(")
OPENER = re.compile(r"<(?:\|?)(?:seed:)?(?:think|thinking|thought|reasoning)(?:\|?)>\s*\Z")


class Chosen(NamedTuple):
    """The templates in effect by their names (``default``, ``tool_use``), where they stand, and the files that lost to
    them with another text."""

    templates: dict[str, str]
    place: Location
    file: str
    beaten: tuple[str, ...]

    def used(self, tools: bool) -> str | None:
        """The template that a request is rendered with."""
        if len(self.templates) == 1:
            return next(iter(self.templates.values()))
        return (
            self.templates.get("tool_use") if tools and "tool_use" in self.templates else self.templates.get("default")
        )


def chosen(files: Mapping[str, Document], texts: Sequence[SourceText], listed: frozenset[str] | None) -> Chosen | None:
    """The template in effect; None where no file holds one."""
    named: dict[str, str] = {}
    place: Location | None = None
    found: dict[str, Chosen] = {}
    for text in texts:
        if text.source.endswith(GGUF):
            source = text.source.removesuffix(GGUF)
            if held := _of_gguf(text.text):
                found[GGUF] = Chosen(held, Location(source), os.path.basename(source), ())
            continue
        path = text.source.removesuffix(TEMPLATE)
        name = os.path.basename(path)
        key = "default" if name == JINJA else os.path.splitext(name)[0]
        named[key] = text.text
        if place is None or name == JINJA:
            place = Location(path, line=1, column=1)
    if named and place is not None:
        found[JINJA] = Chosen(named, place, JINJA, ())
    for file in (LEGACY, CONFIG):
        document = files.get(file)
        if document is None:
            continue
        node = document.root["chat_template"]
        held = _held(node.value)
        if held:
            found[file] = Chosen(held, node.location, file, ())
    processor = listed is not None and not _PROCESSORS.isdisjoint(listed)
    # What lies beside a GGUF file is read by other engines than the file itself, which llama.cpp reads alone.
    order = (LEGACY, JINJA, CONFIG, GGUF) if processor else (JINJA, CONFIG, LEGACY, GGUF)
    present = [found[file] for file in order if file in found]
    if not present:
        return None
    best = present[0]
    beaten = tuple(other.file for other in present[1:] if _canonical(other) != _canonical(best))
    return best._replace(beaten=beaten)


def _held(value: object) -> dict[str, str]:
    """A template as text, or a list of named ones."""
    if isinstance(value, str):
        return {"default": value}
    found: dict[str, str] = {}
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("template"), str):
            found[str(entry.get("name"))] = entry["template"]
    return found


class _Metadata(msgspec.Struct, frozen=True):
    metadata: dict[str, object] = {}
    special: dict[str, str] = {}


def special_of_gguf(texts: Sequence[SourceText]) -> dict[str, str]:
    """The special tokens that a GGUF file names, for its template."""
    for text in texts:
        if text.source.endswith(GGUF):
            try:
                special = msgspec.json.decode(text.text, type=_Metadata).special
            except msgspec.DecodeError:
                continue
            if special:
                return special
    return {}


def _of_gguf(header: str) -> dict[str, str]:
    """The templates in the metadata of a GGUF file: one, and further ones by name."""
    try:
        metadata = msgspec.json.decode(header, type=_Metadata).metadata
    except msgspec.DecodeError:
        return {}
    held = {
        key.removeprefix(_GGUF_KEY).lstrip(".") or "default": text
        for key, text in metadata.items()
        if isinstance(text, str) and (key == _GGUF_KEY or key.startswith(f"{_GGUF_KEY}."))
    }
    return dict(sorted(held.items()))


def _canonical(one: Chosen) -> dict[str, str]:
    return {name: canonical(text) for name, text in one.templates.items()}


def of_text(text: str, place: Location, why: str) -> Iterator[Observation]:
    """The facts of a template that was given by itself, and wins over those of the model's directory."""
    canon = canonical(text)
    because = (why, f"the template → {_short(canon)}")
    yield observed("model.chat_template.digest", digest(canon), place, origin="config-file", because=because)
    if (tags := _tags(text)) is not None:
        clock = any(_CLOCK.search(_outside_strings(tag)) for tag in tags)
        yield observed("model.chat_template.uses_clock", clock, place, origin="config-file", because=(why,))


def special_names(text: str) -> set[str]:
    """The special tokens of the tokenizer that a template writes, so that what it renders depends on them."""
    return set(re.findall(r"\b(?:bos|eos|unk|pad|sep|cls|mask)_token\b", text))


def _tags(text: str) -> list[str] | None:
    try:
        return [piece.text for piece in pieces(text) if piece.kind != "text"] or None
    except ValueError:
        return None


def of_template(
    files: Mapping[str, Document],
    texts: Sequence[SourceText],
    listed: frozenset[str] | None,
    place: Location,
    rendered: bool,
) -> Iterator[Observation]:
    """The facts that the files state. ``rendered``: probes tell what the template does, so that its text need not."""
    best = chosen(files, texts, listed)
    if best is None:
        if listed is not None and CONFIG in files:
            because = ("no file of the directory holds a chat template",)
            yield seen("model.chat_template.digest", None, place, because)
        return
    canon = _canonical(best)
    value = digest(next(iter(canon.values())) if len(canon) == 1 else dict(canon))
    why = [f"the template of {best.file}"]
    why += [
        f"{file} holds another one" + (", which transformers before 4.47.0 takes" if best.file == JINJA else "")
        for file in best.beaten
    ]
    if best.file == JINJA and {LEGACY, CONFIG}.intersection(best.beaten):
        why.append("TGI reads chat_template.json and tokenizer_config.json alone, and serves with theirs")
    why += [f"the template{'' if name == 'default' else ' ' + name} → {_short(text)}" for name, text in canon.items()]
    yield seen("model.chat_template.digest", value, best.place, tuple(why))
    text = best.used(False)
    if text is None:
        return
    tags = _tags(text)
    if tags:
        clock = any(_CLOCK.search(_outside_strings(tag)) for tag in tags)
        yield seen("model.chat_template.uses_clock", clock, best.place)
    if not rendered and tags:
        yield from _by_text(text, tags, text_of_token(special_tokens(files).get("bos_token")), best.place)


def _short(text: str) -> str:
    quoted = msgspec.json.encode(text).decode()
    return quoted if len(quoted) <= _LONGEST else f"{quoted[:_LONGEST]}… {digest(text)}"


def _by_text(text: str, tags: Sequence[str], bos: str | None, place: Location) -> Iterator[Observation]:
    """What the text makes likely where it could not be rendered."""
    because = ("by the text of the template, which was not rendered",)
    emits = any(re.search(r"\bbos_token\b", _outside_strings(tag)) for tag in tags) or (bos is not None and bos in text)
    yield seen("model.chat_template.emits_bos", emits, place, because, "likely")
    tail = pieces(text)[-8:]
    words = [part for piece in tail for part in ([piece.text] if piece.kind == "text" else _strings(piece.text))]
    opens = any(OPENER.search(word) for word in words)
    yield seen("model.chat_template.opens_reasoning", opens, place, because, "possible" if opens else "likely")


def _outside_strings(tag: str) -> str:
    return re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "''", tag)


def _strings(tag: str) -> list[str]:
    found = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", tag)
    return [(one or other).replace("\\n", "\n") for one, other in found]
