"""The tokenizer and the chat template of a model's directory: read, reduced to what changes behaviour, and tried.

A vocabulary is passed on as its digest. Where the optional libraries are installed (``pip install
'askew[artifacts]'``), the template is rendered and texts are encoded in a process of its own, ``sandbox.py``, which has
limits of time and memory and is refused files, processes and connections.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.interface import Text
from askew.collectors.reading import Reader
from askew.evidence.document import Document
from askew.evidence.redaction import Redactor
from askew.platforms.huggingface import chat_template, probes, tokenizer, tokenizer_json, vocabularies
from askew.platforms.huggingface.tokens import FILES, TOKENIZER

# Small files, read with their lines.
READ = FILES
# Files with a vocabulary, the one that wins first.
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt")
# Files that are read whole beside the small ones, and the folder of further templates.
WHOLE = (*_VOCABULARIES, "merges.txt", chat_template.JINJA)
TEMPLATES = chat_template.FOLDER
MOST_BYTES = 128 * 2**20  # the largest vocabularies are some 40 MiB
_MOST_TEMPLATE = 2**20
_MOST_TEMPLATES = 20
SECONDS = 20.0
_OUTPUT = 32 * 2**20
_EXTRA = "pip install 'askew[artifacts]'"
_HINT = "download the file again, or write it anew with the library that made it"


# The real path of a file of the directory, empty where it leads outside.
Real = Callable[[str, str], str]


def add(reader: Reader, redactor: Redactor, path: str, shown: str, names: Sequence[str], real: Real) -> None:
    """Add what the directory ``path`` holds of these, after its small files were read. ``real`` says where a file
    lies."""
    files = {
        os.path.basename(document.source): document
        for document in reader.documents
        if os.path.dirname(document.source) == shown
    }
    texts = _templates(reader, redactor, path, shown, names, real)
    texts += [
        text
        for text in reader.texts
        if text.source.endswith(chat_template.GGUF) and os.path.dirname(text.source) == shown
    ]
    found, place = _tokenizer(reader, redactor, path, shown, names, real)
    best = chat_template.chosen(files, texts, frozenset(names))
    rendered = encoded = None
    special: dict[str, Any] = {}
    for name, node in tokenizer.special_tokens(files).items():
        if name == "additional_special_tokens":
            special[name] = [text for one in node.each() if (text := tokenizer.text_of_token(one)) is not None]
        else:
            special[name] = tokenizer.text_of_token(node)
    plain = best.used(False) if best is not None else None
    tools = best.used(True) if best is not None else None
    if best is not None and plain is not None and best.place.source.endswith(".gguf"):
        special = dict(chat_template.special_of_gguf(texts))
        if not chat_template.special_names(plain) <= special.keys():
            plain = None  # what it renders depends on tokens that the file does not name
    if plain is not None:
        rendered = render(plain, tools or plain, special)
    way = Way()
    if found is not None:
        lies = os.path.abspath(real(os.path.join(path, os.path.basename(place)), place))
        way = encoding(found, files, os.path.basename(place), lies)
        if way.fault:
            encoded = probes.Encoded(fault=way.fault, hint=way.hint)
        elif way.library:
            encoded = ask(way.library, {**way.asked, "texts": way.texts(probes.TEXTS)}, probes.Encoded)
    if rendered is None and encoded is None:
        return
    answers = probes.Answers(
        rendered=rendered,
        encoded=encoded,
        bos=special.get("bos_token"),
        template=(best.place.source, best.place.line, best.place.column) if best is not None else ("", 0, 0),
        tokenizer=place,
        library=way.library,
        assumed=way.assumed,
    )
    reader.texts.append(Text(source=f"{shown}/{probes.PROBES}", text=msgspec.json.encode(answers).decode()))


def render(plain: str, tools: str, special: Mapping[str, Any]) -> probes.Rendered:
    """What a template makes of the conversations. ``tools``: the one for those with tools."""
    asked = {
        "kind": "templates",
        "templates": {"plain": plain, "tools": tools},
        "special": special,
        "conversations": [msgspec.to_builtins(one) for one in probes.CONVERSATIONS],
    }
    found: probes.Rendered = ask("jinja2", asked, probes.Rendered)
    return found


class Way(msgspec.Struct, frozen=True):
    """How a vocabulary is tried: the library that encodes with it (empty where there is none), what to ask of it, what
    it takes from elsewhere than the files, and why it cannot be tried."""

    library: str = ""
    asked: dict[str, Any] = {}
    assumed: str = ""
    fault: str = ""
    hint: str = ""

    def texts(self, texts: Sequence[str]) -> list[str]:
        """The texts that the library can be asked: to SentencePiece a NUL ends a text."""
        return [text for text in texts if "\0" not in text or self.library != "sentencepiece"]


def encoding(found: tokenizer_json.Tokenizer, files: Mapping[str, Document], name: str, path: str) -> Way:
    """How to try the vocabulary of a file of this name. ``path``: where it lies, which is a blob in the Hub's cache."""
    if found.kind == "tokenizer.json":
        added, _ = tokenizer.added_tokens(files, found)
        more = [msgspec.to_builtins(token) for token in added if token not in found.added]
        return Way("tokenizers", {"kind": "tokens", "path": path, "added": more})
    if found.kind == "sentencepiece":
        return Way("sentencepiece", {"kind": "pieces", "path": path})
    if found.kind == "tekken":
        said = tokenizer.tekken(found)
        if said is None:
            what = "no text was encoded: expected config.pattern and config.default_num_special_tokens in the file"
            return Way(fault=what, hint=_HINT)
        most = found.vocabulary.count if found.vocabulary is not None else 0
        return Way("tiktoken", _ranks(path, said[0], said[1], most, nfc=False, tekken=True))
    if found.kind != "tiktoken":
        return Way()
    known = tokenizer.RANKS.get(name)
    if known is None:
        what = "no text was encoded: a file of ranks does not say how a text is split, the code of its model does"
        return Way(fault=what, hint="save the tokenizer as tokenizer.json, which says it")
    pattern, nfc, whose = known
    asked = _ranks(path, pattern, 0, found.size, nfc=nfc, tekken=False)
    return Way("tiktoken", asked, f"split as {whose} does: the file does not say how, and its code is not run")


def _ranks(path: str, pattern: str, first: int, most: int, *, nfc: bool, tekken: bool) -> dict[str, Any]:
    return {
        "kind": "ranks", "path": path, "pattern": pattern, "first": first, "most": most, "nfc": nfc, "tekken": tekken,
    }  # fmt: skip


def _templates(
    reader: Reader, redactor: Redactor, path: str, shown: str, names: Sequence[str], real: Real
) -> list[Text]:
    """The texts of ``chat_template.jinja`` and of the folder with templates of other names."""
    wanted = [chat_template.JINJA] if chat_template.JINJA in names else []
    if chat_template.FOLDER in names:
        folder = os.path.join(path, chat_template.FOLDER)
        try:
            inside = sorted(os.listdir(folder))[:1000]
        except OSError:
            inside = []
        templates = [name for name in inside if name.endswith(".jinja")][:_MOST_TEMPLATES]
        wanted += [f"{chat_template.FOLDER}/{name}" for name in templates]
    found: list[Text] = []
    for name in wanted:
        data = _bytes(reader, os.path.join(path, name), f"{shown}/{name}", _MOST_TEMPLATE, real)
        if data is None:
            continue
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            reader.fail(f"{shown}/{name}", "expected a template in UTF-8", "save the file as UTF-8", line, 1)
            continue
        found.append(Text(source=f"{shown}/{name}{chat_template.TEMPLATE}", text=redactor.text(text)))
    reader.texts.extend(found)
    return found


def _tokenizer(
    reader: Reader, redactor: Redactor, path: str, shown: str, names: Sequence[str], real: Real
) -> tuple[tokenizer_json.Tokenizer | None, str]:
    """The vocabulary in effect, and the name of its file."""
    tiktoken = next((name for name in names if name.endswith(".tiktoken")), "")
    name = next((one for one in (*_VOCABULARIES, tiktoken) if one in names), "")
    if not name or (name == "vocab.json" and "merges.txt" not in names):
        return None, ""
    place = f"{shown}/{name}"
    data = _bytes(reader, os.path.join(path, name), place, MOST_BYTES, real)
    if data is None:
        return None, ""
    merges = None
    if name == "vocab.json":
        merges = _bytes(reader, os.path.join(path, "merges.txt"), f"{shown}/merges.txt", MOST_BYTES, real)
    try:
        found = parsed(name, data, merges)
    except ValueError as error:
        reader.fail(place, str(error), _HINT)
        return None, ""
    text = msgspec.json.encode(found).decode()
    clean = redactor.text(text)
    if clean != text:
        try:
            found = msgspec.json.decode(clean, type=tokenizer_json.Tokenizer)
        except msgspec.DecodeError:
            reader.fail(place, "expected no secret among the tokens", "remove it from the file")
            return None, ""
    reader.texts.append(Text(source=f"{place}{TOKENIZER}", text=clean))
    return found, place


def parsed(name: str, data: bytes, merges: bytes | None) -> tokenizer_json.Tokenizer:
    """A vocabulary out of its file of this name. Raises ValueError saying what was expected."""
    if name == "tokenizer.json":
        return tokenizer_json.canonical(data)
    if name == "tokenizer.model":
        return _of_model(data)
    if name == "tekken.json":
        return vocabularies.of_tekken(data)
    if name.endswith(".tiktoken"):
        return vocabularies.of_tiktoken(data)
    return vocabularies.of_vocabulary(data, merges)


def _of_model(data: bytes) -> tokenizer_json.Tokenizer:
    """A ``tokenizer.model`` holds a SentencePiece model or ranks of tiktoken (Llama 3's originals)."""
    head, _, rank = data[:200].partition(b"\n")[0].partition(b" ")
    return vocabularies.of_tiktoken(data) if head and rank.strip().isdigit() else vocabularies.of_sentencepiece(data)


def _bytes(reader: Reader, path: str, shown: str, limit: int, real: Real) -> bytes | None:
    where = real(path, shown)
    if not where:
        return None
    try:
        data = read_bytes(where, limit)
    except UnreadableError as error:
        reader.fail(shown, error.message, _HINT)
        return None
    reader.files += 1
    return data


def ask(library: str, asked: dict[str, Any], answer: type[Any]) -> Any:
    """The answers of the process that renders and encodes; an answer with a fault where it has none."""
    from importlib.util import find_spec
    from tempfile import gettempdir

    from askew.collectors.tools import run

    what = "the template was not rendered" if library == "jinja2" else "no text was encoded"
    if find_spec(library) is None:
        return answer(fault=f"{what}: {library} is not installed", hint=_EXTRA)
    script = os.path.join(os.path.dirname(__file__), "sandbox.py")
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    ended = run(
        (sys.executable, "-I", "-B", script),
        seconds=SECONDS,
        env={**kept, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
        cwd=gettempdir(),
        given=msgspec.json.encode(asked),
        limit=_OUTPUT,
    )
    if ended.fault or ended.status:
        reason = "it takes too long, or more memory than is allowed" if ended.status < 0 else ended.complaint[-300:]
        if "took longer" in ended.fault or ended.status < 0:
            reason = f"it did not end within {SECONDS:g} seconds or within the memory allowed"
        return answer(fault=f"{what}: {reason}", hint="look at the file: nothing sound takes that long")
    try:
        found = msgspec.json.decode(ended.output, type=answer)
    except msgspec.DecodeError:
        return answer(fault=f"{what}: the answer cannot be read")
    if found.fault:
        return answer(fault=f"{what}: {found.fault}", hint="correct the file")
    return found
